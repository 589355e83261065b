"""Threads for work that may wait for ever: reused, and none of it waits for other work."""

from __future__ import annotations

import asyncio
import threading

import pytest

from airflow_provider_retreaver.webhooks.threads import MOST_IDLE, start

pytestmark = pytest.mark.airflow


def test_threads_are_reused():
    """Work that comes after other work takes its thread: the event loop does not wait for a new one to run."""

    async def work():
        used = set()
        for _ in range(50):
            used.add(await start(threading.get_ident))
            # Until the thread waits again.
            await asyncio.sleep(0.001)
        return used

    assert len(asyncio.run(work())) < 25


def test_no_work_waits_for_other_work():
    """Work that hangs takes threads of its own, and those that are too many end afterwards."""
    ended, before = threading.Event(), threading.active_count()

    async def work():
        hanging = [start(ended.wait) for _ in range(3 * MOST_IDLE)]
        assert await asyncio.wait_for(start(lambda: 5), 30) == 5
        ended.set()
        await asyncio.gather(*hanging)

    asyncio.run(work())
    for _ in range(3_000):
        if threading.active_count() <= before + MOST_IDLE:
            break
        threading.Event().wait(0.01)
    assert threading.active_count() <= before + MOST_IDLE


def test_errors_are_handed_on():
    """An error reaches who waits, and the thread does more work afterwards."""

    async def work():
        with pytest.raises(ZeroDivisionError):
            await start(lambda: 1 // 0)
        return await start(lambda: 7)

    assert asyncio.run(work()) == 7
