"""The links of tasks in a real Airflow: what its REST API, from which the web interface has them, returns."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from airflow_provider_retreaver.sandbox.options import RTB_KEY, WRITING_KEY
from tests.airflow.support.account import KEY
from tests.airflow.support.generic import campaign
from tests.airflow.support.trackdrive import TOKEN, TrackDriveAccount
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

PORTAL = "http://127.0.0.1:9"
DAG = """
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.calls import RetreaverWriteCallDataOperator
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator
from airflow_provider_retreaver.operators.resources import (
    RetreaverDeleteOperator,
    RetreaverGetOperator,
    RetreaverListOperator,
    RetreaverUpsertOperator,
)
from airflow_provider_retreaver.operators.target_groups import RetreaverUpdateTargetGroupOperator
from airflow_provider_retreaver.operators.targets import RetreaverSetPausedOperator
from airflow_provider_retreaver.operators.trackdrive import TrackDriveBuyerGroupUpdateOperator
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor
from airflow_provider_retreaver.operators.rtb import RetreaverReserveCallOperator
from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator
from airflow_provider_retreaver.transfers.calls import (
    RetreaverCallsToObjectStorageOperator,
    RetreaverCallsToSqlOperator,
)

with DAG(dag_id="links", schedule=None, default_args={"retries": 0}):
    RetreaverSetPausedOperator.partial(task_id="pause", paused=True).expand(target_ids=TARGETS)
    RetreaverSetPausedOperator(task_id="missing", paused=True, target_ids=[TARGETS[0], 999999])
    RetreaverResetCapOperator(task_id="reset", target_ids=TARGETS, force=True)
    RetreaverUpdateTargetGroupOperator(task_id="group", target_group_id=GROUP, add=TARGETS)
    RetreaverGetOperator(task_id="campaign", resource="campaigns", customer_id="0044")
    RetreaverUpsertOperator(task_id="affiliate", resource="affiliates", attributes={"afid": "A9", "first_name": "A"})
    RetreaverDeleteOperator(task_id="delete", resource="targets", resource_id=424242, missing_ok=True)
    RetreaverDeleteOperator(task_id="would", resource="targets", object_name="Target 1", dry_run=True)
    RetreaverSuppressionSyncOperator(
        task_id="suppress", mode="add", numbers=["+19195550100"], can_resubscribe=False, state_path="FOLDER/state"
    )
    RetreaverReserveCallOperator.partial(task_id="reserve", retreaver_conn_id="bidding").expand(
        caller_number=["+19195550101", "+19195550102"]
    )
    RetreaverCallsToSqlOperator(
        task_id="load", sql_conn_id="database", table="calls", start="2020-01-01", end="2020-01-02"
    )
    RetreaverListOperator(task_id="list", resource="targets", destination="FOLDER/rows one.jsonl")
    RetreaverCapFilledSensor(task_id="full", target_id=TARGETS[0], at_least=0, poke_interval=1, timeout=9)
    RetreaverCapFilledSensor(task_id="named", target_names="Target 1", at_least=0, poke_interval=1, timeout=9)
    RetreaverWriteCallDataOperator(task_id="write", call_uuid="UUID", tags={"sold": "yes"})
    RetreaverCallsToObjectStorageOperator(
        task_id="export", destination="FOLDER/calls", start="2020-01-01", end="2020-01-02"
    )
    RetreaverGetOperator(task_id="elsewhere", resource="campaigns", customer_id="0044", retreaver_conn_id="no_portal")
    TrackDriveBuyerGroupUpdateOperator.partial(task_id="buyers", attributes={"name": "Roofers 2"}).expand(
        buyer_group_ids=GROUPS
    )
"""


def test_links_of_every_kind_of_task(airflow_lab, account, tmp_path):
    """Objects, lists, calls, files and buyer groups have their addresses, mapped and failed tasks too; else none."""
    trackdrive = TrackDriveAccount(account)
    targets = account.targets(2)
    group = account.group([])
    groups = [trackdrive.group("Roofers"), trackdrive.group("Movers")]
    campaign(account)
    (uuid,) = account.calls(1)
    folder = f"file://{tmp_path}/st@re"
    extra = {
        "portal_url": PORTAL, "file_links": {f"file://{tmp_path}/": f"{PORTAL}/files/"},
        "postback_key": WRITING_KEY,
    }  # fmt: skip
    names = {"TARGETS": str(targets), "GROUPS": str(groups), "GROUP": str(group), "FOLDER": folder, "UUID": uuid}
    source = DAG
    for name, value in names.items():
        source = source.replace(name, value)
    connections = {
        "retreaver_default": account.connection(extra=extra),
        "no_portal": account.connection(),
        "bidding": account.connection(extra={**extra, "postback_key": RTB_KEY}),
        "database": {"conn_type": "sqlite", "host": str(tmp_path / "database.db")},
        "trackdrive_default": trackdrive.connection(extra={"portal_url": PORTAL}),
    }
    done = airflow_lab.run_dag(source, connections=connections)
    failed = {name for name, state in done.states.items() if state != "success"}
    assert failed == {"missing"}, done.output
    asked = airflow_lab.airflow(
        ["-m", "tests.airflow.support.links"],
        done.home,
        {
            "PYTHONPATH": str(PROJECT),
            # Of Airflow 3 and 2.11: everybody who asks is an administrator.
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
        },
    )
    assert asked.returncode == 0, asked.stdout
    (line,) = (line for line in asked.stdout.splitlines() if line.startswith("links: "))
    links = json.loads(line.removeprefix("links: "))
    portal, files = "Open in Retreaver", "Written file"
    campaign_id = done.xcoms["campaign"]["return_value"]["id"]
    affiliate = done.xcoms["affiliate"]["return_value"]["id"]
    manifest = done.xcoms["export"]["return_value"]["manifest"].rpartition("/")[2]
    assert links == {
        "pause[0]": {portal: f"{PORTAL}/targets/{targets[0]}"},
        "pause[1]": {portal: f"{PORTAL}/targets/{targets[1]}"},
        "missing": {portal: f"{PORTAL}/targets"},
        "reset": {portal: f"{PORTAL}/targets"},
        "group": {portal: f"{PORTAL}/target_groups/{group}"},
        "campaign": {portal: f"{PORTAL}/campaigns/{campaign_id}"},
        "affiliate": {portal: f"{PORTAL}/affiliates/{affiliate}"},
        "delete": {portal: f"{PORTAL}/targets"},
        "would": {portal: f"{PORTAL}/targets/{targets[1]}"},
        "suppress": {portal: f"{PORTAL}/suppressed_numbers"},
        "reserve[0]": {portal: f"{PORTAL}/calls"},
        "reserve[1]": {portal: f"{PORTAL}/calls"},
        "load": {portal: f"{PORTAL}/calls"},
        "list": {portal: f"{PORTAL}/targets", files: f"{PORTAL}/files/st%40re/rows%20one.jsonl"},
        "full": {portal: f"{PORTAL}/targets/{targets[0]}"},
        "named": {portal: f"{PORTAL}/targets/{targets[1]}"},
        "write": {portal: f"{PORTAL}/calls/{uuid}"},
        "export": {files: f"{PORTAL}/files/st%40re/calls/{quote(manifest)}"},
        "elsewhere": {portal: None},
        "buyers[0]": {"Open in TrackDrive": f"{PORTAL}/buyer_groups/{groups[0]}"},
        "buyers[1]": {"Open in TrackDrive": f"{PORTAL}/buyer_groups/{groups[1]}"},
    }
    assert not any(secret in asked.stdout for secret in (KEY, quote(KEY, safe=""), TOKEN))
