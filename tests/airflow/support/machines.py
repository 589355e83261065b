"""Machines of workers, and attempts that are killed on one and retried on another.

Each machine is a process with a home, a temporary folder, an Airflow folder and a working directory of its own. The
first one is killed while it waits for a response. What operators keep is in a folder that both reach.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from tests.airflow.support.account import Account
from tests.paths import PROJECT

# Module and name of an operator, and its parameters.
Work: TypeAlias = Sequence[Any]
PATIENCE = 120
PROGRAM = """
import json, sys
from importlib import import_module
from tests.airflow.support.account import TaskInstance
module, name, parameters = json.loads(sys.argv[1])
operator = getattr(import_module(module), name)(task_id="work", **parameters)
print("RESULT " + json.dumps(operator.execute({"ti": TaskInstance(task_id="work")}), default=str))
"""
OPERATORS = "airflow_provider_retreaver.operators."


class Machine:
    """A worker's machine.

    :param folder: of its disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places = {name: folder / name for name in ("HOME", "AIRFLOW_HOME", "TMPDIR", "cwd")}
        for place in self.places.values():
            place.mkdir(parents=True)

    def start(self, work: Work) -> subprocess.Popen[str]:
        """Start an attempt."""
        places = {name: str(place) for name, place in self.places.items() if name != "cwd"}
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(work)],
            env={**os.environ, **places, "PYTHONPATH": str(PROJECT)},
            cwd=self.places["cwd"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def killed_at(self, account: Account, work: Work, asked: str) -> None:
        """Kill an attempt when a request whose response is delayed has come."""
        with self.start(work) as process:
            until = time.monotonic() + PATIENCE
            while not any(request.startswith(asked) for request in account.sent()):
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < until, asked
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.communicate()

    def result(self, work: Work) -> dict[str, Any]:
        """Run an attempt to its end, and return its result."""
        with self.start(work) as process:
            output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output
        found: dict[str, Any] = json.loads(output.rpartition("RESULT ")[2].splitlines()[0])
        return found

    def failure(self, work: Work) -> str:
        """Run an attempt that fails, and return its output."""
        with self.start(work) as process:
            output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode != 0, output
        return output

    def written(self) -> list[Path]:
        """Return what is on its disk, but for what Airflow itself keeps in its own folder."""
        places = [place for name, place in self.places.items() if name != "AIRFLOW_HOME"]
        return [path for place in places for path in place.rglob("*") if path.is_file()]


# An account, two machines, and the folder that they share.
Both: TypeAlias = "tuple[Account, tuple[Machine, Machine], Path]"


def run_on_both(both: Both, work: Work, asked: str, pattern: str) -> dict[str, Any]:
    """Kill an attempt on the first machine, and return the result of the one on the second."""
    account, (first, second), _ = both
    method, _, _ = asked.partition(" ")
    account.fault(pattern, method=method, delay=PATIENCE)
    first.killed_at(account, work, asked)
    account.clear_faults()
    result = second.result(work)
    assert second.written() == []
    assert [path for path in first.written() if not path.is_relative_to(first.places["TMPDIR"])] == []
    return result
