"""Deferred sensors and asset watchers under a real scheduler and triggerer: run by `make test-triggerer`.

Not part of the suite, since it starts a whole Airflow and takes minutes. The triggerer is stopped in the middle, and
while it is down the world changes: calls come, a key is refused, a target is deleted, deadlines pass.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from tests.airflow.runs.scheduler_run import ask, component_of, prepared, wait_for
from tests.airflow.support.account import KEY, Account

LINE = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
AIRFLOW_2 = LINE < (3,)
# Since 3.3 Airflow keeps what sensors and watchers know over restarts and between processes.
REMEMBERS = LINE >= (3, 3)

WAITS = """
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor
from airflow_provider_retreaver.sensors.targets import RetreaverTargetIdleSensor

with DAG(
    "waits", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False,
    default_args={"deferrable": True, "poke_interval": 2, "timeout": 600},
):
    RetreaverCallVolumeSensor(task_id="met", window="1h", at_least=3)
    RetreaverCallVolumeSensor(task_id="met_too", window="1h", at_least=2, filters={"status": "completed"})
    RetreaverTargetIdleSensor(task_id="refused", target_id=2)
    RetreaverTargetIdleSensor(task_id="deleted", target_id=3)
    RetreaverCapFilledSensor(task_id="late", target_id=1, timeout=SHORT)
    RetreaverCapFilledSensor(task_id="skipped", target_id=1, timeout=SHORT, soft_fail=True)
    RetreaverTargetIdleSensor(task_id="given_up", target_id=4)
"""
WATCHED = """
from datetime import datetime

from airflow.sdk import DAG, AssetWatcher, task

from airflow_provider_retreaver.assets import retreaver_asset
from airflow_provider_retreaver.triggers.caps import RetreaverCapFilledEventTrigger

caps = retreaver_asset(
    1, "targets/caps", "127.0.0.1",
    watchers=[AssetWatcher(
        name="cap_at_90_percent",
        trigger=RetreaverCapFilledEventTrigger(target_id=[1, 2], at_least=0.9, poll_interval=1),
    )],
)

with DAG("watched", schedule=[caps], start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):

    @task(retries=3, retry_delay=1)
    def reached(triggering_asset_events=None):
        events = [event for several in triggering_asset_events.values() for event in several]
        return [row["id"] for event in events for row in event.extra["payload"]["reached"]]

    reached()
"""
COMPONENTS = ("scheduler",) if AIRFLOW_2 else ("api-server", "scheduler", "dag-processor")
# Nobody is offered the logs.
QUIET = "--skip-serve-logs"
# Sensors defer one after the other; what ends by its timeout must do so while no triggerer runs.
SHORT = 60


def states(home):
    """Return the states of the tasks."""
    return dict(ask(home, "SELECT task_id, state FROM task_instance"))


def environment(lab, home, source, account):
    """Prepare a home for this Airflow."""
    env = prepared(lab, home, source, account)
    if AIRFLOW_2:
        env["AIRFLOW__CORE__EXECUTOR"] = "SequentialExecutor"
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"  # this executor starts tasks by name
    env["AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL"] = "5"
    env["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "INFO"
    # Tasks fail when the API server takes longer to answer, as on a busy machine; the default is five seconds.
    env["AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT"] = "60"
    return env


def no_file_holds_the_key(home):
    """See that the key is in no log, no database and no other file."""
    secret = re.compile(re.escape(KEY[:6]).encode(), re.IGNORECASE)
    assert not [path for path in home.rglob("*") if path.is_file() and secret.search(path.read_bytes())]


def test_deferral_restart_and_the_ends_of_waits(airflow_lab, running_sandbox):
    """Seven sensors defer; the triggerer is stopped; the world changes; it is started again; all end as they must."""
    account = Account(running_sandbox)
    account.reset()
    for _ in range(4):
        account.target(filled=1)
    for id_ in (2, 3, 4):
        body = {"target_id": id_, "calls_in_progress": 1}
        account._handle("POST", "/__sandbox__/calls_in_progress", body)
    home = airflow_lab.root / "triggerer"
    env = environment(airflow_lab, home, WAITS.replace("SHORT", str(SHORT)), account)
    began = time.monotonic()
    with ExitStack() as stack:
        for component in COMPONENTS:
            stack.enter_context(component_of(component, env, home, *([QUIET] if component == "scheduler" else [])))
        with component_of("triggerer", env, home, QUIET):
            wait_for(lambda: list(states(home).values()).count("deferred") == 7, "seven deferrals", home)
            print(f"seven deferred after {time.monotonic() - began:.0f} s")
            looks = len(account.sent())
            account.fault("/calls", status=503, times=30)
            time.sleep(8)
            assert len(account.sent()) > looks
        account.clear_faults()
        asked = len(account.sent())
        account._handle("POST", "/__sandbox__/calls", {"count": 3, "fields": {"status": "completed"}})
        account.fault("/targets/2.json", status=401, times=None)
        account._handle("DELETE", "/targets/3.json")
        time.sleep(max(0.0, SHORT - (time.monotonic() - began)) + 5)
        assert len(account.sent()) == asked, "no triggerer runs"
        restarted = time.monotonic()
        with component_of("triggerer", env, home, QUIET):
            wait_for(lambda: list(states(home).values()).count("deferred") == 1, "the ends of six waits", home)
            wait_for(lambda: not {"queued", "running", "scheduled"} & set(states(home).values()), "quiet", home)
            print(f"six resumed {time.monotonic() - restarted:.0f} s after the triggerer came back")
    found = states(home)
    print(json.dumps(found))
    expected = {"met": "success", "met_too": "success", "refused": "failed", "deleted": "failed"}
    assert found == {**expected, "late": "failed", "skipped": "skipped", "given_up": "deferred"}
    values = dict(ask(home, "SELECT task_id, value FROM xcom WHERE key = 'return_value'"))
    assert {
        name: int(json.loads(value) if isinstance(value, (str, bytes)) else value) for name, value in values.items()
    } == {"met": 3, "met_too": 3}
    told = {
        name: "".join(path.read_text("utf-8", "replace") for path in home.glob(f"logs/**/task_id={name}/*"))
        for name in found
    }
    assert "API key" in told["refused"]
    assert "/targets/3.json" in told["deleted"]
    assert "timeout" in told["late"].lower()
    no_file_holds_the_key(home)


def test_an_asset_watcher_starts_runs(airflow_lab, running_sandbox):
    """Airflow 3 only. A cap at 90 % starts one run, a restarted triggerer no other, filling again one more."""
    account = Account(running_sandbox)
    account.reset()
    account.target(filled=1)
    account.target(filled=1)
    home = airflow_lab.root / "watcher"
    env = environment(airflow_lab, home, WATCHED, account)

    def results():
        rows = ask(home, "SELECT value FROM xcom WHERE key = 'return_value' ORDER BY run_id")
        return sorted(json.loads(value) for (value,) in rows)

    with ExitStack() as stack:
        for component in COMPONENTS:
            stack.enter_context(component_of(component, env, home, *([QUIET] if component == "scheduler" else [])))
        with component_of("triggerer", env, home, QUIET):
            wait_for(lambda: "GET /targets/1.json" in account.sent(), "a first look", home)
            account.fill(1, 9)
            filled = time.monotonic()
            wait_for(lambda: results() == [[1]], "a run for target 1", home)
            print(f"target 1 reached its share: its run had ended {time.monotonic() - filled:.1f} s later")
            account.fill(1, 10)
            time.sleep(5)
        account.fill(2, 9)
        looks = len(account.sent())
        with component_of("triggerer", env, home, QUIET):
            # Without a memory (before 3.3) the restarted watcher announces target 1 again, as is documented.
            second = [2] if REMEMBERS else [1, 2]
            wait_for(lambda: results() == [[1], second], "a run for target 2, which filled meanwhile", home)
            assert len(account.sent()) > looks
            account.fill(1, 0)
            time.sleep(5)
            account.fill(1, 9)
            wait_for(lambda: results() == [[1], [1], second], "a second run for target 1", home)
    ((runs,),) = ask(home, "SELECT count(*) FROM dag_run")
    assert runs == 3
    no_file_holds_the_key(home)
