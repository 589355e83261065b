"""The view of calls without a network: hours of days on which clocks change, sums, settled hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import PermissionDenied
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.core.operations import Listing, Outcome, Progress
from airflow_provider_retreaver.page.calls import HOUR, SETTLED, CallsRead, Totals, day_of, hours_of, read_calls

NEW_YORK = ZoneInfo("America/New_York")
ZONES = st.sampled_from(["America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC", "Pacific/Apia"]).map(
    ZoneInfo
)


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)), ZONES)
def test_hours_fill_the_day(day, zone):
    """The hours of a day follow each other, begin at its midnight, and belong to it."""
    hours = hours_of(day, zone)
    assert all(after - before == HOUR for before, after in pairwise(hours))
    assert hours[0].astimezone(zone).date() == day
    assert 23 <= len(hours) <= 25


@pytest.mark.parametrize(("day", "count"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 7, 4), 24)])
def test_days_on_which_clocks_change(day, count):
    """New York's days of 23 and 25 hours."""
    assert len(hours_of(day, NEW_YORK)) == count


def run(procedure, calls_of):
    """Run the procedure; each report of an hour has so many calls. Return its result and the hours asked for."""
    progress, asked = Progress(procedure), []
    while not progress.done:
        step = progress.step
        if isinstance(step, Listing):
            progress.send([{"id": 1, "facet_name": "Acme", "total_calls": 2.0, "revenue": "1.5", "payout": None}])
            continue
        outcomes = []
        for one in step.operations:
            query = dict(one.request.query)
            start = datetime.fromisoformat(query["created_at_start"])
            asked.append(start)
            body = b'{"data": [{"total_calls": %d.0, "revenue": 2}]}' % calls_of(start)
            outcomes.append(Outcome(value=one.read(one.request, Response(200, {}, body))))
        progress.send(outcomes)
    return progress.result, asked


def test_a_poll_asks_for_each_hour_once():
    """The first poll asks for today until now and for four whole days; later ones for what is not settled."""
    now = datetime(2026, 7, 4, 16, 30, tzinfo=UTC)
    first, asked = run(read_calls(now, NEW_YORK, None), lambda _: 1)
    assert len(asked) == len(set(asked)) == 13 + 4 * 24
    assert min(asked).astimezone(NEW_YORK).date() == date(2026, 6, 6)
    later, asked = run(read_calls(now + timedelta(seconds=30), NEW_YORK, first), lambda _: 5)
    assert sorted(asked) == [start for start in sorted(first.hours) if start + HOUR + SETTLED > now]
    assert len(asked) == 4
    day = day_of(later, now, NEW_YORK)
    assert [one.today.calls for one in day.hours[:13]] == [1] * 9 + [5] * 4
    assert all(one.today is None for one in day.hours[13:])
    assert all(one.earlier == (1, 1, 1, 1) for one in day.hours)
    assert day.usual == 12.5
    assert day.total == Totals(29, 0, 26.0, 0.0)


def test_the_first_second_of_a_day():
    """At midnight there is an hour to ask for, and no window of no length."""
    now = datetime(2026, 7, 4, 4, 0, 1, tzinfo=UTC)
    read, asked = run(read_calls(now, NEW_YORK, None), lambda _: 0)
    assert max(asked) == datetime(2026, 7, 4, 4, tzinfo=UTC)
    assert read.tables["campaign"][0].totals == Totals(2, 0, 1.5, 0.0)
    midnight = datetime(2026, 7, 4, 4, tzinfo=UTC)
    read, asked = run(read_calls(midnight, NEW_YORK, None), lambda _: 0)
    assert max(asked) < midnight
    assert read.tables["campaign"] == ()


def test_an_hour_that_is_there_twice_is_summed():
    """When clocks are set back, both hours are under the label that the clock shows."""
    hours = hours_of(date(2026, 11, 1), NEW_YORK)
    read = CallsRead(dict.fromkeys(hours, Totals(1)), {}, frozenset())
    day = day_of(read, datetime(2026, 11, 2, 4, 30, tzinfo=UTC), NEW_YORK)
    assert [one.today.calls for one in day.hours] == [1, 2, *[1] * 22]
    assert day.total.calls == 25


def test_a_report_that_fails_is_an_error():
    """A sum that cannot be read is not taken for no calls."""
    progress = Progress(read_calls(datetime(2026, 7, 4, 16, tzinfo=UTC), NEW_YORK, None))
    error = PermissionDenied("refused", status=403)
    with pytest.raises(PermissionDenied):
        progress.send([Outcome(error=error) for _ in progress.step.operations])
