"""Reports: totals of calls by one facet, cached by Retreaver (Retreaver's reference: "Reports")."""

from __future__ import annotations

from typing import Literal, get_args

from airflow_provider_retreaver.core import parameters, time_parameters
from airflow_provider_retreaver.core.envelopes import json_body, protocol_error
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import Listing, Row
from airflow_provider_retreaver.resources.calls import Timestamp

Facet = Literal["publisher", "buyer", "campaign", "number", "daily", "tag_value", "state"]
FACETS: tuple[Facet, ...] = get_args(Facet)
# "Less than 2 years apart".
LESS_THAN_YEARS = 2


def report_calls(
    facet: Facet, *, created_at_start: Timestamp, created_at_end: Timestamp, tag_value_key: str | None = None
) -> Listing:
    """Report totals of calls by a facet.

    A row has `id`, `facet_name`, `total_calls`, `in_progress_count`, `repeat_count`, `duplicate_count`,
    `unique_calls`, `converted_count`, `rescued_count`, `revenue`, `rescued_revenue`, `payout`, `cost`, `profit`,
    `total_duration` and `connected_duration` (of a call on average), `epc`, `cpc`, and `repeat_count_percent`,
    `duplicate_count_percent`, `converted_count_percent`, `rescued_count_percent`, `total_duration_percent` and
    `connected_duration_percent`. Reports are cached, so they do not suit polling, and a tag that Retreaver does not
    index gives no rows. Retreaver's reference: "Reports".

    :param facet: publisher, buyer, campaign, number, daily, tag_value or state.
    :param created_at_start: calls created after; RFC 3339 with an offset, or an aware datetime.
    :param created_at_end: calls created before; less than 2 years later.
    :param tag_value_key: with the facet tag_value only: the tag whose values are reported; without it, the rows are
        the tags by name.
    :return: a listing of rows, one for each publisher, buyer, day …
    :raises InvalidArgument: when a parameter is wrong or missing, or the span is 2 years or longer.
    """
    parameters.one_of(facet, FACETS, "facet")
    names = ("created_at_start", "created_at_end")
    start, end = time_parameters.time_span(created_at_start, created_at_end, names, LESS_THAN_YEARS)
    if start is None or end is None:
        raise InvalidArgument("created_at_start and created_at_end are both required for a report.")
    if tag_value_key is not None and (facet != "tag_value" or not tag_value_key.strip()):
        raise InvalidArgument("tag_value_key names a tag, and goes with the facet tag_value only; or leave it out.")
    query = [("domain", "calls"), ("facet", facet), ("created_at_start", start), ("created_at_end", end)]
    if tag_value_key:
        query.append(("tag_value_key", tag_value_key))
    request = Request("GET", "/api/v1/reports.json", tuple(query))
    return Listing(request, "report row", key=("id", "facet_name"), page_size=None, read=_read_rows)


def _read_rows(request: Request, response: Response, envelope: str) -> tuple[list[Row], int | None]:
    body = json_body(request, response)
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise protocol_error(request, response, f"holds no 'data' with {envelope}s")
    # `count` and `count_total` are no numbers of rows: the reference shows both as 3 beside two rows.
    return rows, None


# Documented fields of a row: counts come as floats, durations are of a call on average.
COLUMNS: dict[str, type[str | int | float]] = {
    "id": str,
    "facet_name": str,
    **dict.fromkeys(
        (
            "total_calls", "in_progress_count", "repeat_count", "duplicate_count", "unique_calls", "converted_count",
            "rescued_count",
        ),
        int,
    ),
    **dict.fromkeys(
        (
            "revenue", "rescued_revenue", "payout", "cost", "profit", "total_duration", "connected_duration", "epc",
            "cpc", "repeat_count_percent", "duplicate_count_percent", "converted_count_percent",
            "rescued_count_percent", "total_duration_percent", "connected_duration_percent",
        ),
        float,
    ),
}  # fmt: skip
