"""A triggerer that shuts down: triggers that wait for a response, or for the next attempt, end at once."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_retreaver.triggers.calls import RetreaverCallVolumeEventTrigger, RetreaverNewCallsEventTrigger
from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger
from tests.stopping import IN_TIME, threads_left

pytestmark = pytest.mark.airflow

OPTIONS = {"start": None, "end": None, "window": "12h", "at_least": 1, "at_most": None, "filters": None}


def triggers():
    """Return triggers of each kind."""
    now = datetime.now(UTC)
    condition = RetreaverConditionTrigger(
        retreaver_conn_id="retreaver_default",
        kind="call_volume",
        options=OPTIONS,
        deadline=(now + timedelta(hours=6)).isoformat(),
        next_look=now.isoformat(),
        poke_interval=60.0,
        failure_budget=1800.0,
    )
    volume = RetreaverCallVolumeEventTrigger(window="1h", at_least=1)
    return [condition, condition, volume, RetreaverNewCallsEventTrigger()]


@pytest.mark.parametrize("fault", [{"delay": 240}, {"status": 429, "headers": {"Retry-After": "240"}}])
def test_triggers_end_at_once(account, monkeypatch, fault):
    """Long before the waits would end, with no task, no client and no thread of theirs left."""
    connection = account.connection(extra={"max_wait": 1000, "timeout": 240})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    account.fault("", times=None, **fault)

    async def watch(trigger):
        async for _ in trigger.run():
            pass

    async def triggerer():
        running = [asyncio.create_task(watch(trigger)) for trigger in triggers()]
        while not account.entries():  # noqa: ASYNC110 - the sandbox sets no event
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        started = time.monotonic()
        for task in running:
            task.cancel()
        ended = await asyncio.gather(*running, return_exceptions=True)
        assert [type(one) for one in ended] == [asyncio.CancelledError] * len(running)
        assert time.monotonic() - started < IN_TIME
        assert len(asyncio.all_tasks()) == 1

    started = time.monotonic()
    asyncio.run(triggerer())
    assert time.monotonic() - started < 2 * IN_TIME
    assert threads_left() == []
