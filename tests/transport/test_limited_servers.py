"""The limiter against servers that limit requests at once or a second: how many are refused, how long it takes.

Simulated on a fake clock: eight requests at a time, each sent again when it was refused, after `Retry-After`.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count

import pytest

from airflow_provider_retreaver.transport.limiter import SHORT_PAUSE, Limiter
from airflow_provider_retreaver.transport.limiter_state import Flight
from tests.transport.test_limiter import learn

LATENCY, REFUSAL, RETRY_AFTER = 0.05, 0.004, 1.0


@dataclass
class Server:
    """Answers requests within its limits.

    :param at_once: requests at the same time, None for any number.
    :param per_second: requests a second, None for any number.
    :param burst: requests that it accepts after a while without any.
    :param failing: share of 503 among the accepted ones.
    :param refusing: share of requests that are refused whatever the limits.
    """

    at_once: int | None = None
    per_second: float | None = None
    burst: float = 1
    failing: float = 0
    refusing: float = 0
    pending: int = 0
    refused: int = 0
    full_at: float = 0
    random: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - latencies

    def status(self, now: float) -> int:
        """Take a request, and return its status."""
        late = self.per_second is not None and self.full_at - now > (self.burst - 1) / self.per_second
        chance = self.refusing > 0 and self.random.random() < self.refusing
        if late or chance or (self.at_once is not None and self.pending >= self.at_once):
            self.refused += 1
            return 429
        if self.per_second is not None:
            self.full_at = max(now, self.full_at) + 1 / self.per_second
        self.pending += 1
        return 503 if self.random.random() < self.failing else 200


class Requests:
    """Sends requests to a server through a limiter, in simulated time.

    :param server: that answers them.
    :param number: of requests.
    :param most: at once.
    :param first: at once until half of `most` have been answered, as an export begins; None for `most`.
    :param way: seconds that a request and a response are on their way at most: the server has fewer than the client.
    """

    def __init__(
        self, server: Server, number: int, most: int = 8, *, first: int | None = None, way: float = 0.0
    ) -> None:
        self.now = 0.0
        self.server = server
        self.limiter = Limiter(most, lambda: self.now)
        self.left = number
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._way = way
        self._waiting = 0 if first is None else most - first
        self._begun = 0
        for _ in range(first or most):
            self._start()
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()
        assert self.left == self.server.pending == self.limiter.taken == 0

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), event))

    def _start(self) -> None:
        if self.left:
            self.left -= 1
            self._attempt()

    def _attempt(self) -> None:
        def granted() -> bool:
            self._after(0, take_turn)
            return True

        def take_turn(waited: Flight | None = None) -> None:
            flight = self.limiter.turn(waited)
            if flight.wait:
                self._after(flight.wait, lambda: take_turn(flight))
            else:
                self._send(flight)

        if self.limiter.take(granted):
            granted()

    def _send(self, flight: Flight) -> None:
        under_way = ExitStack()
        under_way.enter_context(self.limiter.under_way(flight))
        self._travel(lambda: self._arrived(flight, under_way))

    def _travel(self, event: Callable[[], None]) -> None:
        self._after(self._way * self.server.random.random(), event)

    def _arrived(self, flight: Flight, under_way: ExitStack) -> None:
        status = self.server.status(self.now)
        wait = REFUSAL if status == 429 else LATENCY * (0.9 + 0.2 * self.server.random.random())

        def leave() -> None:
            self.server.pending -= status != 429
            self._travel(lambda: self._answered(flight, under_way, status))

        self._after(wait, leave)

    def _answered(self, flight: Flight, under_way: ExitStack, status: int) -> None:
        with under_way:
            self.limiter.learn(flight, status, None if status == 200 else RETRY_AFTER)
        self.limiter.release()
        if status != 200:
            self._after(RETRY_AFTER, self._attempt)
            return
        self._begun += 1
        self._start()
        if self._begun > self.limiter.state().most // 2:
            while self._waiting:
                self._waiting -= 1
                self._start()


@pytest.mark.parametrize(
    ("server", "number", "refused", "seconds"),
    [
        (Server(), 400, 0, 400 * LATENCY / 8),
        (Server(at_once=4), 500, 5, 500 * LATENCY / 4),
        (Server(at_once=4, failing=0.02), 500, 5, 1.1 * 500 * LATENCY / 4),
        (Server(at_once=6), 2_000, 6, 2_000 * LATENCY / 6),
        (Server(at_once=1), 100, 8, 100 * LATENCY),
        (Server(per_second=10, burst=10), 50, 5, 50 / 10),
        (Server(per_second=10, burst=10), 500, 12, 500 / 10),
        (Server(per_second=40, burst=40), 1_000, 20, 1_000 / 40),
        (Server(per_second=10), 50, 12, 2 * 50 / 10 + 2),
        (Server(refusing=0.005), 20_000, 130, 1.3 * 20_000 * LATENCY / 8),
        (Server(refusing=0.05), 4_000, 250, 3.2 * 4_000 * LATENCY / 8),
        (Server(per_second=40, burst=40, refusing=0.005), 5_000, 100, 1.3 * 5_000 / 40),
        (Server(at_once=4, refusing=0.005), 5_000, 50, 1.3 * 5_000 * LATENCY / 4),
    ],
    ids=[
        "any",
        "4 at once",
        "4 and failures",
        "6 at once",
        "1 at once",
        "10/s",
        "10/s long",
        "40/s",
        "10/s, no burst",
        "1 of 200 by chance",
        "1 of 20 by chance",
        "40/s and 1 of 200",
        "4 at once and 1 of 200",
    ],
)
def test_a_limited_server(server, number, refused, seconds):
    """Its limit is used to within some percent, and few requests are refused."""
    sent = Requests(server, number)
    assert server.refused <= refused
    assert sent.now <= 1.05 * seconds


@pytest.mark.parametrize("way", [0.0, 0.004, 0.02])
@pytest.mark.parametrize(
    ("limits", "number", "refused", "best"),
    [
        ({"at_once": 4}, 500, 5, 500 / 4),
        ({"at_once": 4, "failing": 0.02}, 500, 5, 520 / 4),
        ({"at_once": 6}, 1_000, 5, 1_000 / 6),
        ({"per_second": 10, "burst": 10}, 57, 6, None),
        ({"per_second": 40, "burst": 40}, 1_000, 17, None),
    ],
    ids=["4 at once", "4 and failures", "6 at once", "10/s", "40/s"],
)
def test_an_export_from_a_limited_server(limits, number, refused, best, way):
    """It begins with few requests, and the server has fewer than the client: neither limit is taken for the other.

    Of twenty runs the slowest is bounded, by the fewest seconds that requests at once take, or requests a second.
    """
    seconds, refusals = [], []
    for seed in range(20):
        server = Server(**limits, random=random.Random(seed))  # noqa: S311 - latencies
        seconds.append(Requests(server, number, first=4, way=way).now)
        refusals.append(server.refused)
    assert sorted(refusals)[10] <= refused + (0 if way < 0.01 else 14)
    if best is None:
        assert max(seconds) <= (1.1 if way < 0.01 else 1.3) * number / limits["per_second"]
    else:
        assert max(seconds) <= 1.2 * (best * (LATENCY + way) + RETRY_AFTER)


def test_a_turn_that_passes_in_a_pause():
    """A request that waited for its turn when another one was refused has another turn, after the pause."""
    now = 0.0
    limiter = Limiter(4, lambda: now)
    for status in (429, 429, 200, 429):
        learn(limiter, status, retry_after=2)
    assert limiter.state().rate
    now = 2.0
    turns = [limiter.turn() for _ in range(3)]
    assert turns[0].wait == 0 < turns[1].wait < turns[2].wait
    now += turns[1].wait
    assert limiter.turn(turns[1]) is turns[1]
    assert turns[1].wait == 0
    learn(limiter, 429, retry_after=5)
    now = 2.0 + turns[2].wait
    again = limiter.turn(turns[2])
    assert again is not turns[2]
    assert now + again.wait >= 2.0 + 5


def test_requests_that_take_long_hold_nobody_up():
    """Beside downloads that run for minutes the others go on when the refused request comes back."""
    now = 0.0
    limiter = Limiter(8, lambda: now)
    for _ in range(2):
        assert limiter.take(lambda: True)
    learn(limiter, 429, *[200] * 7, retry_after=2)
    granted = []

    def request(name):
        return limiter.take(lambda: granted.append(name) or True)

    assert not any(request(name) for name in "abc")
    now = 1.9
    assert not request("d")
    assert granted == []
    now = 2.0
    assert not request("back")
    assert granted == ["a"]
    limiter.release()
    assert granted == ["a", "b"]


def test_a_limit_that_is_lifted():
    """A server that accepts any number again is used fully again."""
    server = Server(at_once=2)
    sent = Requests(server, 200)
    places = sent.limiter.places
    server.at_once = None
    sent.left = 1_500
    for _ in range(8):
        sent._start()
    while sent._events:
        sent.now, _, event = heapq.heappop(sent._events)
        event()
    assert (places, sent.limiter.places) == (2, 8)


def test_requests_that_are_not_refused_go_on():
    """After a refusal among several requests the others do not wait; after one of a single request all do."""
    limiter = Limiter(8, lambda: 0.0)
    learn(limiter, 429, 200, retry_after=5)
    assert (limiter.turn().wait, limiter.places) == (0, 1)
    alone = Limiter(8, lambda: 0.0)
    learn(alone, 429, retry_after=5)
    assert alone.turn().wait == 5


def test_turns_of_requests_that_are_given_up():
    """They are not waited for: a request waits for the turns of as many others as can wait at once, at most."""
    limiter = Limiter(4, lambda: 0.0)
    limiter.take(lambda: True)
    for status in (429, 429, 200, 429):  # one place is left, which was accepted before it was refused
        learn(limiter, status)
    waits = [limiter.turn().wait for _ in range(100)]
    assert 0 == waits[0] < waits[1] <= waits[3] == max(waits) <= 6 + SHORT_PAUSE
