"""The asynchronous transport: sends one signed request with `aiohttp` and returns its response."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from airflow_provider_retreaver.core.bodies import ACCEPT_ENCODING, Body, BodyTooLarge
from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.envelopes import response_too_large
from airflow_provider_retreaver.core.errors import ConnectionFailed, RetreaverError
from airflow_provider_retreaver.core.framing import HeadCheck, Misframed, check_length
from airflow_provider_retreaver.core.messages import Host, HttpRequest, Request, Response
from airflow_provider_retreaver.core.secrets import Secret, guard_library_logs
from airflow_provider_retreaver.transport.connection_setup import (
    CONNECT_TIMEOUT,
    certificates,
    connection_failed,
    proxy_for,
    speaks_http,
)
from airflow_provider_retreaver.transport.lookup import AsyncResolver, look_up

# Characters of a line of the response's head, as in `http.client`.
HARD_LIMIT = 65_536


class AsyncTransport(Protocol):
    """Sends single requests."""

    async def send(self, request: Request, wire: HttpRequest) -> Response:
        """Send a request and return its response, whatever its status.

        :param request: the request, for errors.
        :param wire: the signed request.
        :return: the response.
        :raises ConnectionFailed: when there is no response; `sent` is whether the server may have received the
            request.
        """

    async def close(self) -> None:
        """Close the connections."""


class AiohttpTransport:
    """One `aiohttp` session, opened with the first request on its event loop.

    :param settings: timeouts, limits, proxies, certificates.
    :param resolver: resolves host names (tests pass a fake).
    """

    def __init__(self, settings: ClientSettings, *, resolver: AsyncResolver = look_up) -> None:
        guard_library_logs("aiohttp.client", "aiohttp.internal")
        self._settings = settings
        self._resolver = resolver
        self._certificates = certificates(settings)
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[Host, Secret | None] = {}

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = aiohttp.ClientTimeout(
                total=self._settings.limits.response_seconds,
                sock_connect=min(CONNECT_TIMEOUT, self._settings.timeout),
                sock_read=self._settings.timeout,
            )
            self._session = aiohttp.ClientSession(
                connector=_Connector(
                    limit=self._settings.max_concurrency,
                    ssl=self._certificates,
                    resolver=_Resolver(self._resolver, min(CONNECT_TIMEOUT, self._settings.timeout)),
                ),
                timeout=limits,
                middlewares=(_once,),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                # The limits of `http.client`; ours are lower, so that both transports refuse the same.
                max_line_size=HARD_LIMIT,
                max_field_size=HARD_LIMIT,
                # The environment's proxies are read in `_proxy`: trusting it here would also read .netrc.
                trust_env=False,
            )
        return self._session

    async def send(self, request: Request, wire: HttpRequest) -> Response:
        """Send a request and return its response, whatever its status.

        :param request: the request, for errors.
        :param wire: the signed request.
        :return: the response.
        :raises ConnectionFailed: when there is no response; `sent` is whether the server may have received the
            request.
        """
        failure: RetreaverError
        proxy = self._proxy(request, wire)
        try:
            return await self._exchange(wire, proxy)
        except (aiohttp.ClientError, OSError) as error:
            failure = _connection_error(request, error)
        except ValueError:
            failure = connection_failed(request, timed_out=False, certificate=False, proxy=False, sent=True)
        except BodyTooLarge:
            failure = response_too_large(request, self._settings.limits.response_bytes)
        # Raised outside the handler, so that the library's exception is not kept as its context.
        raise failure

    async def _exchange(self, wire: HttpRequest, proxy: Secret | None) -> Response:
        """Send a request and read its response; the library's objects, whose texts hold the URL, stay here."""
        async with self._opened().request(
            wire.method,
            URL(wire.url, encoded=True),
            headers={"Accept-Encoding": ACCEPT_ENCODING, **wire.headers},
            # Otherwise a POST without a body has the type of an octet stream.
            skip_auto_headers=("Content-Type",),
            data=wire.body,
            allow_redirects=False,
            proxy=None if proxy is None else proxy.reveal(),
        ) as answer:
            return await self._read(answer)

    async def _read(self, answer: aiohttp.ClientResponse) -> Response:
        """Read a response within the limits.

        :raises ValueError: when its headers or its compression are not as they should be.
        """
        check_length(*(answer.headers.getall(name, []) for name in ("Content-Length", "Transfer-Encoding")))
        limits = self._settings.limits
        # A header that comes twice is one list, as in `requests`.
        headers = {name.lower(): ", ".join(answer.headers.getall(name)) for name in answer.headers}
        body = Body(answer.status, headers, len(answer.headers), limits.response_bytes)
        async for piece in answer.content.iter_any():
            if not body.feed(piece):
                answer.close()
                break
        return Response(answer.status, headers, body.content(), limits.json_depth)

    def _proxy(self, request: Request, wire: HttpRequest) -> Secret | None:
        # Reading the environment for each request would block the loop.
        if request.host not in self._proxies:
            self._proxies[request.host] = proxy_for(request, self._settings, wire.url.partition("?")[0])
        return self._proxies[request.host]

    async def close(self) -> None:
        """Close the kept connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class _Protocol(ResponseHandler):
    """Holds the head of each response against the rules that `aiohttp`'s parser of responses is lenient about."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._head = HeadCheck()

    def set_response_params(self, **parameters: Any) -> None:
        """Prepare for the response to a request."""
        self._head = HeadCheck()
        super().set_response_params(**parameters)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if not self._head.ended:  # of most that comes, nothing more is asked
            try:
                self._head.feed(data)
            except Misframed:
                # What no parser takes within a head: the connection ends as with all that is malformed.
                data = b"\0"
        super().data_received(data)


class _Connector(aiohttp.TCPConnector):
    """Uses no kept connection on which something came that nobody asked for: it would answer the next request."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast("partial[ResponseHandler]", partial(_Protocol, loop=self._loop))

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> aiohttp.connector.Connection:
        for _ in range(self.limit):
            kept = await super().connect(req, traces, timeout)
            if kept.protocol is None or not kept.protocol.should_close:
                return kept
            kept.close()
        return await super().connect(req, traces, timeout)


class _Resolver(AbstractResolver):
    """Resolves names without the loop's threads, which would outlive a trigger, and keep the loop from ending."""

    def __init__(self, resolver: AsyncResolver, seconds: float) -> None:
        self._resolver = resolver
        self._seconds = seconds

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        async with asyncio.timeout(self._seconds):
            rows = await self._resolver(host, port)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in rows
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """Do nothing."""


async def _once(
    request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    """Keep `aiohttp` from repeating a request when a kept connection was closed: the retry policy decides that.

    A DELETE that it repeats is answered 404, as if the object had never existed.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        broken = aiohttp.ClientPayloadError()
    raise broken


def _connection_error(request: Request, error: Exception) -> ConnectionFailed:
    certificate = isinstance(error, aiohttp.ClientConnectorCertificateError)
    proxy = isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError))
    plain = isinstance(error, aiohttp.ClientConnectorSSLError) and speaks_http(error.os_error)
    never_connected = isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
    return connection_failed(
        request,
        timed_out=isinstance(error, TimeoutError),
        certificate=certificate,
        proxy=proxy,
        sent=not (certificate or proxy or never_connected),
        plain=plain,
    )
