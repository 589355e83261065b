"""The time of the transfer: the loop of the lower bound without parsing; each page's body is written as a line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from benchmarks.programs.arguments import Task, task


async def read(todo: Task) -> None:
    """Read all pages."""
    connector = aiohttp.TCPConnector(limit=todo.concurrency)
    with Path(todo.output).open("wb") as file:  # noqa: ASYNC230 - a page at a time, from the page cache
        async with aiohttp.ClientSession(connector=connector) as session:

            async def page(number: int) -> str:
                query = {**todo.query, "page": str(number)}
                async with session.get(f"{todo.url}/api/v2/calls.json", params=query) as answer:
                    answer.raise_for_status()
                    file.write(await answer.read() + b"\n")
                    return answer.headers.get("Link", "")

            async def work(numbers: Iterator[int]) -> None:
                for number in numbers:
                    await page(number)

            last = re.search(r'page=(\d+)>; rel="last"', await page(1))
            numbers = iter(range(2, int(last[1]) + 1 if last else 2))
            await asyncio.gather(*(work(numbers) for _ in range(todo.concurrency)))


if __name__ == "__main__":
    asyncio.run(read(task()))
