"""An S3 of the tests' own: a server on this machine only, whose every request can be counted, refused or deadly."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

LOGIN, PASSWORD = "AKIATESTSTESTSTESTS0", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYTESTSKEY00"
NAME = "warehouse"
REFUSED = '<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}, told by the tests</Message></Error>'


class Bucket:
    """A bucket.

    `requests` holds method and path of everything that was asked since `forget`; `refuse` may answer instead, with a
    status and a code, or break the connection off with None for a code.
    """

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self._victim = threading.Event()
        self._pid = 0
        self._kill_at = 0
        self.requests: list[str] = []
        self.refuse: Callable[[str], tuple[int, str | None] | None] = lambda _: None
        self.url = ""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request (WSGI)."""
        asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        with self._lock:
            self.requests.append(asked)
            deadly = self._kill_at and len(self.requests) == self._kill_at
        if deadly and self._victim.wait(30):
            os.kill(self._pid, signal.SIGKILL)
        refusal = self.refuse(asked)
        if refusal is None:
            return self._app(environ, start_response)  # type: ignore[no-any-return]
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, code = refusal
        if code is None:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        body = b"" if asked.startswith("HEAD") else REFUSED.format(code=code).encode()
        start_response(f"{status} Refused", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    def forget(self, kill_at: int = 0) -> None:
        """Begin to count anew; before request number `kill_at` the process that `victim` names is killed."""
        self.requests.clear()
        self._victim.clear()
        self._kill_at = kill_at

    def victim(self, pid: int) -> None:
        """Say which process is to be killed."""
        self._pid = pid
        self._victim.set()

    def client(self) -> Any:
        """Return a client of its own for S3."""
        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=LOGIN, aws_secret_access_key=PASSWORD,
            region_name="us-east-1",
        )  # fmt: skip

    def connection(self, **changes: Any) -> dict[str, Any]:
        """Return an Airflow connection to it."""
        extra = {"endpoint_url": self.url, "region_name": "us-east-1"}
        return {"conn_type": "aws", "login": LOGIN, "password": PASSWORD, "extra": extra, **changes}

    def names(self) -> list[str]:
        """Return the names of all buckets."""
        return [bucket["Name"] for bucket in self.client().list_buckets()["Buckets"]]

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return every object below a prefix, by the rest of its key."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=NAME, Prefix=prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return {
            key.removeprefix(prefix): client.get_object(Bucket=NAME, Key=key)["Body"].read() for key in sorted(keys)
        }

    def tree(self, prefix: str = "") -> dict[str, str]:
        """Return every object below a prefix with its digest."""
        return {key: hashlib.sha256(data).hexdigest() for key, data in self.objects(prefix).items()}

    def empty(self) -> None:
        """Start anew: the bucket with nothing in it, and nobody refused."""
        self.refuse = lambda _: None
        self.forget()
        client = self.client()
        for key in self.tree():
            client.delete_object(Bucket=NAME, Key=key)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


@contextmanager
def private_bucket() -> Iterator[Bucket]:
    """Serve until the end of the block."""
    bucket = Bucket()
    server = make_server("127.0.0.1", 0, bucket, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    bucket.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        bucket.client().create_bucket(Bucket=NAME)
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
