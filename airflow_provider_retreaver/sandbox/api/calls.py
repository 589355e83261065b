"""The call log: legacy and versioned routes, filters, order, pages."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api import call_shapes, recordings
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.api.paging import CallQuery, link_headers, requested_page
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error
from airflow_provider_retreaver.sandbox.state.clock import parse_time
from airflow_provider_retreaver.sandbox.state.store import Row

NEWEST_VERSION = 5
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


def _version(context: RequestContext) -> int:
    """Return which version of the call log the path names; 0 is the legacy route."""
    text = context.args.get("version")
    if text is None:
        return 0
    if not text.isdigit() or not 1 <= int(text) <= NEWEST_VERSION:
        raise api_error(404, f"There is no version v{text} of calls.")
    return int(text)


def _bounds(context: RequestContext, version: int) -> tuple[tuple[str, str, int], ...]:
    """Read the windows in time; the legacy route has those of creation only."""
    bounds = []
    for name, column, comparison in _TIMES if version else _TIMES[:2]:
        text = context.request.param(name)
        if not text:
            continue
        try:
            bounds.append((column, comparison, parse_time(text)))
        except ValueError as error:
            raise api_error(400, f"{name} is not an RFC 3339 time") from error
    return tuple(bounds)


def _filters(context: RequestContext) -> tuple[str, list[Any]]:
    where, values = "", []
    for name, column in (("caller", "caller"), ("sub_id", "sid")):
        text = context.request.param(name)
        if text:
            where += f" AND {column} = ?"
            values.append("+" + text.strip() if column == "caller" and text[0] == " " else text)
    for name, (table, id_column, column) in _CUSTOMER.items():
        text = context.request.param(name)
        if not text:
            continue
        sql = f"SELECT id FROM {table} WHERE company_id = ? AND {id_column} = ?"
        ids = [row["id"] for row in context.store.rows(sql, (context.company_id, text))]
        where += f" AND {column} = ?" if len(ids) == 1 else f" AND {column} IN ({','.join('?' * len(ids))})"
        values += ids
    return where, values


def _order(context: RequestContext) -> tuple[str, bool]:
    """Choose the column and whether newest come first; by ``updated_at`` they always do."""
    if context.request.param("sort_by") == "updated_at":
        return "updated_at", True
    return "created_at", context.request.param("order") != "asc"


def _render(context: RequestContext, calls: list[Row], version: int) -> list[dict[str, Any]]:
    names, zone = call_shapes.read_names(context.store, calls), context.zone()
    host = context.request.headers.get("host", "")
    with_flow = version >= 2 and context.request.param("call_flow_events") in ("true", "1")
    rendered = []
    for call in calls:
        fields = call_shapes.render(call, version, names, zone, recordings.url_of(call, host))
        if with_flow:
            fields["call_flow_events"] = call_shapes.flow_events(call, zone)
        rendered.append({"call": fields})
    return rendered


def list_calls(context: RequestContext) -> Reply:
    """Answer a page of calls. Retreaver's reference: "Get recent Calls".

    :param context: The request and the sandbox's state.
    :return: Calls in their envelopes, with the ``Link`` header.
    """
    version = _version(context)
    where, values = _filters(context) if version else ("", [])
    where, values = f"company_id = ?{where}", [context.company_id, *values]
    query = CallQuery(where, tuple(values), _bounds(context, version), *_order(context))
    at = requested_page(context.request, accepts_per_page=version > 0)
    total, calls = context.state.call_pages.page(query, at)
    return Reply(_render(context, calls, version), headers=link_headers(context.request, at, total))


def get_call(context: RequestContext) -> Reply:
    """Answer one call. Retreaver's reference: "Get a specific Call".

    :param context: The request and the sandbox's state.
    :return: The call in its envelope.
    :raises ApiError: With status 404, if there is no such call.
    """
    version = _version(context)
    sql = "SELECT * FROM calls WHERE uuid = ? AND company_id = ?"
    call = context.store.row(sql, (context.args["uuid"].lower(), context.company_id))
    if call is None:
        raise api_error(404, "call not found")
    return Reply(_render(context, [call], version)[0])


ROUTES = [
    Route("GET", "calls", list_calls, legacy=True),
    Route("GET", "calls/{uuid}", get_call, legacy=True),
    Route("GET", "api/v{version}/calls", list_calls),
    Route("GET", "api/v{version}/calls/{uuid}", get_call),
]
