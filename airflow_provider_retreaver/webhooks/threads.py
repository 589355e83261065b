"""Work that may wait for ever, such as a storage's, on threads that nothing waits for when the process ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from airflow_provider_retreaver.core.futures import fill

T = TypeVar("T")

# Threads that wait for more work; others end when they have done theirs.
MOST_IDLE = 8


class _Threads:
    """Daemon threads, of which some wait for more work.

    Starting a thread waits until it runs. An event loop that starts one for each webhook stands still for longer than
    the webhook's own work takes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle = 0
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()

    def do(self, future: Future[Any], work: Callable[[], Any]) -> None:
        """Let a waiting thread do the work, or a new one when none waits: no work waits for other work."""
        with self._lock:
            waits = self._idle > 0
            if waits:
                self._idle -= 1
        if waits:
            self._work.put((future, work))
        else:
            threading.Thread(target=self._run, args=(future, work), name="retreaver-webhooks", daemon=True).start()

    def _run(self, future: Future[Any], work: Callable[[], Any]) -> None:
        while True:
            fill(future, work)
            # What was done may be large, and the next work may be hours away.
            del future, work
            with self._lock:
                if self._idle >= MOST_IDLE:
                    return
                self._idle += 1
            future, work = self._work.get()


_threads = _Threads()


def start(work: Callable[[], T]) -> asyncio.Future[T]:
    """Begin work on a daemon thread.

    :param work: a function without arguments.
    :return: its result; giving up the wait for it does not end the work.
    """
    future: Future[T] = Future()
    # Otherwise a result that comes after the wait was given up would be refused.
    future.set_running_or_notify_cancel()
    _threads.do(future, work)
    return asyncio.wrap_future(future)
