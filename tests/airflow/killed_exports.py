"""Exports that are killed at every moment at which they touch their destination; run as a program of its own.

Reads a list of attempts from standard input: each runs the operator in a process that is killed with SIGKILL just
before its n-th event on the destination, or never (n is 0). Prints for each whether it ended and how many events
there were, as JSON lines.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree"}


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
            status = 1
            try:
                attempt(order["parameters"], order["folder"], order["kill_at"], writing)
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        events = os.read(reading, 100)
        os.close(reading)
        print(json.dumps({"status": status, "events": int(events or 0)}), flush=True)


if __name__ == "__main__":
    main()
