"""How many pages of a window are requested before the first response says how many there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.domain.calls.export import CallExport, export_calls
from airflow_provider_retreaver.domain.calls.first_pages import LONG, SHORT, Expectation, first_pages, in_proportion
from airflow_provider_retreaver.domain.calls.newest_update import newest_update
from airflow_provider_retreaver.domain.calls.window import CallWindow
from tests.domain.support.call_log import CallLog

START = datetime(2026, 1, 5, tzinfo=UTC)
LENGTHS = [timedelta(minutes=15), SHORT, timedelta(days=1), timedelta(days=7), timedelta(days=89)]


def read(log: CallLog, window: CallWindow, expected: Expectation | None = None, **extra: Any) -> CallExport:
    """Export a window by a connection that allows 8 requests at once, and return the export."""
    with log.client(per_page=10, **{"max_concurrency": 8, **extra}) as client:
        export = export_calls(client, window, raw=True, expected=expected)
        rows = sum(len(page.rows) for page in export)
    assert export.completeness.proved
    assert export.completeness.rows == rows
    return export


@pytest.mark.parametrize(
    ("length", "expected", "filtered", "pages"),
    [
        (timedelta(minutes=59), None, False, 1),
        (SHORT, None, False, 2),
        (LONG - timedelta(seconds=1), None, False, 2),
        (LONG, None, False, 4),
        (SHORT, None, True, 1),
        (LONG, None, True, 4),
        (SHORT, 0, False, 1),
        (SHORT, 100, False, 1),
        (SHORT, 101, False, 2),
        (timedelta(minutes=5), 430, True, 5),
        (LONG, 100, False, 1),
        (SHORT, 800, False, 8),
        (SHORT, 801, False, 4),
        (SHORT, 10_000, False, 4),
    ],
)
def test_what_is_known_decides(length, expected, filtered, pages):
    """A count decides before the length of the window does."""
    assert first_pages(length, expected, 100, 8, filtered=filtered) == pages
    assert first_pages(length, expected, 100, 1, filtered=filtered) == 1


def test_calls_in_proportion_to_the_length():
    """As many calls an hour as before are expected."""
    assert in_proportion(240, timedelta(days=1), timedelta(hours=1)) == 10
    assert in_proportion(241, timedelta(days=1), timedelta(hours=1)) == 11
    assert in_proportion(0, timedelta(days=1), timedelta(days=9)) == 0
    assert in_proportion(7, timedelta(0), timedelta(days=9)) == 7


@pytest.mark.parametrize("count", [0, 1, 10])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("by", ["created_at", "updated_at"])
def test_a_page_or_less_takes_two_requests_at_most(count, length, by):
    """An export of a window that turns out to hold a page or less takes at most two requests."""
    log = CallLog(now="2026-06-01T00:00:00Z")
    if count:
        times = {"created_at": "2026-01-05T00:10:00Z", "updated_at": "2026-01-05T00:10:00Z"}
        log.add(count, **times)
    assert read(log, CallWindow(START, START + length, by=by)).completeness.rows == count
    assert len(log.asked) <= 2


@pytest.mark.parametrize("count", [0, 9])
def test_filters_leave_few_calls(count):
    """With filters too: the newest change is looked at once when one response has all calls."""
    log = CallLog()
    if count:
        log.add(count, caller="+14155550000")
    log.add(30, caller="+14155550001")
    window = CallWindow(START, START + timedelta(days=1), filters={"caller": "+14155550000"})
    assert read(log, window).completeness.rows == count
    assert len(log.asked) == 2


@pytest.mark.parametrize("count", [0, 9])
@pytest.mark.parametrize("total", [None, "header"])
def test_a_window_that_has_just_ended_is_counted(count, total):
    """The request that finds out the time at Retreaver shows how many calls there are: two requests in all."""
    now = datetime.now(UTC)
    log = CallLog(now=now.isoformat())
    log.control("clock", {"hold": True})
    if count:
        log.add(count, created_at=(now - timedelta(minutes=30)).isoformat())
    if total:
        log.instead = lambda _, __, answer: Response(
            answer.status, {**answer.headers, "total": str(count)}, answer.body
        )

    async def sleep(seconds: float) -> None:
        log.control("clock", {"advance": seconds})

    log.sleep = sleep
    assert read(log, CallWindow(now - timedelta(days=1), now)).completeness.rows == count
    assert [query["per_page"] for query in log.asked] == ["1", "10"]


def test_a_count_opens_all_places():
    """Where many calls are expected, as many pages are requested at once as the connection allows."""
    log = CallLog()
    log.add(95)
    log.together = 8
    asked: list[timedelta] = []

    def expected(length: timedelta) -> int:
        asked.append(length)
        return 80

    read(log, CallWindow(START, START + timedelta(days=1)), expected)
    assert asked == [timedelta(days=1)]
    assert sorted(int(query["page"]) for query in log.asked[:8]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(log.asked) <= 10 + 10


def test_the_first_response_opens_other_places():
    """Without a count other places are used from the first response on; as many pages as places are read again."""
    log = CallLog()
    log.add(200)
    # Until the last page has come, seven are requested: the first one, which is answered by then, and six more.
    log.before[1] = lambda: setattr(log, "together", 7)
    read(log, CallWindow(START, START + timedelta(days=1)))
    assert log.most_at_once >= 6
    assert 20 + 3 <= len(log.asked) <= 20 + 8


def test_wrong_expectations_cost_no_call():
    """Whatever was expected, every call comes, and the window is proved complete."""
    for expected in (0, 5, 1_000_000):
        log = CallLog()
        log.add(35)
        export = read(log, CallWindow(START, START + timedelta(days=1)), lambda _, calls=expected: calls)
        assert export.completeness.rows == 35


@pytest.mark.parametrize("request_number", range(2, 13))
def test_a_call_that_leaves_a_short_window_costs_no_other(request_number):
    """Of a window whose first page is requested alone too, no call is lost when another one leaves it meanwhile."""
    log = CallLog()
    there = log.add(95, updated_at="2026-01-07T00:10:00Z")
    log.before[request_number] = lambda: log.update(there[5], revenue=3)
    window = CallWindow(datetime(2026, 1, 7, tzinfo=UTC), datetime(2026, 1, 7, 0, 30, tzinfo=UTC), by="updated_at")
    found: set[str] = set()
    with log.client(per_page=10, max_concurrency=8) as client:
        export = export_calls(client, window)
        for page in export:
            found = set() if page.restart else found
            found |= {row["uuid"] for row in page.rows}
    assert set(there) - {there[5]} <= found
    assert export.completeness.proved


def test_the_newest_update_brings_a_count():
    """The request for the newest update of a window shows how many calls there are."""
    log = CallLog()
    log.add(35, updated_at="2026-01-07T00:00:00Z")
    window = CallWindow(START, None, by="updated_at")
    with log.client(per_page=10) as client:
        found = client.run(newest_update(client.settings, window))
        assert (found.calls, found.time) == (35, datetime(2026, 1, 7, tzinfo=UTC))
        later = CallWindow(datetime(2026, 1, 8, tzinfo=UTC), None, by="updated_at")
        assert client.run(newest_update(client.settings, later)) is None
    assert len(log.asked) == 2
