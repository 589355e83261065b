"""Whether a target is open at a time: the sandbox, which shares no code with it, says the same."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.domain.routing.open_now import opening
from airflow_provider_retreaver.sandbox.api.routing import is_open

HHMM = st.builds(lambda hour, minute: hour * 100 + minute, st.integers(0, 23), st.integers(0, 59)) | st.just(2400)
ROW = st.fixed_dictionaries(
    {
        "day_of_week": st.integers(0, 6),
        "work_day": st.booleans(),
        "time_open": HHMM,
        "time_close": HHMM,
        "invert": st.booleans(),
    }
)
ZONES = {"Eastern Time (US & Canada)": "America/New_York", "Kathmandu": "Asia/Kathmandu", "UTC": "UTC"}


@settings(max_examples=300)
@given(
    st.lists(ROW, max_size=9),
    st.sampled_from(sorted(ZONES)),
    st.integers(1_735_689_600, 1_798_761_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_the_sandbox_says_the_same(rows, zone, at):
    """For any rows whose meaning is documented, any zone and any time."""
    from zoneinfo import ZoneInfo

    numbered = [{"id": index + 1, **row} for index, row in enumerate(rows)]
    found = opening({"id": 1, "business_hours": numbered, "time_zone": zone}, at)
    local = at.astimezone(ZoneInfo(ZONES[zone]))
    today = [row for row in rows if row["day_of_week"] == local.isoweekday() % 7 and row["work_day"]]
    if any(row["time_open"] > row["time_close"] for row in today):
        assert found.is_open is None
        return
    assert found.is_open == is_open(numbered, local)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ({"time_zone": "UTC"}, "business_hours"),
        ({"time_zone": "Mars", "business_hours": []}, "Mars"),
        ({"time_zone": None, "business_hours": []}, "time zone"),
        ({"time_zone": "UTC", "business_hours": [{"id": 1}]}, "row"),
    ],
)
def test_what_is_not_known_is_not_closed(target, why):
    """Hours that cannot be read are told as such."""
    found = opening({"id": 1, **target}, datetime(2026, 1, 1, tzinfo=UTC))
    assert found.is_open is None
    assert why in found.hours


def test_hours_are_those_of_the_day():
    """The text is of the target's own day."""
    rows = [
        {"id": day, "day_of_week": day, "work_day": 1 <= day <= 5, "time_open": 900, "time_close": 1700}
        for day in range(7)
    ]
    target = {"id": 1, "business_hours": rows, "time_zone": "Eastern Time (US & Canada)"}
    found = opening(target, datetime(2026, 11, 28, 1, tzinfo=UTC))
    assert (found.is_open, found.hours, found.zone) == (False, "09:00-17:00", "America/New_York")
