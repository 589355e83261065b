"""Measures a thousand deferred sensors with one connection in one event loop.

    .venv/bin/python benchmarks/sensors.py [--sensors 1000] [--seconds 60] [--interval 10]

Each sensor is the trigger that a triggerer runs, in a process that has imported the triggerer's modules. The
scenarios: all sensors send the same request (with different limits), they send 50 different requests, each sends
its own, and each sends the same request with its own client (as without sharing). The account is a sandbox in a
separate process. In "no sensors" and in the first seconds of each process ("idle gap") the loop does nothing, which
shows the gaps of the machine itself. Printed are the requests, the longest turns of the loop (see `turns.py`), how
many took more than 50 ms, processor time and memory; also the first run of two sensors in each process, which
imports what they need, and the time of a garbage collection of what Airflow alone has loaded.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.request import urlopen

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import Longest, Watch

HOME = tempfile.mkdtemp(prefix="retreaver-benchmark-")
os.environ |= {"AIRFLOW_HOME": HOME, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{HOME}/none/airflow.db"

SCENARIOS = ("no sensors", "same request", "50 requests", "own request", "own client")
Figures = dict[str, Any]


@contextmanager
def sandbox() -> Iterator[str]:
    """Serve a sandbox from a separate process."""
    command = [sys.executable, "-m", "airflow_provider_retreaver.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            match = re.search(r"http://\S+", process.stdout.readline())
            assert match is not None
            yield match[0]
        finally:
            process.terminate()


def sent(url: str) -> int:
    """Return how many requests the sandbox has received."""
    with urlopen(f"{url}/__sandbox__/requests", timeout=60) as answer:
        return sum(not entry["path"].startswith("/__sandbox__") for entry in json.load(answer))


def triggers(scenario: str, count: int, seconds: float, interval: float) -> list[object]:
    """Make the triggers; their conditions are never met."""
    from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger

    def options(index: int) -> dict[str, object]:
        number = {"50 requests": index % 50, "own request": index}.get(scenario, 0)
        condition = {"window": f"{3600 + number}s", "at_least": 1_000 + index}
        return {"start": None, "end": None, "at_most": None, "filters": None, **condition}

    now = datetime.now(UTC)
    return [
        RetreaverConditionTrigger(
            retreaver_conn_id=f"retreaver_{index if scenario == 'own client' else 'default'}",
            kind="call_volume",
            options=options(index),
            deadline=(now + timedelta(seconds=seconds)).isoformat(),
            next_look=(now + timedelta(seconds=interval * index / count)).isoformat(),
            poke_interval=interval,
            failure_budget=1800.0,
        )
        for index in range(count)
    ]


async def wait(trigger: object) -> str:
    """Run a trigger to its end."""
    events = [event.payload async for event in trigger.run()]  # type: ignore[attr-defined]
    return str(events[0]["status"])


async def watched(scenario: str, count: int, seconds: float, interval: float) -> None:
    """Run a scenario to its end."""
    if scenario == "no sensors":
        await asyncio.sleep(seconds)
        return
    waits = []
    for trigger in triggers(scenario, count, seconds, interval):
        waits.append(asyncio.create_task(wait(trigger)))
        await asyncio.sleep(0)
    statuses = set(await asyncio.gather(*waits))
    assert statuses == {"timeout"}, statuses


async def measured(watch: Watch, scenario: str, url: str, arguments: argparse.Namespace) -> Figures:
    """Measure an idle loop, the first two sensors and then all of them; return the figures of each."""
    with watch.phase() as idle:
        await asyncio.sleep(arguments.idle)
    with watch.phase() as first:
        await watched(scenario, min(2, arguments.sensors), 0.2, 0.1)
    started, processor, before, memory = time.perf_counter(), time.process_time(), sent(url), _memory()
    with watch.phase() as longest:
        await watched(scenario, arguments.sensors, arguments.seconds, arguments.interval)
    totals = {"took": time.perf_counter() - started, "processor": time.process_time() - processor}
    phases = {"idle": idle, "first": first, "run": longest}
    return {
        **totals,
        "requests": sent(url) - before,
        "memory": _memory() - memory,
        **{name: asdict(phase) for name, phase in phases.items()},
    }


def run(scenario: str, url: str, arguments: argparse.Namespace) -> Figures:
    """Run a scenario in this process and return its figures."""
    connection = {"conn_type": "retreaver", "login": "1", "password": "sandbox-key", "host": url}
    os.environ["AIRFLOW_CONN_RETREAVER_DEFAULT"] = json.dumps(connection)
    for index in range(arguments.sensors if scenario == "own client" else 0):
        # Different settings prevent sharing.
        separate = {**connection, "extra": {"timeout": 30 + index / 1000}}
        os.environ[f"AIRFLOW_CONN_RETREAVER_{index}"] = json.dumps(separate)
    started = time.perf_counter()
    import_module("airflow.jobs.triggerer_job_runner")
    import_module("airflow_provider_retreaver.triggers.conditions")
    imports = time.perf_counter() - started
    gc.collect()
    before = time.thread_time()
    gc.collect()
    collection = time.thread_time() - before
    watch = Watch()
    with asyncio.Runner(loop_factory=watch.loop) as runner:
        figures = runner.run(measured(watch, scenario, url, arguments))
    return {"imports": imports, "collection": collection, **figures}


def _memory() -> float:
    """Return the peak of this process's memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(rows: dict[str, Figures], write: Callable[[str], None] = print) -> None:
    """Print the figures."""
    heads = ("requests", "idle gap", "turn", "awake", "work", "collection", "full", "> 50 ms", "processor", "memory")
    write(f"{'':16}" + "".join(f"{head:>11}" for head in heads))
    for name, figures in rows.items():
        idle, longest = Longest(**figures["idle"]), Longest(**figures["run"])
        times = (idle.gap, longest.wall, longest.awake, longest.work, longest.collection)
        over = f"{longest.over_wall}/{longest.over_awake}/{longest.over_work}"
        write(
            f"{name:16}{figures['requests']:>11}"
            + "".join(f"{seconds * 1000:>8.1f} ms" for seconds in times)
            + f"{longest.full:>11}{over:>11}{figures['processor']:>9.1f} s{figures['memory']:>8.1f} MB"
        )
    write(
        "turn/awake/work: longest in real time, without waiting for a processor, processor time without collections"
    )
    for name, figures in rows.items():
        first = Longest(**figures["first"])
        write(
            f"{name}: {figures['imports']:.1f} s of imports before the loop; first two sensors: turns of at most "
            f"{first.awake * 1000:.1f} ms awake, {first.work * 1000:.1f} ms work; "
            f"a full collection before any sensor: {figures['collection'] * 1000:.1f} ms"
        )


def main() -> None:
    """Parse the arguments and run every scenario in a separate process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the sensors wait")
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between two polls")
    parser.add_argument("--idle", type=float, default=5.0, help="seconds for which the loop is idle before")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="scenario to run; all by default")
    parser.add_argument("--only", help="run one scenario in this process (for internal use)")
    parser.add_argument("--url", help="URL of the sandbox for --only")
    parser.add_argument("--result", help="file for the figures of --only")
    arguments = parser.parse_args()
    if arguments.only:
        figures = run(arguments.only, arguments.url, arguments)
        Path(arguments.result).write_text(json.dumps(figures))
        return
    rows = {}
    passed = [f"--{name}={getattr(arguments, name)}" for name in ("sensors", "seconds", "interval", "idle")]
    for scenario in arguments.scenario or SCENARIOS:
        # Airflow logs every poll: to a file, because a full pipe would block the loop.
        with sandbox() as url, Path(HOME, "log").open("w") as log:
            options = ["--only", scenario, "--url", url, "--result", f"{HOME}/figures", *passed]
            subprocess.run([sys.executable, __file__, *options], stdout=log, stderr=log, check=True)
        rows[scenario] = json.loads(Path(HOME, "figures").read_text())
        print(f"{scenario}: done in {rows[scenario]['took']:.0f} s", file=sys.stderr)
    print(f"{arguments.sensors} sensors for {arguments.seconds:.0f} s, a poll every {arguments.interval:.0f} s")
    table(rows)


if __name__ == "__main__":
    main()
