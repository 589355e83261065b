"""Lineage: what OpenLineage emits about the operators, in a real Airflow, and how folders are named."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.transfers.exports import folder_dataset
from tests.airflow.support.account import Account
from tests.airflow.support.exports import END, START, Calls

pytestmark = pytest.mark.airflow

DAG = f"""
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_retreaver.assets import retreaver_asset
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator
from airflow_provider_retreaver.transfers.rtb_inbounds import RetreaverRtbInboundsToObjectStorageOperator

with DAG("lineage", schedule=None, start_date=datetime(2026, 1, 1)):
    window = {{"start": "{START}", "end": "{END}"}}
    RetreaverCallsToObjectStorageOperator(
        task_id="export", destination="file://FOLDER/calls", outlets=[Asset(uri="file://FOLDER/calls")], **window
    )
    RetreaverRecordingsToObjectStorageOperator(
        task_id="recordings", destination="file://FOLDER/recordings", start="2025-01-01", end="2025-01-02"
    )
    RetreaverRtbInboundsToObjectStorageOperator(
        task_id="bids", destination="file://FOLDER/bids", start="2025-01-01", end="2025-01-02", poll_interval=0.1
    )
    RetreaverResetCapOperator(
        task_id="reset",
        target_ids=[1],
        state_path="file://FOLDER/state",
        inlets=[retreaver_asset(1, "targets/1", "HOST")],
        outlets=[retreaver_asset(1, "targets/caps", "HOST")],
    )
"""


def emitted(path):
    """Return the last events of the tasks by name: those that tell that they have succeeded."""
    events = [json.loads(line) for line in path.read_text().splitlines()]
    return {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}


def names(datasets):
    """Return the names of datasets."""
    return [(dataset["namespace"], dataset["name"]) for dataset in datasets]


@pytest.fixture
def events(airflow_lab, running_sandbox, tmp_path):
    """Run the DAG with OpenLineage writing into a file, and return what it wrote by task."""
    account = Account(running_sandbox)
    account.reset()
    account.target(filled=3)
    Calls(account).add(30)
    account._control("POST", "rtb_inbounds", {"count": 4, "fields": {"created_at": "2025-01-01T12:00:00Z"}})
    account._control("POST", "exports", {"seconds": 0})
    host = account.connection()["host"].removeprefix("http://")
    log = tmp_path / "events.jsonl"
    transport = json.dumps({"type": "file", "log_file_path": str(log), "append": True})
    result = airflow_lab.run_dag(
        DAG.replace("FOLDER", str(tmp_path)).replace("HOST", host),
        connections={"retreaver_default": account.connection()},
        env={"AIRFLOW__OPENLINEAGE__TRANSPORT": transport},
    )
    assert set(result.states.values()) == {"success"}, result.output
    return emitted(log), f"retreaver://{host}"


def test_openlineage_gets_what_was_read_and_written(events, tmp_path):
    """Exports name the company's calls and their folder once, with counts; a reset names its inlets and outlets."""
    found, account = events
    tasks = ("export", "recordings", "bids", "reset")
    export, recordings, bids, reset = (found[f"lineage.{name}"] for name in tasks)
    assert names(export["inputs"]) == names(recordings["inputs"]) == [(account, "1/calls")]
    assert names(export["outputs"]) == [("file", f"{tmp_path}/calls")]
    counts = export["outputs"][0]["outputFacets"]["outputStatistics"]
    assert (counts["rowCount"], counts["fileCount"]) == (30, 1)
    assert counts["size"] > 1000
    assert names(recordings["outputs"]) == [("file", f"{tmp_path}/recordings")]
    assert (names(bids["inputs"]), names(bids["outputs"])) == (
        [(account, "1/rtb_inbounds")],
        [("file", f"{tmp_path}/bids")],
    )
    assert bids["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 4
    assert names(reset["inputs"]) == [(account, "1/targets/1")]
    assert names(reset["outputs"]) == [(account, "1/targets/caps")]


def test_a_table_without_a_name_is_left_out(account, tmp_path, monkeypatch):
    """SQLite's provider has no names of tables for OpenLineage: what was read is reported all the same."""
    from airflow_provider_retreaver.transfers.calls import RetreaverCallsToSqlOperator

    database = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database))
    Calls(account).add(2)
    load = RetreaverCallsToSqlOperator(task_id="load", sql_conn_id="warehouse", table="calls", start=START, end=END)
    assert load.get_openlineage_facets_on_complete(None).inputs == [], "nothing was read yet"
    load.execute({})
    lineage = load.get_openlineage_facets_on_complete(None)
    assert ([one.name for one in lineage.inputs], lineage.outputs) == (["1/calls"], [])


@pytest.mark.parametrize(("url", "named"), [
    ("s3://aws_default@warehouse/retreaver/calls/", ("s3://warehouse", "retreaver/calls")),
    ("gs://warehouse", ("gs://warehouse", "/")),
    ("file:///data/calls/", ("file", "/data/calls")),
    ("/data/calls", ("file", "/data/calls")),
])  # fmt: skip
def test_folders_have_openlineage_s_names(url, named):
    """A folder is named by scheme and bucket, and its path; the id of a connection is no part of it."""
    dataset = folder_dataset(url, 1, 1, 1)
    assert (dataset.namespace, dataset.name) == named
