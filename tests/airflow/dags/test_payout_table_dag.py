"""A payout table in a real Airflow: uploaded from a file, activated, and put back by the result in XCom."""

from __future__ import annotations

import pytest

from tests.airflow.support.generic import campaign, payout_table, send

pytestmark = pytest.mark.airflow

DAG = """
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.payout_tables import RetreaverPayoutTableOperator

with DAG(dag_id="payouts", schedule=None, params={"campaign": 1}):
    common = {"campaign_id": "{{ params.campaign }}", "confirm": True, "state_path": "FOLDER/state"}
    look = RetreaverPayoutTableOperator(
        task_id="look", source="FOLDER/rates.csv", activate=True, dry_run=True, **common
    )
    upload = RetreaverPayoutTableOperator(
        task_id="upload", source="FOLDER/rates.csv", table_version="rates-{{ ds_nodash }}", activate=True, **common
    )
    again = RetreaverPayoutTableOperator(
        task_id="again", rows=[["rule_id", "payout_pct"], [1, 65]], activate=True, **common
    )
    undo = RetreaverPayoutTableOperator(task_id="undo", restore=upload.output, **common)
    refused = RetreaverPayoutTableOperator(
        task_id="refused", restore="{{ ti.xcom_pull(task_ids='look') }}", **common
    )
    look >> upload >> again >> undo >> refused
"""


def test_a_payout_table_in_airflow(airflow_lab, account, tmp_path):
    """The same rules are uploaded once; the former table is active at the end; a dry run cannot be undone."""
    campaign(account)
    payout_table(account, active=True)
    (tmp_path / "rates.csv").write_text("rule_id,payout_pct\n1,65\n")
    source = DAG.replace("FOLDER", f"file://{tmp_path}")
    result = airflow_lab.run_dag(source, connections={"retreaver_default": account.connection()}, retries=False)
    assert result.states == {**dict.fromkeys(("look", "upload", "again", "undo"), "success"), "refused": "failed"}
    assert "restore is the result of a dry run" in result.output
    found = {name: result.xcoms[name]["return_value"] for name in ("look", "upload", "again", "undo")}
    assert found["look"]["difference"]["changed_ids"] == ["1"]
    assert found["upload"]["table"]["table_version"].startswith("rates-")
    assert (found["upload"]["table"]["active_before"], found["upload"]["table"]["active"]) == (1, 2)
    assert found["again"]["changed"] == []
    assert found["undo"]["table"]["active"] == 1
    rows = send(account, "GET", "/api/v5/campaigns/1/payout_bid_modification_tables.json")
    assert [(row["id"], row["active"]) for row in rows] == [(2, False), (1, True)]
