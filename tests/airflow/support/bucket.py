"""A bucket of the tests' own: a server on this machine, whose every request can be counted, refused or deadly."""

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

    `requests` holds method and path of everything that was asked since `forget`; `refuse` may answer instead, with a
    status and a code, or break the connection off with None for a code.
    """

    scheme: str
    # What would show in a log that a credential got there.
    secrets: tuple[str, ...]
    # Media type and form of a refusal.
    refused: tuple[str, str]
    # What its library makes of refusals and broken connections by their code, and of nobody there ("down").
    says: ClassVar[dict[str | None, str]]

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._victim = threading.Event()
        self._pid = 0
        self._kill_at = 0
        self.requests: list[str] = []
        self.refuse: Callable[[str], tuple[int, str | None] | None] = lambda _: None
        self.url = ""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request (WSGI)."""
        asked = self.asked(environ)
        with self._lock:
            self.requests.append(asked)
            deadly = self._kill_at and len(self.requests) == self._kill_at
        if deadly and self._victim.wait(30):
            os.kill(self._pid, signal.SIGKILL)
        refusal = self.refuse(asked)
        if refusal is None:
            return self.app(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, code = refusal
        if code is None:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        kind, form = self.refused
        body = b"" if asked.startswith("HEAD") else form.replace("CODE", code).replace("STATUS", str(status)).encode()
        start_response(f"{status} Refused", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    @property
    def root(self) -> str:
        """Return its URL, with the connection `store`."""
        return f"{self.scheme}://store@{NAME}"

    def asked(self, environ: dict[str, Any]) -> str:
        """Return method and path of a request (WSGI)."""
        return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"

    @abstractmethod
    def app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Do what is asked (WSGI)."""

    @abstractmethod
    def is_write(self, asked: str) -> bool:
        """Return whether a request writes, copies or moves an object."""

    @abstractmethod
    def connection(self, url: str) -> dict[str, Any]:
        """Return an Airflow connection to such a storage at a URL."""

    @abstractmethod
    def make(self) -> None:
        """Make the bucket."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of all buckets."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Put an object there."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Remove an object."""

    @abstractmethod
    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return every object below a prefix, by the rest of its key."""

    def forget(self, kill_at: int = 0) -> None:
        """Begin to count anew; before request number `kill_at` the process that `victim` names is killed."""
        self.requests.clear()
        self._victim.clear()
        self._kill_at = kill_at

    def victim(self, pid: int) -> None:
        """Say which process is to be killed."""
        self._pid = pid
        self._victim.set()

    def published(self, result: dict[str, Any], prefix: str = "calls/") -> dict[str, bytes]:
        """Return the files of a result's manifest, each found to be whole."""
        objects = self.objects(prefix)
        manifest = json.loads(objects[result["manifest"].rpartition("/")[2]])
        for file in manifest["files"]:
            data = objects[file["path"]]
            assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
        return {file["path"]: objects[file["path"]] for file in manifest["files"]}

    def tree(self, prefix: str = "") -> dict[str, str]:
        """Return every object below a prefix with its digest."""
        return {key: hashlib.sha256(data).hexdigest() for key, data in self.objects(prefix).items()}

    def empty(self) -> None:
        """Start anew: the bucket with nothing in it, and nobody refused."""
        self.refuse = lambda _: None
        self.forget()
        for key in self.tree():
            self.remove(key)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


@contextmanager
def served(bucket: Bucket) -> Iterator[None]:
    """Serve until the end of the block."""
    server = make_server("127.0.0.1", 0, bucket, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    bucket.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        bucket.make()
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
