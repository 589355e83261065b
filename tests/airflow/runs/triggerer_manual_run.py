"""Marking and clearing deferred tasks, and rescheduled sensors, with a real scheduler: run by `make test-triggerer`.

Not part of the test suite, because it starts a complete Airflow and takes minutes. Tasks are marked and cleared by
the REST API on Airflow 3, and by the functions of its web interface and the command line on 2.11.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from urllib.request import Request, urlopen

from tests.airflow.runs.scheduler_run import query_database, run_component, wait_for
from tests.airflow.runs.triggerer_run import (
    AIRFLOW_2,
    COMPONENTS,
    HAS_STATE_STORE,
    NO_LOG_SERVER,
    assert_key_in_no_file,
    environment,
    states,
)
from tests.airflow.support.account import Account

DEFERRED = """
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.sensors.targets import RetreaverTargetIdleSensor

with DAG(
    "deferred", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False,
    default_args={"deferrable": True, "poke_interval": 1, "timeout": 3600, "retries": 0},
):
    RetreaverTargetIdleSensor(task_id="untouched", target_id=1)
    RetreaverTargetIdleSensor(task_id="failed", target_id=2)
    RetreaverTargetIdleSensor(task_id="cleared", target_id=3)
"""
RESCHEDULED = """
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor

with DAG(
    "rescheduled", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False,
    default_args={
        "mode": "reschedule", "poke_interval": 15, "timeout": 600, "retries": 2, "retry_delay": timedelta(seconds=1),
    },
):
    RetreaverCallVolumeSensor(
        task_id="met", window="1d", at_least=2, filters={"status": "completed"}STATE_PATH
    )
    RetreaverCapFilledSensor(task_id="late", target_id=1, timeout=25, soft_fail=True)
    RetreaverCapFilledSensor(task_id="failing", target_id=2, failure_budget=20STATE_PATH)
"""
# With an interval of a few seconds Airflow's local executor fails tasks as "queued".
SPAN = (("start", 10), ("end", 2))
# What the web interface of Airflow 2.11 does for "mark as failed".
MARK = """
import sys

from airflow.models import DagBag
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState

with create_session() as session:
    dag = DagBag(read_dags_from_db=True).get_dag("deferred")
    dag.set_task_instance_state(
        task_id=sys.argv[1], run_id=sys.argv[2], state=TaskInstanceState.FAILED, commit=True, session=session
    )
"""


class TaskActions:
    """Marks and clears tasks of the DAG's only run."""

    def __init__(self, home, env):
        self._home = home
        self._env = env

    def fail(self, task):
        """Mark a task as failed."""
        ((run,),) = query_database(self._home, "SELECT run_id FROM dag_run")
        if AIRFLOW_2:
            self._python("-c", MARK, task, run)
        else:
            path = f"dagRuns/{run.replace('+', '%2B')}/taskInstances/{task}"
            self._rest("PATCH", path, {"new_state": "failed"})

    def clear(self, task):
        """Clear a task."""
        if AIRFLOW_2:
            self._python("-m", "airflow", "tasks", "clear", "--yes", "--task-regex", f"^{task}$", "deferred")
        else:
            body = {"dry_run": False, "task_ids": [task], "only_failed": False, "reset_dag_runs": True}
            self._rest("POST", "clearTaskInstances", body)

    def _python(self, *arguments):
        result = subprocess.run(
            [sys.executable, *arguments], env=self._env, cwd=self._home, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr

    def _rest(self, method, path, body):
        base = f"http://127.0.0.1:{self._env['AIRFLOW__API__PORT']}"
        with urlopen(f"{base}/auth/token") as answer:
            token = json.load(answer)["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        url = f"{base}/api/v2/dags/deferred/{path}"
        with urlopen(Request(url, json.dumps(body).encode(), headers, method=method)) as answer:
            assert answer.status == 200


def test_marking_and_clearing_deferred_tasks(airflow_lab, running_sandbox):
    """A sensor marked as failed stops polling; a cleared one starts again with one trigger; others continue."""
    account = Account(running_sandbox)
    account.reset()
    for id_ in account.targets(3):
        set_calls_in_progress(account, id_, 1)
    home = airflow_lab.root / "deferred"
    env = environment(airflow_lab, home, DEFERRED, account)
    actions = TaskActions(home, env)

    def triggers(task):
        query = "SELECT t.id FROM trigger t JOIN task_instance i ON i.trigger_id = t.id WHERE i.task_id = ?"
        return query_database(home, query.replace("?", f"'{task}'"))

    def polls(id_, seconds=6.0):
        """Return how often a target was requested during some seconds."""
        before = account.sent().count(f"GET /targets/{id_}.json")
        time.sleep(seconds)
        return account.sent().count(f"GET /targets/{id_}.json") - before

    def deferred_by(task, tries):
        query = f"SELECT state, try_number FROM task_instance WHERE task_id = '{task}'"
        return query_database(home, query) == [("deferred", tries)]

    with ExitStack() as stack:
        for component in (*COMPONENTS, "triggerer"):
            quiet = [NO_LOG_SERVER] if component in ("scheduler", "triggerer") else []
            stack.enter_context(run_component(component, env, home, *quiet))
        wait_for(lambda: list(states(home).values()) == ["deferred"] * 3, "three deferrals", home)
        wait_for(lambda: all(polls(id_, 2.0) for id_ in (1, 2, 3)), "polls of the triggerer", home)
        actions.fail("failed")
        marked = time.monotonic()
        wait_for(lambda: len(query_database(home, "SELECT id FROM trigger")) == 2, "the end of a trigger", home)
        wait_for(lambda: not polls(2, 3.0), "the end of its polls", home)
        print(f"three seconds without a poll ended {time.monotonic() - marked:.0f} s after marking as failed")
        (first,) = triggers("cleared")
        actions.clear("cleared")
        wait_for(lambda: deferred_by("cleared", 2), "a second deferral", home)
        assert triggers("cleared") != [first]
        wait_for(
            lambda: len(query_database(home, "SELECT id FROM trigger")) == 2,
            "one trigger for each deferred task",
            home,
        )
        actions.fail("cleared")
        wait_for(
            lambda: len(query_database(home, "SELECT id FROM trigger")) == 1, "no trigger of the cleared one", home
        )
        wait_for(lambda: not polls(3, 3.0), "no poll of any of its triggers", home)
        assert not polls(2)
        assert not polls(3)
        assert polls(1), "the other task is still polled"
        assert states(home) == {"untouched": "deferred", "failed": "failed", "cleared": "failed"}
        actions.clear("cleared")
        wait_for(lambda: deferred_by("cleared", 3), "a third deferral", home)
        # The scheduler fails a task that resumes before the scheduler has processed the deferral.
        processed = "with state success for task instance TaskInstanceKey(dag_id='deferred', task_id='cleared'"
        wait_for(lambda: (home / "scheduler.log").read_text().count(processed) == 3, "the executor's event", home)
        set_calls_in_progress(account, 3, 0)
        wait_for(lambda: states(home)["cleared"] == "success", "the end of the cleared sensor", home)
    assert states(home) == {"untouched": "deferred", "failed": "failed", "cleared": "success"}
    assert_key_in_no_file(home)


def set_calls_in_progress(account, id_, calls):
    """Set how many calls a target has in progress."""
    account._control("POST", "calls_in_progress", {"target_id": id_, "calls_in_progress": calls})


def test_rescheduled_sensors(airflow_lab, running_sandbox):
    """Rescheduled sensors end like poking ones; each poll has a new process, and the failure budget spans them."""
    account = Account(running_sandbox)
    account.reset()
    account.targets(2, filled=1)
    account.fault("/targets/2.json", status=503, times=None)
    ago = {f"created_at_{name}": (datetime.now(UTC) - timedelta(hours=hours)).isoformat() for name, hours in SPAN}
    account._control("POST", "calls", {"count": 250, "fields": {"status": "no-answer", **ago}})
    home = airflow_lab.root / "rescheduled"
    folder = "" if HAS_STATE_STORE else f', state_path="file://{home / "state"}"'
    env = environment(airflow_lab, home, RESCHEDULED.replace("STATE_PATH", folder), account)
    # A failed poll must be short: this tests only the failure budget of the sensor.
    env["AIRFLOW_CONN_RETREAVER_DEFAULT"] = json.dumps(account.connection(extra={"max_wait": 0}))

    def pages():
        return [int(dict(entry["query"])["page"]) for entry in account.entries() if "calls" in entry["path"]]

    with ExitStack() as stack:
        for component in COMPONENTS:
            stack.enter_context(
                run_component(component, env, home, *([NO_LOG_SERVER] if component == "scheduler" else []))
            )
        wait_for(lambda: pages().count(1) >= 3, "three polls", home, timeout=300)
        account._control("POST", "calls", {"count": 2, "fields": {"status": "completed"}})
        ends = {"success", "skipped", "failed"}
        wait_for(lambda: set(states(home).values()) <= ends, "the end of all tasks", home, timeout=300)
    assert states(home) == {"met": "success", "late": "skipped", "failing": "failed"}
    # The scheduler may have retried after a wrong event of its executor; each attempt reads the window once.
    ((tries,),) = query_database(home, "SELECT try_number FROM task_instance WHERE task_id = 'met'")
    assert pages().count(2) == pages().count(3) == tries < pages().count(1)
    log = "".join(path.read_text("utf-8", "replace") for path in home.glob("logs/**/task_id=failing/*"))
    assert "all that failure_budget allows" in log
    assert_key_in_no_file(home)
