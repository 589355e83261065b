"""Work in a thread of its own with a client on the same thread: its end, its errors, and slow work."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing

import pytest

from airflow_provider_retreaver.core.errors import NotFound
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.resources.calls import get_call
from airflow_provider_retreaver.resources.targets import get_target
from airflow_provider_retreaver.transport.async_client import AsyncRetreaverClient
from airflow_provider_retreaver.transport.own_loop import OwnLoopClient, read_in_thread
from tests.domain.support.call_log import CallLog
from tests.stopping import TimeIsUp, own_threads, until_told_to_stop
from tests.transport.raw_server import answer, raw_server

UNKNOWN = get_call("00000000-0000-4000-8000-00000000ffff")


@pytest.fixture
def log():
    """Return a call log with three calls."""
    log = CallLog()
    log.add(3)
    return log


def first(log):
    """Return the operation that reads its newest call."""
    return get_call(log.rows()[0]["call"]["uuid"])


def test_the_result_of_the_work(log):
    """The work is done in one other thread, which ends with it."""
    reads, threads = first(log), []

    def work(client):
        threads.append(threading.current_thread())
        return client.run(reads)["uuid"]

    assert read_in_thread(log.asynchronous(), work) == log.rows()[0]["call"]["uuid"]
    assert threads != [threading.current_thread()]
    assert own_threads() == []


def test_the_error_of_the_work(log):
    """It is raised where the result is waited for, and the thread ends."""
    with pytest.raises(NotFound):
        read_in_thread(log.asynchronous(), lambda client: client.run(UNKNOWN))
    assert own_threads() == []


def test_a_signal_ends_the_wait_for_a_response(log):
    """The work is ended by an exception that no handler of errors takes for one of the request."""
    log.together = 100
    ended = []

    def work(client):
        try:
            client.run(UNKNOWN)
        except BaseException as error:
            ended.append(error)
            raise

    assert until_told_to_stop(0.3, lambda: read_in_thread(log.asynchronous(), work)) is None
    assert [type(error) for error in ended] == [asyncio.CancelledError]


def test_a_signal_ends_work_at_its_next_request(log):
    """Also where the response is there already, so that no further page is written."""
    reads, used = first(log), []
    told = threading.Event()

    def work(client):
        with closing(client.ahead(lambda: reads)) as results:
            for call in results:
                used.append(call)
                told.wait(30)

    def until_told():
        try:
            read_in_thread(log.asynchronous(max_concurrency=2), work)
        finally:
            told.set()

    assert until_told_to_stop(0.3, until_told) is None
    assert len(used) == 1


def test_work_that_does_not_end_is_left(log, monkeypatch):
    """A storage that hangs does not keep the task that is told to stop."""
    monkeypatch.setattr("airflow_provider_retreaver.transport.own_loop.ENDING", 0.05)
    hangs = threading.Event()
    try:
        until_told_to_stop(
            0.3, lambda: read_in_thread(log.asynchronous(), lambda _: hangs.wait(60)), "retreaver-storage"
        )
        assert own_threads() == ["retreaver-storage-calls"]
    finally:
        hangs.set()


def test_a_signal_while_the_thread_starts(log, monkeypatch):
    """The thread that was started ends."""
    start = threading.Thread.start

    def interrupted(thread):
        start(thread)
        raise TimeIsUp

    log.together = 100
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(TimeIsUp):
            read_in_thread(log.asynchronous(), lambda client: client.run(UNKNOWN))
    assert own_threads() == []


def test_a_wait_that_is_ended_closes_the_client(log):
    """Nothing else is raised at its end, and no later request is sent."""
    log.together = 100
    with OwnLoopClient(log.asynchronous()) as client:
        telling = threading.Timer(0.2, client.stop)
        telling.start()
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                client.run(UNKNOWN)
        telling.join()
    assert len(log.asked) == 1


def test_a_client_that_is_told_to_stop_as_it_ends(log):
    """What was told after its last request changes nothing."""
    with OwnLoopClient(log.asynchronous()) as client:
        found = client.run(first(log))
        client.stop()
    assert found["uuid"] == log.rows()[0]["call"]["uuid"]


def test_a_client_that_is_closed_can_be_told_to_stop(log):
    """The work may have ended in the meantime."""
    with OwnLoopClient(log.asynchronous()) as client:
        pass
    client.stop()


def test_slow_work():
    """A request that ran out of time while nothing was received is sent again."""
    with raw_server(answer(body=b'{"target": {"id": 1}}')) as server:
        settings = Settings.parse(
            "test", password="key-of-the-api", host=f"http://127.0.0.1:{server.port}",
            extra={"timeout": 0.2, "max_response_seconds": 60, "max_concurrency": 2},
        )  # fmt: skip
        left = iter([get_target(id=1)] * 3)
        with (
            OwnLoopClient(AsyncRetreaverClient(settings)) as client,
            closing(client.ahead(lambda: next(left, None))) as results,
        ):
            for _ in range(3):
                assert next(results) == {"id": 1}
                threading.Event().wait(0.5)
            assert next(results, None) is None
    assert len(server.requests) >= 3
