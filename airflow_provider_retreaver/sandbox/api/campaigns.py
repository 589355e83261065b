"""Campaigns: the settings that numbers share."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api import ivr
from airflow_provider_retreaver.sandbox.api.columns import Column, natural, truth
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Attributes, Errors, Resource, routes
from airflow_provider_retreaver.sandbox.api.nested import nested_rows
from airflow_provider_retreaver.sandbox.state.clock import format_seconds
from airflow_provider_retreaver.sandbox.state.store import Row

_COLUMNS = (
    Column("cid"),
    Column("name"),
    Column("dedupe_seconds", natural, optional=False),
    Column("affiliate_can_pull_number", truth, optional=False),
    Column("record_calls", truth, optional=False),
    Column("record_seconds", natural, optional=False),
    *ivr.GREETING,
)


def _prepare(
    context: RequestContext, attributes: Attributes, values: dict[str, Any], errors: Errors, row: Row | None
) -> None:
    values |= ivr.audio(attributes, context.now, errors)
    random = context.state.random
    if row is None:
        values["show_key"] = f"{random.getrandbits(128):032x}"
    if row is None or "cid" in values:
        values["cid"] = values.get("cid") or f"{random.getrandbits(32):08x}"


def _initialize(context: RequestContext, campaign_id: int, attributes: Attributes) -> None:
    """Set the company's default URLs as timers where the request has none."""
    if nested_rows(attributes, "timers_attributes"):
        return
    company = context.store.one("SELECT * FROM companies WHERE id = ?", (context.company_id,))
    for seconds, name in ((0, "default_click_url"), (90, "default_sale_url")):
        if company[name]:
            ivr.add_timer(context.store, "campaign", campaign_id, seconds, company[name])


def _save_nested(context: RequestContext, campaign_id: int, attributes: Attributes) -> None:
    ivr.change(context, "campaign", campaign_id, attributes)


def _render(context: RequestContext, row: Row) -> dict[str, Any]:
    nested = ivr.get_rows(context.store, "campaign", row["id"])
    return {
        "id": row["id"],
        "cid": row["cid"],
        "name": row["name"],
        "updated_at": format_seconds(row["updated_at"]),
        "created_at": format_seconds(row["created_at"]),
        "record_calls": bool(row["record_calls"]),
        "record_seconds": row["record_seconds"],
        "dedupe_seconds": row["dedupe_seconds"],
        "affiliate_can_pull_number": bool(row["affiliate_can_pull_number"]),
        "show_key": row["show_key"],
        "repeat": row["repeat"],
        "greeting": ivr.greeting(row),
        **{table: ivr.wrap(table, rows) for table, rows in nested.items()},
    }


def _deletion_error(context: RequestContext, row: Row) -> str | None:
    sql = "SELECT count(*) FROM numbers WHERE company_id = ? AND campaign_id = ? AND deleted = 0"
    if context.store.value(sql, (context.company_id, row["id"])):
        return "The campaign still has Numbers: delete them first."
    return None


CAMPAIGNS = Resource(
    table="campaigns",
    envelope="campaign",
    columns=_COLUMNS,
    render=_render,
    customer_id="cid",
    prepare=_prepare,
    initialize=_initialize,
    save_nested=_save_nested,
    deletion_error=_deletion_error,
)


def check(
    context: RequestContext, attributes: Attributes, values: dict[str, Any], errors: Errors, row: Row | None
) -> None:
    """Read the ``cid`` of an object that belongs to a campaign.

    :param context: The request and the sandbox's state.
    :param attributes: Attributes from the request.
    :param values: Columns to save; ``campaign_id`` is added.
    :param errors: Errors by attribute; is added to if the ``cid`` is blank or unknown.
    :param row: The existing object, which may leave the ``cid`` out; None for a new one.
    """
    if row is not None and "cid" not in attributes:
        return
    cid = attributes.get("cid")
    if cid in (None, ""):
        errors["cid"] = ["can't be blank"]
        return
    campaign = CAMPAIGNS.lookup(context, "cid", str(cid))
    if campaign is None:
        errors["cid"] = [f"there is no campaign {cid}"]
    else:
        values["campaign_id"] = campaign["id"]


ROUTES = routes(CAMPAIGNS, "campaigns")
