"""Fetching recordings from the hosts where the vendor keeps them, which are not its API and never see its key.

A request of its own, without key, cookies or anybody's password. Redirects are followed by hand: to https from https,
never to an address inside the network, five at most. What breaks off is continued where it ended.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from tenacity import Retrying

from airflow_provider_retreaver.core.errors import (
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    ProtocolError,
    RateLimited,
    RetreaverError,
    Unavailable,
    VendorError,
)
from airflow_provider_retreaver.core.messages import Host, Request
from airflow_provider_retreaver.core.policy import RetryState, retry_after
from airflow_provider_retreaver.core.secrets import guard_library_logs
from airflow_provider_retreaver.core.settings import Settings, is_loopback
from airflow_provider_retreaver.transport.blocking import CONNECT_TIMEOUT, certificates, proxy_for

MOST_REDIRECTS = 5
PIECE = 1 << 18
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(slots=True)
class _Download:
    """One file on its way.

    :param received: bytes that were handed on.
    :param total: bytes of the whole file, as far as its host says.
    :param version: what tells this version of the file from another.
    """

    request: Request
    url: str
    sink: Callable[[bytes], object]
    received: int = 0
    total: int | None = None
    version: str | None = None


class Downloads:
    """Fetches files without credentials.

    :param settings: timeouts, proxies, certificates and state of the connection; its key is only looked for, in
        order to refuse a URL that holds it.
    :param sleep: lets seconds pass (tests pass a fake).
    """

    def __init__(self, settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        guard_library_logs("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry", "requests")
        certificates(settings)
        self._settings = settings
        self._sleep = sleep
        self._session = requests.Session()
        # Neither .netrc nor cookies; proxies are given with each request.
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.verify = settings.verify
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=16))
        self._inside = is_loopback(urlsplit(settings.urls[Host.API]).hostname or "")

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def fetch(self, url: str, what: str, sink: Callable[[bytes], object]) -> int:
        """Fetch a file, piece by piece.

        :param url: where it is; shown nowhere.
        :param what: what it is, for errors and logs, e.g. `recording of call …`.
        :param sink: takes the bytes in order, each once.
        :return: their number, which is what the host said.
        :raises NotFound: when it is not there.
        :raises RetreaverError: when it cannot be had whole.
        """
        request = Request("GET", what)
        download = _Download(request, self._without_key(url, request), sink)
        state = RetryState(self._settings.policy, request)
        Retrying(**state.strategies(), sleep=self._sleep)(self._attempt, download)
        return download.received

    def _without_key(self, url: str, request: Request) -> str:
        parts = urlsplit(url)
        kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0].lower() != "api_key"]
        # What was signed is sent as it was written, unless something must go.
        query = parts.query if len(kept) == len(parse_qsl(parts.query, keep_blank_values=True)) else urlencode(kept)
        clean = parts._replace(query=query, fragment="").geturl()
        return self._allowed(clean, request)

    def _allowed(self, url: str, request: Request, before: str | None = None) -> str:
        """Return a URL that may be asked, with nothing of the connection's secrets in it."""
        parts = host = None
        with suppress(ValueError):
            parts = urlsplit(url)
            host = parts.hostname
        if parts is None or not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise _refused(request, "its address is no plain http(s) URL")
        if before is not None and urlsplit(before).scheme == "https" and parts.scheme != "https":
            raise _refused(request, "it is redirected from https to http")
        if _inside(host) and not self._inside:
            raise _refused(request, "its address leads into a private network")
        plain = unquote(unquote(url))
        if any(secret.reveal() in plain or secret.reveal() in url for secret in self._settings.secrets):
            raise _refused(request, "its address holds a secret of the connection")
        return url

    def _attempt(self, download: _Download) -> None:
        if download.total is not None and download.received == download.total:
            return
        with closing(self._asked(download)) as answer:
            pieces = self._pieces(download, answer)
            for piece in pieces:
                download.sink(piece)
                download.received += len(piece)
        if download.total is not None and download.received != download.total:
            raise _broken(download)
        download.total = download.received

    def _asked(self, download: _Download) -> requests.Response:
        url, request = download.url, download.request
        headers = {"Accept-Encoding": "identity", "Accept": "*/*"}
        if download.received:
            headers["Range"] = f"bytes={download.received}-"
            if download.version:
                headers["If-Range"] = download.version
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._sent(url, request, headers)
            if answer.status_code not in _REDIRECTS:
                return self._judged(request, answer)
            answer.close()
            url = self._allowed(urljoin(url, answer.headers.get("location", "")), request, url)
        raise _refused(request, f"it is redirected more than {MOST_REDIRECTS} times")

    def _sent(self, url: str, request: Request, headers: dict[str, str]) -> requests.Response:
        proxy = proxy_for(request, self._settings, url)
        answer = None
        with suppress(requests.exceptions.RequestException):
            answer = self._session.get(
                url,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_TIMEOUT, self._settings.timeout), self._settings.timeout),
                proxies=dict.fromkeys(("http", "https", "all"), proxy),  # type: ignore[arg-type]
            )
        if answer is None:
            # Outside, so that the library's exception, which holds the URL, is not kept as the context.
            raise ConnectionFailed(
                f"The {request.path} was not fetched: its host gave no answer.", method="GET", path=request.path
            )
        return answer

    def _judged(self, request: Request, answer: requests.Response) -> requests.Response:
        status = answer.status_code
        if status in (200, 206):
            return answer
        answer.close()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        kind: type[VendorError] = {404: NotFound, 410: NotFound, 429: RateLimited}.get(status, InvalidRequest)
        raise (Unavailable if status >= 500 else kind)(
            f"The {request.path} was not fetched: its host answered {status}.",
            method="GET",
            path=request.path,
            status=status,
            retry_after=retry_after(headers, datetime.now(UTC)),
        )

    def _pieces(self, download: _Download, answer: requests.Response) -> Iterator[bytes]:
        """Yield what has not been handed on yet."""
        total, start = _extent(download.request, answer)
        version = answer.headers.get("etag") or answer.headers.get("last-modified")
        if version is not None and version.startswith("W/"):
            version = None  # it says nothing about single bytes
        if download.received and (
            start > download.received or total != download.total or version != download.version
        ):
            raise _refused(download.request, "it was another file when its host was asked for the rest")
        download.total, download.version = total, version
        skip = download.received - start
        with suppress(urllib3.exceptions.HTTPError):
            for piece in answer.raw.stream(PIECE, decode_content=False):
                if skip < len(piece):
                    yield piece[skip:]
                skip = max(0, skip - len(piece))
            return
        raise _broken(download)


def _extent(request: Request, answer: requests.Response) -> tuple[int | None, int]:
    """Return how long the whole file is, and where the answer begins in it."""
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise _unreadable(request, "is compressed although that was not asked for")
    if answer.status_code == 206:
        unit, _, extent = answer.headers.get("content-range", "").partition(" ")
        span, _, whole = extent.partition("/")
        first = span.partition("-")[0]
        if unit == "bytes" and first.isdecimal() and whole.isdecimal():
            return int(whole), int(first)
        raise _unreadable(request, "does not say which part of the file it is")
    length = answer.headers.get("content-length", "")
    if length.isdecimal():
        return int(length), 0
    if "chunked" in answer.headers.get("transfer-encoding", "").lower():
        return None, 0
    raise _unreadable(request, "does not say how long it is, so that a whole file cannot be told from half of one")


def _inside(host: str) -> bool:
    """Whether a host's name is that of this machine, or an address that the internet does not have."""
    if is_loopback(host):
        return True
    with suppress(ValueError):
        return not ipaddress.ip_address(host).is_global
    return False


def _broken(download: _Download) -> RetreaverError:
    return ConnectionFailed(
        f"The {download.request.path} broke off after {download.received} bytes.",
        method="GET",
        path=download.request.path,
    )


def _refused(request: Request, why: str) -> RetreaverError:
    return InvalidRequest(f"The {request.path} is not fetched: {why}.", method="GET", path=request.path)


def _unreadable(request: Request, what: str) -> RetreaverError:
    return ProtocolError(f"The answer for the {request.path} {what}.", method="GET", path=request.path)
