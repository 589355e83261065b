"""Loads calls into a temporary MariaDB server, with both drivers of MySQL: run by `make test-mysql`.

Not part of the test suite, because the MySQL provider needs a separate environment and a machine may have no server.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from functools import partial
from itertools import islice

import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_retreaver.core.errors import InvalidArgument, TableNotWritten
from airflow_provider_retreaver.domain.calls.sql_dialects import MYSQL
from airflow_provider_retreaver.operators.source_rows import sql_rows
from airflow_provider_retreaver.transfers.database_session import Database
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
from tests.airflow.support.mysql import private_server
from tests.airflow.support.upserts import check, random_batches
from tests.stopping import until_told_to_stop

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def server():
    """Start one server for all tests."""
    with private_server() as running:
        yield running


@pytest.fixture(params=["mysqlclient", "mysql-connector-python"])
def warehouse(request, server, monkeypatch):
    """Return the server without tables, with the connection `warehouse` to it by each driver."""
    server.query("DROP DATABASE warehouse", "CREATE DATABASE warehouse CHARACTER SET latin1")
    server.query("DROP DATABASE IF EXISTS reporting")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(server.connection(client=request.param)))
    return server


def test_the_warehouse_schema(account, warehouse):
    """The table is created with the right types and filled with the calls, with any character and length."""
    target = account.target("Acme", number="+19195550123")
    tags = {"note": "tab\there, back\\slash, line\nbreak, 😀 𝔘nïcode, quote ' \" and %s", "long": "ü" * 100_000}
    [uuid] = add_calls(
        account, target_id=target, caller="+17195220377", status="finished", connected=True, total_duration=204,
        tags=tags, revenue=22.5, created_at="2026-01-05T07:00:00.123-05:00",
    )  # fmt: skip
    result = to_sql()
    assert (result["rows"], result["changed"], result["complete"]) == (1, None, True)
    types = dict(warehouse.query(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'calls'"
    ))  # fmt: skip
    assert types["call_duration"] == "bigint"
    assert types["call_metadata"] in {"json", "longtext"}
    assert {types[f"call_{name}_time"] for name in ("start", "answer", "end")} == {"datetime"}
    [row] = warehouse.query(
        "SELECT call_id, destination_number, call_metadata, CAST(call_start_time AS CHAR) FROM calls"
    )
    assert row[:2] == (uuid, "+19195550123")
    assert row[3] == "2026-01-05 12:00:00.123000"
    assert json.loads(row[2])["retreaver_tags"] == tags
    assert json.loads(row[2])["revenue"] == 22.5
    # MariaDB has no JSON type; MySQL and MariaDB read it by the same functions.
    assert warehouse.query("SELECT JSON_EXTRACT(call_metadata, '$.revenue') + 0 FROM calls") == [(22.5,)]


def test_long_texts_and_small_amounts(account, warehouse):
    """A text column stores more than MySQL's TEXT, including emoji, and an amount keeps its last digit."""
    long = "😀" * 30_000
    add_calls(account, tags={"long": long, "small": "0.000125"})
    fields = {"long": {"field": "tags.long", "type": "text"}, "small": {"field": "tags.small", "type": "decimal"}}
    to_sql(mapping={"id": "uuid", "changed": "updated_at", **fields})
    assert warehouse.query("SELECT small, `long` FROM calls") == [(Decimal("0.000125"), long)]


def test_times_are_utc_in_any_column(account, warehouse):
    """A TIMESTAMP column stores the same times as a DATETIME column, in any time zone of the server."""
    add_calls(account, created_at="2026-01-05T07:00:00.123-05:00", updated_at="2026-01-06T00:00:00.5Z")
    warehouse.query("CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, changed TIMESTAMP(6) NULL, made DATETIME(6))")
    to_sql(mapping={"id": "uuid", "changed": "updated_at", "made": "created_at"})
    [(changed, made)] = warehouse.query("SELECT CAST(UNIX_TIMESTAMP(changed) AS CHAR), CAST(made AS CHAR) FROM calls")
    assert (changed, made) == ("1767657600.500000", "2026-01-05 12:00:00.123000")


def test_a_repeated_run_leaves_the_same_rows(account, warehouse):
    """As many rows as calls, in another database, with any batch size, and the same rows after a second run."""
    add_calls(account, 1_250)
    warehouse.query("CREATE DATABASE reporting")
    first = to_sql(table="reporting.calls", batch_size=300)
    query = "SELECT * FROM reporting.calls ORDER BY call_id"
    before = warehouse.query(query)
    to_sql(table="reporting.calls", batch_size=1_000)
    assert (first["rows"], first["batches"], len(before)) == (1_250, 5, 1_250)
    assert warehouse.query(query) == before


def test_the_newest_version_is_kept(account, warehouse):
    """A changed call replaces its row, an older version does not; with the same time the last read is kept."""
    one, two, three = add_calls(account, 3, status="finished", updated_at="2026-01-05T20:00:00Z")
    to_sql(mapping=MAPPING)
    change_call(account, one, revenue=99.5, converted=True)
    change_call(account, three, tags={"late": "yes"}, updated_at="2026-01-05T20:00:00Z")
    warehouse.query(f"UPDATE calls SET changed = '2099-01-01', revenue = 1 WHERE id = '{two}'")
    to_sql(mapping=MAPPING)
    assert dict(warehouse.query("SELECT id, revenue FROM calls WHERE revenue > 0")) == {one: Decimal("99.5"), two: 1}
    assert warehouse.query(f"SELECT tags FROM calls WHERE id = '{three}'") == [('{"late":"yes"}',)]


@pytest.mark.parametrize(
    ("column", "name", "message"),
    [
        ("caller VARCHAR(5)", "caller", "Data too long"),
        ("seconds SMALLINT", "seconds", "Out of range"),
        ("tags DATE", "tags", "Incorrect date value"),
        ("revenue DECIMAL(10,2) CHECK (revenue < 50)", "revenue", "CONSTRAINT"),
    ],
)
def test_a_value_that_does_not_fit_is_reported_with_call_and_column(account, warehouse, column, name, message):
    """A value that a table cannot store is not truncated: the error has call and column, its batch is rolled back."""
    uuid, mapping = add_calls_with_one_too_large(account, name)
    types = {
        "id": "VARCHAR(64) PRIMARY KEY", "changed": "DATETIME(6)", "caller": "TEXT", "seconds": "BIGINT",
        "revenue": "DECIMAL(10,2)", "converted": "BOOLEAN", "tags": "TEXT",
        column.split()[0]: column.partition(" ")[2],
    }  # fmt: skip
    warehouse.query(f"CREATE TABLE calls ({', '.join(f'{key} {kind}' for key, kind in types.items())})")
    with pytest.raises(TableNotWritten, match=f"does not accept call {uuid}, column {name}: .*{message}") as error:
        to_sql(mapping=mapping, batch_size=100)
    assert (error.value.uuid, error.value.column) == (uuid, name)
    assert "5220377" not in str(error.value)
    assert warehouse.query("SELECT COUNT(*) FROM calls") == [(200,)]


@pytest.mark.parametrize(
    ("statement", "table", "named"),
    [
        (
            "CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, changed DATETIME)",
            "calls",
            "has no column caller, seconds",
        ),
        (
            """CREATE TABLE calls (id VARCHAR(64), changed DATETIME, caller TEXT, seconds INT, revenue DECIMAL(9, 2),
            converted BOOLEAN, tags JSON)""",
            "calls",
            "does not accept calls by id .*make id its primary key",
        ),
        ("SELECT 1", "nowhere.calls", "does not exist or cannot be read"),
    ],
)
def test_a_wrong_table_is_refused_before_the_first_request(account, warehouse, statement, table, named):
    """The error names a missing column, key or database, and no request is sent to Retreaver."""
    warehouse.query(statement)
    with pytest.raises(InvalidArgument, match=named):
        to_sql(mapping=MAPPING, table=table)
    assert account.sent() == []


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ("id VARCHAR(64) PRIMARY KEY, UNIQUE by_caller (caller)", "by_caller"),
        ("seconds INT PRIMARY KEY, id VARCHAR(64) UNIQUE", "PRIMARY"),
        ("id VARCHAR(64) PRIMARY KEY, UNIQUE short (id(8))", "short"),
        ("id VARCHAR(64) PRIMARY KEY, UNIQUE both_ (caller, id)", None),
        ("number BIGINT AUTO_INCREMENT PRIMARY KEY, id VARCHAR(64) UNIQUE", None),
    ],
)
def test_unique_keys_that_would_mix_calls_are_refused(account, warehouse, keys, refused):
    """A second unique key by which two calls could become one row is named before the first request."""
    caller = "" if "seconds INT" in keys else "seconds INT, "
    warehouse.query(f"CREATE TABLE calls ({keys}, changed DATETIME(6), {caller}caller VARCHAR(20))")
    mapping = {"id": "uuid", "changed": "updated_at", "caller": "caller", "seconds": "total_duration"}
    if refused:
        with pytest.raises(InvalidArgument, match=rf"another unique key \({refused}\)"):
            to_sql(mapping=mapping)
        assert account.sent() == []
        return
    add_calls(account, 20, caller="+17195220377")
    to_sql(mapping=mapping)
    to_sql(mapping=mapping)
    assert warehouse.query("SELECT COUNT(*), COUNT(DISTINCT id) FROM calls") == [(20, 20)]


@pytest.mark.parametrize("charset", ["latin1", "utf8mb4"])
def test_texts_are_stored_as_they_were_sent(account, warehouse, monkeypatch, charset):
    """Whatever character set the connection names; U+0000 is stored as well."""
    connection = json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])
    connection["extra"] = {**connection["extra"], "charset": charset}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    [uuid] = add_calls(account, tags={"name": "José Müller 😀 a\0b"})
    mapping = {"id": "uuid", "changed": "updated_at", "tags": "tags", "name": {"field": "tags.name", "type": "text"}}
    assert to_sql(mapping=mapping)["replaced"] == 0
    [row] = warehouse.query("SELECT id, name, JSON_VALUE(tags, '$.name') FROM calls")
    assert row == (uuid, "José Müller 😀 a\0b", "José Müller 😀 a\0b")


@pytest.mark.parametrize(
    ("kind", "amount", "kept"),
    [
        ("INT", "22.5", "22.0"), ("DECIMAL(10,2)", "12.345", "12.340"), ("FLOAT", "12345.678", "12.5"),
        ("DOUBLE(10,2)", "12.345", "12.34"), ("DECIMAL", "22.5", "22"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sent_as", ["decimal", "text"])
def test_amounts_are_not_rounded(account, warehouse, kind, amount, kept, sent_as):
    """A column that would round an amount, or the text of one, refuses the call by name."""
    warehouse.query(f"CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, changed DATETIME(6), amount {kind})")
    field = {"field": "tags.amount", "type": sent_as}
    mapping = {"id": "uuid", "changed": "updated_at", "amount": field}
    uuid, _ = add_calls(account, 2, tags={"amount": kept})
    change_call(account, uuid, tags={"amount": amount})
    with pytest.raises(TableNotWritten, match=f"call {uuid}, column amount: .* would not hold {amount}") as failed:
        to_sql(mapping=mapping)
    assert failed.value.column == "amount"
    change_call(account, uuid, tags={"amount": kept})
    to_sql(mapping=mapping)
    assert warehouse.query("SELECT COUNT(*) FROM calls") == [(2,)]


def test_calls_that_do_not_fit_are_left_out(account, warehouse):
    """With `max_rejects` the other calls are loaded, and the result is not complete."""
    uuid, mapping = add_calls_with_one_too_large(account, "caller")
    warehouse.query(
        "CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, changed DATETIME(6), caller VARCHAR(5), seconds BIGINT, "
        "revenue DECIMAL(10,2), converted BOOLEAN, tags TEXT)"
    )
    result = to_sql(mapping=mapping, max_rejects=1, batch_size=100)
    assert (result["rows"], result["rejected"], result["complete"]) == (300, 1, False)
    assert f"first call {uuid}, column caller: " in result["reason"]
    assert warehouse.query("SELECT COUNT(*) FROM calls") == [(299,)]


def test_a_number_of_a_deleted_target_stays(account, warehouse):
    """A window that is loaded again keeps the number that a call was sent to."""
    target = account.target("Acme", number="+19195550123")
    add_calls(account, 3, target_id=target)
    to_sql()
    account.delete_target(target)
    to_sql()
    assert warehouse.query("SELECT DISTINCT destination_number FROM calls") == [("+19195550123",)]


@pytest.mark.parametrize("privileges", ["SELECT", "SELECT, INSERT"])
def test_missing_privileges_are_named_before_the_first_request(account, warehouse, monkeypatch, privileges):
    """A user that may not insert or update is told so, and nothing is sent."""
    warehouse.query(
        "CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, changed DATETIME(6), caller TEXT)",
        "DROP USER IF EXISTS loader@'127.0.0.1'",
        "CREATE USER loader@'127.0.0.1' IDENTIFIED BY 'tests'",
        f"GRANT {privileges} ON warehouse.calls TO loader@'127.0.0.1'",
    )
    connection = json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**connection, "login": "loader"}))
    with pytest.raises(InvalidArgument, match=r"may not load calls into table calls \(.*denied.* insert and update"):
        to_sql(mapping={"id": "uuid", "changed": "updated_at", "caller": "caller"})
    assert account.sent() == []


def test_no_connection_is_open_while_pages_are_read(account, warehouse):
    """With a server that ends idle connections at once and a slow Retreaver, all batches are written."""
    add_calls(account, 400)
    account.fault("/calls.json", method="GET", times=20, delay=1.5)
    warehouse.query("SET GLOBAL wait_timeout = 1")
    try:
        assert to_sql(mapping=MAPPING, batch_size=100)["complete"]
    finally:
        warehouse.query("SET GLOBAL wait_timeout = 28800")
    assert warehouse.query("SELECT COUNT(*) FROM calls") == [(400,)]


@pytest.mark.parametrize("mode", ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "EMPTY_STRING_IS_NULL", "ORACLE"])
def test_modes_of_the_server_change_no_text(account, warehouse, mode):
    """Quotes, backslashes and blank texts are stored as they were sent in any mode of the server's sessions."""
    texts = {"a": "it's \\' \"quoted\" \\\\", "b": "'); DROP TABLE calls; -- ", "c": ""}
    [uuid] = add_calls(account, tags=texts)
    fields = {name: {"field": f"tags.{name}", "type": "text"} for name in texts}
    warehouse.query(f"SET GLOBAL sql_mode = '{mode}'")
    try:
        to_sql(mapping={"id": "uuid", "changed": "updated_at", "tags": "tags", **fields})
        assert to_sql(mapping={"id": "uuid", "changed": "updated_at", "tags": "tags", **fields})["rows"] == 1
    finally:
        warehouse.query("SET GLOBAL sql_mode = ''")
    [row] = warehouse.query("SELECT id, a, b, c, tags FROM calls")
    assert row[:4] == (uuid, *texts.values())
    assert json.loads(row[4]) == texts


def test_a_column_that_needs_a_value_is_named_before_the_first_request(account, warehouse):
    """A column that must not be NULL, has no default and no field is named."""
    warehouse.query(
        "CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, changed DATETIME(6), `Must` INT NOT NULL, "
        "may INT NOT NULL DEFAULT 1, number BIGINT AUTO_INCREMENT UNIQUE)"
    )
    with pytest.raises(InvalidArgument, match="needs a value in Must, which"):
        to_sql(mapping={"id": "uuid", "changed": "updated_at"})
    assert account.sent() == []


# What another session does, and what is then executed, by which a statement of the task waits for minutes.
WAITS = {
    "insert": ((), "CREATE TRIGGER slow AFTER INSERT ON calls FOR EACH ROW DO SLEEP(300)"),
    "row lock": (
        ("START TRANSACTION", "SELECT * FROM calls FOR UPDATE"),
        "SET GLOBAL innodb_lock_wait_timeout = 300",
    ),
    "table lock": (("LOCK TABLES calls WRITE",), "SET GLOBAL lock_wait_timeout = 300"),
    "query": ((), "SELECT 1"),
}


@pytest.mark.parametrize("case", WAITS)
def test_a_statement_is_ended_when_the_task_is_told_to_stop(account, warehouse, caplog, capsys, case):
    """A slow insert, a lock or a slow query: it ends at once, nothing of its batch is there, no session is left."""
    uuids = add_calls(account, 100)
    to_sql(batch_size=100)
    add_calls(account, 50)
    change_call(account, uuids[0], total_duration=999)
    others, statement = WAITS[case]
    work = partial(to_sql, batch_size=200)
    if case == "query":
        work = partial(list, sql_rows("SELECT '+19195550123', SLEEP(300)", "warehouse", "The query", lambda _: None))
    warehouse.query(statement)
    with warehouse.session(*others):
        assert until_told_to_stop(8, work) is None
        assert "its statement was ended, and its transaction rolled back" in caplog.text + capsys.readouterr().out
        # The server needs a moment to notice that a session has ended.
        for _ in range(200):
            left = [row for row in warehouse.query("SHOW PROCESSLIST") if "calls" in str(row) or "SLEEP" in str(row)]
            if not left:
                break
            time.sleep(0.1)
        assert left == []
    assert warehouse.query("SELECT COUNT(*) FROM calls") == [(100,)]


def test_concurrent_tasks(account, warehouse, project):
    """Mapped tasks with overlapping windows that start without a table load each call once."""
    add_calls(account, 900)
    program = (
        "import sys; from tests.airflow.support.call_tables import *; "
        "to_sql(start=sys.argv[1], end=sys.argv[2], batch_size=50)"
    )
    spans = [(START, "2026-01-05T16:00:00Z"), ("2026-01-05T08:00:00Z", END), (START, END)]
    tasks = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program, *span], cwd=project, stdout=subprocess.DEVNULL
        )
        for span in spans
    ]
    assert [task.wait(120) for task in tasks] == [0, 0, 0]
    assert warehouse.query("SELECT COUNT(*), COUNT(DISTINCT call_id) FROM calls") == [(900, 900)]


def test_killed_and_retried(account, warehouse, project):
    """After several SIGKILLs and a retry, the table is that of a normal run."""
    add_calls(account, 1_000)
    to_sql(table="undisturbed", batch_size=50)
    expected = warehouse.query("SELECT * FROM undisturbed ORDER BY call_id")
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
        [(count,)] = warehouse.query("SELECT COUNT(*) FROM calls")
        assert 0 < count < 1_000
    to_sql(batch_size=50)
    assert warehouse.query("SELECT * FROM calls ORDER BY call_id") == expected


@pytest.mark.parametrize("seed", range(6))
def test_the_upsert_by_sqlalchemy(warehouse, seed):
    """Whatever the order of versions within and between batches: rows and their values are those of SQLAlchemy."""
    hook = BaseHook.get_connection("warehouse").get_hook()

    def connect():
        connection = hook.get_conn()
        hook.set_autocommit(connection, False)
        return connection

    engine = sa.create_engine(f"mysql+mysqldb://tests:tests@127.0.0.1:{warehouse.port}/warehouse?charset=utf8mb4")
    try:
        check(Database(connect, MYSQL), engine, random_batches(seed))
    finally:
        engine.dispose()
