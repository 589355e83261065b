"""Bounds of responses and downloads, from the extras of a connection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from airflow_provider_retreaver.core.extras import Fields

MEGABYTE = 1_000_000
MAX_JSON_DEPTH = 100
# Seconds for a whole response, as a multiple of the seconds without one byte.
TIMES_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may make a client do.

    :param response_bytes: bytes of a response, decompressed.
    :param response_seconds: seconds of a request, from connecting to the last byte of its response.
    :param json_depth: levels of lists and objects within each other in a response.
    :param download_bytes: bytes of a downloaded file.
    :param download_seconds: seconds of one attempt to download a file.
    :param download_hosts: hosts and ports outside the internet from which files may be downloaded.
    """

    response_bytes: int = 64 * MEGABYTE
    response_seconds: float = 300.0
    json_depth: int = MAX_JSON_DEPTH
    download_bytes: int = 1_000 * MEGABYTE
    download_seconds: float = 3_600.0
    download_hosts: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, fields: Fields, timeout: float, *, downloads: bool = True) -> Limits:
        """Read the extras `max_response_mb`, `max_response_seconds`, `max_json_depth` and those of downloads.

        :param fields: the extras of the connection.
        :param timeout: its extra `timeout`.
        :param downloads: whether the connection has the extras of downloads; others are unknown without them.
        :return: the limits.
        :raises InvalidConnection: naming the extra.
        """
        limits = cls(
            response_bytes=int(fields.number("max_response_mb", 64, 0.001, 4_096) * MEGABYTE),
            response_seconds=fields.number("max_response_seconds", TIMES_TIMEOUT * timeout, 0.1, 86_400),
            json_depth=fields.integer("max_json_depth", MAX_JSON_DEPTH, 5, 500),
        )
        if not downloads:
            return limits
        return replace(
            limits,
            download_bytes=int(fields.number("max_download_mb", 1_000, 0.001, 1_000_000) * MEGABYTE),
            download_seconds=fields.number("max_download_seconds", 3_600, 0.1, 86_400),
            download_hosts=_hosts(fields, "download_hosts"),
        )


def _hosts(fields: Fields, name: str) -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    for text in (fields.text(name) or "").split(","):
        part = text.strip()
        if not part:
            continue
        try:
            url = urlsplit(f"//{part}")
            host, port = url.hostname, url.port
        except ValueError:
            host = port = None
        if not host or url.netloc != part or "@" in part or url.path or url.query or url.fragment:
            raise fields.error(name, "must be hosts with or without a port, with commas, like files.internal:8443")
        found += [(host, each) for each in ((port,) if port else (80, 443))]
    return tuple(found)
