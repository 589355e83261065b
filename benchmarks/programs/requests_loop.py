"""A loop with requests: one page after another over one connection, with the standard library's json."""

from __future__ import annotations

import json
import re
from pathlib import Path

import requests

from benchmarks.programs.arguments import Task, task


def read(todo: Task) -> None:
    """Read all pages."""
    number, last = 1, 1
    with Path(todo.output).open("w") as file, requests.Session() as session:
        while number <= last:
            query = {**todo.query, "page": str(number)}
            answer = session.get(f"{todo.url}/api/v2/calls.json", params=query, timeout=60)
            answer.raise_for_status()
            file.writelines(json.dumps(row["call"]) + "\n" for row in answer.json())
            match = re.search(r'page=(\d+)>; rel="last"', answer.headers.get("Link", ""))
            last = int(match[1]) if match else last
            number += 1


if __name__ == "__main__":
    read(task())
