"""Runs cases with four variants of the client: blocking and asynchronous, in memory and over TCP.

A case is a function that takes a `CaseClient`. It prepares the account (`target`, `fill`, `fault`), sends requests
(`run`, `iterate`, `count`) and asserts; the client records requests, results and waits. The suite runs each case with
every variant and compares the records.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.messages import HttpRequest, Request, Response
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings
from airflow_provider_retreaver.resources.rtb_inbounds import ExportFile
from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from airflow_provider_retreaver.sandbox.local_server import run_sandbox
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY, TRACKDRIVE_PUBLIC_KEY
from airflow_provider_retreaver.transport.client import AsyncRetreaverClient, RetreaverClient
from airflow_provider_retreaver.transport.connection_setup import connection_failed
from airflow_provider_retreaver.transport.limiter import Limiter

NOON = 1_767_960_000.0  # 2026-01-09T12:00:00Z, a Friday
OTHER_CLIENT = "x-other-client"
KEY = "k3y+with/odd=signs&more"


class FakeTime:
    """A clock that moves only by calls of `sleep`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        """Return monotonic seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Record a wait and advance the clock at once."""
        self.waits.append(round(seconds, 6))
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        """Do the same in a coroutine, after other tasks have run."""
        self.sleep(seconds)
        await asyncio.sleep(0)


class MemoryTransport:
    """Sends requests to a sandbox in memory."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def send(self, request: Request, wire: HttpRequest) -> Response:
        """Send a request; a dropped connection raises the same error as in the real transports."""
        parts = urlsplit(wire.url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        answer = self._sandbox.handle(wire.method, parts.path, query, wire.headers, wire.body or b"")
        if answer.cut:
            raise connection_failed(request, timed_out=False, certificate=False, proxy=False, sent=True)
        return Response(answer.status, {name.lower(): text for name, text in answer.headers}, answer.body)

    def interrupt(self, threads: object) -> None:
        """Do nothing: a request in memory takes no time."""

    def close(self) -> None:
        """Do nothing."""


class AsyncMemoryTransport:
    """Sends requests to a sandbox in memory from coroutines."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._blocking = MemoryTransport(sandbox)

    async def send(self, request: Request, wire: HttpRequest) -> Response:
        """Send a request after other tasks have run."""
        await asyncio.sleep(0)
        return self._blocking.send(request, wire)

    async def close(self) -> None:
        """Do nothing."""


def error_attributes(error: BaseException) -> dict[str, Any]:
    """Return type, text and attributes of an error."""
    return {"type": type(error).__name__, "text": str(error), **vars(error)}


@dataclass
class AccountAccess:
    """Prepares and inspects the account of a sandbox, independently of the client under test."""

    sandbox: Sandbox

    def handle(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request as another client and return the JSON of the answer."""
        query = [("api_key", KEY), ("company_id", "1")]
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", OTHER_CLIENT: "yes"}
        answer = self.sandbox.handle(method, path, query, headers, raw)
        assert answer.status < 300, (method, path, answer)
        return json.loads(answer.body) if answer.body.strip() else None

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to the control surface and return the JSON of the answer."""
        return self.handle(method, f"/__sandbox__/{path}", body)


def _without_port(result: Any) -> Any:
    """Return a result with the sandbox's own URLs, of recordings and exports, as they are in memory."""
    if isinstance(result, ExportFile):
        return _without_port(result.url)
    if isinstance(result, dict):
        return {name: _without_port(value) for name, value in result.items()}
    if isinstance(result, list | tuple):
        return [_without_port(value) for value in result]
    return re.sub(r"^http://127\.0\.0\.1:\d+/", "http://127.0.0.1/", result) if isinstance(result, str) else result


@dataclass
class Trace:
    """Requests, waits and results of a case with one variant."""

    requests: list[Any] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)


class CaseClient:
    """The client that a case uses: blocking or asynchronous, in memory or over TCP.

    :param sandbox: The account.
    :param url: URL that serves it; None for in memory.
    :param asynchronous: Whether to use the asynchronous client.
    """

    def __init__(self, sandbox: Sandbox, url: str | None, *, asynchronous: bool) -> None:
        self.account = AccountAccess(sandbox)
        self.time = FakeTime()
        self._url, self._asynchronous = url, asynchronous
        self._runner = asyncio.Runner() if asynchronous else None
        self.results: list[Any] = []
        # `concurrent`: the order of the requests varies; `racing`: their number varies too. A case sets them.
        self.concurrent = self.racing = False
        self.connect()

    def connect(self, *, url: str | None = None, **fields: Any) -> None:
        """Connect a client, with different fields of the connection where given."""
        arguments = {"password": KEY, "login": "1", **fields}
        self._connect(Settings, "retreaver_default", url, arguments)

    def connect_trackdrive(self, *, url: str | None = None, **fields: Any) -> None:
        """Connect a client to the TrackDrive account, with different fields of the connection where given."""
        arguments = {"login": TRACKDRIVE_PUBLIC_KEY, "password": TRACKDRIVE_PRIVATE_KEY, **fields}
        self._connect(TrackDriveSettings, "trackdrive_default", url, arguments)

    def _connect(self, kind: type[ClientSettings], name: str, url: str | None, fields: dict[str, Any]) -> None:
        self.disconnect() if hasattr(self, "client") else None
        extra = {"max_concurrency": 4, **fields.pop("extra", {})}
        base = url or self._url or "http://127.0.0.1:1"
        self.settings = kind.parse(name, host=base, extra=extra, **fields)
        limiter = Limiter(self.settings.max_concurrency, clock=self.time)
        sandbox = self.account.sandbox
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

    # -- the client under test

    def run(self, work: Any) -> Any:
        """Run an operation or a procedure."""
        return self._record(lambda: self.client.run(work))

    def count(self, listing: Any) -> int:
        """Count a listing."""
        return int(self._record(lambda: self.client.count(listing)))

    def iterate(self, listing: Any, *, limit: int | None = None, between: Callable[[int], None] | None = None) -> Any:
        """Read at most `limit` rows of a listing; `between` is called with the number of rows read so far."""
        rows: list[Any] = []

        def take(row: Any) -> bool:
            rows.append(row)
            if between is not None:
                between(len(rows))
            return limit is not None and len(rows) >= limit

        async def read() -> list[Any]:
            async with aclosing(self.client.iterate(listing)) as listed:
                async for row in listed:
                    if take(row):
                        break
            return rows

        def read_blocking() -> list[Any]:
            listed = self.client.iterate(listing)
            for row in listed:
                if take(row):
                    break
            listed.close()
            return rows

        return self._record(read if self._asynchronous else read_blocking)

    def fails(self, kind: type[RetreaverError], work: Any) -> Any:
        """Run an operation or a procedure that must raise exactly this type of error, and return the error."""
        with pytest.raises(RetreaverError) as raised:
            self.run(work)
        assert type(raised.value) is kind, repr(raised.value)
        return raised.value

    def _record(self, work: Callable[[], Any]) -> Any:
        try:
            result = self._runner.run(_awaited(work())) if self._runner else work()
        except RetreaverError as error:
            self.results.append(error_attributes(error))
            raise
        self.results.append(result)
        return result

    # -- the account

    def target(self, *, cap: int | None = 10, filled: int = 0, **attributes: Any) -> int:
        """Add a target and return its ID."""
        body = {"number": "+19195550000", "name": "Acme", "hard_cap_attributes": {"cap": cap}, **attributes}
        id_ = int(self.account.handle("POST", "/targets.json", {"target": body})["target"]["id"])
        self.fill(id_, filled)
        return id_

    def targets(self, count: int, **attributes: Any) -> list[int]:
        """Add equal targets and return their IDs."""
        return [self.target(**attributes) for _ in range(count)]

    def group(self, members: list[int], *, cap: int | None = None, filled: int = 0) -> int:
        """Add a target group and return its ID."""
        body = {"name": "Roofers", "target_ids": members, "hard_cap_attributes": {"cap": cap}}
        id_ = int(self.account.handle("POST", "/target_groups.json", {"target_group": body})["target_group"]["id"])
        self.account.control("POST", f"target_groups/{id_}/fill", {"filled": filled})
        return id_

    def fill(self, id_: int, filled: int) -> None:
        """Set how many calls a target's hard cap has counted."""
        self.account.control("POST", f"targets/{id_}/fill", {"filled": filled})

    def filled(self, id_: int, kind: str = "target") -> int:
        """Return how many calls a hard cap has counted."""
        row = self.account.handle("GET", f"/{kind}s/{id_}.json", None)[kind]
        return int(next(cap["filled"] for cap in row["caps"] if cap["type"] == "Hard"))

    def calls(self, count: int, **fields: Any) -> None:
        """Add calls."""
        self.account.control("POST", "calls", {"count": count, "fields": fields})

    def fault(self, path: str = "", **fault: Any) -> None:
        """Script a fault for the next matching request."""
        self.account.control("POST", "faults", {"path": path, **fault})

    def delete(self, id_: int) -> None:
        """Delete a target as another client."""
        self.account.handle("DELETE", f"/targets/{id_}.json", None)

    # -- the record

    @property
    def waits(self) -> list[float]:
        """Waits in seconds, in order."""
        return self.time.waits

    def entries(self) -> list[dict[str, Any]]:
        """Return the sandbox's log of requests by the client under test."""
        log = self.account.control("GET", "requests")
        return [entry for entry in log if OTHER_CLIENT not in entry["headers"]]

    def sent(self, *methods: str) -> list[str]:
        """Return `"METHOD /path"` of the requests, or of those with the given methods."""
        return [f"{e['method']} {e['path']}" for e in self.entries() if not methods or e["method"] in methods]

    def trace(self) -> Trace:
        """Return the record of the case; concurrent requests are sorted."""
        names = ("accept", "content-type", "authorization")
        requests = [
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
            requests.sort(key=json.dumps)
            waits.sort()
        return Trace([] if self.racing else requests, waits, [_without_port(result) for result in self.results])

    def disconnect(self) -> None:
        """Close the client."""
        if self._runner:
            self._runner.run(self.client.close())
        else:
            self.client.close()

    def close(self) -> None:
        """Close the client and its event loop."""
        self.disconnect()
        if self._runner:
            self._runner.close()


async def _awaited(work: Any) -> Any:
    return await work


Case = Callable[[CaseClient], None]
VARIANTS = ("sync in memory", "async in memory", "sync over TCP", "async over TCP")


def options(**changes: Any) -> SandboxOptions:
    """Return options of a sandbox whose clock does not move."""
    return SandboxOptions(**{"api_key": KEY, "wall": lambda: NOON, "ticks": lambda: 0.0, **changes})


class Sandboxes:
    """The sandboxes that cases use; they are reset before each."""

    def __init__(self, memory: Sandbox, served: Sandbox, url: str) -> None:
        self._memory, self._served, self._url = memory, served, url

    @contextmanager
    def client(self, variant: str) -> Iterator[CaseClient]:
        """Connect a client of a variant to an empty account, with the same random seed every time."""
        over_tcp = variant.endswith("TCP")
        sandbox = self._served if over_tcp else self._memory
        AccountAccess(sandbox).control("POST", "reset", {"load": "empty"})
        random.seed(7)
        client = CaseClient(sandbox, self._url if over_tcp else None, asynchronous=variant.startswith("async"))
        try:
            yield client
        finally:
            client.close()

    def run_case(self, case: Case, variant: str) -> Trace:
        """Run a case with a variant and return its record."""
        with self.client(variant) as client:
            case(client)
            return client.trace()


@contextmanager
def open_sandboxes() -> Iterator[Sandboxes]:
    """Start one sandbox in memory and one that serves over TCP."""
    memory = Sandbox(options())
    try:
        with run_sandbox(options()) as served:
            yield Sandboxes(memory, served.sandbox, served.url)
    finally:
        memory.close()
