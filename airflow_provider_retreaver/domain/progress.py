"""A line about the progress of long work every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

INTERVAL = 10.0


class ProgressLogger:
    """Logs what is done, the rate and the time left, about every ten seconds.

    :param log_line: logs one line.
    :param total: units of work in all, None while it is not known.
    :param done_before: units that an earlier attempt did; they do not count for the rate.
    :param clock: returns monotonic seconds.
    """

    def __init__(
        self,
        log_line: Callable[[str], None],
        total: int | None = None,
        done_before: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log_line = log_line
        self._total = total
        self._done_before = done_before
        self._clock = clock
        self._started = self._last_line = clock()

    def update(self, done: int, details: str = "", total: int | None = None) -> None:
        """Log a line if the last one is at least ten seconds old.

        :param done: units of work that are done, those of earlier attempts included.
        :param details: end of the line.
        :param total: units of work in all, where it has become known or has changed.
        """
        now = self._clock()
        if now - self._last_line >= INTERVAL:
            self._last_line = now
            self._log_line(self._line(done, self._total if total is None else total, now - self._started) + details)

    def _line(self, done: int, total: int | None, seconds: float) -> str:
        rate = (done - self._done_before) / seconds if seconds else 0.0
        if total is None:
            return f"{done:,} so far, {rate:.1f} a second"
        left = f"about {_format_seconds(max(0, total - done) / rate)} left" if rate else "time left unknown"
        return f"{done:,} of {total:,} ({done / max(1, total):.0%}), {rate:.1f} a second, {left}"


def _format_seconds(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
