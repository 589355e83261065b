"""Every Python sample of README and docs runs as it is pasted, against the sandbox."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from importlib.metadata import version

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_retreaver.account.drifting import Applied
from airflow_provider_retreaver.hooks.sql import sql_hook
from airflow_provider_retreaver.sandbox.options import (
    POSTBACK_KEY,
    POSTBACK_SECRET,
    RESERVATION_KEY,
    RTB_KEY,
    TRACKDRIVE_PRIVATE_KEY,
    TRACKDRIVE_PUBLIC_KEY,
    WRITING_KEY,
)
from tests.airflow.support import slack
from tests.airflow.support.samples import executed, loaded, samples
from tests.airflow.support.trackdrive import TrackDriveAccount
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow
SAMPLES = list(samples())
AIRFLOW_2 = version("apache-airflow").startswith("2.")
# A postback key does one thing.
KEYS = {
    "RetreaverWriteCallDataOperator": WRITING_KEY,
    "RetreaverReserveCallOperator": RTB_KEY,
    "RetreaverCallReservationOperator": RESERVATION_KEY,
}
TABLES = """
CREATE TABLE sales (call_uuid TEXT, caller TEXT, amount TEXT, outcome TEXT, sold_on TEXT);
INSERT INTO sales VALUES (NULL, '+19195550100', '120.50', 'sold', '2026-11-20');
CREATE TABLE do_not_call (phone TEXT);
INSERT INTO do_not_call VALUES ('9195550123'), ('(919) 555-0124');
"""


@pytest.fixture
def world(account, monkeypatch, tmp_path):
    """Serve the demo account, storages in memory, and a SQLite database as warehouse and CRM."""
    account.reset("demo")
    account.advance(120)  # so that no call is so new that an export waits for others
    database = tmp_path / "warehouse.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(TABLES)
    for name in ("WAREHOUSE", "CRM"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": "sqlite", "host": str(database)}))
    catalog = {"type": "sql", "uri": f"sqlite:///{tmp_path}/catalog.db", "warehouse": f"file://{tmp_path}/lake"}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": "generic", "extra": catalog}))
    monkeypatch.setenv("AIRFLOW_CONN_TRACKDRIVE_DEFAULT", json.dumps(TrackDriveAccount(account).connection()))
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    trackdrive = {
        "conn_type": "trackdrive",
        "login": TRACKDRIVE_PUBLIC_KEY,
        "password": TRACKDRIVE_PRIVATE_KEY,
        "host": account.url,
    }
    monkeypatch.setenv("AIRFLOW_CONN_TRACKDRIVE_DEFAULT", json.dumps(trackdrive))
    slack.provide(monkeypatch)
    # The files of an account lie beside the DAG file.
    (tmp_path / "account").mkdir()
    (tmp_path / "account" / "targets.yaml").write_text("targets: {buyer-001: {caps: {daily: 60}}}\n")
    monkeypatch.chdir(tmp_path)
    MemoryFileSystem().pipe("/plans/applied.json", applied().dump())
    module = sys.modules[ObjectStoragePath.__module__]
    for name in ("aws_default", "aws"):
        module.attach("s3", name, fs=MemoryFileSystem())
    hooks = sys.modules[sql_hook.__module__]
    monkeypatch.setattr(hooks, "sql_hook", lambda name, *rest: lakehouse(name, tmp_path) or sql_hook(name, *rest))
    return account


def applied():
    """Return what was applied of an account that somebody has changed since."""
    files = {"targets": {"buyer-001": {"name": "Applied"}}}
    return Applied(company=1, plan="0" * 64, files=files, managed={"targets/buyer-001": {"name": "Applied"}})


def lakehouse(name, folder):
    """Return the hook of the warehouse of `docs/warehouse.md`, None for other connections."""
    if name != "lakehouse":
        return None
    from tests.airflow.support.duckdb import DuckDBHook, Lake

    return DuckDBHook(folder / "lake.duckdb", Lake())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.place)
def test_sample(sample, world, monkeypatch):
    """A sample is a whole program: it is executed, and so are its tasks, with their templates rendered."""
    if AIRFLOW_2 and sample.needs_airflow_3:
        pytest.skip("asset watchers and approvals need Airflow 3")
    if AIRFLOW_2 and "iceberg_conn_id" in sample.code:
        pytest.skip("pyiceberg's local catalog needs SQLAlchemy 2, which Airflow 2.11 does not have")
    key = next((key for name, key in KEYS.items() if name in sample.code), None)
    extra = {
        "max_wait": 0,
        "postback_key": key,
        "caller_list_key": POSTBACK_KEY,
        "caller_list_secret": POSTBACK_SECRET,
    }
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(world.connection(extra=extra)))
    monkeypatch.setenv("AIRFLOW_CONN_TRACKDRIVE_DEFAULT", json.dumps(world.trackdrive_connection()))
    for dag in loaded(sample.code, sample.place):
        if not sample.quoted:
            executed(dag)


def test_samples_that_need_airflow_3_say_so():
    """Only samples with asset watchers or approvals are of Airflow 3 alone, and the sentence before says so."""
    needing = [sample for sample in SAMPLES if sample.needs_airflow_3]
    assert len(needing) == 6
    assert [sample.place for sample in needing if "Airflow 3" not in sample.before] == []
    assert [sample.place for sample in SAMPLES if "airflow.sdk" in sample.code and sample not in needing] == []


def test_samples_are_found():
    """Every fence that opens a Python block is a sample, and the README has one."""
    documents = [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]
    opened = sum(path.read_text(encoding="utf-8").count("```py") for path in documents)
    assert len(SAMPLES) == opened
    assert any(sample.place.startswith("README.md") for sample in SAMPLES)
