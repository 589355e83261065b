"""An Airflow home inside the project, and the sandbox, for the demo and the web interface."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.request import ProxyHandler, build_opener

PROJECT = Path(__file__).resolve().parent.parent
EXAMPLES = PROJECT / "example_dags"
API_KEY = "sandbox-key"
COMPANY = "1"
START_TIMEOUT = 30  # seconds until the sandbox must have started; it takes about one
STOP_TIMEOUT = 10  # seconds until a child that was asked to end is killed
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ERROR = re.compile(r"[\w.]*(Error|Exception|Failure|Unavailable|error)\b.*: ")  # the last line of a traceback
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

    def prepare(self) -> None:
        """Create the folders; temporary files of an earlier run are removed."""
        shutil.rmtree(self.home / "tmp", ignore_errors=True)
        for name in ("tmp", "logs", "home"):
            (self.home / name).mkdir(parents=True, exist_ok=True)

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
        """Create the metadata database, once for each version of Airflow."""
        from importlib.metadata import version

        marker = self.home / "migrated"
        current = version("apache-airflow")
        if marker.exists() and marker.read_text(encoding="utf-8") == current and (self.home / "airflow.db").exists():
            return
        marker.unlink(missing_ok=True)
        (self.home / "airflow.db").unlink(missing_ok=True)
        self.call([sys.executable, "-m", "airflow", "db", "migrate"], "migrate", timeout=180)
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
    def sandbox(self) -> Iterator[str]:
        """Run the sandbox with its demo data on a free port and return its URL."""
        log = self.logs / "sandbox.log"
        command = [sys.executable, "-m", "airflow_provider_retreaver.sandbox", "--port", "0", "--load", "demo"]
        command += ["--api-key", API_KEY, "--company-id", COMPANY]
        with log.open("w", encoding="utf-8") as output, child(command, self.environment(), output) as process:
            yield _listening(process, log)


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


def connection_fields(url: str) -> dict[str, str | int]:
    """Return the fields of the Airflow connection to the sandbox.

    The port has a field of its own: the forms of Airflow 3.3.1 and 3.3.2 cannot test a connection without one.
    """
    host, _, port = url.rpartition(":")
    return {"conn_type": "retreaver", "login": COMPANY, "password": API_KEY, "host": host, "port": int(port)}


def get_json(url: str) -> Any:
    """Send a GET request to this machine without a proxy and return the JSON of the answer."""
    with build_opener(ProxyHandler({})).open(url, timeout=30) as answer:
        return json.load(answer)
