"""How many requests of one account are under way at once in this process, and when all of them slow down.

Additive increase, multiplicative decrease: a 429 halves the number of places and holds everybody back for as long as
the vendor asks; every answer that is not a 429 gives a little of it back. How many requests were under way, and how
many of them were refused, tells how many the vendor takes: up to there places come back quickly, and beyond it one is
tried seldom, more seldom each time that it is refused. Threads and event loops share one limiter per account, so a
sensor's poll and an export slow down together.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager

from airflow_provider_retreaver.core.settings import Settings

# Seconds for which a 429 without `Retry-After` holds back the others; the request itself backs off by policy.
BRIEF_PAUSE = 1.0
# The longest that one answer may hold back everybody else.
LONGEST_PAUSE = 120.0
# Good answers after which one place more than the vendor took is tried: at first, at least, at most.
TRY_AFTER, TRY_SOONEST, TRY_LATEST = 64, 16, 4096


class Limiter:
    """Places for requests, granted in the order in which they were asked for.

    :param most: places when the vendor is content.
    :param clock: monotonic seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._places = float(most)
        self._taken = 0
        # Ordered, and left from the middle in no time: a thousand who wait may be cancelled in one moment.
        self._queue: OrderedDict[Callable[[], bool], None] = OrderedDict()
        self._quiet_until = 0.0
        # How many the vendor took when it refused some, None while that is not known.
        self._ceiling: int | None = None
        # Answers to come to requests that were under way at the last refusal: they tell of the same moment.
        self._same_moment = 0
        self._calm = 0
        self._try_after = TRY_AFTER

    @property
    def places(self) -> int:
        """How many requests may be under way now."""
        return max(1, int(self._places))

    @property
    def taken(self) -> int:
        """How many are under way."""
        return self._taken

    def take(self, granted: Callable[[], bool]) -> bool:
        """Take a place now (True), or queue for one.

        :param granted: called once, from any thread, when the place is there; returns whether it will be used.
        """
        with self._lock:
            if self._taken < self.places and not self._queue:
                self._taken += 1
                return True
            self._queue[granted] = None
            return False

    def withdraw(self, granted: Callable[[], bool]) -> None:
        """Leave the queue; a place that was granted meanwhile is given back."""
        with self._lock:
            if granted in self._queue:
                del self._queue[granted]
                return
        self.release()

    def release(self) -> None:
        """Give a place back and grant the places that are free to those who wait."""
        with self._lock:
            self._taken -= 1
            calls = []
            while self._queue and self._taken < self.places:
                self._taken += 1
                calls.append(self._queue.popitem(last=False)[0])
        for granted in calls:
            if not granted():
                self.release()

    def pause(self) -> float:
        """Seconds to hold back before the next request."""
        return max(0.0, self._quiet_until - self._clock())

    def learn(self, status: int, retry_after: float | None) -> None:
        """Take note of an answer.

        :param status: its HTTP status.
        :param retry_after: seconds that it asked to wait, None when it did not say.
        """
        with self._lock:
            same_moment = self._same_moment > 0
            self._same_moment = max(0, self._same_moment - 1)
            if status != 429:
                self._grow()
                return
            self._shrink(same_moment=same_moment)
            wait = BRIEF_PAUSE if retry_after is None else min(retry_after, LONGEST_PAUSE)
            self._quiet_until = max(self._quiet_until, self._clock() + wait)

    def _grow(self) -> None:
        if self._ceiling is None:
            self._places = min(float(self._most), self._places + 1.0 / max(1.0, self._places))
        elif self._places < self._ceiling:
            self._places = min(float(self._ceiling), self._places + 1.0)
        else:
            self._calm += 1
            if self._calm >= self._try_after:
                self._calm = 0
                self._try_after = max(TRY_SOONEST, self._try_after // 2)
                self._ceiling += 1
                self._places = float(self._ceiling)
                if self._ceiling >= self._most:
                    self._ceiling, self._places = None, float(self._most)

    def _shrink(self, *, same_moment: bool) -> None:
        self._calm = 0
        if same_moment and self._ceiling is not None:
            self._ceiling = max(1, self._ceiling - 1)
            self._places = min(self._places, float(self._ceiling))
            return
        self._places = max(1.0, self._places / 2.0)
        # One alone that is refused says nothing about how many are taken at once.
        tried = self._ceiling is not None
        self._ceiling = self._taken - 1 if self._taken > 1 else None
        self._same_moment = max(0, self._taken - 1)
        self._try_after = min(TRY_LATEST, self._try_after * 4) if tried else TRY_AFTER

    @contextmanager
    def place(self) -> Generator[None]:
        """Hold a place for one request of a blocking client."""
        ready = threading.Event()

        def granted() -> bool:
            ready.set()
            return True

        if not self.take(granted):
            try:
                ready.wait()
            except BaseException:
                self.withdraw(granted)
                raise
        try:
            yield
        finally:
            self.release()

    async def enter(self) -> None:
        """Take a place for one request of an asynchronous client; `release` gives it back."""
        loop = asyncio.get_running_loop()
        ready = loop.create_future()

        def granted() -> bool:
            try:
                loop.call_soon_threadsafe(_done, ready)
            except RuntimeError:
                # The loop was closed under its tasks: nobody will use the place.
                return False
            return True

        if not self.take(granted):
            try:
                await ready
            except BaseException:
                self.withdraw(granted)
                raise


def _done(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


_limiters: dict[tuple[str, str, int], Limiter] = {}
_guard = threading.Lock()


def limiter_for(settings: Settings) -> Limiter:
    """Return the limiter that all clients of this account share in this process."""
    with _guard:
        return _limiters.setdefault(settings.account, Limiter(settings.max_concurrency))
