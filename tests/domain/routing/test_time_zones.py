"""Retreaver's time zone names and the tz database's."""

from __future__ import annotations

import os
import subprocess
import sys
import zoneinfo
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.routing import zone_clocks
from airflow_provider_retreaver.domain.routing.time_zones import (
    ALIKE,
    NAMES,
    RAILS,
    iana_name,
    rails_name,
    same_zone,
)
from airflow_provider_retreaver.domain.routing.zone_clocks import minutes_ahead
from airflow_provider_retreaver.sandbox.state.time_zones import TIME_ZONES as SANDBOX
from tests.paths import PROJECT

TODAY = datetime.now(UTC).date()
MOMENTS = [
    datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) + timedelta(hours=6 * step) for step in range(7200)
]


@cache
def clocks(zone):
    """Return the offset of a zone at every time of the coming years that is compared."""
    tz = ZoneInfo(zone)
    return tuple(moment.astimezone(tz).utcoffset() for moment in MOMENTS)


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
def test_another_zone_stands_for_a_name_only_while_it_keeps_its_clock(name):
    """The zone database in force decides, for the coming years, and a zone that it tells apart is refused."""
    assert ALIKE[name] in NAMES
    if clocks(name) != clocks(ALIKE[name]) or zone_clocks._disputed_since(name, TODAY):
        with pytest.raises(InvalidArgument, match=r"differs from|disagree about the clocks"):
            iana_name(name, TODAY)
    else:
        assert iana_name(name, TODAY) == ALIKE[name]


def test_all_names_of_one_zone_keep_one_clock():
    """No two names of either kind are the same zone unless their clocks agree in the coming years."""
    names: dict[str, set[str]] = {}
    for name, zone in {**RAILS, **{name: name for name in (*NAMES, *ALIKE)}}.items():
        with suppress(InvalidArgument):
            names.setdefault(iana_name(name, TODAY), set()).add(zone)
    assert sum(map(len, names.values())) > 130
    assert [zones for zones in names.values() if len({clocks(zone) for zone in zones}) != 1] == []


@pytest.fixture
def zones(tmp_path):
    """Give a function that makes a folder of zone files, under other names, the database in force."""

    def use(version, **files):
        for name, source in files.items():
            file = tmp_path / "America" / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(resources.files("tzdata").joinpath("zoneinfo", source).read_bytes())
        if version:
            (tmp_path / "tzdata.zi").write_text(f"# version {version}\n", encoding="utf-8")
        forget(to=[str(tmp_path)])

    def forget(to=None):
        zoneinfo.reset_tzpath(to=to)
        ZoneInfo.clear_cache()
        for cached in (zone_clocks._disputed_since, zone_clocks.minutes_ahead):
            cached.cache_clear()

    yield use
    forget()


@pytest.mark.parametrize("version", [None, "2024a"])
def test_a_zone_that_an_old_database_has_otherwise_is_refused(zones, version):
    """Where the system's zones are older than the package, or of an unknown age, a zone they differ in is refused."""
    zones(version, Toronto="America/Phoenix", Detroit="America/New_York")
    with pytest.raises(InvalidArgument, match=r"disagree about the clocks of America/Toronto from .*PYTHONTZPATH"):
        iana_name("America/Toronto", TODAY)
    assert not same_zone("America/Toronto", "America/New_York", TODAY)
    with pytest.raises(InvalidArgument, match="disagree"):
        minutes_ahead("America/Toronto", "America/New_York", TODAY)
    assert iana_name("America/Detroit", TODAY) == "America/New_York"


def test_a_zone_that_only_the_system_has_is_not_disputed(zones):
    """What the package does not know cannot contradict it."""
    zones("2024a", Elsewhere="America/New_York")
    assert zone_clocks.keeps_clock("America/Elsewhere", "America/New_York", TODAY)
    assert not zone_clocks.keeps_clock("America/Elsewhere", "America/Chicago", TODAY)


def test_the_version_of_a_folder_of_macos(zones, tmp_path):
    """On macOS another file names the version."""
    (tmp_path / "+VERSION").write_text("2999b\n", encoding="utf-8")
    zones(None, Toronto="America/Phoenix")
    with pytest.raises(InvalidArgument, match="has no name in Retreaver"):
        rails_name("America/Toronto", TODAY)


def test_a_newer_database_of_the_system_decides(zones):
    """A zone that a newer database has moved no longer stands for the old name; the error names where it is now."""
    zones("2999a", Toronto="America/Phoenix")
    with pytest.raises(
        InvalidArgument, match=r"has no name in Retreaver: it differs from 'Eastern .*'Arizona' and 'Maz.* same"
    ):
        rails_name("America/Toronto", TODAY)


def test_zones_that_change_their_clocks_at_other_hours_differ(zones):
    """Two zones that have the same offset at every noon, and differ for an hour of one night, are not the same."""
    zones("2999a", Toronto="America/Havana")
    with pytest.raises(InvalidArgument, match="it differs from 'Eastern Time"):
        iana_name("America/Toronto", TODAY)


@pytest.mark.skipif(bool(zoneinfo.TZPATH), reason="runs with the package's zones, see the test of the two databases")
def test_british_columbia_no_longer_keeps_pacific_time():
    """By the package's zones Vancouver has one offset all year since November 2026, and is no Pacific Time."""
    with pytest.raises(InvalidArgument, match=r"differs from 'Pacific Time \(US & Canada\)' from 20"):
        rails_name("America/Vancouver", date(2026, 11, 26))
    assert minutes_ahead("America/Vancouver", "America/Los_Angeles", date(2026, 11, 26)) is None


@given(st.sampled_from(sorted(RAILS)))
def test_there_and_back(name):
    """One of Retreaver's names stays itself; its zone leads back to a name of the same zone."""
    assert rails_name(name, TODAY) == name
    assert RAILS[rails_name(iana_name(name, TODAY), TODAY)] == RAILS[name]
    assert same_zone(name, RAILS[name], TODAY)


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
        ("Antarctica/Troll", "has no name in Retreaver; give one of"),
        ("America/Hermosillo", "has no name in Retreaver; 'Arizona' and 'Mazatlan' will have the same clock"),
        ("", "is not a time zone"),
        (None, "is not a time zone"),
        (5, "is not a time zone"),
        ("../etc/passwd", "is not a time zone"),
    ],
)
def test_unknown(name, why):
    """A zone that is none, or that Retreaver has no name for, is refused by name."""
    with pytest.raises(InvalidArgument, match=f"time_zone .*{why}"):
        iana_name(name, TODAY)
    assert not same_zone(name, "UTC", TODAY)


def test_distances():
    """The distance of two zones is known when it stays the same for a year, their own clock changes included."""
    day = date(2026, 1, 1)
    assert minutes_ahead("America/New_York", "America/Los_Angeles", day) == 180
    assert minutes_ahead("Asia/Kolkata", "Etc/UTC", day) == 330
    assert minutes_ahead("America/Phoenix", "America/Denver", day) is None
    assert minutes_ahead("Europe/London", "America/New_York", day) is None
    assert minutes_ahead("America/Los_Angeles", "America/New_York", day) == -180


TIME_TESTS = ["tests/domain/routing/test_time_zones.py", "tests/domain/routing/test_business_hours.py",
              "tests/domain/calls/test_split_window.py"]  # fmt: skip


@pytest.mark.skipif("IN_OTHER_ZONES" in os.environ, reason="this run is the other one")
def test_the_tests_of_times_pass_with_both_databases():
    """They pass with the package's zones (`PYTHONTZPATH=`) too, or with the system's where this run has those."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONTZPATH"}
    environment |= {"IN_OTHER_ZONES": "1"} | ({"PYTHONTZPATH": ""} if zoneinfo.TZPATH else {})

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TIME_TESTS]
    run = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
