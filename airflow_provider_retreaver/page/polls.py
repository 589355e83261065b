"""One poll of an account however many people look, and none when nobody looks.

What was read is kept for some seconds. The first request afterwards starts a poll on a thread of its own and waits
for it for a moment; whoever comes meanwhile gets what was read before, with its time. A poll that fails keeps what
was read, and is not repeated before its time either, so that an account that is down is not asked by every reader.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.quoting import several_lines

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


@dataclass(frozen=True, slots=True)
class Polled(Generic[T]):
    """What the page knows of one view of an account.

    :param value: what was read last; None while nothing was.
    :param read_at: when that poll began.
    :param error: why the last poll failed; blank when it did not.
    :param failed_at: when.
    :param reading: whether a poll is under way.
    """

    value: T | None = None
    read_at: datetime | None = None
    error: str = ""
    failed_at: datetime | None = None
    reading: bool = False


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
    """

    def __init__(self, now: Callable[[], datetime] = _utc_now, fresh: float = FRESH) -> None:
        self._now = now
        self._fresh = fresh
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}

    def get(self, key: Hashable, read: Callable[[datetime, T | None], T], patience: float | None = None) -> Polled[T]:
        """Return what is known, after a poll where it is time for one.

        :param key: of an account and a view.
        :param read: does the poll; gets its time, and what the last one returned. It is called on a thread.
        :param patience: seconds to wait for the poll; None for `PATIENCE`, or less where something was read before.
        :return: what is known.
        """
        now = self._now()
        with self._lock:
            self._forget(now)
            entry = self._entries.setdefault(key, _Entry())
            entry.asked_at = now
            if entry.done is None and self._is_due(entry, now):
                entry.done, entry.tried_at = threading.Event(), now
                arguments = (entry, read, now, entry.done)
                threading.Thread(target=self._poll, args=arguments, name="retreaver-page", daemon=True).start()
            done = entry.done
            usual = PATIENCE if entry.state.value is None else LESS_PATIENCE
        if done is not None:
            done.wait(usual if patience is None else patience)
        with self._lock:
            state = entry.state
            return Polled(state.value, state.read_at, state.error, state.failed_at, entry.done is not None)

    def _is_due(self, entry: _Entry, now: datetime) -> bool:
        return entry.tried_at is None or (now - entry.tried_at).total_seconds() >= self._fresh

    def _forget(self, now: datetime) -> None:
        old = [
            key
            for key, entry in self._entries.items()
            if entry.done is None and entry.asked_at and (now - entry.asked_at).total_seconds() > FORGOTTEN
        ]
        for key in old:
            del self._entries[key]

    def _poll(self, entry: _Entry, read: Callable[[datetime, Any], Any], at: datetime, done: threading.Event) -> None:
        state = entry.state
        try:
            state = Polled(read(at, state.value), at)
        except RetreaverError as error:
            state = Polled(state.value, state.read_at, str(error), at)
        except Exception as error:  # noqa: BLE001 - the boundary of the thread: readers are told, the log has it
            log.error("A poll of the Retreaver page failed: %s", several_lines(repr(error)))  # noqa: TRY400
            state = Polled(state.value, state.read_at, UNEXPECTED, at)
        finally:
            with self._lock:
                entry.state, entry.done, entry.tried_at = state, None, self._now()
            done.set()
