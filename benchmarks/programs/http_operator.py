"""Airflow's HttpOperator with pagination; a response filter joins the answers."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from benchmarks.programs.arguments import Task, task


def read(todo: Task) -> None:
    """Read all pages."""
    os.environ["AIRFLOW_CONN_RETREAVER_HTTP"] = json.dumps({"conn_type": "http", "host": todo.url})
    from airflow.providers.http.operators.http import HttpOperator

    def following(answer: Any) -> dict[str, Any] | None:
        match = re.search(r'page=(\d+)>; rel="next"', answer.headers.get("Link", ""))
        return {"data": {**todo.query, "page": match[1]}} if match else None

    def calls(answers: list[Any]) -> list[Any]:
        return [row["call"] for answer in answers for row in answer.json()]

    export = HttpOperator(
        task_id="export",
        http_conn_id="retreaver_http",
        method="GET",
        endpoint="/api/v2/calls.json",
        data={**todo.query, "page": "1"},
        pagination_function=following,
        response_filter=calls,
        log_response=False,
    )
    rows = export.execute({})
    Path(todo.output).write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    read(task())
