"""What the demo and the web interface stand on: a folder of their own, an environment, the sandbox."""

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
STARTING = 30  # seconds the sandbox may take to start; it takes about one
STOPPING = 10  # seconds a child may take to end before it is killed
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ERROR = re.compile(r"[\w.]*(Error|Exception|Failure|Unavailable|error)\b.*: ")  # as a traceback's last line names it
LISTENING = re.compile(r"^listening on (http://\S+)$", re.MULTILINE)


class StepFailed(Exception):
    """A step that failed: why, and where the log is."""

    def __init__(self, reason: str, log: Path | None = None) -> None:
        super().__init__(reason if log is None else f"{reason}\n  log: {log}")


@dataclass(frozen=True)
class Stage:
    """A folder inside the project that holds everything a run writes: database, logs, temporary files."""

    home: Path

    @property
    def logs(self) -> Path:
        """The folder of the steps' logs."""
        return self.home / "logs"

    def prepare(self) -> None:
        """Make the folders; temporary files of an earlier run are removed."""
        shutil.rmtree(self.home / "tmp", ignore_errors=True)
        for name in ("tmp", "logs", "home"):
            (self.home / name).mkdir(parents=True, exist_ok=True)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return a child's whole environment: nothing of the caller's Airflow, proxies or home takes part."""
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
        """Make the metadata database, once for each version of Airflow."""
        from importlib.metadata import version

        mark = self.home / "migrated"
        current = version("apache-airflow")
        if mark.exists() and mark.read_text(encoding="utf-8") == current and (self.home / "airflow.db").exists():
            return
        mark.unlink(missing_ok=True)
        (self.home / "airflow.db").unlink(missing_ok=True)
        self.call([sys.executable, "-m", "airflow", "db", "migrate"], "migrate", timeout=180)
        mark.write_text(current, encoding="utf-8")

    def call(
        self, command: Sequence[str], name: str, *, timeout: float, extra: Mapping[str, str] | None = None
    ) -> None:
        """Run a command to its end with its output in a log; raise `StepFailed` unless it ends with 0."""
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
        """Run the sandbox with its demo data on a free port and give its URL."""
        log = self.logs / "sandbox.log"
        command = [sys.executable, "-m", "airflow_provider_retreaver.sandbox", "--port", "0", "--load", "demo"]
        command += ["--api-key", API_KEY, "--company-id", COMPANY]
        with log.open("w", encoding="utf-8") as output, child(command, self.environment(), output) as process:
            yield _listening(process, log)


def reason(log: Path) -> str:
    """Return the line of a log that most probably tells why: the last error, else the last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    errors = [line for line in lines if ERROR.match(line)]
    return (errors or lines or ["no output"])[-1]


def _listening(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline:
        if found := LISTENING.search(log.read_text(encoding="utf-8", errors="replace")):
            return found[1]
        if process.poll() is not None:
            raise StepFailed(f"the sandbox ended with code {process.returncode}: {reason(log)}", log)
        time.sleep(0.05)
    raise StepFailed(f"the sandbox was not ready within {STARTING} s", log)


@contextmanager
def child(
    command: Sequence[str], environment: Mapping[str, str], output: Any, ending: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process in a group of its own; whatever happens, the whole group is gone afterwards.

    `ending` is the signal that the process understands as a polite request to end.
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
        stop(process, ending)


def stop(process: subprocess.Popen[bytes], ending: signal.Signals) -> None:
    """End a process politely and the rest of its group by force; a second Ctrl-C does not interrupt this."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTS}
    if process.poll() is None:
        process.send_signal(ending)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOPPING)
    with suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says so in the second way
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for number, handler in before.items():
        signal.signal(number, handler)


def stop_on_signals() -> None:
    """Let SIGTERM and SIGHUP end this program as Ctrl-C does, so that its children are ended too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in INTERRUPTS:
        signal.signal(number, interrupt)


def connection_fields(url: str) -> dict[str, str]:
    """Give the fields of the Airflow connection to the sandbox."""
    return {"conn_type": "retreaver", "login": COMPANY, "password": API_KEY, "host": url}


def get_json(url: str) -> Any:
    """Ask this machine, past any proxy, and read the answer."""
    with build_opener(ProxyHandler({})).open(url, timeout=30) as answer:
        return json.load(answer)
