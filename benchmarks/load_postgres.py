"""Loads 1,000,000 calls from the sandbox into a temporary PostgreSQL server, and prints time, memory and rows.

    python -m benchmarks.load_postgres [CALLS]

Three processes on one machine: the sandbox, the server, and a task as a worker would run it. The task runs with an
empty window first; the difference is the cost of the calls. It is compared with an export of the same calls to JSON
lines and a bare COPY of the prepared rows, one after the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.airflow.support.postgres import Cluster, private_cluster

PROJECT = Path(__file__).resolve().parent.parent
EMPTY_WINDOW = ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")
WINDOW = ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
TASK = """
import json, resource, sys, time
started = time.monotonic()
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToSqlOperator
start, end = sys.argv[1:]
operator = RetreaverCallsToSqlOperator(task_id="load", sql_conn_id="warehouse", table="calls", start=start, end=end)
result = operator.execute({})
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
usage = resource.getrusage(resource.RUSAGE_SELF)
used = {"seconds": time.monotonic() - started, "processor": usage.ru_utime + usage.ru_stime, "peak_mb": peak}
print("DONE " + json.dumps({**result, **used}))
"""
# The same for JSON lines.
EXPORT = (
    TASK.replace("RetreaverCallsToSqlOperator", "RetreaverCallsToObjectStorageOperator")
    .replace(
        'sql_conn_id="warehouse", table="calls"', 'destination="file://" + os.environ["AIRFLOW_HOME"] + "/calls"'
    )
    .replace("import json,", "import json, os,")
)


@contextmanager
def sandbox(calls: int) -> Iterator[str]:
    """Serve calls of one year in a separate process and return its URL."""
    command = [sys.executable, "-m", "airflow_provider_retreaver.sandbox", "--port", "0", "--load", "empty"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=PROJECT
    ) as server:
        assert server.stdout is not None
        try:
            url = next(line for line in server.stdout if "listening on" in line).split()[-1]
            _control(url, "clock", {"now": "2026-01-02T00:00:00Z"})
            fields = {"created_at_start": WINDOW[0], "created_at_end": WINDOW[1]}
            _control(url, "calls", {"count": calls, "fields": fields})
            yield url
        finally:
            server.terminate()


def _control(url: str, path: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(f"{url}/__sandbox__/{path}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=600) as answer:
        assert answer.status < 300


def task(window: tuple[str, str], connections: dict[str, Any], code: str = TASK) -> dict[str, Any]:
    """Run the task in a separate process and return its result, time and peak memory."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "PATH": os.environ["PATH"],
            "AIRFLOW_HOME": home,
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()},
        }
        command = [sys.executable, "-W", "ignore", "-c", code, *window]
        completed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert completed.returncode == 0, completed.stdout[-2000:] + completed.stderr[-2000:]
    line = next(line for line in completed.stdout.splitlines() if line.startswith("DONE "))
    result: dict[str, Any] = json.loads(line.removeprefix("DONE "))
    return result


def bare_copy(cluster: Cluster, calls: int) -> float:
    """Copy the rows of the table into one like it, and return the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows"
        cluster.query(f"\\copy calls TO '{file}'")
        cluster.query("CREATE TABLE bare (LIKE calls INCLUDING ALL)")
        started = time.monotonic()
        cluster.query(f"\\copy bare FROM '{file}'")
        seconds = time.monotonic() - started
    [[rows]] = cluster.query("SELECT count(*) FROM bare")
    assert int(rows) == calls, rows
    return seconds


def main() -> None:
    """Load the calls, check the table and print the figures."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with private_cluster() as cluster, sandbox(calls) as url:
        connections = {
            "retreaver_default": {
                "conn_type": "retreaver", "host": url, "password": "sandbox-key", "login": "1",
                "extra": {"max_concurrency": 4},
            },
            "warehouse": cluster.connection(),
        }  # fmt: skip
        empty = task(EMPTY_WINDOW, connections)
        nothing, exported = (task(window, connections, EXPORT) for window in (EMPTY_WINDOW, WINDOW))
        assert exported["calls"] == calls, exported
        assert exported["complete"], exported
        for number in ("first", "second"):
            started = time.monotonic()
            loaded = task(WINDOW, connections)
            wall = time.monotonic() - started
            [[rows, distinct, size]] = cluster.query(
                "SELECT count(*), count(DISTINCT call_id), pg_size_pretty(pg_total_relation_size('calls')) FROM calls"
            )
            assert int(rows) == int(distinct) == loaded["rows"] == calls, (rows, distinct, loaded)
            assert loaded["complete"]
            processor = (loaded["processor"] - empty["processor"]) / calls * 1e6
            print(
                f"{number} run: {calls} calls in {loaded['seconds']:.0f} s ({wall:.0f} s with the process), "
                f"{calls / loaded['seconds']:.0f} a second, {processor:.0f} µs of the task's processor a call; "
                f"peak {loaded['peak_mb']:.0f} MB, {loaded['peak_mb'] - empty['peak_mb']:.0f} MB above an empty "
                f"window; table {size}",
                flush=True,
            )
            if number == "first":
                net = loaded["seconds"] - empty["seconds"]
                lines, copied = exported["seconds"] - nothing["seconds"], bare_copy(cluster, calls)
                print(
                    f"JSON lines {lines:.0f} s, bare COPY {copied:.0f} s; the load took {net / (lines + copied):.2f} "
                    f"times as long as both"
                )


if __name__ == "__main__":
    main()
