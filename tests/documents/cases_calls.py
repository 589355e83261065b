"""Documented requests for calls and reports."""

from __future__ import annotations

from airflow_provider_retreaver.resources import calls, reports
from tests.documents.account import CALL
from tests.documents.case import CURRENT, DAY, IN_QUERY, LEGACY, Case

CALLS = [
    Case("Get recent Calls", "GET /calls.json", calls.list_calls, editions=LEGACY),
    *(
        Case(
            f"Get recent Calls {version}",
            f"GET /api/{version}/calls.json",
            calls.list_calls,
            editions=CURRENT,
            version=version,
        )
        for version in ("v1", "v2", "v3", "v4", "v5")
    ),
    Case(
        "Enumerate through all calls",
        "GET /calls.json?sort_by=created_at&order=asc&page=1",
        lambda: calls.list_calls(sort_by="created_at", order="asc"),
        editions=LEGACY,
    ),
    Case(
        "Enumerate through Calls in a specific date/time range",
        f"GET /calls.json?{IN_QUERY}&page=1",
        lambda: calls.list_calls(**DAY),
        editions=LEGACY,
    ),
    Case(
        "Calls that were updated",
        "GET /api/v2/calls.json?updated_at_start=2016-01-01T00:00:00%2B00:00&sort_by=updated_at&per_page=100",
        lambda: calls.list_calls(updated_at_start="2016-01-01T00:00:00+00:00", sort_by="updated_at"),
        editions=CURRENT,
    ),
    Case(
        "Calls of one campaign with their flow",
        "GET /api/v2/calls.json?client_cid=0003&client_afid=0001&call_flow_events=true",
        lambda: calls.list_calls(client_cid="0003", client_afid="0001", call_flow_events=True),
        editions=CURRENT,
    ),
    Case(
        "Get a specific Call",
        f"GET /calls/{CALL}.json",
        lambda: calls.get_call(CALL),
        editions=LEGACY,
    ),
    *(
        Case(
            f"Get a specific Call {version}",
            f"GET /api/{version}/calls/{CALL}.json",
            lambda: calls.get_call(CALL),
            editions=CURRENT,
            version=version,
        )
        for version in ("v1", "v2", "v3", "v4", "v5")
    ),
]
REPORTS = [
    Case(
        f"Reports by {facet}{extra}",
        f"GET /api/v1/reports.json?domain=calls&facet={facet}&{IN_QUERY}{extra}",
        lambda facet=facet, key=key: reports.report_calls(facet, **DAY, tag_value_key=key),
        editions=CURRENT,
    )
    for facet in reports.FACETS
    for extra, key in [("", None), *([("&tag_value_key=geo", "geo")] if facet == "tag_value" else [])]
]
