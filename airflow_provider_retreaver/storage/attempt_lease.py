"""Leases without a folder, and how a run takes a lease when it is about to send.

Airflow's task state store shows an older attempt of the same task that a newer one has begun; it belongs to one task
of one run, so other runs are not seen.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from airflow_provider_retreaver.core.errors import RunUnderWay
from airflow_provider_retreaver.storage.temporary_folders import Attempt

log = logging.getLogger(__name__)

# Seconds after which a holder gives a sign.
RENEWED_AFTER = 60.0
# Seconds without a sign of an earlier attempt of the same task after which it counts as ended.
PATIENCE = 300.0
ATTEMPT = "retreaver_attempt"
EARLIER = "an earlier attempt of this task"


@dataclass(frozen=True, slots=True)
class FormerHolder:
    """A holder from which a lease is taken, since it has not given it back.

    :param name: whose it was.
    :param silent: seconds since its last sign.
    :param is_gone: whether its process is seen to be gone.
    """

    name: str
    silent: float
    is_gone: bool

    def log_takeover(self) -> None:
        """Log that this run has the lease now, and what may meet."""
        if self.is_gone:
            log.info("This run takes over from %s, whose process is gone.", self.name)
            return
        log.warning(
            "This run takes over from %s, which has not ended and gave its last sign %.0f s ago. If it still runs, "
            "on another machine, it stops before its next request; the one that it is sending may meet those of "
            "this run.",
            self.name,
            self.silent,
        )


class NoLease:
    """Nothing is leased, since there is no place that all runs see."""

    # Whether no other run is at work.
    is_exclusive = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing has to be given back."""

    def confirm(self) -> None:
        """Check that the lease is held still.

        :raises RunUnderWay: when another run has taken over; nothing more may be sent.
        """

    def renew(self) -> None:
        """Move the end of the lease on, at most once a minute."""


class AttemptLease(NoLease):
    """A lease among the attempts of one task of a run, in Airflow's task state store: the newest attempt holds it.

    :param store: the task state store.
    :param patience: seconds for which an earlier attempt without an end counts as at work.
    :param clock: returns seconds since 1970.
    :raises RunUnderWay: on entering, when an earlier attempt counts as at work.
    """

    def __init__(self, store: Any, patience: float = 0.0, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._patience = patience
        self._clock = clock
        self._attempt = Attempt.new()
        self._renewed = 0.0

    def __enter__(self) -> Self:
        found = self._stored()
        seen, now = found.get("seen"), self._clock()
        if isinstance(seen, (int, float)) and seen:
            former = FormerHolder(EARLIER, now - seen, is_gone=is_gone(found))
            if seen + self._patience > now and not former.is_gone:
                raise RunUnderWay(
                    "An earlier attempt of this task is at work still; nothing was sent. This one starts when it has "
                    "ended.",
                    holder=EARLIER,
                )
            former.log_takeover()
        self._write(now)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._attempt.release()
        if self._stored().get("token") == self._attempt.name:
            self._write(0.0)

    def confirm(self) -> None:
        """Check that no newer attempt has begun.

        :raises RunUnderWay: when one has; nothing more may be sent.
        """
        if self._stored().get("token") != self._attempt.name:
            raise RunUnderWay("A newer attempt of this task has begun, so this one stops; the newer one continues.")
        self.renew()

    def renew(self) -> None:
        """Give a sign, at most once a minute."""
        if self._clock() - self._renewed >= RENEWED_AFTER:
            self._write(self._clock())

    def _stored(self) -> Mapping[str, Any]:
        found = self._store.get(ATTEMPT)
        return found if isinstance(found, Mapping) else {}

    def _write(self, seen: float) -> None:
        self._store.set(ATTEMPT, {"token": self._attempt.name, "seen": seen})
        self._renewed = self._clock()


class Turn:
    """A lease that a run takes when it is about to send, and that it gives back at the end of the block.

    :param lease: that is taken.
    """

    def __init__(self, lease: NoLease) -> None:
        self._lease = lease
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.__exit__(kind, error, trace)

    def take(self) -> None:
        """Take the lease.

        :raises RunUnderWay: when another run has it; nothing was sent.
        """
        self._held.enter_context(self._lease)

    def confirm(self) -> None:
        """Check that the lease is held still.

        :raises RunUnderWay: when another run has taken over; nothing more may be sent.
        """
        self._lease.confirm()


def is_gone(found: Mapping[str, Any]) -> bool:
    """Return whether a holder's process is seen to be gone.

    :param found: what the holder has stored, with its `token`.
    :return: True when it is gone; nothing is known of processes on other machines.
    """
    attempt = Attempt.of(str(found.get("token")))
    return attempt is not None and attempt.has_ended()
