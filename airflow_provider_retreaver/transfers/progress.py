"""Saying now and then how far an export is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from airflow_provider_retreaver.domain.calls.export import ExportProgress

log = logging.getLogger(__name__)

# Seconds between two lines.
EVERY = 10.0


class ProgressLog:
    """Logs rows, pages of all pages, speed and time left about every ten seconds; give it to `export_calls`.

    :param clock: seconds that pass (tests pass a fake).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._said = clock()

    def __call__(self, progress: ExportProgress) -> None:
        """Note how far it is, and say so when it is time."""
        now = self._clock()
        if now - self._said < EVERY:
            return
        self._said = now
        seconds = max(now - self._began, 0.001)
        left = ""
        if progress.of_pages and progress.pages:
            left = f", about {seconds / progress.pages * max(0, progress.of_pages - progress.pages):.0f} s left"
        log.info(
            "%d calls, page %d of %s, %.0f calls a second%s",
            progress.rows,
            progress.pages,
            progress.of_pages or "?",
            progress.rows / seconds,
            left,
        )
