"""A thousand deferred sensors on one connection in one event loop: what they cost together, and what each alone.

    .venv/bin/python benchmarks/sensors.py [--sensors 1000] [--seconds 60] [--interval 10]

Every sensor is the trigger that a triggerer runs. Compared are: all sensors ask the same (with different limits),
they ask 50 different questions, each asks its own, and each asks the same with a poll and a client of its own (as
sensors that do not share would); "nobody" is the idle loop, which shows the machine's own gaps. The account is a
sandbox in a process of its own. Printed are requests sent, the longest time for which the loop did nothing else, the
most that its own thread worked in such a time (Python's garbage collector left out), processor time and memory.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

HOME = tempfile.mkdtemp(prefix="retreaver-benchmark-")
os.environ |= {"AIRFLOW_HOME": HOME, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{HOME}/none/airflow.db"

SCENARIOS = ("nobody", "same question", "50 questions", "own question", "own poll")


@dataclass
class Loop:
    """How long the loop was held up between two turns of a coroutine that wants one each 5 ms.

    Gaps include what other processes took of the machine; `busy` is what the loop's own
    thread worked in one gap, without the garbage collector.
    """

    longest: float = 0.0
    busy: float = 0.0
    late: int = 0
    collecting: float = 0.0
    collected: float = 0.0

    def collector(self, phase: str, _info: object) -> None:
        """Take the time of Python's garbage collector, which goes through everything that the process holds."""
        if phase == "start":
            self.collecting = time.thread_time()
        else:
            self.collected += time.thread_time() - self.collecting

    async def watch(self) -> None:
        """Take turns until cancelled."""
        while True:
            before, worked = time.perf_counter(), time.thread_time() - self.collected
            await asyncio.sleep(0.005)
            self.busy = max(self.busy, time.thread_time() - self.collected - worked)
            gap = time.perf_counter() - before - 0.005
            self.longest = max(self.longest, gap)
            self.late += gap > 0.05


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


def sent(url: str, since: int) -> int:
    """Return how many requests came after the one with this number."""
    with urlopen(f"{url}/__sandbox__/requests?since={since}", timeout=60) as answer:
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


async def measured(scenario: str, count: int, seconds: float, interval: float) -> dict[str, float]:
    """Run a scenario and return its figures."""
    loop = Loop()
    watcher = asyncio.create_task(loop.watch())
    gc.callbacks.append(loop.collector)
    processor = time.process_time()
    began = time.perf_counter()
    waits = [asyncio.create_task(asyncio.sleep(seconds, "timeout"))] if scenario == "nobody" else []
    watching = 0 if scenario == "nobody" else count
    for trigger in triggers(scenario, watching, seconds, interval):
        waits.append(asyncio.create_task(wait(trigger)))
        await asyncio.sleep(0)
    statuses = await asyncio.gather(*waits)
    took = time.perf_counter() - began
    watcher.cancel()
    gc.callbacks.remove(loop.collector)
    assert set(statuses) == {"timeout"}, set(statuses)
    used = time.process_time() - processor
    return {"took": took, "gap": loop.longest * 1000, "busy": loop.busy * 1000, "late": loop.late, "processor": used}


def run(scenario: str, url: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Run a scenario in this process and print its figures as JSON."""
    logging.disable(logging.CRITICAL)
    connection = {"conn_type": "retreaver", "login": "1", "password": "sandbox-key", "host": url}
    os.environ["AIRFLOW_CONN_RETREAVER_DEFAULT"] = json.dumps(connection)
    for index in range(arguments.sensors):
        # Settings that differ in nothing that matters are not shared.
        own = {**connection, "extra": {"timeout": 30 + index / 1000}}
        os.environ[f"AIRFLOW_CONN_RETREAVER_{index}"] = json.dumps(own)
    asyncio.run(measured(scenario, 2, 0.2, 0.1))  # what is imported and compiled once is not measured
    gc.collect()
    gc.freeze()  # walking through what Airflow itself has loaded is not the sensors' work
    before, memory = sent(url, 0), _memory()
    figures = asyncio.run(measured(scenario, arguments.sensors, arguments.seconds, arguments.interval))
    figures["requests"] = sent(url, 0) - before
    figures["memory"] = _memory() - memory
    return figures


def _memory() -> float:
    """Return the peak of this process's memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(rows: dict[str, dict[str, float]], write: Callable[[str], None] = print) -> None:
    """Print the figures."""
    heads = ("requests", "longest gap", "of it ours", "gaps > 50 ms", "processor", "memory")
    write(" " * 16 + "".join(f"{head:>{width}}" for head, width in zip(heads, (10, 14, 13, 14, 12, 10), strict=True)))
    for name, one in rows.items():
        write(
            f"{name:16}{one['requests']:>10.0f}{one['gap']:>11.1f} ms{one['busy']:>10.1f} ms"
            f"{one['late']:>14.0f}{one['processor']:>10.1f} s{one['memory']:>7.1f} MB"
        )


def main() -> None:
    """Parse the arguments and run every scenario in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="for which the sensors wait")
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between two looks")
    parser.add_argument("--only", help="one scenario, in this process (used by this program itself)")
    parser.add_argument("--url", help="of the sandbox for --only")
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(run(arguments.only, arguments.url, arguments)))
        return
    rows = {}
    for scenario in SCENARIOS:
        with sandbox() as url:
            own = [f"--{name}={getattr(arguments, name)}" for name in ("sensors", "seconds", "interval")]
            command = [sys.executable, __file__, "--only", scenario, "--url", url, *own]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            rows[scenario] = json.loads(done.stdout.strip().splitlines()[-1])
            print(f"{scenario}: done in {rows[scenario]['took']:.0f} s", file=sys.stderr)
    print(f"{arguments.sensors} sensors for {arguments.seconds:.0f} s, a look every {arguments.interval:.0f} s")
    table(rows)


if __name__ == "__main__":
    main()
