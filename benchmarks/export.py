"""How fast calls are exported, beside other ways: `make bench`, or `python benchmarks/export.py [SCENARIO …]`.

Every contestant reads one call log from a local server into a file, as a whole process; contestants take turns, and
the middle of several runs counts. What a contestant needs for an empty window (starting Python, importing Airflow)
is measured as well and shown apart. Every file is read again: how many calls, and how many different ones.
"""

from __future__ import annotations

import json
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
UUID = re.compile(rb'"call": ?\{"uuid": ?"([0-9a-f-]{36})"|^\{"uuid": ?"([0-9a-f-]{36})"', re.MULTILINE)
# A run that takes longer is told of as such.
PATIENCE = 600


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is served, and how.

    :param server: options of the server.
    :param at_once: requests that a contestant may have under way.
    :param runs: of each contestant.
    :param contestants: their names, the bound first.
    """

    title: str
    calls: int
    per_page: int
    at_once: int
    server: tuple[str, ...]
    contestants: tuple[str, ...]
    runs: int = 5


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
    "connections": Scenario(
        "10,000 calls, 100 a page, 100 ms a request and 100 ms a connection, 8 at once",
        10_000, 100, 8, ("--latency-ms", "100", "--connect-ms", "100"),
        ("bound", "ours", "requests_loop", "http_operator"), 3,
    ),
    "processor": Scenario(
        "100,000 calls, 100 a page, no latency, 8 at once",
        100_000, 100, 8, (), ("bound", "bound_raw", "ours", *OTHERS), 5,
    ),
    "hostile": Scenario(
        "40,000 calls, 100 a page, 50 ms, 4 at once allowed and 8 tried, 2 % of 500 and 503, Retry-After: 1",
        40_000, 100, 8,
        ("--latency-ms", "50", "--max-concurrency", "4", "--fault-rate", "0.02", "--retry-after", "1"),
        ("bound_at_4", "ours", "threads"), 3,
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
    """What the runs of one contestant took."""

    seconds: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    empty_memory: list[float] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    asked: list[dict[str, float]] = field(default_factory=list)

    @property
    def net(self) -> float:
        """Seconds beyond those of an empty window."""
        return statistics.median(self.seconds) - statistics.median(self.starts)

    @property
    def unasked(self) -> float:
        """Seconds beyond those of an empty window and those that the server asked to wait."""
        taken = [seconds - asked["waits"] for seconds, asked in zip(self.seconds, self.asked, strict=True)]
        return statistics.median(taken) - statistics.median(self.starts)


@contextmanager
def server(scenario: Scenario, *, friendly: bool) -> Iterator[str]:
    """Serve the scenario's calls; a friendly server neither refuses nor fails."""
    options = ["--calls", str(scenario.calls), "--per-page", str(scenario.per_page)]
    options += scenario.server[:2] if friendly else scenario.server
    command = [sys.executable, "-m", "benchmarks.server", *options]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield line.rpartition(" ")[2].strip()
        finally:
            process.terminate()


def run(name: str, url: str, scenario: Scenario, start: str, output: Path) -> tuple[float, float, int]:
    """Run a contestant; return seconds, the most memory in MB, and its exit status."""
    module, extra = VARIANTS.get(name, (name, {}))
    at_once = 4 if name == "bound_at_4" else scenario.at_once
    command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.contestants.{module}"]
    command += [url, str(scenario.per_page), str(at_once), start, str(output)]
    home = output.parent / "home"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "LANG": "C.UTF-8",
        **extra,
    }
    began = time.perf_counter()
    with Path(f"{output}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    return seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), process.returncode


def judged(name: str, output: Path, calls: int, status: int) -> str:
    """Say what is in a contestant's file."""
    if status or not output.exists():
        return "failed"
    # In a process of its own: a process that is started begins with the size of the one that starts it.
    command = [sys.executable, __file__, "--judge", name, str(output), str(calls)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def judge(name: str, output: Path, calls: int) -> str:
    """Count the calls of a file."""
    if name == "ours_parquet":
        from pyarrow import parquet

        found = parquet.read_table(output, columns=["uuid"]).column("uuid").to_pylist()
    elif name == "ours_csv":
        found = [line[:36] for line in output.read_bytes().split(b"\r\n")[1:] if line]
    else:
        found = [one or other for one, other in UUID.findall(output.read_bytes())]
    different = len(set(found))
    return "all" if len(found) == different == calls else f"{len(found):,} rows, {different:,} calls"


def measure(scenario: Scenario, folder: Path) -> dict[str, Runs]:
    """Run all contestants in turn."""
    results = {name: Runs() for name in scenario.contestants}
    with server(scenario, friendly=False) as hostile, server(scenario, friendly=True) as friendly:
        for turn in range(scenario.runs):
            for name in scenario.contestants if turn % 2 == 0 else reversed(scenario.contestants):
                url = friendly if name.startswith("bound") else hostile
                output = folder / f"{name}.{turn}"
                seconds, memory, _ = run(name, url, scenario, NOTHING, output)
                results[name].starts.append(seconds)
                results[name].empty_memory.append(memory)
                output.unlink(missing_ok=True)
                with urlopen(f"{url}/__statistics__"):
                    pass
                seconds, memory, status = run(name, url, scenario, SINCE, output)
                with urlopen(f"{url}/__statistics__") as told:
                    results[name].asked.append(json.load(told))
                results[name].seconds.append(seconds)
                results[name].memory.append(memory)
                results[name].found.append(judged(name, output, scenario.calls, status))
                output.unlink(missing_ok=True)
    return results


def table(scenario: Scenario, results: dict[str, Runs]) -> str:
    """Write the results of a scenario."""
    bound = results[scenario.contestants[0]].net
    lines = [scenario.title, ""]
    lines.append(f"{'':<14} {'whole s':>8} {'start s':>8} {'net s':>8} {'x bound':>8} {'MB':>6} {'MB+':>6}  requests")
    for name, runs in results.items():
        asked = runs.asked[-1]
        memory = statistics.median(runs.memory)
        wasted = ""
        if asked["refused"] + asked["failed"]:
            share = asked["refused"] / asked["requests"]
            wasted = f", {asked['refused']} refused ({share:.1%}), {asked['failed']} failed"
            wasted += f", asked to wait {asked['waits']:.1f} s, without those {runs.unasked / bound:.2f} x bound"
        lines.append(
            f"{name:<14} {statistics.median(runs.seconds):>8.2f} {statistics.median(runs.starts):>8.2f} "
            f"{runs.net:>8.2f} {runs.net / bound:>8.2f} {memory:>6.0f} "
            f"{memory - statistics.median(runs.empty_memory):>6.0f}  {asked['requests']}{wasted}, "
            f"{asked['connections']} connections; {'; '.join(sorted(set(runs.found)))}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Measure the scenarios that are named, or all but the largest."""
    if arguments[:1] == ["--judge"]:
        print(judge(arguments[1], Path(arguments[2]), int(arguments[3])))
        return 0
    chosen = list(arguments) or [name for name in SCENARIOS if name != "memory"]
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="export-benchmark-") as folder:
            results = measure(SCENARIOS[name], Path(folder))
        print(f"\n== {name}: {table(SCENARIOS[name], results)}", flush=True)
        wrong = [one for one, runs in results.items() if one.startswith("ours") and set(runs.found) != {"all"}]
        if wrong:
            print(f"not complete: {', '.join(wrong)}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
