"""The trigger of an operator that continues later."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_retreaver.triggers.waiting import RetreaverWaitTrigger

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize("seconds", [-3600, 0.05])
def test_it_sends_one_event_when_the_time_has_come(seconds):
    """A time that has passed is due at once; the parameter survives a restart of the triggerer."""
    until = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    path, parameters = RetreaverWaitTrigger(until=until).serialize()
    assert path.endswith("triggers.waiting.RetreaverWaitTrigger")

    async def events():
        return [event async for event in RetreaverWaitTrigger(**parameters).run()]

    (event,) = asyncio.run(events())
    assert event.payload == {"status": "due"}
    assert datetime.now(UTC) >= datetime.fromisoformat(until)
