"""dlt's `rest_api` source: `python -m benchmarks.programs.dlt_source …` follows Retreaver's links, page by page.

With `BENCHMARK_PARALLEL` set, the same source reads one page for each number of another resource, with
`parallelized`; dlt reads the pages of one endpoint only one after another.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.programs.arguments import Task, task

PATH = "api/v2/calls.json"


def read(todo: Task) -> None:
    """Read all pages."""
    os.environ.update(
        {
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "CRITICAL",
            "EXTRACT__WORKERS": str(todo.concurrency),
            "EXTRACT__MAX_PARALLEL_ITEMS": str(2 * todo.concurrency),
        }
    )
    rows = parallel(todo) if os.environ.get("BENCHMARK_PARALLEL") else one_by_one(todo)
    with Path(todo.output).open("w") as file:
        file.writelines(json.dumps(row["call"], default=str) + "\n" for row in rows)


def one_by_one(todo: Task) -> Iterator[dict[str, Any]]:
    """Follow the link of each page to the next."""
    from dlt.sources.helpers.rest_client.paginators import HeaderLinkPaginator
    from dlt.sources.rest_api import rest_api_source

    class HeaderLink(HeaderLinkPaginator):
        """`header_link` for Retreaver's links, which have another host than the server."""

        def update_state(self, response: Any, data: list[Any] | None = None) -> None:
            super().update_state(response, data)
            if self._next_reference:
                ours = urlsplit(todo.url)
                following = urlsplit(self._next_reference)._replace(scheme=ours.scheme, netloc=ours.netloc)
                self._next_reference = following.geturl()

    source = rest_api_source(
        {
            "client": {"base_url": todo.url, "paginator": HeaderLink()},
            "resources": [{"name": "calls", "endpoint": {"path": PATH, "params": dict(todo.query)}}],
        }
    )
    yield from source.calls


def parallel(todo: Task) -> Iterator[dict[str, Any]]:
    """Read a page for each number up to the last one, which is in the first answer."""
    import dlt
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.rest_api import rest_api_source

    first = RESTClient(base_url=todo.url).get(PATH, params={**todo.query, "page": "1"})
    first.raise_for_status()
    last = re.search(r'page=(\d+)>; rel="last"', first.headers.get("Link", ""))
    yield from first.json()

    @dlt.resource(name="pages")
    def pages() -> Iterator[list[dict[str, int]]]:
        yield [{"number": number} for number in range(2, int(last[1]) + 1 if last else 2)]

    endpoint = {
        "path": PATH,
        "params": {**todo.query, "page": "{resources.pages.number}"},
        "paginator": "single_page",
    }
    source = rest_api_source(
        {
            "client": {"base_url": todo.url},
            "resources": [pages, {"name": "calls", "endpoint": endpoint, "parallelized": True}],
        }
    )
    yield from source.calls


if __name__ == "__main__":
    read(task())
