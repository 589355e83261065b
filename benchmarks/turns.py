"""Measures the turns of an event loop: the time between two calls of its selector.

A turn is the time for which callbacks, one or many in a row, block the loop.
"""

from __future__ import annotations

import asyncio
import gc
import os
import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Seconds for which the loop must not be blocked.
LIMIT = 0.05


@dataclass
class Longest:
    """The longest durations, in seconds, and how often the limit was exceeded.

    :param wall: A turn in real time.
    :param awake: A turn without the time that the thread waited for a processor.
    :param work: Processor time of the loop's thread in a turn, without garbage collection.
    :param collection: One run of the garbage collector within a turn, in the thread's processor time.
    :param full: How often a full garbage collection ran.
    :param gap: How late a coroutine was resumed after a sleep.
    :param over_wall: How many turns exceeded the limit in real time.
    :param over_awake: The same without waiting for a processor.
    :param over_work: The same in processor time.
    """

    wall: float = 0.0
    awake: float = 0.0
    work: float = 0.0
    collection: float = 0.0
    full: int = 0
    gap: float = 0.0
    over_wall: int = 0
    over_awake: int = 0
    over_work: int = 0


class Clocks:
    """The clocks of the calling thread."""

    def __init__(self) -> None:
        try:
            self._statistics = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self._statistics = -1

    def queued(self) -> float:
        """Return for how many seconds the thread waited for a processor; 0 if the system has no such figure."""
        return int(os.pread(self._statistics, 100, 0).split()[1]) / 1e9 if self._statistics >= 0 else 0.0

    def read(self) -> tuple[float, float, float]:
        """Return real time, the time that the thread waited for a processor, and its processor time."""
        return time.perf_counter(), self.queued(), time.thread_time()


class WatchedSelector(selectors.DefaultSelector):
    """A selector that measures the turns of its loop."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = Longest()
        self._clocks: Clocks | None = None
        self._started: tuple[float, float, float] | None = None
        self._collecting = self._collected = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events between two turns."""
        self._clocks = self._clocks or Clocks()
        if self._started is not None:
            self._ended(self._clocks.read())
        events = super().select(timeout)
        self._collected = 0.0
        self._started = self._clocks.read()
        return events

    def _ended(self, now: tuple[float, float, float]) -> None:
        assert self._started is not None
        wall, queued, ran = (after - before for after, before in zip(now, self._started, strict=True))
        awake, work, longest = wall - queued, ran - self._collected, self.longest
        longest.wall, longest.awake = max(longest.wall, wall), max(longest.awake, awake)
        longest.work = max(longest.work, work)
        longest.over_wall += wall > LIMIT
        longest.over_awake += awake > LIMIT
        longest.over_work += work > LIMIT

    def collector(self, phase: str, info: dict[str, int]) -> None:
        """Measure the garbage collector (one of `gc.callbacks`)."""
        if phase == "start":
            self._collecting = time.thread_time()
            return
        duration = time.thread_time() - self._collecting
        self._collected += duration
        self.longest.collection = max(self.longest.collection, duration)
        self.longest.full += info["generation"] == 2


class Watch:
    """A loop whose turns are measured, in phases."""

    def __init__(self) -> None:
        self._selector = WatchedSelector()

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop (a factory for `asyncio.Runner`)."""
        return asyncio.SelectorEventLoop(self._selector)

    @contextmanager
    def phase(self) -> Iterator[Longest]:
        """Measure the loop during the block."""
        self._selector.longest = longest = Longest()
        gc.callbacks.append(self._selector.collector)
        ticker = asyncio.create_task(_tick(longest))
        try:
            yield longest
        finally:
            ticker.cancel()
            gc.callbacks.remove(self._selector.collector)


async def _tick(longest: Longest) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.005)
        longest.gap = max(longest.gap, time.perf_counter() - before - 0.005)
