"""How many requests of one account run concurrently in this process, and how fast they follow each other.

A 429 is one of three things:

* A server that accepts so many requests at once refuses those beyond: the number of requests that were under way with
  a refused one shows how many it accepts. The refused ones wait as long as it asks, and the others go on below that
  number, at first one alone. Seldom one more is tried, and less often each time that it is refused.
* A server that accepts so many requests a second also refuses far fewer at once than it has accepted before: then all
  requests wait as long as it asks, and go on at a pace (`pacing.py`).
* A refusal by chance, of about as many at once as were accepted before and long after the last one: only the refused
  request waits.

A 429 to a request that was alone, where no other one was accepted before, may be any: all requests wait. Threads and
event loops share one limiter per account, so that a sensor and an export slow down together.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager

from airflow_provider_retreaver.transport.limiter_state import Flight, LimiterState
from airflow_provider_retreaver.transport.pacing import Pace
from airflow_provider_retreaver.transport.workers import Stop

# Seconds for which a 429 without `Retry-After` pauses all requests, where it pauses them.
SHORT_PAUSE = 1.0
# The longest pause that one response may cause.
MAX_PAUSE = 120.0
# Number of accepted requests after which one more concurrent request is tried: at first, at least, at most.
TRY_AFTER, MIN_TRY_AFTER, MAX_TRY_AFTER = 192, 24, 4096
# Share of a place by which an accepted request adds to the places below those that the server accepts: the first ones
# after a refusal are few, so that a limit by time refuses few more.
GROWTH = 0.5
# A refusal is by chance when at least so many requests were accepted since the last one, up to as many at once.
APART = 4


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
        # When at the latest a request that goes alone after a refusal is sent beside others.
        self._alone_until: float | None = None
        self._flights: set[Flight] = set()
        # Refusals that changed something here, and accepted requests that were sent since the last 429.
        self._refusals = 0
        self._between = 0
        self._accepted = 0
        self._try_after = TRY_AFTER
        # Accepted requests in a row while all places were used, and those that were under way at the last refusal;
        # the most requests at once that were accepted so, by either.
        self._streak = 0
        self._late = 0
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
            self._end_turn_alone()
            if self._taken < self.places and not self._queue:
                self._taken += 1
                return True
            self._queue[granted] = None
            calls = self._next_granted()
        self._call(calls)
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
            calls = self._next_granted()
        self._call(calls)

    def _next_granted(self) -> list[Callable[[], bool]]:
        calls = []
        while self._queue and self._taken < self.places:
            self._taken += 1
            calls.append(self._queue.popitem(last=False)[0])
        return calls

    def _call(self, calls: list[Callable[[], bool]]) -> None:
        for granted in calls:
            if not granted():
                self.release()

    def _end_turn_alone(self) -> None:
        """Let half of the places be used when the requests that the next one waits for take long, such as downloads.

        Requests that were refused come back after their wait, and so call this.
        """
        if self._alone_until is not None and self._clock() >= self._alone_until:
            self._alone_until = None
            if self._ceiling is not None:
                self._places = max(self._places, self._ceiling / 2)

    def turn(self, waited: Flight | None = None) -> Flight:
        """Return when the next request may be sent; called for each that has its place.

        :param waited: the request when it has waited for its turn; None before. It has another turn when one was
            refused in the meantime.
        :return: the request, whose `wait` lasts for the current pause, and until its turn at the pace.
        """
        with self._lock:
            now = self._clock()
            if waited is not None and (waited.refusals == self._refusals or now >= self._paused_until):
                waited.wait = 0.0
                return waited
            after = max(now, self._paused_until)
            return Flight(after - now + self._pace.wait(after, self._most), self._refusals)

    @contextmanager
    def under_way(self, flight: Flight) -> Generator[None]:
        """Count a request, from its sending to its response or its failure.

        :param flight: the request.
        :yield: a context manager.
        """
        with self._lock:
            self._flights.add(flight)
            for one in self._flights:
                one.most = max(one.most, len(self._flights))
        try:
            yield
        finally:
            with self._lock:
                self._flights.discard(flight)

    def learn(self, flight: Flight, status: int, retry_after: float | None) -> None:
        """Adapt to a response.

        :param flight: of the request.
        :param status: HTTP status of the response.
        :param retry_after: seconds that it asks to wait, None when it does not.
        """
        with self._lock:
            self._flights.discard(flight)
            now = self._clock()
            # It belongs to the last refusal: it was under way then, or waited for its turn.
            late = flight.refusals < self._refusals
            if status != 429:
                self._accepted_at = now
                self._between += not late
                self._pace.accepted(now, late=late)
                self._prove(late=late)
                return
            close = self._between < APART
            self._between = self._streak = 0
            wait = SHORT_PAUSE if retry_after is None else min(retry_after, MAX_PAUSE)
            paced = self._pace.rate is not None
            lately = self._accepted_at is not None and now - self._accepted_at <= max(wait, SHORT_PAUSE)
            # The server may have had fewer than were under way here, when it accepted them and when it refused: only
            # far fewer show that their number is not what it limits.
            few = flight.most == 1 <= self._proved or (close and 2 * flight.most <= self._proved)
            by_time = paced or (lately and few)
            if self._pace.is_chance() if by_time else not close and flight.most <= self._proved:
                return
            if not by_time:
                self._shrink(flight, now + max(wait, SHORT_PAUSE), late=late)
                # Of a request that was alone, the server may have meant any.
                wait = wait if flight.most <= 1 else 0.0
            elif not (paced and late):
                self._pace.refused(now, wait)
                if not self._pace.is_guess:
                    # What was taken for a limit of requests at once before was none.
                    self._ceiling, self._places = None, max(self._places, float(self._proved))
                self._count_refusal()
            self._paused_until = max(self._paused_until, now + wait)

    def _count_refusal(self) -> None:
        self._refusals += 1
        self._late = 0

    def _prove(self, *, late: bool) -> None:
        # At a pace, few are under way at once whatever the server accepts.
        if self._pace.rate is None:
            if late:
                self._late += 1
            elif len(self._flights) + 1 >= self.places:
                self._streak += 1
            # More than half of them: the first refusal may come before the last of so many that were sent with it.
            self._proved = max(self._proved, self._late, self.places if self._streak > self.places // 2 else 0)
        before = self.places
        if not late:
            self._grow()
        if self.places != before:
            self._streak = 0

    def _grow(self) -> None:
        if self._ceiling is None:
            self._places = min(float(self._most), self._places + 1.0 / max(1.0, self._places))
        elif self._places < self._ceiling:
            self._places = min(float(self._ceiling), self._places + GROWTH)
        elif self._pace.rate is None:
            self._accepted += 1
            if self._accepted >= self._try_after:
                self._accepted = 0
                self._try_after = max(MIN_TRY_AFTER, self._try_after // 2)
                self._ceiling += 1
                self._places = float(self._ceiling)
                if self._ceiling >= self._most:
                    self._ceiling, self._places = None, float(self._most)

    def _shrink(self, flight: Flight, until: float, *, late: bool) -> None:
        self._accepted = 0
        before = self._ceiling
        if before is not None and late:
            self._ceiling = max(1, before - 1)
            self._places = min(self._places, float(self._ceiling))
            return
        if flight.most > 1:
            self._ceiling = flight.most - 1
            # The next one goes alone: when it is refused as well, the limit is not one of requests at once.
            self._places = 1.0 if before is None else float(self._ceiling)
            self._alone_until = until if before is None else None
        else:
            # One refused request alone does not show how many concurrent ones are accepted.
            self._ceiling, self._places = None, max(1.0, self._places / 2.0)
        self._count_refusal()
        tried = before is not None and self._ceiling == before - 1
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
