"""Exports that are killed or stopped at each access to their destination; run as a program.

The program reads attempts from standard input. Each runs the operator in a process that is killed with SIGKILL, or
stopped with SIGSTOP, just before its n-th event on the destination, or never if n is 0. For each it prints the
process ID, again when it is stopped, and at its end the status and the number of events, as JSON lines. Tests use
`KilledExports`, which starts the program.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.paths import PROJECT

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree"}


class KilledExports:
    """Runs attempts of an export in processes that can be killed at any event."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "tests.airflow.support.killed_exports"]
        self._process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def attempt(self, folder: Path, kill_at: int = 0, **parameters: object) -> dict[str, int]:
        """Run an attempt with a local folder and return its status and number of events."""
        attempt = {"folder": str(folder), "kill_at": kill_at}
        return self.run(attempt | {"parameters": {"destination": f"file://{folder}", **parameters}})

    def run(self, attempt: dict[str, Any], on_start: Callable[[int], object] = int) -> dict[str, int]:
        """Run an attempt and return its status and number of events.

        :param on_start: Called with the process ID of the attempt.
        """
        self._send(attempt)
        while True:
            message = self._message()
            if "pid" in message:
                on_start(message["pid"])
            if "status" in message:
                return message

    def begin(self, folder: Path, stop_at: int, **parameters: object) -> int | None:
        """Run an attempt with a local folder until it is stopped before an event; return its process ID.

        :return: None when it ended before.
        """
        order = {"folder": str(folder), "kill_at": stop_at, "signal": signal.SIGSTOP}
        self._send(order | {"parameters": {"destination": f"file://{folder}", **parameters}})
        while True:
            message = self._message()
            if "stopped" in message:
                return message["stopped"]
            if "status" in message:
                return None

    def finish(self, pid: int) -> int:
        """Let an attempt that was stopped go on, and return its status."""
        os.kill(pid, signal.SIGCONT)
        while True:
            message = self._message()
            if "status" in message:
                return message["status"]

    def _send(self, order: dict[str, Any]) -> None:
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _message(self) -> dict[str, int]:
        line = self._process.stdout.readline()
        assert line, "the program of the attempts ended"
        message: dict[str, int] = json.loads(line) if line.startswith(('{"pid"', '{"stopped"', '{"status"')) else {}
        return message

    def close(self) -> None:
        """End the program."""
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def on_demand() -> Iterator[Callable[[], KilledExports]]:
    """Return a function that returns the program, which is started by the first call and ends with the block."""
    started: list[KilledExports] = []

    def get() -> KilledExports:
        if not started:
            started.append(KilledExports())
        return started[0]

    yield get
    for program in started:
        program.close()


def attempt(parameters: dict[str, Any], folder: str, kill_at: int, signal_: int, output: int) -> None:
    """Run the operator in this process, and send a signal to the process at an event."""
    from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator

    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in EVENTS and str(arguments[0]).startswith(folder):
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal_)

    sys.addaudithook(watch)
    RetreaverCallsToObjectStorageOperator(task_id="export", **parameters).execute({})
    os.write(output, str(count).encode())


def main() -> None:
    """Run attempts from standard input."""
    import airflow_provider_retreaver.hooks.retreaver
    import airflow_provider_retreaver.transfers.calls
    import airflow_provider_retreaver.transport.client  # noqa: F401 - imported once, before the forks

    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)  # its log must not be mixed with the JSON lines
            status = 1
            try:
                sent = order.get("signal", signal.SIGKILL)
                attempt(order["parameters"], order["folder"], order["kill_at"], sent, writing)
                status = 0
            finally:
                os._exit(status)
        print(json.dumps({"pid": child}), flush=True)
        os.close(writing)
        _, status = os.waitpid(child, os.WUNTRACED)
        while os.WIFSTOPPED(status):
            print(json.dumps({"stopped": child}), flush=True)
            _, status = os.waitpid(child, os.WUNTRACED)
        events = os.read(reading, 100)
        os.close(reading)
        print(json.dumps({"status": status, "events": int(events or 0)}), flush=True)


if __name__ == "__main__":
    main()
