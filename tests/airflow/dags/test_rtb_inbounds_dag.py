"""The RTB log in a real Airflow: exported by deferred tasks, mapped over the parts of a long window, and listed."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest

from tests.airflow.support.account import KEY

pytestmark = pytest.mark.airflow

DAG = """
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.resources import RetreaverListOperator
from airflow_provider_retreaver.transfers.rtb_inbounds import RetreaverRtbInboundsToObjectStorageOperator
from airflow_provider_retreaver.windows import split_window

with DAG(dag_id="inbounds", schedule=None):
    RetreaverRtbInboundsToObjectStorageOperator.partial(
        task_id="export", destination="FOLDER", filters={"status": "claimed"}, poll_interval=1, deferrable=True,
        phone_numbers="hash", phone_numbers_conn_id="pepper",
    ).expand_kwargs(split_window("2025-06-01", "2025-11-01", "60d"))
    RetreaverListOperator(
        task_id="expired",
        resource="rtb_inbounds",
        filters={"status": ["expired"], "created_at_start": "2025-06-01", "created_at_end": "2025-08-01"},
        limit=100,
    )
"""


def test_a_long_window_by_mapped_tasks(airflow_lab, account, tmp_path):
    """Five months are three parts: a job and a file for each, with every row in one of them."""
    span = {"created_at_start": "2025-06-01T00:00:00Z", "created_at_end": "2025-11-01T00:00:00Z"}
    for status, count in (("claimed", 300), ("expired", 20)):
        account._control("POST", "rtb_inbounds", {"count": count, "fields": {"status": status, **span}})
    account._control("POST", "exports", {"seconds": 0.5})
    folder = tmp_path / "rtb"
    run = airflow_lab.run_dag(
        DAG.replace("FOLDER", folder.as_uri()),
        connections={
            "retreaver_default": account.connection(),
            "pepper": {"conn_type": "generic", "password": "a pepper of sufficient length"},
        },
        retries=False,
    )
    assert run.exit_code == 0, run.output
    exports = [f"export[{index}]" for index in range(3)]
    assert run.states == dict.fromkeys((*exports, "expired"), "success")
    assert {row["status"] for row in run.xcoms["expired"]["return_value"]} == {"expired"}
    results = [run.xcoms[name]["return_value"] for name in exports]
    assert sorted(result["job_id"] for result in results) == [1, 2, 3]
    assert sum(result["rows"] for result in results) == 300
    uuids, callers = set(), set()
    for result in results:
        text = gzip.decompress(Path(result["path"].removeprefix("file://")).read_bytes()).decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        uuids |= {row["UUID"] for row in rows}
        callers |= {row["Caller Number"] for row in rows}
    assert len(uuids) == 300
    assert {len(caller) for caller in callers} == {64}
    assert [path.name for path in sorted(folder.rglob("*")) if path.is_file() and "_" not in path.parent.name] == [
        f"{Path(result['path']).name}" for result in sorted(results, key=lambda result: result["path"])
    ]
    assert account.sent("POST") == ["POST /api/v5/exports/rtb_inbounds.json"] * 3
    assert KEY not in run.output
