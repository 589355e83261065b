"""The blocking transport: `requests` carries one signed request and brings back one answer."""

from __future__ import annotations

import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import Protocol

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import MaxRetryError, NewConnectionError, SSLError

from airflow_provider_retreaver.core.errors import ConnectionFailed
from airflow_provider_retreaver.core.messages import HttpRequest, Request, Response
from airflow_provider_retreaver.core.secrets import guard_library_logs
from airflow_provider_retreaver.core.settings import Settings

# A host that does not accept a connection in this time is not there.
CONNECT_TIMEOUT = 10.0


class Transport(Protocol):
    """Carries one request."""

    def send(self, request: Request, wire: HttpRequest) -> Response:
        """Send a request and return its answer whatever its status; raises `ConnectionFailed` when none came."""

    def close(self) -> None:
        """Let go of connections."""


class _OnlyOurCredentials(AuthBase):
    """Keeps `requests` from adding what it finds in a .netrc file."""

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        return prepared


class RequestsTransport:
    """One `requests` session with as many kept connections as there are requests at once.

    Redirects are not followed, since they would carry the key. Exceptions of the library hold the URL, and the
    URL holds the key, so they are described anew and dropped.

    :param settings: timeouts, proxies, certificates.
    """

    def __init__(self, settings: Settings) -> None:
        guard_library_logs("urllib3.connectionpool", "urllib3.util.retry", "requests", "charset_normalizer")
        self._timeout = (min(CONNECT_TIMEOUT, settings.timeout), settings.timeout)
        self._session = requests.Session()
        self._session.auth = _OnlyOurCredentials()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.verify = settings.verify
        if settings.proxies:
            self._session.proxies.update(settings.proxies)
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=settings.max_concurrency, pool_block=False)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(self, request: Request, wire: HttpRequest) -> Response:
        """Send a request and return its answer whatever its status.

        :raises ConnectionFailed: when there is no answer; `sent` says whether the vendor may have got it.
        """
        failure: ConnectionFailed
        try:
            answer = self._session.request(
                wire.method,
                wire.url,
                headers=dict(wire.headers),
                data=wire.body,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.exceptions.RequestException as error:
            failure = _described(request, error)
        else:
            return Response(
                answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content
            )
        # Raised outside the handler, so that the library's exception is not kept as its context.
        raise failure

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()


def _described(request: Request, error: requests.exceptions.RequestException) -> ConnectionFailed:
    reason = _reason(error)
    certificate = isinstance(reason, SSLError) and any(
        isinstance(cause, ssl.SSLCertVerificationError) for cause in reason.args
    )
    proxy = isinstance(error, requests.exceptions.ProxyError)
    never_connected = isinstance(error, requests.exceptions.ConnectTimeout) or isinstance(reason, NewConnectionError)
    return connection_failed(
        request,
        timed_out=isinstance(error, requests.exceptions.Timeout),
        certificate=certificate,
        proxy=proxy,
        sent=not (certificate or proxy or never_connected),
    )


def _reason(error: requests.exceptions.RequestException) -> BaseException | None:
    cause = error.args[0] if error.args else None
    return cause.reason if isinstance(cause, MaxRetryError) else None


def connection_failed(
    request: Request, *, timed_out: bool, certificate: bool, proxy: bool, sent: bool
) -> ConnectionFailed:
    """Return the error for a request without answer, in the words that both transports use."""
    return ConnectionFailed(
        f"{request.label} {_words(timed_out, certificate, proxy, sent)}",
        method=request.method,
        path=request.path,
        sent=sent,
        final=certificate,
    )


def _words(timed_out: bool, certificate: bool, proxy: bool, sent: bool) -> str:  # noqa: FBT001
    if certificate:
        return "got no answer: the host's certificate was not accepted; check host and the extra verify."
    if proxy:
        return "got no answer: the proxy could not be used; check the extra proxies."
    if timed_out and not sent:
        return "could not connect in time; check host, port and network."
    if timed_out:
        return "got no answer in time; check the network or raise the extra timeout."
    if not sent:
        return "could not connect; check host, port and network."
    return "got no answer: the connection broke off."
