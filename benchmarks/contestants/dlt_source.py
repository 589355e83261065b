"""dlt's rest_api source: `python -m benchmarks.contestants.dlt_source …` follows pages one by one.

With `BENCHMARK_PARALLEL` set it is told the page numbers, and reads them in parallel.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contestants.arguments import Task, task

os.environ.update(
    {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "EXTRACT__MAX_PARALLEL_ITEMS": "8",
    }
)


def read(todo: Task) -> None:
    """Read all pages."""
    with Path(todo.output).open("w") as file:
        for rows in parallel(todo) if os.environ.get("BENCHMARK_PARALLEL") else one_by_one(todo):
            file.writelines(json.dumps(row["call"], default=str) + "\n" for row in rows)


def _client(todo: Task) -> Any:
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

    paginator = PageNumberPaginator(base_page=1, total_path=None, stop_after_empty_page=True)
    return RESTClient(base_url=todo.url, paginator=paginator)


def one_by_one(todo: Task) -> Iterator[list[dict[str, Any]]]:
    """Follow the pages, as the source does."""
    from dlt.sources.rest_api import rest_api_source

    paginator = {"type": "page_number", "base_page": 1, "total_path": None, "stop_after_empty_page": True}
    source = rest_api_source(
        {
            "client": {"base_url": todo.url, "paginator": paginator},
            "resources": [
                {"name": "calls", "endpoint": {"path": "api/v2/calls.json", "params": dict(todo.query)}},
            ],
        }
    )
    rows = [row for row in source.calls if row]
    yield rows


def parallel(todo: Task) -> Iterator[list[dict[str, Any]]]:
    """Read the pages of known numbers with a parallelized transformer."""
    import dlt

    client = _client(todo)
    first = client.get("api/v2/calls.json", params={**todo.query, "page": "1"})
    last = re.search(r'page=(\d+)>; rel="last"', first.headers.get("Link", ""))

    @dlt.resource
    def numbers() -> Iterator[int]:
        yield from range(2, int(last[1]) + 1 if last else 2)

    @dlt.transformer(parallelized=True)
    def pages(number: int) -> Any:
        answer = client.get("api/v2/calls.json", params={**todo.query, "page": str(number)})
        answer.raise_for_status()
        return answer.json()

    yield first.json()
    yield list(numbers | pages)


if __name__ == "__main__":
    read(task())
