"""A temporary Redis server in a temporary folder, for connections from this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

FOLDERS = ("", "/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin")
MISSING = (
    "No Redis server was found on this machine (redis-server, on the path or where Debian puts it); install one, "
    "e.g. apt-get install redis-server"
)
TIMEOUT = 60.0


@dataclass
class RedisServer:
    """A server without a password, which forgets everything when it ends.

    :param program: of the server.
    :param folder: of its log.
    :param port: of this machine.
    """

    program: str
    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, *options, "--save", "", "--appendonly", "no"], cwd=self.folder,
                env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        _wait(self.port, self._process, self.folder / "log")

    def kill(self) -> None:
        """End it at once, as a lost machine ends."""
        self._end(subprocess.Popen.kill)

    def stop(self) -> None:
        """End it."""
        self._end(subprocess.Popen.terminate)

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        if self._process is not None:
            how(self._process)
            self._process.wait(TIMEOUT)
            self._process = None


def program() -> str | None:
    """Return the path of the server's program, or None."""
    return next((path for folder in FOLDERS if (path := shutil.which("redis-server", path=folder or None))), None)


@contextmanager
def private_redis() -> Iterator[RedisServer]:
    """Start a server in a temporary folder; stop it and delete the folder after the block."""
    server = program()
    if server is None:
        raise RuntimeError(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="retreaver-redis-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    redis = RedisServer(server, folder, port)
    try:
        redis.start()
        yield redis
    finally:
        redis.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            if connection.recv(16).startswith(b"+PONG"):
                return
        time.sleep(0.05)
    raise RuntimeError(f"the Redis server did not start: {log.read_text()[-2000:]}")
