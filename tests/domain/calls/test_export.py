"""An export of calls is complete, whatever moves while it is read, or it says that it is not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument, ListingIncomplete, ProtocolError, Unavailable
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.domain.calls.export import CallExport, export_calls
from airflow_provider_retreaver.domain.calls.export_progress import ExportProgress
from airflow_provider_retreaver.domain.calls.window import CallWindow
from tests.domain.support.call_log import CallLog

START, END = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
WINDOW = CallWindow(START, END)


def read(log: CallLog, window: CallWindow = WINDOW, *, raw: bool = False, **extra: Any) -> tuple[CallExport, list]:
    """Export a window; return the export and the rows after the last restart."""
    rows: list[Any] = []
    with log.client(**extra) as client:
        export = export_calls(client, window, raw=raw)
        for page in export:
            if page.restart:
                rows.clear()
            assert len(page.rows) == len(page.keys)
            rows += page.rows
    return export, rows


def uuids(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return the identities of rows."""
    return [row["uuid"] for row in rows]


def pages_asked(log: CallLog) -> list[int]:
    """Return the numbers of the pages that were asked for, in order."""
    return [int(query["page"]) for query in log.asked]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 21, 80, 81, 95])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_still_window_is_proved_complete(count, concurrency):
    """Every call comes once, oldest first, and as many as Retreaver counts; outside the window nothing."""
    log = CallLog()
    inside = log.add(count) if count else []
    log.add(3, created_at="2026-01-04T23:59:59Z")
    log.add(3, created_at="2026-01-06T00:00:00Z")
    export, rows = read(log, per_page=10, max_concurrency=concurrency)
    assert uuids(rows) == inside
    done = export.completeness
    assert (done.proved, done.rows, done.counted, done.readings, done.reason) == (True, count, count, 1, "")


def test_few_requests_are_spent_on_the_proof():
    """Read again are the last page, those requested before it came, and no other; one page costs nothing more."""
    log = CallLog()
    log.add(400)
    read(log, per_page=10, max_concurrency=4)
    asked = pages_asked(log)
    again = sorted(page for page in set(asked) if asked.count(page) == 2)
    assert len(asked) == 40 + len(again)
    assert {1, 2, 40} <= set(again)
    assert len(again) <= 4
    log = CallLog()
    log.add(5, created_at="2026-01-05T00:10:00Z")
    read(log, CallWindow(START, START + timedelta(minutes=30)), per_page=10)
    assert pages_asked(log) == [1]


def test_few_pages_are_read_again_without_a_link():
    """Of pages that are requested one after the other, no more are kept and read again than of others."""
    log = CallLog()
    inside = log.add(305)
    log.instead = lambda _number, _query, answer: replace(
        answer, headers={name: text for name, text in answer.headers.items() if name != "link"}
    )
    export, rows = read(log, per_page=10, max_concurrency=4)
    asked = pages_asked(log)
    assert uuids(rows) == inside
    assert export.completeness.proved
    assert {1, 2, 31} <= {page for page in asked if asked.count(page) > 1}
    assert len(asked) <= 31 + 4 + 1


def test_pages_are_asked_for_together():
    """The first pages of a very long window are requested before the first response says how many there are."""
    log = CallLog(now="2026-06-01T00:00:00Z")
    log.add(30)
    log.together = 4
    _, rows = read(log, CallWindow(START, START + timedelta(days=90)), per_page=10, max_concurrency=8)
    assert sorted(pages_asked(log)[:4]) == [1, 2, 3, 4]
    assert len(rows) == 30
    assert log.most_at_once == 4


def late_call(log: CallLog) -> object:
    """Return a change: a call comes late, into the middle of the window."""
    return lambda: log.add(created_at="2026-01-05T03:00:00Z", uuid="00000000-0000-4000-8000-00000000000a")


@pytest.mark.parametrize("request_number", range(2, 13))
@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_call_that_comes_late_costs_no_other(request_number, concurrency):
    """Whenever a call slips into the middle of a settled window, all others still come exactly once."""
    log = CallLog()
    there = log.add(95)
    log.before[request_number] = late_call(log)
    export, rows = read(log, per_page=10, max_concurrency=concurrency)
    assert len(set(uuids(rows))) == len(rows)
    assert set(there) <= set(uuids(rows))
    assert export.completeness.proved
    assert len(rows) >= export.completeness.counted


@pytest.mark.parametrize("request_number", range(2, 13))
@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_call_that_leaves_costs_no_other(request_number, concurrency):
    """A call that is updated while a window by update is read leaves it, and moves the others: none is lost."""
    log = CallLog()
    there = log.add(95, updated_at="2026-01-07T00:00:00Z")
    leaving = there[25]
    log.before[request_number] = lambda: log.update(leaving, revenue=3)
    window = CallWindow(START, datetime(2026, 1, 8, tzinfo=UTC), by="updated_at")
    export, rows = read(log, window, per_page=10, max_concurrency=concurrency)
    assert len(set(uuids(rows))) == len(rows)
    assert set(there) - {leaving} <= set(uuids(rows))
    assert export.completeness.proved


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.integers(1, 40), st.sampled_from(["leave", "come"]), max_size=12),
    st.integers(1, 4),
    st.integers(0, 60),
    st.integers(0, 2**32),
)
def test_whatever_moves_nothing_is_lost(changes, concurrency, count, seed):
    """Calls come into a window by update filter and leave it at any time; those that stay come exactly once."""
    log = CallLog()
    there = log.add(count, updated_at="2026-01-07T00:00:00Z", caller="+14155550000") if count else []
    moved: set[str] = set()

    def leave(place: int) -> None:
        if there:
            moved.add(there[(seed + place * 7919) % len(there)])
            log.update(there[(seed + place * 7919) % len(there)], caller="+14155559999")

    def come(place: int) -> None:
        log.add(created_at=f"2026-01-05T{(seed + place) % 24:02}:30:00Z", caller="+14155550000")

    for number, kind in changes.items():
        action = leave if kind == "leave" else come
        log.before[number] = lambda action=action, number=number: action(number)
    window = CallWindow(START, END, filters={"caller": "+14155550000"})
    try:
        export, rows = read(log, window, per_page=5, max_concurrency=concurrency)
    except ListingIncomplete:
        return  # it says so; only silence would be wrong
    assert len(set(uuids(rows))) == len(rows)
    assert set(there) - moved <= set(uuids(rows))
    assert export.completeness.rows == len(rows)


def test_a_call_seen_twice_keeps_its_newest_version():
    """A call that is updated and read again is delivered as it was read last."""
    log = CallLog()
    there = log.add(40)

    def change() -> None:
        log.update(there[5], revenue=77)
        log.add(created_at="2026-01-05T00:00:30Z")

    log.before[6] = change
    _, rows = read(log, per_page=10, max_concurrency=1)
    assert next(row for row in rows if row["uuid"] == there[5])["revenue"] == 77


def emptied(number: int, times: int) -> Any:
    """Return what makes a page empty so many times."""
    left = [times]

    def instead(_: int, query: dict[str, str], answer: Response) -> Response:
        if query["page"] == str(number) and left[0]:
            left[0] -= 1
            return Response(200, answer.headers, b"[]")
        return answer

    return instead


def test_a_page_that_is_empty_once_is_read_again():
    """A page in the middle that comes empty is noticed, and its calls are delivered all the same."""
    log = CallLog()
    there = log.add(50)
    log.instead = emptied(3, 1)
    export, rows = read(log, per_page=10)
    assert uuids(rows) == there
    assert "page 3 of 5 has 0 calls" in export.completeness.reason
    assert export.completeness.readings == 2


def test_a_count_that_never_agrees_is_an_error():
    """When the count never agrees with what can be read, the export fails and says how many are missing."""
    log = CallLog()
    log.add(50)

    def instead(_: int, query: dict[str, str], answer: Response) -> Response:
        calls = json.loads(answer.body)
        if len(calls) > 1 and query.get("created_at_start", "") > "2026-01-05T06":
            calls = calls[:-1]
        elif query["page"] == "3":
            calls = []
        return Response(200, answer.headers, json.dumps(calls).encode())

    log.instead = instead
    with pytest.raises(ListingIncomplete, match="calls were read and Retreaver counts 50, after 4 readings"):
        read(log, per_page=10)


def test_last_may_change_while_it_is_read():
    """A window without an end whose last page grows is read to its new end, and is not reported as complete."""
    log = CallLog(now="2026-01-05T12:00:00Z")
    there = log.add(40, created_at_end="2026-01-05T11:00:00Z")
    log.before[3] = lambda: log.add(25, created_at="2026-01-05T11:30:00Z")
    export, rows = read(log, CallWindow(START), per_page=10, max_concurrency=1)
    assert uuids(rows)[:40] == there
    assert len(rows) == 65
    assert not export.completeness.proved
    assert "not settled" in export.completeness.reason


def test_many_calls_of_one_moment_that_move_end_in_an_error():
    """More calls of one time than a page has cannot be separated when the list changes: an error, no silent loss."""
    log = CallLog()
    log.add(30, created_at="2026-01-05T01:00:00Z")
    log.before[3] = lambda: log.add(created_at="2026-01-05T00:30:00Z")
    with pytest.raises(ListingIncomplete, match="at about the same time"):
        read(log, per_page=10, max_concurrency=1)


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v4", "v5"])
def test_every_version_and_the_legacy_log(version):
    """Calls of all versions are exported, and those of the legacy routes, by pages of 25."""
    log = CallLog()
    there = log.add(60)
    _, rows = read(log, CallWindow(START, END, version=version), per_page=10)
    assert uuids(rows) == there
    export, rows = read(log, api_routes="legacy")
    assert uuids(rows) == there
    assert export.completeness.proved


def test_filters_are_sent():
    """Only the calls that Retreaver's filter matches come, and they are proved complete."""
    log = CallLog()
    log.add(20)
    wanted = log.add(12, caller="+14155550123")
    export, rows = read(log, CallWindow(START, END, filters={"caller": "+14155550123"}), per_page=5)
    assert uuids(rows) == wanted
    assert export.completeness.counted == 12


def test_raw_rows_are_the_bytes_of_the_response():
    """Raw rows are the JSON of the response, without envelope and without line breaks."""
    log = CallLog()
    log.add(12)
    _, rows = read(log, per_page=5)
    _, raws = read(log, raw=True, per_page=5)
    assert [json.loads(bytes(raw)) for raw in raws] == rows

    def pretty(_: int, __: dict[str, str], answer: Response) -> Response:
        bare = [call["call"] for call in json.loads(answer.body)]
        return Response(200, answer.headers, json.dumps(bare, indent=2).encode())

    log.instead = pretty
    _, raws = read(log, raw=True, per_page=5)
    assert [json.loads(bytes(raw)) for raw in raws] == rows
    assert not any(b"\n" in bytes(raw) for raw in raws)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>login</html>", "not a JSON array of calls"),
        (b'{"errors": []}', "not a JSON array of calls"),
        (b'[{"call": {"id": 3}}]', "without a 'uuid'"),
        (b'[{"call": "no"}]', "without a 'uuid'"),
        (b'[{"call": {"uuid": "a"}', "not a JSON array of calls"),
        (b"", "not a JSON array of calls"),
    ],
)
def test_a_body_that_is_not_a_page_of_calls_is_refused(body, message):
    """HTML, truncated JSON and other shapes end in an error that names the request."""
    log = CallLog()
    log.instead = lambda _, __, answer: Response(200, {"content-type": "text/html"}, body)
    with pytest.raises(ProtocolError, match=message) as caught:
        read(log)
    assert "GET /api/v2/calls.json" in str(caught.value)


def test_a_storm_of_refusals_is_waited_out():
    """Every page that is refused several times still comes once; refusals without end are an error."""
    log = CallLog()
    there = log.add(50)
    tries: dict[str, int] = {}

    def instead(_: int, query: dict[str, str], answer: Response) -> Response:
        tries[query["page"]] = tries.get(query["page"], 0) + 1
        if tries[query["page"]] % 4:
            return Response((429, 503, 500)[tries[query["page"]] % 3], {}, b"")
        return answer

    log.instead = instead
    export, rows = read(log, per_page=10, max_attempts=20)
    assert uuids(rows) == there
    assert export.completeness.proved
    log.instead = lambda _, __, answer: Response(503, {}, b"")
    with pytest.raises(Unavailable):
        read(log, per_page=10)


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (CallWindow(END, START), "end .* must be after start"),
        (CallWindow(START, START), "end .* must be after start"),
        (CallWindow(datetime(2026, 1, 5), END), "start has no time zone"),  # noqa: DTZ001
        (CallWindow(START, datetime(2026, 1, 6)), "end has no time zone"),  # noqa: DTZ001
        (CallWindow("2026-01-05", END), "start must be an aware datetime"),
        (CallWindow(datetime(2096, 1, 5, tzinfo=UTC)), "is in the future"),
        (CallWindow(START, END, by="start_time"), "by must be one of"),
        (CallWindow(START, END, filters={"client_tidd": "x"}), "client_tid"),
        (CallWindow(START, END, version="v9"), "version must be one of"),
        (CallWindow(START, END, filters={"call_flow_events": "yes"}), "call_flow_events"),
    ],
)
def test_a_wrong_window_is_refused(window, message):
    """Nothing is sent, and the error names the parameter."""
    log = CallLog()
    with pytest.raises(InvalidArgument, match=message):
        read(log, window)
    assert log.asked == []


def test_the_legacy_log_knows_no_updates():
    """A window by update under the legacy routes is refused before anything is sent."""
    log = CallLog()
    with pytest.raises(InvalidArgument, match="legacy"):
        read(log, CallWindow(START, END, by="updated_at"), api_routes="legacy")
    assert log.asked == []


def test_a_clock_that_is_ahead_proves_nothing():
    """A window that has ended by this machine's clock, and not by Retreaver's, is not proved."""
    log = CallLog(now="2026-01-05T12:00:00Z")
    there = log.add(30, created_at_end="2026-01-05T11:00:00Z")
    export, rows = read(log, per_page=10)
    assert uuids(rows) == there
    assert not export.completeness.proved
    assert read(log, per_page=10)[0].completeness.proved is False


class LateCall:
    """A window of an hour that has just ended; the sandbox's clock moves on only while a client waits.

    :param seconds_ago: how long ago the window ended.
    """

    def __init__(self, seconds_ago: float) -> None:
        now = datetime.now(UTC)
        self.end = now - timedelta(seconds=seconds_ago)
        self.log = CallLog(now=now.isoformat())
        self.log.control("clock", {"hold": True})
        self.log.add(3, created_at=(self.end - timedelta(minutes=30)).isoformat())
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Move the clock on and list a call that was created before the window's end."""
        self.waits.append(seconds)
        self.log.control("clock", {"advance": seconds})
        self.log.add(created_at=(self.end - timedelta(seconds=10)).isoformat())

    def read(self) -> tuple[CallExport, list]:
        """Export the window."""
        self.log.sleep = self.sleep
        return read(self.log, CallWindow(self.end - timedelta(hours=1), self.end))


@pytest.mark.parametrize("seconds_ago", [0, 1, 59])
def test_a_window_that_has_just_ended_is_read_when_it_is_settled(seconds_ago):
    """A call that is listed some seconds after the window's end is exported, since the export waits."""
    late = LateCall(seconds_ago)
    export, rows = late.read()
    assert late.waits == [pytest.approx(63 - seconds_ago, abs=2)]
    assert len(rows) == 4
    assert export.completeness.proved


def test_a_settled_window_is_read_at_once():
    """A minute after its end a window is read without waiting."""
    late = LateCall(60)
    export, rows = late.read()
    assert late.waits == []
    assert (len(rows), export.completeness.proved) == (3, True)


def test_a_window_that_ends_later_is_not_waited_for():
    """A window that is settled only in some minutes is exported as it is, and reported as not complete."""
    late = LateCall(-120)
    export, rows = late.read()
    assert late.waits == []
    assert (len(rows), export.completeness.proved) == (3, False)
    assert "settled" in export.completeness.reason


def test_the_progress_callback():
    """After every page the callback gets the calls and pages read, and the pages in all."""
    log = CallLog()
    log.add(30)
    updates: list[ExportProgress] = []
    with log.client(per_page=10) as client:
        for _ in export_calls(client, WINDOW, progress=updates.append):
            pass
    assert updates == [ExportProgress(10, 1, 3), ExportProgress(20, 2, 3), ExportProgress(30, 3, 3)]


def test_an_export_that_is_left_early_asks_no_more():
    """When its reader stops, no further page is asked for."""
    log = CallLog()
    log.add(100)
    with log.client(per_page=5, max_concurrency=2) as client:
        pages = iter(export_calls(client, WINDOW))
        next(pages)
        pages.close()
    assert len(log.asked) < 12
