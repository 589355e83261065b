"""The export of the RTB log in a real Airflow: deferred, and mapped over the parts of a long window."""

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

from airflow_provider_retreaver.transfers.rtb_inbounds import RetreaverRtbInboundsToObjectStorageOperator
from airflow_provider_retreaver.windows import split_window

with DAG(dag_id="inbounds", schedule=None):
    RetreaverRtbInboundsToObjectStorageOperator.partial(
        task_id="export", destination="FOLDER", filters={"status": "claimed"}, poll_interval=1, deferrable=True
    ).expand_kwargs(split_window("2025-06-01", "2025-11-01", "60d"))
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
        connections={"retreaver_default": account.connection()},
        retries=False,
    )
    assert run.exit_code == 0, run.output
    assert run.states == {f"export[{index}]": "success" for index in range(3)}
    results = [run.xcoms[name]["return_value"] for name in run.states]
    assert sorted(result["job_id"] for result in results) == [1, 2, 3]
    assert sum(result["rows"] for result in results) == 300
    uuids = set()
    for result in results:
        text = gzip.decompress(Path(result["path"].removeprefix("file://")).read_bytes()).decode()
        uuids |= {row["UUID"] for row in csv.DictReader(io.StringIO(text))}
    assert len(uuids) == 300
    assert [path.name for path in sorted(folder.rglob("*")) if path.is_file() and "_" not in path.parent.name] == [
        f"{Path(result['path']).name}" for result in sorted(results, key=lambda result: result["path"])
    ]
    assert account.sent("POST") == ["POST /api/v5/exports/rtb_inbounds.json"] * 3
    assert KEY not in run.output
