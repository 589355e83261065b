"""One poll of an account however many people look, and none when nobody looks.

What was read is kept for some seconds. The first request afterwards starts a poll on a thread of its own and waits
for it for a moment; whoever comes meanwhile gets what was read before, with its time. A poll that fails keeps what
was read, and is not repeated before its time either, so that an account that is down is not asked by every reader.
Processes that share their files (`shared.py`), of one machine or several, take turns: whoever comes later reads what
the other has read.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.quoting import several_lines
from airflow_provider_retreaver.page.polled import Polled
from airflow_provider_retreaver.page.shared import Saved, SharedFile, SharedPolls

log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds for which what was read is shown without another poll.
FRESH = 30.0
# Seconds for which a request waits for a poll before it shows that there is nothing yet, or what was read before.
PATIENCE, LESS_PATIENCE = 0.3, 0.1
# Seconds after which what nobody looks at is forgotten.
FORGOTTEN = 1_800.0
UNEXPECTED = "The poll ended with an unexpected error; the log of Airflow's api-server has it."


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Entry:
    state: Polled[Any] = field(default_factory=Polled)
    done: threading.Event | None = None
    tried_at: datetime | None = None
    asked_at: datetime | None = None


class Polls:
    """What was read of all accounts that somebody looks at.

    :param now: returns the time, in UTC.
    :param fresh: seconds for which nothing is read again.
    :param shared: files that other processes poll for, too; None where there are none.
    """

    def __init__(
        self, now: Callable[[], datetime] = _utc_now, fresh: float = FRESH, shared: SharedPolls | None = None
    ) -> None:
        self._now = now
        self._fresh = fresh
        self._shared = shared
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}

    def get(
        self,
        key: Hashable,
        read: Callable[[datetime, T | None], T],
        kind: type[T],
        patience: float | None = None,
    ) -> Polled[T]:
        """Return what is known, after a poll where it is time for one.

        :param key: of an account and a view.
        :param read: does the poll; gets its time, and what the last one returned. It is called on a thread.
        :param kind: what it returns.
        :param patience: seconds to wait for the poll; None for `PATIENCE`, or less where something was read before.
        :return: what is known.
        """
        now = self._now()
        with self._lock:
            self._forget(now)
            entry = self._entries.setdefault(key, _Entry())
            entry.asked_at = now
            if entry.done is None and self._is_due(entry.tried_at, now):
                entry.done, entry.tried_at = threading.Event(), now
                arguments = (entry, self._turn(key, kind), read, now, entry.done)
                threading.Thread(target=self._poll, args=arguments, name="retreaver-page", daemon=True).start()
            done = entry.done
            usual = PATIENCE if entry.state.value is None else LESS_PATIENCE
        if done is not None:
            done.wait(usual if patience is None else patience)
        with self._lock:
            state = entry.state
            return Polled(state.value, state.read_at, state.error, state.failed_at, entry.done is not None)

    def _is_due(self, tried_at: datetime | None, now: datetime) -> bool:
        # Another machine's clock may be ahead.
        return tried_at is None or abs((now - tried_at).total_seconds()) >= self._fresh

    def _turn(self, key: Hashable, kind: type[T]) -> AbstractContextManager[SharedFile[T]]:
        return nullcontext(SharedFile(None, kind)) if self._shared is None else self._shared.turn(key, kind)

    def _forget(self, now: datetime) -> None:
        old = [
            key
            for key, entry in self._entries.items()
            if entry.done is None and entry.asked_at and (now - entry.asked_at).total_seconds() > FORGOTTEN
        ]
        for key in old:
            del self._entries[key]

    def _poll(
        self,
        entry: _Entry,
        turn: AbstractContextManager[SharedFile[Any]],
        read: Callable[[datetime, Any], Any],
        at: datetime,
        done: threading.Event,
    ) -> None:
        saved: Saved[Any] = Saved(entry.state, at)
        try:
            with turn as file:
                found = file.read()
                if found is None or self._is_due(found.tried_at, self._now()):
                    before = entry.state if found is None else found.state
                    saved = Saved(_polled(before, read, at), self._now())
                    file.write(saved)
                else:
                    saved = found
        finally:
            with self._lock:
                entry.state, entry.done, entry.tried_at = saved.state, None, saved.tried_at
            done.set()


def _polled(state: Polled[Any], read: Callable[[datetime, Any], Any], at: datetime) -> Polled[Any]:
    """Poll, and return what is known then."""
    try:
        return Polled(read(at, state.value), at)
    except RetreaverError as error:
        return Polled(state.value, state.read_at, str(error), at)
    except Exception as error:  # noqa: BLE001 - the boundary of the thread: readers are told, the log has it
        log.error("A poll of the Retreaver page failed: %s", several_lines(repr(error)))  # noqa: TRY400
        return Polled(state.value, state.read_at, UNEXPECTED, at)
