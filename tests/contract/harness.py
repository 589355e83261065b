"""One list of cases on four carriers: sync and async, in memory and over TCP.

A case is a function that takes a `Caller`. It fills the account (`target`, `fill`, `fault`), asks (`run`, `iterate`,
`count`) and asserts; the caller notes what was asked for, what came of it, and how long was waited. The suite runs
each case on every carrier and compares the notes.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.messages import HttpRequest, Request, Response
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from airflow_provider_retreaver.sandbox.http.server import running
from airflow_provider_retreaver.transport.blocking import connection_failed
from airflow_provider_retreaver.transport.client import AsyncRetreaverClient, RetreaverClient
from airflow_provider_retreaver.transport.limiter import Limiter

NOON = 1_767_960_000.0  # 2026-01-09T12:00:00Z, a Friday
SOMEBODY_ELSE = "x-somebody-else"
KEY = "k3y+with/odd=signs&more"


class FakeTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        """Return monotonic seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Note a wait and let it pass at once."""
        self.waits.append(round(seconds, 6))
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        """Do the same for a coroutine, letting others run."""
        self.sleep(seconds)
        await asyncio.sleep(0)


class MemoryTransport:
    """Hands a request to a sandbox in memory."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def send(self, request: Request, wire: HttpRequest) -> Response:
        """Ask the sandbox; a cut connection is what the real transports make of it."""
        parts = urlsplit(wire.url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        answer = self._sandbox.handle(wire.method, parts.path, query, wire.headers, wire.body or b"")
        if answer.cut:
            raise connection_failed(request, timed_out=False, certificate=False, proxy=False, sent=True)
        return Response(answer.status, {name.lower(): text for name, text in answer.headers}, answer.body)

    def close(self) -> None:
        """Nothing is kept."""


class AsyncMemoryTransport:
    """The same for coroutines, letting others run first."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._blocking = MemoryTransport(sandbox)

    async def send(self, request: Request, wire: HttpRequest) -> Response:
        """Ask the sandbox."""
        await asyncio.sleep(0)
        return self._blocking.send(request, wire)

    async def close(self) -> None:
        """Nothing is kept."""


def described(error: BaseException) -> dict[str, Any]:
    """Return everything an error shows."""
    return {"type": type(error).__name__, "text": str(error), **vars(error)}


@dataclass
class Vendor:
    """The sandbox behind a caller, filled and read behind the client's back."""

    sandbox: Sandbox

    def handle(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request as somebody else and return the answer's JSON."""
        query = [("api_key", KEY), ("company_id", "1")]
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", SOMEBODY_ELSE: "yes"}
        answer = self.sandbox.handle(method, path, query, headers, raw)
        assert answer.status < 300, (method, path, answer)
        return json.loads(answer.body) if answer.body.strip() else None

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Use the control surface."""
        return self.handle(method, f"/__sandbox__/{path}", body)


@dataclass
class Trace:
    """What a case did on one carrier."""

    requests: list[Any] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)


class Caller:
    """A client of either kind on either carrier, as a case sees it.

    :param sandbox: the account asked.
    :param url: where it is served, None for in memory.
    :param asynchronous: whether the asynchronous client is used.
    """

    def __init__(self, sandbox: Sandbox, url: str | None, *, asynchronous: bool) -> None:
        self.vendor = Vendor(sandbox)
        self.time = FakeTime()
        self._url, self._asynchronous = url, asynchronous
        self._runner = asyncio.Runner() if asynchronous else None
        self.results: list[Any] = []
        # Whether requests run at once, so that their order is chance; whether how many there are is chance too.
        self.concurrent = self.racing = False
        self.connect()

    def connect(self, *, url: str | None = None, **parts: Any) -> None:
        """Make the client, with other parts of the connection than usual where given."""
        self.disconnect() if hasattr(self, "client") else None
        extra = {"max_concurrency": 4, **parts.pop("extra", {})}
        base = url or self._url or "http://127.0.0.1:1"
        given = {"password": KEY, "login": "1", **parts}
        self.settings = Settings.parse("retreaver_default", host=base, extra=extra, **given)
        limiter = Limiter(self.settings.max_concurrency, clock=self.time)
        sandbox = self.vendor.sandbox
        memory = self._url is None
        self.client: Any
        if self._asynchronous:
            self.client = AsyncRetreaverClient(
                self.settings,
                transport=AsyncMemoryTransport(sandbox) if memory else None,
                sleep=self.time.asleep,
                limiter=limiter,
            )
        else:
            self.client = RetreaverClient(
                self.settings,
                transport=MemoryTransport(sandbox) if memory else None,
                sleep=self.time.sleep,
                limiter=limiter,
            )

    # -- asking

    def run(self, work: Any) -> Any:
        """Run an operation or a procedure."""
        return self._noted(lambda: self.client.run(work))

    def count(self, listing: Any) -> int:
        """Count a listing."""
        return int(self._noted(lambda: self.client.count(listing)))

    def iterate(self, listing: Any, *, most: int | None = None, between: Callable[[int], None] | None = None) -> Any:
        """Read a listing, at most so many rows of it; `between` is called with the number of rows read so far."""
        rows: list[Any] = []

        def take(row: Any) -> bool:
            rows.append(row)
            if between is not None:
                between(len(rows))
            return most is not None and len(rows) >= most

        async def read() -> list[Any]:
            async with aclosing(self.client.iterate(listing)) as found:
                async for row in found:
                    if take(row):
                        break
            return rows

        def read_blocking() -> list[Any]:
            found = self.client.iterate(listing)
            for row in found:
                if take(row):
                    break
            found.close()
            return rows

        return self._noted(read if self._asynchronous else read_blocking)

    def fails(self, kind: type[RetreaverError], work: Any) -> Any:
        """Run what must fail with this type exactly, and return the error."""
        with pytest.raises(RetreaverError) as caught:
            self.run(work)
        assert type(caught.value) is kind, repr(caught.value)
        return caught.value

    def _noted(self, ask: Callable[[], Any]) -> Any:
        try:
            result = self._runner.run(_awaited(ask())) if self._runner else ask()
        except RetreaverError as error:
            self.results.append(described(error))
            raise
        self.results.append(result)
        return result

    # -- the account

    def target(self, *, cap: int | None = 10, filled: int = 0, **attributes: Any) -> int:
        """Add a target and return its ID."""
        body = {"number": "+19195550000", "name": "Acme", "hard_cap_attributes": {"cap": cap}, **attributes}
        id_ = int(self.vendor.handle("POST", "/targets.json", {"target": body})["target"]["id"])
        self.fill(id_, filled)
        return id_

    def targets(self, count: int, **attributes: Any) -> list[int]:
        """Add so many targets alike."""
        return [self.target(**attributes) for _ in range(count)]

    def group(self, members: list[int], *, cap: int | None = None, filled: int = 0) -> int:
        """Add a target group and return its ID."""
        body = {"name": "Roofers", "target_ids": members, "hard_cap_attributes": {"cap": cap}}
        id_ = int(self.vendor.handle("POST", "/target_groups.json", {"target_group": body})["target_group"]["id"])
        self.vendor.control("POST", f"target_groups/{id_}/fill", {"filled": filled})
        return id_

    def fill(self, id_: int, filled: int) -> None:
        """Let a hard cap have counted so many calls."""
        self.vendor.control("POST", f"targets/{id_}/fill", {"filled": filled})

    def filled(self, id_: int, kind: str = "target") -> int:
        """Return what a hard cap counts now."""
        row = self.vendor.handle("GET", f"/{kind}s/{id_}.json", None)[kind]
        return int(next(cap["filled"] for cap in row["caps"] if cap["type"] == "Hard"))

    def calls(self, count: int, **fields: Any) -> None:
        """Add calls."""
        self.vendor.control("POST", "calls", {"count": count, "fields": fields})

    def fault(self, path: str = "", **fault: Any) -> None:
        """Script what the next matching request gets."""
        self.vendor.control("POST", "faults", {"path": path, **fault})

    def delete(self, id_: int) -> None:
        """Remove a target, as somebody else would."""
        self.vendor.handle("DELETE", f"/targets/{id_}.json", None)

    # -- looking back

    @property
    def waits(self) -> list[float]:
        """How long was waited, in order."""
        return self.time.waits

    def entries(self) -> list[dict[str, Any]]:
        """Return the sandbox's log of the client's own requests."""
        log = self.vendor.control("GET", "requests")
        return [entry for entry in log if SOMEBODY_ELSE not in entry["headers"]]

    def sent(self, *methods: str) -> list[str]:
        """Return `"METHOD /path"` of the requests, only of these methods where some are named."""
        return [f"{e['method']} {e['path']}" for e in self.entries() if not methods or e["method"] in methods]

    def trace(self) -> Trace:
        """Return the notes; what ran at once is sorted."""
        names = ("accept", "content-type", "authorization")
        asked = [
            {
                "request": f"{e['method']} {e['path']}",
                "query": e["query"],
                "body": e["body"],
                "status": e["status"],
                "headers": {k.lower(): v for k, v in e["headers"].items() if k.lower() in names},
            }
            for e in self.entries()
        ]
        waits = list(self.waits)
        if self.concurrent:
            asked.sort(key=json.dumps)
            waits.sort()
        return Trace([] if self.racing else asked, waits, self.results)

    def disconnect(self) -> None:
        """Close the client."""
        if self._runner:
            self._runner.run(self.client.close())
        else:
            self.client.close()

    def close(self) -> None:
        """Close the client and its loop."""
        self.disconnect()
        if self._runner:
            self._runner.close()


async def _awaited(work: Any) -> Any:
    return await work


Case = Callable[[Caller], None]
CARRIERS = ("sync in memory", "async in memory", "sync over TCP", "async over TCP")


def options(**changes: Any) -> SandboxOptions:
    """Return an account that stands still in time."""
    return SandboxOptions(**{"api_key": KEY, "wall": lambda: NOON, "ticks": lambda: 0.0, **changes})


class Stage:
    """The sandboxes that cases run on, emptied before each."""

    def __init__(self, memory: Sandbox, served: Sandbox, url: str) -> None:
        self._memory, self._served, self._url = memory, served, url

    @contextmanager
    def caller(self, carrier: str) -> Iterator[Caller]:
        """Give a caller on a carrier, with an empty account and the same dice every time."""
        over_tcp = carrier.endswith("TCP")
        sandbox = self._served if over_tcp else self._memory
        Vendor(sandbox).control("POST", "reset", {"load": "empty"})
        random.seed(7)
        caller = Caller(sandbox, self._url if over_tcp else None, asynchronous=carrier.startswith("async"))
        try:
            yield caller
        finally:
            caller.close()

    def play(self, case: Case, carrier: str) -> Trace:
        """Run a case on a carrier."""
        with self.caller(carrier) as caller:
            case(caller)
            return caller.trace()


@contextmanager
def stage() -> Iterator[Stage]:
    """Give the stage: one sandbox in memory and one that serves."""
    memory = Sandbox(options())
    try:
        with running(options()) as served:
            yield Stage(memory, served.sandbox, served.url)
    finally:
        memory.close()
