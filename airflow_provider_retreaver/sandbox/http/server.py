"""The sandbox over HTTP: uvicorn carries requests to ``Sandbox.handle`` and nothing more."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import uvicorn

from airflow_provider_retreaver.sandbox.handle import Sandbox
from airflow_provider_retreaver.sandbox.http.wire import Answer
from airflow_provider_retreaver.sandbox.options import SandboxOptions

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_KEY = re.compile(r"((?:^|[?&])(?:api_key|key)=)[^&]*", re.IGNORECASE)


def masked(target: str) -> str:
    """Hide the keys in a path and query."""
    return _KEY.sub(r"\1***", target)


class Application:
    """An ASGI application around one sandbox; ``write_line`` gets one line a request."""

    def __init__(self, sandbox: Sandbox, write_line: Callable[[str], None] | None = None) -> None:
        """Serve ``sandbox``."""
        self._sandbox = sandbox
        self._write_line = write_line
        self._under_way = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            raise ValueError(f"the sandbox speaks HTTP only, not {scope['type']}")
        began = time.monotonic()
        self._under_way += 1
        try:
            most = self._sandbox.options.max_concurrency
            answer = await self._answer(scope, receive, too_many=most is not None and self._under_way > most)
            if answer.delay:
                await asyncio.sleep(answer.delay)
        finally:
            self._under_way -= 1
        if self._write_line is not None:
            self._write_line(_line(scope, answer, time.monotonic() - began))
        if answer.cut:
            await _cut(receive, send)
        else:
            await _send(send, answer, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Message, receive: Receive, *, too_many: bool) -> Answer:
        path = scope["raw_path"].split(b"?")[0].decode("ascii", "replace")
        query = parse_qsl(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _body(receive)
        handler = self._sandbox.reject if too_many else self._sandbox.handle
        return await asyncio.to_thread(handler, scope["method"], path, query, headers, body)


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    return b"".join(parts)


async def _send(send: Send, answer: Answer, *, head: bool) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if answer.status != 204 and not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


async def _cut(receive: Receive, send: Send) -> None:
    """Drop the connection without an answer.

    ASGI has no message for that: ``send`` is a method of uvicorn's request cycle, which has the transport.
    """
    cycle = getattr(send, "__self__")  # noqa: B009 - mypy knows no __self__ on a Callable
    cycle.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _line(scope: Message, answer: Answer, seconds: float) -> str:
    query = scope["query_string"].decode("ascii", "replace")
    target = scope["raw_path"].split(b"?")[0].decode("ascii", "replace") + (f"?{query}" if query else "")
    outcome = "cut" if answer.cut else str(answer.status)
    return f"{scope['method']} {masked(target)} {outcome} {seconds * 1000:.0f}ms"


def listen(host: str, port: int) -> socket.socket:
    """Bind a socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Said, not left to be guessed: asyncio switches Nagle's algorithm off only for sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def serving(application: Application, listener: socket.socket) -> Iterator[None]:
    """Serve from a thread until the block ends; the block begins when the first request can come."""
    config = uvicorn.Config(
        application,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    name = "retreaver-sandbox"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name=name, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the sandbox's server ended before it was ready")
            thread.join(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that serves."""

    url: str
    port: int
    sandbox: Sandbox


@contextmanager
def running(options: SandboxOptions | None = None) -> Iterator[RunningSandbox]:
    """Serve a sandbox on a free port of 127.0.0.1 from a thread until the block ends."""
    sandbox = Sandbox(options)
    listener = listen("127.0.0.1", 0)
    port = int(listener.getsockname()[1])
    try:
        with serving(Application(sandbox), listener):
            yield RunningSandbox(f"http://127.0.0.1:{port}", port, sandbox)
    finally:
        sandbox.close()
