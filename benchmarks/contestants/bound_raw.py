"""What the wire takes: the same loop as the bound, but nothing is parsed; one page body is written a line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from benchmarks.contestants.arguments import Task, task


async def read(todo: Task) -> None:
    """Read all pages."""
    connector = aiohttp.TCPConnector(limit=todo.at_once)
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
            await asyncio.gather(*(work(numbers) for _ in range(todo.at_once)))


if __name__ == "__main__":
    asyncio.run(read(task()))
