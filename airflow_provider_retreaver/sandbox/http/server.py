"""Serves a request handler over HTTP with uvicorn."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import parse_qsl

import uvicorn

from airflow_provider_retreaver.sandbox.http import callers
from airflow_provider_retreaver.sandbox.http.wire import Answer, ApiError, api_error, refuse

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# The largest documented body is an upload to a caller list: four million numbers.
MAX_BODY = 64 * 2**20
_KEY = re.compile(r"((?:^|[?&])(?:api_key|key)=)[^&]*", re.IGNORECASE)


class RequestHandler(Protocol):
    """Answers requests, from several threads at the same time."""

    def handle(
        self, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer one request.

        :param method: HTTP method.
        :param path: Path, percent-encoded as it was sent.
        :param query: Decoded query parameters in their order.
        :param headers: Headers by name.
        :param body: Body as it was sent.
        :return: The answer.
        """
        ...

    def reject(
        self, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer a request that exceeds the number of requests that are answered at the same time.

        :param method: HTTP method.
        :param path: Path, percent-encoded as it was sent.
        :param query: Decoded query parameters in their order.
        :param headers: Headers by name.
        :param body: Body as it was sent.
        :return: The answer, such as a 429.
        """
        ...


def mask_keys(target: str) -> str:
    """Replace the values of ``api_key`` and ``key`` in a path with query by ``***``.

    :param target: For example ``/targets.json?api_key=secret&company_id=1``.
    :return: The same text without keys.
    """
    return _KEY.sub(r"\1***", target)


class Application:
    """An ASGI application around one request handler.

    :param handler: Answers the requests.
    :param max_concurrency: How many requests are answered at the same time; more are rejected. None is no limit.
    :param allowed_hosts: Names under which the sandbox is reached, besides this machine's own.
    :param max_body: How many bytes a request's body may have.
    :param write_line: Is called with one log line for each request, without its end of line.
    """

    def __init__(
        self,
        handler: RequestHandler,
        *,
        max_concurrency: int | None = None,
        allowed_hosts: Collection[str] = (),
        max_body: int = MAX_BODY,
        write_line: Callable[[str], None] | None = None,
    ) -> None:
        self._handler = handler
        self._max_concurrency = max_concurrency
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._max_body = max_body
        self._write_line = write_line
        self._active = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request.

        :param scope: ASGI's description of the request.
        :param receive: Returns the next message of the request.
        :param send: Sends a message of the response.
        :raises ValueError: If the connection is not HTTP.
        """
        if scope["type"] != "http":
            raise ValueError(f"the sandbox serves HTTP only, not {scope['type']}")
        started = time.monotonic()
        self._active += 1
        try:
            too_many = self._max_concurrency is not None and self._active > self._max_concurrency
            answer = await self._answer(scope, receive, too_many=too_many)
            if answer.delay:
                await asyncio.sleep(answer.delay)
        finally:
            self._active -= 1
        if self._write_line is not None:
            self._write_line(_line(scope, answer, time.monotonic() - started))
        if answer.cut:
            await _cut(receive, send)
        else:
            await _send(send, answer, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Message, receive: Receive, *, too_many: bool) -> Answer:
        path = scope["raw_path"].split(b"?")[0].decode("ascii", "replace")
        query = parse_qsl(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        foreign = callers.refusal(headers, str((scope.get("server") or ("",))[0]), self._allowed_hosts)
        if foreign is not None:
            return refuse(foreign)
        try:
            body = await self._body(headers, receive)
        except ApiError as too_long:
            return refuse(too_long)
        handler = self._handler.reject if too_many else self._handler.handle
        return await asyncio.to_thread(handler, scope["method"], path, query, headers, body)

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """Read the body; one that is too long is not read to its end, and its connection is closed."""
        error = api_error(413, f"The body has more than {self._max_body} bytes.")
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_body:
            raise error
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._max_body:
                raise error
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
    return f"{scope['method']} {mask_keys(target)} {outcome} {seconds * 1000:.0f}ms"


def listen(host: str, port: int) -> socket.socket:
    """Bind a TCP socket.

    :param host: Address to listen on, IPv4 or IPv6, for example ``127.0.0.1``.
    :param port: Port to listen on; 0 takes a free one.
    :return: The socket, bound and not yet listening.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # IPPROTO_TCP is named because asyncio sets TCP_NODELAY only on sockets whose protocol is named.
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
    """Serve from a thread until the block ends; the block starts when the server accepts requests.

    :param application: Answers the requests.
    :param listener: A bound socket; it is closed at the end.
    :raises RuntimeError: If the server ends before it accepts requests.
    """
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
                raise RuntimeError("the sandbox's server ended before it accepted requests")
            thread.join(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
