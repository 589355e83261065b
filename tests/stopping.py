"""Tells work to stop by a signal, as Airflow does."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

# Seconds within which the busiest machine ends work that was told to stop; what waits in tests waits for longer.
IN_TIME = 30.0
OF_NO_TASK = frozenset({"retreaver-sandbox", "retreaver-webhooks", "retreaver-page"})


class TimeIsUp(BaseException):
    """What Airflow raises for `execution_timeout`."""


def until_told_to_stop(seconds: float, work: Callable[[], Any], library: str | None = None) -> Any:
    """Run a function until a signal after some seconds; return its result, None when it was stopped.

    Threads whose names begin with `library`, within which a library hangs, may be left behind, as daemons.
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
        assert took < IN_TIME, f"it ended {took:.1f} s after it was told to stop"
        left = threads_left(library)
        assert not left, f"these threads are left: {left}"
        assert all(one.daemon for one in threading.enumerate() if library and one.name.startswith(library))
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def own_threads() -> list[str]:
    """Return the names of the threads that tasks have of this package.

    The sandbox's, and those that serve webhooks and the page in an api-server, belong to no task: they wait for more.
    """
    names = [thread.name for thread in threading.enumerate()]
    return sorted(name for name in names if name.startswith("retreaver") and name not in OF_NO_TASK)


def threads_left(library: str | None = None) -> list[str]:
    """Return the names of this package's threads; a busy machine may need a moment to end the last of them.

    Threads whose names begin with `library` may be left behind.
    """
    until = time.monotonic() + IN_TIME
    while True:
        left = [name for name in own_threads() if not (library and name.startswith(library))]
        if not left or time.monotonic() > until:
            return left
        threading.Event().wait(0.02)
