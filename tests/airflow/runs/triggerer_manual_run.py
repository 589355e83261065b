"""What people do to waiting tasks, and rescheduled sensors, under a real scheduler: run by `make test-triggerer`.

Not part of the suite, since it starts a whole Airflow and takes minutes. On Airflow 3 hands are the REST API that the
web interface uses, on 2.11 the functions that its web interface calls and the command line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from urllib.request import Request, urlopen

from tests.airflow.runs.scheduler_run import ask, component_of, wait_for
from tests.airflow.runs.triggerer_run import (
    AIRFLOW_2,
    COMPONENTS,
    QUIET,
    REMEMBERS,
    environment,
    no_file_holds_the_key,
    states,
)
from tests.airflow.support.account import Account

HANDS = """
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.sensors.targets import RetreaverTargetIdleSensor

with DAG(
    "hands", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False,
    default_args={"deferrable": True, "poke_interval": 1, "timeout": 3600, "retries": 0},
):
    RetreaverTargetIdleSensor(task_id="left", target_id=1)
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
    RetreaverCapFilledSensor(task_id="rained_on", target_id=2, failure_budget=20STATE_PATH)
"""
# An interval of a few seconds is too short for Airflow's own local executor, which then fails tasks as "queued".
SPAN = (("start", 10), ("end", 2))
# What Airflow 2.11's web interface calls for "mark as failed".
MARK = """
import sys

from airflow.models import DagBag
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState

with create_session() as session:
    dag = DagBag(read_dags_from_db=True).get_dag("hands")
    dag.set_task_instance_state(
        task_id=sys.argv[1], run_id=sys.argv[2], state=TaskInstanceState.FAILED, commit=True, session=session
    )
"""


class Hands:
    """Somebody who marks and clears tasks of the DAG's only run."""

    def __init__(self, home, env):
        self._home = home
        self._env = env

    def fail(self, task):
        """Mark a task as failed."""
        ((run,),) = ask(self._home, "SELECT run_id FROM dag_run")
        if AIRFLOW_2:
            self._python("-c", MARK, task, run)
        else:
            path = f"dagRuns/{run.replace('+', '%2B')}/taskInstances/{task}"
            self._rest("PATCH", path, {"new_state": "failed"})

    def clear(self, task):
        """Clear a task."""
        if AIRFLOW_2:
            self._python("-m", "airflow", "tasks", "clear", "--yes", "--task-regex", f"^{task}$", "hands")
        else:
            wanted = {"dry_run": False, "task_ids": [task], "only_failed": False, "reset_dag_runs": True}
            self._rest("POST", "clearTaskInstances", wanted)

    def _python(self, *arguments):
        done = subprocess.run(
            [sys.executable, *arguments], env=self._env, cwd=self._home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _rest(self, method, path, body):
        base = f"http://127.0.0.1:{self._env['AIRFLOW__API__PORT']}"
        with urlopen(f"{base}/auth/token") as answer:
            token = json.load(answer)["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        url = f"{base}/api/v2/dags/hands/{path}"
        with urlopen(Request(url, json.dumps(body).encode(), headers, method=method)) as answer:
            assert answer.status == 200


def test_marking_and_clearing_deferred_tasks(airflow_lab, running_sandbox):
    """Marked as failed, a wait ends and asks no more; cleared, it begins anew with one trigger; others wait on."""
    account = Account(running_sandbox)
    account.reset()
    for id_ in account.targets(3):
        busy(account, id_, 1)
    home = airflow_lab.root / "hands"
    env = environment(airflow_lab, home, HANDS, account)
    hands = Hands(home, env)

    def triggers(task):
        query = "SELECT t.id FROM trigger t JOIN task_instance i ON i.trigger_id = t.id WHERE i.task_id = ?"
        return ask(home, query.replace("?", f"'{task}'"))

    def asked(id_, seconds=6.0):
        """Return how often a target was asked for while some seconds passed."""
        before = account.sent().count(f"GET /targets/{id_}.json")
        time.sleep(seconds)
        return account.sent().count(f"GET /targets/{id_}.json") - before

    def deferred_by(task, tries):
        query = f"SELECT state, try_number FROM task_instance WHERE task_id = '{task}'"
        return ask(home, query) == [("deferred", tries)]

    with ExitStack() as stack:
        for component in (*COMPONENTS, "triggerer"):
            quiet = [QUIET] if component in ("scheduler", "triggerer") else []
            stack.enter_context(component_of(component, env, home, *quiet))
        wait_for(lambda: list(states(home).values()) == ["deferred"] * 3, "three deferrals", home)
        wait_for(lambda: all(asked(id_, 2.0) for id_ in (1, 2, 3)), "looks of the triggerer", home)
        hands.fail("failed")
        marked = time.monotonic()
        wait_for(lambda: len(ask(home, "SELECT id FROM trigger")) == 2, "the end of a trigger", home)
        wait_for(lambda: not asked(2, 3.0), "the end of its looks", home)
        print(f"marked as failed: three seconds without a look had passed {time.monotonic() - marked:.0f} s later")
        (first,) = triggers("cleared")
        hands.clear("cleared")
        wait_for(lambda: deferred_by("cleared", 2), "a second deferral", home)
        assert triggers("cleared") != [first]
        wait_for(lambda: len(ask(home, "SELECT id FROM trigger")) == 2, "one trigger for each that waits", home)
        hands.fail("cleared")
        wait_for(lambda: len(ask(home, "SELECT id FROM trigger")) == 1, "no trigger of the cleared one", home)
        wait_for(lambda: not asked(3, 3.0), "no look of any of its triggers", home)
        assert not asked(2)
        assert not asked(3)
        assert asked(1), "the task that nobody touched waits on"
        assert states(home) == {"left": "deferred", "failed": "failed", "cleared": "failed"}
        hands.clear("cleared")
        wait_for(lambda: deferred_by("cleared", 3), "a third deferral", home)
        # The scheduler takes a task that goes on before it has heard of the deferral for one that failed.
        heard = "with state success for task instance TaskInstanceKey(dag_id='hands', task_id='cleared'"
        wait_for(lambda: (home / "scheduler.log").read_text().count(heard) == 3, "the executor's words", home)
        busy(account, 3, 0)
        wait_for(lambda: states(home)["cleared"] == "success", "the end of the cleared wait", home)
    assert states(home) == {"left": "deferred", "failed": "failed", "cleared": "success"}
    no_file_holds_the_key(home)


def busy(account, id_, calls):
    """Let a target have so many calls in progress."""
    account._control("POST", "calls_in_progress", {"target_id": id_, "calls_in_progress": calls})


def test_rescheduled_sensors(airflow_lab, running_sandbox):
    """Rescheduled sensors end as poked ones, each look in a process of its own, and know since when it rains."""
    account = Account(running_sandbox)
    account.reset()
    account.targets(2, filled=1)
    account.fault("/targets/2.json", status=503, times=None)
    ago = {f"created_at_{name}": (datetime.now(UTC) - timedelta(hours=hours)).isoformat() for name, hours in SPAN}
    account._control("POST", "calls", {"count": 250, "fields": {"status": "no-answer", **ago}})
    home = airflow_lab.root / "rescheduled"
    folder = "" if REMEMBERS else f', state_path="file://{home / "state"}"'
    env = environment(airflow_lab, home, RESCHEDULED.replace("STATE_PATH", folder), account)
    # A look in bad weather is to be short: only the budget of the sensor is of interest here.
    env["AIRFLOW_CONN_RETREAVER_DEFAULT"] = json.dumps(account.connection(extra={"max_wait": 0}))

    def pages():
        return [int(dict(one["query"])["page"]) for one in account.entries() if "calls" in one["path"]]

    with ExitStack() as stack:
        for component in COMPONENTS:
            stack.enter_context(component_of(component, env, home, *([QUIET] if component == "scheduler" else [])))
        wait_for(lambda: pages().count(1) >= 3, "three looks", home, patience=300)
        account._control("POST", "calls", {"count": 2, "fields": {"status": "completed"}})
        ends = {"success", "skipped", "failed"}
        wait_for(lambda: set(states(home).values()) <= ends, "the ends", home, patience=300)
    assert states(home) == {"met": "success", "late": "skipped", "rained_on": "failed"}
    # The scheduler may have tried again what its executor told it wrongly; each attempt reads the window once.
    ((tries,),) = ask(home, "SELECT try_number FROM task_instance WHERE task_id = 'met'")
    assert pages().count(2) == pages().count(3) == tries < pages().count(1)
    told = "".join(path.read_text("utf-8", "replace") for path in home.glob("logs/**/task_id=rained_on/*"))
    assert "all that failure_budget allows" in told
    no_file_holds_the_key(home)
