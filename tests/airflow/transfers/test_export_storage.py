"""Windows of calls on object storage: what is written, what is replaced, what is left alone, what is refused."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import (
    InvalidArgument,
    ListingIncomplete,
    NotFound,
    ProtocolError,
    StorageFailed,
    Unavailable,
)
from tests.airflow.support.account import context_of
from tests.airflow.support.exports import END, START, contents, export, manifest_of, rows_of, tree

pytestmark = pytest.mark.airflow
WINDOW = {"start": START, "end": END}


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_every_call_of_the_window_once(calls, folder, format_, compression):
    """The files hold the window's calls in order, the manifest describes them, and nothing else is in the folder."""
    there = calls.add(230)
    calls.add(5, "2026-01-06T00:00:00Z", "2026-01-06T01:00:00Z")
    result = export(destination=folder, format=format_, compression=compression, **WINDOW)
    assert [row["uuid"] for row in rows_of(result)] == there
    manifest = manifest_of(result)
    assert (result["calls"], result["rows"], result["complete"]) == (230, 230, True)
    assert (manifest["counted"], manifest["complete"], manifest["reason"]) == (230, True, "")
    assert manifest["window"] == {"by": "created_at", "start": START, "end": END}
    assert START <= manifest["min_created_at"] < manifest["max_created_at"] < END
    names = set(tree(Path(folder.removeprefix("file://"))))
    assert names == {Path(result["manifest"]).name, *(file["path"] for file in manifest["files"])}


def test_json_lines_are_the_calls_as_they_came(calls, folder, account):
    """Every line is the call as Retreaver returns it."""
    calls.add(3, tags={"source": "web,tv"}, revenue=12.5)
    rows = rows_of(export(destination=folder, **WINDOW))
    expected = [row["call"] for row in account._handle("GET", "/api/v2/calls.json")]
    assert rows == sorted(expected, key=lambda row: row["created_at"])


def test_an_empty_window_has_a_file_too(calls, folder):
    """An empty window is a complete export of no calls; CSV and Parquet files have their columns."""
    from pyarrow import parquet

    assert contents(export(destination=folder, **WINDOW)) == [b""]
    (header,) = contents(export(destination=f"{folder}/csv", format="csv", **WINDOW))
    assert header.startswith(b"uuid,caller,")
    result = export(destination=f"{folder}/parquet", format="parquet", **WINDOW)
    (file,) = manifest_of(result)["files"]
    table = parquet.read_table(f"{folder.removeprefix('file://')}/parquet/{file['path']}")
    assert (table.num_rows, result["complete"]) == (0, True)


@pytest.mark.parametrize(("format_", "expected"), [("jsonl", "none"), ("csv", "none"), ("parquet", "zstd")])
@pytest.mark.parametrize("compression", [None, "None"])
def test_each_format_has_its_own_compression(calls, folder, format_, compression, expected):
    """Without the parameter, Parquet files are compressed, and texts can be read by everything."""
    from pyarrow import parquet

    calls.add(3, revenue=12.5)
    result = export(destination=folder, format=format_, compression=compression, **WINDOW)
    manifest = manifest_of(result)
    assert manifest["compression"] == expected
    if format_ == "parquet":
        (file,) = manifest["files"]
        written = parquet.ParquetFile(f"{folder.removeprefix('file://')}/{file['path']}").metadata
        assert written.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("version", ["v1", "v2", "v4"])
def test_parquet_has_typed_columns(calls, folder, version):
    """Decimals given as texts become decimals, times become UTC, tags a map; all versions have one schema."""
    import pyarrow as pa
    from pyarrow import parquet

    there = calls.add(60, tags={"source": "web", "zip": "94103"}, revenue=12.34, cost=0.25)
    result = export(destination=folder, format="parquet", compression="zstd", version=version, **WINDOW)
    (file,) = manifest_of(result)["files"]
    table = parquet.read_table(f"{folder.removeprefix('file://')}/{file['path']}")
    assert table.column("uuid").to_pylist() == there
    assert table.schema.field("created_at").type == pa.timestamp("ms", tz="UTC")
    assert table.schema.field("charge_total").type == pa.decimal128(18, 6)
    assert table.column("created_at").to_pylist()[0] == datetime(2026, 1, 5, tzinfo=UTC)
    first = table.slice(0, 1).to_pylist()[0]
    if version == "v1":
        assert first["revenue"] is None
    else:
        assert (first["revenue"], first["charge_total"]) == (Decimal("12.34"), Decimal("0.25"))
        assert first["tags"] == [("source", "web"), ("zip", "94103")]
        assert first["campaign_id"] is not None or first["campaign_name"] is None


def test_values_of_other_kinds_are_taken_over_or_named(folder, account):
    """A number that comes as a text fits its column; what fits no column is refused by call and column."""
    from pyarrow import parquet

    call = {
        "uuid": "u-1",
        "created_at": "2026-01-05T01:00:00-05:00",
        "caller_zip": 94103,
        "total_duration": "61",
        "revenue": "7.5",
        "converted": "true",
        "novel": {"a": [1]},
        "target_group": {},
        "tags": {"n": 5},
    }
    window = {"start": "2026-01-05T05:30:00Z", "end": "2026-01-05T06:20:00Z"}  # short: asked for page by page
    account.fault("/calls.json", status=200, body=[{"call": call}], times=None)
    result = export(destination=folder, format="parquet", **window)
    (file,) = manifest_of(result)["files"]
    row = parquet.read_table(f"{folder.removeprefix('file://')}/{file['path']}").to_pylist()[0]
    assert (row["caller_zip"], row["total_duration"], row["revenue"]) == ("94103", 61, Decimal("7.5"))
    assert (row["converted"], row["tags"], row["other"]) == (True, [("n", "5")], '{"novel":{"a":[1]}}')
    account.clear_faults()
    account.fault("/calls.json", status=200, body=[{"call": {**call, "total_duration": "a minute"}}], times=None)
    with pytest.raises(ProtocolError, match=r"u-1 has a total_duration .'a minute'. that is not of the kind integer"):
        export(destination=f"{folder}/no", format="parquet", **window)
    assert tree(Path(f"{folder.removeprefix('file://')}/no")) == {}


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_one_row_a_tag(calls, folder, format_):
    """With `tags="rows"` every tag has its row, and a call without tags has one."""
    calls.add(1, created_at="2026-01-05T01:00:00Z", tags={"source": "web", "zip": "94103"})
    calls.add(1, created_at="2026-01-05T02:00:00Z", tags={})
    result = export(destination=folder, format=format_, tags="rows", **WINDOW)
    found = [(row["tag_key"] or None, row["tag_value"] or None) for row in rows_of(result)]
    assert found == [("source", "web"), ("zip", "94103"), (None, None)]
    assert (result["rows"], result["calls"]) == (3, 2)


def test_filters_may_come_as_a_rendered_text(calls, folder):
    """Filters that a template has rendered as text are read, and name the export as a mapping does."""
    there = calls.add(2, caller="+14155550123")
    calls.add(3)
    as_text = export(destination=folder, filters="{'caller': '+14155550123'}", **WINDOW)
    assert [row["uuid"] for row in rows_of(as_text)] == there
    assert manifest_of(as_text)["filters"] == {"caller": "+14155550123"}
    as_mapping = export(destination=folder, filters={"caller": "+14155550123"}, **WINDOW)
    assert as_mapping["manifest"] == as_text["manifest"]


@pytest.mark.parametrize(("partition_by", "folders"), [("day", 2), ("hour", 24)])
def test_partitions_by_creation_in_utc(calls, folder, partition_by, folders):
    """Calls lie in folders of their day or hour in UTC, whatever the company's time zone."""
    start, end = "2026-01-05T12:00:00+00:00", "2026-01-06T12:00:00+00:00"
    there = calls.add(96, start, end)
    result = export(destination=folder, partition_by=partition_by, start=start, end=end)
    files = manifest_of(result)["files"]
    assert len({Path(file["path"]).parent for file in files}) == len(files) == folders
    assert files[0]["path"].startswith("day=2026-01-05/")
    for file in files:
        assert (
            Path(file["path"]).parts[0]
            == f"day={file['min_created_at'][:10]}"
            == f"day={file['max_created_at'][:10]}"
        )
    assert [row["uuid"] for row in rows_of(result)] == there


def test_files_are_split_by_size(calls, folder):
    """A file that has become as large is followed by another; nothing is lost between them."""
    there = calls.add(500)
    result = export(destination=folder, max_file_bytes=100_000, **WINDOW)
    assert result["files"] > 3
    assert [row["uuid"] for row in rows_of(result)] == there


def test_a_rerun_replaces_its_own_window_and_nothing_else(calls, folder):
    """The files of the former export of a window go; another window's and a stranger's files stay as they are."""
    there = calls.add(50)
    root = Path(folder.removeprefix("file://"))
    other = export(destination=folder, start=END, end="2026-01-07T00:00:00+00:00")
    (root / "README").write_text("ours")
    first = export(destination=folder, **WINDOW)
    kept = {
        name: digest for name, digest in tree(root).items() if "20260106T000000Z-2026" in name or name == "README"
    }
    assert export(destination=folder, **WINDOW) == first
    calls.update(there[3], revenue=99)
    second = export(destination=folder, **WINDOW)
    assert first["manifest"] == second["manifest"]
    assert [row["revenue"] for row in rows_of(second) if row["uuid"] == there[3]] == [99]
    after = tree(root)
    assert {name: after[name] for name in kept} == kept
    assert len(after) == len(kept) + 2
    assert manifest_of(other)["calls"] == 0


def test_filters_make_an_export_of_their_own(calls, folder):
    """An export with filters does not replace the one without."""
    calls.add(20)
    wanted = calls.add(7, caller="+14155550123")
    whole = export(destination=folder, **WINDOW)
    part = export(destination=folder, filters={"caller": "+14155550123"}, **WINDOW)
    assert sorted(row["uuid"] for row in rows_of(part)) == sorted(wanted)
    assert whole["manifest"] != part["manifest"]
    assert manifest_of(whole)["calls"] == 27


def test_the_data_interval_is_the_default(calls, folder):
    """Without start and end the run's data interval is exported; `lookback` reads a span before it as well."""
    calls.add(10, "2026-01-04T22:00:00Z", "2026-01-05T00:00:00Z")
    calls.add(24)
    interval = {
        "data_interval_start": datetime(2026, 1, 5, tzinfo=UTC),
        "data_interval_end": datetime(2026, 1, 6, tzinfo=UTC),
    }
    assert export(context_of(**interval), destination=folder)["calls"] == 24
    assert export(context_of(**interval), destination=folder, lookback="2h")["calls"] == 34


def test_a_window_that_has_not_ended_is_reported_as_incomplete(calls, folder):
    """A window that has not ended is exported, and its manifest says that nothing is proved."""
    calls.add(10)
    end = datetime.now(UTC) + timedelta(hours=1)
    result = export(destination=folder, start=START, end=end.isoformat())
    assert (result["calls"], result["complete"]) == (10, False)
    assert "not settled" in manifest_of(result)["reason"]


def test_numbers_can_be_hidden(calls, folder, caplog, capsys):
    """Masked numbers stand in no file, and numbers in no log."""
    calls.add(20, caller="+14155550123")
    with caplog.at_level(logging.DEBUG):
        result = export(destination=folder, phone_numbers="mask", **WINDOW)
    assert not any(b"4155550123" in data for data in contents(result))
    assert len(rows_of(result)) == 20
    output = caplog.text + capsys.readouterr().out
    assert "Wrote 20 calls" in output
    assert "4155550123" not in output


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"start": END, "end": START}, "end .* must be after start"),
        ({"start": "2096-01-01T00:00:00Z", "end": "2096-01-02T00:00:00Z"}, "is in the future"),
        ({"start": "2026-01-05T00:00:00", "end": END}, "start"),
        ({"end": None}, "start was given without end"),
        ({"filters": {"client_cidd": "x"}}, "client_cid"),
        ({"by": "start_time"}, "by must be one of"),
        ({"format": "xml"}, "format must be one of"),
        ({"compression": "lzma"}, "compression must be one of"),
        ({"tags": "list"}, "tags must be one of"),
        ({"partition_by": "month"}, "partition_by must be one of"),
        ({"max_file_bytes": 0}, "max_file_bytes"),
        ({"phone_numbers": "drop"}, "phone_numbers must be one of"),
        ({"incremental": True}, "incremental needs by='updated_at'"),
        ({"state_path": "file:///tmp/x"}, "state_path belongs to incremental"),
        ({"lookback": "soon"}, "lookback"),
        ({"destination": " "}, "destination"),
    ],
)
def test_wrong_parameters_are_refused(account, folder, parameters, message):
    """One sentence names the parameter, it is not retried, and nothing is sent."""
    with pytest.raises(InvalidArgument, match=message) as caught:
        export(**{"destination": folder, **WINDOW, **parameters})
    assert isinstance(caught.value, AirflowFailException)
    assert account.sent() == []


def test_a_destination_that_cannot_be_written_is_found_first(account, tmp_path):
    """Before anything is asked for, it is seen whether the destination can be written to."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidArgument, match="cannot be written to"):
        export(destination=f"file://{tmp_path}/file/calls", **WINDOW)
    assert account.sent() == []


def test_a_full_disk_leaves_the_former_export(calls, folder):
    """A storage that fails on the last byte fails the task; the former export stays, and nothing half-written."""
    calls.add(300)
    first = export(destination=folder, **WINDOW)
    root = Path(folder.removeprefix("file://"))
    before = tree(root)
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (first["bytes"] - 1, hard))
    try:
        with pytest.raises(StorageFailed, match=r"Writing calls to .* failed"):
            export(destination=folder, **WINDOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert tree(root) == before


def test_a_failing_server_leaves_the_former_export(calls, folder, account):
    """When the server does not recover, the task fails and nothing in the folder has changed."""
    calls.add(300)
    export(destination=folder, **WINDOW)
    root = Path(folder.removeprefix("file://"))
    before = tree(root)
    account.fault("calls.json", status=503, times=None)
    with pytest.raises(Unavailable):
        export(destination=folder, **WINDOW)
    assert tree(root) == before


def test_a_company_that_changed_is_no_success(calls, folder, account, monkeypatch):
    """A key that no longer reaches the company ends the task for good, without an empty export in place."""
    calls.add(30)
    connection = account.connection(login="77", extra={"max_wait": 0})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    with pytest.raises(AirflowFailException, match="403"):
        export(destination=folder, **WINDOW)
    assert not list(Path(folder.removeprefix("file://")).rglob("*.json"))


def test_pages_that_stay_empty_are_no_success(calls, folder, account):
    """A page that is empty again and again is an error."""
    calls.add(300)
    link = '<https://retreaver.com/x?page=3>; rel="last", <https://retreaver.com/x?page=2>; rel="next"'
    account.fault("calls.json", status=200, body="[]", headers={"Link": link}, times=None)
    with pytest.raises(ListingIncomplete):
        export(destination=folder, **WINDOW)


@pytest.mark.parametrize("name", ["client_afid", "client_cid", "client_tid"])
def test_a_filter_whose_object_does_not_exist_is_no_empty_export(calls, folder, name):
    """A wrong ID is an error that names it, and writes nothing; `allow_unknown` exports calls of a deleted object."""
    calls.add(3)
    with pytest.raises(NotFound, match="no-such"):
        export(destination=folder, filters={name: "no-such"}, **WINDOW)
    assert not Path(folder.removeprefix("file://")).exists() or tree(Path(folder.removeprefix("file://"))) == {}
    assert export(destination=folder, filters={name: "no-such"}, allow_unknown=True, **WINDOW)["calls"] == 0
