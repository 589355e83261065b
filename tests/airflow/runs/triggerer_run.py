"""Deferred sensors and asset watchers under a real scheduler and triggerer: run by `make test-triggerer`.

Not part of the test suite, because it starts a complete Airflow and takes minutes. While the triggerer is stopped the
account changes: calls are added, a key is refused, a target is deleted, and timeouts pass.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from tests.airflow.runs.scheduler_run import prepare_home, query_database, run_component, wait_for
from tests.airflow.support.account import KEY, Account

LINE = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
AIRFLOW_2 = LINE < (3,)
# Since 3.3 Airflow has a store for the state of sensors and watchers, which survives restarts.
HAS_STATE_STORE = LINE >= (3, 3)

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
# Do not start the server of log files.
NO_LOG_SERVER = "--skip-serve-logs"
# Sensors defer one after the other; their timeouts must pass while no triggerer runs.
SHORT = 60


def states(home):
    """Return the states of the tasks."""
    return dict(query_database(home, "SELECT task_id, state FROM task_instance"))


def environment(lab, home, source, account):
    """Prepare a home for this version of Airflow and return the environment of its components."""
    env = prepare_home(lab, home, source, account)
    if AIRFLOW_2:
        env["AIRFLOW__CORE__EXECUTOR"] = "SequentialExecutor"
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"  # this executor starts tasks by name
    env["AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL"] = "5"
    env["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "INFO"
    # Tasks fail if the API server answers later, as on a busy machine; the default is five seconds.
    env["AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT"] = "60"
    return env


def assert_key_in_no_file(home):
    """Check that the key is in no log, database or other file."""
    secret = re.compile(re.escape(KEY[:6]).encode(), re.IGNORECASE)
    assert not [path for path in home.rglob("*") if path.is_file() and secret.search(path.read_bytes())]


def test_a_triggerer_that_shuts_down(airflow_lab, running_sandbox):
    """It ends in less time than the requests take that its sensors wait for, and the sensors stay deferred."""
    account = Account(running_sandbox)
    account.reset()
    account.targets(4)
    home = airflow_lab.root / "shutdown"
    source = WAITS.replace("SHORT", "600")
    env = environment(airflow_lab, home, source, account)
    for target in (2, 3, 4):
        account._handle("POST", "/__sandbox__/calls_in_progress", {"target_id": target, "calls_in_progress": 1})
    for target in (1, 2, 3, 4):
        account.fill(target, 1)
    with ExitStack() as stack:
        for component in COMPONENTS:
            stack.enter_context(
                run_component(component, env, home, *([NO_LOG_SERVER] if component == "scheduler" else []))
            )
        with run_component("triggerer", env, home, NO_LOG_SERVER) as process:
            wait_for(lambda: list(states(home).values()).count("deferred") == 7, "seven deferrals", home)
            account.fault("", delay=40, times=None)
            polls = len(account.sent())
            wait_for(lambda: len(account.sent()) > polls + 1, "requests that are held", home)
            started_at = time.monotonic()
            process.terminate()
            process.wait(60)
            took = time.monotonic() - started_at
            print(f"the triggerer ended {took:.1f} s after SIGTERM, while requests were held for 40 s")
        account.clear_faults()
    assert took < 20
    assert set(states(home).values()) == {"deferred"}


def test_deferred_sensors_after_a_restart(airflow_lab, running_sandbox):
    """Seven sensors defer; the account changes while the triggerer is stopped; after it they end."""
    account = Account(running_sandbox)
    account.reset()
    for _ in range(4):
        account.target(filled=1)
    for id_ in (2, 3, 4):
        body = {"target_id": id_, "calls_in_progress": 1}
        account._handle("POST", "/__sandbox__/calls_in_progress", body)
    home = airflow_lab.root / "triggerer"
    env = environment(airflow_lab, home, WAITS.replace("SHORT", str(SHORT)), account)
    started_at = time.monotonic()
    with ExitStack() as stack:
        for component in COMPONENTS:
            stack.enter_context(
                run_component(component, env, home, *([NO_LOG_SERVER] if component == "scheduler" else []))
            )
        with run_component("triggerer", env, home, NO_LOG_SERVER):
            wait_for(lambda: list(states(home).values()).count("deferred") == 7, "seven deferrals", home)
            print(f"seven deferred after {time.monotonic() - started_at:.0f} s")
            polls = len(account.sent())
            account.fault("/calls", status=503, times=30)
            time.sleep(8)
            assert len(account.sent()) > polls
        account.clear_faults()
        requests = len(account.sent())
        account._handle("POST", "/__sandbox__/calls", {"count": 3, "fields": {"status": "completed"}})
        account.fault("/targets/2.json", status=401, times=None)
        account._handle("DELETE", "/targets/3.json")
        time.sleep(max(0.0, SHORT - (time.monotonic() - started_at)) + 5)
        assert len(account.sent()) == requests, "no triggerer runs"
        restarted = time.monotonic()
        with run_component("triggerer", env, home, NO_LOG_SERVER):
            wait_for(lambda: list(states(home).values()).count("deferred") == 1, "the end of six sensors", home)
            wait_for(
                lambda: not {"queued", "running", "scheduled"} & set(states(home).values()),
                "the end of all tasks",
                home,
            )
            print(f"six resumed {time.monotonic() - restarted:.0f} s after the restart of the triggerer")
    actual = states(home)
    print(json.dumps(actual))
    expected = {"met": "success", "met_too": "success", "refused": "failed", "deleted": "failed"}
    assert actual == {**expected, "late": "failed", "skipped": "skipped", "given_up": "deferred"}
    values = dict(query_database(home, "SELECT task_id, value FROM xcom WHERE key = 'return_value'"))
    assert {
        name: int(json.loads(value) if isinstance(value, (str, bytes)) else value) for name, value in values.items()
    } == {"met": 3, "met_too": 3}
    logs = {
        name: "".join(path.read_text("utf-8", "replace") for path in home.glob(f"logs/**/task_id={name}/*"))
        for name in actual
    }
    assert "API key" in logs["refused"]
    assert "/targets/3.json" in logs["deleted"]
    assert "timeout" in logs["late"].lower()
    assert_key_in_no_file(home)


def test_an_asset_watcher_starts_runs(airflow_lab, running_sandbox):
    """Airflow 3 only: a cap at 90 % starts one run, a restart no other, filling it again another one."""
    account = Account(running_sandbox)
    account.reset()
    account.target(filled=1)
    account.target(filled=1)
    home = airflow_lab.root / "watcher"
    env = environment(airflow_lab, home, WATCHED, account)

    def results():
        rows = query_database(home, "SELECT value FROM xcom WHERE key = 'return_value' ORDER BY run_id")
        return sorted(json.loads(value) for (value,) in rows)

    with ExitStack() as stack:
        for component in COMPONENTS:
            stack.enter_context(
                run_component(component, env, home, *([NO_LOG_SERVER] if component == "scheduler" else []))
            )
        with run_component("triggerer", env, home, NO_LOG_SERVER):
            wait_for(lambda: "GET /targets/1.json" in account.sent(), "a first poll", home)
            account.fill(1, 9)
            filled = time.monotonic()
            wait_for(lambda: results() == [[1]], "a run for target 1", home)
            print(f"the run for target 1 ended {time.monotonic() - filled:.1f} s after its cap was filled")
            account.fill(1, 10)
            time.sleep(5)
        account.fill(2, 9)
        polls = len(account.sent())
        with run_component("triggerer", env, home, NO_LOG_SERVER):
            # Without a state store (before 3.3) the restarted watcher reports target 1 again, as documented.
            second = [2] if HAS_STATE_STORE else [1, 2]
            wait_for(lambda: results() == [[1], second], "a run for target 2, which filled during the restart", home)
            assert len(account.sent()) > polls
            account.fill(1, 0)
            time.sleep(5)
            account.fill(1, 9)
            wait_for(lambda: results() == [[1], [1], second], "a second run for target 1", home)
    ((runs,),) = query_database(home, "SELECT count(*) FROM dag_run")
    assert runs == 3
    assert_key_in_no_file(home)
