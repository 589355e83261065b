"""How many requests of one account run concurrently in this process, and how fast they follow each other.

A 429 is one of two things. A server that accepts so many requests at once refuses those beyond: the number of
pending requests at a refusal shows how many it accepts, so that the refused ones wait as long as it asks, and the
others go on below that number. Seldom one more is tried, and less often each time that it is refused. A server that
accepts so many requests a second refuses also as many at once as it has accepted before: then all requests wait as
long as it asks, and go on at a pace (`pacing.py`). A 429 to a request that was alone says neither: all requests wait.
Threads and event loops share one limiter per account, so that a sensor and an export slow down together.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.transport.pacing import Pace
from airflow_provider_retreaver.transport.workers import Stop

# Seconds for which a 429 without `Retry-After` pauses all requests, where it pauses them.
SHORT_PAUSE = 1.0
# The longest pause that one response may cause.
MAX_PAUSE = 120.0
# Number of accepted requests after which one more concurrent request is tried: at first, at least, at most.
TRY_AFTER, MIN_TRY_AFTER, MAX_TRY_AFTER = 192, 24, 4096


@dataclass(frozen=True, slots=True)
class LimiterState:
    """What a limiter allows at a moment.

    :param places: requests that may run at once.
    :param most: requests that may run at once while the server refuses none.
    :param taken: requests that are running.
    :param waiting: requests that wait for a place.
    :param pause: seconds for which all requests still pause.
    :param rate: requests a second, where the server limits them so; None otherwise.
    """

    places: int
    most: int
    taken: int
    waiting: int
    pause: float
    rate: float | None


class Limiter:
    """Places for requests, granted in the order of the requests.

    :param most: number of places while the server refuses none.
    :param clock: returns monotonic seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._places = float(most)
        self._taken = 0
        # Ordered, with fast removal from the middle: a thousand waiting requests may be cancelled at once.
        self._queue: OrderedDict[Callable[[], bool], None] = OrderedDict()
        self._paused_until = 0.0
        self._pace = Pace()
        # Concurrent requests that the server accepted when it refused some, None while unknown.
        self._ceiling: int | None = None
        # Responses still to come to requests that were pending at the last refusal: they belong to the same refusal.
        self._same_refusal = 0
        self._accepted = 0
        self._try_after = TRY_AFTER
        # Accepted requests in a row while all places were taken, and the most places that were accepted so.
        self._streak = 0
        self._proved = 0
        self._accepted_at: float | None = None

    @property
    def places(self) -> int:
        """How many requests may run concurrently now."""
        return max(1, int(self._places))

    @property
    def taken(self) -> int:
        """How many requests are running."""
        return self._taken

    def state(self) -> LimiterState:
        """Return what is allowed now, for people who look; takes no place and no turn.

        :return: the state.
        """
        with self._lock:
            pause = max(0.0, self._paused_until - self._clock())
            return LimiterState(self.places, self._most, self._taken, len(self._queue), pause, self._pace.rate)

    def take(self, granted: Callable[[], bool]) -> bool:
        """Take a place, or queue for one.

        :param granted: called once, from any thread, when a queued request gets its place; returns whether it is
            still used.
        :return: True when the place was taken, False when the request was queued.
        """
        with self._lock:
            if self._taken < self.places and not self._queue:
                self._taken += 1
                return True
            self._queue[granted] = None
            return False

    def withdraw(self, granted: Callable[[], bool]) -> None:
        """Leave the queue, or give back a place that was granted in the meantime.

        :param granted: the callback that was queued.
        """
        with self._lock:
            if granted in self._queue:
                del self._queue[granted]
                return
        self.release()

    def release(self) -> None:
        """Give a place back, and grant free places to queued requests."""
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
        """Return how long the next request waits; called once for each that has its place.

        :return: seconds of the current pause, and until its turn at the pace.
        """
        with self._lock:
            now = self._clock()
            after = max(now, self._paused_until)
            return after - now + self._pace.wait(after, self._most)

    def learn(self, status: int, retry_after: float | None) -> None:
        """Adapt to a response.

        :param status: its HTTP status.
        :param retry_after: seconds that it asks to wait, None when it does not.
        """
        with self._lock:
            now = self._clock()
            same_refusal = self._same_refusal > 0
            self._same_refusal = max(0, self._same_refusal - 1)
            if status != 429:
                self._accepted_at = now
                self._pace.accepted(now, late=same_refusal)
                self._prove()
                return
            self._streak = 0
            wait = SHORT_PAUSE if retry_after is None else min(retry_after, MAX_PAUSE)
            paced = self._pace.rate is not None
            lately = self._accepted_at is not None and now - self._accepted_at <= max(wait, SHORT_PAUSE)
            by_time = paced or (lately and 0 < self._taken <= self._proved)
            if by_time and self._pace.is_chance():
                return
            if not by_time:
                self._shrink(same_refusal=same_refusal)
                # Of a request that was alone, the server may have meant any.
                wait = wait if self._taken <= 1 else 0.0
            elif not (paced and same_refusal):
                self._pace.refused(now, wait)
                self._same_refusal = self._taken - 1
            self._paused_until = max(self._paused_until, now + wait)

    def _prove(self) -> None:
        # At a pace some of them wait for their turn, and are not known to the server.
        if self._taken >= self.places and self._pace.rate is None:
            self._streak += 1
        # More than half of them: the first refusal may come before the last of so many that were sent with it.
        if self._streak > self.places // 2:
            self._proved = max(self._proved, self.places)
        before = self.places
        self._grow()
        if self.places != before:
            self._streak = 0

    def _grow(self) -> None:
        if self._ceiling is None:
            self._places = min(float(self._most), self._places + 1.0 / max(1.0, self._places))
        elif self._places < self._ceiling:
            self._places = min(float(self._ceiling), self._places + 1.0)
        elif self._pace.rate is None:
            self._accepted += 1
            if self._accepted >= self._try_after:
                self._accepted = 0
                self._try_after = max(MIN_TRY_AFTER, self._try_after // 2)
                self._ceiling += 1
                self._places = float(self._ceiling)
                if self._ceiling >= self._most:
                    self._ceiling, self._places = None, float(self._most)

    def _shrink(self, *, same_refusal: bool) -> None:
        self._accepted = 0
        if same_refusal and self._ceiling is not None:
            self._ceiling = max(1, self._ceiling - 1)
            self._places = min(self._places, float(self._ceiling))
            return
        self._places = max(1.0, self._places / 2.0)
        # One refused request alone does not show how many concurrent ones are accepted.
        tried = self._ceiling is not None
        self._ceiling = self._taken - 1 if self._taken > 1 else None
        self._same_refusal = max(0, self._taken - 1)
        self._try_after = min(MAX_TRY_AFTER, self._try_after * 4) if tried else TRY_AFTER

    @contextmanager
    def place(self, stop: Stop | None = None) -> Generator[None]:
        """Hold a place for one request of a blocking client.

        :param stop: ends waiting for the place; None for the caller's own thread.
        :yield: a context manager.
        :raises Stopped: when the work must end before there was a place.
        """
        stop = stop or Stop()
        ready = threading.Event()

        def granted() -> bool:
            ready.set()
            return True

        if not self.take(granted):
            try:
                stop.wait_for(ready)
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
                # The loop was closed: the place will not be used.
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


def limiter_for(settings: ClientSettings) -> Limiter:
    """Return the limiter that all clients of an account share in this process.

    :param settings: of the connection.
    :return: the limiter.
    """
    with _guard:
        return _limiters.setdefault(settings.account, Limiter(settings.max_concurrency))
