"""Dividing a span of time, and taking one from a run."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.calls.time_window import split_window, window_of_run

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe"])
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1))  # noqa: DTZ001 - zones are put on later


def parsed(parts):
    """Return the parts' ends as times in UTC."""
    return [tuple(datetime.fromisoformat(part[name]).astimezone(UTC) for name in ("start", "end")) for part in parts]


@given(start=MOMENTS, zone=ZONES, size=st.timedeltas(timedelta(seconds=1), timedelta(days=40)), every=st.data())
def test_parts_tile_the_window_exactly(start, zone, size, every):
    """Every time of the window is in exactly one part, also where the zone's clock changes."""
    first = start.replace(tzinfo=ZoneInfo(zone))
    last = (first.astimezone(UTC) + size).astimezone(ZoneInfo(zone))
    lengths = st.one_of(
        st.integers(1, 45).map(lambda days: timedelta(days=days)),
        st.timedeltas(max(size / 200, timedelta(seconds=1)), timedelta(days=45)),
    )
    parts = parsed(split_window(first, last, every.draw(lengths)))
    assert parts[0][0] == first.astimezone(UTC)
    assert parts[-1][1] == last.astimezone(UTC)
    assert all(one[1] == other[0] for one, other in pairwise(parts))
    assert all(begin < end for begin, end in parts)


@given(start=MOMENTS, zone=ZONES, hours=st.integers(1, 30), count=st.integers(2, 60))
def test_parts_of_hours_are_equally_long(start, zone, hours, count):
    """A length that is not whole days is time as it passes: all parts but the last are that long."""
    step = timedelta(hours=hours, minutes=1)
    first = start.replace(tzinfo=ZoneInfo(zone))
    parts = parsed(split_window(first, first.astimezone(UTC) + count * step, step))
    assert {end - begin for begin, end in parts} == {step}
    assert len(parts) == count


def test_days_follow_the_calendar_where_clocks_change():
    """Days begin at local midnight, the one of the change to summer time being 23 hours long."""
    parts = split_window(
        datetime(2026, 3, 7, tzinfo=NEW_YORK), datetime(2026, 3, 10, tzinfo=NEW_YORK), timedelta(days=1)
    )
    assert [part["start"] for part in parts] == [
        "2026-03-07T00:00:00-05:00",
        "2026-03-08T00:00:00-05:00",
        "2026-03-09T00:00:00-04:00",
    ]
    assert parsed(parts)[1][1] - parsed(parts)[1][0] == timedelta(hours=23)


def test_an_hour_that_comes_twice_is_two_parts():
    """In autumn the repeated hour is divided like any other."""
    parts = split_window(datetime(2026, 11, 1, 0, tzinfo=NEW_YORK), datetime(2026, 11, 1, 3, tzinfo=NEW_YORK), "1h")
    assert [part["start"][11:] for part in parts] == [
        "00:00:00-04:00", "01:00:00-04:00", "01:00:00-05:00", "02:00:00-05:00",
    ]  # fmt: skip


def test_a_day_that_a_zone_skipped_is_no_part():
    """Samoa had no 30 December 2011."""
    apia = ZoneInfo("Pacific/Apia")
    parts = split_window(datetime(2011, 12, 29, tzinfo=apia), datetime(2012, 1, 1, tzinfo=apia), "1d")
    assert [part["start"][:10] for part in parts] == ["2011-12-29", "2011-12-31"]


def test_dates_and_pendulum_times_are_taken():
    """A date means midnight UTC; pendulum's days are the calendar's too; the last part is what is left."""
    assert split_window("2026-01-01", date(2026, 1, 4), "2d") == [
        {"start": "2026-01-01T00:00:00+00:00", "end": "2026-01-03T00:00:00+00:00"},
        {"start": "2026-01-03T00:00:00+00:00", "end": "2026-01-04T00:00:00+00:00"},
    ]
    spring = pendulum.datetime(2026, 3, 28, tz="Europe/Berlin")
    starts = [part["start"] for part in split_window(spring, spring.add(days=3), timedelta(days=1))]
    assert starts == ["2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"]


@pytest.mark.parametrize(
    ("start", "end", "every", "named"),
    [
        (datetime(2026, 1, 1), NOW, "1d", "start has no time zone"),  # noqa: DTZ001 - the very thing
        ("2026-01-01T00:00:00", "2026-02-01", "1d", "start must be RFC 3339 with an offset"),
        (NOW, "2026-02-01", "1d", "end .* must be after start"),
        (NOW, NOW, "1d", "end .* must be after start"),
        ("2026-01-01", NOW, "0d", "every must be a length of time"),
        ("2026-01-01", NOW, "1s", "more than 100000 parts"),
    ],
)
def test_what_cannot_be_right_is_named(start, end, every, named):
    """A naive time, an end that is not after the start and a length that means nothing are refused by name."""
    with pytest.raises(InvalidArgument, match=named):
        split_window(start, end, every)


def test_the_data_interval_is_the_default_window():
    """A task without start and end is about its run's data interval."""
    context = {
        "data_interval_start": pendulum.datetime(2026, 1, 1),
        "data_interval_end": pendulum.datetime(2026, 1, 2),
    }
    assert window_of_run(None, "", context, NOW) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "context",
    [
        {"dag_run": SimpleNamespace(run_after=NOW)},
        {"logical_date": NOW},
        {"data_interval_start": NOW, "data_interval_end": NOW},
        {},
    ],
)
def test_a_run_without_an_interval_is_about_the_day_before_it(context):
    """An asset-triggered or manual run, and a plain call, have a window too, which a retry finds unchanged."""
    assert window_of_run(None, None, context, NOW) == (NOW - timedelta(days=1), NOW)


def test_half_a_window_is_refused():
    """A start without an end is not completed by guessing."""
    with pytest.raises(InvalidArgument, match="start was given without end"):
        window_of_run("2026-01-01", None, {}, NOW)
