"""Tasks under a real scheduler that are killed with SIGKILL and retried: run by `make test-scheduler`.

Not part of the test suite, because it starts a complete Airflow 3.3 (scheduler, API server, DAG processor) and takes
minutes. State between the attempts is only in Airflow's task state store.
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
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.airflow.support.account import KEY, Account

SOURCE = """
import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator


def store_process_id(context):
    Path(os.environ["AIRFLOW_HOME"], "process").write_text(str(os.getpid()))


with DAG("nightly", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):
    RetreaverResetCapOperator(
        task_id="reset", target_ids=IDS, max_staleness=None, pre_execute=store_process_id,
        retries=5, retry_delay=timedelta(seconds=1),
    )
"""
TIMEOUT = 120.0


def test_killed_under_a_scheduler(airflow_lab, running_sandbox):
    """Killed twice: no reset is repeated, new calls stay counted, the result is complete, the key is in no file."""
    account = Account(running_sandbox)
    account.reset()
    ids = account.targets(30)
    home = airflow_lab.root / "scheduler"
    started_at = time.monotonic()
    refilled: set[int] = set()
    with run_airflow(airflow_lab, home, SOURCE.replace("IDS", str(ids)), account):
        for target, fault in ((ids[8], {}), (ids[25], {"cut": True})):
            account.clear_faults()
            account.fault(f"/targets/{target}/reset_cap", delay=30, **fault)
            account.fault("reset_cap", delay=0.2, times=None)
            before = len(account.sent("POST"))
            request = f"POST /targets/{target}/reset_cap.json"
            wait_for(lambda: request in account.sent("POST")[before:], f"the reset of target {target}", home)  # noqa: B023
            os.kill(int((home / "process").read_text()), signal.SIGKILL)
            for id_ in ids:
                if account.filled(id_) == 0:
                    account.fill(id_, 4)
                    refilled.add(id_)
        account.clear_faults()
        wait_for(lambda: state(home) in {"success", "failed"}, "the end of the task", home)
    print(f"from the start to the end of the third attempt: {time.monotonic() - started_at:.0f} s")
    assert state(home) == "success"
    check(account, home, ids, refilled)


STOPPED = """
import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator


def store_process_id(context):
    Path(os.environ["AIRFLOW_HOME"], "process").write_text(str(os.getpid()))


with DAG("nightly", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):
    RetreaverResetCapOperator(
        task_id="reset", only_filled=True, max_staleness=None, pre_execute=store_process_id,
        retries=5, retry_delay=timedelta(seconds=1),
    )
"""


def test_told_to_stop_under_a_scheduler(airflow_lab, running_sandbox):
    """SIGTERM and "mark failed" in the web interface end a task that waits for half a minute, before it is killed."""
    account = Account(running_sandbox)
    account.reset()
    account.targets(60)
    home = airflow_lab.root / "told-to-stop"
    with run_airflow(airflow_lab, home, STOPPED, account):
        process = wait_until_refused(account, home)
        os.kill(process, signal.SIGTERM)
        took = wait_until_ended(process, home)
        print(f"ended {took:.2f} s after SIGTERM")
        assert took < 3
        again = wait_until_refused(account, home)
        assert again != process
        mark_failed(home)
        took = wait_until_ended(again, home)
        print(f"ended {took:.2f} s after it was marked as failed, of which Airflow's heartbeat takes up to 5 s")
        assert took < 20
        wait_for(lambda: state(home) == "failed", "the end of the task", home)
    text = "".join(path.read_text("utf-8", "replace") for path in home.rglob("attempt=*.log"))
    assert text.count("The task was told to stop (SIGTERM)") >= 2
    assert account.sent("POST") == []


EXPORT = """
import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.transfers.rtb_inbounds import RetreaverRtbInboundsToObjectStorageOperator


def store_process_id(context):
    Path(os.environ["AIRFLOW_HOME"], "process").write_text(str(os.getpid()))


with DAG("nightly", schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):
    RetreaverRtbInboundsToObjectStorageOperator(
        task_id="reset", destination="FOLDER", start="2026-01-05", end="2026-01-06", poll_interval=1,
        pre_execute=store_process_id, retries=5, retry_delay=timedelta(seconds=1),
    )
"""
JOBS = "/api/v5/exports/rtb_inbounds"


def test_an_export_job_is_killed_under_a_scheduler(airflow_lab, running_sandbox):
    """Killed while it waits for its job and while it fetches the file: one job, one whole file, nothing else."""
    account = Account(running_sandbox)
    account.reset()
    span = {"created_at_start": "2026-01-05T00:00:00Z", "created_at_end": "2026-01-06T00:00:00Z"}
    account._control("POST", "rtb_inbounds", {"count": 500, "fields": span})
    account._control("POST", "exports", {"seconds": 0})
    home = airflow_lab.root / "export"
    folder = airflow_lab.root / "exported"
    steps = (
        (f"GET {JOBS}/1.json", {"delay": 30}),
        ("GET /exports/", {"delay": 30}),
    )
    source = EXPORT.replace("FOLDER", folder.as_uri())
    with run_airflow(airflow_lab, home, source, account):
        for asked, fault in steps:
            account.clear_faults()
            method, _, path = asked.partition(" ")
            account.fault(f"^{path}", method=method, **fault)
            before = len(account.sent())
            wait_for(lambda: any(one.startswith(asked) for one in account.sent()[before:]), asked, home)  # noqa: B023
            os.kill(int((home / "process").read_text()), signal.SIGKILL)
        account.clear_faults()
        wait_for(lambda: state(home) in {"success", "failed"}, "the end of the task", home)
    assert state(home) == "success"
    ((value,),) = query_database(home, "SELECT value FROM xcom WHERE key = 'return_value'")
    result = json.loads(value)
    assert (result["rows"], result["job_id"]) == (500, 1)
    assert [f"file://{path}" for path in folder.rglob("*") if path.is_file()] == [result["path"]]
    answered = [entry["status"] for entry in account.entries() if entry["method"] == "POST"]
    assert answered == [200], "one job"
    ((tries,),) = query_database(home, "SELECT try_number FROM task_instance")
    assert tries > len(steps)


def wait_until_refused(account: Account, home: Path) -> int:
    """Let later pages of the list be refused, wait until the task is told so, and return its process."""
    account.clear_faults()
    (home / "process").unlink(missing_ok=True)
    before = len(account.sent("GET"))
    account.fault("targets.json", headers={"X-Page": "first"})
    account.fault("targets.json", status=429, headers={"Retry-After": "30"}, times=None)
    wait_for(lambda: len(account.sent("GET")) > before + 1, "the pages of the list", home)
    return int((home / "process").read_text())


def wait_until_ended(process: int, home: Path) -> float:
    """Wait until a process has ended, and return the seconds that it took."""
    started_at = time.monotonic()

    def ended() -> bool:
        status = Path(f"/proc/{process}/stat")
        try:
            return status.read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_for(ended, f"the end of process {process}", home)
    return time.monotonic() - started_at


def mark_failed(home: Path) -> None:
    """Mark the task as failed as the web interface does."""
    import requests

    url = json.loads((home / "api.json").read_text())["url"]
    token = requests.get(f"{url}/auth/token", timeout=30).json()["access_token"]
    ((run_id,),) = query_database(home, "SELECT run_id FROM dag_run")
    answer = requests.patch(
        f"{url}/api/v2/dags/nightly/dagRuns/{quote(run_id, safe='')}/taskInstances/reset",
        json={"new_state": "failed"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text


def check(account: Account, home: Path, ids: list[int], refilled: set[int]) -> None:
    """Check the sandbox's log of requests, Airflow's database and the logs."""
    assert ids[8] in refilled
    assert ids[25] not in refilled
    assert {id_ for id_ in ids if account.filled(id_) == 4} == refilled
    posts = account.sent("POST")
    assert {post: posts.count(post) for post in set(posts) if posts.count(post) > 1} == {
        f"POST /targets/{ids[25]}/reset_cap.json": 2
    }
    ((tries,),) = query_database(home, "SELECT try_number FROM task_instance")
    assert tries == 3
    ((value,),) = query_database(home, "SELECT value FROM xcom WHERE key = 'return_value'")
    result = json.loads(value)
    assert sorted(row["id"] for row in result["reset"]) == ids
    assert {row["filled_before"] for row in result["reset"]} == {10}
    assert result["failed"] == result["skipped"] == []
    ((name, text),) = query_database(home, "SELECT key, value FROM task_state_store")
    assert name == "retreaver_reset_caps"
    assert len(json.loads(json.loads(text))["done"]) == len(ids)
    logs = [path for path in home.rglob("*.log") if path.is_file()]
    assert any("api_key=***" in path.read_text("utf-8", "replace") for path in logs), "the log level is not DEBUG"
    secret = re.compile(re.escape(KEY[:6]).encode(), re.IGNORECASE)
    assert not [path for path in home.rglob("*") if path.is_file() and secret.search(path.read_bytes())]


def query_database(home: Path, query: str) -> list[tuple[Any, ...]]:
    """Run a query on Airflow's database."""
    with closing(sqlite3.connect(f"file:{home / 'airflow.db'}?mode=ro", uri=True, timeout=10)) as database:
        return database.execute(query).fetchall()


def state(home: Path) -> str | None:
    """Return the state of the only task, or None before there is a run."""
    rows = query_database(home, "SELECT state FROM task_instance")
    return str(rows[0][0]) if rows else None


def wait_for(
    condition: Callable[[], bool], description: str, home: Path, timeout: float = TIMEOUT, every: float = 0.1
) -> None:
    """Wait until a condition is true; after `timeout` seconds fail with the ends of all logs."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            tails = [f"{path}:\n{end_of(path)}" for path in home.rglob("*.log")]
            raise AssertionError("\n".join([f"{description}: not within {timeout:.0f} s", *tails]))
        time.sleep(every)


def end_of(log: Path) -> str:
    """Return the end of a log, without what is only for debugging."""
    lines = log.read_text("utf-8", "replace").splitlines()
    return "\n".join(line for line in lines if "[debug" not in line and '"level":"debug"' not in line)[-4000:]


@contextmanager
def run_airflow(lab: Any, home: Path, source: str, account: Account) -> Iterator[None]:
    """Run scheduler, API server and DAG processor with one DAG for the block."""
    env = prepare_home(lab, home, source, account)
    with ExitStack() as stack:
        for component in ("api-server", "scheduler", "dag-processor"):
            stack.enter_context(run_component(component, env, home))
        yield


def prepare_home(lab: Any, home: Path, source: str, account: Account) -> dict[str, str]:
    """Create an Airflow home with one DAG and return the environment of the components."""
    env = component_environment(lab, home, account)
    shutil.copy2(lab.root / "template" / "airflow.db", home / "airflow.db")
    (home / "dags" / "nightly.py").write_text(source, encoding="utf-8")
    url = f"http://127.0.0.1:{env['AIRFLOW__API__PORT']}"
    (home / "api.json").write_text(json.dumps({"url": url}), encoding="utf-8")
    return env


def component_environment(lab: Any, home: Path, account: Account) -> dict[str, str]:
    """Create an empty Airflow home and return the environment of its components, with a free port for the API."""
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
    environment: dict[str, str] = lab.environment(home, extra)
    return environment


@contextmanager
def run_component(name: str, env: dict[str, str], home: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one component in a separate session, and end all of its processes after the block."""
    with (home / f"{name}.log").open("ab") as log:
        arguments = [sys.executable, "-m", "airflow", name, *options]
        process = subprocess.Popen(
            arguments, env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)
