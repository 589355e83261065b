"""What hooks add to the handler of SIGTERM that Airflow 3 installs for a task."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import closing

import pytest

from airflow_provider_retreaver.hooks.retreaver import RetreaverAsyncHook, RetreaverHook
from airflow_provider_retreaver.hooks.stopping import (
    EndsOnSigterm,
    TaskStopped,
    each_ending_on_sigterm,
    ending_on_sigterm,
)
from airflow_provider_retreaver.hooks.trackdrive import TrackDriveHook

pytestmark = pytest.mark.airflow


@pytest.fixture
def told():
    """Install a handler as Airflow's of a task; return the list of its calls."""
    calls = []

    def handler(number, frame):
        calls.append(number)

    handler.__module__ = "airflow.sdk.execution_time.task_runner"
    before = signal.signal(signal.SIGTERM, handler)
    yield calls
    signal.signal(signal.SIGTERM, before)


def tell():
    """Send this process SIGTERM, and let its handler run."""
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(0.01)


class GoesOn:
    """Is told to stop again while it is closed."""

    def close(self):
        """Get a second signal."""
        tell()


def test_a_call_ends_once_and_no_further_one_begins(told):
    """Airflow's handler is called each time; a second signal does not disturb what notes the work."""
    with pytest.raises(TaskStopped), EndsOnSigterm(), closing(GoesOn()):
        tell()
    with pytest.raises(TaskStopped), EndsOnSigterm():
        raise AssertionError
    assert told == [signal.SIGTERM] * 2


def test_nothing_is_raised_outside_of_calls(told):
    """The function of a DAG author is not ended in its own code, but its next call is not begun."""
    with EndsOnSigterm():
        pass
    tell()
    with pytest.raises(TaskStopped), EndsOnSigterm():
        raise AssertionError
    assert told == [signal.SIGTERM]


def test_a_forked_process_is_not_the_task(told):
    """It has inherited the handler, and is not ended by it."""
    with EndsOnSigterm():
        child = os.fork()
        if child == 0:
            try:
                tell()
                os._exit(0)
            finally:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert told == []


def test_other_handlers_and_threads_are_left_alone(told):
    """A triggerer, a scheduler and a thread have no task that could be ended."""
    mine = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: EndsOnSigterm().__enter__())
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is mine
    for other in (signal.SIG_DFL, lambda *_: told.append("other")):
        signal.signal(signal.SIGTERM, other)
        with EndsOnSigterm():
            assert signal.getsignal(signal.SIGTERM) is other


def test_values_are_yielded_until_the_signal(told):
    """The generator is closed then; one that ends by itself is not told anything."""
    closed, found = [], []

    def values(*, stopped):
        try:
            yield 1
            if stopped:
                tell()
            yield 2
        finally:
            closed.append(stopped)

    assert list(ending_on_sigterm(values(stopped=False))) == [1, 2]
    with pytest.raises(TaskStopped):
        found.extend(ending_on_sigterm(values(stopped=True)))
    assert (found, closed) == ([1], [False, True])


def test_values_of_a_coroutine(told):
    """The same for an asynchronous generator."""
    found = []

    async def values(*, stopped):
        yield 1
        if stopped:
            tell()
        yield 2

    async def read(*, stopped):
        nonlocal found
        async for value in each_ending_on_sigterm(values(stopped=stopped)):
            found += [value]

    asyncio.run(read(stopped=False))
    with pytest.raises(TaskStopped):
        asyncio.run(read(stopped=True))
    assert found == [1, 2, 1]


@pytest.mark.parametrize("hook", [RetreaverHook, RetreaverAsyncHook, TrackDriveHook])
def test_a_signal_before_the_first_call_is_noted(told, hook):
    """The first call reads the connection and imports the client, which takes seconds on a busy machine."""
    hook()
    tell()
    with pytest.raises(TaskStopped), EndsOnSigterm():
        raise AssertionError
    assert told == [signal.SIGTERM]
