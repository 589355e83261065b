"""An event loop whose waits take no time, for tests of triggers, and a sandbox that it serves."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

# Airflow 2.11 stores a check of operators in the thread that imports them first; import them in the main thread.
from airflow.providers.common.compat.sdk import BaseOperator  # noqa: F401

from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from tests.airflow.support.account import OWN

KEY = "sandbox-key"


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer when there is nothing else to do.

    Before a jump it waits a millisecond for data on loopback, and for work in threads.
    """

    def __init__(self) -> None:
        super().__init__()
        self._jumped = 0.0
        self._threads = 0
        selector = self._selector  # type: ignore[attr-defined]
        select = selector.select

        def jump(timeout: float | None = None) -> Any:
            if timeout is None or timeout <= 0 or self._threads:
                return select(min(timeout or 0.01, 0.01) if self._threads else timeout)
            events = select(0.001)
            if not events:
                self._jumped += timeout
            return events

        selector.select = jump

    def time(self) -> float:
        """Return monotonic seconds, including those skipped by jumps."""
        return super().time() + self._jumped

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Run a function in a thread, and count the running threads."""
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _future: object) -> None:
        self._threads -= 1

    def shutdown_default_executor(self, timeout: float | None = None) -> Coroutine[Any, Any, None]:
        """Wait in real time for the threads to end; a limit in virtual time is ignored."""
        self._threads += 1
        return super().shutdown_default_executor()


def in_virtual_time(work: Callable[[ServedAccount], Coroutine[Any, Any, Any]], monkeypatch: Any) -> Any:
    """Run a coroutine function that takes a `ServedAccount`, in virtual time."""

    async def scenario() -> Any:
        async with ServedAccount.served() as world:
            connection = {"conn_type": "retreaver", "login": "1", "password": KEY, "host": world.url}
            monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
            return await work(world)

    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(scenario())
    finally:
        gc.unfreeze()  # the process of the test suite runs other tests afterwards


class ServedAccount:
    """The account of a sandbox that the running loop serves."""

    def __init__(self, url: str, sandbox: Sandbox) -> None:
        self.url = url
        self.sandbox = sandbox

    @classmethod
    @asynccontextmanager
    async def served(cls) -> AsyncIterator[ServedAccount]:
        """Serve an empty account from the running loop."""
        sandbox = Sandbox(SandboxOptions(api_key=KEY))

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            path, _, query = request.raw_path.partition("?")
            pairs = parse_qsl(query, keep_blank_values=True)
            answered = sandbox.handle(request.method, path, pairs, dict(request.headers), await request.read())
            await asyncio.sleep(answered.delay)
            return web.Response(status=answered.status, headers=answered.headers, body=answered.body)

        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield cls(f"http://127.0.0.1:{runner.addresses[0][1]}", sandbox)
        finally:
            await runner.cleanup()
            sandbox.close()

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to the sandbox directly; it is not in `sent`."""
        raw = b"" if body is None else json.dumps(body).encode()
        pairs = [("api_key", KEY), ("company_id", "1")]
        answer = self.sandbox.handle(method, path, pairs, {"content-type": "application/json", OWN: "1"}, raw)
        assert answer.status < 300, (method, path, answer)
        return json.loads(answer.body) if answer.body.strip() else None

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to the control surface."""
        return self.send(method, f"/__sandbox__/{path}", body)

    def calls(self, count: int = 1, **fields: Any) -> list[str]:
        """Add calls and return their UUIDs."""
        uuids: list[str] = self.control("POST", "calls", {"count": count, "fields": fields})["uuids"]
        return uuids

    def target(self, cap: int | None = 10, filled: int = 0, **attributes: Any) -> int:
        """Add a target and return its ID."""
        body = {"number": "+19195550000", "name": "Acme", "hard_cap_attributes": {"cap": cap}, **attributes}
        id_ = int(self.send("POST", "/targets.json", {"target": body})["target"]["id"])
        self.fill(id_, filled)
        return id_

    def fill(self, id_: int, filled: int) -> None:
        """Set how many calls a target's hard cap has counted."""
        self.control("POST", f"targets/{id_}/fill", {"filled": filled})

    def answer_all(self, status: int | None = None, **fault: Any) -> None:
        """Answer all requests with a status from now on; None ends that."""
        self.control("DELETE", "faults")
        if status is not None:
            self.control(
                "POST", "faults", {"path": ".*", "method": "*", "times": 1_000_000, "status": status, **fault}
            )

    def sent(self) -> list[str]:
        """Return `"METHOD /path"` of the requests by the client under test."""
        log = self.control("GET", "requests")
        return [f"{entry['method']} {entry['path']}" for entry in log if OWN not in entry["headers"]]


async def first_event(trigger: Any) -> Any:
    """Run a trigger and return the payload of its only event."""
    events = [event.payload async for event in trigger.run()]
    assert len(events) == 1
    return events[0]
