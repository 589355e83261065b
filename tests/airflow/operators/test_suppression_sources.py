"""Sources of suppression syncs, and parameters that are refused before the first request."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging

import pytest

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from tests.airflow.support.suppression import (
    attempt_context,
    create_warehouse,
    nonzero_counts,
    phone_numbers,
    suppressed,
    sync,
)

pytestmark = pytest.mark.airflow


def file_of(folder, name, content):
    """Write a file and return its URL."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return f"file://{path}"


CSV = "name,phone\n" + "".join(f"Caller,{number}\n" for number in phone_numbers(60))


@pytest.mark.parametrize(
    ("name", "content", "how"),
    [
        ("dnc.csv", CSV, {"column": "phone"}),
        ("dnc.csv.gz", gzip.compress(CSV.encode()), {"column": "phone"}),
        ("dnc.csv", CSV.encode("utf-8-sig"), {"column": "phone"}),
        ("dnc.csv", CSV.encode("utf-16"), {"column": "phone", "encoding": "utf-16"}),
        (
            "dnc.jsonl",
            "".join(json.dumps({"phone": number}) + "\n" for number in phone_numbers(60)),
            {"column": "phone"},
        ),
        ("dnc.txt.gz", gzip.compress("\n".join(phone_numbers(60)).encode()), {}),
        ("dnc.dat", "\n".join(phone_numbers(60)), {"source_format": "txt"}),
    ],
)
def test_files_of_all_kinds(account, tmp_path, name, content, how):
    """Files of each format are read, compressed or not."""
    result = sync(source=file_of(tmp_path, name, content), **how)
    assert nonzero_counts(result) == {"added": 60}
    assert suppressed(account) == dict.fromkeys(phone_numbers(60), (False, None))


@pytest.mark.parametrize(
    "numbers",
    [
        phone_numbers(3),
        tuple(phone_numbers(3)),
        ", ".join(phone_numbers(3)),
        repr(phone_numbers(3)),
        json.dumps(phone_numbers(3)),
    ],
)
def test_lists_of_all_kinds(account, numbers):
    """A list, a text with commas and a rendered list have the same result."""
    assert nonzero_counts(sync(numbers=numbers)) == {"added": 3}
    assert set(suppressed(account)) == set(phone_numbers(3))


def test_a_query_is_read_in_chunks(account, tmp_path, monkeypatch):
    """A query runs on any SQL connection; `column` is needed where there are several."""
    connection = create_warehouse(
        tmp_path, ["(919) 200-0000", "9192000001", None, "9192000001", *phone_numbers(40, 2)]
    )
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    query = {"sql_conn_id": "warehouse", "sql": "SELECT phone FROM do_not_call"}
    result = sync(**query)
    assert nonzero_counts(result) == {"added": 42, "rejected": 1, "duplicates": 1}
    assert set(suppressed(account)) == set(phone_numbers(42))
    named = sync(sql_conn_id="warehouse", sql="SELECT id, phone FROM do_not_call", column="phone")
    assert nonzero_counts(named) == {"unchanged": 42, "rejected": 1, "duplicates": 1}
    with pytest.raises(InvalidArgument, match=r"several columns.*id, phone"):
        sync(sql_conn_id="warehouse", sql="SELECT id, phone FROM do_not_call")


def test_a_query_that_fails_after_half_the_rows_sends_nothing(account, tmp_path, monkeypatch):
    """A source is read completely before anything is sent."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(create_warehouse(tmp_path, phone_numbers(25_000))))
    broken = "SELECT CASE WHEN id > 15000 THEN abs(-9223372036854775808) ELSE phone END AS phone FROM do_not_call"
    with pytest.raises(Exception, match="integer overflow"):
        sync(sql_conn_id="warehouse", sql=broken)
    assert account.sent() == []


TRUNCATED = gzip.compress(CSV.encode())[:-20]


@pytest.mark.parametrize(
    ("name", "content", "how", "message"),
    [
        ("dnc.csv.gz", TRUNCATED, {"column": "phone"}, "cut off"),
        ("dnc.csv", CSV, {"column": "telephone"}, "name, phone"),
        ("dnc.csv", CSV.encode("utf-16"), {"column": "phone"}, "encoding"),
        ("dnc.csv", "name\nM\u00fcller\n".encode("cp1252"), {}, "encoding"),
        ("dnc.csv", "\n".join(phone_numbers(60)), {}, "header"),
        ("dnc.jsonl", '{"phone": "1', {}, "cut off"),
        ("dnc.xlsx", b"PK", {}, "source_format"),
    ],
)
def test_with_an_unreadable_file_nothing_is_sent(account, tmp_path, name, content, how, message):
    """The error names the fault, and the task is not retried."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    with pytest.raises(InvalidArgument, match=message) as error:
        sync(source=file_of(tmp_path, name, content), **how)
    assert isinstance(error.value, AirflowFailException)
    assert account.sent() == []


@pytest.mark.parametrize("content", ["", "phone\n", "\ufeffphone\n"])
def test_an_empty_file_removes_no_numbers(account, tmp_path, content):
    """An empty file and one with only a header are refused; with `allow_empty`, `max_removals` still applies."""
    sync(numbers=phone_numbers(30))
    before = len(account.sent())
    source = file_of(tmp_path, "dnc.csv", content)
    for mode in ("mirror", "add", "remove"):
        with pytest.raises(ChangeRefused, match="allow_empty"):
            sync(source=source, mode=mode)
    assert len(account.sent()) == before
    with pytest.raises(ChangeRefused, match="30 of 30 suppressed numbers would be removed"):
        sync(source=source, allow_empty=True)
    assert len(suppressed(account)) == 30
    assert nonzero_counts(sync(source=source, allow_empty=True, max_removals=None)) == {"removed": 30}
    assert suppressed(account) == {}


def test_rejected_values_are_saved_and_logged_masked(account, tmp_path, caplog, capsys):
    """The file has line, value and reason; the log has some of them, masked."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    values = [*phone_numbers(60), "+191920000001234", "nobody", "919200", '=HYPERLINK("http://x.test")']
    with caplog.at_level(logging.DEBUG):
        result = sync(attempt_context(), numbers=values, state_path=str(tmp_path), max_rejects="10%")
    assert nonzero_counts(result) == {"added": 60, "rejected": 4, "unreadable": 4}
    rows = list(csv.reader(io.StringIO(ObjectStoragePath(result["rejects"]).read_text())))
    assert rows == [
        ["line", "value", "reason"],
        ["61", "+191920000001234", "too long"],
        ["62", "nobody", "not a phone number"],
        ["63", "919200", "too short"],
        ["64", '\'=HYPERLINK("http://x.test")', "not a phone number"],
    ]
    # Airflow 2 and 3 write the log of an operator to different places.
    messages = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    text = "\n".join([*messages, *(line for line in capsys.readouterr().out.splitlines() if "uvicorn" not in line)])
    assert "line 61 (+1…34): too long" in text
    assert not any(number[2:] in text for number in values[:61])
    with pytest.raises(ChangeRefused, match=r"4 of 64 values.*max_rejects allows 2"):
        sync(numbers=values, max_rejects=2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "exactly one of source, sql and numbers"),
        ({"numbers": phone_numbers(1), "source": "file:///x.csv"}, "exactly one of"),
        ({"sql": "SELECT 1"}, "sql_conn_id"),
        ({"numbers": phone_numbers(1), "sql_conn_id": "warehouse"}, "sql_conn_id"),
        ({"numbers": phone_numbers(1), "column": "phone"}, "column"),
        ({"numbers": phone_numbers(1), "source_format": "csv"}, "source_format"),
        ({"numbers": {"a": 1}}, "numbers"),
        ({"numbers": phone_numbers(1), "mode": "replace"}, "mode"),
        ({"numbers": phone_numbers(1), "can_resubscribe": None}, "can_resubscribe"),
        ({"numbers": phone_numbers(1), "can_resubscribe": "perhaps"}, "can_resubscribe"),
        ({"numbers": phone_numbers(1), "campaign_id": " "}, "campaign_id"),
        ({"numbers": phone_numbers(1), "only_ours": True}, "state_path"),
        ({"numbers": phone_numbers(1), "default_region": "ZZ"}, "default_region"),
        ({"numbers": phone_numbers(1), "max_removals": "few"}, "max_removals"),
        ({"numbers": phone_numbers(1), "max_rejects": "few"}, "max_rejects"),
        ({"numbers": phone_numbers(1), "max_failures": -1}, "max_failures"),
        ({"numbers": phone_numbers(1), "max_failures": 10_001}, "max_failures"),
        ({"numbers": phone_numbers(1), "allow_empty": "maybe"}, "allow_empty"),
        ({"numbers": phone_numbers(1), "dry_run": "maybe"}, "dry_run"),
        ({"source": "file:///nowhere/dnc.csv"}, "no file"),
        ({"sql": "SELECT 1", "sql_conn_id": "web"}, "not a SQL connection"),
    ],
)
def test_an_invalid_parameter_is_refused(account, monkeypatch, parameters, message):
    """The error names the parameter; nothing is sent."""
    monkeypatch.setenv("AIRFLOW_CONN_WEB", "http://127.0.0.1:1")
    with pytest.raises(InvalidArgument, match=message):
        sync(**parameters)
    assert account.sent() == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({}, "state_path.*legacy"), ({"campaign_id": "roof", "state_path": "x"}, "campaign_id")],
)
def test_parameters_that_the_legacy_routes_do_not_support_are_refused(account, monkeypatch, parameters, message):
    """Without a listing a record is needed, and campaigns are not possible."""
    connection = account.connection(extra={"api_routes": "legacy"})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    with pytest.raises(InvalidArgument, match=message):
        sync(numbers=phone_numbers(1), **parameters)
    assert account.sent() == []


def test_can_resubscribe_has_no_default():
    """Retreaver's default would let callers unblock themselves, so the parameter is required."""
    from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator

    with pytest.raises(Exception, match="can_resubscribe"):
        RetreaverSuppressionSyncOperator(task_id="sync", mode="add", numbers=phone_numbers(1))
