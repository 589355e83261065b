"""The asynchronous transport: sends one signed request with `aiohttp` and returns its response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import aiohttp
from yarl import URL

from airflow_provider_retreaver.core.errors import ConnectionFailed
from airflow_provider_retreaver.core.messages import Host, HttpRequest, Request, Response
from airflow_provider_retreaver.core.secrets import guard_library_logs
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.transport.blocking import CONNECT_TIMEOUT, certificates, connection_failed, proxy_for


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

    :param settings: timeouts, proxies, certificates.
    """

    def __init__(self, settings: Settings) -> None:
        guard_library_logs("aiohttp.client", "aiohttp.internal")
        self._settings = settings
        self._certificates = certificates(settings)
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[Host, str | None] = {}

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = aiohttp.ClientTimeout(
                total=None,
                sock_connect=min(CONNECT_TIMEOUT, self._settings.timeout),
                sock_read=self._settings.timeout,
            )
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.max_concurrency, ssl=self._certificates),
                timeout=limits,
                middlewares=(_once,),
                cookie_jar=aiohttp.DummyCookieJar(),
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
        failure: ConnectionFailed
        proxy = self._proxy(request, wire.url)
        try:
            async with self._opened().request(
                wire.method,
                URL(wire.url, encoded=True),
                headers=dict(wire.headers),
                # Otherwise a POST without a body has the type of an octet stream.
                skip_auto_headers=("Content-Type",),
                data=wire.body,
                allow_redirects=False,
                proxy=proxy,
            ) as answer:
                body = await answer.read()
                # A header that comes twice is one list, as in `requests`.
                headers = {name.lower(): ", ".join(answer.headers.getall(name)) for name in answer.headers}
                return Response(answer.status, headers, body)
        except (aiohttp.ClientError, TimeoutError) as error:
            failure = _connection_error(request, error)
        # Raised outside the handler, so that the library's exception is not kept as its context.
        raise failure

    def _proxy(self, request: Request, url: str) -> str | None:
        # Reading the environment for each request would block the loop.
        if request.host not in self._proxies:
            self._proxies[request.host] = proxy_for(request, self._settings, url)
        return self._proxies[request.host]

    async def close(self) -> None:
        """Close the kept connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


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
    never_connected = isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
    return connection_failed(
        request,
        timed_out=isinstance(error, TimeoutError),
        certificate=certificate,
        proxy=proxy,
        sent=not (certificate or proxy or never_connected),
    )
