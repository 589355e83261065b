"""Retreaver's time zone names and the tz database's."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.routing.time_zones import (
    ALIKE,
    NAMES,
    RAILS,
    iana_name,
    minutes_ahead,
    rails_name,
    same_zone,
)
from airflow_provider_retreaver.sandbox.state.time_zones import TIME_ZONES as SANDBOX

MOMENTS = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=6 * step) for step in range(4 * 366 * 4)]


def clocks(zone):
    """Return the offset of a zone at every time compared."""
    tz = ZoneInfo(zone)
    return [moment.astimezone(tz).utcoffset() for moment in MOMENTS]


def test_the_map_is_complete():
    """Every name that Retreaver documents, all 146, has a zone, and there is no other name."""
    assert set(RAILS) == set(SANDBOX)
    assert len(RAILS) == 146 == sum(map(len, NAMES.values()))


@pytest.mark.parametrize("name", sorted(RAILS))
def test_every_zone_is_in_the_tz_database_and_keeps_the_vendors_clock(name):
    """The zone exists, and its clock has agreed with Retreaver's zone for years, whatever its name there."""
    assert RAILS[name] in available_timezones()
    assert clocks(RAILS[name]) == clocks(SANDBOX[name])


def test_the_vendors_offsets_of_some_names():
    """A few well-known offsets, so that two maps cannot be wrong together."""
    winter = datetime(2026, 1, 15, 12, tzinfo=UTC)
    known = {
        "Eastern Time (US & Canada)": -5, "Pacific Time (US & Canada)": -8, "Arizona": -7, "Hawaii": -10, "London": 0,
        "Newfoundland": -3.5, "Kathmandu": 5.75, "New Delhi": 5.5, "Chatham Is.": 13.75, "Samoa": 13,
        "International Date Line West": -12, "American Samoa": -11, "Sydney": 11, "Brisbane": 10, "Astana": 6,
    }  # fmt: skip
    for name, offset in known.items():
        assert winter.astimezone(ZoneInfo(RAILS[name])).utcoffset() == timedelta(hours=offset), name


@pytest.mark.parametrize("name", sorted(ALIKE))
def test_other_names_keep_the_same_clock(name):
    """What is taken for another zone's name has had its clock for years."""
    assert ALIKE[name] in NAMES
    assert clocks(name) == clocks(ALIKE[name])


@given(st.sampled_from(sorted(RAILS)))
def test_there_and_back(name):
    """One of Retreaver's names stays itself; its zone leads back to a name of the same zone."""
    assert rails_name(name) == name
    assert RAILS[rails_name(iana_name(name))] == RAILS[name]
    assert same_zone(name, RAILS[name])


def test_the_choice_where_several_names_share_a_zone():
    """The way back is the zone's own city, or else the largest."""
    shared = {zone: names[0] for zone, names in NAMES.items() if len(names) > 1}
    assert shared == {
        "Pacific/Auckland": "Auckland", "America/Mexico_City": "Mexico City", "America/Lima": "Lima",
        "Europe/London": "London", "Europe/Moscow": "Moscow", "Asia/Muscat": "Muscat", "Asia/Karachi": "Karachi",
        "Asia/Kolkata": "Kolkata", "Asia/Dhaka": "Dhaka", "Asia/Bangkok": "Bangkok", "Asia/Shanghai": "Beijing",
        "Asia/Tokyo": "Tokyo", "Australia/Melbourne": "Melbourne",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("America/New_Yrok", "is not a time zone; did you mean 'America/New_York'"),
        ("Antarctica/Troll", "has no name in Retreaver"),
        ("", "is not a time zone"),
        (None, "is not a time zone"),
        (5, "is not a time zone"),
        ("../etc/passwd", "is not a time zone"),
    ],
)
def test_unknown(name, why):
    """A zone that is none, or that Retreaver has no name for, is refused by name."""
    with pytest.raises(InvalidArgument, match=f"time_zone .*{why}"):
        iana_name(name)
    assert not same_zone(name, "UTC")


def test_distances():
    """The distance of two zones is known when it stays the same for a year, their own clock changes included."""
    day = date(2026, 1, 1)
    assert minutes_ahead("America/New_York", "America/Los_Angeles", day) == 180
    assert minutes_ahead("Asia/Kolkata", "Etc/UTC", day) == 330
    assert minutes_ahead("America/Phoenix", "America/Denver", day) is None
    assert minutes_ahead("Europe/London", "America/New_York", day) is None
