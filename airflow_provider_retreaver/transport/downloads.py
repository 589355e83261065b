"""Downloading files from the hosts where Retreaver stores them, which are not its API and never get its key.

Requests have no key, no cookies and no password. Redirects are followed one by one: from https to https only, at most
five. The address that a host's name resolves to is judged, and that address is connected to: none inside the network,
except the connection's own base URLs and the hosts of its extra `download_hosts`. Where a proxy is used, it resolves
the names and decides. A download that is cut off continues where it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit

import requests
import urllib3
from tenacity import Retrying

from airflow_provider_retreaver.core.base_url import is_loopback
from airflow_provider_retreaver.core.client_settings import ClientSettings
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
from airflow_provider_retreaver.core.limits import MEGABYTE
from airflow_provider_retreaver.core.messages import REDIRECTS, Request
from airflow_provider_retreaver.core.policy import RetryState, retry_after
from airflow_provider_retreaver.core.secrets import MASK, PRIVATE_PATHS, guard_library_logs
from airflow_provider_retreaver.core.stopping import stopped
from airflow_provider_retreaver.transport.addresses import AddressRule, Resolver, literal, system_resolver
from airflow_provider_retreaver.transport.blocking import OVERHEAD, proxies_of
from airflow_provider_retreaver.transport.connection_setup import CONNECT_TIMEOUT, certificates, proxy_for
from airflow_provider_retreaver.transport.connections import AddressRefused, Running, WatchedAdapter
from airflow_provider_retreaver.transport.received import TooLarge
from airflow_provider_retreaver.transport.workers import Stop

MAX_REDIRECTS = 5
PIECE = 1 << 18
_PORTS = {"http": 80, "https": 443}
_PRIVATE = (
    "its address is in a private network; if that is right, name its host in the connection's extra download_hosts"
)
_RAISE = "(the connection's extra max_download_mb)"


@dataclass(slots=True)
class _Download:
    """One file that is being downloaded.

    :param received: bytes that were passed on.
    :param total: bytes of the whole file, None while unknown.
    :param version: `ETag` or `Last-Modified` of the file, None while unknown.
    """

    request: Request
    url: str
    sink: Callable[[bytes], object]
    received: int = 0
    total: int | None = None
    version: str | None = None


class Downloads:
    """Downloads files without credentials.

    :param settings: timeouts, limits, proxies, certificates and retry policy of the connection; its secrets are only
        compared with the URL, which must not contain them.
    :param sleep: waits for seconds; by default a wait that ends when the work must end (tests pass a fake).
    :param resolver: resolves host names (tests pass a fake).
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        sleep: Callable[[float], None] | None = None,
        resolver: Resolver = system_resolver,
    ) -> None:
        guard_library_logs("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry", "requests")
        certificates(settings)
        self._settings = settings
        self._sleep = sleep
        self._session = requests.Session()
        # No .netrc and no cookies; proxies are set for each request.
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.verify = settings.verify
        self._running = Running()
        self._rule = AddressRule(
            [*map(_host_and_port, settings.urls.values()), *settings.limits.download_hosts], resolver
        )
        for scheme in ("https://", "http://"):
            adapter = WatchedAdapter(self._running, resolver=resolver, rule=self._rule, maxsize=16)
            self._session.mount(scheme, adapter)

    def interrupt(self, threads: Collection[int]) -> None:
        """Break off the running downloads of some threads.

        :param threads: their ids.
        """
        self._running.interrupt(threads)

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def fetch(self, url: str, what: str, sink: Callable[[bytes], object], stop: Stop | None = None) -> int:
        """Download a file, piece by piece.

        :param url: address of the file; never logged.
        :param what: name of the file for errors and logs, e.g. `recording of call …`.
        :param sink: takes the bytes in order, each once.
        :param stop: ends the download; None for the caller's own thread.
        :return: number of bytes.
        :raises NotFound: when the file does not exist.
        :raises RetreaverError: when it cannot be downloaded completely.
        """
        request = Request("GET", what)
        download = _Download(request, self._without_key(url, request), sink)
        state = RetryState(self._settings.policy, request)
        wait = partial(self._wait, request, stop or Stop())
        Retrying(**state.strategies(), sleep=wait)(self._attempt, download)
        return download.received

    def _wait(self, request: Request, stop: Stop, seconds: float) -> None:
        (self._sleep or stop.wait)(seconds)
        if stop.is_set():
            raise stopped(request)

    def _without_key(self, url: str, request: Request) -> str:
        parts = None
        with suppress(ValueError):
            parts = urlsplit(url)
        if parts is None:
            raise _refused(request, "its address is not a plain http(s) URL")
        kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0].lower() != "api_key"]
        # A signed URL is sent unchanged, unless a parameter must be removed.
        query = parts.query if len(kept) == len(parse_qsl(parts.query, keep_blank_values=True)) else urlencode(kept)
        clean = parts._replace(query=query, fragment="").geturl()
        return self._allowed(clean, request)

    def _allowed(self, url: str, request: Request, before: str | None = None) -> str:
        """Return a URL that may be requested, without secrets of the connection."""
        parts = host = None
        with suppress(ValueError):
            parts = urlsplit(url)
            host = parts.hostname if parts.port != 0 else None
        if parts is None or not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise _refused(request, "its address is not a plain http(s) URL")
        if before is not None and urlsplit(before).scheme == "https" and parts.scheme != "https":
            raise _refused(request, "it is redirected from https to http")
        port = parts.port or _PORTS[parts.scheme]
        if not all(self._rule.allows(address, port) for address in _written_addresses(host)):
            raise _refused(request, _PRIVATE)
        plain = unquote(unquote(url))
        # In an address that was read from a call, secrets are masked.
        if MASK in plain or any(
            secret.reveal() in plain or secret.reveal() in url for secret in self._settings.secrets
        ):
            raise _refused(request, "its address contains a secret of the connection")
        return url

    def _attempt(self, download: _Download) -> None:
        if download.total is not None and download.received == download.total:
            return
        limits = self._settings.limits
        too_large = _refused(download.request, f"it has more than {limits.download_bytes / MEGABYTE:g} MB {_RAISE}")
        with self._running.request(limits.download_seconds, limits.download_bytes + OVERHEAD):
            try:
                self._receive(download, too_large)
            except TooLarge:
                pass
            else:
                return
        raise too_large

    def _receive(self, download: _Download, too_large: RetreaverError) -> None:
        most = self._settings.limits.download_bytes
        with closing(self._follow(download)) as answer:
            for piece in self._pieces(download, answer):
                if download.received + len(piece) > most or (download.total or 0) > most:
                    raise too_large
                download.sink(piece)
                download.received += len(piece)
        if download.total is not None and download.received != download.total:
            raise _broken(download)
        download.total = download.received

    def _follow(self, download: _Download) -> requests.Response:
        url, request = download.url, download.request
        headers = {"Accept-Encoding": "identity", "Accept": "*/*"}
        if download.received:
            headers["Range"] = f"bytes={download.received}-"
            if download.version:
                headers["If-Range"] = download.version
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._get(url, request, headers)
            if answer.status_code not in REDIRECTS:
                return self._judge(request, answer)
            answer.close()
            url = self._allowed(urljoin(url, answer.headers.get("location", "")), request, url)
        raise _refused(request, f"it is redirected more than {MAX_REDIRECTS} times")

    def _get(self, url: str, request: Request, headers: dict[str, str]) -> requests.Response:
        proxy = proxy_for(request, self._settings, url)
        answer = None
        refused = False
        # Whoever knows the address of a file can read it.
        private = PRIVATE_PATHS.set(True)
        try:
            answer = self._session.get(
                url,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_TIMEOUT, self._settings.timeout), self._settings.timeout),
                proxies=proxies_of(proxy),
            )
        except (requests.exceptions.RequestException, OSError):
            pass
        except AddressRefused:
            refused = True
        finally:
            PRIVATE_PATHS.reset(private)
        if refused:
            raise _refused(request, _PRIVATE)
        if answer is None:
            # Outside, so that the library's exception, which holds the URL, is not kept as the context.
            raise ConnectionFailed(
                f"The {request.path} was not downloaded: its host did not respond.", method="GET", path=request.path
            )
        return answer

    def _judge(self, request: Request, answer: requests.Response) -> requests.Response:
        status = answer.status_code
        if status in (200, 206):
            return answer
        answer.close()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        kind: type[VendorError] = {404: NotFound, 410: NotFound, 429: RateLimited}.get(status, InvalidRequest)
        raise (Unavailable if status >= 500 else kind)(
            f"The {request.path} was not downloaded: its host answered {status}.",
            method="GET",
            path=request.path,
            status=status,
            retry_after=retry_after(headers, datetime.now(UTC)),
        )

    def _pieces(self, download: _Download, answer: requests.Response) -> Iterator[bytes]:
        """Yield what was not passed on yet."""
        total, start = _extent(download.request, answer)
        version = answer.headers.get("etag") or answer.headers.get("last-modified")
        if version is not None and version.startswith("W/"):
            version = None  # a weak validator does not compare bytes
        if download.received and (
            start > download.received or total != download.total or version != download.version
        ):
            raise _refused(download.request, "the file changed while it was downloaded")
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
    """Return the length of the whole file, and where the response begins in it."""
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise _unreadable(request, "is compressed although this was not requested")
    if answer.status_code == 206:
        unit, _, extent = answer.headers.get("content-range", "").partition(" ")
        span, _, whole = extent.partition("/")
        first = span.partition("-")[0]
        if unit == "bytes" and first.isdecimal() and whole.isdecimal():
            return int(whole), int(first)
        raise _unreadable(request, "does not have the part of the file that it contains")
    length = answer.headers.get("content-length", "")
    if length.isdecimal():
        return int(length), 0
    if "chunked" in answer.headers.get("transfer-encoding", "").lower():
        return None, 0
    raise _unreadable(request, "does not contain its length, so that a partial file cannot be recognized")


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _written_addresses(host: str) -> list[str]:
    """Return the addresses that a host is without being resolved: judged before a proxy gets them."""
    if is_loopback(host.rstrip(".")) and literal(host) is None:
        return ["127.0.0.1"]
    return [host] if literal(host) is not None else []


def _broken(download: _Download) -> RetreaverError:
    return ConnectionFailed(
        f"The {download.request.path} was cut off after {download.received} bytes.",
        method="GET",
        path=download.request.path,
    )


def _refused(request: Request, why: str) -> RetreaverError:
    return InvalidRequest(f"The {request.path} is not downloaded: {why}.", method="GET", path=request.path)


def _unreadable(request: Request, what: str) -> RetreaverError:
    return ProtocolError(f"The response for the {request.path} {what}.", method="GET", path=request.path)
