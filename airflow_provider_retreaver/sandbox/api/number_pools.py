"""Number pools: numbers that are bought when visitors need them."""

from __future__ import annotations

import uuid
from typing import Any

from airflow_provider_retreaver.sandbox.api import campaigns, numbers
from airflow_provider_retreaver.sandbox.api.affiliates import AFFILIATES
from airflow_provider_retreaver.sandbox.api.columns import Column, natural, one_of, truth
from airflow_provider_retreaver.sandbox.api.context import RequestContext, SandboxState
from airflow_provider_retreaver.sandbox.api.crud import Attributes, Errors, Resource, routes
from airflow_provider_retreaver.sandbox.state.clock import format_seconds
from airflow_provider_retreaver.sandbox.state.store import Row

# Retreaver buys the reserve of a new pool after its response; in the sandbox it takes this many milliseconds.
PROVISIONING_TIME = 30_000


def _prepare(
    context: RequestContext, attributes: Attributes, values: dict[str, Any], errors: Errors, row: Row | None
) -> None:
    campaigns.check(context, attributes, values, errors, row)
    if "afid" in attributes:
        afid = attributes["afid"]
        affiliate = AFFILIATES.lookup(context, "afid", str(afid)) if afid else None
        if afid and affiliate is None:
            errors["afid"] = [f"there is no affiliate {afid}"]
        values["affiliate_id"] = affiliate["id"] if affiliate else None
    was = row or {}
    both = [values.get(name, was.get(name)) for name in ("google_analytics", "affiliate_id")]
    if all(both):
        errors["google_analytics"] = ["cannot be used with an affiliate"]


def provision(state: SandboxState, pool: Row, count: int) -> None:
    """Buy or release numbers until a pool has a given count of them.

    :param state: The sandbox's state.
    :param pool: Row of the pool.
    :param count: How many numbers the pool has afterwards.
    """
    store, now = state.store, state.clock.now()
    sql = "SELECT id FROM numbers WHERE pool_id = ? AND deleted = 0 ORDER BY id"
    owned = [row["id"] for row in store.rows(sql, (pool["id"],))]
    for number_id in owned[count:]:
        store.update("numbers", number_id, {"deleted": 1})
    for _ in range(count - len(owned)):
        store.insert(
            "numbers",
            {
                "company_id": pool["company_id"],
                "created_at": now,
                "updated_at": now,
                "pool_id": pool["id"],
                "number": numbers.unused_number(store, state.random, pool["type"], pool["country"]),
                "type": pool["type"],
                "country": pool["country"],
                "campaign_id": pool["campaign_id"],
                "affiliate_id": pool["affiliate_id"],
            },
        )


def _count(state: SandboxState, pool_id: int) -> int:
    return int(state.store.value("SELECT count(*) FROM numbers WHERE pool_id = ? AND deleted = 0", (pool_id,)))


def _render(context: RequestContext, row: Row) -> dict[str, Any]:
    store, pool_id = context.store, row["id"]
    owned, reserve = _count(context.state, pool_id), min(row["reserve_size"], row["max_pool_size"])
    if owned < reserve and context.now >= row["created_at"] + PROVISIONING_TIME:
        provision(context.state, row, reserve)
        owned = reserve
    kinds = ("always", "connect") if row["google_analytics"] else ()
    return {
        "id": pool_id,
        "numbers_count": owned,
        "type": row["type"],
        "country": row["country"],
        "max_pool_size": row["max_pool_size"],
        "buffer_seconds": row["buffer_seconds"],
        "updated_at": format_seconds(row["updated_at"]),
        "created_at": format_seconds(row["created_at"]),
        "google_analytics": bool(row["google_analytics"]),
        "hide_embedded_access": bool(row["hide_embedded_access"]),
        "afid": store.value("SELECT afid FROM affiliates WHERE id = ?", (row["affiliate_id"],)),
        "cid": store.value("SELECT cid FROM campaigns WHERE id = ?", (row["campaign_id"],)),
        "reserve_size": row["reserve_size"],
        "google_analytics_paths": [
            {
                "name": f"Network timer ({kind})",
                "path": f"/callpixels/{uuid.uuid5(uuid.NAMESPACE_OID, f'{pool_id}{kind}')}",
            }
            for kind in kinds
        ],
    }


def _cleanup(context: RequestContext, row: Row) -> None:
    provision(context.state, row, 0)


def _filters(context: RequestContext) -> tuple[str, list[Any]]:
    return numbers.filters(context, {"cid": ("cid",), "afid": ("afid",)})


NUMBER_POOLS = Resource(
    table="number_pools",
    envelope="number_pool",
    render=_render,
    prepare=_prepare,
    cleanup=_cleanup,
    filters=_filters,
    columns=(
        Column("type", one_of(*numbers.TYPES), optional=False),
        Column("country", one_of(*numbers.PREFIXES), optional=False),
        Column("max_pool_size", natural, optional=False),
        Column("buffer_seconds", natural, optional=False),
        Column("reserve_size", natural, optional=False),
        Column("hide_embedded_access", truth, optional=False),
        Column("google_analytics", truth, optional=False),
    ),
)
ROUTES = routes(NUMBER_POOLS, "number_pools")
