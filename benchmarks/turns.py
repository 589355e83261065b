"""What an event loop does in one turn: from the moment it has found events until it looks for events again.

Nobody else gets anything done in a turn, so its length is how long a callback, or many in a row, hold the loop.
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

# Seconds that nobody may hold the loop for.
LIMIT = 0.05


@dataclass
class Longest:
    """The longest that was seen, all in seconds, and how often the limit was passed.

    :param wall: a turn by the clock on the wall.
    :param awake: the same without what the thread waited for a processor that others had.
    :param work: what the loop's thread computed in a turn, Python's garbage collector left out.
    :param collection: one run of the garbage collector within a turn, in time of the thread.
    :param full: how often the collector went through everything that the process holds.
    :param gap: how much later than asked a coroutine came to its turn.
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
        """Return the seconds for which the thread could have run and had no processor; 0 where nobody counts them."""
        return int(os.pread(self._statistics, 100, 0).split()[1]) / 1e9 if self._statistics >= 0 else 0.0

    def read(self) -> tuple[float, float, float]:
        """Return the time on the wall, the time that the thread waited for a processor, and the time that it ran."""
        return time.perf_counter(), self.queued(), time.thread_time()


class WatchedSelector(selectors.DefaultSelector):
    """A selector that knows when its loop comes and goes."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = Longest()
        self._clocks: Clocks | None = None
        self._began: tuple[float, float, float] | None = None
        self._collecting = self._collected = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events, between the end of one turn and the beginning of the next."""
        self._clocks = self._clocks or Clocks()
        if self._began is not None:
            self._ended(self._clocks.read())
        found = super().select(timeout)
        self._collected = 0.0
        self._began = self._clocks.read()
        return found

    def _ended(self, now: tuple[float, float, float]) -> None:
        assert self._began is not None
        wall, queued, ran = (after - before for after, before in zip(now, self._began, strict=True))
        awake, work, longest = wall - queued, ran - self._collected, self.longest
        longest.wall, longest.awake = max(longest.wall, wall), max(longest.awake, awake)
        longest.work = max(longest.work, work)
        longest.over_wall += wall > LIMIT
        longest.over_awake += awake > LIMIT
        longest.over_work += work > LIMIT

    def collector(self, phase: str, info: dict[str, int]) -> None:
        """Take the time of the garbage collector (one of `gc.callbacks`)."""
        if phase == "start":
            self._collecting = time.thread_time()
            return
        took = time.thread_time() - self._collecting
        self._collected += took
        self.longest.collection = max(self.longest.collection, took)
        self.longest.full += info["generation"] == 2


class Watch:
    """A loop that is watched, phase by phase."""

    def __init__(self) -> None:
        self._selector = WatchedSelector()

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop (a factory for `asyncio.Runner`)."""
        return asyncio.SelectorEventLoop(self._selector)

    @contextmanager
    def phase(self) -> Iterator[Longest]:
        """Watch, on the loop, for as long as the block lasts."""
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
