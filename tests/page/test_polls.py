"""One poll for all readers, none without readers, and what a failed poll leaves."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from airflow_provider_retreaver.core.errors import ConnectionFailed
from airflow_provider_retreaver.page.polls import FORGOTTEN, UNEXPECTED, Polls


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.time = datetime(2026, 11, 27, 12, tzinfo=UTC)

    def __call__(self):
        """Return its time."""
        return self.time

    def move(self, seconds):
        """Move it on."""
        self.time += timedelta(seconds=seconds)


def test_readers_share_a_poll():
    """Twenty readers wait for one poll; within 30 seconds there is no other one."""
    clock, polls, calls = Clock(), None, []
    polls = Polls(clock)
    gate = threading.Event()

    def read(now, before):
        calls.append((now, before))
        gate.wait(10)
        return "figures"

    found = []
    readers = [threading.Thread(target=lambda: found.append(polls.get("a", read, str, 10))) for _ in range(20)]
    for reader in readers:
        reader.start()
    gate.set()
    for reader in readers:
        reader.join()
    assert len(calls) == 1
    assert {one.value for one in found} == {"figures"}
    clock.move(29)
    assert polls.get("a", read, str).read_at == datetime(2026, 11, 27, 12, tzinfo=UTC)
    assert len(calls) == 1
    clock.move(2)
    assert polls.get("a", read, str, 10).value == "figures"
    assert [before for _, before in calls] == [None, "figures"]


def test_what_takes_long_is_shown_later():
    """A reader does not wait for a slow poll: first there is nothing, then what was read before."""
    clock = Clock()
    polls, gate = Polls(clock), threading.Event()

    def read(now, before):
        gate.wait(10)
        return now

    first = polls.get("a", read, str, 0)
    assert (first.value, first.reading) == (None, True)
    gate.set()
    done = polls.get("a", read, str, 10)
    assert (done.value, done.reading) == (clock.time, False)
    gate.clear()
    clock.move(60)
    stale = polls.get("a", read, str, 0)
    assert (stale.value, stale.reading) == (done.value, True)
    gate.set()


def test_a_failed_poll_keeps_what_was_read():
    """The error and its time are told beside the older figures, and the account is not asked again at once."""
    clock, calls = Clock(), []
    polls = Polls(clock)

    def read(now, before):
        calls.append(now)
        if len(calls) > 1:
            raise ConnectionFailed("GET /targets.json was not answered.", sent=False)
        return "figures"

    polls.get("a", read, str, 10)
    clock.move(31)
    failed = polls.get("a", read, str, 10)
    assert (failed.value, failed.error) == ("figures", "GET /targets.json was not answered.")
    assert (failed.failed_at - failed.read_at).total_seconds() == 31
    clock.move(10)
    polls.get("a", read, str, 10)
    assert len(calls) == 2


def test_an_unexpected_error_is_not_shown(caplog):
    """What nobody has written for readers is in the log, and the next poll is tried as usual."""
    clock = Clock()
    polls = Polls(clock)

    def read(now, before):
        raise KeyError("secret-of-a-library")

    failed = polls.get("a", read, str, 10)
    assert failed.error == UNEXPECTED
    assert "secret-of-a-library" in caplog.text
    clock.move(31)
    assert polls.get("a", lambda now, before: 1, int, 10).value == 1


def test_accounts_are_apart_and_forgotten():
    """Views have polls of their own; what nobody looks at is forgotten."""
    clock = Clock()
    polls = Polls(clock)
    assert polls.get("a", lambda now, before: 1, int, 10).value == 1
    assert polls.get("b", lambda now, before: 2, int, 10).value == 2
    clock.move(FORGOTTEN + 1)
    polls.get("b", lambda now, before: 3, int, 10)
    assert set(polls._entries) == {"b"}
