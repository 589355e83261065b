"""A thousand deferred sensors in a real triggerer (Airflow 3): run by `make bench-sensors`.

Not part of the test suite, because it takes minutes. Triggers are written into the database as those of a watched
asset, so that no tasks are needed. Airflow's local settings replace the selector of the triggerer's event loop by the
one of `benchmarks/turns.py`. For comparison, another scenario has as many triggers that only sleep.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.airflow.runs.scheduler_run import prepare_home, query_database, run_component, wait_for
from tests.airflow.support.account import Account
from tests.paths import PROJECT

ROOT = PROJECT
COUNT, SECONDS, INTERVAL = 1000, 60, 10
# Seconds that a coroutine of the triggerer may be late after its sleep of 0.1 s before Airflow logs a warning.
LATE = 0.05
WATCHED = """
import asyncio
import gc
import json
import os
import selectors
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.turns import WatchedSelector


class RecordingSelector(WatchedSelector):
    recorded_at = 0.0

    def select(self, timeout=None):
        # The triggerer's other process, which uses the database, has a selector without a loop.
        if asyncio._get_running_loop() is None:
            return super(WatchedSelector, self).select(timeout)
        if not self.recorded_at:
            gc.callbacks.append(self.collector)
        if time.monotonic() > self.recorded_at + 1:
            self.recorded_at = time.monotonic()
            path = Path(os.environ["AIRFLOW_HOME"], f"turns-{os.getpid()}.json")
            path.write_text(json.dumps({**asdict(self.longest), "processor": time.process_time()}))
            if Path(os.environ["AIRFLOW_HOME"], "begin").exists() and not hasattr(self, "reset_done"):
                self.reset_done, self.longest = True, type(self.longest)()
        return super().select(timeout)


selectors.DefaultSelector = RecordingSelector
"""
SEED = """
import json
import os
import sys
from datetime import UTC, datetime, timedelta

from airflow.models.asset import AssetModel, AssetWatcherModel
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session

scenario, count, seconds, interval = sys.argv[1], *map(int, sys.argv[2:])
now = datetime.now(UTC)


def trigger(index):
    if scenario == "asleep":
        moment = now + timedelta(days=1)  # Airflow's name of the parameter
        return Trigger("airflow.providers.standard.triggers.temporal.DateTimeTrigger", {"moment": moment})
    window = f"{3600 + (index if scenario == 'own request' else 0)}s"
    condition = {"window": window, "at_least": 1_000 + index}
    return Trigger(
        "airflow_provider_retreaver.triggers.conditions.RetreaverConditionTrigger",
        {
            "retreaver_conn_id": "retreaver_default",
            "kind": "call_volume",
            "options": {"start": None, "end": None, "at_most": None, "filters": None, **condition},
            "deadline": (now + timedelta(days=1)).isoformat(),
            "next_look": (now + timedelta(seconds=interval * index / count)).isoformat(),
            "poke_interval": float(interval),
            "failure_budget": 1800.0,
        },
    )


with create_session() as session:
    asset = AssetModel(name="watched", uri="x://watched", group="")
    session.add(asset)
    session.flush()
    for index in range(0 if scenario == "no triggers" else count):
        row = trigger(index)
        session.add(row)
        session.flush()
        session.add(AssetWatcherModel(name=f"watcher {index}", asset_id=asset.id, trigger_id=row.id))
"""


@pytest.mark.parametrize("scenario", ["no triggers", "asleep", "same request", "own request"])
def test_a_thousand_triggers(airflow_lab, running_sandbox, scenario):
    """No turn of the triggerer's loop computes for more than 50 ms, without garbage collection."""
    account = Account(running_sandbox)
    account.reset()
    home = airflow_lab.root / scenario.replace(" ", "_")
    env = prepare_home(airflow_lab, home, "", account)
    env["PYTHONPATH"] = str(ROOT)
    env["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "INFO"
    env["AIRFLOW__TRIGGERER__CAPACITY"] = str(2 * COUNT)
    env["AIRFLOW__TRIGGERER__BLOCKED_MAIN_THREAD_WARNING_THRESHOLD"] = str(0.1 + LATE)
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "airflow_local_settings.py").write_text(WATCHED)
    seed = [sys.executable, "-c", SEED, scenario, *map(str, (COUNT, SECONDS, INTERVAL))]
    subprocess.run(seed, env=env, cwd=home, check=True, capture_output=True)
    count = 0 if scenario == "no triggers" else COUNT
    with run_component("triggerer", env, home, "--skip-serve-logs"):
        wait_for(lambda: any(home.glob("turns-*.json")), "the triggerer's loop", home)
        wait_for(lambda: started(home) >= count, "the start of all triggers", home)
        at_start = figures(home)
        (home / "begin").touch()
        requests = len(account.sent())
        time.sleep(SECONDS)
    measured = figures(home)
    log = (home / "triggerer.log").read_text("utf-8", "replace")
    print_figures(f"{scenario}, while {count} started", at_start)
    print_figures(f"{scenario}, {SECONDS} s of {count}", measured)
    late = [line for line in log.splitlines() if "async thread was blocked" in line]
    print(f"  requests {len(account.sent()) - requests}; Airflow logged a blocked thread {len(late)} times")
    assert query_database(home, "SELECT count(*) FROM trigger") == [(count,)]
    assert measured["over_work"] == 0


def started(home):
    """Return how many triggers the triggerer has started, by its log."""
    return (home / "triggerer.log").read_text("utf-8", "replace").count(" starting")


def figures(home):
    """Return the figures of the busiest loop of the triggerer's processes."""
    return max(
        (json.loads(path.read_text()) for path in home.glob("turns-*.json")), key=lambda values: values["processor"]
    )


def print_figures(name, figures):
    """Print the figures of a phase."""
    times = ", ".join(f"{key} {figures[key] * 1000:.1f} ms" for key in ("wall", "awake", "work", "collection"))
    over = "/".join(str(figures[f"over_{key}"]) for key in ("wall", "awake", "work"))
    print(
        f"{name}: longest turn {times}; over 50 ms {over}; {figures['full']} full; "
        f"processor {figures['processor']:.1f} s"
    )
