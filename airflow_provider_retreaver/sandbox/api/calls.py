"""The call log: legacy and versioned routes, filters, order, pages."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api import call_shapes
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.api.exchange import Exchange
from airflow_provider_retreaver.sandbox.api.paging import CallQuery, link_headers, window
from airflow_provider_retreaver.sandbox.http.wire import Reply, refused
from airflow_provider_retreaver.sandbox.state.clock import parse_time
from airflow_provider_retreaver.sandbox.state.store import Row

NEWEST = 5
# Customer IDs are looked up first, so that the calls are found by an index.
_CUSTOMER = {
    "client_afid": ("affiliates", "afid", "affiliate_id"),
    "client_cid": ("campaigns", "cid", "campaign_id"),
    "client_tid": ("targets", "tid", "target_id"),
}
_TIMES = (
    ("created_at_start", "created_at", ">="),
    ("created_at_end", "created_at", "<"),
    ("updated_at_start", "updated_at", ">="),
    ("updated_at_end", "updated_at", "<"),
)


def _edition(exchange: Exchange) -> int:
    """Say which edition the path asks for: 0 is the legacy one."""
    version = exchange.args.get("version")
    if version is None:
        return 0
    if not version.isdigit() or not 1 <= int(version) <= NEWEST:
        raise refused(404, f"There is no version v{version} of calls.")
    return int(version)


def _bounds(exchange: Exchange, edition: int) -> tuple[tuple[str, str, int], ...]:
    """Read the windows in time; the legacy route has those of creation only."""
    bounds = []
    for name, column, comparison in _TIMES if edition else _TIMES[:2]:
        text = exchange.request.param(name)
        if not text:
            continue
        try:
            bounds.append((column, comparison, parse_time(text)))
        except ValueError as error:
            raise refused(400, f"{name} is not an RFC 3339 time") from error
    return tuple(bounds)


def _filters(exchange: Exchange) -> tuple[str, list[Any]]:
    where, values = "", []
    for name, column in (("caller", "caller"), ("sub_id", "sid")):
        text = exchange.request.param(name)
        if text:
            where += f" AND {column} = ?"
            values.append("+" + text.strip() if column == "caller" and text[0] == " " else text)
    for name, (table, own, column) in _CUSTOMER.items():
        text = exchange.request.param(name)
        if not text:
            continue
        sql = f"SELECT id FROM {table} WHERE company_id = ? AND {own} = ?"
        ids = [row["id"] for row in exchange.store.rows(sql, (exchange.company_id, text))]
        where += f" AND {column} = ?" if len(ids) == 1 else f" AND {column} IN ({','.join('?' * len(ids))})"
        values += ids
    return where, values


def _order(exchange: Exchange) -> tuple[str, bool]:
    """Choose the column and whether newest come first; by ``updated_at`` they always do."""
    if exchange.request.param("sort_by") == "updated_at":
        return "updated_at", True
    return "created_at", exchange.request.param("order") != "asc"


def _render(exchange: Exchange, calls: list[Row], edition: int) -> list[dict[str, Any]]:
    about, zone = call_shapes.names(exchange.store, calls), exchange.zone()
    with_flow = edition >= 2 and exchange.request.param("call_flow_events") in ("true", "1")
    shown = []
    for call in calls:
        one = call_shapes.render(call, edition, about, zone)
        if with_flow:
            one["call_flow_events"] = call_shapes.flow_events(call, zone)
        shown.append({"call": one})
    return shown


def list_calls(exchange: Exchange) -> Reply:
    """Answer a page of calls. Retreaver's reference: "Get recent Calls".

    :param exchange: The request and the sandbox's state.
    :return: Calls in their envelopes, with the ``Link`` header.
    """
    edition = _edition(exchange)
    where, values = _filters(exchange) if edition else ("", [])
    where, values = f"company_id = ?{where}", [exchange.company_id, *values]
    query = CallQuery(where, tuple(values), _bounds(exchange, edition), *_order(exchange))
    at = window(exchange.request, sizable=edition > 0)
    total, calls = exchange.world.anchors.page(query, at)
    return Reply(_render(exchange, calls, edition), headers=link_headers(exchange.request, at, total))


def get_call(exchange: Exchange) -> Reply:
    """Answer one call. Retreaver's reference: "Get a specific Call".

    :param exchange: The request and the sandbox's state.
    :return: The call in its envelope.
    :raises Refusal: With status 404, if there is no such call.
    """
    edition = _edition(exchange)
    sql = "SELECT * FROM calls WHERE uuid = ? AND company_id = ?"
    call = exchange.store.row(sql, (exchange.args["uuid"].lower(), exchange.company_id))
    if call is None:
        raise refused(404, "call not found")
    return Reply(_render(exchange, [call], edition)[0])


ROUTES = [
    Route("GET", "calls", list_calls, legacy=True),
    Route("GET", "calls/{uuid}", get_call, legacy=True),
    Route("GET", "api/v{version}/calls", list_calls),
    Route("GET", "api/v{version}/calls/{uuid}", get_call),
]
