"""A key that Retreaver echoes in a successful answer leaves in no result, file, table, event or message."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_provider_retreaver.core.errors import PartialFailure
from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
from airflow_provider_retreaver.operators.tags import RetreaverUpdateTagsOperator
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor
from airflow_provider_retreaver.triggers.conditions import _final_event
from tests.airflow.hooks.test_secrets import TOLD_TO_MASK
from tests.airflow.support.account import KEY, Account, context_of
from tests.airflow.support.call_tables import END, START, add_calls, to_sql
from tests.airflow.support.exports import contents, export
from tests.airflow.support.generic import add, campaign, execute

pytestmark = pytest.mark.airflow

MARK = "s3cr3t"
URL = f"https://x.test/?api_key={quote(KEY, safe='')}&a=1"
SOURCE = """
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_retreaver.operators.resources import (
    RetreaverCreateOperator, RetreaverGetOperator, RetreaverListOperator, RetreaverUpdateOperator,
)
from airflow_provider_retreaver.operators.targets import RetreaverSetPausedOperator
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor
from airflow_provider_retreaver.transfers.calls import (
    RetreaverCallsToObjectStorageOperator, RetreaverCallsToSqlOperator,
)
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator

WINDOW = {"start": "START", "end": "END"}

with DAG("rows", schedule=None, start_date=datetime(2026, 1, 1)):
    for resource in ("targets", "campaigns", "companies"):
        RetreaverListOperator(task_id=f"list_{resource}", resource=resource, limit=10)
        RetreaverListOperator(
            task_id=f"file_{resource}", resource=resource, destination=f"file://FOLDER/{resource}.jsonl"
        )
    RetreaverGetOperator(task_id="get", resource="targets", resource_id=TARGET)
    RetreaverCapFilledSensor(task_id="filled", target_id=TARGET, deferrable=False)
    RetreaverSetPausedOperator(task_id="pause", target_ids=TARGET, paused=True, state_path="file://FOLDER/state")
    for format in ("jsonl", "csv", "parquet"):
        RetreaverCallsToObjectStorageOperator(
            task_id=format, destination=f"file://FOLDER/{format}", format=format, version="v4",
            outlets=[Asset(f"file://FOLDER/{format}")], **WINDOW,
        )
    RetreaverCallsToSqlOperator(task_id="sql", sql_conn_id="warehouse", table="calls", **WINDOW)
    RetreaverRecordingsToObjectStorageOperator(
        task_id="recordings", destination="file://FOLDER/recordings", missing_ok=True, **WINDOW
    )
"""


@pytest.fixture
def echoing(account: Account) -> int:
    """Give the ID of a target of an account in which somebody has put the key into many fields."""
    id_ = account.target(
        f"Pasted {KEY}", tid=f"t-{KEY}", filled=10, sip_username="acme", sip_password="sip-pass-word"
    )
    campaign(account, name=f"Campaign {URL}")
    return id_


def calls_with_key(account: Account, target: int) -> list[str]:
    """Add calls whose fields hold the key, raw and encoded."""
    fields = {"visitor_url": URL, "caller_city": KEY, "tags": {"source": KEY, KEY: "x"}}
    return add_calls(account, 3, target_id=target, **fields)


def keys_of(account: Account) -> list[str]:
    """Return what the account's objects have as keys of their own."""
    target = account._handle("GET", "/targets.json")[0]["target"]
    company = account._handle("GET", "/company.json")["company"]
    shown = account._handle("GET", "/campaigns.json")[0]["campaign"]
    return [target["object_key"], target["sip_password"], company["embedded_key"], shown["show_key"], MARK]


def test_results_of_resources_hold_no_key(account, echoing, tmp_path):
    """Get, list, list files, creating and updating: names with the key, and fields that are keys, are masked."""
    secrets = keys_of(account)
    texts = [
        json.dumps(execute("get", "targets", resource_id=echoing)),
        *(json.dumps(execute("list", resource, limit=10)) for resource in ("targets", "campaigns", "companies")),
        json.dumps(execute("update", "targets", resource_id=echoing, attributes={"name": f"New {KEY}"})),
        json.dumps(execute("create", "affiliates", attributes={"afid": "0009", "company_name": f"New {KEY}"})),
    ]
    execute("list", "targets", destination=f"file://{tmp_path}/targets.jsonl")
    texts.append((tmp_path / "targets.jsonl").read_text())
    for text in texts:
        assert "***" in text
        assert not [secret for secret in secrets if secret in text], text
    assert "New s3cr3t" in account._handle("GET", f"/targets/{echoing}.json")["target"]["name"]


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("version", ["v1", "v2", "v4"])
def test_exports_hold_no_key(account, echoing, tmp_path, format_, version):
    """No file of an export holds the key, raw or encoded; the calls are all there."""
    calls_with_key(account, echoing)
    result = export(destination=f"file://{tmp_path}", format=format_, version=version, start=START, end=END)
    written = b"".join(contents(result)) + Path(result["manifest"].removeprefix("file://")).read_bytes()
    assert MARK.encode() not in written
    assert b"***" in written
    assert result["calls"] == 3


def test_tables_hold_no_key(account, echoing, tmp_path, monkeypatch):
    """No column of a loaded call holds the key."""
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    calls_with_key(account, echoing)
    assert to_sql()["rows"] == 3
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT * FROM calls").fetchall()
    assert len(rows) == 3
    assert MARK not in repr(rows)
    assert "***" in repr(rows)


def test_sensors_and_events_hold_no_key(account, echoing):
    """Neither the value of a sensor nor the event of its trigger has the key."""
    sensor = RetreaverCapFilledSensor(task_id="filled", target_id=echoing, deferrable=False)
    found = sensor.poke(context_of())
    assert found
    assert MARK not in json.dumps(found.xcom_value)
    with RetreaverHook() as hook:
        condition = sensor.condition()
        evaluation = condition.evaluate(hook.run(condition.query.run({})))
    assert MARK not in json.dumps(_final_event(evaluation))


def test_the_message_of_the_test_button_holds_no_key(account, requests_mock):
    """A company whose name is the key does not show it."""
    requests_mock.get(f"{account.url}/company.json", json={"company": {"id": 1, "name": f"Acme {KEY}"}})
    assert RetreaverHook().test_connection() == (True, "Connected to company 1 (Acme ***).")


def test_values_with_a_key_are_not_changed(account, tmp_path):
    """Tags that hold the key are in no state file, log or result: changing them is refused, nothing is sent."""
    tags = f"<<<a:{quote(KEY, safe='')}>>>"
    tagged = add(account, "targets", "target", number="+19195550001", name="B", tag_list=tags)
    operator = RetreaverUpdateTagsOperator(
        task_id="tag", target_ids=tagged["id"], add=["b:1"], state_path=f"file://{tmp_path}"
    )
    with pytest.raises(PartialFailure, match="holds a secret, such as the API key"):
        operator.execute(context_of())
    assert account.sent("PUT") == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and MARK in path.read_text()]


def test_no_output_of_tasks_that_succeed_holds_the_key(airflow_lab, account, echoing, tmp_path):
    """A DAG whose answers echo the key: its logs at DEBUG, XComs, files, tables and database do not contain it."""
    calls_with_key(account, echoing)
    secrets = keys_of(account)
    source = SOURCE.replace("FOLDER", str(tmp_path)).replace("TARGET", str(echoing))
    result = airflow_lab.run_dag(
        source.replace("START", START).replace("END", END),
        connections={
            "retreaver_default": account.connection(),
            "warehouse": {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")},
        },
        env={"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
        retries=False,
        anew=True,
    )
    assert set(result.states.values()) == {"success"}, result.output
    output = "\n".join(line for line in result.output.splitlines() if not TOLD_TO_MASK.search(line))
    kept = result.logs_dir / "output.log"
    files = [
        path for folder in (result.home, tmp_path) for path in folder.rglob("*") if path.is_file() and path != kept
    ]
    assert {path.suffix for path in files} >= {".db", ".json", ".jsonl", ".csv", ".parquet"}
    contents_of = {"output": output.encode(), **{str(path): path.read_bytes() for path in files}}
    assert sum(b"***" in content for content in contents_of.values()) > 8
    leaks = [
        (name, secret) for name, content in contents_of.items() for secret in secrets if secret.encode() in content
    ]
    assert leaks == []
