"""Retreaver's published example: four threads over page numbers, which print errors."""

from __future__ import annotations

import json
import queue
import re
import threading
from pathlib import Path

import requests

from benchmarks.programs.arguments import Task, task

THREADS = 4


def read(todo: Task) -> None:
    """Read all pages."""
    url = f"{todo.url}/api/v2/calls.json"
    calls: list[dict[str, object]] = []
    numbers: queue.Queue[int] = queue.Queue()

    def work() -> None:
        while True:
            try:
                number = numbers.get_nowait()
            except queue.Empty:
                return
            answer = requests.get(url, params={**todo.query, "page": str(number)}, timeout=60)
            if answer.status_code == 200:
                calls.extend(row["call"] for row in answer.json())
            else:
                print("error", answer.status_code)

    first = requests.get(url, params={**todo.query, "page": "1"}, timeout=60)
    if first.status_code == 200:
        calls.extend(row["call"] for row in first.json())
    last = re.search(r'page=(\d+)>; rel="last"', first.headers.get("Link", ""))
    for number in range(2, int(last[1]) + 1 if last else 2):
        numbers.put(number)
    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    Path(todo.output).write_text("".join(json.dumps(call) + "\n" for call in calls))


if __name__ == "__main__":
    read(task())
