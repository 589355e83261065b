"""The generic operators in a real Airflow: all six in one DAG, with mapping, templates and XComs."""

from __future__ import annotations

import json

import pytest

from tests.airflow.support.account import KEY
from tests.airflow.support.generic import PHONE, campaign, numbers, send

pytestmark = pytest.mark.airflow

DAG = """
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.resources import (
    RetreaverCreateOperator,
    RetreaverDeleteOperator,
    RetreaverGetOperator,
    RetreaverListOperator,
    RetreaverUpdateOperator,
    RetreaverUpsertOperator,
)


@task
def buyers():
    return [
        {"tid": "A1", "number": "+18668987878", "name": "Acme"},
        {"tid": "B2", "number": "+18005551234", "name": "Best"},
    ]


with DAG(
    dag_id="generic",
    schedule=None,
    params={"cid": "0044", "cap": 25},
    default_args={"owner": "data-team"},
):
    upserted = RetreaverUpsertOperator.partial(task_id="upsert", resource="targets").expand(attributes=buyers())
    updated = RetreaverUpdateOperator(
        task_id="update",
        resource="targets",
        customer_id="A1",
        attributes={
            "hard_cap_attributes": {"cap": "{{ params.cap }}"},
            "sip_password": "{{ var.value.sip_word }}",
        },
    )
    found = RetreaverGetOperator(task_id="get", resource="targets", customer_id="A1")
    bought = RetreaverCreateOperator(
        task_id="buy",
        resource="numbers",
        attributes={"type": "Toll-free", "afid": "0002", "cid": "{{ params.cid }}", "sid": "{{ run_id[-8:] }}"},
        state_path="{{ var.value.state_path }}",
        retries=1,
    )
    listed = RetreaverListOperator(
        task_id="list", resource="numbers", filters={"cid": "{{ params.cid }}"}, limit=10
    )
    stored = RetreaverListOperator(
        task_id="store", resource="targets", destination="{{ var.value.state_path }}/targets.jsonl"
    )
    deleted = RetreaverDeleteOperator(
        task_id="delete",
        resource="numbers",
        resource_id="{{ ti.xcom_pull(task_ids='buy')['id'] }}",
        confirm=True,
    )
    upserted >> updated >> found >> bought >> listed >> stored >> deleted
"""


def test_all_six_in_one_dag(airflow_lab, account, tmp_path):
    """A DAG of all six operators runs, maps over rows of another task, renders templates, and masks secrets."""
    campaign(account)
    folder = f"file://{tmp_path}/storage"
    done = airflow_lab.run_dag(
        DAG,
        connections={"retreaver_default": account.connection()},
        env={"AIRFLOW_VAR_STATE_PATH": folder, "AIRFLOW_VAR_SIP_WORD": "geheim-wort"},
    )
    assert done.exit_code == 0, done.output
    assert set(done.states.values()) == {"success"}
    returned = {name: values.get("return_value") for name, values in done.xcoms.items()}
    assert [returned[f"upsert[{index}]"]["action"] for index in (0, 1)] == ["created", "created"]
    assert returned["update"]["changed"] == {
        "hard_cap_attributes": {"before": {"cap": None}, "after": {"cap": "25"}},
        "sip_password": {"before": None, "after": "***"},
    }
    assert (returned["get"]["name"], returned["get"]["sip_password"]) == ("Acme", "***")
    assert [row["id"] for row in returned["list"]] == [returned["buy"]["id"]]
    assert returned["store"]["rows"] == 2
    rows = [json.loads(line) for line in (tmp_path / "storage" / "targets.jsonl").read_text().splitlines()]
    # Mapped tasks run in any order.
    assert {row["tid"] for row in rows} == {"A1", "B2"}
    assert returned["delete"]["action"] == "deleted"
    assert numbers(account) == []
    target = send(account, "GET", "/targets/tid/A1.json")["target"]
    assert (target["number"], target["sip_password"]) == (PHONE, "geheim-wort")
    for secret in (KEY, "geheim-wort"):
        assert secret not in done.output + json.dumps(done.xcoms)
        assert secret.encode() not in done.db_path.read_bytes()
