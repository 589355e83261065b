"""Measures how fast the sandbox pages through very many calls, and its memory.

Run it with ``python benchmarks/sandbox_paging.py [CALLS]`` (1,000,000 by default). It serves a sandbox over
TCP in this process, adds the calls, and prints how long pages of 100 take at the start, in the middle and at
the end, both single pages and pages in order. The exit code is 1 if the process used more than 1 GB.
"""

from __future__ import annotations

import http.client
import json
import resource
import statistics
import sys
import time
from collections.abc import Iterable, Sequence

from airflow_provider_retreaver.sandbox import SandboxOptions
from airflow_provider_retreaver.sandbox.local_server import run_sandbox

QUERY = "api_key=sandbox-key&company_id=1&per_page=100"
LIMIT_MB = 1024
LISTINGS = {
    "newest first": "",
    "oldest first": "&order=asc",
    "by updated_at": "&sort_by=updated_at",
    "closed window": "&order=asc&created_at_start=2025-02-01T00:00:00Z&created_at_end=2025-12-01T00:00:00Z",
}


def memory_mb() -> int:
    """Return the peak memory of this process in MB (the system reports kilobytes on Linux, bytes on macOS)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)


class Reader:
    """Reads pages over one connection and measures the time of each."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)

    def send(self, method: str, path: str, body: object = None) -> tuple[float, bytes]:
        """Send a request and return seconds and the body."""
        started = time.perf_counter()
        self._connection.request(method, path, None if body is None else json.dumps(body))
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path.split('?', 1)[0]} was answered {answer.status}")
        return time.perf_counter() - started, content

    def pages(self, listing: str, numbers: Iterable[int]) -> list[float]:
        """Read pages and return the milliseconds of each."""
        durations = []
        for number in numbers:
            seconds, content = self.send("GET", f"/api/v2/calls.json?{QUERY}{listing}&page={number}")
            if not content.startswith(b'[{"call"'):
                raise SystemExit(f"page {number} is empty")
            durations.append(seconds * 1000)
        return durations

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def measure(reader: Reader, title: str, listing: str, last: int) -> None:
    """Print one line: single pages, then 100 pages in order, each at three positions."""
    jumps = [reader.pages(listing, [number])[0] for number in (1, last // 2, last)]
    runs = [reader.pages(listing, range(first, first + 100)) for first in (1, last // 2, last - 99)]
    singles = "  ".join(f"{milliseconds:7.1f}" for milliseconds in jumps)
    means = "  ".join(f"{statistics.mean(run):7.1f}" for run in runs)
    print(f"{title:<14} {singles}   {means}   {max(map(max, runs)):7.1f}")


def main(arguments: Sequence[str]) -> int:
    """Add the calls, measure, and check the memory."""
    count = int(arguments[0]) if arguments else 1_000_000
    with run_sandbox(SandboxOptions()) as served:
        reader = Reader(served.port)
        span = {"created_at_start": "2025-01-01T00:00:00Z", "created_at_end": "2026-01-01T00:00:00Z"}
        seconds, _ = reader.send("POST", "/__sandbox__/calls", {"count": count, "fields": span})
        print(f"{count:,} calls added in {seconds:.1f} s; {memory_mb()} MB")
        print("milliseconds    jump to first, middle, last    100 pages in order there (mean)   slowest")
        for title, listing in LISTINGS.items():
            rows = count * 300 // 366 if "start" in listing else count
            measure(reader, title, listing, rows // 100)
        reader.close()
    print(f"peak memory of the process, reader included: {memory_mb()} MB (limit {LIMIT_MB})")
    return 0 if memory_mb() <= LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
