"""Saying every so often how far a long piece of work has come."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY = 10.0


class Pace:
    """Logs done, rate and time left, about every ten seconds.

    :param say: logs a line.
    :param total: units of work in all, None when not known.
    :param began_with: units that were done before.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        total: int | None = None,
        began_with: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._total = total
        self._began_with = began_with
        self._clock = clock
        self._began = self._told = clock()

    def at(self, done: int, more: str = "") -> None:
        """Report how much is done; logged when the last line is old enough.

        :param more: what else the line should say.
        """
        now = self._clock()
        if now - self._told >= EVERY:
            self._told = now
            self._say(self._line(done, now - self._began) + more)

    def _line(self, done: int, seconds: float) -> str:
        rate = (done - self._began_with) / seconds if seconds else 0.0
        if self._total is None:
            return f"{done:,} so far, {rate:.1f} a second"
        left = f"about {_length((self._total - done) / rate)} left" if rate else "time left unknown"
        return f"{done:,} of {self._total:,} ({done / max(1, self._total):.0%}), {rate:.1f} a second, {left}"


def _length(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
