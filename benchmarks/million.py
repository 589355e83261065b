"""Export 1,000,000 calls from the sandbox: `make bench-million`, or `python benchmarks/million.py [CALLS] [FORMAT]`.

The sandbox and the export run in separate processes. Time and peak memory of the export are printed, and those of an
export of an empty window. The exit code is 1 if calls are missing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.request import Request, urlopen

PROJECT = Path(__file__).resolve().parent.parent
START, END = "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
EXPORT = """
import json, sys
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator
operator = RetreaverCallsToObjectStorageOperator(task_id="export", **json.loads(sys.argv[1]))
print(json.dumps(operator.execute({})))
"""


def export(url: str, folder: Path, **parameters: str) -> tuple[dict[str, object], float, float]:
    """Export in a separate process and return the result, seconds and peak memory in MB."""
    connection = {"conn_type": "retreaver", "login": "1", "password": "sandbox-key", "host": url}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps({**connection, "extra": {"max_concurrency": 4}}),
    }
    arguments = json.dumps({"destination": f"file://{folder}/calls", **parameters})
    started = time.perf_counter()
    output = folder / "output"
    with output.open("wb") as file:
        command = [sys.executable, "-W", "ignore", "-c", EXPORT, arguments]
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    text = output.read_text()
    if process.returncode:
        raise SystemExit(text)
    memory = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return json.loads(text.strip().splitlines()[-1]), time.perf_counter() - started, memory


def main(arguments: Sequence[str]) -> int:
    """Add the calls, export them, and print time and memory."""
    count = int(arguments[0]) if arguments else 1_000_000
    format_ = arguments[1] if len(arguments) > 1 else "parquet"
    command = [sys.executable, "-m", "airflow_provider_retreaver.sandbox", "--port", "0"]
    with (
        tempfile.TemporaryDirectory(prefix="million-") as folder,
        subprocess.Popen(
            command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as sandbox,
    ):
        try:
            assert sandbox.stdout is not None
            url = next(line for line in sandbox.stdout if "listening" in line).rpartition(" ")[2].strip()
            body = {"count": count, "fields": {"created_at_start": START, "created_at_end": END}}
            added = Request(f"{url}/__sandbox__/calls", data=json.dumps(body).encode(), method="POST")
            with urlopen(added, timeout=600):
                print(f"{count:,} calls added")
            home = Path(folder)
            _, empty_seconds, empty_memory = export(
                url, home, start="2024-01-01T00:00:00Z", end=START, format=format_
            )
            result, seconds, memory = export(url, home, start=START, end=END, format=format_, compression="zstd")
        finally:
            sandbox.terminate()
    print(f"empty window: {empty_seconds:.1f} s, {empty_memory:.0f} MB")
    print(f"{result['calls']:,} calls to {format_}: {seconds:.1f} s, {memory:.0f} MB, {result['bytes']:,} bytes")
    return 0 if result["calls"] == count and result["complete"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
