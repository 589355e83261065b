"""The clients that read ahead: order of results, limited memory, and closing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing

import pytest

from airflow_provider_retreaver.core.errors import NotFound
from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.resources.calls import get_call
from airflow_provider_retreaver.transport.background import BackgroundClient
from airflow_provider_retreaver.transport.own_loop import OwnLoopClient
from tests.domain.support.call_log import CallLog
from tests.stopping import TimeIsUp

UNKNOWN_CALL = "00000000-0000-4000-8000-00000000ffff"
Reading = Callable[[int], BackgroundClient | OwnLoopClient]


def threads() -> list[str]:
    """Return the names of the running background threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("retreaver-background")]


@pytest.fixture
def log() -> CallLog:
    """Return a call log with twelve calls."""
    log = CallLog()
    log.add(12)
    return log


@pytest.fixture
def client(log: CallLog) -> Iterator[BackgroundClient]:
    """Provide the client on its own thread, with two requests at once."""
    with log.client(max_concurrency=2) as client:
        yield client


@pytest.fixture(params=[BackgroundClient, OwnLoopClient])
def reading(request: pytest.FixtureRequest, log: CallLog) -> Reading:
    """Return a function that makes a client, on its own thread or on the test's, with so many requests at once."""
    return lambda most: request.param(log.asynchronous(max_concurrency=most))


def uuids(log: CallLog) -> list[str]:
    """Return the UUIDs of all calls."""
    return [str(row["call"]["uuid"]) for row in log.rows()]


def test_results_come_in_order(log, reading):
    """Results of concurrent operations come in order, and the number of concurrent requests is limited."""
    expected = uuids(log)
    left = iter([get_call(uuid) for uuid in expected])
    log.together = 2
    with reading(2) as client:
        assert [call["uuid"] for call in client.ahead(lambda: next(left, None))] == expected
    assert log.most_at_once == 2


def test_one_request_at_once(log, reading):
    """With one request at once, operations that follow a response are still run."""
    expected = uuids(log)
    left = iter([get_call(uuid) for uuid in expected])
    with reading(1) as client:
        assert [call["uuid"] for call in client.ahead(lambda: next(left, None))] == expected


def test_an_error_comes_in_its_place(log, reading):
    """Results before the failed operation come first."""
    first = uuids(log)[0]
    left = iter([get_call(first), get_call(UNKNOWN_CALL)])
    with reading(2) as client:
        results = client.ahead(lambda: next(left, None))
        assert next(results)["uuid"] == first
        with pytest.raises(NotFound):
            next(results)


def test_a_slow_reader_limits_what_is_read_ahead(log, reading):
    """The number of results that wait to be read is limited."""
    first = uuids(log)[0]
    named: list[Operation] = []

    def following() -> Operation:
        named.append(get_call(first))
        return named[-1]

    with reading(2) as client, closing(client.ahead(following)) as results:
        next(results)
        client.run(get_call(first))
        client.run(get_call(first))
        assert len(named) <= 6


def test_close_ends_the_thread(log, client):
    """A closed client has no thread; the next use starts another one."""
    first = uuids(log)[0]
    assert client.run(get_call(first))["uuid"] == first
    assert len(threads()) == 1
    client.close()
    client.close()
    assert threads() == []
    assert client.run(get_call(first))["uuid"] == first


def test_close_ends_a_thread_whose_start_was_interrupted(log, client, monkeypatch):
    """A signal may end the task while the thread starts, before anything is known of its event loop."""
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise TimeIsUp

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(TimeIsUp):
            client.run(get_call(UNKNOWN_CALL))
    assert len(threads()) == 1
    client.close()
    assert threads() == []


def test_close_cancels_running_operations(log):
    """A request that waits for its response does not keep the client from closing."""
    log.together = 100
    client = log.client(max_concurrency=2)
    left = iter([get_call(UNKNOWN_CALL)] * 2)
    results = client.ahead(lambda: next(left, None))

    def reads() -> None:
        with pytest.raises(CancelledError):
            next(results)
        broken_off.append(True)

    broken_off: list[bool] = []
    reader = threading.Thread(target=reads)
    reader.start()
    while len(log.asked) < 2:
        reader.join(0.01)
    client.close()
    reader.join(5)
    assert broken_off == [True]
    assert threads() == []
