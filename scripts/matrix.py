"""Tests every supported Airflow on every Python that it has, one environment after the other, and prints a table.

    scripts/matrix.py [LINE-PYTHON …]        for example 3.2-3.12; all by default

Each environment is set up from `constraints/matrix/` with hashes, tested, removed. Its steps: installation; import
of every class, discovery of the provider and its connection forms; parsing and `dag.test()` of every example DAG;
sensors that are deferred to a real triggerer. The output of a step is in `.matrix/`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from matrix_pins import LINES, PROJECT

LOGS = PROJECT / ".matrix"
VENV = PROJECT / ".venv-matrix"
DAGS = "tests/airflow/dags"
#: What is tested, by the heads of the table's columns: modules with their arguments.
STEPS = {
    "check": ("pip", "check"),
    "classes": (
        "pytest", "-q",
        "tests/packaging/test_provider_info.py", "tests/packaging/test_public_names.py",
        "tests/airflow/hooks/test_hook.py::test_the_form_of_the_installed_airflow", "-k", "not type_checkers",
    ),
    "examples": (
        "pytest", "-q",
        *(f"{DAGS}/test_{name}.py" for name in (
            "example_dags", "reset_dag", "routing_dags", "transfer_dags", "watching_dags", "webhook_dag",
            "trackdrive_dag", "suppression_dag", "data_writing_dag",
        )),
        "tests/airflow/transfers/test_export_incremental.py", "-k", "not killed",
        "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder",
    ),
    "triggerer": ("pytest", "-q", "tests/airflow/runs/triggerer_run.py", "-k", "after_a_restart"),
}  # fmt: skip
INSTALL = "install"
# Seconds; a step that takes longer has failed.
MAX_SECONDS = 1800


def main(selected: list[str]) -> int:
    """Test the combinations, print the table, and return whether all of them passed."""
    every = [f"{line}-3.{minor}" for line, minors in LINES.items() for minor in minors]
    unknown = sorted(set(selected) - set(every))
    if unknown:
        sys.exit(f"error: no such combination: {', '.join(unknown)}; there are {', '.join(every)}")
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir()
    results = {}
    for name in selected or every:
        results[name] = tested(*name.split("-"))
        print(row(name, results[name]), flush=True)
    print(f"\n{table(results)}")
    return int(any(not passed for cells in results.values() for passed, _ in cells.values()))


def tested(line: str, python: str) -> dict[str, tuple[bool, float]]:
    """Set up an environment, test it and remove it.

    :param line: of Airflow.
    :param python: its version.
    :return: whether each step passed, and its seconds; steps after a failed installation are missing.
    """
    pins = f"constraints/matrix/airflow-{line}.txt"
    # What is pinned with hashes is all there is; the package itself is built by the pinned tools.
    settings = {
        "REQUIREMENTS": f"--no-deps --require-hashes -r {pins}",
        "ALONE": "--no-build-isolation -e .",
        "NEWEST_PYTHON": python.removeprefix("3."),
    }
    try:
        cells = {
            INSTALL: step(
                line, python, INSTALL, ["scripts/environment.sh", str(VENV), os.devnull, f"python{python}"], settings
            )
        }
        if cells[INSTALL][0]:
            for name, arguments in STEPS.items():
                cells[name] = step(line, python, name, [str(VENV / "bin" / "python"), "-m", *arguments], {})
    finally:
        shutil.rmtree(VENV, ignore_errors=True)
    return cells


def step(line: str, python: str, name: str, command: list[str], settings: dict[str, str]) -> tuple[bool, float]:
    """Run a command with its output in a file; print the end of the file if it failed.

    :return: whether it succeeded, and how many seconds it took.
    """
    log = LOGS / f"{line}-{python}-{name}.log"
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        try:
            code = subprocess.run(
                command, cwd=PROJECT, env={**os.environ, **settings}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, timeout=MAX_SECONDS, check=False,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            code = 1
            output.write(f"ended after {MAX_SECONDS} s\n")
    if code:
        end = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        print(
            "\n".join([f"Airflow {line}, Python {python}: {name} failed; the whole output is {log}", *end]),
            flush=True,
        )
    return code == 0, time.monotonic() - started


def table(results: dict[str, dict[str, tuple[bool, float]]]) -> str:
    """Return the results as a table of Markdown, in seconds."""
    heads = ("Airflow-Python", INSTALL, *STEPS)
    lines = [
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(row(name, cells) for name, cells in results.items()),
    ]
    return "\n".join(lines)


def row(name: str, cells: dict[str, tuple[bool, float]]) -> str:
    """Return the row of a combination."""
    texts = []
    for head in (INSTALL, *STEPS):
        passed, seconds = cells.get(head, (False, 0.0))
        texts.append(f"{seconds:.0f} s" if passed else "failed" if head in cells else "not run")
    return f"| {' | '.join([name, *texts])} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
