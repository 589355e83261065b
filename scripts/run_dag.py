"""Runs one DAG of the dags folder with `dag.test()`: no scheduler, no workers, tasks in this process.

Airflow's settings come from the environment. The exit code is 0 if the run succeeded and no task failed.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

AIRFLOW_2 = "2."
FAILED = {"failed", "upstream_failed"}
# Importing Airflow takes most of this process's time, and a quarter of that is garbage collection without effect.
COLLECTION_THRESHOLD = 100_000


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, run the DAG and return the exit code."""
    gc.set_threshold(COLLECTION_THRESHOLD)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dag_id", nargs="?", help="optional if the folder has only one DAG")
    parser.add_argument("--logical-date", type=datetime.fromisoformat, help="RFC 3339; the current time by default")
    parser.add_argument(
        "--conf",
        type=json.loads,
        action="append",
        help="a run's configuration, a JSON object; several make several runs",
    )
    parser.add_argument("--no-retries", action="store_true", help="do not retry failed tasks")
    options = parser.parse_args(arguments)
    dag = find_dag(options.dag_id)
    if options.no_retries:
        for task in dag.tasks:
            task.retries = 0
    return max(run_once(dag, options.logical_date, conf) for conf in options.conf or [None])


def run_once(dag: Any, logical_date: datetime | None, conf: Any) -> int:
    """Run the DAG once, and return 0 if the run succeeded and no task failed."""
    run = dag.test(**date_argument(logical_date), run_conf=conf)
    failed = sorted({task.task_id for task in run.get_task_instances() if str(task.state) in FAILED})
    details = f"; failed: {', '.join(failed)}" if failed else ""
    print(f"run of {dag.dag_id}: {run.state}{details}", flush=True)
    return 0 if str(run.state) == "success" and not failed else 1


def find_dag(dag_id: str | None) -> Any:
    """Load the dags folder and return a DAG; exit if a file is broken or there is no such DAG."""
    # DagBag has another module since Airflow 3.2.
    moved = find_spec("airflow.dag_processing.dagbag") is not None
    bag = import_module("airflow.dag_processing.dagbag" if moved else "airflow.models.dagbag").DagBag()
    if bag.import_errors:
        sys.exit("\n".join(f"{path} cannot be imported:\n{error}" for path, error in bag.import_errors.items()))
    if dag_id is None and len(bag.dags) == 1:
        return next(iter(bag.dags.values()))
    if dag_id not in bag.dags:
        sys.exit(f"no DAG {dag_id!r} in the dags folder, which has: {', '.join(sorted(bag.dags)) or 'none'}")
    return bag.dags[dag_id]


def date_argument(logical_date: datetime | None) -> dict[str, datetime]:
    """Return the logical date by the name of the parameter of this Airflow's `dag.test`."""
    date = logical_date or datetime.now(UTC)
    return {"execution_date" if is_airflow_2() else "logical_date": date.astimezone(UTC)}


def is_airflow_2() -> bool:
    """Return whether this is Airflow 2, whose names differ."""
    return str(import_module("airflow").__version__).startswith(AIRFLOW_2)


if __name__ == "__main__":
    sys.exit(main())
