"""Bidding, call reservations and reports in a real Airflow: results pass through XComs and templates."""

from __future__ import annotations

import pytest
from airflow import __version__ as airflow_version
from packaging.version import Version

from airflow_provider_retreaver.sandbox.options import RESERVATION_KEY, RTB_KEY

pytestmark = pytest.mark.airflow

DAG = """
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.reports import RetreaverReportOperator
from airflow_provider_retreaver.operators.rtb import (
    RetreaverCallReservationOperator,
    RetreaverConfirmReservationOperator,
    RetreaverReserveCallOperator,
)

with DAG(dag_id="bidding", schedule=None, params={"caller": "+19195550100"}):
    reserve = RetreaverReserveCallOperator(
        task_id="reserve", caller_number="{{ params.caller }}", publisher_id="pub", tags={"zip": "90210"}
    )
    confirm = RetreaverConfirmReservationOperator(
        task_id="confirm", reservation=reserve.output, state_path="FOLDER/state"
    )
    again = RetreaverConfirmReservationOperator(
        task_id="again",
        reservation="{{ ti.xcom_pull(task_ids='reserve')['uuid'] }}",
        expires_at="{{ ti.xcom_pull(task_ids='reserve')['expires_at'] }}",
        dry_run=True,
    )
    older = RetreaverCallReservationOperator(
        task_id="older",
        publisher_id="pub",
        caller_number="{{ params.caller }}",
        on_no_target="skip",
        retreaver_conn_id="reservations",
    )
    report = RetreaverReportOperator(
        task_id="report",
        facet="buyer",
        start="{{ macros.ds_add(ds, -1) }}",
        end="{{ macros.ds_add(ds, 2) }}",
        destination="FOLDER/report-{{ ds_nodash }}.csv",
        format="csv",
    )
    reserve >> confirm >> again >> older
"""


def test_bidding_in_airflow(airflow_lab, account, tmp_path):
    """A call is reserved and confirmed, its cap is then full, so that the older API finds no buyer and is skipped."""
    account.target(cap=1)
    connections = {
        "retreaver_default": account.connection(extra={"postback_key": RTB_KEY}),
        "reservations": account.connection(extra={"postback_key": RESERVATION_KEY}),
    }
    source = DAG.replace("FOLDER", f"file://{tmp_path}")
    result = airflow_lab.run_dag(source, connections=connections, retries=False)
    assert result.exit_code == 0, result.output
    assert result.states == {
        **dict.fromkeys(("reserve", "confirm", "again", "report"), "success"),
        "older": "skipped",
    }
    assert result.xcoms["reserve"]["return_value"]["status"] == "reserved"
    assert result.xcoms["confirm"]["return_value"]["status"] == "confirmed"
    assert account.filled(1) == 1
    assert result.xcoms["report"]["return_value"]["path"].endswith(".csv")
    (file,) = tmp_path.glob("report-*.csv")
    assert file.read_text().startswith("id,facet_name,total_calls,")
    assert RTB_KEY not in result.output


ATTEMPTS = """
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.rtb import RetreaverConfirmReservationOperator, RetreaverReserveCallOperator

with DAG(dag_id="attempts", schedule=None):
    reserve = RetreaverReserveCallOperator(task_id="reserve", caller_number="+19195550100")
    RetreaverConfirmReservationOperator(
        task_id="confirm", reservation=reserve.output, state_path=STATE_PATH, retries=1, retry_delay=timedelta(0)
    )
"""


@pytest.mark.parametrize("kept", [True, False], ids=["state_path", "nothing"])
def test_a_retry_of_a_confirmation(airflow_lab, account, tmp_path, kept):
    """After one that was refused for now a retry sends it where a record says so; else none is sent.

    Airflow 3.3 keeps the record by itself.
    """
    account.target(cap=1)
    account.fault("/rtbs/", method="PUT", status=429)
    connection = account.connection(extra={"postback_key": RTB_KEY, "max_wait": 0})
    source = ATTEMPTS.replace("STATE_PATH", repr(tmp_path.as_uri()) if kept else "None")
    result = airflow_lab.run_dag(source, connections={"retreaver_default": connection})
    known = kept or Version(airflow_version) >= Version("3.3")
    assert result.states == {"reserve": "success", "confirm": "success" if known else "failed"}, result.output
    assert ("left no record of what it did, so nothing was sent" in result.output) is not known
    assert len(account.sent("PUT")) == (2 if known else 1)
    assert account.filled(1) == (1 if known else 0)
