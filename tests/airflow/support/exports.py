"""Helpers of the tests of exports: adding calls, executing the operator, and reading its files."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.airflow.support.account import Account

START, END = "2026-01-05T00:00:00+00:00", "2026-01-06T00:00:00+00:00"


class Calls:
    """The call log of an account; each change advances the sandbox's clock, so that exports need not wait."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def add(self, number: int, start: str = START, end: str = END, **fields: Any) -> list[str]:
        """Add calls spread over a span of time and return their UUIDs."""
        span = {} if "created_at" in fields else {"created_at_start": start, "created_at_end": end}
        body = {"count": number, "fields": {**span, **fields}}
        uuids: list[str] = self.account._control("POST", "calls", body)["uuids"]
        self._settle()
        return uuids

    def update(self, uuid: str, **fields: Any) -> None:
        """Change a call, which is thereby updated now."""
        self.account._control("POST", f"calls/{uuid}", {"fields": fields})
        self._settle()

    def _settle(self) -> None:
        self.account._control("POST", "clock", {"advance": 70})


def export(context: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    """Execute the operator as a worker would after rendering, and return its result as JSON."""
    from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator

    operator = RetreaverCallsToObjectStorageOperator(task_id="export", **parameters)
    result: dict[str, Any] = json.loads(json.dumps(operator.execute({} if context is None else context)))
    return result


def manifest_of(result: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of a result; size and digest of each of its files are checked."""
    path = Path(result["manifest"].removeprefix("file://"))
    manifest: dict[str, Any] = json.loads(path.read_text())
    for file in manifest["files"]:
        data = (path.parent / file["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    return manifest


def contents(result: dict[str, Any]) -> list[bytes]:
    """Return the content of the files in a result's manifest, in order."""
    folder = Path(result["manifest"].removeprefix("file://")).parent
    return [(folder / file["path"]).read_bytes() for file in manifest_of(result)["files"]]


def rows_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an export in JSON lines or CSV, compressed or not."""
    rows: list[dict[str, Any]] = []
    for file, compressed in zip(manifest_of(result)["files"], contents(result), strict=True):
        name, data = _decompress(file["path"], compressed)
        if name.endswith(".csv"):
            rows += csv.DictReader(io.StringIO(data.decode(), newline=""))
        else:
            rows += [json.loads(line) for line in data.decode().splitlines()]
    return rows


def _decompress(name: str, compressed: bytes) -> tuple[str, bytes]:
    if name.endswith(".gz"):
        return name.removesuffix(".gz"), gzip.decompress(compressed)
    if name.endswith(".zst"):
        import pyarrow as pa

        with pa.CompressedInputStream(pa.BufferReader(compressed), "zstd") as stream:
            return name.removesuffix(".zst"), stream.read()
    return name, compressed


def tree(folder: Path) -> dict[str, str]:
    """Return the digests of the files in a folder by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def events_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return the `extra` of every asset event by the asset's URI; the tables have other names in Airflow 2.11."""
    with closing(sqlite3.connect(path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        kind = "asset" if "asset_event" in tables else "dataset"
        rows = database.execute(f"SELECT uri, e.extra FROM {kind}_event e JOIN {kind} a ON a.id = e.{kind}_id")
        # Airflow 3 adds where an event came from.
        return {uri: {k: v for k, v in json.loads(extra).items() if k != "from_rest_api"} for uri, extra in rows}
