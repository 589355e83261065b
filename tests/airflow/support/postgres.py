"""A temporary PostgreSQL server in a temporary folder, for connections from this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Folders of the programs that are not on the path.
FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/pgsql/bin",
)
MISSING = (
    "No PostgreSQL server was found on this machine (initdb and postgres, on the path or where Debian puts them); "
    "install one, e.g. apt-get install postgresql"
)


@dataclass(frozen=True)
class Cluster:
    """A server without passwords.

    :param port: of this machine.
    :param binaries: folder of its programs.
    :param folder: of its data.
    :param user: whose process it is; None is this one's.
    """

    port: int
    binaries: Path
    folder: Path
    user: str | None

    def connection(self, database: str = "postgres") -> dict[str, object]:
        """Return an Airflow connection to it."""
        return {
            "conn_type": "postgres", "host": "127.0.0.1", "port": self.port, "login": "tests", "schema": database,
        }  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off -c full_page_writes=off"
        self._control("-o", options, "start")

    def kill(self) -> None:
        """End it at once with all connections, as a crash does."""
        self._control("-m", "immediate", "stop")

    def _control(self, *options: object) -> None:
        command = [self.binaries / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", *options]
        _run(command, self.user)

    def query(self, sql: str, database: str = "postgres") -> list[list[str]]:
        """Execute SQL directly and return the rows as texts."""
        result = subprocess.run(
            [
                self.binaries / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
                "-p", str(self.port), "-U", "tests", "-d", database, "-F", "\x1f", "-c", sql,
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        return [line.split("\x1f") for line in result.stdout.splitlines()]


def binaries() -> Path | None:
    """Return the folder of the newest server's programs, or None."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for pattern in FOLDERS:
        folders += sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    return next(
        (folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None
    )


@contextmanager
def private_cluster() -> Iterator[Cluster]:
    """Start a server in a temporary folder; stop it and delete the folder after the block."""
    programs = binaries()
    if programs is None:
        raise RuntimeError(MISSING)
    # The server refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="retreaver-postgres-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        if user:
            shutil.chown(folder, user)
        _run(
            [programs / "initdb", "-D", folder / "data", "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C"],
            user,
        )
        cluster = Cluster(port, programs, folder, user)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[object], user: str | None) -> None:
    result = subprocess.run(
        [str(part) for part in command], user=user, cwd="/", env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
