"""Exports that are killed at every moment at which they touch their destination; run as a program of its own.

Reads a list of attempts from standard input: each runs the operator in a process that is killed with SIGKILL just
before its n-th event on the destination, or never (n is 0). Prints for each its process, then whether it ended and
how many events there were, as JSON lines. `Killer` is for the tests: it starts the program and gives it attempts.
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


class Killer:
    """Runs attempts of an export in processes that can be killed at any event."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "tests.airflow.support.killed_exports"]
        self._process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def attempt(self, folder: Path, kill_at: int = 0, **parameters: object) -> dict[str, int]:
        """Run one attempt on a local folder; return its status and number of events."""
        order = {"folder": str(folder), "kill_at": kill_at}
        return self.run(order | {"parameters": {"destination": f"file://{folder}", **parameters}})

    def run(self, order: dict[str, Any], began: Callable[[int], object] = int) -> dict[str, int]:
        """Run one attempt; return its status and number of events.

        :param began: is told the attempt's process.
        """
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        while True:
            line = self._process.stdout.readline()
            assert line, "the program of the attempts ended"
            told: dict[str, int] = json.loads(line) if line.startswith(('{"pid"', '{"status"')) else {}
            if "pid" in told:
                began(told["pid"])
            if "status" in told:
                return told

    def close(self) -> None:
        """End the program."""
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def on_demand() -> Iterator[Callable[[], Killer]]:
    """Give what gives the program, which begins when it is first asked for and ends with the block."""
    started: list[Killer] = []

    def get() -> Killer:
        if not started:
            started.append(Killer())
        return started[0]

    yield get
    for one in started:
        one.close()


def attempt(parameters: dict[str, Any], folder: str, kill_at: int, told: int) -> None:
    """Run the operator in this process; end it at an event."""
    from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator

    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in EVENTS and str(arguments[0]).startswith(folder):
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    RetreaverCallsToObjectStorageOperator(task_id="export", **parameters).execute({})
    os.write(told, str(count).encode())


def main() -> None:
    """Run the attempts."""
    import airflow_provider_retreaver.hooks.retreaver
    import airflow_provider_retreaver.transfers.calls
    import airflow_provider_retreaver.transport.client  # noqa: F401 - imported once, before the processes part

    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)  # what it logs must not get between our lines
            status = 1
            try:
                attempt(order["parameters"], order["folder"], order["kill_at"], writing)
                status = 0
            finally:
                os._exit(status)
        print(json.dumps({"pid": child}), flush=True)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        events = os.read(reading, 100)
        os.close(reading)
        print(json.dumps({"status": status, "events": int(events or 0)}), flush=True)


if __name__ == "__main__":
    main()
