"""A server of recordings on this machine, with ranges, redirects and faults, that records its requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class RecordingHost:
    """Files and how they are served; `sent` has path and headers of every request."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.statuses: dict[str, list[int]] = {}
        # After how many bytes the next answers for a path end.
        self.cuts: dict[str, list[int]] = {}
        # Headers that replace those of a path; None leaves one out.
        self.headers: dict[str, dict[str, str | None]] = {}
        # Paths whose answers stop after their first bytes, until `go_on` is set.
        self.held: set[str] = set()
        self.go_on = threading.Event()
        self.ranges = True
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    def paths(self) -> list[str]:
        """Return the paths of the requests, in order."""
        return [path for path, _ in self.sent]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        host: RecordingHost = self.server.host
        host.sent.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        path = self.path.partition("?")[0]
        if host.statuses.get(path):
            self._answer(host.statuses[path].pop(0), {}, b"")
        elif path in host.redirects:
            self._answer(302, {"Location": host.redirects[path], "Set-Cookie": "session=1; Path=/"}, b"")
        elif path in host.files:
            self._file(host, path, host.files[path])
        else:
            self._answer(404, {}, b"")

    def _file(self, host: RecordingHost, path: str, data: bytes) -> None:
        headers: dict[str, str | None] = {"ETag": f'"{len(data)}-{data[:4].hex()}"'}
        requested = self.headers.get("Range")
        status = 200
        if requested and host.ranges and self.headers.get("If-Range") in (None, headers["ETag"]):
            first = int(requested.removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            status, data = 206, data[first:]
        self._answer(status, headers | host.headers.get(path, {}), data, host.cuts.get(path, []))

    def _answer(self, status: int, headers: dict[str, Any], data: bytes, cuts: list[int] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        host: RecordingHost = self.server.host
        if self.path in host.held:
            self.wfile.write(data[:1])
            host.go_on.wait(30)
            data = data[1:]
        cut = cuts.pop(0) if cuts else len(data)
        self.wfile.write(data[:cut])
        if cut < len(data):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore clients that close the connection early."""


@contextmanager
def recording_host() -> Iterator[RecordingHost]:
    """Serve until the end of the block."""
    host = RecordingHost()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.host = host  # type: ignore[attr-defined]
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield host
    finally:
        host.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
