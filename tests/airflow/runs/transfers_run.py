"""The example DAGs of exports under a real scheduler with several workers: run by `make test-transfers`.

Not part of the test suite, because it starts a complete Airflow 3.3 three times and takes minutes. The DAG files are
those of `example_dags/`; only the destination of the scheduled one is changed. `make test-transfers EVERY=1d` splits
the year into 365 mapped tasks instead of 53.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from airflow_provider_retreaver.windows import split_window
from tests.airflow.runs.scheduler_run import TIMEOUT, prepare_home, query_database, run_component, wait_for
from tests.airflow.support.account import KEY, Account
from tests.airflow.support.exports import contents, export, manifest_of, rows_of
from tests.airflow.support.postgres import private_cluster
from tests.paths import EXAMPLE_DAGS

EVERY = os.environ.get("EVERY", "7d")
CALLS = 20_000
# Small, so that a task takes several requests.
PER_PAGE = 20
SLOTS = 2
# More than the slots of the pool, so that the pool limits the tasks.
WORKERS = 4
YEAR = ("2025-01-01T00:00:00-05:00", "2026-01-01T00:00:00-05:00")
ENDED = {"success", "failed"}


@pytest.fixture
def account(running_sandbox):
    """Return an empty account."""
    account = Account(running_sandbox)
    account.reset()
    return account


class RunningAirflow:
    """A complete Airflow with one of the example DAGs."""

    def __init__(self, home: Path, env: dict[str, str], dag_id: str) -> None:
        self.home, self.env, self.dag_id = home, env, dag_id

    def command(self, *arguments: str) -> None:
        """Run a command of Airflow."""
        command = [sys.executable, "-m", "airflow", *arguments]
        result = subprocess.run(command, env=self.env, cwd=self.home, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr

    def trigger(self, **conf: str | int) -> str:
        """Trigger a run as the web interface does and return its ID."""
        url = f"http://127.0.0.1:{self.env['AIRFLOW__API__PORT']}/api/v2/dags/{self.dag_id}/dagRuns"
        body = json.dumps({"logical_date": None, "conf": conf}).encode()
        with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=60) as answer:
            return str(json.load(answer)["dag_run_id"])

    def runs(self) -> dict[str, str]:
        """Return the states of the runs by ID, in the order of their starts."""
        return dict(query_database(self.home, "SELECT run_id, state FROM dag_run ORDER BY start_date, id"))

    def wait_until_ended(self, count: int, timeout: float = TIMEOUT) -> None:
        """Wait until `count` runs have ended, and check that all succeeded."""

        def ended() -> bool:
            states = list(self.runs().values())
            return "failed" in states or (len(states) == count and set(states) <= ENDED)

        wait_for(ended, f"the end of {count} runs", self.home, timeout)
        assert set(self.runs().values()) == {"success"}, self.runs()

    def listens(self) -> bool:
        """Return whether the API server accepts connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.env["AIRFLOW__API__PORT"]))) == 0

    def states(self, task_id: str) -> list[str | None]:
        """Return the states of a task's instances, the mapped ones in order."""
        query = f"SELECT state FROM task_instance WHERE task_id = '{task_id}' AND map_index >= 0 ORDER BY map_index"
        return [state for (state,) in query_database(self.home, query)]

    def results(self, task_id: str) -> list[dict]:
        """Return the results of a task's instances, in order of run and map index."""
        rows = query_database(
            self.home,
            "SELECT x.value FROM xcom x JOIN dag_run r ON r.id = x.dag_run_id WHERE x.key = 'return_value' "
            f"AND x.task_id = '{task_id}' ORDER BY r.start_date, r.id, x.map_index",
        )
        return [json.loads(value) for (value,) in rows]

    def max_concurrency(self, task_id: str) -> int:
        """Return how many attempts of a task ran at the same time at most, by the times in the database."""
        columns = f"SELECT start_date, end_date FROM {{}} WHERE task_id = '{task_id}' AND start_date IS NOT NULL"
        tries = [
            *query_database(self.home, columns.format("task_instance")),
            *query_database(self.home, columns.format("task_instance_history")),
        ]
        changes = sorted([(start, 1) for start, _ in tries] + [(end, -1) for _, end in tries])
        count = highest = 0
        for _, step in changes:
            count += step
            highest = max(highest, count)
        assert count == 0
        return highest

    def logs(self, pattern: str) -> str:
        """Return the text of the logs with a matching path."""
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self.home.glob(pattern)))

    def hides_key(self) -> bool:
        """Return whether the key is in no file, including the database."""
        secret = re.compile(re.escape(KEY[:6]).encode(), re.IGNORECASE)
        return not [path for path in self.home.rglob("*") if path.is_file() and secret.search(path.read_bytes())]


@contextmanager
def airflow_with(lab, account, source, **connections):
    """Run scheduler, API server and DAG processor with one DAG, which is not paused."""
    dag_id = re.search(r'dag_id="(\w+)"', source)[1]
    home = lab.root / dag_id
    env = prepare_home(lab, home, source, account)
    env["AIRFLOW_CONN_RETREAVER_DEFAULT"] = json.dumps(account.connection(extra={"per_page": PER_PAGE}))
    env |= {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()}
    env |= {
        "AIRFLOW__CORE__PARALLELISM": str(WORKERS),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    }
    airflow = RunningAirflow(home, env, dag_id)
    dag_query = f"SELECT 1 FROM dag WHERE dag_id = '{dag_id}' AND NOT is_stale"
    with ExitStack() as stack:
        # First the API server: a task that starts before it listens would fail and wait for its retry.
        stack.enter_context(run_component("api-server", env, home))
        wait_for(airflow.listens, "the API server", home)
        stack.enter_context(run_component("scheduler", env, home, "--skip-serve-logs"))
        stack.enter_context(run_component("dag-processor", env, home))
        wait_for(lambda: query_database(home, dag_query) != [], "the DAG", home)
        yield airflow


def add_calls(account, count, start, end):
    """Add calls spread evenly over a span of the past and return their UUIDs."""
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    uuids: list[str] = []
    while len(uuids) < count:
        # The sandbox returns the UUIDs of at most a thousand calls.
        upto = min(count, len(uuids) + 1_000)
        cuts = [(first + (last - first) * (number / count)).isoformat() for number in (len(uuids), upto)]
        fields = {"created_at_start": cuts[0], "created_at_end": cuts[1], "status": "finished"}
        added = account._control("POST", "calls", {"count": upto - len(uuids), "fields": fields})
        uuids += added["uuids"]
    return uuids


def kill_one(airflow, account, parts):
    """Kill a mapped task with SIGKILL while it waits for a page after its first, and return its map index."""
    account.fault("/calls", delay=2, times=None)
    before = account._log()[-1]["n"]

    def later_pages() -> list[dict[str, str]]:
        later = [dict(entry["query"]) for entry in account._log() if entry["n"] > before]
        return [query for query in later if int(query.get("page", 1)) > 1]

    wait_for(lambda: later_pages() != [], "a request of a later page", airflow.home)
    query = later_pages()[-1]
    start = datetime.fromisoformat(query["created_at_start"])
    number = next(
        number for number, part in enumerate(parts)
        if datetime.fromisoformat(part["start"]) <= start < datetime.fromisoformat(part["end"])
    )  # fmt: skip
    sql = f"SELECT pid FROM task_instance WHERE map_index = {number} AND state = 'running'"
    ((process,),) = query_database(airflow.home, sql)
    os.kill(process, signal.SIGKILL)
    account.clear_faults()
    return number


def test_a_year_as_mapped_tasks_limited_by_a_pool(airflow_lab, account, tmp_path, monkeypatch):
    """No task runs without the pool, and never more than its slots; one is killed; each call is exported once."""
    expected = add_calls(account, CALLS, *YEAR)
    add_calls(account, 50, "2024-12-31T00:00:00-05:00", YEAR[0])
    add_calls(account, 50, YEAR[1], "2026-01-02T00:00:00-05:00")
    folder = tmp_path / "exports"
    parts = split_window(*YEAR, EVERY)
    source = (EXAMPLE_DAGS / "retreaver_calls_backfill_year.py").read_text()
    with airflow_with(airflow_lab, account, source) as airflow:
        airflow.trigger(year=2025, every=EVERY, destination=folder.as_uri())
        wait_for(lambda: airflow.states("export_week") == ["scheduled"] * len(parts), "all parts", airflow.home)
        warning = "non-existent pool 'retreaver'"
        wait_for(lambda: warning in airflow.logs("scheduler.log"), "the scheduler's warning", airflow.home)
        assert airflow.states("export_week") == ["scheduled"] * len(parts)
        airflow.command("pools", "set", "retreaver", str(SLOTS), "requests to Retreaver")
        started_at = time.monotonic()
        wait_for(lambda: airflow.states("export_week").count("success") >= 3, "the first parts", airflow.home)
        killed = kill_one(airflow, account, parts)
        airflow.wait_until_ended(1, timeout=300 + 15 * len(parts))
        print(f"{len(parts)} mapped tasks, {CALLS} calls, pool of {SLOTS}: {time.monotonic() - started_at:.0f} s")
    assert airflow.states("export_week") == ["success"] * len(parts)
    check_tries(airflow, killed)
    assert airflow.max_concurrency("export_week") == SLOTS
    results = airflow.results("export_week")
    manifests = [manifest_of(result) for result in results]
    assert all(manifest["complete"] for manifest in manifests)
    assert len({manifest["export"] for manifest in manifests}) == len(parts)
    assert sum(manifest["counted"] for manifest in manifests) == CALLS
    assert sorted(row["uuid"] for result in results for row in rows_of(result)) == sorted(expected)
    assert not list(folder.glob("_temporary/**/*.*"))
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection()))
    undisturbed = export(destination=(tmp_path / "undisturbed").as_uri(), compression="gzip", **parts[killed])
    assert contents(results[killed]) == contents(undisturbed)
    assert airflow.hides_key()


def check_tries(airflow, killed):
    """Check that only the killed task had a second attempt, after a failed first one."""
    tries = dict(
        query_database(airflow.home, "SELECT map_index, try_number FROM task_instance WHERE task_id = 'export_week'")
    )
    assert {number: count for number, count in tries.items() if count != 1} == {killed: 2}
    before = query_database(
        airflow.home, "SELECT map_index, try_number FROM task_instance_history WHERE task_id = 'export_week'"
    )
    assert before == [(killed, 1)]


def newest_rows(results):
    """Return the newest row of each UUID in all files, as a reader of an incremental export does."""
    rows = {}
    for result in results:
        for row in rows_of(result) if result["manifest"] else []:
            previous = rows.get(row["uuid"])
            if previous is None or previous["updated_at"] <= row["updated_at"]:
                rows[row["uuid"]] = row
    return rows


def test_incremental_runs_by_schedule_and_by_hand(airflow_lab, account, tmp_path):
    """Calls updated between runs are in the next run's files; restated revenue adds up; runs do not overlap."""
    now = datetime.now(UTC)
    uuids = add_calls(account, 3_000, (now - timedelta(days=3)).isoformat(), (now - timedelta(hours=1)).isoformat())
    folder = tmp_path / "exports"
    source = (EXAMPLE_DAGS / "retreaver_calls_incremental.py").read_text()
    source = source.replace("file:///opt/airflow/retreaver", folder.as_uri())
    with airflow_with(airflow_lab, account, source) as airflow:
        # The previous interval is due, so that its run is scheduled. Another run may be scheduled during this test.
        wait_for(lambda: airflow.results("report") != [], "the scheduled run", airflow.home)
        assert next(iter(airflow.runs())).startswith("scheduled__")
        before = newest_rows(airflow.results("export_updated"))
        assert sorted(before) == sorted(uuids)
        for revenue, changed in ((11.5, uuids[:40]), (23, uuids[20:60])):
            for uuid in changed:
                account._control("POST", f"calls/{uuid}", {"fields": {"revenue": revenue}})
            uuids += add_calls(account, 5, now.isoformat(), datetime.now(UTC).isoformat())
            runs = {airflow.trigger(), airflow.trigger()}
            wait_for(lambda: {airflow.runs().get(run) for run in runs} <= ENDED, "two runs", airflow.home)  # noqa: B023
        airflow.trigger()
        wait_for(lambda: set(airflow.runs().values()) <= ENDED, "all runs", airflow.home)
    assert set(airflow.runs().values()) == {"success"}
    assert airflow.max_concurrency("export_updated") == 1
    results = airflow.results("export_updated")
    rows = newest_rows(results)
    assert sorted(rows) == sorted(uuids)
    assert {Decimal(str(rows[uuid]["revenue"])) for uuid in uuids[:20]} == {Decimal("11.5")}
    assert {Decimal(str(rows[uuid]["revenue"])) for uuid in uuids[20:60]} == {Decimal(23)}
    restated = sum(Decimal(result["restated"]["revenue_change"]) for result in results if result["manifest"])
    assert restated == sum(
        Decimal(str(rows[uuid]["revenue"])) - Decimal(str(before[uuid]["revenue"])) for uuid in before
    )
    assert results[-1]["manifest"] is None
    assert airflow.results("report")[-1] == "No call was updated."
    assert airflow.hides_key()


def test_the_nightly_load_into_postgresql(airflow_lab, account):
    """The scheduled run fills the table, triggered runs load later changes, and a repeated run changes nothing."""
    now = datetime.now(UTC)
    tick = now.replace(hour=0, minute=30, second=0, microsecond=0)
    tick -= timedelta(days=0 if tick < now else 1)
    span = [(tick - timedelta(hours=hours)).isoformat() for hours in (20, 1)]
    uuids = add_calls(account, 3_000, *span)
    source = (EXAMPLE_DAGS / "retreaver_calls_to_postgres.py").read_text()
    changed = "SELECT count(*) FROM retreaver_calls WHERE (call_metadata->>'revenue')::numeric = 77"
    counts = "SELECT count(*), count(DISTINCT call_id) FROM retreaver_calls"
    with (
        private_cluster() as cluster,
        airflow_with(airflow_lab, account, source, warehouse=cluster.connection()) as airflow,
    ):
        airflow.wait_until_ended(1)
        assert next(iter(airflow.runs())).startswith("scheduled__")
        assert cluster.query(counts) == [["3000", "3000"]]
        for uuid in uuids[:100]:
            account._control("POST", f"calls/{uuid}", {"fields": {"revenue": 77}})
        uuids += add_calls(account, 30, (now - timedelta(minutes=10)).isoformat(), now.isoformat())
        airflow.trigger()
        airflow.wait_until_ended(2)
        loaded = [row for (row,) in cluster.query("SELECT call_id FROM retreaver_calls")]
        assert sorted(loaded) == sorted(uuids)
        digest = "SELECT md5(string_agg(c::text, '|' ORDER BY call_id)) FROM retreaver_calls c"
        [[before]] = cluster.query(digest)
        assert cluster.query(changed) == [["100"]]
        airflow.trigger()
        airflow.wait_until_ended(3)
        assert cluster.query(digest) == [[before]]
    assert all(result["complete"] for result in airflow.results("load_calls"))
    assert airflow.hides_key()
