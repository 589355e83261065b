"""This package's operator."""

from __future__ import annotations

import json
import os
from pathlib import Path

from benchmarks.programs.arguments import END, KEY, Task, task


def read(todo: Task) -> None:
    """Read all pages."""
    extra = {"max_concurrency": todo.concurrency, "per_page": todo.per_page, "max_attempts": 30, "max_wait": 600}
    connection = {"conn_type": "retreaver", "login": "1", "password": KEY, "host": todo.url, "extra": extra}
    os.environ["AIRFLOW_CONN_RETREAVER_DEFAULT"] = json.dumps(connection)
    from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator

    folder = Path(f"{todo.output}.folder")
    operator = RetreaverCallsToObjectStorageOperator(
        task_id="export", destination=f"file://{folder}", start=todo.start, end=END, format=FORMAT
    )
    result = operator.execute({})
    assert result["complete"]
    manifest = json.loads(Path(result["manifest"].removeprefix("file://")).read_text())
    (file,) = manifest["files"]
    (folder / file["path"]).rename(todo.output)


FORMAT = os.environ.get("BENCHMARK_FORMAT", "jsonl")

if __name__ == "__main__":
    read(task())
