"""Exports over real HTTP of a call log that changes between the requests for its pages."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import ListingIncomplete, PermissionDenied, RateLimited
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.domain.calls.export import export_calls
from airflow_provider_retreaver.domain.calls.window import CallWindow
from airflow_provider_retreaver.resources.calls import list_calls
from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from airflow_provider_retreaver.sandbox.http.server import Application, listen, serving
from airflow_provider_retreaver.transport.async_client import AsyncRetreaverClient
from airflow_provider_retreaver.transport.background import BackgroundClient
from airflow_provider_retreaver.transport.client import RetreaverClient
from airflow_provider_retreaver.transport.limiter import Limiter
from tests.contract.harness import MemoryTransport

START, END = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
CALLER = "+14155550000"
BY_CREATION = CallWindow(START, END)
FILTERED = CallWindow(START, END, filters={"caller": CALLER})
BY_UPDATE = CallWindow(START, datetime(2026, 1, 8, tzinfo=UTC), by="updated_at")
WINDOWS = pytest.mark.parametrize(
    "window", [BY_CREATION, FILTERED, BY_UPDATE], ids=["created", "filtered", "updated"]
)
PER_PAGE = 10


class MovingLog(Sandbox):
    """A sandbox whose calls change before the n-th request for calls (counted from 1) is answered.

    `newest_first` lets it ignore the order that is asked for.
    """

    def __init__(self):
        super().__init__(SandboxOptions())
        self.before = {}
        self.newest_first = False
        self.asked = count(1)
        self.control("clock", {"now": "2026-01-10T00:00:00Z"})

    def control(self, path, body):
        """Ask the control surface."""
        headers = {"content-type": "application/json"}
        answer = super().handle("POST", f"/__sandbox__/{path}", [], headers, json.dumps(body).encode())
        assert answer.status < 300, answer
        return json.loads(answer.body)

    def handle(self, method, path, query, headers, body):
        """Let the log change, then answer."""
        with self.state.store.lock:
            if path.endswith("calls.json"):
                self.before.pop(next(self.asked), lambda: None)()
                if self.newest_first:
                    query = [pair for pair in query if pair[0] != "order"]
            return super().handle(method, path, query, headers, body)

    def add(self, number=1, **fields):
        """Add calls, spread over a day unless `created_at` is given; return their uuids."""
        spread = {"created_at_start": "2026-01-05T00:00:00Z", "created_at_end": "2026-01-06T00:00:00Z"}
        spread = {} if "created_at" in fields else spread
        given = {"caller": CALLER, "updated_at": "2026-01-07T00:00:00Z", **spread, **fields}
        return self.control("calls", {"count": number, "fields": given})["uuids"]

    def update(self, uuid, **fields):
        """Change a call; it was then updated now, after the end of a window by update."""
        self.control(f"calls/{uuid}", {"fields": fields})

    def storm(self, *, ends=False):
        """RawPage every request for calls with 429 from now on, or no longer."""
        fault = {"path": "calls.json", "status": 429, "times": None, "headers": {"Retry-After": "20"}}
        if ends:
            super().handle("DELETE", "/__sandbox__/faults", [], {}, b"")
        else:
            self.control("faults", fault)

    def delete(self, uuid):
        """Delete a call."""
        with self.state.store.transaction():
            self.state.store.run("DELETE FROM calls WHERE uuid = ?", (uuid,))
        self.state.store.calls_version += 1


@contextmanager
def served():
    """Serve a moving log over TCP; give it and a function that makes clients of it."""
    log, listener = MovingLog(), listen("127.0.0.1", 0)
    host = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def client(sleep=lambda _: asyncio.sleep(0), **extra):
        parts = {"login": "1", "password": "sandbox-key", "host": host}
        settings = Settings.parse("test", **parts, extra={"per_page": PER_PAGE, "max_wait": 0, **extra})
        limiter = Limiter(settings.max_concurrency)
        return BackgroundClient(AsyncRetreaverClient(settings, sleep=sleep, limiter=limiter))

    try:
        with serving(Application(log), listener):
            yield log, client
    finally:
        log.close()


@pytest.fixture
def moving():
    """Give a moving log and a function that makes clients of it."""
    with served() as both:
        yield both


def read(client, window):
    """Export a window; return the calls after the last restart by uuid, each coming once, and what is known."""
    rows = []
    try:
        export = export_calls(client, window)
        for page in export:
            rows = [*([] if page.restart else rows), *page.rows]
    finally:
        client.close()
    found = {row["uuid"]: row for row in rows}
    assert len(found) == len(rows)
    return found, export.completeness


def at_any_time(test):
    """Run a test for each window, alone and side by side, with the change before one request or another."""
    for mark in (
        pytest.mark.parametrize("request_number", [2, 5, 9, 11]),
        pytest.mark.parametrize("concurrency", [1, 4]),
        WINDOWS,
    ):
        test = mark(test)
    return test


@at_any_time
def test_calls_that_are_made_while_pages_are_read(moving, window, concurrency, request_number):
    """Every call that was there comes once, whenever another one slips in between."""
    log, client = moving
    there = log.add(95)
    log.before[request_number] = lambda: log.add(created_at="2026-01-05T03:00:00Z")
    found, known = read(client(max_concurrency=concurrency), window)
    assert set(there) <= set(found)
    assert len(found) in {95, 96}
    assert (known.proved, known.rows) == (True, len(found))
    assert known.counted <= len(found)


@at_any_time
def test_calls_that_are_deleted_while_pages_are_read(moving, window, concurrency, request_number):
    """Every call that stays comes once, whenever another one goes."""
    log, client = moving
    there = log.add(95)
    log.before[request_number] = lambda: log.delete(there[35])
    found, known = read(client(max_concurrency=concurrency), window)
    assert set(there) - {there[35]} <= set(found) <= set(there)
    assert (known.proved, known.rows) == (True, len(found))


@at_any_time
def test_calls_that_are_updated_while_pages_are_read(moving, window, concurrency, request_number):
    """What was updated before its page was asked for is so there; a call that leaves the window costs no other."""
    log, client = moving
    there = log.add(95)
    late = there[92]
    changed = {"revenue": 77} | ({"caller": "+14155559999"} if window is FILTERED else {})
    log.before[request_number] = lambda: log.update(late, **changed)
    found, known = read(client(max_concurrency=concurrency), window)
    assert set(there) - {late} <= set(found) <= set(there)
    assert known.proved
    if window is BY_CREATION:
        assert set(found) == set(there)
        if concurrency == 1 and request_number < 3:  # the last page is the second that is asked for
            assert found[late]["revenue"] == 77


class AnyOrder:
    """A client whose requests under way are read by the server in any order, which threads and networks decide.

    :param log: in memory.
    :param at_once: requests under way.
    :param rng: decides.
    """

    def __init__(self, log, at_once, rng):
        self.settings = Settings.parse("test", login="1", password="sandbox-key", extra={"per_page": PER_PAGE})
        self._client = RetreaverClient(self.settings, transport=MemoryTransport(log), limiter=Limiter(at_once))
        self._at_once = at_once
        self._random = rng
        self.run = self._client.run
        self.close = self._client.close

    def ahead(self, following):
        """Do operations concurrently, and yield their results in order."""
        sent = {}
        for first in count():
            while first not in sent or sent[first][1] is None:
                waiting = [number for number, (_, result) in sent.items() if result is None]
                while len(waiting) < self._at_once and (work := following()) is not None:
                    waiting.append(first + len(sent))
                    sent[waiting[-1]] = (work, None)
                if not waiting:
                    return
                number = self._random.choice(waiting)
                sent[number] = (sent[number][0], self.run(sent[number][0]))
            yield sent.pop(first)[1]


@given(
    rng=st.randoms(use_true_random=False),
    at_once=st.sampled_from([2, 4, 8]),
    request=st.integers(2, 14),
    place=st.integers(0, 94),
    window=st.sampled_from([BY_CREATION, FILTERED, BY_UPDATE]),
    is_deleted=st.booleans(),
)
@settings(max_examples=300)
def test_requests_under_way_are_read_in_any_order(rng, at_once, request, place, window, is_deleted):
    """Also when some were read before a call left the window and some after it, no other call is lost."""
    with closing(MovingLog()) as log:
        there = log.add(95)
        changed = {"caller": "+14155559999"} if window is FILTERED else {"revenue": 77}
        late = there[place]
        log.before[request] = lambda: log.delete(late) if is_deleted else log.update(late, **changed)
        found, known = read(AnyOrder(log, at_once, rng), window)
    assert set(there) - {late} <= set(found) <= set(there)
    assert (known.proved, known.rows) == (True, len(found))


@WINDOWS
def test_all_of_it_at_once(moving, window):
    """Calls come, go and change before every second page: those that stay come once all the same."""
    log, client = moving
    there = log.add(95)
    gone = set(there[10:15]) | set(there[40:45])
    steps = iter(sorted(gone))
    for number in range(3, 23, 2):
        log.before[number] = lambda number=number: (
            log.delete(next(steps)),
            log.add(created_at=f"2026-01-05T{number:02}:00:00Z"),
            log.update(there[50 + number], updated_at=f"2026-01-07T{number:02}:00:00Z", revenue=number),
        )
    found, known = read(client(max_concurrency=3), window)
    assert set(there) - gone <= set(found)
    assert (known.proved, known.rows) == (True, len(found))
    assert known.readings > 1


@WINDOWS
@pytest.mark.parametrize("change", [True, False])
def test_a_log_that_comes_newest_first(moving, window, change):
    """A log that ignores the order is read to its end, or reported as incomplete."""
    log, client = moving
    there = log.add(95)
    log.newest_first = True
    if change:
        log.before[4] = lambda: log.add(created_at="2026-01-05T23:30:00Z")
    try:
        found, known = read(client(max_concurrency=2), window)
    except ListingIncomplete:
        return
    assert known.rows == len(found)
    assert set(there) <= set(found) or not known.proved


@pytest.mark.parametrize("routes", ["current", "legacy"])
@pytest.mark.parametrize("calls", [1, 100, 10_000])
def test_counting_takes_two_requests_at_most(moving, calls, routes):
    """However many calls there are, on both editions of the routes."""
    log, client = moving
    log.add(calls)
    settings = client(api_routes=routes, per_page=100).settings
    before = next(log.asked)
    with closing(RetreaverClient(settings)) as caller:
        assert caller.count(list_calls(created_at_start=START, created_at_end=END)) == calls
    assert next(log.asked) - before - 1 <= 2


@pytest.mark.parametrize("request_number", [2, 6, 12])
def test_a_company_that_the_key_loses_on_the_way_is_no_success(moving, request_number):
    """A key that no longer reaches the company ends an export that has begun, whatever was read."""
    log, client = moving
    log.add(95)

    def lose() -> None:
        fault = {"path": "calls.json", "status": 403, "times": None, "body": '{"error": "not your company"}'}
        log.control("faults", fault)

    log.before[request_number] = lose
    with pytest.raises(PermissionDenied, match="403"):
        read(client(max_concurrency=1), BY_CREATION)


@pytest.mark.parametrize("length", [240, None], ids=["ends", "does not end"])
def test_a_storm_of_429_for_minutes(moving, length):
    """Four minutes of refusals in the middle are retried and lose no call; refusals without end are an error."""
    log, client = moving
    there = log.add(95)
    log.before[4] = log.storm
    waited = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal waited
        waited += seconds
        if length is not None and waited >= length:
            log.storm(ends=True)
        await asyncio.sleep(0)

    reader = client(sleep, max_wait=600, max_attempts=50, max_concurrency=2)
    if length is None:
        with pytest.raises(RateLimited):
            read(reader, BY_CREATION)
        return
    found, known = read(reader, BY_CREATION)
    assert (set(found), known.proved, known.readings) == (set(there), True, 1)
    assert waited >= length
