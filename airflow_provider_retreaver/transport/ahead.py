"""Running many operations concurrently and returning their results in order, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Generic, Protocol, TypeVar

from airflow_provider_retreaver.core.operations import Operation, Procedure

T = TypeVar("T")
F = TypeVar("F", bound="Running")
Work = Operation[T] | Procedure[T]

# Results that wait to be taken occupy memory: so many may, at most, and more while the first one is still to come,
# because its request is sent again after a failure.
MAX_WAITING, MAX_WAITING_FOR_THE_FIRST = 16, 48


class Running(Protocol):
    """Work that was started: a future of `asyncio` or `concurrent.futures`."""

    def done(self) -> bool:
        """Return whether it has ended.

        :return: True when it has.
        """

    def cancel(self) -> bool:
        """End it.

        :return: False when it had ended.
        """

    def add_done_callback(self, called: Callable[[Any], object], /) -> None:
        """Call a function when it ends.

        :param called: the function.
        """


class Ahead(Generic[T, F]):
    """Operations that run concurrently, with their results in the order in which they were named.

    The next operation is requested whenever there is room, also when one has just ended whose result was not taken
    yet, so that its response can decide what is requested next.

    :param start: starts one operation or procedure; called from several threads, one at a time.
    :param following: returns the next operation or procedure, None when there is none at present.
    :param most: number of concurrent operations.
    :param result: waits for what was started, and returns its result.
    """

    def __init__(
        self,
        start: Callable[[Work[T]], F],
        following: Callable[[], Work[T] | None],
        most: int,
        result: Callable[[F], T],
    ) -> None:
        self._start = start
        self._following = following
        self._most = most
        self._result = result
        self._queue: deque[F] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def results(self) -> Generator[T]:
        """Yield the results in order; the error of an operation is raised in its place.

        :return: results.
        :raises RetreaverError: of a class of `core.errors`.
        """
        try:
            self._fill()
            while self._queue:
                result = self._result(self._queue[0])
                with self._lock:
                    self._queue.popleft()
                self._fill()
                yield result
                self._fill()
        finally:
            with self._lock:
                self._closed = True
            for future in self._queue:
                future.cancel()

    def _fill(self, _: object = None) -> None:
        added = []
        with self._lock:
            while not self._closed and self._has_room():
                operation = self._following()
                if operation is None:
                    break
                added.append(self._start(operation))
                self._queue.append(added[-1])
        for future in added:
            future.add_done_callback(self._fill)

    def _has_room(self) -> bool:
        if self._queue and not self._queue[0].done():
            waiting = MAX_WAITING_FOR_THE_FIRST
        else:
            waiting = min(self._most, MAX_WAITING)
        return len(self._queue) < self._most + waiting and sum(not one.done() for one in self._queue) < self._most
