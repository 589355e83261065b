"""Manifests merged into a table of a warehouse: in DuckDB, for real; see also `postgres_run.py`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed, TableNotWritten
from airflow_provider_retreaver.transfers.merge_statements import merge_statements
from tests.airflow.support.account import TaskInstance, context_of
from tests.airflow.support.duckdb import DuckDBHook, Lake
from tests.airflow.support.exports import END, START, export

pytestmark = pytest.mark.airflow
PARQUET = {"format": "parquet", "start": START, "end": END}
ALL = "SELECT * FROM {} ORDER BY uuid"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DuckDBHook:
    """Give an empty database, to which every connection leads."""
    hook = DuckDBHook(tmp_path / "calls.duckdb")
    monkeypatch.setattr("airflow_provider_retreaver.hooks.sql.sql_hook", lambda *_: hook)
    return hook


def merge(manifest, table="calls", context=None, **parameters):
    """Execute the operator and return its result as JSON."""
    from airflow_provider_retreaver.transfers.warehouse import RetreaverMergeCallsOperator

    operator = RetreaverMergeCallsOperator(
        task_id="merge", manifest=manifest, sql_conn_id="warehouse", table=table, **parameters
    )
    return json.loads(json.dumps(operator.execute(context or {})))


def test_ten_manifests_with_restated_and_late_calls_equal_a_fresh_load(calls, folder, database):
    """Whatever the order in which versions of calls come, the table is that of one load at the end."""
    uuids = calls.add(40, tags={"source": 'web, "tv"', "empty": ""}, revenue=22.5)
    manifests = []
    for number in range(10):
        calls.update(uuids[number], revenue=number + 0.25, tags={"run": str(number)})
        calls.update(uuids[20], payout=number)
        late = calls.add(3)
        for uuid in late:
            calls.update(uuid, converted=True)
        uuids += late
        result = export(destination=folder, incremental=True, by="updated_at", format="parquet", start=START)
        manifests.append(result["manifest"])
    before, after = merge(manifests[:4]), merge(manifests[4:])
    assert (before["loaded"], after["loaded"]) == (manifests[:4], manifests[4:])
    assert after["calls"] >= 30
    fresh = export(destination=f"{folder}-fresh", **PARQUET)
    assert merge(fresh["manifest"], "fresh")["calls"] == len(uuids)
    rows = database.rows(ALL.format("calls"))
    assert len(rows) == len(uuids)
    assert rows == database.rows(ALL.format("fresh"))
    # The first manifest again, in a table that has newer versions already: none of them is replaced.
    merge(manifests[0], "fresh")
    assert rows == database.rows(ALL.format("fresh"))


def test_each_manifest_once(calls, folder, database):
    """A manifest that was loaded is left out; exported again with other calls, it is another one."""
    calls.add(5)
    path = export(destination=folder, **PARQUET)["manifest"]
    assert merge([path, None, path])["loaded"] == [path]
    database.rows("DELETE FROM calls WHERE revenue IS NULL OR revenue IS NOT NULL")
    assert merge(path) == {"table": "calls", "loaded": [], "skipped": [path], "calls": 0, "changed": 0}
    assert database.rows("SELECT count(*) FROM calls") == [(0,)]
    calls.add(1)
    assert export(destination=folder, **PARQUET)["manifest"] == path
    assert merge(path)["calls"] == 6
    assert database.rows("SELECT manifest, account, calls FROM calls_manifests ORDER BY calls") == [
        (path, calls_account(path), 5),
        (path, calls_account(path), 6),
    ]


def calls_account(path: str) -> str:
    """Return the account that a manifest names."""
    return str(json.loads(Path(path.removeprefix("file://")).read_text())["account"])


def test_the_link_of_a_merge_leads_to_its_manifest(calls, tmp_path, monkeypatch):
    """The link opens the last manifest, with the ID of its connection left out; a file of a disk has no address."""
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    sys.modules[ObjectStoragePath.__module__].attach("s3", "aws_default", fs=MemoryFileSystem())
    hook = DuckDBHook(tmp_path / "calls.duckdb", Lake())
    monkeypatch.setattr("airflow_provider_retreaver.hooks.sql.sql_hook", lambda *_: hook)
    calls.add(3)
    stored, on_disk = context_of(ti=TaskInstance()), context_of(ti=TaskInstance())
    manifest = export(destination="s3://aws_default@bucket/calls", **PARQUET)["manifest"]
    assert merge(manifest, context=stored)["calls"] == 3
    link = "https://console.aws.amazon.com/s3/object/bucket?prefix=calls%2F"
    assert stored["ti"].pushed == {"retreaver_file_link": link + quote(manifest.rpartition("/")[2])}
    merge(export(destination=f"file://{tmp_path}/calls", **PARQUET)["manifest"], context=on_disk)
    assert on_disk["ti"].pushed == {}


def test_exports_without_calls(calls, folder, database):
    """A window without calls, and an incremental export without updates, merge nothing."""
    empty = export(destination=folder, **PARQUET)
    assert merge([None]) == {"table": "calls", "loaded": [], "skipped": [], "calls": 0, "changed": 0}
    assert merge(empty["manifest"])["loaded"] == [empty["manifest"]]
    assert database.rows("SELECT count(*) FROM calls") == [(0,)]


def test_columns_of_ones_own(calls, folder, database):
    """Columns may be named and left out, in a table that is there already."""
    [uuid] = calls.add(1, revenue=22.5, tags={"a": "b"})
    path = export(destination=folder, **PARQUET)["manifest"]
    database.rows("CREATE TABLE mine (id TEXT, changed TIMESTAMPTZ, amount DECIMAL(18, 6), note TEXT)")
    columns = {"id": "uuid", "changed": "updated_at", "amount": "revenue"}
    merge(path, "mine", columns=columns, create_table=False)
    assert [(row[0], float(row[1]), row[2]) for row in database.rows("SELECT id, amount, note FROM mine")] == [
        (uuid, 22.5, None)
    ]
    with pytest.raises(InvalidArgument, match="Table mine has no column payout; add it"):
        merge(path, "mine", columns={**columns, "payout": "payout"})


def test_an_engine_that_fails_after_the_merge(calls, folder, database):
    """Nothing of the manifest is in the table, those before it stay, and a retry loads the rest."""
    calls.add(5)
    first = export(destination=folder, **PARQUET)["manifest"]
    calls.add(2, "2026-01-06T00:00:00Z", "2026-01-06T01:00:00Z")
    second = export(destination=folder, format="parquet", start=END, end="2026-01-07T00:00:00Z")["manifest"]
    columns = "manifest TEXT, digest TEXT, account TEXT, calls BIGINT {}, loaded_at TIMESTAMPTZ"
    database.rows(f"CREATE TABLE calls_manifests ({columns.format('CHECK (calls <> 2)')})")
    with pytest.raises(TableNotWritten, match=f"Table calls did not take the calls of {second}: ") as error:
        merge([first, second])
    assert not isinstance(error.value, AirflowFailException)
    assert database.rows("SELECT count(*) FROM calls") == [(5,)]
    database.rows(f"CREATE TABLE mended ({columns.format('')})")
    database.rows("INSERT INTO mended SELECT * FROM calls_manifests")
    database.rows("DROP TABLE calls_manifests")
    database.rows("ALTER TABLE mended RENAME TO calls_manifests")
    result = merge([first, second])
    assert (result["skipped"], result["loaded"]) == ([first], [second])
    assert database.rows("SELECT count(*) FROM calls") == [(7,)]


def damaged(path: str, **changes: object) -> str:
    """Write a manifest with other fields beside one, and return its path."""
    file = Path(path.removeprefix("file://"))
    other = file.with_name(f"other-{file.name}")
    other.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return f"file://{other}"


def test_manifests_that_cannot_be_merged(calls, folder, database):
    """Each is refused before anything is loaded, with what to do."""
    calls.add(2)
    path = export(destination=folder, **PARQUET)["manifest"]
    lines = export(destination=f"{folder}-lines", format="jsonl", start=START, end=END)["manifest"]
    rows = export(destination=f"{folder}-rows", tags="rows", **PARQUET)["manifest"]
    merge(path)
    refused = {
        f"{folder}/none.json": "there is no file .*none.json; give the manifest of an export that has ended",
        damaged(path, files=None): "is not the manifest of an export of calls",
        lines: "format 'jsonl' and tags 'map'; only format='parquet'",
        rows: "tags 'rows'; only",
    }
    for manifest, message in refused.items():
        with pytest.raises(InvalidArgument, match=message) as error:
            merge([path, manifest])
        assert isinstance(error.value, AirflowFailException)
    for changes, message in (
        (
            {"files": [{"path": "../victim.parquet", "sha256": "0", "bytes": 1, "calls": 2}]},
            "lists files that are not",
        ),
        ({"complete": False, "reason": "too early"}, "not complete .*too early.*; export the window again, or set"),
        ({"account": "elsewhere/9"}, "has calls of 'elsewhere/9', and calls has those of"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            merge(damaged(path, **changes))
    assert merge(damaged(path, complete=False), "other", allow_incomplete=True)["calls"] == 2
    file = next(Path(folder.removeprefix("file://")).glob("*.parquet"))
    content = file.read_bytes()
    file.write_bytes(content + b"x")
    with pytest.raises(
        StorageFailed, match=r"1 files of the manifest .* have another size than it says, first calls-"
    ):
        merge(path)
    file.unlink()
    with pytest.raises(StorageFailed, match="are gone, first calls-"):
        merge(path)
    assert database.rows("SELECT count(*) FROM calls") == [(2,)]


@pytest.mark.parametrize(
    ("column", "type_", "message"),
    [
        ("updated_at", "DATE", "has a date as its column updated_at, which would lose the time of updated_at;"),
        ("revenue", "INTEGER", "has an integer as its column revenue, which would lose the fraction of revenue;"),
        ("revenue", "BIGINT", "has an integer as its column revenue"),
    ],
)
def test_a_table_that_would_lose_a_part_of_a_value(calls, folder, database, column, type_, message):
    """It is refused before anything is loaded: databases round without an error, and a date hides what is newer."""
    calls.add(1)
    path = export(destination=folder, **PARQUET)["manifest"]
    merge(path, "whole")
    database.rows("CREATE TABLE calls AS SELECT * FROM whole WHERE false")
    database.rows(f"ALTER TABLE calls ALTER {column} TYPE {type_}")
    with pytest.raises(InvalidArgument, match=message):
        merge(path)
    columns = {name: name for [name] in database.rows("SELECT name FROM pragma_table_info('calls')")}
    if column == "revenue":
        del columns[column]
        assert merge(path, columns=columns)["calls"] == 1
    assert database.rows("SELECT count(*) FROM calls") == [(int(column == "revenue"),)]


def half(content: bytes) -> bytes:
    """Return the first half of a manifest."""
    return content[: len(content) // 2]


def changed(**changes: object) -> Callable[[bytes], bytes]:
    """Return what gives a manifest other fields."""
    return lambda content: json.dumps({**json.loads(content), **changes}).encode()


def with_its_file_twice(content: bytes) -> bytes:
    """Return a manifest that lists its file twice, with twice the calls."""
    found = json.loads(content)
    return changed(files=found["files"] * 2, calls=found["calls"] * 2)(content)


@pytest.mark.parametrize(
    "written",
    [
        half, with_its_file_twice, lambda _: b"", lambda _: b"\xff\xfe{", lambda _: b"[]", lambda _: b"[" * 100_000,
        changed(files=[]), changed(calls=3), changed(calls=-2),
    ],
)  # fmt: skip
def test_a_manifest_that_is_damaged(calls, folder, database, written):
    """One of which a part is missing is refused, instead of being noted as loaded without its calls."""
    calls.add(2)
    path = export(destination=folder, **PARQUET)["manifest"]
    file = Path(path.removeprefix("file://"))
    file.write_bytes(written(file.read_bytes()))
    with pytest.raises(InvalidArgument, match="is not the manifest of an export of calls; export the window again"):
        merge(path)
    assert database.rows("SHOW TABLES") == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"table": "calls; DROP TABLE x"}, "table must be a name like calls"),
        ({"engine": "oracle"}, "engine must be one of bigquery"),
        ({"columns": {"id": "uuid"}}, "one column that gets updated_at"),
        (
            {"columns": {"id": "uuid", "v": "updated_at", "x": "nothing"}},
            "'nothing' is no column of an exported file",
        ),
        ({"columns": {"id; --": "uuid"}}, "is no name of a column"),
        ({"manifest": []}, "not an empty list"),
        ({"manifest": 5}, "manifest must be"),
        ({"manifest": [""]}, "manifest must be"),
        ({"stage_in": "a b"}, "table must be a name"),
        ({"allow_incomplete": "maybe"}, "allow_incomplete must be"),
    ],
)
def test_wrong_parameters(calls, folder, database, parameters, message):
    """They are refused before the warehouse is touched."""
    path = export(destination=folder, **PARQUET)["manifest"]
    with pytest.raises(InvalidArgument, match=message):
        merge(**{"manifest": path, **parameters})
    assert not database.path.exists()


def test_statements_for_other_operators(calls, folder, database):
    """Executed one by one, twice, they leave the rows that the operator leaves, and each manifest is noted once."""
    uuids = calls.add(5, revenue=22.5)
    first = export(destination=folder, **PARQUET)["manifest"]
    calls.update(uuids[2], revenue=0.25)
    calls.add(1)
    second = export(destination=f"{folder}-2", **PARQUET)["manifest"]
    statements = merge_statements([first, None, second], engine="duckdb", table="calls")
    for statement in [*statements, *statements]:
        database.rows(statement)
    merge([first, second], "merged")
    assert database.rows(ALL.format("calls")) == database.rows(ALL.format("merged"))
    assert database.rows("SELECT calls FROM calls_manifests ORDER BY calls") == [(5,), (6,)]


def test_statements_of_engines(calls, folder):
    """They say where the engine sees the files, and drop what was loaded first; without calls there are none."""
    calls.add(2)
    path = export(destination=folder, **PARQUET)["manifest"]
    given = {"engine": "snowflake", "table": "lake.calls"}
    found = merge_statements(path, location="@stage", create_table=False, **given)
    assert [one.split()[0] for one in found] == ["CREATE", "CREATE", "COPY", "MERGE", "INSERT", "DROP"]
    assert "lake.calls_manifests" in found[0]
    assert " FROM '@stage/' " in found[2]
    assert "WHERE NOT EXISTS (SELECT 1 FROM lake.calls_manifests WHERE digest = " in found[4]
    assert merge_statements([None], **given) == []
    with pytest.raises(InvalidArgument, match="PostgreSQL reads no files; use RetreaverMergeCallsOperator"):
        merge_statements(path, engine="postgresql", table="calls")
    with pytest.raises(InvalidArgument, match="engine must be one of bigquery"):
        merge_statements(path, engine="oracle", table="calls")
