"""A call that is odd does not end an export with a bare error: it is written, or named with what is wrong."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_retreaver.core.errors import PartialFailure, ProtocolError
from airflow_provider_retreaver.core.phone_text import decode
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator
from tests.airflow.support.exports import END, START, Calls, contents, export, manifest_of, tree

pytestmark = pytest.mark.airflow

# Shorter than an hour: one page is asked for.
WINDOW = {"start": "2026-01-05T12:00:00Z", "end": "2026-01-05T12:30:00Z"}
AT = '"created_at":"2026-01-05T12:10:00Z","updated_at":"2026-01-05T12:20:00Z"'
HEALTHY = f'{{"uuid":"call-a",{AT},"caller":"+19195550123","tags":{{"a":"b"}}}}'
FORMATS = ("jsonl", "csv", "parquet")


def levels(number: int) -> str:
    """Return a value that is nested so deeply."""
    return '{"a":' * number + "1" + "}" * number


@pytest.fixture
def odd(account):
    """Return a function that lets the log hold a healthy call and one with the given fields, as JSON."""

    def log_of(fields: str, at: str = AT) -> None:
        page = f'[{{"call":{HEALTHY}}},{{"call":{{"uuid":"call-x",{at},{fields}}}}}]'
        account.fault("/calls.json", method="GET", times=20, status=200, body=page)

    return log_of


def uuids(result: dict, format_: str) -> list[str]:
    """Return the uuids in the files of an export."""
    (data,) = contents(result)
    if format_ == "jsonl":
        return [json.loads(line, parse_int=str)["uuid"] for line in data.splitlines()]
    if format_ == "csv":
        return [row["uuid"] for row in csv.DictReader(io.StringIO(data.decode(), newline=""))]
    from pyarrow import parquet

    found: list[str] = parquet.read_table(io.BytesIO(data)).column("uuid").to_pylist()
    return found


ODD = {
    "a year 0": '"start_time":"0000-01-01T00:00:00Z"',
    "the last moment": '"start_time":"9999-12-31T23:59:59-05:00"',
    "an exponent": '"revenue":1e999999999',
    "an integer of many digits": f'"total_duration":{"7" * 5_000}',
    "infinity": '"total_duration":"Infinity"',
    "levels": f'"tags":{{"a":{levels(300)}}}',
    "an amount of too many digits": '"revenue":1234567890123456.5',
    "a list": '"status":["finished"]',
    "an unfinished address": '"visitor_url":"http://[::1"',
    "half an emoji": '"tags":{"t":"\\ud83d"}',
    "U+0000": '"tags":{"t":"a\\u0000b"}',
    "an undocumented number": '"novel":1e999999999',
    "many levels of an undocumented field": f'"novel":{levels(400)}',
}


# What typed columns cannot hold; JSON lines and CSV take every value.
NOT_TYPED = {
    ODD[name]
    for name in (
        "a year 0", "the last moment", "an exponent", "an integer of many digits", "infinity", "a list",
        "an amount of too many digits",
    )
}  # fmt: skip


@pytest.mark.parametrize("tags", ["map", "rows"])
@pytest.mark.parametrize("hidden", ["keep", "mask"])
@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("fields", ODD.values(), ids=ODD)
def test_both_calls_are_there_or_one_is_named(odd, tmp_path, fields, format_, hidden, tags):
    """Both calls are in the file, or the error names the odd one, and nothing is in place."""
    odd(fields)
    shape = {"destination": tmp_path.as_uri(), "format": format_, "phone_numbers": hidden, "tags": tags}
    if format_ == "parquet" and (fields in NOT_TYPED or (fields == ODD["levels"] and tags == "rows")):
        with pytest.raises(ProtocolError, match=r"Call call-x has a"):
            export(**shape, **WINDOW)
        assert tree(tmp_path) == {}
        return
    result = export(**shape, **WINDOW)
    assert sorted(set(uuids(result, format_))) == ["call-a", "call-x"]
    assert result["complete"]


@pytest.mark.parametrize("fields", [*ODD.values()], ids=ODD)
def test_json_lines_take_every_call(odd, tmp_path, fields):
    """Calls that are passed on as they came need not be parsed, so that none of these stops an export."""
    odd(fields)
    result = export(destination=tmp_path.as_uri(), **WINDOW)
    assert (result["calls"], result["complete"]) == (2, True)
    assert manifest_of(result)["replaced"] == (1 if "ud83d" in fields else 0)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    "at",
    [
        '"created_at":"2026-01-05T12:10:00Z","updated_at":"0000-01-01T00:00:00Z"',
        '"created_at":"2026-01-05T12:10:00Z","updated_at":"9999-12-31T23:59:59-05:00"',
        '"created_at":"0000-01-01T00:00:00Z","updated_at":"2026-01-05T12:10:00Z"',
        '"created_at":"2026-01-05T12:10:00","updated_at":"2026-01-05T12:10:00Z"',
        '"created_at":[],"updated_at":"2026-01-05T12:10:00Z"',
    ],
)
def test_times_of_the_manifest_are_named(odd, tmp_path, at, format_):
    """A time that says when the call was made or changed cannot be left out: the error names call and field."""
    odd('"x":1', at)
    with pytest.raises(ProtocolError, match=r"[Cc]all '?call-x'?.*(created_at|updated_at)"):
        export(destination=tmp_path.as_uri(), format=format_, **WINDOW)
    assert tree(tmp_path) == {}


def test_a_recording_without_an_address(odd, tmp_path):
    """An address that is none fails its own recording, which the result names."""
    odd('"recording_url":"http://[::1"')
    operator = RetreaverRecordingsToObjectStorageOperator(
        task_id="recordings", destination=tmp_path.as_uri(), **WINDOW
    )
    with pytest.raises(PartialFailure, match=r"1 of 1 recordings were not stored: call call-x: .*plain http"):
        operator.execute({})


@pytest.mark.parametrize("amount", ["1e999999999", "7" * 5_000, '"Infinity"', "9999999999999999999999", "[]"])
def test_amounts_that_are_none_stop_no_incremental_export(odd, tmp_path, amount):
    """Revenue that no amount can be is not compared, and the call is exported."""
    parameters = {"by": "updated_at", "incremental": True, "start": WINDOW["start"]}
    odd(f'"revenue":{amount}')
    assert export(destination=tmp_path.as_uri(), **parameters)["calls"] == 2
    assert json.loads((tmp_path / "_state" / "worth" / "2026-01-05.json").read_text())["call-x"][0] is None or (
        amount.startswith("9")
    )


def test_a_cursor_is_never_in_the_future(account, tmp_path):
    """A call that was "updated" in the future would end all later incremental exports: it is named instead."""
    later = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    page = [{"call": {"uuid": "call-x", "created_at": "2026-01-05T12:10:00Z", "updated_at": later}}]
    account.fault("/calls.json", method="GET", times=20, status=200, body=json.dumps(page))
    with pytest.raises(ProtocolError, match=r"Call call-x has an updated_at .* in the future"):
        export(destination=tmp_path.as_uri(), by="updated_at", incremental=True, start=START)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("spelling", ["%28919%29+555-0123", "919_555_0123", "919\u00b7555\u00b70123"])
def test_a_hidden_caller_is_in_no_column(account, tmp_path, spelling, format_):
    """With `phone_numbers="mask"` the caller's digits are in no file, however a page or a tag spelled them."""
    calls = Calls(account)
    calls.add(
        3,
        caller="+19195550123",
        tags={"phone": spelling, "note": f"call {spelling}"},
        visitor_url=f"https://shop.test/?a=1&phone={spelling}",
    )
    result = export(destination=tmp_path.as_uri(), format=format_, phone_numbers="mask", start=START, end=END)
    (file,) = manifest_of(result)["files"]
    data = Path(tmp_path / file["path"]).read_bytes()
    if format_ == "parquet":
        from pyarrow import parquet

        data = json.dumps(parquet.read_table(io.BytesIO(data)).to_pylist(), default=str).encode()
    text = decode(data.decode())
    assert text.count("shop.test") == 3
    assert "9195550123" not in "".join(char for char in text if char not in " -_()\u00b7+.")
