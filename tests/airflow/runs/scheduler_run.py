"""A task under a real scheduler, killed with SIGKILL in the middle and retried: run by `make test-scheduler`.

Not part of the suite, since it starts a whole Airflow 3.3 (scheduler, API server, DAG processor) and takes about a
minute. Airflow's own task state store is the only memory between the attempts here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from tests.airflow.support.account import KEY, Account

SOURCE = """
import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator


def note_process(context):
    Path(os.environ["AIRFLOW_HOME"], "process").write_text(str(os.getpid()))


with DAG("nightly", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):
    RetreaverResetCapOperator(
        task_id="reset", target_ids=IDS, max_staleness=None, pre_execute=note_process,
        retries=5, retry_delay=timedelta(seconds=1),
    )
"""
PATIENCE = 120.0


def test_killed_under_a_scheduler(airflow_lab, running_sandbox):
    """Killed twice in the middle: no reset is repeated, new calls survive, the result is whole, no key shows."""
    account = Account(running_sandbox)
    account.reset()
    ids = account.targets(30)
    home = airflow_lab.root / "scheduler"
    began = time.monotonic()
    kept: set[int] = set()
    with a_whole_airflow(airflow_lab, home, SOURCE.replace("IDS", str(ids)), account):
        for target, fault in ((ids[8], {}), (ids[25], {"cut": True})):
            account.clear_faults()
            account.fault(f"/targets/{target}/reset_cap", delay=30, **fault)
            account.fault("reset_cap", delay=0.2, times=None)
            before = len(account.sent("POST"))
            asked = f"POST /targets/{target}/reset_cap.json"
            wait_for(lambda: asked in account.sent("POST")[before:], f"the reset of target {target}", home)  # noqa: B023
            os.kill(int((home / "process").read_text()), signal.SIGKILL)
            for id_ in ids:
                if account.filled(id_) == 0:
                    account.fill(id_, 4)
                    kept.add(id_)
        account.clear_faults()
        wait_for(lambda: state(home) in {"success", "failed"}, "the end of the task", home)
    print(f"from nothing to the end of the third attempt: {time.monotonic() - began:.0f} s")
    assert state(home) == "success"
    check(account, home, ids, kept)


def check(account: Account, home: Path, ids: list[int], kept: set[int]) -> None:
    """Compare what the vendor saw, what Airflow holds and what is in the logs with what was promised."""
    assert ids[8] in kept
    assert ids[25] not in kept
    assert {id_ for id_ in ids if account.filled(id_) == 4} == kept
    posts = account.sent("POST")
    assert {one: posts.count(one) for one in set(posts) if posts.count(one) > 1} == {
        f"POST /targets/{ids[25]}/reset_cap.json": 2
    }
    ((tries,),) = ask(home, "SELECT try_number FROM task_instance")
    assert tries == 3
    ((value,),) = ask(home, "SELECT value FROM xcom WHERE key = 'return_value'")
    result = json.loads(value)
    assert sorted(row["id"] for row in result["reset"]) == ids
    assert {row["filled_before"] for row in result["reset"]} == {10}
    assert result["failed"] == result["skipped"] == []
    ((name, text),) = ask(home, "SELECT key, value FROM task_state_store")
    assert name == "retreaver_reset_caps"
    assert len(json.loads(json.loads(text))["done"]) == len(ids)
    logs = [path for path in home.rglob("*.log") if path.is_file()]
    assert any("api_key=***" in path.read_text("utf-8", "replace") for path in logs), "DEBUG was not on"
    secret = re.compile(re.escape(KEY[:6]).encode(), re.IGNORECASE)
    assert not [path for path in home.rglob("*") if path.is_file() and secret.search(path.read_bytes())]


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask Airflow's database."""
    with closing(sqlite3.connect(f"file:{home / 'airflow.db'}?mode=ro", uri=True, timeout=10)) as database:
        return database.execute(query).fetchall()


def state(home: Path) -> str | None:
    """Return the state of the only task, None before there is a run."""
    rows = ask(home, "SELECT state FROM task_instance")
    return str(rows[0][0]) if rows else None


def wait_for(happened: Callable[[], bool], what: str, home: Path, patience: float = PATIENCE) -> None:
    """Wait until something has happened; fail with the ends of all logs when it does not in `patience` seconds."""
    until = time.monotonic() + patience
    while not happened():
        if time.monotonic() > until:
            tails = [f"{path}:\n{path.read_text('utf-8', 'replace')[-2000:]}" for path in home.rglob("*.log")]
            raise AssertionError("\n".join([f"{what} did not come in {patience:.0f} s", *tails]))
        time.sleep(0.1)


@contextmanager
def a_whole_airflow(lab: Any, home: Path, source: str, account: Account) -> Iterator[None]:
    """Run scheduler, API server and DAG processor with one DAG until the block ends."""
    env = prepared(lab, home, source, account)
    with ExitStack() as stack:
        for component in ("api-server", "scheduler", "dag-processor"):
            stack.enter_context(component_of(component, env, home))
        yield


def prepared(lab: Any, home: Path, source: str, account: Account) -> dict[str, str]:
    """Make a home with one DAG and return the environment of the components."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    extra = {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": "for-this-run-only",
        "AIRFLOW__API_AUTH__JWT_SECRET": "for-this-run-only-but-of-some-length",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps(account.connection()),
    }
    env = lab.environment(home, extra)
    shutil.copy2(lab.root / "template" / "airflow.db", home / "airflow.db")
    (home / "dags" / "nightly.py").write_text(source, encoding="utf-8")
    return env


@contextmanager
def component_of(name: str, env: dict[str, str], home: Path, *options: str) -> Iterator[None]:
    """Run one component in a session of its own, and end all of its processes."""
    with (home / f"{name}.log").open("ab") as log:
        arguments = [sys.executable, "-m", "airflow", name, *options]
        process = subprocess.Popen(
            arguments, env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)
