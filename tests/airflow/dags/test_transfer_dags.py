"""The example DAGs of calls in a real Airflow: a table kept up to date, a year exported by mapped tasks."""

from __future__ import annotations

import gzip
import json
import runpy
import sqlite3
from contextlib import closing

import pytest

from tests.airflow.support.account import KEY
from tests.paths import EXAMPLE_DAGS

pytestmark = pytest.mark.airflow


def add_calls(account, count, start, end):
    """Spread calls evenly over a span of the past."""
    account._control("POST", "clock", {"now": "2026-02-01T00:00:00Z"})
    fields = {"created_at_start": start, "created_at_end": end, "status": "finished"}
    return account._control("POST", "calls", {"count": count, "fields": fields})["uuids"]


def test_the_nightly_load(airflow_lab, account, tmp_path):
    """The day's calls are in the table after the run, and after a second one that reads them again."""
    from datetime import UTC, datetime

    # Which day a run at 00:30 is about differs: Airflow 2's is the one that begins, Airflow 3's the one that ended.
    days = [add_calls(account, 260, f"2026-01-{day}T10:00:00Z", f"2026-01-{day}T20:00:00Z") for day in (20, 21)]
    path = tmp_path / "warehouse.db"
    connections = {
        "retreaver_default": account.connection(),
        "warehouse": {"conn_type": "sqlite", "host": str(path)},
    }
    for _ in range(2):
        run = airflow_lab.run_dag(
            EXAMPLE_DAGS / "retreaver_calls_to_postgres.py",
            connections=connections,
            logical_date=datetime(2026, 1, 21, 0, 30, tzinfo=UTC),
            retries=False,
        )
        assert run.exit_code == 0, run.output
        result = run.xcoms["load_calls"]["return_value"]
        assert result["complete"]
        assert KEY not in run.output
    with closing(sqlite3.connect(path)) as database:
        held = sorted(uuid for (uuid,) in database.execute("SELECT call_id FROM retreaver_calls"))
    assert held == sorted(days[0] if result["end"].startswith("2026-01-21") else days[1])


def test_a_year_by_mapped_tasks(airflow_lab, account, tmp_path):
    """Every call of the year is in exactly one task's file, each part in a mapped task that tells of it."""
    uuids = add_calls(account, 500, "2025-01-01T06:00:00Z", "2025-12-31T23:00:00Z")
    folder = tmp_path / "exports"
    run = airflow_lab.run_dag(
        EXAMPLE_DAGS / "retreaver_calls_backfill_year.py",
        connections={"retreaver_default": account.connection()},
        conf={"year": 2025, "every": "120d", "destination": folder.as_uri()},
        retries=False,
    )
    assert run.exit_code == 0, run.output
    mapped = {name: state for name, state in run.states.items() if name.startswith("export_week[")}
    assert mapped == {f"export_week[{index}]": "success" for index in range(4)}
    lines = [line for file in folder.rglob("*.jsonl.gz") for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert sorted(json.loads(line)["uuid"] for line in lines) == sorted(uuids)
    results = [run.xcoms[name]["return_value"] for name in mapped]
    assert all(result["complete"] for result in results)
    assert "Exporting calls by created_at, from 2025-01-01T05:00:00+00:00 to 2025-05-01T04:00:00+00:00" in run.output
    assert f"Wrote {results[0]['calls']} calls, files: 1, bytes: {results[0]['bytes']}; complete" in run.output
    assert f"Manifest: {results[0]['manifest']}" in run.output
    assert KEY not in run.output


def test_a_year_that_is_not_over():
    """The parts of this year that are over are exported, of the next one none, of a past one all."""
    from datetime import UTC, datetime, timedelta

    names = runpy.run_path(str(EXAMPLE_DAGS / "retreaver_calls_backfill_year.py"))
    divide = names["weeks"].function
    # A day and a half ago, so that a day of its year is over in New York.
    now = datetime.now(UTC)
    year = (now - timedelta(hours=36)).year
    parts = divide({"year": year, "every": "1d"})
    assert parts[0]["start"].startswith(f"{year}-01-01T00:00:00")
    assert now - timedelta(hours=36) < datetime.fromisoformat(parts[-1]["end"]) <= datetime.now(UTC)
    assert divide({"year": year + 2, "every": "1d"}) == []
    assert len(divide({"year": 2025, "every": "7d"})) == 53
