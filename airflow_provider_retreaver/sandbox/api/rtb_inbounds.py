"""The log of real-time bidding: one row for each ping, with its filters.

The IDs of filters that the company does not have are dropped, as Retreaver does: a filter of nothing else filters by
nothing. Retreaver's reference: "RtbInbounds".
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import InvalidValue, integer, truth
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Errors, Route
from airflow_provider_retreaver.sandbox.api.paging import Page, link_headers, requested_page
from airflow_provider_retreaver.sandbox.api.ping_log import NO_UUID, settle
from airflow_provider_retreaver.sandbox.http.wire import Reply, validation_error
from airflow_provider_retreaver.sandbox.state.clock import format_seconds, parse_storable_time, to_datetime
from airflow_provider_retreaver.sandbox.state.store import Row

PAGE_SIZE = 100
STATUSES = ("expired", "claimed", "no-target", "rejected")
# Fields of a row, in their order; `pbm_*` follow where payout bid modification is on.
FIELDS = (
    "call_uuid",
    "uuid",
    "postback_key_id",
    "caller_number",
    "affiliate_id",
    "campaign_id",
    "target_id",
    "revenue",
    "payout",
    "status",
    "duplicate_order",
    "duplicate_original_uuid",
    "caller_state",
    "caller_city",
    "caller_zip",
    "caller_country",
    "created_at",
    "confirmed_at",
    "ended_at",
    "time_to_resolve",
    "fired_pixels_count",
    "fired_pixels_error_count",
)
PBM = (
    "pbm_table_version",
    "pbm_rule_id",
    "pbm_bucket",
    "pbm_variant",
    "pbm_original_payout",
    "pbm_percent_of_revenue",
)
TIMES = ("created_at", "confirmed_at", "ended_at")
# Filters by ID: the table that has the objects, and the column of their IDs.
_OWNERS = {
    "campaign_id": ("campaigns", "id"),
    "affiliate_id": ("affiliates", "id"),
    "target_id": ("targets", "id"),
    "postback_key_id": ("rtb_keys", "rowid"),
}
_RELATIVE = re.compile(r"last_([0-9]{1,3})d")
_DAY = 86_400_000
_MONTHS = 2
KNOWN = {
    *_OWNERS,
    *("status", "duplicate", "caller_state", "caller_country", "revenue", "payout"),
    *("created_at", "created_at_start", "created_at_end"),
}


@dataclass(slots=True)
class Selection:
    """Which rows the filters choose.

    :param parts: Conditions in SQL, which all must hold.
    :param values: Values of their placeholders.
    :param errors: What is wrong with the filters, by name.
    """

    parts: list[str]
    values: list[Any]
    errors: Errors = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The condition."""
        return " AND ".join(self.parts)

    def add(self, part: str, *values: Any) -> None:
        """Add a condition.

        :param part: SQL.
        :param values: Values of its placeholders.
        """
        self.parts.append(part)
        self.values += values


def select(context: RequestContext, given: Mapping[str, Sequence[Any]]) -> Selection:
    """Read the filters of the log.

    :param context: The request and the sandbox's state.
    :param given: Values by name of the filter, without brackets.
    :return: Which rows they choose.
    """
    chosen = Selection(["company_id = ?"], [context.company_id])
    for name, values in given.items():
        try:
            if name in _OWNERS:
                _filter_by_id(context, chosen, name, values)
            elif name == "status":
                chosen.add(f"status IN ({_marks(values)})", *map(str, values))
            elif name == "duplicate":
                comparison = "!=" if truth(values[-1]) else "="
                chosen.add(f"duplicate_original_uuid {comparison} ?", NO_UUID)
            elif name in ("caller_state", "caller_country"):
                chosen.add(f"{name} = ?", str(values[-1]))
            elif name in ("revenue", "payout"):
                least, most = map(float, values)
                chosen.add(f"{name} BETWEEN ? AND ?", least, most)
        except (ValueError, TypeError) as error:
            chosen.errors[name] = [str(error) if isinstance(error, InvalidValue) else "is invalid"]
    _add_window(context, chosen, given)
    return chosen


def _filter_by_id(context: RequestContext, chosen: Selection, name: str, values: Sequence[Any]) -> None:
    table, column = _OWNERS[name]
    numbers = [integer(value) for value in values]
    sql = f"SELECT {column} AS id FROM {table} WHERE company_id = ? AND {column} IN ({_marks(numbers)})"
    visible = [row["id"] for row in context.store.rows(sql, (context.company_id, *numbers))]
    if visible:
        chosen.add(f"{name} IN ({_marks(visible)})", *visible)


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))


def _add_window(context: RequestContext, chosen: Selection, given: Mapping[str, Sequence[Any]]) -> None:
    """Add the window: a relative one wins over its explicit bounds."""
    relative = given.get("created_at")
    if relative is not None:
        found = _RELATIVE.fullmatch(str(relative[-1]))
        if found is None:
            chosen.errors["created_at"] = ["is invalid"]
        else:
            chosen.add("created_at >= ?", context.now - int(found[1]) * _DAY)
        return
    times = {}
    for name, comparison in (("created_at_start", ">="), ("created_at_end", "<")):
        if name not in given:
            continue
        try:
            times[name] = parse_storable_time(str(given[name][-1]))
        except ValueError:
            chosen.errors[name] = ["is not a time"]
        else:
            chosen.add(f"created_at {comparison} ?", times[name])
    if len(times) == 2 and _too_long(times["created_at_start"], times["created_at_end"]):
        chosen.errors["created_at_end"] = ["can't be more than 2 months after created_at_start"]


def _too_long(start: int, end: int) -> bool:
    first, last = to_datetime(start), to_datetime(end)
    months = 12 * (last.year - first.year) + last.month - first.month
    return (months, last.day, last.timetz()) > (_MONTHS, first.day, first.timetz())


def render(row: Row) -> dict[str, Any]:
    """Write a row of the log.

    :param row: Row of the table.
    :return: The row as JSON values; times in UTC and whole seconds.
    """
    found = {name: format_seconds(row[name]) if name in TIMES else row[name] for name in FIELDS}
    return found if row["pbm"] is None else {**found, **json.loads(row["pbm"])}


def _list(context: RequestContext) -> Reply:
    """Answer a page of 100 rows, the newest first.

    :param context: The request and the sandbox's state.
    :return: The rows as ``rtb_inbounds``, with the ``Link`` header, and the values of the filters if asked for.
    :raises ApiError: With status 422, if a filter is invalid.
    """
    settle(context)
    given: dict[str, list[str]] = defaultdict(list)
    for name, value in context.request.query:
        if name.removesuffix("[]") in KNOWN:
            given[name.removesuffix("[]")].append(value)
    chosen = select(context, given)
    if chosen.errors:
        raise validation_error(chosen.errors)
    total = context.store.value(f"SELECT count(*) FROM rtb_inbounds WHERE {chosen.where}", chosen.values)
    at = Page(requested_page(context.request, accepts_per_page=False).page, PAGE_SIZE)
    rows = context.store.rows(
        f"SELECT * FROM rtb_inbounds WHERE {chosen.where} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        (*chosen.values, at.size, at.offset),
    )
    body: dict[str, Any] = {"rtb_inbounds": [render(row) for row in rows]}
    if context.request.param("with_filters") == "true":
        body["filters"] = _choices(context)
    return Reply(body, headers=link_headers(context.request, at, total))


def _choices(context: RequestContext) -> dict[str, Any]:
    """Return every value of the filters; the reference does not show their shape."""

    def named(table: str, name: str) -> list[Row]:
        sql = f"SELECT id, {name} AS name FROM {table} WHERE company_id = ? AND deleted = 0 ORDER BY id"
        return context.store.rows(sql, (context.company_id,))

    keys = "SELECT rowid AS id, type AS name FROM rtb_keys WHERE company_id = ? ORDER BY rowid"
    return {
        "campaigns": named("campaigns", "name"),
        "publishers": named("affiliates", "company_name"),
        "targets": named("targets", "name"),
        "keys": context.store.rows(keys, (context.company_id,)),
        "statuses": list(STATUSES),
    }


ROUTES = [Route("GET", f"api/{version}/rtb_inbounds", _list) for version in ("v2", "v3", "v4", "v5")]
