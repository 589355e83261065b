"""The client on a thread of its own: in order, in bounded memory, and gone when it is closed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import closing

import pytest

from airflow_provider_retreaver.core.errors import NotFound
from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.resources.calls import get_call
from airflow_provider_retreaver.transport.background import BackgroundClient
from tests.domain.support.call_log import CallLog

NOBODY = "00000000-0000-4000-8000-00000000ffff"


def threads() -> list[str]:
    """Return the names of the threads that such clients run."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("retreaver-background")]


@pytest.fixture
def log() -> CallLog:
    """Return a call log with twelve calls."""
    log = CallLog()
    log.add(12)
    return log


@pytest.fixture
def client(log: CallLog) -> Iterator[BackgroundClient]:
    """Provide a client with two requests at once."""
    with log.client(max_concurrency=2) as client:
        yield client


def uuids(log: CallLog) -> list[str]:
    """Return the identities of all calls."""
    return [str(row["call"]["uuid"]) for row in log.rows()]


def test_results_come_in_the_order_in_which_they_were_named(log, client):
    """What is done several at once is handed out in order, and never more than the limit is under way."""
    wanted = uuids(log)
    left = iter([get_call(uuid) for uuid in wanted])
    log.together = 2
    assert [call["uuid"] for call in client.ahead(lambda: next(left, None))] == wanted
    assert log.most_at_once == 2


def test_one_at_once_reads_to_the_end(log):
    """With one request at once, what is named after an answer has come is still done."""
    wanted = uuids(log)
    left = iter([get_call(uuid) for uuid in wanted])
    with log.client(max_concurrency=1) as client:
        assert [call["uuid"] for call in client.ahead(lambda: next(left, None))] == wanted


def test_an_error_comes_in_its_place(log, client):
    """What came before the operation that failed is handed out first."""
    first = uuids(log)[0]
    left = iter([get_call(first), get_call(NOBODY)])
    found = client.ahead(lambda: next(left, None))
    assert next(found)["uuid"] == first
    with pytest.raises(NotFound):
        next(found)


def test_a_reader_that_lags_bounds_what_is_read_ahead(log, client):
    """Results that nobody takes are not followed by any number of others."""
    first = uuids(log)[0]
    named: list[Operation] = []

    def following() -> Operation:
        named.append(get_call(first))
        return named[-1]

    with closing(client.ahead(following)) as found:
        next(found)
        client.run(get_call(first))
        client.run(get_call(first))
        assert len(named) <= 6


def test_closing_ends_the_thread_and_a_later_use_begins_another(log, client):
    """A closed client leaves no thread; used again, it works again."""
    first = uuids(log)[0]
    assert client.run(get_call(first))["uuid"] == first
    assert len(threads()) == 1
    client.close()
    client.close()
    assert threads() == []
    assert client.run(get_call(first))["uuid"] == first


def test_closing_breaks_off_what_is_under_way(log):
    """A request that waits for its answer does not keep the client from being closed."""
    log.together = 100
    client = log.client(max_concurrency=2)
    left = iter([get_call(NOBODY)] * 2)
    found = client.ahead(lambda: next(left, None))

    def reads() -> None:
        with pytest.raises(CancelledError):
            next(found)
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
