"""The limiter: places in order, fewer after a 429, shared by threads and event loops, none lost."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, suppress

import pytest

from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.transport.limiter import MAX_PAUSE, SHORT_PAUSE, Limiter
from airflow_provider_retreaver.transport.limiters import limiter_for
from tests.contract.harness import FakeTime


def learn(limiter, *statuses, retry_after=0):
    """Let requests that are under way at once be answered, in this order."""
    with ExitStack() as stack:
        flights = [limiter.turn() for _ in statuses]
        for flight in flights:
            stack.enter_context(limiter.under_way(flight))
        for flight, status in zip(flights, statuses, strict=True):
            limiter.learn(flight, status, retry_after)


def test_places_halve_and_grow_slowly():
    """Every 429 halves the places, down to one; every other response adds a part of one, up to the limit."""
    limiter = Limiter(8, FakeTime())
    seen = []
    for _ in range(5):
        learn(limiter, 429)
        seen.append(limiter.places)
    assert seen == [4, 2, 1, 1, 1]
    growth = []
    for _ in range(60):
        learn(limiter, 200)
        growth.append(limiter.places)
    assert growth == sorted(growth)
    assert growth[0] == 2
    assert growth[-1] == 8
    # Additive increase: about as many successful responses as there are places add one place.
    assert growth.index(8) - growth.index(7) >= 6


def test_the_limit_of_the_server_is_found_and_rarely_exceeded():
    """A server that accepts four of eight concurrent requests refuses less than 3 %, at full use."""
    limiter = Limiter(8, FakeTime())
    refused, turns, under_way = 0, 0, 0
    for _ in range(500):
        while limiter.take(lambda: True):
            under_way += 1
        limiter._queue.clear()
        turns += 1
        too_many = max(0, under_way - 4)
        learn(limiter, *[429] * too_many, *[200] * (under_way - too_many))
        refused += too_many
        for _ in range(under_way):
            limiter.release()
        limiter._queue.clear()
        under_way = 0
    assert turns == 500
    assert refused < 15
    assert limiter.places in {4, 5}


def test_a_higher_limit_is_used_again():
    """After a period of refusals has ended, all places are used again."""
    limiter = Limiter(8, FakeTime())
    for _ in range(8):
        limiter.take(lambda: True)
    learn(limiter, *[429] * 8)
    assert limiter.places <= 4
    for _ in range(8):
        limiter.release()
    for _ in range(600):
        learn(limiter, 200)
    assert limiter.places == 8


def test_length_of_the_pause():
    """The longest of several pauses counts, up to a limit, and only a 429 causes one."""
    clock = FakeTime()
    limiter = Limiter(4, clock)
    learn(limiter, 503, retry_after=50)
    assert limiter.turn().wait == 0
    learn(limiter, 429, retry_after=None)
    assert limiter.turn().wait == SHORT_PAUSE
    learn(limiter, 429, retry_after=5)
    learn(limiter, 429, retry_after=2)
    clock.sleep(1)
    assert limiter.turn().wait == 4
    learn(limiter, 429, retry_after=1e9)
    assert limiter.turn().wait == MAX_PAUSE
    clock.sleep(MAX_PAUSE)
    assert limiter.turn().wait == 0


def queued(limiter, names):
    """Queue for places and return the list of the names that got one."""
    granted = []
    for name in names:
        limiter.take(lambda name=name: granted.append(name) or True)
    return granted


def test_first_come_first_served():
    """Places are granted in the order of the requests."""
    limiter = Limiter(2, FakeTime())
    assert limiter.take(lambda: True)
    assert limiter.take(lambda: True)
    granted = queued(limiter, "abcd")
    limiter.release()
    assert granted == ["a"]
    learn(limiter, 429)
    limiter.release()
    assert granted == ["a"]
    limiter.release()
    assert granted == ["a", "b"]
    assert limiter.taken == 1


def test_new_requests_queue():
    """A place that becomes free goes to the queue, not to a new request."""
    limiter = Limiter(2, FakeTime())
    learn(limiter, 429)
    limiter.take(lambda: True)
    granted = queued(limiter, "a")
    learn(limiter, 200)
    assert limiter.places == 2
    assert not limiter.take(lambda: granted.append("b") or True)
    limiter.release()
    assert granted == ["a", "b"]


def test_withdrawing_from_the_queue():
    """A withdrawn request takes no place, and returns one that was already granted."""
    limiter = Limiter(1, FakeTime())
    limiter.take(lambda: True)
    granted = []

    def first():
        granted.append("first")
        return True

    limiter.take(first)
    limiter.take(lambda: granted.append("second") or True)
    limiter.withdraw(first)
    limiter.release()
    assert granted == ["second"]
    limiter.take(first)
    limiter.release()
    assert granted == ["second", "first"]
    limiter.withdraw(first)
    assert limiter.taken == 0


def test_an_exception_returns_the_place():
    """Any exception in a thread returns its place."""
    limiter = Limiter(1, FakeTime())
    for error in (ValueError, KeyboardInterrupt):
        with suppress(error), limiter.place():
            raise error
    assert limiter.taken == 0


def test_an_interrupted_wait_leaves_the_queue(monkeypatch):
    """A thread that is interrupted while it waits leaves the number of places unchanged."""
    limiter = Limiter(1, FakeTime())
    limiter.take(lambda: True)

    class Interrupted(threading.Event):
        def wait(self, timeout=None):
            raise KeyboardInterrupt

    monkeypatch.setattr(threading, "Event", Interrupted)
    with pytest.raises(KeyboardInterrupt), limiter.place():
        pass
    limiter.release()
    assert limiter.taken == 0


def test_a_canceled_task_loses_no_place():
    """A task may be canceled while it waits, or just when its place is granted."""
    limiter = Limiter(1, FakeTime())

    async def work():
        await limiter.enter()
        waiting = [asyncio.create_task(limiter.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        limiter.release()  # grants the second, whose future is not done yet
        waiting[1].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert [task.cancelled() for task in waiting] == [True, True, False]
        assert limiter.taken == 1
        limiter.release()

    asyncio.run(work())
    assert limiter.taken == 0


def test_a_closed_loop_keeps_no_place():
    """A task whose event loop was closed is skipped."""
    limiter = Limiter(1, FakeTime())
    limiter.take(lambda: True)
    loop = asyncio.new_event_loop()
    task = loop.create_task(limiter.enter())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    granted = queued(limiter, "a")
    limiter.release()
    assert granted == ["a"]
    task._log_destroy_pending = False
    task._coro.close() if hasattr(task, "_coro") else task.get_coro().close()


def test_threads_and_a_loop_never_exceed_the_places():
    """With 429s in between, the limit is kept and every request gets a place."""
    limiter = Limiter(3)
    guard, under_way, most, done = threading.Lock(), 0, 0, 0

    def enter():
        nonlocal under_way, most
        with guard:
            under_way += 1
            most = max(most, under_way)

    def leave(number):
        nonlocal under_way, done
        with guard:
            under_way -= 1
            done += 1
        learn(limiter, 429 if number % 7 == 0 else 200)

    def thread(number):
        for step in range(20):
            with limiter.place():
                enter()
                threading.Event().wait(0.0005)
                leave(number + step)

    async def task(number):
        await limiter.enter()
        try:
            enter()
            await asyncio.sleep(0.0005)
            leave(number)
        finally:
            limiter.release()

    async def tasks():
        await asyncio.gather(*(task(number) for number in range(100)))

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(12)]
    for one in threads:
        one.start()
    asyncio.run(asyncio.wait_for(tasks(), 30))
    for one in threads:
        one.join(30)
    assert done == 12 * 20 + 100
    assert 1 < most <= 3
    assert limiter.taken == 0


def test_connections_of_one_account_share_a_limiter():
    """The same key and host share one under any connection id; another key has its own."""
    one = Settings.parse("a", password="key-of-one-account", host="127.0.0.1")
    other = Settings.parse("b", password="key-of-one-account", host="127.0.0.1", login="3")
    stranger = Settings.parse("a", password="key-of-another", host="127.0.0.1")
    assert limiter_for(one) is limiter_for(other)
    assert limiter_for(one) is not limiter_for(stranger)
