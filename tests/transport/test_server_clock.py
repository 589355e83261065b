"""The time on the server, where the clock of the worker is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from airflow_provider_retreaver.transport.server_clock import ServerClock

NOON = datetime(2026, 1, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize("difference", [timedelta(minutes=-5), timedelta(0), timedelta(minutes=5)])
def test_workers_five_minutes_apart_have_the_same_time(difference):
    """Whatever a worker's own clock says, its windows begin and end by the server's."""
    clock = ServerClock(lambda: NOON + difference)
    before = clock.now()
    assert (before.offset, before.is_known) == (timedelta(0), False)
    clock.learn({"date": format_datetime(NOON, usegmt=True)})
    reading = clock.now()
    assert reading.is_known
    assert abs(reading.server_time - NOON) < timedelta(seconds=1)


@pytest.mark.parametrize("text", ["", "yesterday", "Fri, 09 Jan 2026"])
def test_a_date_that_is_none_changes_nothing(text):
    """The worker's own time is used until a response tells the server's."""
    clock = ServerClock(lambda: NOON)
    clock.learn({"date": text})
    assert not clock.now().is_known
