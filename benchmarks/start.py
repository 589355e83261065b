"""What the package costs before it works: `make bench-start`.

Three measurements, each in processes of their own that run in turn:

* parsing: importing every operator, sensor and transfer, after Airflow's base classes;
* starting: an export of an empty window, beside Airflow's HttpOperator and Airflow alone;
* a profile of that export's imports, by distribution.

Seconds are those of the processor, which other programs on the machine change little. The run fails when parsing or
starting takes more than `BOUNDS`.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from airflow_provider_retreaver.provider_info import get_provider_info
from benchmarks.export import NOTHING, PROJECT, Scenario, server

RUNS = 9
LOG = "output.log"
BASE = "from airflow.sdk import DAG, BaseOperator, BaseSensorOperator\n"
PROGRAMS = ("airflow_sdk", "ours", "http_operator")
SCENARIO = Scenario("80 calls", 80, 100, 8, (), PROGRAMS)
#: Seconds and MB that a DAG file may take more, and seconds that an empty export may take more than Airflow alone.
BOUNDS = {"parsing": 0.02, "memory": 3.0, "starting": 0.25}
IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)


def main() -> int:
    """Measure, print, and return whether all is within the bounds."""
    with tempfile.TemporaryDirectory(prefix="start-benchmark-") as folder:
        parsing, memory = parse_cost(Path(folder))
        with server(SCENARIO, reliable=True) as url:
            starting = start_cost(url, Path(folder))
            profile(url, Path(folder))
    found = {"parsing": parsing, "memory": memory, "starting": starting}
    beyond = {name: value for name, value in found.items() if value > BOUNDS[name]}
    for name, value in beyond.items():
        print(f"error: {name} is {value:.2f}, and may be {BOUNDS[name]:.2f}")
    return int(bool(beyond))


def parse_cost(folder: Path) -> tuple[float, float]:
    """Return the seconds and MB that importing every operator adds to importing Airflow's base classes."""
    every = [f"import {name}\n" for name in modules()]
    timed = ["import time\n", "before = time.process_time()\n", *every, "print(time.process_time() - before)\n"]
    base, file = folder / "base.py", folder / "every.py"
    base.write_text(BASE, encoding="utf-8")
    file.write_text(BASE + "".join(timed), encoding="utf-8")
    seconds, sizes = [], []
    for _ in range(RUNS):
        _, size = once([str(base)], folder)
        _, more = once([str(file)], folder)
        sizes.append(more - size)
        seconds.append(float((folder / LOG).read_text(encoding="utf-8").split()[-1]))
    # What else the machine does only adds to the seconds.
    found, memory = min(seconds), statistics.median(sizes)
    print(f"\n== parsing: {len(every)} modules of operators, beyond Airflow's base classes\n")
    print(f"{1000 * found:.0f} ms {memory:.1f} MB")
    return found, memory


def modules() -> list[str]:
    """Return the modules that DAG files import: those with the operators, sensors and transfers of the documents."""
    info = get_provider_info()
    listed = [name for kind in ("operators", "sensors") for group in info[kind] for name in group["python-modules"]]
    return sorted({*listed, *(one["python-module"] for one in info["transfers"])})


def start_cost(url: str, folder: Path) -> float:
    """Return the seconds that an empty export takes beyond Airflow alone."""
    runs = in_turn({name: program(name, url, folder) for name in PROGRAMS}, folder)
    alone = runs["airflow_sdk"][0]
    print("\n== an empty export\n")
    for name, (seconds, size) in runs.items():
        compared = f"{seconds / alone:6.2f} x airflow_sdk, {seconds - alone:+.2f} s"
        print(f"{name:<14} {seconds:6.2f} s {size:6.0f} MB {compared}")
    return runs["ours"][0] - alone


def program(name: str, url: str, folder: Path) -> list[str]:
    """Return the arguments of a program that reads an empty window."""
    return ["-m", f"benchmarks.programs.{name}", url, "100", "8", NOTHING, str(folder / name)]


def profile(url: str, folder: Path) -> None:
    """Print what importing takes in an empty export beyond Airflow alone, by distribution."""
    totals = {}
    for name in ("airflow_sdk", "ours"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-X", "importtime", *program(name, url, folder)],
            cwd=PROJECT, env=environment(folder), capture_output=True, text=True, check=True,
        )  # fmt: skip
        totals[name] = {module: int(micros) for micros, module in IMPORT.findall(done.stderr)}
    more = Counter[str]()
    for module, micros in totals["ours"].items():
        if module not in totals["airflow_sdk"]:
            more[module.partition(".")[0]] += micros
    print("\n== imports of an empty export that Airflow alone does not make, ms\n")
    for name, micros in more.most_common(12):
        print(f"{name:<28} {micros / 1000:6.1f}")
    print(f"{'all':<28} {more.total() / 1000:6.1f}")


def in_turn(commands: dict[str, list[str]], folder: Path) -> dict[str, tuple[float, float]]:
    """Run each command several times, in turn, and return the medians of processor seconds and peak MB."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(RUNS + 1):
        for name, command in commands.items():
            taken = once(command, folder)
            if turn:  # the first one writes compiled files
                found[name].append(taken)
    return {name: tuple(map(statistics.median, zip(*runs, strict=True))) for name, runs in found.items()}  # type: ignore[misc]


def once(command: list[str], folder: Path) -> tuple[float, float]:
    """Run Python and return its processor seconds and peak MB."""
    log = folder / LOG
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command],
            cwd=PROJECT,
            env=environment(folder),
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, log.read_text(encoding="utf-8")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a measured process."""
    home = str(folder / "home")
    return {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "AIRFLOW_HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(PROJECT),
    }


if __name__ == "__main__":
    sys.exit(main())
