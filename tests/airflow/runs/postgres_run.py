"""Loads calls into a temporary PostgreSQL server: run by `make test-postgres`.

Not part of the test suite, because a machine may have no PostgreSQL.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import islice

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, TableNotWritten
from tests.airflow.support.call_tables import (
    END,
    LOAD,
    MAPPING,
    START,
    add_calls,
    add_calls_with_one_too_large,
    change_call,
    to_sql,
)
from tests.airflow.support.postgres import private_cluster

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def cluster():
    """Start one server for all tests."""
    with private_cluster() as running:
        yield running


@pytest.fixture
def warehouse(cluster, monkeypatch):
    """Return the server without tables, with the connection `warehouse` to it."""
    cluster.query(
        "DROP SCHEMA IF EXISTS public CASCADE; DROP SCHEMA IF EXISTS reporting CASCADE; CREATE SCHEMA public"
    )
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(cluster.connection()))
    return cluster


def test_the_warehouse_schema(account, warehouse):
    """The table is created with the right types and filled with the calls, including special characters."""
    target = account.target("Acme", number="+19195550123")
    tags = {"note": "tab\there, back\\slash, line\nbreak, ünïcode, quote ' \" and \\N"}
    [uuid] = add_calls(
        account, target_id=target, caller="+17195220377", status="finished", connected=True, total_duration=204,
        tags=tags, revenue=22.5,
    )  # fmt: skip
    result = to_sql()
    assert (result["rows"], result["changed"], result["complete"]) == (1, 1, True)
    types = dict(warehouse.query(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'calls'"
    ))  # fmt: skip
    assert types["call_duration"] == "bigint"
    assert types["call_metadata"] == "jsonb"
    assert {types[f"call_{name}_time"] for name in ("start", "answer", "end")} == {"timestamp with time zone"}
    [[row]] = warehouse.query("SELECT row_to_json(calls) FROM calls")
    values = json.loads(row)
    assert values["call_id"] == uuid
    assert values["destination_number"] == "+19195550123"
    assert values["call_metadata"]["retreaver_tags"] == tags
    assert values["call_metadata"]["revenue"] == 22.5
    assert warehouse.query("SELECT call_start_time = '2026-01-05 12:00:00Z' FROM calls") == [["t"]]


def test_a_repeated_run_leaves_the_same_rows(account, warehouse):
    """As many rows as calls, in a schema, with any batch size, and the same rows after a second run."""
    add_calls(account, 1_250)
    warehouse.query("CREATE SCHEMA reporting")
    first = to_sql(table="reporting.calls", batch_size=300)
    query = "SELECT count(*), md5(string_agg(c::text, '|' ORDER BY call_id)) FROM reporting.calls c"
    before = warehouse.query(query)
    assert to_sql(table="reporting.calls", batch_size=1_000)["changed"] == 0
    assert (first["rows"], first["changed"], first["batches"]) == (1_250, 1_250, 5)
    assert before[0][0] == "1250"
    assert warehouse.query(query) == before


def test_the_newest_version_is_kept(account, warehouse):
    """A changed call replaces its row; an older version does not."""
    one, two = add_calls(account, 2, status="finished")
    to_sql(mapping=MAPPING)
    change_call(account, one, revenue=99.5, converted=True)
    warehouse.query(f"UPDATE calls SET changed = '2099-01-01Z', revenue = 1 WHERE id = '{two}'")
    assert to_sql(mapping=MAPPING)["changed"] == 1
    assert dict(warehouse.query("SELECT id, revenue FROM calls")) == {one: "99.5", two: "1"}


@pytest.mark.parametrize("kind", ["JSONB", "JSON", "TEXT"])
def test_of_two_versions_with_the_same_time_the_last_read_is_kept(account, warehouse, kind):
    """A change in a JSON column only, with the same `updated_at`, is written, for any type of the column."""
    one, two = add_calls(account, 2, tags={"source": "tv"}, updated_at="2026-01-05T20:00:00Z")
    warehouse.query(f"CREATE TABLE calls (id TEXT PRIMARY KEY, changed TIMESTAMPTZ, tags {kind})")
    mapping = {"id": "uuid", "changed": "updated_at", "tags": "tags"}
    to_sql(mapping=mapping)
    change_call(account, one, tags={"source": "radio"}, updated_at="2026-01-05T20:00:00Z")
    assert [to_sql(mapping=mapping)["changed"] for _ in range(2)] == [1, 0]
    actual = {uuid: json.loads(tags) for uuid, tags in warehouse.query("SELECT id, tags FROM calls")}
    assert actual == {one: {"source": "radio"}, two: {"source": "tv"}}


@pytest.mark.parametrize(
    ("column", "name", "message"),
    [
        ("caller VARCHAR(5)", "caller", "value too long"),
        ("seconds SMALLINT", "seconds", "out of range"),
        ("tags DATE", "tags", "invalid input syntax for type date"),
        ("revenue NUMERIC CHECK (revenue < 50)", "revenue", "check constraint"),
    ],
)
def test_a_value_that_does_not_fit_is_reported_with_call_and_column(account, warehouse, column, name, message):
    """If a table cannot store a value, the error has call and column, and only its batch is rolled back."""
    uuid, mapping = add_calls_with_one_too_large(account, name)
    types = {
        "id": "TEXT PRIMARY KEY", "changed": "TIMESTAMPTZ", "caller": "TEXT", "seconds": "BIGINT",
        "revenue": "NUMERIC", "converted": "BOOLEAN", "tags": "TEXT", column.split()[0]: column.partition(" ")[2],
    }  # fmt: skip
    warehouse.query(f"CREATE TABLE calls ({', '.join(f'{key} {kind}' for key, kind in types.items())})")
    with pytest.raises(TableNotWritten, match=f"does not accept call {uuid}, column {name}: .*{message}") as error:
        to_sql(mapping=mapping, batch_size=100)
    assert (error.value.uuid, error.value.column) == (uuid, name)
    assert error.value.__context__ is None
    assert "5220377" not in str(error.value)
    assert warehouse.query("SELECT count(*) FROM calls") == [["200"]]


def test_a_text_that_postgresql_cannot_store_is_reported(account, warehouse):
    """PostgreSQL cannot store a null character in text or JSON; the error names the first of two columns."""
    uuids = add_calls(account, 5, tags={"note": "fine"})
    change_call(account, uuids[3], tags={"note": "a\0b"})
    with pytest.raises(TableNotWritten, match=f"call {uuids[3]}, column tags"):
        to_sql(mapping={**MAPPING, "note": {"field": "tags.note", "type": "text"}})
    assert warehouse.query("SELECT count(*) FROM calls") == [["0"]]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE TABLE calls (id TEXT PRIMARY KEY, changed TIMESTAMPTZ)", "has no column caller, seconds"),
        (
            """CREATE TABLE calls (id TEXT, changed TIMESTAMPTZ, caller TEXT, seconds INT, revenue NUMERIC,
            converted BOOLEAN, tags JSONB)""",
            "does not accept calls by id .*make id its primary key",
        ),
        ("DROP SCHEMA public", "does not exist or cannot be read"),
    ],
)
def test_a_wrong_table_is_refused_before_the_first_request(account, warehouse, statement, named):
    """The error names a missing column, key or schema, and no request is sent to Retreaver."""
    warehouse.query(statement)
    with pytest.raises(InvalidArgument, match=named):
        to_sql(mapping=MAPPING)
    assert account.sent() == []


def test_concurrent_tasks(account, warehouse, project):
    """Mapped tasks with overlapping windows that start without a table load each call once."""
    add_calls(account, 900)
    program = (
        "import sys; from tests.airflow.support.call_tables import *; to_sql(start=sys.argv[1], end=sys.argv[2])"
    )
    spans = [(START, "2026-01-05T16:00:00Z"), ("2026-01-05T08:00:00Z", END), (START, END)]
    tasks = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program, *span], cwd=project, stdout=subprocess.DEVNULL
        )
        for span in spans
    ]
    assert [task.wait(60) for task in tasks] == [0, 0, 0]
    assert warehouse.query("SELECT count(*), count(DISTINCT call_id) FROM calls") == [["900", "900"]]


def test_killed_and_retried(account, warehouse, project):
    """After several SIGKILLs and a retry, the table is that of a normal run."""
    add_calls(account, 1_000)
    to_sql(table="undisturbed", batch_size=50)
    rows = "SELECT md5(string_agg(c::text, '|' ORDER BY call_id)), count(*) FROM {} c"
    expected = warehouse.query(rows.format("undisturbed"))
    for batches in (1, 7, 15):
        environment = {**os.environ, "PYTHONPATH": str(project), "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", LOAD], env=environment, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL, cwd=project,
        ) as process:  # fmt: skip
            written = (line for line in process.stdout if line.startswith("WRITTEN"))
            assert len(list(islice(written, batches))) == batches
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert process.returncode == -signal.SIGKILL
        assert warehouse.query("SELECT count(*) < 1000, count(*) > 0 FROM calls") == [["t", "t"]]
    to_sql(batch_size=50)
    assert warehouse.query(rows.format("calls")) == expected


def test_openlineage_gets_the_table(account, warehouse):
    """The table has OpenLineage's name for PostgreSQL and its columns, without values."""
    from airflow_provider_retreaver.transfers.calls import RetreaverCallsToSqlOperator

    add_calls(account, 3)
    warehouse.query("CREATE SCHEMA reporting")
    operator = RetreaverCallsToSqlOperator(
        task_id="load", sql_conn_id="warehouse", table="reporting.calls", start=START, end=END
    )
    operator.execute({})
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert [dataset.name for dataset in lineage.inputs] == ["1/calls"]
    [table] = lineage.outputs
    connection = warehouse.connection()
    assert table.namespace == f"postgres://{connection['host']}:{connection['port']}"
    assert table.name == f"{connection['schema']}.reporting.calls"
    assert {"call_id", "call_metadata"} <= {field.name for field in table.facets["schema"].fields}
