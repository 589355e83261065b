"""A temporary MariaDB server in a temporary folder, for connections from this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import MySQLdb

FOLDERS = ("", "/usr/sbin", "/usr/libexec", "/opt/homebrew/opt/mariadb/bin", "/usr/local/mysql/bin")
MISSING = (
    "No MariaDB server was found on this machine (mariadbd and mariadb-install-db, on the path or where Debian puts "
    "them); install one, e.g. apt-get install mariadb-server"
)
TIMEOUT = 300


@dataclass(frozen=True)
class Server:
    """A running server with a database `warehouse`, for a user `tests` from this machine."""

    port: int

    def connection(self, **extra: Any) -> dict[str, Any]:
        """Return an Airflow connection to it."""
        return {
            "conn_type": "mysql", "host": "127.0.0.1", "port": self.port, "login": "tests", "password": "tests",
            "schema": "warehouse", "extra": extra,
        }  # fmt: skip

    @contextmanager
    def session(self, *statements: str) -> Iterator[None]:
        """Execute SQL in a session of its own, which keeps its locks until the block ends."""
        with closing(MySQLdb.connect(
            host="127.0.0.1", port=self.port, user="tests", password="tests", database="warehouse"
        )) as opened, closing(opened.cursor()) as cursor:  # fmt: skip
            for statement in statements:
                cursor.execute(statement)
            yield

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        """Execute SQL directly and return the rows of the last statement."""
        opened = MySQLdb.connect(
            host="127.0.0.1", port=self.port, user="tests", password="tests", database="warehouse",
            charset="utf8mb4", init_command="SET time_zone = '+03:00'",
        )  # fmt: skip
        with closing(opened), closing(opened.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)
            rows = list(cursor.fetchall())
            opened.commit()
        return rows


def program(name: str) -> str | None:
    """Return the path of one of the server's programs, or None."""
    return next((path for folder in FOLDERS if (path := shutil.which(name, path=folder or None))), None)


@contextmanager
def private_server() -> Iterator[Server]:
    """Start a server in a temporary folder; stop it and delete the folder after the block."""
    server, install = program("mariadbd"), program("mariadb-install-db")
    if server is None or install is None:
        raise RuntimeError(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="retreaver-mysql-"))
    # The server refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = ["--no-defaults", f"--datadir={folder}/data"]
    setup = folder / "setup.sql"
    # The time zone, character set and SQL mode are those of a server that is not configured for this package.
    setup.write_text(
        "CREATE DATABASE warehouse CHARACTER SET latin1;\n"
        "CREATE USER tests@'127.0.0.1' IDENTIFIED BY 'tests';\n"
        "GRANT ALL ON *.* TO tests@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    options = [
        f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket", f"--pid-file={folder}/pid",
        f"--init-file={setup}", "--skip-name-resolve", "--sql-mode=", "--default-time-zone=+09:00",
        "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M",
    ]  # fmt: skip
    try:
        _install([install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"], user)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [server, *common, *options], user=user, cwd="/", env={"PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            running = Server(port)
            _wait(running, process, folder / "log")
            yield running
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _install(command: list[str], user: str | None) -> None:
    result = subprocess.run(
        command, user=user, cwd="/", env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(MySQLdb.OperationalError):
            server.query("SELECT 1")
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
