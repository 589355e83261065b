"""Calls that were not asked for end an export, a list and a count; so does a list that is shorter than it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_retreaver.core.errors import ListingIncomplete, ProtocolError
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.core.operations import Count, Each, Listing
from airflow_provider_retreaver.domain.calls.export import Completeness, export_calls
from airflow_provider_retreaver.domain.calls.window import CallWindow
from airflow_provider_retreaver.resources.calls import list_calls
from tests.domain.support.call_log import CallLog

START, END = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
WINDOW = CallWindow(START, END)
BY_UPDATE = CallWindow(START, END, by="updated_at")


def export(log: CallLog, window: CallWindow = WINDOW, **extra: Any) -> tuple[list[Any], Completeness]:
    """Export a window; return the calls after the last restart, and whether they are complete."""
    rows: list[Any] = []
    with log.client(**extra) as client:
        found = export_calls(client, window, raw=True)
        for page in found:
            rows = [*([] if page.restart else rows), *page.rows]
    return rows, found.completeness


def run(log: CallLog, step: Listing | Count | Each) -> Any:
    """Let a client do one step."""

    def procedure():
        return (yield step)

    with log.client() as client:
        return client.run(procedure())


def ignoring(log: CallLog, *names: str) -> None:
    """Let the server, or a proxy before it, ignore parameters."""

    def instead(_: int, query: dict[str, str], __: Response) -> Response:
        kept = [(name, value) for name, value in query.items() if name not in names]
        answer = log.sandbox.handle("GET", "/api/v2/calls.json", kept, {}, b"")
        return Response(answer.status, {name.lower(): value for name, value in answer.headers}, answer.body)

    log.instead = instead


def answering(log: CallLog, *calls: dict[str, Any], **headers: str) -> None:
    """Let the server answer every request for a first page with the same calls."""
    body = json.dumps([{"call": call} for call in calls]).encode()
    log.instead = lambda _, query, __: Response(200, headers, body if query["page"] == "1" else b"[]")


@pytest.mark.parametrize("number", [1, 30, 300])
@pytest.mark.parametrize("ignored", ["created_at_start", "created_at_end"])
def test_a_window_that_is_ignored_is_no_complete_export(ignored, number):
    """Calls from before or after the window end the export, with the call and the window in the error."""
    log = CallLog()
    log.add(number)
    log.add(1, created_at="2010-01-01T00:00:00Z" if ignored == "created_at_start" else "2026-01-09T00:00:00Z")
    ignoring(log, ignored)
    with pytest.raises(ProtocolError, match=r"has the created_at '20.*, outside 2026-01-05T00:00:00Z to"):
        export(log, per_page=100)
    ignoring(log)
    assert export(log, per_page=100)[1].proved


@pytest.mark.parametrize("ignored", ["updated_at_start", "updated_at_end"])
def test_a_window_by_update_that_is_ignored(ignored):
    """The same is true for windows by update."""
    log = CallLog()
    log.add(3, updated_at="2026-01-05T12:00:00Z")
    log.add(1, updated_at="2026-01-04T12:00:00Z" if ignored == "updated_at_start" else "2026-01-09T00:00:00Z")
    ignoring(log, ignored)
    with pytest.raises(ProtocolError, match="has the updated_at '2026-01-0"):
        export(log, BY_UPDATE)


def test_lists_and_counts_are_checked_as_well():
    """Whatever lists calls, an operator, a sensor or a hook, gets an error for a call that was not asked for."""
    log = CallLog()
    log.add(5)
    listing = list_calls(created_at_start="2026-01-05T06:00:00Z", created_at_end=END)
    ignoring(log, "created_at_start")
    for step in (listing, Count(listing), Each(listing, lambda _: None)):
        with pytest.raises(ProtocolError, match="outside 2026-01-05T06:00:00Z to"):
            run(log, step)
    ignoring(log)
    assert run(log, Count(listing)) == 3


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("2026-01-04T23:59:59.001Z", True),  # rounded
        ("2026-01-06T00:00:00Z", True),  # whether the end counts is not documented
        ("2026-01-05T19:00:00.900-05:00", True),
        ("2026-01-04T23:59:58Z", False),
        ("2026-01-06T00:00:02Z", False),
        ("2026-01-05T19:00:02-05:00", False),
        ("9999-12-31T23:59:59-05:00", True),  # not a time, which is told elsewhere
        ("2026-01-07", True),
    ],
)
def test_times_are_rounded(text, inside):
    """A second more on both sides is Retreaver's rounding; what is no time cannot be compared."""
    log = CallLog()
    answering(log, {"uuid": "call-a", "created_at": text}, {"uuid": "call-b", "created_at": "2026-01-05T00:00:00Z"})
    listing = list_calls(created_at_start=START, created_at_end=END)
    if inside:
        assert run(log, Count(listing)) == 2
    else:
        with pytest.raises(ProtocolError, match="contains call 'call-a'"):
            run(log, Count(listing))


def test_a_date_is_one_of_any_time_zone():
    """A window of dates, which Retreaver reads in the company's time zone, does not refuse the zone's calls."""
    log = CallLog()
    listing = list_calls(created_at_start="2026-01-05", created_at_end="2026-01-06")
    answering(log, {"uuid": "call-a", "created_at": "2026-01-06T07:59:00Z"})
    assert run(log, Count(listing)) == 1
    answering(log, {"uuid": "call-a", "created_at": "2026-01-08T00:00:00Z"})
    with pytest.raises(ProtocolError, match="outside 2026-01-05 to 2026-01-06"):
        run(log, Count(listing))


@pytest.mark.parametrize(
    ("filters", "shown", "matches"),
    [
        ({"caller": "+14155550123"}, {"caller": "+14155550123"}, True),
        ({"caller": "4155550123"}, {"caller": "+14155550123"}, True),
        ({"caller": "+14155550123"}, {"caller": "+14155550124"}, False),
        ({"caller": "anonymous"}, {"caller": "Anonymous"}, True),
        ({"caller": "+14155550123"}, {"caller": None}, True),
        ({"sub_id": "Summer"}, {"sid": "summer"}, True),
        ({"sub_id": "summer"}, {"sid": "winter"}, False),
        ({"sub_id": "summer"}, {}, True),
        ({"client_tid": "0003"}, {"tid": "0003"}, True),
        ({"client_tid": "0003"}, {"tid": "3"}, False),
        ({"client_tid": "3"}, {"tid": 3}, True),
        ({"client_cid": "0003"}, {"cid": "0003"}, True),
        ({"client_cid": "0003"}, {"cid": "5d41402abc4b2a76b9719d911017c592"}, True),  # may be a hash
        ({"client_afid": "0003"}, {"afid": ["0003"]}, True),
    ],
)
def test_filters_that_a_call_shows(filters, shown, matches):
    """A call that shows another value than the filter's is refused in exports and lists; one without is not."""
    log = CallLog()
    answering(log, {"uuid": "call-a", "created_at": "2026-01-05T01:00:00Z", "updated_at": "x", **shown})
    listing = list_calls(created_at_start=START, created_at_end=END, **filters)
    window = CallWindow(START, END, filters=filters)
    if matches:
        assert len(export(log, window)[0]) == run(log, Count(listing)) == 1
        return
    (name,) = filters
    for attempt in (lambda: export(log, window), lambda: run(log, Count(listing))):
        with pytest.raises(ProtocolError, match=f"contains call 'call-a', which does not match the filter {name}"):
            attempt()


@pytest.mark.parametrize("name", ["client_cid", "client_afid"])
def test_hashed_ids_must_be_one(name):
    """The calls of one campaign or affiliate show one ID, hashed or not; version 1 shows it as it is."""
    log = CallLog()
    field = name.removeprefix("client_")
    common = {"created_at": "2026-01-05T01:00:00Z"}
    calls = [{"uuid": f"call-{place}", field: "a-hash", **common} for place in range(3)]
    answering(log, *calls)
    window = CallWindow(START, END, filters={name: "0003"})
    assert len(export(log, window)[0]) == 3
    with pytest.raises(ProtocolError, match=f"does not match the filter {name}"):
        export(log, CallWindow(START, END, filters={name: "0003"}, version="v1"))
    for other in ("another", "0003"):
        answering(log, *calls, {"uuid": "call-3", field: other, **common})
        with pytest.raises(ProtocolError, match=f"does not match the filter {name}"):
            export(log, window)


def hundred(**headers: str) -> CallLog:
    """Return a log that answers every request within the window with the same hundred calls."""
    log = CallLog()
    times = [f"2026-01-05T{place // 60:02}:{place % 60:02}:00Z" for place in range(100)]
    calls = [{"call": {"uuid": f"call-{at}", "created_at": at, "updated_at": at}} for at in times]

    def instead(_: int, query: dict[str, str], __: Response) -> Response:
        first, last = query["created_at_start"], query["created_at_end"]
        rows = [call for call in calls if first <= call["call"]["created_at"] < last]
        return Response(200, headers, json.dumps(rows).encode())

    log.instead = instead
    return log


def test_a_total_that_is_not_reached_is_no_complete_list():
    """`Total: 250` with a hundred calls, and a server that ignores `page`: neither an export nor a list is whole."""
    log = hundred(total="250")
    with pytest.raises(ListingIncomplete, match="100 calls were read and Retreaver counts 250"):
        export(log, per_page=100)
    listing = list_calls(created_at_start=START, created_at_end=END)
    with pytest.raises(ListingIncomplete, match="ended after 100 of the 250 rows"):
        run(log, listing)
    for total in ("100", "not a number"):
        assert len(run(hundred(total=total), listing)) == 100
    rows, known = export(hundred(total="100"), per_page=100)
    assert (len(rows), known.proved, known.counted) == (100, True, 100)


def test_a_page_that_is_ignored_and_cannot_be_counted():
    """Full pages without a Link that repeat, and no `Total`: how many calls there are is not known, and told so."""
    with pytest.raises(ListingIncomplete, match="ignores page"):
        export(hundred(), per_page=100)


def test_a_total_that_pages_reach():
    """A server without `Link`, but with `Total`, is read to its end and counted by it."""
    log = CallLog()
    there = log.add(250)

    def instead(_: int, query: dict[str, str], answer: Response) -> Response:
        return Response(200, {"total": "250"}, answer.body)

    log.instead = instead
    rows, known = export(log, per_page=100)
    assert [json.loads(bytes(row))["uuid"] for row in rows] == there
    assert (known.proved, known.counted, known.readings) == (True, 250, 1)


def test_an_id_that_is_a_list():
    """A row whose ID cannot be one is an error with its page, in every list."""
    log = CallLog()
    answering(log, {"uuid": ["call-a"], "created_at": "2026-01-05T01:00:00Z"})
    with pytest.raises(ProtocolError, match=r"Page 1 of GET /api/v2/calls\.json has a row whose uuid"):
        run(log, list_calls(created_at_start=START, created_at_end=END))
