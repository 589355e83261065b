"""Sales go back onto calls in a real Airflow: the example DAG, a rerun, and other sources."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from airflow_provider_retreaver.sandbox.options import WRITING_KEY
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

EXAMPLE = PROJECT / "example_dags" / "retreaver_conversions_back.py"
TASK = "conversions_back"
CALLER = "+19195550100"


def create_crm(folder, sales):
    """Create a database of sales, and return the connection to it."""
    with closing(sqlite3.connect(folder / "crm.db")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS sales (call_uuid, caller_number, amount, outcome, sold_on)")
        database.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?)", sales)
    return {"conn_type": "sqlite", "host": str(folder / "crm.db")}


def add_calls(account, count, **fields):
    """Add calls and return their UUIDs."""
    return account._control("POST", "calls", {"count": count, "fields": {"tags": {}, **fields}})["uuids"]


def tags(account, uuid):
    """Return the tags of a call."""
    return account._handle("GET", f"/api/v2/calls/{uuid}.json")["call"]["tags"]


def test_the_sales_of_the_day_before(airflow_lab, account, tmp_path):
    """The run writes yesterday's sales in the DAG's time zone, and names what never showed; secrets stay secret."""
    first, second, other = add_calls(account, 3)
    (by_caller,) = add_calls(account, 1, caller=CALLER)
    sales = [
        (first, None, 120.5, "sold", "2026-11-19"),
        (second, None, 80, "lost", "2026-11-19"),
        (None, CALLER, 7, "sold", "2026-11-19"),
        (None, "+19195550111", 7, "sold", "2026-11-19"),
        (other, None, 1, "sold", "2026-11-20"),
    ]
    found = airflow_lab.run_dag(
        EXAMPLE,
        connections={
            "retreaver_writing": account.connection(extra={"max_wait": 5, "postback_key": WRITING_KEY}),
            "crm": create_crm(tmp_path, sales),
        },
        conf={"state_path": f"file://{tmp_path}/state", "verify_after": "1"},
        logical_date=datetime(2026, 11, 20, 8, tzinfo=UTC),
        env={"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
    )
    assert found.exit_code == 0, found.output
    result = found.xcoms[TASK]["return_value"]
    assert {name: result[name] for name in ("applied", "stored", "verified", "missing")} == {
        "applied": 3,
        "stored": 1,
        "verified": 3,
        "missing": 1,
    }
    assert found.xcoms["report"]["return_value"] == "applied 3, stored 1, failed 0, rejected 0, missing 1"
    assert tags(account, first) == {"sale_source": "crm", "sale_amount": "120.5", "sale_outcome": "sold"}
    assert tags(account, by_caller)["sale_amount"] == "7"
    assert tags(account, other) == {}
    everything = found.output + "".join(path.read_text() for path in found.logs_dir.rglob("*.log"))
    # At its own level DEBUG Airflow writes down what it is asked to mask.
    ours = "\n".join(line for line in everything.splitlines() if "MaskSecret" not in line)
    for secret in (WRITING_KEY, CALLER, "+19195550111"):
        assert secret not in ours + json.dumps(found.xcoms)


SOURCE = """
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.calls import RetreaverWriteCallDataOperator


@task
def sales():
    return [{"call": uuid, "amount": 5} for uuid in UUIDS]


with DAG(
    "writing", schedule=None, start_date=datetime(2026, 1, 1), params={"folder": "", "uuid": ""},
    default_args={"retries": 1, "retry_delay": timedelta(0)},
):
    RetreaverWriteCallDataOperator(
        task_id="from_xcom", rows=sales(), columns={"amount": "paid"}, call_uuid_column="call",
        state_path="file://{{ params.folder }}", verify_after="{{ 1 + 1 }}", deferrable=True,
    )
    RetreaverWriteCallDataOperator(
        task_id="from_file", source="file://{{ params.folder }}/sales.csv.gz", columns="['amount']",
        max_rows="10",
    )
    RetreaverWriteCallDataOperator(
        task_id="one", call_uuid="{{ params.uuid }}", tags={"lead": "{{ run_id }}"}, dry_run="{{ false }}",
    )
"""


def test_parameters_of_all_kinds(airflow_lab, account, tmp_path):
    """Results, files and templates; a retry sends only what failed; a deferred task goes on from there."""
    uuids = add_calls(account, 20)
    with gzip.open(tmp_path / "sales.csv.gz", "wt") as file:
        file.write(f"call_uuid;amount\n{uuids[0]};12,5\n")
    account.fault("/data_writing", status=500, times=1)
    extra = {"max_wait": 0, "postback_key": WRITING_KEY}
    found = airflow_lab.run_dag(
        SOURCE.replace("UUIDS", repr(uuids)),
        connections={"retreaver_default": account.connection(extra=extra)},
        conf={"folder": str(tmp_path), "uuid": uuids[0].upper()},
    )
    assert found.exit_code == 0, found.output
    result = found.xcoms["from_xcom"]["return_value"]
    assert (result["applied"], result["verified"]) == (20, 20)
    assert {tags(account, uuid)["paid"] for uuid in uuids} == {"5"}
    assert set(tags(account, uuids[0])) == {"paid", "amount", "lead"}
    assert len([one for one in account.sent("POST") if one == "POST /data_writing"]) == 23
