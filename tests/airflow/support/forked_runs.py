"""Commands in children of one process that has Airflow imported, since its start takes most of a command's time.

The process is started as `python -m tests.airflow.support.forked_runs`. It reads a request a line, a JSON object with
`arguments` (of Python), `environment`, `home` and `output`, and writes the process ID of the child and, when that has
ended, its exit code. A child has the request's environment, home and output, and Airflow's settings of that
environment. Nothing of one command is there in another one.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from runpy import run_module, run_path
from typing import Any
from zoneinfo import reset_tzpath

from scripts import run_dag
from tests.paths import PROJECT

READY = "ready"


@dataclass
class ForkedRuns:
    """The process whose children run commands; it is started with the first one."""

    environment: Mapping[str, str]
    _process: subprocess.Popen[str] | None = field(default=None, init=False)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, init=False)

    def run(
        self, arguments: Sequence[str], home: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run what Python would run with these arguments; a child that takes longer than `timeout` s is killed."""
        output = home / "run.log"
        output.write_bytes(b"")
        request = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "home": str(home),
            "output": str(output),
        }
        with self._one_at_a_time:
            code = self._wait_for(self._process or self._start(), request, timeout)
        text = output.read_text("utf-8", "replace")
        output.unlink()
        if code == -signal.SIGKILL:
            raise subprocess.TimeoutExpired(list(arguments), timeout, text)
        return subprocess.CompletedProcess(list(arguments), code, text)

    def _wait_for(self, process: subprocess.Popen[str], request: Mapping[str, Any], timeout: float) -> int:
        assert process.stdin is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        child = int(self._line(process))
        alarm = threading.Timer(timeout, os.kill, (child, signal.SIGKILL))
        alarm.start()
        try:
            return int(self._line(process))
        finally:
            alarm.cancel()

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name],
            env={**self.environment, "PYTHONPATH": str(PROJECT)},
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        while self._line(self._process) != READY:
            pass
        return self._process

    @staticmethod
    def _line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the process whose children run commands ended with {process.wait()}"
        return line.strip()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()


def prepare() -> None:
    """Import and build what every run needs, without a thread that a child would miss."""
    import_module("airflow.models.dag")
    import_module("airflow.serialization.serialized_objects")
    import_module("sqlalchemy.orm").configure_mappers()
    if not run_dag.is_airflow_2():
        asyncio.run(_ask_execution_api())
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(10)


async def _ask_execution_api() -> None:
    """Build the API through which tasks reach the database, whose routes are made with the first request."""
    httpx = import_module("httpx")
    api = import_module("airflow.sdk.execution_time.supervisor").in_process_api_server()
    async with (
        api.app.router.lifespan_context(api.app),
        httpx.AsyncClient(transport=api.atransport, base_url="http://in-process") as client,
    ):
        (await client.get("/health")).raise_for_status()


def become(request: Mapping[str, Any]) -> None:
    """Take the environment, folder, output and settings of a run."""
    for descriptor, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["output"], os.O_WRONLY | os.O_APPEND),
        (2, request["output"], os.O_WRONLY | os.O_APPEND),
    ):
        opened = os.open(path, flags)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["home"])
    random.seed()
    reset_tzpath()
    settings = import_module("airflow.settings")
    settings.dispose_orm()
    settings.configure_vars()
    settings.configure_logging()
    settings.configure_orm()


def run_python(arguments: list[str]) -> None:
    """Run a module (`-m`) or a file as `__main__`, as Python does."""
    kind, *others = arguments
    if kind == "-m":
        sys.argv = others
        run_module(others[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        run_path(kind, run_name="__main__")


def serve() -> None:
    """Run each request in a child of its own."""
    gc.set_threshold(run_dag.COLLECTION_THRESHOLD)
    prepare()
    gc.freeze()
    print(READY, flush=True)
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            request = json.loads(line)
            become(request)
            run_python(request["arguments"])
            return
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
