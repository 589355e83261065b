"""A thousand deferred sensors on one connection in one event loop: what they cost together, and what each alone.

    .venv/bin/python benchmarks/sensors.py [--sensors 1000] [--seconds 60] [--interval 10]

Every sensor is the trigger that a triggerer runs, in a process that has imported what a triggerer imports. Compared
are: all sensors ask the same (with different limits), they ask 50 different questions, each asks its own, and each
asks the same with a poll and a client of its own (as sensors that do not share would). The account is a sandbox in a
process of its own. For "nobody" and for the first seconds of each process ("idle gap") the loop does nothing, which
shows the machine's own gaps. Printed are requests sent, the longest turns of the loop (`turns.py` says what is what),
how many took more than 50 ms, processor time and memory; and apart from that the first run of two sensors in each
process, which imports what they need, and how long the garbage collector takes for what Airflow alone has loaded.
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

SCENARIOS = ("nobody", "same question", "50 questions", "own question", "own poll")
Figures = dict[str, Any]


@contextmanager
def sandbox() -> Iterator[str]:
    """Serve the vendor from a process of its own."""
    command = [sys.executable, "-m", "airflow_provider_retreaver.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            process.terminate()


def sent(url: str) -> int:
    """Return how many requests the sandbox has got."""
    with urlopen(f"{url}/__sandbox__/requests", timeout=60) as answer:
        return sum(not entry["path"].startswith("/__sandbox__") for entry in json.load(answer))


def triggers(scenario: str, count: int, seconds: float, interval: float) -> list[object]:
    """Make the triggers; none of their conditions is ever met."""
    from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger

    def options(index: int) -> dict[str, object]:
        number = {"50 questions": index % 50, "own question": index}.get(scenario, 0)
        wanted = {"window": f"{3600 + number}s", "at_least": 1_000 + index}
        return {"start": None, "end": None, "at_most": None, "filters": None, **wanted}

    now = datetime.now(UTC)
    return [
        RetreaverConditionTrigger(
            retreaver_conn_id=f"retreaver_{index if scenario == 'own poll' else 'default'}",
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
    if scenario == "nobody":
        await asyncio.sleep(seconds)
        return
    waits = []
    for trigger in triggers(scenario, count, seconds, interval):
        waits.append(asyncio.create_task(wait(trigger)))
        await asyncio.sleep(0)
    statuses = set(await asyncio.gather(*waits))
    assert statuses == {"timeout"}, statuses


async def measured(watch: Watch, scenario: str, url: str, arguments: argparse.Namespace) -> Figures:
    """Watch an idle loop, the first two sensors and then all of them; return the figures of each."""
    with watch.phase() as idle:
        await asyncio.sleep(arguments.idle)
    with watch.phase() as first:
        await watched(scenario, min(2, arguments.sensors), 0.2, 0.1)
    began, processor, before, memory = time.perf_counter(), time.process_time(), sent(url), _memory()
    with watch.phase() as longest:
        await watched(scenario, arguments.sensors, arguments.seconds, arguments.interval)
    own = {"took": time.perf_counter() - began, "processor": time.process_time() - processor}
    found = {"idle": idle, "first": first, "run": longest}
    return {
        **own,
        "requests": sent(url) - before,
        "memory": _memory() - memory,
        **{name: asdict(one) for name, one in found.items()},
    }


def run(scenario: str, url: str, arguments: argparse.Namespace) -> Figures:
    """Run a scenario in this process and return its figures."""
    connection = {"conn_type": "retreaver", "login": "1", "password": "sandbox-key", "host": url}
    os.environ["AIRFLOW_CONN_RETREAVER_DEFAULT"] = json.dumps(connection)
    for index in range(arguments.sensors if scenario == "own poll" else 0):
        # Settings that differ in nothing that matters are not shared.
        own = {**connection, "extra": {"timeout": 30 + index / 1000}}
        os.environ[f"AIRFLOW_CONN_RETREAVER_{index}"] = json.dumps(own)
    began = time.perf_counter()
    import_module("airflow.jobs.triggerer_job_runner")
    import_module("airflow_provider_retreaver.triggers.conditions")
    imports = time.perf_counter() - began
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
    for name, one in rows.items():
        idle, longest = Longest(**one["idle"]), Longest(**one["run"])
        times = (idle.gap, longest.wall, longest.awake, longest.work, longest.collection)
        over = f"{longest.over_wall}/{longest.over_awake}/{longest.over_work}"
        write(
            f"{name:16}{one['requests']:>11}"
            + "".join(f"{seconds * 1000:>8.1f} ms" for seconds in times)
            + f"{longest.full:>11}{over:>11}{one['processor']:>9.1f} s{one['memory']:>8.1f} MB"
        )
    write("turn/awake/work: longest by the wall, without waiting for a processor, computing without the collector")
    for name, one in rows.items():
        first = Longest(**one["first"])
        write(
            f"{name}: {one['imports']:.1f} s of imports before the loop; first two sensors: turns of at most "
            f"{first.awake * 1000:.1f} ms awake, {first.work * 1000:.1f} ms work; "
            f"a full collection before any sensor: {one['collection'] * 1000:.1f} ms"
        )


def main() -> None:
    """Parse the arguments and run every scenario in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="for which the sensors wait")
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between two looks")
    parser.add_argument("--idle", type=float, default=5.0, help="seconds for which the loop does nothing before")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="which to run; all by default")
    parser.add_argument("--only", help="one scenario, in this process (used by this program itself)")
    parser.add_argument("--url", help="of the sandbox for --only")
    parser.add_argument("--result", help="file for the figures of --only")
    arguments = parser.parse_args()
    if arguments.only:
        figures = run(arguments.only, arguments.url, arguments)
        Path(arguments.result).write_text(json.dumps(figures))
        return
    rows = {}
    passed = [f"--{name}={getattr(arguments, name)}" for name in ("sensors", "seconds", "interval", "idle")]
    for scenario in arguments.scenario or SCENARIOS:
        # Airflow logs every look: to a file, since a pipe that nobody empties in time would hold the loop.
        with sandbox() as url, Path(HOME, "log").open("w") as log:
            own = ["--only", scenario, "--url", url, "--result", f"{HOME}/figures", *passed]
            subprocess.run([sys.executable, __file__, *own], stdout=log, stderr=log, check=True)
        rows[scenario] = json.loads(Path(HOME, "figures").read_text())
        print(f"{scenario}: done in {rows[scenario]['took']:.0f} s", file=sys.stderr)
    print(f"{arguments.sensors} sensors for {arguments.seconds:.0f} s, a look every {arguments.interval:.0f} s")
    table(rows)


if __name__ == "__main__":
    main()
