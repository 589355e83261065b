"""A call log of the sandbox, in memory, that can be changed between two requests of a reader."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_retreaver.core.errors import ConnectionFailed
from airflow_provider_retreaver.core.messages import HttpRequest, Request, Response
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from airflow_provider_retreaver.transport.async_client import AsyncRetreaverClient
from airflow_provider_retreaver.transport.background import BackgroundClient
from airflow_provider_retreaver.transport.limiter import Limiter

DAY = {"created_at_start": "2026-01-05T00:00:00Z", "created_at_end": "2026-01-06T00:00:00Z"}


_PORTS = count(1024)


class CallLog:
    """The sandbox behind the seam of a transport.

    `before[n]` is called once before request number n (counted from 1) is answered; `instead` may replace an answer.
    No answer is given before `together` requests were sent.
    """

    def __init__(self, *, now: str = "2026-01-10T00:00:00Z") -> None:
        self.sandbox = Sandbox(SandboxOptions())
        self.before: dict[int, Callable[[], object]] = {}
        self.instead: Callable[[int, dict[str, str], Response], Response] = lambda _, __, answer: answer
        self.asked: list[dict[str, str]] = []
        self.at_once = self.most_at_once = 0
        self.together = 0
        self.sleep: Callable[[float], Awaitable[None]] = lambda _: asyncio.sleep(0)
        self._sent = asyncio.Condition()
        self._port = next(_PORTS)
        self.control("clock", {"now": now})

    def control(self, path: str, body: Any) -> Any:
        """Ask the sandbox's control surface."""
        headers = {"content-type": "application/json"}
        answer = self.sandbox.handle("POST", f"/__sandbox__/{path}", [], headers, json.dumps(body).encode())
        assert answer.status < 300, answer
        return json.loads(answer.body) if answer.body else None

    def add(self, number: int = 1, **fields: Any) -> list[str]:
        """Add calls, spread over a day unless `created_at` is given; return their uuids."""
        if "created_at" not in fields:
            fields = {**DAY, **fields}
        uuids: list[str] = self.control("calls", {"count": number, "fields": fields})["uuids"]
        return uuids

    def rows(self) -> list[dict[str, Any]]:
        """Return the newest calls as Retreaver lists them, in their envelopes."""
        query = [("api_key", "sandbox-key"), ("company_id", "1")]
        rows: list[dict[str, Any]] = json.loads(self.sandbox.handle("GET", "/api/v2/calls.json", query, {}, b"").body)
        return rows

    def update(self, uuid: str, **fields: Any) -> None:
        """Change a call; it was then updated now."""
        self.control(f"calls/{uuid}", {"fields": fields})

    async def send(self, request: Request, wire: HttpRequest) -> Response:
        """Answer a request of a client, letting others be sent first."""
        query = parse_qsl(urlsplit(wire.url).query, keep_blank_values=True)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.asked.append(dict(query))
        number = len(self.asked)
        async with asyncio.timeout(10), self._sent:
            self._sent.notify_all()
            await self._sent.wait_for(lambda: len(self.asked) >= self.together)
        await asyncio.sleep(0)
        change = self.before.pop(number, None)
        if change is not None:
            change()
        answer = self.sandbox.handle(wire.method, request.path, query, dict(wire.headers), b"")
        self.at_once -= 1
        if answer.cut:
            raise ConnectionFailed("The connection broke off.", sent=True)
        headers = {name.lower(): value for name, value in answer.headers}
        return self.instead(number, dict(query), Response(answer.status, headers, answer.body))

    async def close(self) -> None:
        """Let go of nothing."""

    def client(self, **extra: Any) -> BackgroundClient:
        """Return a client of this account, on a thread of its own; leave it to be closed."""
        return BackgroundClient(self.asynchronous(**extra))

    def asynchronous(self, **extra: Any) -> AsyncRetreaverClient:
        """Return the asynchronous client of this account, which waits by `sleep` (no time by default)."""
        host = f"http://127.0.0.1:{self._port}"  # clients of one host share what they know of its clock
        settings = Settings.parse("test", login="1", password="sandbox-key", host=host, extra=extra)
        return AsyncRetreaverClient(
            settings, transport=self, sleep=self.sleep, limiter=Limiter(settings.max_concurrency)
        )
