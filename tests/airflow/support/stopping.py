"""Tells work to stop by a signal, as Airflow does."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any


class TimeIsUp(BaseException):
    """What Airflow raises for `execution_timeout`."""


def until_told_to_stop(seconds: float, work: Callable[[], Any], library: str | None = None) -> Any:
    """Run a function until a signal after some seconds; return its result, None when it was stopped.

    Threads of the name `library`, within which a library hangs, may be left behind, as daemons.
    """

    def handle(*_: object) -> None:
        told.append(time.monotonic())
        raise TimeIsUp

    told: list[float] = []
    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return work()
    except TimeIsUp:
        took = time.monotonic() - told[0]
        assert took < 5, f"it ended {took:.1f} s after it was told to stop"
        left = threads_left(library)
        assert not left, f"these threads are left: {left}"
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == library)
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def threads_left(library: str | None = None) -> list[str]:
    """Return the names of this package's threads; a busy machine may need a moment to end the last of them."""
    until = time.monotonic() + 3
    while True:
        names = {thread.name for thread in threading.enumerate()} - {"retreaver-sandbox", library}
        left = sorted(name for name in names if name.startswith("retreaver"))
        if not left or time.monotonic() > until:
            return left
        threading.Event().wait(0.02)
