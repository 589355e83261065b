"""Reports: sums of calls by affiliate, target, campaign, number, day, state or tag."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Errors, Route
from airflow_provider_retreaver.sandbox.api.paging import link_headers, requested_page
from airflow_provider_retreaver.sandbox.http.wire import Reply, validation_error
from airflow_provider_retreaver.sandbox.state.clock import parse_storable_time, to_datetime
from airflow_provider_retreaver.sandbox.state.store import Row

_MONTHS = 24
# Days of every time zone begin at a multiple of a quarter of an hour.
_SLOT = 900_000
# SQL of a row's ID and name, and the join for the name.
_FACETS = {
    "publisher": (
        "c.affiliate_id",
        "coalesce(o.company_name, o.afid)",
        "LEFT JOIN affiliates o ON o.id = c.affiliate_id",
    ),
    "buyer": ("c.target_id", "coalesce(o.name, o.tid)", "LEFT JOIN targets o ON o.id = c.target_id"),
    "campaign": ("c.campaign_id", "coalesce(o.name, o.cid)", "LEFT JOIN campaigns o ON o.id = c.campaign_id"),
    "number": ("c.number_id", "c.dialed_number", ""),
    "daily": (f"c.created_at / {_SLOT}", "NULL", ""),
    "state": ("c.caller_state", "c.caller_state", ""),
    "tag_value": ("t.value", "t.value", "JOIN json_each(c.tags) t ON t.key = ?"),
}
# Without a key, a report by tag value is one by the names of tags.
_TAG_NAMES = ("t.key", "t.key", "JOIN json_each(c.tags) t")
_SUMS = {
    "total_calls": "count(*)",
    "in_progress_count": "sum(c.status != 'finished')",
    "repeat_count": "sum(c.repeat)",
    "duplicate_count": "sum(c.duplicate)",
    "unique_calls": "count(*) - sum(c.duplicate)",
    "converted_count": "sum(c.converted)",
    "rescued_count": "sum(c.rescued)",
    "revenue": "sum(c.revenue)",
    "rescued_revenue": "sum(c.rescued * c.revenue)",
    "payout": "sum(c.payout)",
    "cost": "sum(c.cost)",
    "total_duration": "sum(c.total_duration)",
    "connected_duration": "sum(c.dialed_call_duration)",
}
_MONEY = ("revenue", "rescued_revenue", "payout", "cost")
_DURATIONS = ("total_duration", "connected_duration")
_PERCENTAGES = ("repeat_count", "duplicate_count", "converted_count", "rescued_count")


def _span(context: RequestContext, errors: Errors) -> tuple[int, int]:
    """Read the span of time: start before end, less than two years apart."""
    times = []
    for name in ("created_at_start", "created_at_end"):
        try:
            times.append(parse_storable_time(context.request.param(name) or ""))
        except ValueError:
            errors[name] = ["is not a time"]
    if errors:
        return 0, 0
    start, end = times
    if start >= end:
        errors["created_at_start"] = ["must be before created_at_end"]
    elif _two_years_apart(start, end):
        errors["created_at_end"] = ["must be less than 2 years after created_at_start"]
    return start, end


def _two_years_apart(start: int, end: int) -> bool:
    first, last = to_datetime(start), to_datetime(end)
    months = 12 * (last.year - first.year) + last.month - first.month
    day = (first.day, first.timetz())
    return months > _MONTHS or (months == _MONTHS and (last.day, last.timetz()) >= day)


def _sums(context: RequestContext, facet: str, span: tuple[int, int], tag_key: str) -> list[Row]:
    """Return sums of the calls of a span, one row for each ID."""
    identity, name, join = _TAG_NAMES if facet == "tag_value" and not tag_key else _FACETS[facet]
    sums = ", ".join(f"{sql} AS {title}" for title, sql in _SUMS.items())
    keys = (tag_key,) if facet == "tag_value" and tag_key else ()
    return context.store.rows(
        f"SELECT {identity} AS id, {name} AS facet_name, {sums} FROM calls c {join} "
        "WHERE c.company_id = ? AND c.created_at >= ? AND c.created_at < ? GROUP BY 1, 2",
        (*keys, context.company_id, *span),
    )


def _by_day(context: RequestContext, slots: list[Row]) -> list[Row]:
    """Combine quarters of an hour into days of the company."""
    zone = context.zone()
    days: dict[str, Row] = {}
    for slot in slots:
        day = to_datetime(slot["id"] * _SLOT, zone).date().isoformat()
        row = days.setdefault(day, {"id": day, "facet_name": day, **dict.fromkeys(_SUMS, 0)})
        for title in _SUMS:
            row[title] += slot[title] or 0
    return list(days.values())


def _as_json(row: Row, whole: dict[str, float]) -> dict[str, Any]:
    """Return one row as JSON: counts as floats, durations of a call on average, money in currency units.

    :param row: Sums of the row.
    :param whole: Sums of all rows, of which durations are shown as a percentage.
    """
    calls = row["total_calls"]
    sums = {title: float(row[title] or 0) for title in _SUMS}
    money = {title: sums[title] / 100 for title in _MONEY}
    spent = money["payout"] + money["cost"]
    return {
        **sums,
        "id": row["id"],
        "facet_name": row["facet_name"],
        "total_calls": calls,
        **money,
        "profit": round(money["revenue"] - spent, 2),
        "epc": round(money["revenue"] / calls, 2),
        "cpc": round(spent / calls, 2),
        **{title: sums[title] / calls for title in _DURATIONS},
        **{f"{title}_percent": 100 * sums[title] / (whole[title] or 1) for title in _DURATIONS},
        **{f"{title}_percent": 100 * sums[title] / calls for title in _PERCENTAGES},
    }


def get_report(context: RequestContext) -> Reply:
    """Answer a page of a report, with most calls first, or by day. Retreaver's reference: "Reports".

    In the reference, ``count`` and ``count_total`` are 3 with two rows: here they are the calls of the rows.

    :param context: The request and the sandbox's state.
    :return: The rows as ``data``, with ``count`` (calls of the page) and ``count_total`` (calls of all rows).
    :raises ApiError: With status 422, if a parameter is missing or invalid.
    """
    request, errors = context.request, Errors()
    facet, tag_key = request.param("facet") or "", request.param("tag_value_key") or ""
    if request.param("domain") != "calls":
        errors["domain"] = ["is not included in the list"]
    if facet not in _FACETS:
        errors["facet"] = ["is not included in the list"]
    span = _span(context, errors)
    if errors:
        raise validation_error(errors)
    rows = _sums(context, facet, span, tag_key)
    if facet == "daily":
        rows = sorted(_by_day(context, rows), key=lambda row: str(row["id"]))
    else:
        rows = sorted(rows, key=lambda row: (-row["total_calls"], str(row["id"])))
    at_page = requested_page(request, accepts_per_page=True)
    whole = {title: float(sum(row[title] or 0 for row in rows)) for title in ("total_calls", *_DURATIONS)}
    page = [_as_json(row, whole) for row in rows[at_page.offset : at_page.offset + at_page.size]]
    headers = link_headers(request, at_page, len(rows))
    count = sum(row["total_calls"] for row in page)
    return Reply({"count": count, "count_total": int(whole["total_calls"]), "data": page}, headers=headers)


ROUTES = [Route("GET", "api/v1/reports", get_report)]
