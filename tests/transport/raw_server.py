"""A server that sends scripted bytes, for malformed responses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


class RawServer:
    """Answers each request with the next script and closes; the last one is repeated.

    :param scripts: bytes to answer; None leaves the request without an answer.
    """

    def __init__(self, scripts: Sequence[bytes | None]) -> None:
        self._scripts = list(scripts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self._waiting: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        data = b""
        # A TLS handshake has no end that this server recognizes.
        while b"\r\n\r\n" not in data and not data.startswith(b"\x16"):
            more = connection.recv(65_536)
            if not more:
                break
            data += more
        self.requests.append(data)
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        if script is None:
            self._waiting.append(connection)
            return
        # A client may close the connection before it has read everything.
        with suppress(OSError):
            connection.sendall(script)
        connection.close()

    def close(self) -> None:
        """Stop listening and close the connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in self._waiting:
            connection.close()


@contextmanager
def raw_server(*scripts: bytes | None) -> Iterator[RawServer]:
    """Serve until the block ends."""
    server = RawServer(scripts)
    try:
        yield server
    finally:
        server.close()


def answer(status: int = 200, body: bytes = b"{}", headers: Sequence[bytes] = (), length: int | None = None) -> bytes:
    """Return an HTTP response; `length` overrides the length of the body."""
    lines = [
        b"HTTP/1.1 %d Odd" % status,
        b"Content-Type: application/json",
        b"Content-Length: %d" % (len(body) if length is None else length),
        b"Connection: close",
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
