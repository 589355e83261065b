"""Tasks with an `execution_timeout` of three seconds in a real Airflow, while Retreaver keeps them waiting."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from tests.airflow.support.call_tables import add_calls

pytestmark = pytest.mark.airflow

# Seconds within which a task ends on the busiest machine; a wait that nothing ended would take minutes.
IN_TIME = 40

SOURCE = """
import os
import signal
import threading
import time
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator
from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator
from airflow_provider_retreaver.transfers.calls import (
    RetreaverCallsToObjectStorageOperator,
    RetreaverCallsToSqlOperator,
)


started = []


def note_start(context):
    started.append(time.monotonic())


def show_end(context):
    print("ENDED AFTER:", time.monotonic() - started[-1], flush=True)
    names = [thread.name for thread in threading.enumerate()]
    print("THREADS LEFT:", [name for name in names if name.startswith("retreaver")], flush=True)


def note_start_and_send_sigterm(context):
    note_start(context)
    threading.Timer(3, os.kill, (os.getpid(), signal.SIGTERM)).start()


common = {
    "execution_timeout": timedelta(seconds=LIMIT), "retries": 0,
    "pre_execute": START, "on_failure_callback": show_end,
}

with DAG("stopped", schedule=None, start_date=datetime(2026, 1, 1)):
    TASK
"""
RESET = 'RetreaverResetCapOperator(task_id="task", only_filled=True, max_staleness=None, **common)'
SYNC = """RetreaverSuppressionSyncOperator(
        task_id="task", mode="add", can_resubscribe=False, numbers=[f"+1919555{n:04}" for n in range(40)],
        state_path="STATE", **common,
    )"""
EXPORT = """RetreaverCallsToObjectStorageOperator(
        task_id="task", destination="STATE", start="2026-01-05T00:00:00Z", end="2026-01-06T00:00:00Z", **common,
    )"""
LOAD = """RetreaverCallsToSqlOperator(
        task_id="task", sql_conn_id="warehouse", table="calls", start="2026-01-05T00:00:00Z",
        end="2026-01-06T00:00:00Z", mapping={"id": "uuid", "changed": "updated_at"}, **common,
    )"""
# A table that takes no call in less than an age.
SLOW_TABLE = """
CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, changed TIMESTAMP);
CREATE VIEW endless AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c;
CREATE TRIGGER slow AFTER INSERT ON calls BEGIN SELECT count(*) FROM endless; END;
"""
# A page of the list comes at once; the others, and every other read, do not.
FIRST = {"path": "targets.json", "headers": {"X-Page": "first"}}
CASES = {
    "reset, later pages refused": (
        RESET,
        [FIRST, {"method": "GET", "status": 429, "headers": {"Retry-After": "240"}}],
    ),
    "reset, later pages held": (RESET, [FIRST, {"method": "GET", "delay": 240}]),
    "sync, its writes refused": (SYNC, [{"method": "POST", "status": 429, "headers": {"Retry-After": "240"}}]),
    "export, pages held": (EXPORT, [{"path": "calls.json", "delay": 240}]),
}


def run(airflow_lab, account, task, limit=3, start="note_start", **connections):
    """Run a DAG of one task, with a timeout of some seconds and a function that is called before it."""
    return airflow_lab.run_dag(
        SOURCE.replace("TASK", task).replace("LIMIT", str(limit)).replace("START", start),
        connections={
            "retreaver_default": account.connection(extra={"max_wait": 1000, "timeout": 240}),
            **connections,
        },
    )


@pytest.mark.parametrize("case", CASES)
def test_a_task_ends_with_its_timeout(airflow_lab, account, tmp_path, case):
    """It ends within about a second of the timeout, is failed, and leaves no thread."""
    task, faults = CASES[case]
    account.targets(60)
    for fault in faults:
        once = fault is FIRST
        account.fault(**{"path": "", **fault, "times": 1 if once else None})
    result = run(airflow_lab, account, task.replace("STATE", tmp_path.as_uri()))
    assert result.states == {"task": "failed"}, result.output
    assert "AirflowTaskTimeout" in result.output
    assert "THREADS LEFT: []" in result.output, result.output
    seconds = float(result.output.partition("ENDED AFTER: ")[2].partition("\n")[0])
    print(f"{case}: {seconds:.2f} s with execution_timeout=3")
    assert 3 <= seconds < IN_TIME


def test_a_statement_ends_with_the_timeout(airflow_lab, account, tmp_path):
    """A table that does not return holds no task, and what was not committed is rolled back."""
    add_calls(account, 10)
    file = tmp_path / "warehouse.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(SLOW_TABLE)
    warehouse = {"conn_type": "sqlite", "host": str(file)}
    result = run(airflow_lab, account, LOAD, limit=6, warehouse=warehouse)
    assert result.states == {"task": "failed"}, result.output
    assert "AirflowTaskTimeout" in result.output
    assert "its statement was ended, and its transaction rolled back" in result.output, result.output
    assert "THREADS LEFT: []" in result.output, result.output
    seconds = float(result.output.partition("ENDED AFTER: ")[2].partition("\n")[0])
    print(f"{seconds:.2f} s with execution_timeout=6")
    assert 6 <= seconds < IN_TIME
    with closing(sqlite3.connect(file, timeout=0)) as database:
        assert database.execute("SELECT count(*) FROM calls").fetchone() == (0,)


def test_what_was_done_is_noted(airflow_lab, account):
    """Resets that were answered are in the result that a stopped task has pushed, no other is sent."""
    ids = account.targets(100)
    # Ten seconds in total; what was sent is answered within the second that a task has for that.
    account.fault("reset_cap", delay=0.4, times=None)
    result = run(airflow_lab, account, RESET, limit=6)
    assert result.states == {"task": "failed"}, result.output
    pushed = result.xcoms["task"]["return_value"]
    done = {row["id"] for row in pushed["reset"]}
    assert done == {id_ for id_ in ids if account.filled(id_) == 0}
    assert len(account.sent("POST")) == len(done)
    assert 0 < len(done) < 100


def test_sigterm(airflow_lab, account):
    """A task that gets SIGTERM, as when it is marked as failed, ends likewise, on both lines of Airflow."""
    account.targets(60)
    account.fault("targets.json", headers={"X-Page": "first"})
    account.fault("", method="GET", status=429, headers={"Retry-After": "240"}, times=None)
    result = run(airflow_lab, account, RESET, limit=100, start="note_start_and_send_sigterm")
    assert result.states == {"task": "failed"}, result.output
    assert "TaskStopped" in result.output or "AirflowTaskTerminated" in result.output
    assert "THREADS LEFT: []" in result.output, result.output
    seconds = float(result.output.partition("ENDED AFTER: ")[2].partition("\n")[0])
    print(f"{seconds:.2f} s with SIGTERM after three")
    assert 3 <= seconds < IN_TIME


# Functions that use a hook, each of which is stopped by SIGTERM after a second.
FUNCTIONS = """
import asyncio
import os
import signal
import threading
import time
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.hooks.retreaver import RetreaverAsyncHook, RetreaverHook
from airflow_provider_retreaver.resources.targets import get_target, list_targets

LISTING, TARGET = list_targets(), get_target(id=1)


async def each(rows):
    return [row async for row in rows]


async def with_hook(use):
    async with RetreaverAsyncHook() as hook:
        return await use(hook)


async def with_client(use):
    async with RetreaverAsyncHook() as hook:
        return await use(await hook.get_conn())


def ahead(hook):
    operations = iter([TARGET] * 3)
    with hook.reading() as client:
        return list(client.ahead(lambda: next(operations, None)))


def read(hook):
    with hook.reading() as client:
        return client.run(TARGET)


WORKS = {
    "run": lambda hook: hook.run(LISTING),
    "iterate": lambda hook: list(hook.iterate(LISTING)),
    "count": lambda hook: hook.count(LISTING),
    "client_run": lambda hook: hook.get_conn().run(TARGET),
    "client_iterate": lambda hook: list(hook.get_conn().iterate(LISTING)),
    "client_pages": lambda hook: list(hook.get_conn().pages(LISTING)),
    "client_count": lambda hook: hook.get_conn().count(LISTING),
    "reading_run": read,
    "reading_ahead": ahead,
    "async_run": lambda _: asyncio.run(with_hook(lambda hook: hook.run(LISTING))),
    "async_iterate": lambda _: asyncio.run(with_hook(lambda hook: each(hook.iterate(LISTING)))),
    "async_count": lambda _: asyncio.run(with_hook(lambda hook: hook.count(LISTING))),
    "async_client_run": lambda _: asyncio.run(with_client(lambda client: client.run(TARGET))),
    "async_client_iterate": lambda _: asyncio.run(with_client(lambda client: each(client.iterate(LISTING)))),
    "async_client_pages": lambda _: asyncio.run(with_client(lambda client: each(client.pages(LISTING)))),
}

with DAG("functions", schedule=None, start_date=datetime(2026, 1, 1)):

    @task
    def function(name):
        with RetreaverHook() as hook:
            threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()
            started = time.monotonic()
            try:
                WORKS[name](hook)
            except BaseException as error:
                took = time.monotonic() - started
                print(f"ENDED {name}: {took} {type(error).__name__}", flush=True)
                raise

    for name in NAMES or WORKS:
        function.override(task_id=name)(name)
"""


def test_a_function_that_uses_a_hook_ends(airflow_lab, account):
    """`@task` functions that get SIGTERM end at once, in a wait of the policy or in a request, however they call."""
    account.targets(10)
    account.fault("/targets.json", times=None, delay=240)
    account.fault("/targets/1.json", times=None, status=429, headers={"Retry-After": "240"})
    # Airflow 2.11 raises an exception of its own, which also ends the run of several tasks in one process.
    names = () if AIRFLOW_V_3_0_PLUS else ("client_run",)
    result = airflow_lab.run_dag(
        FUNCTIONS.replace("NAMES", repr(names)),
        connections={"retreaver_default": account.connection(extra={"max_wait": 1000, "timeout": 240})},
        retries=False,
    )
    ended = dict(re.findall(r"ENDED (\w+): (.*)", result.output))
    assert set(result.states.values()) == {"failed"}, result.output
    assert ended.keys() == result.states.keys(), result.output
    for name, text in ended.items():
        seconds, error = text.split()
        print(f"{name}: {float(seconds):.2f} s with SIGTERM after one")
        assert error in {"TaskStopped", "AirflowTaskTerminated"}
        assert 0.9 <= float(seconds) < IN_TIME
