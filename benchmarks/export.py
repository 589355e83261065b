"""Compares exports of calls with other programs: `make bench`, or `python benchmarks/export.py [SCENARIO …]`.

Each program reads a call log from a local server into a file, as a separate process. The programs run in turn, and
the median of several runs is used. The time for an empty window (starting Python, importing Airflow) is measured
separately. The calls in every file are counted, and so are the different ones. `noise` is how far the runs of one
program differ. Databases are measured by `python -m benchmarks.load_postgres`, which `make bench` calls too.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

PROJECT = Path(__file__).resolve().parent.parent
SINCE, NOTHING = "2025-01-01T00:00:00Z", "1970-01-01T00:00:00Z"
YEAR, WEEK = "2026-01-01T00:00:00Z", "2025-01-08T00:00:00Z"
UUID = re.compile(rb'"call": ?\{"uuid": ?"([0-9a-f-]{36})"|^\{"uuid": ?"([0-9a-f-]{36})"', re.MULTILINE)
# Seconds; a longer run is reported.
MAX_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is served, and how.

    :param title: Description.
    :param calls: How many calls the server has.
    :param per_page: Calls a page.
    :param concurrency: How many requests a program may send at the same time.
    :param server: Options of the server.
    :param programs: Names of the programs, the lower bound first.
    :param runs: How often each program runs.
    :param until: End of the window that is read.
    """

    title: str
    calls: int
    per_page: int
    concurrency: int
    server: tuple[str, ...]
    programs: tuple[str, ...]
    runs: int = 5
    until: str = YEAR


OTHERS = ("threads", "requests_loop", "http_operator", "dlt_source", "dlt_parallel")
SCENARIOS = {
    "latency": Scenario(
        "10,000 calls, 100 a page, 100 ms a request, 8 at once",
        10_000, 100, 8, ("--latency-ms", "100"), ("bound", "ours", *OTHERS), 3,
    ),
    "small-pages": Scenario(
        "10,000 calls, 25 a page, 50 ms a request, 8 at once",
        10_000, 25, 8, ("--latency-ms", "50"), ("bound", "ours", "threads", "dlt_parallel"), 3,
    ),
    "small-window": Scenario(
        "80 calls of a week, 100 a page, 100 ms a request, 8 at once",
        80, 100, 8, ("--latency-ms", "100"), ("bound", "ours", "dlt_parallel"), 3, WEEK,
    ),
    "week": Scenario(
        "20,000 calls of a week, 100 a page, 100 ms a request, 8 at once, of which no former export is known",
        20_000, 100, 8, ("--latency-ms", "100"), ("bound", "ours", "dlt_parallel"), 3, WEEK,
    ),
    "connections": Scenario(
        "10,000 calls, 100 a page, 100 ms a request and 100 ms a connection, 8 at once",
        10_000, 100, 8, ("--latency-ms", "100", "--connect-ms", "100"),
        ("bound", "ours", "requests_loop", "http_operator"), 3,
    ),
    "processor": Scenario(
        "100,000 calls, 100 a page, no latency, 8 at once",
        100_000, 100, 8, (), ("bound", "bound_raw", "ours", *OTHERS), 5,
    ),
    "columns": Scenario(
        "200,000 calls, 100 a page, no latency, 8 at once, to JSON lines, CSV and Parquet",
        200_000, 100, 8, (), ("bound", "ours", "ours_csv", "ours_parquet"), 3,
    ),
    "failures": Scenario(
        "50,000 calls, 100 a page, 50 ms, 4 at once allowed and 8 tried, 2 % of 500 and 503, Retry-After: 1",
        50_000, 100, 8,
        ("--latency-ms", "50", "--max-concurrency", "4", "--fault-rate", "0.02", "--retry-after", "1"),
        ("bound_at_4", "ours", "threads", "dlt_parallel"), 3,
    ),
    "rate": Scenario(
        "5,000 calls, 100 a page, 50 ms, 8 at once, 10 requests a second allowed (5 s), Retry-After: 1",
        5_000, 100, 8, ("--latency-ms", "50", "--rate-limit", "10", "--retry-after", "1"),
        ("ours", "dlt_parallel"), 3,
    ),
    "memory-small": Scenario(
        "10,000 calls, 100 a page, no latency, 8 at once",
        10_000, 100, 8, (), ("ours", "ours_csv", "ours_parquet"), 3,
    ),
    "memory": Scenario(
        "1,000,000 calls, 100 a page, no latency, 8 at once",
        1_000_000, 100, 8, (), ("ours", "ours_csv", "ours_parquet"), 1,
    ),
}  # fmt: skip
VARIANTS = {
    "ours_csv": ("ours", {"BENCHMARK_FORMAT": "csv"}),
    "ours_parquet": ("ours", {"BENCHMARK_FORMAT": "parquet"}),
    "dlt_parallel": ("dlt_source", {"BENCHMARK_PARALLEL": "1"}),
    "bound_at_4": ("bound", {}),
}


@dataclass(slots=True)
class Runs:
    """Measurements of the runs of one program."""

    seconds: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    empty_memory: list[float] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)
    statistics: list[dict[str, float]] = field(default_factory=list)

    @property
    def net(self) -> float:
        """Seconds minus those of an empty window."""
        return statistics.median(self.seconds) - statistics.median(self.starts)

    @property
    def noise(self) -> float:
        """Half of the difference between the slowest and the fastest run, as a share of the median's net seconds."""
        return self.spread / abs(self.net) if self.net else math.inf

    @property
    def spread(self) -> float:
        """Half of the difference between the slowest and the fastest run in seconds."""
        return (max(self.seconds) - min(self.seconds)) / 2

    @property
    def net_without_waits(self) -> float:
        """Seconds minus those of an empty window and those of the server's Retry-After."""
        taken = [seconds - served["waits"] for seconds, served in zip(self.seconds, self.statistics, strict=True)]
        return statistics.median(taken) - statistics.median(self.starts)


@contextmanager
def server(scenario: Scenario, *, reliable: bool) -> Iterator[str]:
    """Serve the scenario's calls; a reliable server has no failures and no limit."""
    options = ["--calls", str(scenario.calls), "--per-page", str(scenario.per_page)]
    options += scenario.server[:2] if reliable else scenario.server
    command = [sys.executable, "-m", "benchmarks.server", *options]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield line.rpartition(" ")[2].strip()
        finally:
            process.terminate()


def run(name: str, url: str, scenario: Scenario, start: str, output: Path) -> tuple[float, float, int]:
    """Run a program and return seconds, peak memory in MB, and exit status."""
    module, extra = VARIANTS.get(name, (name, {}))
    concurrency = 4 if name == "bound_at_4" else scenario.concurrency
    command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.programs.{module}"]
    command += [url, str(scenario.per_page), str(concurrency), start, str(output)]
    home = output.parent / "home"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "LANG": "C.UTF-8",
        "BENCHMARK_END": scenario.until,
        **extra,
    }
    started = time.perf_counter()
    with Path(f"{output}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    return seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), process.returncode


def check_in_subprocess(name: str, output: Path, calls: int, status: int) -> str:
    """Check a program's file in a separate process."""
    if status or not output.exists():
        return "failed"
    # A separate process, because a child process starts with the size of its parent.
    command = [sys.executable, __file__, "--check", name, str(output), str(calls)]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return result.stdout.strip()


def check(name: str, output: Path, calls: int) -> str:
    """Count the calls in a file and describe the result."""
    if name == "ours_parquet":
        from pyarrow import parquet

        uuids = parquet.read_table(output, columns=["uuid"]).column("uuid").to_pylist()
    elif name == "ours_csv":
        with output.open(newline="", encoding="utf-8") as file:
            uuids = [row[0] for row in csv.reader(file)][1:]
    else:
        uuids = [first or second for first, second in UUID.findall(output.read_bytes())]
    different = len(set(uuids))
    return "all" if len(uuids) == different == calls else f"{len(uuids):,} rows, {different:,} calls"


def measure(scenario: Scenario, folder: Path) -> dict[str, Runs]:
    """Run all programs in turn and return their measurements."""
    results = {name: Runs() for name in scenario.programs}
    with server(scenario, reliable=False) as unreliable, server(scenario, reliable=True) as reliable:
        for turn in range(scenario.runs):
            for name in scenario.programs if turn % 2 == 0 else reversed(scenario.programs):
                url = reliable if name.startswith("bound") else unreliable
                output = folder / f"{name}.{turn}"
                seconds, memory, _ = run(name, url, scenario, NOTHING, output)
                results[name].starts.append(seconds)
                results[name].empty_memory.append(memory)
                output.unlink(missing_ok=True)
                with urlopen(f"{url}/__statistics__"):
                    pass
                seconds, memory, status = run(name, url, scenario, SINCE, output)
                with urlopen(f"{url}/__statistics__") as answer:
                    results[name].statistics.append(json.load(answer))
                results[name].seconds.append(seconds)
                results[name].memory.append(memory)
                results[name].contents.append(check_in_subprocess(name, output, scenario.calls, status))
                output.unlink(missing_ok=True)
    return results


def table(scenario: Scenario, results: dict[str, Runs]) -> str:
    """Format the results of a scenario."""
    lower = results[scenario.programs[0]]
    # Of a time that is shorter than its differences there are no multiples, as in a window of one page.
    bound = lower.net if lower.net > lower.spread else math.nan
    lines = [scenario.title, ""]
    heads = f"{'':<14} {'whole s':>8} {'start s':>8} {'net s':>8} {'x bound':>8} {'noise':>6} {'MB':>6} {'MB+':>6}"
    lines.append(f"{heads}  requests")
    for name, runs in results.items():
        served = runs.statistics[-1]
        memory = statistics.median(runs.memory)
        wasted = ""
        if served["refused"] + served["failed"]:
            share = served["refused"] / served["requests"]
            wasted = f", {served['refused']} refused ({share:.1%}), {served['failed']} failed"
            wasted += (
                f", Retry-After {served['waits']:.1f} s, without those {runs.net_without_waits / bound:.2f} x bound"
            )
        lines.append(
            f"{name:<14} {statistics.median(runs.seconds):>8.2f} {statistics.median(runs.starts):>8.2f} "
            f"{runs.net:>8.2f} {runs.net / bound:>8.2f} {runs.noise:>6.0%} {memory:>6.0f} "
            f"{memory - statistics.median(runs.empty_memory):>6.0f}  {served['requests']}{wasted}, "
            f"{served['connections']} connections; {'; '.join(sorted(set(runs.contents)))}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the given scenarios, or all but the largest."""
    if arguments[:1] == ["--check"]:
        print(check(arguments[1], Path(arguments[2]), int(arguments[3])))
        return 0
    selected = list(arguments) or [name for name in SCENARIOS if name != "memory"]
    for name in selected:
        with tempfile.TemporaryDirectory(prefix="export-benchmark-") as folder:
            results = measure(SCENARIOS[name], Path(folder))
        print(f"\n== {name}: {table(SCENARIOS[name], results)}", flush=True)
        incomplete = [
            program
            for program, runs in results.items()
            if program.startswith("ours") and set(runs.contents) != {"all"}
        ]
        if incomplete:
            print(f"not complete: {', '.join(incomplete)}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
