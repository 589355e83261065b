"""Threads that send the requests of one block, and end with it, at once when the block is left early."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from airflow_provider_retreaver.core.futures import fill
from airflow_provider_retreaver.core.stopping import stopped

T = TypeVar("T")

# Seconds in which a thread must end after its sockets were closed.
ENDING = 1.0
# Seconds between two looks whether the threads have ended.
LOOK = 0.02


class Stop:
    """Whether work must end; waiting for it ends at once when it is set."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._calls: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        """Return whether the work must end.

        :return: True when it must.
        """
        return self._event.is_set()

    def set(self) -> None:
        """End all waits."""
        with self._lock:
            self._event.set()
            calls = list(self._calls)
        for call in calls:
            call()

    def wait(self, seconds: float) -> None:
        """Wait, unless the work must end.

        :param seconds: how long.
        """
        self._event.wait(seconds)

    def wait_for(self, event: threading.Event) -> None:
        """Wait for an event.

        :param event: set by another thread; also set here, when the work must end.
        :raises Stopped: when the work must end.
        """
        with self._lock:
            self._calls.append(event.set)
        try:
            if not self.is_set():
                event.wait()
        finally:
            with self._lock:
                self._calls.remove(event.set)
        if self.is_set():
            raise stopped(None)


class Workers:
    """Threads for requests; use it in a `with` block, within which all of the work is submitted.

    :param most: number of threads.
    :param name: prefix of their names.
    :param interrupt: closes the sockets of these threads' requests, by their ids; called until the threads end.
    :param finish: called by each thread at its end.
    """

    def __init__(
        self,
        most: int,
        name: str,
        interrupt: Callable[[Collection[int]], None],
        finish: Callable[[], object] | None = None,
    ) -> None:
        self.stop = Stop()
        self._finish = finish
        self._most = most
        self._name = name
        self._interrupt = interrupt
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._futures: set[Future[Any]] = set()
        # Not joined: a signal's exception within `Thread.join` breaks the thread's own state (CPython 3.11, 3.12).
        self._threads: list[tuple[threading.Thread, threading.Event]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def submit(self, work: Callable[[], T], result: Future[T] | None = None) -> Future[T]:
        """Run a function in one of the threads.

        :param work: the function.
        :param result: its result to come, for a caller that is not to lose it when this is broken off.
        :return: the same, or a new one.
        """
        future: Future[T] = result or Future()
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        self._jobs.put((future, work))
        if len(self._threads) < min(self._most, len(self._futures)):
            ended = threading.Event()
            # Daemons, so that a thread that cannot be ended (a name that is not resolved) does not keep the process.
            thread = threading.Thread(
                target=self._work, args=(ended,), name=f"{self._name}-{len(self._threads)}", daemon=True
            )
            self._threads.append((thread, ended))
            thread.start()
        return future

    def _work(self, ended: threading.Event) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                future, work = job
                if future.set_running_or_notify_cancel():
                    fill(future, work)
        finally:
            if self._finish is not None:
                self._finish()
            ended.set()

    def end(self, grace: float = 0.0) -> bool:
        """End the threads: what was not begun is cancelled, what waits ends, what runs is broken off.

        :param grace: seconds for which running requests may still end by themselves.
        :return: whether all threads have ended.
        """
        self.stop.set()
        # First, so that the threads end also when this is interrupted by another signal.
        for _ in self._threads:
            self._jobs.put(None)
        for future in list(self._futures):
            future.cancel()
        if grace:
            wait(list(self._futures), timeout=grace)
        until = time.monotonic() + ENDING
        while (running := [one for one in self._threads if not one[1].is_set()]) and time.monotonic() < until:
            if self._futures:
                self._interrupt({thread.ident for thread, _ in running if thread.ident is not None})
            running[0][1].wait(LOOK)
        self._threads.clear()
        return not running
