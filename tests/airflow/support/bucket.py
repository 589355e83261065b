"""A storage server on this machine whose requests can be counted and refused, and can kill the client's process."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from werkzeug.serving import WSGIRequestHandler, make_server

NAME = "warehouse"


class Bucket(ABC):
    """A bucket of any kind of storage.

    `requests` has method and path of all requests since `clear_requests`; `refuse` returns a status and a code to
    answer a request with an error, or a status and None to drop the connection.
    """

    scheme: str
    # Parts of the credentials, which no log may have.
    secrets: tuple[str, ...]
    # Media type and template of an error.
    error_format: tuple[str, str]
    # Errors of the client library by code; None is a dropped connection, "down" a server that does not run.
    library_errors: ClassVar[dict[str | None, str]]

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid_known = threading.Event()
        self._pid = 0
        self._kill_at = 0
        self.requests: list[str] = []
        self.refuse: Callable[[str], tuple[int, str | None] | None] = lambda _: None
        self.url = ""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request (WSGI)."""
        request = self.describe(environ)
        with self._lock:
            self.requests.append(request)
            kill = self._kill_at and len(self.requests) == self._kill_at
        if kill and self._pid_known.wait(30):
            os.kill(self._pid, signal.SIGKILL)
        refusal = self.refuse(request)
        if refusal is None:
            return self.app(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, code = refusal
        if code is None:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        kind, template = self.error_format
        body = (
            b""
            if request.startswith("HEAD")
            else template.replace("CODE", code).replace("STATUS", str(status)).encode()
        )
        start_response(f"{status} Refused", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    @property
    def root(self) -> str:
        """URL of the bucket, with the connection `store`."""
        return f"{self.scheme}://store@{NAME}"

    def describe(self, environ: dict[str, Any]) -> str:
        """Return method and path of a request (WSGI)."""
        return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"

    @abstractmethod
    def app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Execute a request (WSGI)."""

    @abstractmethod
    def is_write(self, request: str) -> bool:
        """Return whether a request writes, copies or moves an object."""

    @abstractmethod
    def connection(self, url: str) -> dict[str, Any]:
        """Return an Airflow connection to a storage of this kind at a URL."""

    @abstractmethod
    def create(self) -> None:
        """Create the bucket."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of all buckets."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Write an object."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Remove an object."""

    @abstractmethod
    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return the objects under a prefix by the rest of their keys."""

    def clear_requests(self, kill_at: int = 0) -> None:
        """Clear `requests`; before request number `kill_at` the process given to `set_pid` is killed."""
        self.requests.clear()
        self._pid_known.clear()
        self._kill_at = kill_at

    def set_pid(self, pid: int) -> None:
        """Set which process is killed."""
        self._pid = pid
        self._pid_known.set()

    def published(self, result: dict[str, Any], prefix: str = "calls/") -> dict[str, bytes]:
        """Return the files of a result's manifest; size and digest of each are checked."""
        objects = self.objects(prefix)
        manifest = json.loads(objects[result["manifest"].rpartition("/")[2]])
        for file in manifest["files"]:
            data = objects[file["path"]]
            assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
        return {file["path"]: objects[file["path"]] for file in manifest["files"]}

    def tree(self, prefix: str = "") -> dict[str, str]:
        """Return the digests of the objects under a prefix by key."""
        return {key: hashlib.sha256(data).hexdigest() for key, data in self.objects(prefix).items()}

    def empty(self) -> None:
        """Delete all objects and answer all requests."""
        self.refuse = lambda _: None
        self.clear_requests()
        for key in self.tree():
            self.remove(key)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any, **__: Any) -> None:
        """Log nothing."""


@contextmanager
def served(bucket: Bucket) -> Iterator[None]:
    """Serve until the end of the block."""
    server = make_server("127.0.0.1", 0, bucket, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    bucket.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        bucket.create()
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
