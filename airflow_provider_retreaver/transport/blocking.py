"""The blocking transport: sends one signed request with `requests` and returns its response."""

from __future__ import annotations

import ssl
from collections.abc import Collection
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol

import requests
import urllib3
from urllib3.exceptions import MaxRetryError, NewConnectionError, SSLError

from airflow_provider_retreaver.core.bodies import ACCEPT_ENCODING, Body, BodyTooLarge
from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.envelopes import response_too_large
from airflow_provider_retreaver.core.errors import ConnectionFailed, RetreaverError
from airflow_provider_retreaver.core.messages import Host, HttpRequest, Request, Response
from airflow_provider_retreaver.core.secrets import Secret, guard_library_logs
from airflow_provider_retreaver.transport.addresses import Resolver, system_resolver
from airflow_provider_retreaver.transport.connection_setup import (
    CONNECT_TIMEOUT,
    certificates,
    connection_failed,
    proxy_for,
    speaks_http,
)
from airflow_provider_retreaver.transport.connections import Running, WatchedAdapter
from airflow_provider_retreaver.transport.received import TooLarge

# Bytes of a body that are read at a time: the library's own 10 kB take more time than the reading itself.
PIECE = 1 << 20
# Bytes of a response besides its body: status, headers, framing.
OVERHEAD = 4 << 20


class Transport(Protocol):
    """Sends single requests."""

    def send(self, request: Request, wire: HttpRequest) -> Response:
        """Send a request and return its response, whatever its status.

        :param request: the request, for errors.
        :param wire: the signed request.
        :return: the response.
        :raises ConnectionFailed: when there is no response; `sent` is whether the server may have received the
            request.
        """

    def interrupt(self, threads: Collection[int]) -> None:
        """Break off the running requests of some threads.

        :param threads: their ids.
        """

    def close(self) -> None:
        """Close the connections."""


class _Session(requests.Session):
    """Ignores the target of a redirect: `requests` would prepare the next request, with the key."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the library's signature
        return None


class RequestsTransport:
    """One `requests` session with as many kept connections as concurrent requests.

    Redirects are not followed, since they would pass on the key. Exceptions of the library contain the URL, and with
    it the
    key, so they are replaced.

    :param settings: timeouts, limits, proxies, certificates.
    :param resolver: resolves host names (tests pass a fake).
    """

    def __init__(self, settings: ClientSettings, *, resolver: Resolver = system_resolver) -> None:
        guard_library_logs("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry", "requests")
        certificates(settings)
        self._timeout = (min(CONNECT_TIMEOUT, settings.timeout), settings.timeout)
        self._settings = settings
        self._session = _Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # The bundle of the environment, if the connection names none, is read once.
        base = settings.urls[Host.API]
        merged = self._session.merge_environment_settings(base, {}, stream=True, verify=settings.verify, cert=None)
        self._verify = merged["verify"]
        self._proxies: dict[str, Secret | None] = {}
        self._headers = {**self._session.headers, "Accept-Encoding": ACCEPT_ENCODING}
        self._running = Running()
        adapter = WatchedAdapter(self._running, resolver=resolver, maxsize=settings.max_concurrency)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(self, request: Request, wire: HttpRequest) -> Response:
        """Send a request and return its response, whatever its status.

        :param request: the request, for errors.
        :param wire: the signed request.
        :return: the response.
        :raises ConnectionFailed: when there is no response; `sent` is whether the server may have received the
            request.
        """
        failure: RetreaverError
        proxy = self._proxy(request, wire)
        limits = self._settings.limits
        try:
            # Prepared without the session, which would add what it finds in a .netrc file.
            prepared = requests.Request(
                wire.method, wire.url, headers={**self._headers, **wire.headers}, data=wire.body
            ).prepare()
            with self._running.request(limits.response_seconds, limits.response_bytes + OVERHEAD):
                answer = self._session.send(
                    prepared,
                    stream=True,
                    timeout=self._timeout,
                    verify=self._verify,
                    allow_redirects=False,
                    proxies=proxies_of(proxy),
                )
                return self._read(answer)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failure = _connection_error(request, error)
        except ValueError:
            failure = connection_failed(request, timed_out=False, certificate=False, proxy=False, sent=True)
        except (BodyTooLarge, TooLarge):
            failure = response_too_large(request, limits.response_bytes)
        # Raised outside the handler, so that the library's exception is not kept as its context.
        raise failure

    def _read(self, answer: requests.Response) -> Response:
        """Read a response within the limits.

        :raises ValueError: when its headers or its compression are not as they should be.
        """
        limits = self._settings.limits
        headers = {name.lower(): value for name, value in answer.headers.items()}
        whole = False
        try:
            lines = sum(1 for _ in answer.raw.headers.iteritems())
            body = Body(answer.status_code, headers, lines, limits.response_bytes)
            whole = all(map(body.feed, answer.raw.stream(PIECE, decode_content=False)))
        finally:
            if not whole:
                # Not read to its end: the connection is of no further use.
                answer.close()
        return Response(answer.status_code, headers, body.content(), limits.json_depth)

    def interrupt(self, threads: Collection[int]) -> None:
        """Break off the running requests of some threads.

        :param threads: their ids.
        """
        self._running.interrupt(threads)

    def _proxy(self, request: Request, wire: HttpRequest) -> Secret | None:
        origin = wire.url.partition("?")[0].removesuffix(request.path)
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(request, self._settings, origin)
        return self._proxies[origin]

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()


def _connection_error(request: Request, error: Exception) -> ConnectionFailed:
    reason = _reason(error)
    certificate = isinstance(reason, SSLError) and any(
        isinstance(cause, ssl.SSLCertVerificationError) for cause in reason.args
    )
    proxy = isinstance(error, requests.exceptions.ProxyError)
    plain = not proxy and isinstance(reason, SSLError) and any(map(speaks_http, reason.args))
    never_connected = isinstance(error, requests.exceptions.ConnectTimeout) or isinstance(reason, NewConnectionError)
    return connection_failed(
        request,
        timed_out=isinstance(error, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)),
        certificate=certificate,
        proxy=proxy,
        sent=not (certificate or proxy or never_connected or plain),
        plain=plain,
    )


def _reason(error: Exception) -> BaseException | None:
    cause = error.args[0] if error.args else None
    return cause.reason if isinstance(cause, MaxRetryError) else None


def proxies_of(proxy: Secret | None) -> Any:
    """Return a proxy as the argument of `requests`.

    :param proxy: URL of the proxy, None for none.
    :return: the proxy of every scheme, since `requests` fills those that are missing from the environment.
    """
    return dict.fromkeys(("http", "https", "all"), proxy and proxy.reveal())
