"""Loads calls into a temporary PostgreSQL server: run by `make test-postgres`.

Not part of the test suite, because a machine may have no PostgreSQL.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial
from itertools import islice

import msgspec
import pytest
import sqlalchemy as sa

from airflow_provider_retreaver.core.errors import InvalidArgument, TableNotWritten
from airflow_provider_retreaver.domain.calls.export import CallPage
from airflow_provider_retreaver.domain.calls.page import CallKeys
from airflow_provider_retreaver.domain.calls.sql_dialects import POSTGRESQL
from airflow_provider_retreaver.domain.calls.warehouse import warehouse_columns
from airflow_provider_retreaver.transfers.call_loading import Loading
from airflow_provider_retreaver.transfers.call_table import CallTable
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
from tests.airflow.support.postgres import private_cluster
from tests.airflow.support.upserts import check, random_batches
from tests.stopping import until_told_to_stop

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


@pytest.mark.parametrize("kind", ["JSONB", "TEXT", "JSON"])
def test_a_null_character_is_replaced_and_counted(account, warehouse, kind):
    """PostgreSQL cannot store U+0000: U+FFFD stands for it in texts, tags and names of tags; all calls are there."""
    uuids = add_calls(account, 5, tags={"note": "fine"})
    change_call(account, uuids[3], tags={"note": "a\0b", "k\0": 1, "typed": "\\u0000"})
    change_call(account, uuids[4], tags={"note": "typed \\u0000, not sent"})
    warehouse.query(f"CREATE TABLE calls (id TEXT PRIMARY KEY, changed TIMESTAMPTZ, tags {kind}, note TEXT)")
    mapping = {"id": "uuid", "changed": "updated_at", "tags": "tags", "note": {"field": "tags.note", "type": "text"}}
    result = to_sql(mapping=mapping)
    assert (result["rows"], result["changed"], result["replaced"], result["complete"]) == (5, 5, 3, True)
    [[tags, note]] = warehouse.query(f"SELECT tags, note FROM calls WHERE id = '{uuids[3]}'")
    assert json.loads(tags) == {"note": "a\ufffdb", "k\ufffd": 1, "typed": "\\u0000"}
    assert note == "a\ufffdb"
    assert warehouse.query(f"SELECT note FROM calls WHERE id = '{uuids[4]}'") == [["typed \\u0000, not sent"]]


def test_a_null_character_does_not_stop_the_warehouse_schema(account, warehouse):
    """A visitor's `%00` in a URL and a tag: both calls are in the table of the default schema."""
    uuids = add_calls(account, 2)
    change_call(account, uuids[0], visitor_url="http://shop.test/?q=\0", tags={"q": "\0"})
    assert to_sql()["replaced"] == 2
    assert warehouse.query("SELECT count(*) FROM calls") == [["2"]]


@pytest.mark.parametrize(
    "extra",
    [
        {"client_encoding": "latin1"}, {"client_encoding": "UTF8"}, {"client_encoding": "SQL_ASCII"},
        {"options": "-c client_encoding=WIN1252"},
    ],
)  # fmt: skip
def test_texts_are_stored_as_they_were_sent(account, warehouse, monkeypatch, extra):
    """Whatever the encoding of the session is, José Müller is José Müller."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**warehouse.connection(), "extra": extra}))
    [uuid] = add_calls(account, tags={"name": "José Müller 😀"})
    mapping = {"id": "uuid", "changed": "updated_at", "tags": "tags", "name": {"field": "tags.name", "type": "text"}}
    assert to_sql(mapping=mapping)["complete"]
    [row] = warehouse.query("SELECT id, name, tags->>'name', length(name) FROM calls")
    assert row == [uuid, "José Müller 😀", "José Müller 😀", "13"]


def test_a_server_of_another_encoding(account, warehouse, monkeypatch):
    """What the database can hold is stored as it was sent; what it cannot is refused by call and column."""
    warehouse.query("DROP DATABASE IF EXISTS western")
    warehouse.query("CREATE DATABASE western TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse.connection("western")))
    [two] = add_calls(account, 2, tags={"name": "José Müller"})[1:]
    mapping = {"id": "uuid", "changed": "updated_at", "name": {"field": "tags.name", "type": "text"}}
    assert to_sql(mapping=mapping)["changed"] == 2
    change_call(account, two, tags={"name": "😀"})
    with pytest.raises(TableNotWritten, match=f"call {two}, column name: .* has no equivalent in encoding"):
        to_sql(mapping=mapping)
    assert (
        to_sql(mapping={**mapping, "name": {"field": "tags.other", "type": "text"}}, max_rejects=1)["rejected"] == 0
    )
    assert warehouse.query("SELECT 1") == [["1"]]


@pytest.mark.parametrize(
    ("kind", "amount", "kept"),
    [
        ("INT", "22.5", "22.0"), ("DECIMAL(10,2)", "12.345", "12.340"), ("REAL", "12345.678", "12.5"),
        ("MONEY", "12.345", "12.34"), ("dollars", "12.345", "12.34"), ("NUMERIC(10)", "22.5", "22"),
    ],
)  # fmt: skip
def test_amounts_are_not_rounded(account, warehouse, kind, amount, kept):
    """A column that would round an amount refuses the call by name; an amount that it holds is loaded."""
    warehouse.query("DROP DOMAIN IF EXISTS dollars; CREATE DOMAIN dollars AS NUMERIC(10,2)")
    warehouse.query(f"CREATE TABLE calls (id TEXT PRIMARY KEY, changed TIMESTAMPTZ, amount {kind})")
    field = {"field": "tags.amount", "type": "decimal"}
    mapping = {"id": "uuid", "changed": "updated_at", "amount": field}
    uuid, _ = add_calls(account, 2, tags={"amount": kept})
    change_call(account, uuid, tags={"amount": amount})
    with pytest.raises(TableNotWritten, match=f"call {uuid}, column amount: .* would not hold '?{amount}") as failed:
        to_sql(mapping=mapping)
    assert failed.value.column == "amount"
    change_call(account, uuid, tags={"amount": kept})
    assert to_sql(mapping=mapping)["changed"] == 2


def test_calls_that_do_not_fit_are_left_out(account, warehouse, caplog):
    """With `max_rejects` the other calls are loaded, the result is not complete, and the log names those left out."""
    uuid, mapping = add_calls_with_one_too_large(account, "revenue")
    change_call(account, add_calls(account, 5, revenue=1)[0], total_duration="Infinity")
    warehouse.query(
        "CREATE TABLE calls (id TEXT PRIMARY KEY, changed TIMESTAMPTZ, caller TEXT, seconds BIGINT, "
        "revenue NUMERIC CHECK (revenue < 50), converted BOOLEAN, tags TEXT)"
    )
    with pytest.raises(TableNotWritten):
        to_sql(mapping=mapping, max_rejects=1)
    result = to_sql(mapping=mapping, max_rejects="2", batch_size=100)
    assert (result["rows"], result["rejected"], result["complete"]) == (305, 2, False)
    assert "the table cannot hold 2 calls, first call" in result["reason"]
    assert f"Left out: call {uuid}, column revenue: " in caplog.text
    assert warehouse.query("SELECT count(*) FROM calls") == [["303"]]


@pytest.mark.parametrize("key", ["TEXT", "UUID", "CHARACTER(64)"])
def test_a_number_of_a_deleted_target_stays(account, warehouse, key):
    """A window that is loaded again keeps the number that a call was sent to; another target's is not taken."""
    warehouse.query(
        f"CREATE TABLE calls (call_id {key} PRIMARY KEY, caller_phone TEXT, tracking_number TEXT, "
        "destination_number TEXT, campaign_id TEXT, publisher_id TEXT, call_duration INT, call_status TEXT, "
        "call_start_time TIMESTAMPTZ, call_answer_time TIMESTAMPTZ, call_end_time TIMESTAMPTZ, recording_url TEXT, "
        "call_metadata JSONB, call_updated_at TIMESTAMPTZ)"
    )
    targets = [account.target("Acme", number="+19195550123"), account.target("Bolt", number="+19195550124")]
    uuids = add_calls(account, 3, target_id=targets[0])
    to_sql()
    change_call(account, uuids[1], revenue=7)
    change_call(account, uuids[2], target_id=targets[1])
    for target in targets:
        account.delete_target(target)
    assert to_sql()["changed"] == 2
    assert dict(warehouse.query("SELECT trim(call_id::text), destination_number FROM calls")) == {
        uuids[0]: "+19195550123", uuids[1]: "+19195550123", uuids[2]: "",
    }  # fmt: skip


def as_user(warehouse, monkeypatch, *grants):
    """Let the connection `warehouse` be one of a user who has these privileges only."""
    warehouse.query(
        "DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'loader') THEN "
        "DROP OWNED BY loader; DROP ROLE loader; END IF; END $$; CREATE ROLE loader LOGIN; "
        "REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC; GRANT USAGE ON SCHEMA public TO loader"
    )
    for grant in grants:
        warehouse.query(f"GRANT {grant} TO loader")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**warehouse.connection(), "login": "loader"}))


CREATE = """CREATE TABLE calls (id TEXT PRIMARY KEY, changed TIMESTAMPTZ, caller TEXT, seconds INT, revenue NUMERIC,
    converted BOOLEAN, tags JSONB)"""
TEMPORARY = "TEMPORARY ON DATABASE postgres"
ALL = "SELECT, INSERT, UPDATE ON calls"


@pytest.mark.parametrize(
    ("grants", "named"),
    [
        ([ALL], r"permission denied to create temporary tables in database .postgres.\); let it .*temporary tables"),
        ([TEMPORARY, "SELECT ON calls"], r"may not load calls into table calls \(permission denied for table calls"),
        ([TEMPORARY, "SELECT, INSERT ON calls"], "may not load calls into table calls .*permission denied"),
        ([TEMPORARY, "INSERT, UPDATE ON calls"], "cannot be read .*permission denied"),
    ],
)
def test_missing_privileges_are_named_before_the_first_request(account, warehouse, monkeypatch, grants, named):
    """A user that may not create temporary tables, read, insert or update is told so, and nothing is sent."""
    warehouse.query(CREATE)
    as_user(warehouse, monkeypatch, *grants)
    with pytest.raises(InvalidArgument, match=named):
        to_sql(mapping=MAPPING)
    assert account.sent() == []
    as_user(warehouse, monkeypatch, TEMPORARY, ALL)
    add_calls(account, 3)
    assert to_sql(mapping=MAPPING)["changed"] == 3


@pytest.mark.parametrize(
    ("policies", "refused"),
    [
        ([], True),
        (["own ON calls FOR ALL USING (caller = '1')"], True),
        (["see ON calls FOR SELECT USING (true)", "add ON calls FOR INSERT WITH CHECK (true)"], True),
        (["all_ ON calls FOR ALL TO loader USING (true)", "not_ ON calls AS RESTRICTIVE USING (seconds < 5)"], True),
        (["all_ ON calls FOR ALL TO tests USING (true)"], True),
        (["all_ ON calls FOR ALL TO loader USING (true)"], False),
        (
            ["see ON calls FOR SELECT USING (true)", "add ON calls FOR INSERT WITH CHECK (true)",
             "set ON calls FOR UPDATE USING (true)"],
            False,
        ),
    ],
)  # fmt: skip
def test_row_level_security_is_named_before_the_first_request(account, warehouse, monkeypatch, policies, refused):
    """Policies that may hide or refuse calls are told as what they are; those that let all rows pass are harmless."""
    warehouse.query(f"{CREATE}; ALTER TABLE calls ENABLE ROW LEVEL SECURITY")
    as_user(warehouse, monkeypatch, TEMPORARY, ALL)
    for policy in policies:
        warehouse.query(f"CREATE POLICY {policy}")
    if not refused:
        add_calls(account, 3)
        assert [to_sql(mapping=MAPPING)["changed"] for _ in range(2)] == [3, 0]
        return
    with pytest.raises(InvalidArgument, match="Row-level security of table calls applies"):
        to_sql(mapping=MAPPING)
    assert account.sent() == []


@pytest.mark.parametrize(
    "name", ["retreaver_stage", "Retreaver_Stage", "retreaver_stage_2", "public.retreaver_stage"]
)
def test_a_table_may_be_called_like_the_stage(account, warehouse, name):
    """The temporary table of a batch never hides the table that is loaded."""
    uuids = add_calls(account, 3)
    assert to_sql(table=name, mapping=MAPPING)["changed"] == 3
    change_call(account, uuids[0], revenue=3)
    assert to_sql(table=name, mapping=MAPPING)["changed"] == 1
    quoted = ".".join(f'"{part}"' for part in name.split("."))
    assert warehouse.query(f"SELECT count(*) FROM {quoted}") == [["3"]]


def test_no_connection_is_open_while_pages_are_read(account, warehouse, monkeypatch):
    """With a server that ends idle connections at once and a slow Retreaver, all batches are written."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE",
        json.dumps({**warehouse.connection(), "extra": {"options": "-c idle_session_timeout=300ms"}}),
    )
    add_calls(account, 400)
    account.fault("/calls.json", method="GET", times=20, delay=0.5)
    assert to_sql(mapping=MAPPING, batch_size=100)["complete"]
    assert warehouse.query("SELECT count(*) FROM calls") == [["400"]]


def test_a_connection_that_is_ended_amid_a_batch_is_mended_by_a_retry(account, warehouse):
    """A backend that is terminated while it writes is no bad call: the error says that a retry writes the batch."""
    add_calls(account, 20)
    warehouse.query(
        CREATE + "; CREATE SEQUENCE ends; CREATE FUNCTION end_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF nextval('ends') = 5 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$; "
        "CREATE TRIGGER ended BEFORE INSERT ON calls FOR EACH ROW EXECUTE FUNCTION end_once()"
    )
    with pytest.raises(
        TableNotWritten, match=r"(terminating|closed the) connection .*The batch of 20 calls .* a retry"
    ) as failed:
        to_sql(mapping=MAPPING)
    assert (failed.value.uuid, failed.value.__context__) == (None, None)
    assert to_sql(mapping=MAPPING)["changed"] == 20


@pytest.mark.parametrize("waits", ["insert", "lock", "query"])
def test_a_statement_is_ended_when_the_task_is_told_to_stop(account, warehouse, caplog, capsys, waits):
    """A slow insert, a lock or a slow query: it ends at once, nothing of its batch is there, no session is left."""
    add_calls(account, 100)
    to_sql(batch_size=100)
    add_calls(account, 50)
    locked = threading.Event()
    work = partial(to_sql, batch_size=50)
    if waits == "insert":
        # For each row: only a batch with a new call waits.
        warehouse.query(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'; "
            "CREATE TRIGGER slow AFTER INSERT ON calls FOR EACH ROW EXECUTE FUNCTION wait()"
        )
    elif waits == "query":
        work = partial(_numbers_of, "SELECT '+19195550123' FROM pg_sleep(60)")
    else:
        holder = threading.Thread(target=_hold_lock, args=(warehouse, locked), daemon=True)
        holder.start()
        assert locked.wait(30)
    try:
        assert until_told_to_stop(4, work) is None
        assert "its statement was ended, and its transaction rolled back" in caplog.text + capsys.readouterr().out
        assert _others(warehouse, "pg_sleep" if waits == "query" else "calls") == []
    finally:
        warehouse.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LOCK TABLE%' "
            "AND pid <> pg_backend_pid()"
        )
    assert warehouse.query("SELECT count(*) FROM calls") == [["100"]]


def _numbers_of(sql):
    """Read a query's rows as the syncs of numbers do."""
    from airflow_provider_retreaver.operators.source_rows import sql_rows

    return list(sql_rows(sql, "warehouse", "The query", lambda _: None))


def _hold_lock(warehouse, locked):
    """Lock the table for a minute, in a session that the test ends."""
    threading.Timer(1, locked.set).start()
    with suppress(AssertionError):  # the test ends the session
        warehouse.query("BEGIN; LOCK TABLE calls; SELECT pg_sleep(60)")


def _others(warehouse, part):
    """Return what other sessions execute; the server needs a moment to notice that one has ended."""
    query = (
        "SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'active' AND query LIKE "
        f"'%{part}%' AND query NOT LIKE '%LOCK TABLE%'"
    )
    for _ in range(100):
        found = warehouse.query(query)
        if not found:
            break
        threading.Event().wait(0.05)
    return found


def test_a_refusal_by_a_trigger_names_the_call(account, warehouse):
    """A trigger that raises an error is about the call that it is raised for."""
    uuids = add_calls(account, 20)
    change_call(account, uuids[7], total_duration=999)
    warehouse.query(
        CREATE + "; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.seconds = 999 THEN "
        "RAISE EXCEPTION 'too long a call from (719) 522-0377'; END IF; RETURN NEW; END $$; "
        "CREATE TRIGGER refused BEFORE INSERT ON calls FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    with pytest.raises(TableNotWritten, match=f"call {uuids[7]}, column seconds: too long a call") as failed:
        to_sql(mapping=MAPPING)
    assert "522-0377" not in str(failed.value)


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
        (
            """CREATE TABLE calls (id TEXT PRIMARY KEY, changed DATE, caller TEXT, seconds INT, revenue NUMERIC,
            converted BOOLEAN, tags JSONB)""",
            "column changed is a date, and says which version",
        ),
        (
            """CREATE TABLE calls (id TEXT PRIMARY KEY, changed TIMESTAMPTZ, caller TEXT, seconds INT,
            revenue NUMERIC, converted BOOLEAN GENERATED ALWAYS AS (true) STORED, tags JSONB)""",
            "Table calls does not accept calls: .*column .converted",
        ),
        (
            """CREATE TABLE calls (id TEXT PRIMARY KEY, changed TIMESTAMPTZ, caller TEXT, seconds INT,
            revenue NUMERIC, converted BOOLEAN, tags JSONB,
            must TEXT NOT NULL, may TEXT NOT NULL DEFAULT '', n SERIAL)""",
            "Table calls needs a value in must, which",
        ),
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


def test_merged_manifests_are_what_the_operator_loads(account, warehouse, tmp_path):
    """Row by row, with tabs, quotes, NULs, restated calls, and a manifest that is loaded twice."""
    from airflow_provider_retreaver.domain.calls.fields import columns
    from airflow_provider_retreaver.transfers.warehouse import RetreaverMergeCallsOperator
    from tests.airflow.support.exports import export

    odd = {"note": 'tab\there, "quote" and \\\\N', "zero": "a\0b", "empty": ""}
    uuids = add_calls(account, 230, tags=odd, visitor_url="https://site.test/?q=\0,\n", revenue=22.5)
    destination = {"destination": f"file://{tmp_path}/calls", "format": "parquet", "start": START, "end": END}
    first = export(**destination)["manifest"]
    change_call(account, uuids[3], revenue=0.25, tags={"restated": "yes"}, caller_city="")
    second = export(**{**destination, "destination": f"file://{tmp_path}/again"})["manifest"]

    def merge(*manifests):
        operator = RetreaverMergeCallsOperator(
            task_id="merge", manifest=list(manifests), sql_conn_id="warehouse", table="merged"
        )
        return operator.execute({})

    assert merge(first, second)["changed"] == 460
    # The same calls again, and an older version: nothing is doubled, and nothing goes back.
    warehouse.query("DELETE FROM merged_manifests")
    assert merge(first)["loaded"] == [first]
    kinds = {
        "text": "text",
        "integer": "integer",
        "decimal": "decimal",
        "boolean": "boolean",
        "timestamp": "timestamp",
    }
    mapping = {
        name: {"field": name, "type": kinds[kind]} if kind in kinds else name
        for name, kind in columns("map").items()
        if kind != "json"
    }
    mapping |= {"id": mapping.pop("uuid")}
    to_sql(mapping=mapping, table="loaded")
    names = [name for name in mapping if name not in {"id", "target_group_id", "target_group_name", "number_name"}]
    chosen = ", ".join(sorted(names))
    [[differing]] = warehouse.query(
        f"SELECT count(*) FROM (SELECT uuid, {chosen} FROM merged EXCEPT SELECT id, {chosen} FROM loaded) AS rows"
    )
    assert (differing, warehouse.query("SELECT count(*) FROM merged")) == ("0", [["230"]])
    assert warehouse.query(f"SELECT revenue FROM merged WHERE uuid = '{uuids[3]}'") == [["0.250000"]]
    assert warehouse.query("SELECT count(*) FROM merged WHERE caller_city = ''") == [["1"]]


def test_a_table_of_another_shape_and_an_engine_that_fails(account, warehouse, tmp_path):
    """A column that would lose a part of values is refused; a failure after the COPY leaves nothing, a retry all."""
    from airflow_provider_retreaver.transfers.warehouse import RetreaverMergeCallsOperator
    from tests.airflow.support.exports import export

    add_calls(account, 3, revenue=22.5)
    path = export(destination=f"file://{tmp_path}/calls", format="parquet", start=START, end=END)["manifest"]

    def merge():
        operator = RetreaverMergeCallsOperator(
            task_id="merge", manifest=path, sql_conn_id="warehouse", table="merged"
        )
        return operator.execute({})

    assert merge()["changed"] == 3
    for column, kind, message in (
        ("updated_at", "DATE", "a date as its column updated_at"),
        ("revenue", "INTEGER", "an integer as its column revenue"),
    ):
        warehouse.query(f"DELETE FROM merged; ALTER TABLE merged ALTER {column} TYPE {kind} USING NULL")
        with pytest.raises(InvalidArgument, match=message):
            merge()
        warehouse.query(f"ALTER TABLE merged DROP {column}; ALTER TABLE merged ADD {column} TIMESTAMPTZ")
    warehouse.query("ALTER TABLE merged ALTER revenue TYPE NUMERIC(18, 6) USING NULL; TRUNCATE merged_manifests")
    warehouse.query("ALTER TABLE merged ADD CONSTRAINT none_yet CHECK (revenue < 0)")
    with pytest.raises(TableNotWritten, match=r"did not take the calls of .*none_yet.*Nothing of this manifest"):
        merge()
    assert warehouse.query("SELECT count(*) FROM merged_manifests") == [["0"]]
    warehouse.query("ALTER TABLE merged DROP CONSTRAINT none_yet")
    assert (merge()["changed"], merge()["skipped"]) == (3, [path])
    assert warehouse.query("SELECT count(*), sum(revenue) FROM merged") == [["3", "67.500000"]]


ODD_CALLS = [
    {"tags": {"source": "tv", "nested": {"a": [1, 2.5, None]}}},
    *({"tags": tags} for tags in (None, {}, [], "", 0, False, "text", [0])),
    {"connected": False, "forwarded_time": "2026-01-05T12:00:09Z"},
    {"connected": False, "forwarded_time": None},
    {"connected": False, "forwarded_time": ""},
    {"connected": True, "forwarded_time": "2026-01-05T12:00:09.123-05:00"},
    {"target_id": 999, "system_target_id": None, "total_duration": "61", "status": "Busy", "dialed_number": 5},
    {"visitor_url": 'https://shop.test/?a=1&b="\\\t\u2028\U0001f600', "caller_city": "Zürich", "new": {"uuid": "x"}},
    {"visitor_url": "a\0b", "caller": "\0"},
    {"revenue": 1e-7, "payout": 1e22, "fired_pixels": [{"fired_pixel": {"id": 2**70, "revenue": 0.1}}]},
    {"campaign": {"id": 7, "name": "x" * 5_000}, "keys_pressed": []},
    {"retreaver_tags": {"a": 1}, "tags": {"b": 2}},
    {"other": [1], "connected": False, "forwarded_time": "2026-01-05T12:00:09Z"},
]
NAMES = [
    "call_id", "caller_phone", "tracking_number", "destination_number", "campaign_id", "publisher_id",
    "call_duration", "call_status", "call_start_time", "call_answer_time", "call_end_time", "recording_url",
    "call_metadata", "call_updated_at",
]  # fmt: skip


class Read(list):
    """An export that has been read: its pages."""

    completeness = None


@pytest.mark.parametrize("last", ["{}", '{"new": 1e400}', '{"new": 1e999999}'], ids=["all", "large", "refused"])
def test_what_postgresql_makes_of_a_call_is_what_is_made_here(cluster, warehouse, last):
    """Rows whose JSON the server makes are those that are made here for a column that is no JSONB, and stay so.

    A batch with a number that the server refuses is made here as well.
    """
    import psycopg2

    kinds = {"call_id": "TEXT PRIMARY KEY", "call_duration": "BIGINT", "call_metadata": "JSON"}
    types = {name: kinds.get(name, "TIMESTAMPTZ" if name.endswith(("_time", "_at")) else "TEXT") for name in NAMES}
    warehouse.query(f"CREATE TABLE here ({', '.join(f'{name} {kind}' for name, kind in types.items())})")
    version = {"updated_at": "2026-01-05T12:00:00Z", "start_time": "2026-01-05T07:00:00.25-05:00"}
    raws = [
        json.dumps({"uuid": f"{place:02}", **version, **fields}).encode() for place, fields in enumerate(ODD_CALLS)
    ]
    if last != "{}":
        raws.append(b'{"uuid": "z", "updated_at": "2026-01-05T12:00:00Z", ' + last[1:].encode())
    page = CallPage([CallKeys(f"{place:02}") for place in range(len(raws))], [msgspec.Raw(raw) for raw in raws])
    connect = partial(psycopg2.connect, host="127.0.0.1", port=cluster.port, user="tests", dbname="postgres")
    columns = warehouse_columns({"31": "+14155550031"}.get)

    def load(name):
        table = CallTable(Database(connect, POSTGRESQL), name, columns)
        table.prepare(create=True)
        return Loading(table, columns, None, 1_000).all_of(Read([page]))

    there, here = load("calls"), load("here")
    assert there == here
    assert (there["changed"], there["replaced"]) == (len(raws), 2)
    listed = ", ".join(name for name in NAMES if name != "call_metadata")
    if last != '{"new": 1e400}':  # which the server keeps as a number, and which is made a text here
        assert warehouse.query(
            f"SELECT {listed}, call_metadata FROM calls EXCEPT SELECT {listed}, call_metadata::jsonb FROM here"
        ) == []  # fmt: skip
    assert warehouse.query("SELECT count(*) FROM calls WHERE call_metadata ? 'forwarded_time'") == [["3"]]
    assert load("calls")["changed"] == 0


def test_a_whole_call_that_does_not_fit_is_named(account, warehouse):
    """A batch with a call that the table refuses is read as a whole, and the call is named as always."""
    uuids = add_calls(account, 3)
    kind = "JSONB CHECK (length(call::text) < 100000)"
    warehouse.query(f"CREATE TABLE calls (id TEXT PRIMARY KEY, changed TIMESTAMPTZ, call {kind})")
    mapping = {"id": "uuid", "changed": "updated_at", "call": "*"}
    assert to_sql(mapping=mapping)["changed"] == 3
    change_call(account, uuids[1], visitor_url="x" * 200_000)
    with pytest.raises(TableNotWritten, match=f"does not accept call {uuids[1]}, column call: .*check constraint"):
        to_sql(mapping=mapping)
    assert to_sql(mapping=mapping, max_rejects=1)["rejected"] == 1


@pytest.mark.parametrize("seed", range(12))
def test_the_upsert_by_sqlalchemy(cluster, seed):
    """Whatever the order of versions within and between batches: rows and their values are those of SQLAlchemy."""
    import psycopg2

    engine = sa.create_engine(f"postgresql+psycopg2://tests@127.0.0.1:{cluster.port}/postgres")
    connect = partial(psycopg2.connect, host="127.0.0.1", port=cluster.port, user="tests", dbname="postgres")
    try:
        check(Database(connect, POSTGRESQL), engine, random_batches(seed))
    finally:
        engine.dispose()
