"""The operator of call data writing: sources, outcomes, guards, retries, and reading back."""

from __future__ import annotations

import csv
import json
import logging
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    InvalidArgument,
    PartialFailure,
    Unavailable,
)
from airflow_provider_retreaver.operators.calls import RetreaverWriteCallDataOperator
from airflow_provider_retreaver.sandbox.options import RTB_KEY, WRITING_KEY
from tests.airflow.support.account import StateStore, context_of

pytestmark = pytest.mark.airflow
CALLER = "+19195550100"
UNKNOWN = "2f1d3c4b-0000-4000-8000-00000000000f"


@pytest.fixture
def writing(account, monkeypatch):
    """Provide an account whose connection has a key of call data writing."""
    extra = {"max_wait": 0, "postback_key": WRITING_KEY, "max_concurrency": 2}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
    return account


def add_calls(account, count, **fields):
    """Add calls and return their UUIDs."""
    given = {"count": count, "fields": {"tags": {}, **fields}}
    return account._control("POST", "calls", given)["uuids"]


def tags(account, uuid):
    """Return the tags of a call."""
    return account._handle("GET", f"/api/v2/calls/{uuid}.json")["call"]["tags"]


def lines_of(path):
    """Return the rows of a csv file of a run."""
    with Path(path.removeprefix("file://")).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(context=None, **parameters):
    """Execute the operator, and return its result as XCom keeps it."""
    operator = RetreaverWriteCallDataOperator(task_id="write", **parameters)
    return json.loads(json.dumps(operator.execute({} if context is None else context)))


def counts(result):
    """Return the counts of a result that are not 0."""
    return {name: value for name, value in result.items() if isinstance(value, int) and value}


def sent(account):
    """Return the bodies of the writes."""
    return [json.loads(entry["body"]) for entry in account.entries() if entry["path"] == "/data_writing"]


@pytest.mark.parametrize("by", ["call_uuid", "caller_number"])
def test_one_call(writing, by):
    """One call by its UUID or its caller; no number stands in the URL."""
    (uuid,) = add_calls(writing, 1, caller=CALLER)
    value = uuid if by == "call_uuid" else "(919) 555-0100"
    result = write(**{by: value}, tags="{'sale': 'yes', 'amount': Decimal('12.50')}")
    assert counts(result) == {"applied": 1, "rows": 1}
    assert tags(writing, uuid) == {"sale": "yes", "amount": "12.50"}
    (entry,) = [entry for entry in writing.entries() if entry["path"] == "/data_writing"]
    assert (entry["method"], [name for name, _ in entry["query"]]) == ("POST", ["key"])


def test_stored_is_not_applied(writing):
    """An unknown call and a running one are told apart from an applied one; numbers in the result are masked."""
    running, done = add_calls(writing, 1, status="in-progress")[0], add_calls(writing, 1)[0]
    rows = [{"call_uuid": one, "sale": "yes"} for one in (running, done)] + [{"caller_number": CALLER, "sale": "no"}]
    result = write(rows=rows, columns=["sale"])
    assert counts(result) == {"applied": 1, "stored": 2, "rows": 3}
    assert [row["outcome"] for row in result["not_applied"]] == ["stored"] * 2
    assert CALLER not in json.dumps(result)
    assert running in json.dumps(result)


def test_values_of_drivers(writing):
    """Times, decimals and truth values have one spelling; blanks are left out; every row has the fixed tags."""
    (uuid,) = add_calls(writing, 1)
    row = {
        "id": UUID(uuid),
        "amount": Decimal("10.50"),
        "count": 3.0,
        "won": True,
        "at": datetime(2026, 1, 2, 3, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "note": " ",
        "nothing": None,
        "nan": float("nan"),
        "e-mail": "a@example.com",
    }
    columns = {name: f"crm_{name}" for name in row if name not in {"id", "e-mail"}}
    write(rows=[row], columns=columns, call_uuid_column="id", tags={"source": "crm"})
    assert tags(writing, uuid) == {
        "source": "crm",
        "crm_amount": "10.50",
        "crm_count": "3",
        "crm_won": "true",
        "crm_at": "2026-01-02T03:00:00+00:00",
        "crm_day": "2026-01-02",
    }


def test_rows_of_one_call_become_one_request(writing, caplog, capsys):
    """A later row overwrites an earlier one, however the call is written."""
    (uuid,) = add_calls(writing, 1)
    rows = [
        {"call_uuid": uuid, "sale": "yes", "lead": "1"},
        {"call_uuid": f" {uuid.upper()}", "sale": "no", "lead": None},
    ]
    result = write(rows=rows, columns=["sale", "lead"])
    assert counts(result) == {"applied": 1, "rows": 2, "duplicates": 1}
    assert sent(writing) == [{"call_uuid": uuid, "sale": "no", "lead": "1"}]
    assert "1 tags have another value in a later row" in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize("kind", ["csv", "csv;", "jsonl", "sql"])
def test_sources(writing, tmp_path, monkeypatch, kind):
    """Files and queries; a row without a UUID is written by its caller; invalid rows are in a file."""
    (uuid,) = add_calls(writing, 1)
    add_calls(writing, 1, caller=CALLER)
    rows = [(uuid, "", "12.50"), ("", CALLER, "7"), ("", "junk", "1"), (UNKNOWN, "", ""), ("lead-7", "", "1")]
    names = ("Call ID", "Caller", "Amount")
    if kind == "sql":
        with closing(sqlite3.connect(tmp_path / "crm.db")) as database, database:
            database.execute('CREATE TABLE sales ("Call ID", Caller, Amount)')
            database.executemany("INSERT INTO sales VALUES (?, ?, ?)", rows)
        monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "crm.db")}))
        given = {"sql": "SELECT * FROM sales", "sql_conn_id": "crm"}
    else:
        path = tmp_path / f"sales.{kind.rstrip(';')}"
        lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
        if kind != "jsonl":
            lines = [(kind[3:] or ",").join(row) for row in (names, *rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
        given = {"source": f"file://{path}"}
    result = write(
        context_of(),
        **given,
        columns={"Amount": "amount"},
        call_uuid_column="Call ID",
        caller_number_column="Caller",
        max_rejects=None,
        state_path=f"file://{tmp_path}/state",
    )
    assert counts(result) == {"applied": 2, "rows": 5, "rejected": 3}
    assert tags(writing, uuid) == {"amount": "12.50"}
    assert [row["value"] for row in lines_of(result["rejects"])] == ["junk", UNKNOWN, "lead-7"]
    found = [(row["call"], row["outcome"]) for row in lines_of(result["outcomes"])]
    assert found == [(CALLER, "applied"), (uuid, "applied")]


ROW = {"call_uuid": UNKNOWN, "sale": "yes"}
REFUSED = [
    ({}, "exactly one of call_uuid, caller_number, rows, source, sql, not none"),
    ({"call_uuid": UNKNOWN, "rows": [ROW]}, "not call_uuid and rows"),
    ({"call_uuid": UNKNOWN}, "tags is empty"),
    ({"call_uuid": "lead-7", "tags": {"a": 1}}, "'lead-7' is not the UUID of a call"),
    ({"call_uuid": str(UUID(int=0)), "tags": {"a": 1}}, "neither a call nor a caller"),
    ({"caller_number": "soon", "tags": {"a": 1}}, "the caller's number is"),
    ({"call_uuid": UNKNOWN, "tags": {f"k{n}": n for n in range(101)}}, "holds 101 tags"),
    ({"call_uuid": UNKNOWN, "tags": {"key": 1}}, "'key' is no key of a tag"),
    ({"rows": [ROW]}, "columns must say which columns are tags"),
    ({"rows": [ROW], "columns": ["sael"]}, "did you mean 'sale'"),
    ({"rows": [ROW], "columns": {"sale": "x", "call_uuid": "x"}}, "one tag to two columns"),
    ({"rows": [ROW], "columns": ["sale"], "tags": {"sale": "x"}}, "both have the tag 'sale'"),
    ({"rows": [ROW], "columns": ["sale"], "call_uuid_column": "uuid"}, "neither the column 'uuid'"),
    ({"rows": "none", "columns": ["sale"]}, "rows must be a list of mappings"),
    ({"rows": [1], "columns": ["sale"]}, "one of its items is none"),
    ({"sql": "SELECT 1", "columns": ["sale"]}, "sql and sql_conn_id belong together"),
    ({"rows": [ROW], "columns": ["sale"], "max_failures": -1}, "max_failures"),
    ({"rows": [ROW], "columns": ["sale"], "verify_after": "soon"}, "verify_after"),
    ({"source": "file:///nowhere/sales.csv", "columns": ["sale"]}, "There is no file"),
    ({"source": "file:///nowhere/sales.txt", "source_format": "xml", "columns": ["sale"]}, "source_format must be"),
]


@pytest.mark.parametrize(("parameters", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_bad_input_is_refused_before_the_first_request(writing, parameters, message):
    """Every mistake is named, fails the task at once, and sends nothing."""
    with pytest.raises(InvalidArgument, match=message) as raised:
        write(**parameters)
    assert isinstance(raised.value, AirflowFailException)
    assert writing.sent() == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "call_uuid,sale,sale\n", "has the column 'sale' twice"),
        ("a.jsonl", '{"call_uuid": "x", "sale"\n', "is not JSON"),
        ("a.csv", 'call_uuid,sale\n"x', "is not valid csv"),
        ("a.txt", "x\n", "no csv or jsonl file"),
        ("a.csv", "uuid,sale\n", "neither the column"),
    ],
)
def test_damaged_files_are_refused(writing, tmp_path, name, content, message):
    """A file that cannot be read as rows sends nothing."""
    (tmp_path / name).write_text(content)
    with pytest.raises(InvalidArgument, match=message):
        write(source=f"file://{tmp_path}/{name}", columns=["sale"])
    assert writing.sent() == []


def test_guards(writing, caplog, capsys):
    """Too many rows, and too many invalid ones, are refused; a dry run says so and counts."""
    rows = [ROW, {**ROW, "call_uuid": "junk"}]
    with pytest.raises(ChangeRefused, match="7 of 8 rows") as raised:
        write(rows=[ROW, *rows[1:] * 7], columns=["sale"])
    assert str(raised.value).count("line ") == 5, "the first ones are named"
    with pytest.raises(ChangeRefused, match=r"more rows than max_rows allows \(1\)"):
        write(rows=rows, columns=["sale"], max_rows="1")
    with pytest.raises(ChangeRefused, match="1 of 2 rows of The list of rows cannot be written"):
        write(rows=rows, columns=["sale"])
    result = write(rows=rows, columns=["sale"], max_rows=1, dry_run="True")
    assert result == {"would_write": 1, "rows": 2, "rejected": 1, "duplicates": 0, "dry_run": True}
    assert "Without dry_run this would be refused" in caplog.text + capsys.readouterr().out
    assert writing.sent() == []


def test_an_empty_source_is_no_mistake(writing):
    """A day without sales writes nothing."""
    assert counts(write(rows="[]", columns=["sale"], verify_after=1)) == {}
    assert writing.sent() == []


def test_refused_rows_are_reported(writing):
    """A row that Retreaver refuses is counted; more than max_failures end the task."""
    uuids = add_calls(writing, 5)
    rows = [{"call_uuid": uuid, "sale": "yes"} for uuid in uuids]
    writing.fault("/data_writing", status=422)
    result = write(rows=rows, columns=["sale"])
    assert counts(result) == {"applied": 4, "failed": 1, "rows": 5}
    assert "422" in result["not_applied"][0]["reason"]
    writing.fault("/data_writing", status=422, times=2)
    with pytest.raises(PartialFailure, match="No retry mends this") as raised:
        write(rows=rows, columns=["sale"], max_failures=0)
    assert isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize("keep", ["store", "file"])
def test_a_retry_sends_only_what_is_left(writing, tmp_path, keep):
    """What was sent stays sent, in whatever order the source comes; a cleared task starts over."""
    uuids = add_calls(writing, 7)
    rows = [{"call_uuid": uuid, "sale": "yes"} for uuid in uuids]
    context = context_of(**({"task_state_store": StateStore()} if keep == "store" else {}))
    given = {"columns": ["sale"], **({"state_path": f"file://{tmp_path}"} if keep == "file" else {})}
    writing.fault("/data_writing", delay=0.001, times=4)
    writing.fault("/data_writing", status=503, times=2)
    with pytest.raises(Unavailable):
        write(context, rows=rows, **given)
    assert counts(context["ti"].pushed["return_value"]) == {"applied": 4, "failed": 2, "rows": 7}
    assert counts(write(context, rows=rows[::-1], **given)) == {"applied": 7, "rows": 7}
    written = Counter(body["call_uuid"] for body in sent(writing))
    assert sorted(written.values()) == [1, 1, 1, 1, 1, 2, 2], "the two that were answered with 503 came again"
    write(context, rows=rows[:1], **given)
    assert len(sent(writing)) == 10


def test_a_changed_source_is_written_again(writing, caplog):
    """An attempt that finds another source than the one before says so, and writes all of it."""
    uuids, context = add_calls(writing, 4), context_of(task_state_store=StateStore())
    rows = [{"call_uuid": uuid, "sale": "yes"} for uuid in uuids]
    writing.fault("/data_writing", status=503, times=2)
    with pytest.raises(Unavailable):
        write(context, rows=rows, columns=["sale"])
    result = write(context, rows=[*rows, {"call_uuid": UNKNOWN, "sale": "no"}], columns=["sale"])
    assert counts(result) == {"applied": 4, "stored": 1, "rows": 5}
    assert "The source has changed" in caplog.text


def test_a_lost_answer_is_sent_again(writing, account, monkeypatch):
    """The same keys get the same values, so the client repeats the write by itself."""
    connection = account.connection(extra={"postback_key": WRITING_KEY, "max_wait": 2})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    (uuid,) = add_calls(writing, 1)
    writing.fault("/data_writing", cut=True)
    assert counts(write(call_uuid=uuid, tags={"sale": "yes"})) == {"applied": 1, "rows": 1}


def test_a_key_of_another_type(writing, account, monkeypatch, caplog, capsys):
    """The error names the type that is needed, not the key, and nothing more is sent."""
    connection = account.connection(extra={"postback_key": RTB_KEY, "max_concurrency": 1})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    with caplog.at_level(logging.DEBUG), pytest.raises(AuthenticationError, match="Call Data Writing") as raised:
        write(rows=[ROW, {"caller_number": CALLER, "sale": "x"}], columns=["sale"])
    assert isinstance(raised.value, AirflowFailException)
    assert len(sent(writing)) == 1
    logged = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn"))
    for secret in (RTB_KEY, CALLER):
        assert secret not in logged + capsys.readouterr().out + str(raised.value)


def test_reading_back(writing, tmp_path):
    """What was applied shows; what was stored is named with its tags; a later call of the caller counts."""
    (uuid,) = add_calls(writing, 1)
    add_calls(writing, 2, caller=CALLER)
    rows = [
        {"call_uuid": uuid, "sale": "yes", "amount": 1},
        {"call_uuid": UNKNOWN, "sale": "yes", "amount": 2},
        {"caller_number": CALLER, "sale": "no", "amount": 3},
        {"caller_number": "+19195550111", "sale": "no", "amount": 3},
    ]
    given = {
        "columns": ["sale", "amount"],
        "state_path": f"file://{tmp_path}",
        "verify_after": timedelta(seconds=0.1),
    }
    result = write(context_of(), rows=rows, **given)
    assert counts(result) == {"applied": 2, "stored": 2, "rows": 4, "verified": 2, "missing": 2}
    assert {tuple(row["tags"]) for row in result["missing_tags"]} == {("sale", "amount")}
    assert "+19195550111" not in json.dumps(result)
    assert {row["call"] for row in lines_of(result["not_shown"])} == {UNKNOWN, "+19195550111"}


def test_a_deferred_reading_back_writes_nothing_again(writing):
    """The triggerer waits; a failed reading is repeated by a retry, and the writes are not."""
    (uuid,), context = add_calls(writing, 1), context_of(task_state_store=StateStore())
    given = {"rows": [{"call_uuid": uuid, "sale": "yes"}], "columns": ["sale"], "deferrable": True}
    with pytest.raises(TaskDeferred) as deferred:
        write(context, **given, verify_after=0.3)
    assert (deferred.value.method_name, context["ti"].pushed) == ("execute_complete", {})
    until = datetime.fromisoformat(deferred.value.trigger.until)
    assert until - datetime.now(UTC) < timedelta(seconds=0.3)
    writing.fault("/api/v2/calls", status=500)
    operator = RetreaverWriteCallDataOperator(task_id="write", **{**given, "deferrable": False}, verify_after=0.3)
    with pytest.raises(Unavailable):
        operator.execute_complete(context, {"status": "due"})
    assert counts(operator.execute(context)) == {"applied": 1, "rows": 1, "verified": 1}
    assert len(sent(writing)) == 1


def test_without_a_place_for_the_progress_the_worker_waits(writing, caplog, capsys):
    """A deferral would forget what was written."""
    (uuid,) = add_calls(writing, 1)
    result = write(call_uuid=uuid, tags={"sale": "yes"}, deferrable=True, verify_after=0.05)
    assert counts(result) == {"applied": 1, "rows": 1, "verified": 1}
    assert "The worker waits" in caplog.text + capsys.readouterr().out


def test_the_legacy_call_log_has_no_tags(writing, account, monkeypatch):
    """Reading back is refused before anything is sent."""
    connection = account.connection(extra={"postback_key": WRITING_KEY, "api_routes": "legacy"})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    with pytest.raises(InvalidArgument, match="verify_after needs the current routes"):
        write(call_uuid=UNKNOWN, tags={"sale": "yes"}, verify_after=1)
    assert writing.sent() == []
