"""An Airflow home inside the project, and the sandbox, for the demo and the web interface."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

PROJECT = Path(__file__).resolve().parent.parent
EXAMPLES = PROJECT / "example_dags"
API_KEY = "sandbox-key"
COMPANY = "1"
START_TIMEOUT = 30  # seconds until the sandbox must have started; it takes about one
STOP_TIMEOUT = 10  # seconds until a child that was asked to end is killed
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ERROR = re.compile(r"[\w.]*(Error|Exception|Failure|Unavailable|error)\b.*: ")  # the last line of a traceback
# What outlives a start: everything else belongs to one account of the sandbox, which is new at each start.
KEPT = {"lock", "migrated", "migrated.db"}
Fields = dict[str, Any]
LISTENING = re.compile(r"^listening on (http://\S+)$", re.MULTILINE)


class StepFailed(Exception):
    """A step failed.

    :param reason: Why.
    :param log: Where its output is.
    """

    def __init__(self, reason: str, log: Path | None = None) -> None:
        super().__init__(reason if log is None else f"{reason}\n  log: {log}")


@dataclass(frozen=True)
class LocalAirflow:
    """An Airflow whose database, logs and temporary files are all in one folder of the project.

    :param home: The folder.
    """

    home: Path

    @property
    def logs(self) -> Path:
        """Folder of the logs of the steps."""
        return self.home / "logs"

    @contextmanager
    def prepared(self, command: str) -> Iterator[None]:
        """Create the folders, without anything of an earlier start; while the block runs, no other start can do so.

        :param command: which is running, for the message of another start.
        :raises StepFailed: when the folder cannot be written to, or another start uses it.
        """
        with ExitStack() as stack:
            try:
                self.home.mkdir(parents=True, exist_ok=True)
                stack.enter_context(self._locked(command))
                self._renew()
            except OSError as error:
                path = error.filename or self.home
                raise StepFailed(
                    f"{path} cannot be written to ({error.strerror}); make this clone writable, or clone elsewhere"
                ) from None
            yield

    @contextmanager
    def _locked(self, command: str) -> Iterator[None]:
        with (self.home / "lock").open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise StepFailed(f"{lock.read()} is running in this clone; end it with Ctrl-C first") from None
            lock.truncate(0)
            lock.write(f"{command} (process {os.getpid()})")
            lock.flush()
            yield

    def _renew(self) -> None:
        for path in self.home.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in KEPT:
                path.unlink()
        for name in ("tmp", "logs", "home"):
            (self.home / name).mkdir()

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a child process, without the caller's Airflow settings, proxies and home."""
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.home / "home"),
            "TMPDIR": str(self.home / "tmp"),
            "LANG": "C.UTF-8",
            "NO_PROXY": "*",  # on macOS a forked process that looks up the system's proxies crashes
            "PYTHONUNBUFFERED": "1",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}",
            **(extra or {}),
        }

    def migrate(self) -> None:
        """Create the metadata database: the first time by Airflow, then from a copy for this version of Airflow."""
        from importlib.metadata import version

        marker, copy, database = self.home / "migrated", self.home / "migrated.db", self.home / "airflow.db"
        current = version("apache-airflow")
        if marker.exists() and marker.read_text(encoding="utf-8") == current and copy.exists():
            shutil.copyfile(copy, database)
            return
        marker.unlink(missing_ok=True)
        self.call([sys.executable, "-m", "airflow", "db", "migrate"], "migrate", timeout=300)
        shutil.copyfile(database, copy)
        marker.write_text(current, encoding="utf-8")

    def call(
        self, command: Sequence[str], name: str, *, timeout: float, extra: Mapping[str, str] | None = None
    ) -> None:
        """Run a command and write its output to a log; raise `StepFailed` unless its exit code is 0."""
        log = self.logs / f"{name}.log"
        with log.open("w", encoding="utf-8") as output, child(command, self.environment(extra), output) as process:
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise StepFailed(f"it did not end within {timeout:.0f} s", log) from None
        if code:
            raise StepFailed(f"it ended with code {code}: {reason(log)}", log)

    @contextmanager
    def sandbox(self, port: int = 0) -> Iterator[str]:
        """Run the sandbox with its demo data on a port, by default a free one, and return its URL."""
        log = self.logs / "sandbox.log"
        command = [sys.executable, "-m", "airflow_provider_retreaver.sandbox", "--port", str(port), "--load", "demo"]
        command += ["--api-key", API_KEY, "--company-id", COMPANY]
        with log.open("w", encoding="utf-8") as output, child(command, self.environment(), output) as process:
            yield _listening(process, log)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the files of a folder to this machine, on a free port, and return the URL."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: Any) -> None:
            """Keep the terminal for what the user has to know."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def reason(log: Path) -> str:
    """Return the line of a log with the probable reason: the last error, otherwise the last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    errors = [line for line in lines if ERROR.match(line)]
    return (errors or lines or ["no output"])[-1]


def _listening(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if match := LISTENING.search(log.read_text(encoding="utf-8", errors="replace")):
            return match[1]
        if process.poll() is not None:
            raise StepFailed(f"the sandbox ended with code {process.returncode}: {reason(log)}", log)
        time.sleep(0.05)
    raise StepFailed(f"the sandbox was not ready within {START_TIMEOUT} s", log)


@contextmanager
def child(
    command: Sequence[str], environment: Mapping[str, str], output: Any, stop_signal: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process in its own process group; the whole group has ended after the block.

    `stop_signal` asks the process to end; the rest of the group is killed.
    """
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop(process, stop_signal)


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    """Ask a process to end and kill the rest of its group; a second Ctrl-C does not interrupt this."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTS}
    if process.poll() is None:
        process.send_signal(stop_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT)
    with suppress(ProcessLookupError, PermissionError):  # no process is left; macOS raises the second error
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for number, handler in before.items():
        signal.signal(number, handler)


def stop_on_signals() -> None:
    """Treat SIGTERM and SIGHUP like Ctrl-C, so that the children are ended too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in INTERRUPTS:
        signal.signal(number, interrupt)


def connection_fields(url: str) -> Fields:
    """Return the fields of the Airflow connection to the sandbox.

    The port has a field of its own: the forms of Airflow 3.3.1 and 3.3.2 cannot test a connection without one.
    """
    host, _, port = url.rpartition(":")
    return {"conn_type": "retreaver", "login": COMPANY, "password": API_KEY, "host": host, "port": int(port)}


def get_json(url: str) -> Any:
    """Send a GET request to this machine without a proxy and return the JSON of the answer."""
    with build_opener(ProxyHandler({})).open(url, timeout=30) as answer:
        return json.load(answer)


def post_json(url: str, value: Any) -> Any:
    """Send a JSON value to this machine without a proxy and return the JSON of the answer."""
    request = Request(url, json.dumps(value).encode(), {"Content-Type": "application/json"}, method="POST")
    with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
        return json.load(answer)
