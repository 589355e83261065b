"""A triggerer that shuts down: triggers that wait for a response, or for the next attempt, end at once."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_retreaver.triggers.calls import RetreaverCallVolumeEventTrigger, RetreaverNewCallsEventTrigger
from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger

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


@pytest.mark.parametrize("fault", [{"delay": 20}, {"status": 429, "headers": {"Retry-After": "30"}}])
def test_triggers_end_at_once(account, monkeypatch, fault):
    """Within a second, with no task, no client and no thread of theirs left."""
    connection = account.connection(extra={"max_wait": 120})
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
        assert time.monotonic() - started < 1
        assert len(asyncio.all_tasks()) == 1

    started = time.monotonic()
    asyncio.run(triggerer())
    assert time.monotonic() - started < 15
    names = {thread.name for thread in threading.enumerate()} - {"retreaver-sandbox"}
    assert not [name for name in names if name.startswith("retreaver")]
