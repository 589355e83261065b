"""Exports of what was updated since the last one: cursor, overlap, restated calls; and exports that are killed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument
from tests.airflow.support.exports import END, START, export, manifest_of, rows_of, tree
from tests.airflow.support.killed_exports import on_demand
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow
SINCE = {"start": START, "by": "updated_at", "incremental": True}


def test_late_revenue_is_found_and_reported(calls, folder):
    """A call whose revenue and payout change later is exported again, with the change of both."""
    there = calls.add(40, revenue=10, payout=4)
    first = export(destination=folder, **SINCE)
    assert (first["calls"], first["complete"]) == (40, True)
    assert first["restated"] == {"calls": 0, "revenue_change": "0", "payout_change": "0"}
    calls.update(there[7], revenue=22.5, payout=3)
    calls.update(there[8], status="finished")
    second = export(destination=folder, **SINCE)
    assert {there[7], there[8]} <= {row["uuid"] for row in rows_of(second)}
    assert second["calls"] < 40
    assert second["restated"] == {"calls": 1, "revenue_change": "12.5", "payout_change": "-1"}
    (change,) = manifest_of(second)["restated"]["changes"]
    assert (change["uuid"], change["revenue_before"], change["revenue_after"]) == (there[7], "10", "22.5")
    assert manifest_of(first)["calls"] == 40


def test_nothing_new_writes_nothing(calls, folder):
    """A run that finds no update since the last export leaves everything as it is, and says so."""
    assert export(destination=folder, **SINCE)["manifest"] is None
    calls.add(5)
    export(destination=folder, **SINCE)
    before = tree(Path(folder.removeprefix("file://")))
    assert export(destination=folder, **SINCE) == {
        "manifest": None, "files": 0, "rows": 0, "calls": 0, "bytes": 0, "complete": True,
    }  # fmt: skip
    assert tree(Path(folder.removeprefix("file://"))) == before


def test_every_run_reads_a_span_again(calls, folder):
    """A run begins before its cursor, so that what was updated while the last one began is not missed."""
    calls.add(3, updated_at="2026-01-07T00:00:00Z")
    near = calls.add(1, updated_at="2026-01-07T00:55:00Z")
    calls.add(1, updated_at="2026-01-07T01:00:00Z")
    export(destination=folder, **SINCE)
    late = calls.add(1, updated_at="2026-01-07T00:58:00Z")
    new = calls.add(1, updated_at="2026-01-07T01:05:00Z")
    found = {row["uuid"] for row in rows_of(export(destination=folder, **SINCE))}
    assert {*near, *late, *new} <= found
    assert len(found) == 4


def test_a_call_updated_while_it_is_read_comes_next_time(calls, folder, account):
    """The cursor is the newest update as the scan began: what is updated during it belongs to the next run."""
    there = calls.add(30, updated_at="2026-01-07T00:00:00Z")
    export(destination=folder, **SINCE)
    cursor = json.loads(Path(f"{folder.removeprefix('file://')}/_state/cursor.json").read_text())
    assert cursor["cursor"] == "2026-01-07T00:00:00+00:00"
    calls.update(there[0], revenue=1)
    assert there[0] in {row["uuid"] for row in rows_of(export(destination=folder, **SINCE))}


def test_a_repeated_run_reports_the_same(calls, folder, tmp_path):
    """A run that was killed after its files were in place, and before its cursor was, is repeated with one result."""
    there = calls.add(20, revenue=10)
    export(destination=folder, **SINCE)
    state = tmp_path / "calls" / "_state" / "cursor.json"
    old = state.read_text()
    calls.update(there[3], revenue=15)
    second = export(destination=folder, **SINCE)
    before = tree(tmp_path / "calls")
    state.write_text(old)
    assert export(destination=folder, **SINCE) == second
    assert tree(tmp_path / "calls") == before


def test_the_state_can_live_elsewhere(calls, folder, tmp_path):
    """A given state path holds cursor and ledger; a damaged cursor is not taken for none."""
    calls.add(5)
    state = f"file://{tmp_path}/state"
    export(destination=folder, state_path=state, **SINCE)
    assert (tmp_path / "state" / "cursor.json").exists()
    assert not (tmp_path / "calls" / "_state").exists()
    (tmp_path / "state" / "cursor.json").write_text('{"cursor": "20')
    with pytest.raises(InvalidArgument, match="state_path"):
        export(destination=folder, state_path=state, **SINCE)


def test_an_unknown_storage_is_told_under_the_name_that_was_given(account):
    """The error names the destination, or the state path where one is given, and nothing is sent."""
    with pytest.raises(InvalidArgument, match=r"^destination gs://bucket/calls/_state cannot be used: no installed"):
        export(destination="gs://bucket/calls", **SINCE)
    with pytest.raises(InvalidArgument, match=r"^state_path gs://bucket/state cannot be used: no installed"):
        export(destination="file:///tmp/calls", state_path="gs://bucket/state", **SINCE)
    assert account.sent() == []


@pytest.fixture(scope="module")
def killer():
    """Give the program that runs attempts; it begins when it is first asked."""
    with on_demand() as get:
        yield get


def whole(folder: Path) -> None:
    """Assert that every manifest that is in place names whole files."""
    for path in folder.glob("*.manifest.json"):
        manifest_of({"manifest": str(path)})


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
def test_killed_at_any_time_and_retried(calls, tmp_path, killer, format_):
    """Killed at any time, an export leaves no manifest of half an export, and its retry leaves the same bytes."""
    there = calls.add(60)
    parameters = {"start": START, "end": END, "format": format_, "partition_by": "day", "max_file_bytes": 40_000}
    run = killer()
    former, undisturbed = tmp_path / "former", tmp_path / "undisturbed"
    assert run.attempt(undisturbed, **parameters)["status"] == 0
    calls.update(there[5], revenue=5)  # so that the former export is another one, with files of other names
    for place in (former, undisturbed):
        run.attempt(place, **parameters)
    calls.update(there[5], revenue=77)
    events = run.attempt(undisturbed, **parameters)["events"]
    assert events > 15
    for kill_at in range(1, events + 1, 3 if format_ == "jsonl" else 9):
        assert run.attempt(former, kill_at, **parameters)["status"] == 9
        whole(former)
        assert run.attempt(former, **parameters)["status"] == 0
        assert tree(former) == tree(undisturbed), kill_at
        calls.update(there[6], revenue=kill_at)
        assert run.attempt(undisturbed, **parameters)["status"] == 0


def test_a_killed_incremental_export_forgets_nothing(calls, tmp_path, killer):
    """Killed at any time and retried, an incremental export ends with the cursor, files and report of one run."""
    run = killer()
    base = datetime.fromisoformat("2026-01-07T00:00:00+00:00")
    there = calls.add(30, revenue=10, updated_at=base.isoformat())
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    for place in (disturbed, undisturbed):
        assert run.attempt(place, **SINCE)["status"] == 0
    kill_at = 1
    for turn in range(1, 12):
        time = base + timedelta(hours=turn)
        calls.update(there[turn], revenue=10 + turn, updated_at=time.isoformat())
        events = run.attempt(undisturbed, **SINCE)["events"]
        kill_at = 1 + (turn * 11) % events
        assert run.attempt(disturbed, kill_at, **SINCE)["status"] == 9
        whole(disturbed)
        run.attempt(disturbed, **SINCE)
        assert tree(disturbed) == tree(undisturbed), (turn, kill_at)


def test_the_example_runs_in_airflow(airflow_lab, calls, tmp_path):
    """The example DAG exports, says what came, and its next run reports what was restated."""
    there = calls.add(30, revenue=10)
    settings = {"destination": f"file://{tmp_path}/calls", "since": START}
    example = PROJECT / "example_dags" / "retreaver_calls_incremental.py"
    connections = {"retreaver_default": calls.account.connection()}
    first = airflow_lab.run_dag(example, connections=connections, conf=settings)
    assert first.states == {"export_updated": "success", "report": "success"}, first.output
    assert first.xcoms["report"]["return_value"].startswith("30 calls in 1 files; 0 were restated")
    calls.update(there[4], revenue=12)
    second = airflow_lab.run_dag(example, connections=connections, conf=settings)
    assert "1 were restated: revenue 2, payout 0." in second.xcoms["report"]["return_value"]
    whole(tmp_path / "calls")
