"""Manifests added to an Iceberg table of a local catalog, for real: in SQLite, and behind the REST interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed, TableNotWritten
from airflow_provider_retreaver.transfers.merge_statements import newest_view
from tests.airflow.support.exports import END, START, export
from tests.airflow.support.iceberg_catalog import rest_catalog

pytestmark = pytest.mark.airflow
PARQUET = {"format": "parquet", "start": START, "end": END}


# pyiceberg's catalog in a database needs SQLAlchemy 2, unlike Airflow 2.11.
KINDS = ["rest"] if version("sqlalchemy").startswith("1.") else ["sql"]
LOGIN, PASSWORD = "us", "secret-of-a-catalog"
# Catalogs of a test, which use connections again after they were closed.
OPENED: list[Any] = []


def use(monkeypatch: pytest.MonkeyPatch, connection: dict[str, object]) -> None:
    """Let the connection `lake` be this one."""
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": "generic", **connection}))


@pytest.fixture(params=KINDS)
def properties(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Give the properties of a catalog, in a SQLite file or behind the REST interface; `lake` leads to it."""
    if request.param == "sql":
        given = {"type": "sql", "uri": f"sqlite:///{tmp_path}/catalog.db", "warehouse": f"file://{tmp_path}/lake"}
        use(monkeypatch, {"extra": given})
        yield given
        return
    with rest_catalog(tmp_path / "lake", f"{LOGIN}:{PASSWORD}") as url:
        tokens = {"oauth2-server-uri": f"{url}/v1/oauth/tokens"}
        use(monkeypatch, {"host": url, "login": LOGIN, "password": PASSWORD, "extra": tokens})
        yield {"uri": url, "credential": f"{LOGIN}:{PASSWORD}", **tokens}


def add(manifest, table="lake.calls", **parameters):
    """Execute the operator and return its result as JSON."""
    from airflow_provider_retreaver.transfers.iceberg import RetreaverAddCallsToIcebergOperator

    operator = RetreaverAddCallsToIcebergOperator(
        task_id="add", manifest=manifest, iceberg_conn_id="lake", table=table, **parameters
    )
    return json.loads(json.dumps(operator.execute({})))


def opened(properties, table="lake.calls"):
    """Return a table of the catalog."""
    return catalog_of(properties).load_table(table)


def catalog_of(properties):
    """Return the catalog, which is closed at the end of the test."""
    from pyiceberg.catalog import load_catalog

    OPENED.append(load_catalog("default", **properties))
    return OPENED[-1]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def newest(properties, table="lake.calls"):
    """Return the rows of the view with the newest version of each call."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("files", opened(properties, table).scan().to_arrow())
        connection.execute("CREATE TABLE calls AS SELECT * FROM files")
        connection.execute(newest_view("newest", table="calls", engine="duckdb"))
        return connection.execute("SELECT * FROM newest ORDER BY uuid").fetchall()


@pytest.mark.parametrize("properties", ["rest", *(kind for kind in KINDS if kind != "rest")], indirect=True)
def test_restated_and_late_calls_equal_a_fresh_load(calls, folder, properties):
    """The view of the newest rows over many manifests is that of one load at the end."""
    uuids = calls.add(20, tags={"source": 'web, "tv"'}, revenue=22.5)
    manifests = []
    for number in range(5):
        calls.update(uuids[number], revenue=number + 0.25, tags={"run": str(number)})
        calls.update(uuids[10], payout=number)
        late = calls.add(2)
        for uuid in late:
            calls.update(uuid, converted=True)
        uuids += late
        manifests.append(
            export(destination=folder, incremental=True, by="updated_at", format="parquet", start=START)["manifest"]
        )
    assert add(manifests[:2])["loaded"] == manifests[:2]
    assert add([*manifests, None]) == {
        "table": "lake.calls", "loaded": manifests[2:], "skipped": manifests[:2],
        "calls": sum(json.loads(Path(path.removeprefix("file://")).read_text())["calls"] for path in manifests[2:]),
    }  # fmt: skip
    fresh = export(destination=f"{folder}-fresh", **PARQUET)["manifest"]
    add(fresh, "lake.fresh")
    rows = newest(properties)
    assert len(rows) == len(uuids)
    assert rows == newest(properties, "lake.fresh")
    assert len(opened(properties).scan().to_arrow()) > len(uuids)
    assert len(opened(properties).snapshots()) == len(manifests)


def test_each_manifest_once(calls, folder, properties):
    """Whether its snapshot is known or its files are; and an export that is repeated leaves the table's files."""
    calls.add(5)
    path = export(destination=folder, **PARQUET)["manifest"]
    add(path)
    table = opened(properties)
    assert add(path)["skipped"] == [path]
    calls.add(1)
    assert export(destination=folder, **PARQUET)["manifest"] == path
    assert add(path)["calls"] == 6
    assert len(opened(properties).scan().to_arrow()) == 11
    assert len(newest(properties)) == 6
    table.refresh()
    table.maintenance.expire_snapshots().by_id(table.snapshots()[0].snapshot_id).commit()
    assert len(opened(properties).snapshots()) == 1
    assert len(opened(properties).scan().to_arrow()) == 11


def test_a_manifest_whose_snapshot_has_expired(calls, folder, properties):
    """Its files say that it was added."""
    calls.add(2)
    first = export(destination=folder, **PARQUET)["manifest"]
    add(first)
    calls.add(3)
    second = export(destination=f"{folder}-2", **PARQUET)["manifest"]
    add(second)
    table = opened(properties)
    table.maintenance.expire_snapshots().by_id(table.snapshots()[0].snapshot_id).commit()
    assert add([first, second])["skipped"] == [first, second]


def test_exports_without_calls(calls, folder, properties):
    """A window without calls makes the table, and adds nothing; without a manifest not even that."""
    assert add([None]) == {"table": "lake.calls", "loaded": [], "skipped": [], "calls": 0}
    empty = export(destination=folder, **PARQUET)["manifest"]
    assert add(empty)["loaded"] == [empty]
    assert opened(properties).snapshots() == []


def test_a_task_that_was_killed_before_its_commit(calls, folder, properties):
    """A copy that is there already, half or whole, is made anew."""
    calls.add(3)
    path = export(destination=folder, **PARQUET)["manifest"]
    empty = export(
        destination=f"{folder}-2", start="2026-01-01T00:00:00Z", end="2026-01-02T00:00:00Z", format="parquet"
    )
    add(empty["manifest"])
    (file,) = json.loads(Path(path.removeprefix("file://")).read_text())["files"]
    half = Path(opened(properties).location().removeprefix("file://")) / "data" / file["path"]
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"half")
    assert add(path)["calls"] == 3
    assert len(newest(properties)) == 3


def test_files_that_are_gone(calls, folder, properties):
    """A manifest whose files are gone adds nothing."""
    calls.add(3)
    path = export(destination=folder, **PARQUET)["manifest"]
    (file,) = json.loads(Path(path.removeprefix("file://")).read_text())["files"]
    (Path(path.removeprefix("file://")).parent / file["path"]).unlink()
    with pytest.raises(StorageFailed, match=r"1 files of the manifest .* are gone"):
        add(path)


def test_a_table_of_another_shape(calls, folder, properties):
    """It is left as it is, and the error says what differs."""
    import pyarrow as pa

    calls.add(1)
    path = export(destination=folder, **PARQUET)["manifest"]
    catalog = catalog_of(properties)
    catalog.create_namespace("lake")
    catalog.create_table("lake.calls", schema=pa.schema([("uuid", pa.int64())]))
    with pytest.raises(
        (InvalidArgument, AirflowFailException),
        match="Table lake\\.calls has long as its column uuid, and the files have string",
    ):
        add(path)
    assert opened(properties).snapshots() == []


def test_a_catalog_that_fails(calls, folder, properties, monkeypatch):
    """The error names the manifest and says that a retry helps."""
    calls.add(1)
    path = export(destination=folder, **PARQUET)["manifest"]
    broken = "sqlite:////no/such/folder/catalog.db" if "type" in properties else "http://127.0.0.1:1"
    use(monkeypatch, {"extra": {**properties, "uri": broken}})
    with pytest.raises(TableNotWritten, match=r"lake.calls did not take the calls of .*; a retry adds it") as failed:
        add(path)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"table": "calls"}, "table must have a namespace, like lake.calls"),
        ({"table": "a b.c"}, "table must be a name"),
        ({"create_table": False}, "There is no table lake.calls; create it"),
        ({"create_table": "maybe"}, "create_table must be"),
        ({"manifest": []}, "not an empty list"),
        ({"allow_incomplete": "maybe"}, "allow_incomplete must be"),
    ],
)
def test_wrong_parameters(calls, folder, properties, parameters, message):
    """They are refused before the table is touched."""
    path = export(destination=folder, **PARQUET)["manifest"]
    with pytest.raises((InvalidArgument, AirflowFailException), match=message):
        add(**{"manifest": path, **parameters})


def test_connections(calls, folder, monkeypatch):
    """Host and password are properties of the catalog, secrets are masked, and one without any is refused."""
    from airflow_provider_retreaver.core.quoting import one_line
    from airflow_provider_retreaver.transfers.iceberg_table import catalog_properties

    rest = {
        "conn_type": "generic", "host": "http://127.0.0.1:8181", "login": "us", "password": "secret-of-a-catalog",
        "extra": {"warehouse": "lake", "s3.secret-access-key": "another-secret-of-it", "timeout": 5},
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(rest))
    assert catalog_properties("lake") == {
        "uri": "http://127.0.0.1:8181", "credential": "us:secret-of-a-catalog", "warehouse": "lake",
        "s3.secret-access-key": "another-secret-of-it", "timeout": "5",
    }  # fmt: skip
    said = one_line("secret-of-a-catalog another-secret-of-it")
    assert "secret-of" not in said
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": "generic", "extra": {"warehouse": "lake"}}))
    with pytest.raises(InvalidArgument, match="connection lake names no catalog"):
        catalog_properties("lake")


@pytest.mark.skipif(not version("sqlalchemy").startswith("1."), reason="Airflow 3 has SQLAlchemy 2")
@pytest.mark.parametrize(
    "extra", [{"type": "sql", "uri": "sqlite:///x"}, {"uri": "postgresql://x"}, {"type": "in-memory"}]
)
def test_a_catalog_in_sql_on_airflow_2(calls, folder, monkeypatch, extra):
    """It is refused with what to do: pyiceberg's own error is of a module that cannot be imported."""
    path = export(destination=folder, **PARQUET)["manifest"]
    use(monkeypatch, {"extra": extra})
    with pytest.raises(
        InvalidArgument, match=r"connection lake leads to .*needs SQLAlchemy 2, and this Airflow has 1"
    ):
        add(path)
