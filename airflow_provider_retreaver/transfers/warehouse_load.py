"""Loading the files of manifests into a table of a warehouse, through a driver (PEP 249)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any, TypedDict

from airflow_provider_retreaver.core.errors import InvalidArgument, TableNotWritten
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.engines import Engine
from airflow_provider_retreaver.domain.calls.merge_columns import VERSION
from airflow_provider_retreaver.domain.calls.merging import Files, Merging
from airflow_provider_retreaver.domain.calls.sql_texts import without_null_characters
from airflow_provider_retreaver.hooks.sql_thread import DatabaseThread
from airflow_provider_retreaver.transfers.database_errors import Failure, driver_error
from airflow_provider_retreaver.transfers.database_session import Session, run
from airflow_provider_retreaver.transfers.manifests import Manifest

log = logging.getLogger(__name__)

# Calls of a part of a Parquet file that is in memory at once.
ROWS_AT_ONCE = 5_000
# Types in the description of a result, by name or by the number that PostgreSQL's drivers give.
DATES = frozenset({"date", "1082"})
INTEGERS = frozenset({"tinyint", "smallint", "integer", "int", "bigint", "hugeint", "int64", "20", "21", "23"})


class Merged(TypedDict):
    """What was merged.

    :param table: name of the table.
    :param loaded: paths of the manifests that were loaded.
    :param skipped: paths of those that had been loaded before.
    :param calls: number of calls of those that were loaded.
    :param changed: rows of the table that are new or changed, None where the database does not report it.
    """

    table: str
    loaded: list[str]
    skipped: list[str]
    calls: int
    changed: int | None


class WarehouseConnection:
    """A driver's connection, made alike where drivers differ in what a transaction is.

    :param connection: of the driver.
    :param engine: to which it leads.
    """

    def __init__(self, connection: Any, engine: Engine) -> None:
        self._connection = connection
        self._engine = engine
        self.Error: type[BaseException] = Exception
        # BigQuery's has no class of errors by PEP 249.
        with suppress(InvalidArgument):
            self.Error = driver_error(connection)

    def cursor(self) -> Any:
        """Return a new cursor.

        :return: the driver's.
        """
        if not self._engine.begins:
            return self._connection.cursor()
        self._connection.begin()
        return _ConnectionAsCursor(self._connection)

    def commit(self) -> None:
        """Commit; nothing where every statement is a transaction."""
        if self._engine.transactions:
            self._connection.commit()

    def rollback(self) -> None:
        """Roll back; nothing where every statement is a transaction."""
        if self._engine.transactions:
            self._connection.rollback()

    def __getattr__(self, name: str) -> Any:
        # What ends a statement, and closes.
        return getattr(self._connection, name)


class _ConnectionAsCursor:
    """A connection that executes statements itself, since each of its cursors is a connection of its own (DuckDB)."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def close(self) -> None:
        """Do nothing: the transaction goes on."""


class Warehouse:
    """A table of a warehouse into which manifests are merged.

    :param thread: of the database's connection, which is a `WarehouseConnection`.
    :param merging: the statements.
    """

    def __init__(self, thread: DatabaseThread, merging: Merging) -> None:
        self._session = Session(thread)
        self._merging = merging

    def prepare(self, *, create: bool) -> None:
        """Create table and ledger where they do not exist, and check the table's columns.

        :param create: whether the table may be created.
        :raises InvalidArgument: when a column is missing, or would lose a part of its values without an error.
        :raises TableNotWritten: when the database refuses it or cannot be reached.
        """
        table, ledger = self._merging.create()
        self._execute([table, ledger] if create else [ledger], "could not be created")

        def types(cursor: Any) -> dict[str, str]:
            run(cursor, self._merging.nothing())
            return {str(column[0]).lower(): str(column[1]).lower() for column in cursor.description}

        there = self._session.attempt(types, commit=False)
        if isinstance(there, Failure):
            raise self._error("cannot be read", there)
        missing = [name for name in self._merging.columns if name.lower() not in there]
        if missing:
            raise InvalidArgument(
                f"Table {self._merging.table} has no column {', '.join(missing)}; add it, or name by the parameter "
                f"columns those that it has."
            )
        self._check_types(there)

    def _check_types(self, there: Mapping[str, str]) -> None:
        for name, field in self._merging.columns.items():
            type_ = there[name.lower()]
            if field == VERSION and type_ in DATES:
                found, lost = "a date", "time"
            elif self._merging.kind(name) == fields.DECIMAL and type_ in INTEGERS:
                found, lost = "an integer", "fraction"
            else:
                continue
            raise InvalidArgument(
                f"Table {self._merging.table} has {found} as its column {name}, which would lose the {lost} of "
                f"{field}; change the column's type, or give another column by the parameter columns."
            )

    def merge(self, manifests: Sequence[tuple[Manifest, Files]]) -> Merged:
        """Merge manifests in their order, each one that was not loaded before.

        :param manifests: with their files as the engine sees them.
        :return: what was merged.
        :raises InvalidArgument: when one is of another account than the table's calls.
        :raises TableNotWritten: naming the manifest; those before it are loaded.
        """
        known = self._session.rows(self._merging.loaded())
        if isinstance(known, Failure):
            raise self._error("cannot be read", known)
        digests = {str(row[0]) for row in known}
        self._check_account([manifest for manifest, _ in manifests], {str(row[1]) for row in known if row[1]})
        result = Merged(table=self._merging.table, loaded=[], skipped=[], calls=0, changed=0)
        for manifest, files in manifests:
            if manifest.digest in digests:
                log.info("%s was loaded before; it is left out", manifest.path)
                result["skipped"].append(manifest.path)
                continue
            changed = self._load(manifest, files)
            digests.add(manifest.digest)
            log.info("Merged %d calls of %s into %s", manifest.calls, manifest.path, self._merging.table)
            result["loaded"].append(manifest.path)
            result["calls"] += manifest.calls
            result["changed"] = None if changed is None or result["changed"] is None else result["changed"] + changed
        return result

    def _check_account(self, manifests: Sequence[Manifest], known: set[str]) -> None:
        for manifest in manifests:
            known = known or ({manifest.account} if manifest.account else set())
            if manifest.account and known and manifest.account not in known:
                raise InvalidArgument(
                    f"manifest: {manifest.path} has calls of {quoted(manifest.account)}, and {self._merging.table} "
                    f"has those of {quoted(min(known))}; give each company a table of its own."
                )

    def _load(self, manifest: Manifest, files: Files) -> int | None:
        merging = self._merging

        def load(cursor: Any) -> int | None:
            changed: object = 0
            if files.paths:
                for statement in merging.load(files):
                    run(cursor, statement)
                if merging.engine == "postgresql":
                    _copy(cursor, merging.copy(files), manifest)
                for statement in merging.merge(files):
                    run(cursor, statement)
                    # Of an insert after the deletion of former versions, all rows that are new or changed.
                    changed = cursor.rowcount
            run(cursor, merging.record(manifest.path, manifest.digest, manifest.account, manifest.calls))
            return changed if isinstance(changed, int) and changed >= 0 else None

        try:
            changed = self._session.attempt(load, commit=True)
        finally:
            self._clean(files)
        if isinstance(changed, Failure):
            raise self._error(f"did not take the calls of {manifest.path}", changed)
        return changed

    def _clean(self, files: Files) -> None:
        """Remove the stage; an engine removes one that is left by itself, or the next attempt does."""
        statements = self._merging.drop(files)

        def drop(cursor: Any) -> None:
            for statement in statements:
                run(cursor, statement)

        if statements:
            with suppress(Exception):
                self._session.attempt(drop, commit=True)

    def _execute(self, statements: Sequence[str], what: str) -> None:
        def execute(cursor: Any) -> None:
            for statement in statements:
                run(cursor, statement)

        failure = self._session.attempt(execute, commit=True)
        if isinstance(failure, Failure):
            raise self._error(what, failure)

    def _error(self, what: str, failure: Failure) -> TableNotWritten:
        return TableNotWritten(
            f"Table {self._merging.table} {what}: {failure.message}. Nothing of this manifest was merged; a retry "
            f"loads it anew, and manifests that were merged before it stay."
        )


def _copy(cursor: Any, statement: str, manifest: Manifest) -> None:
    """Send the rows of Parquet files to PostgreSQL."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    options = csv.WriteOptions(include_header=False)
    kinds = fields.columns("map")
    for name in manifest.files:
        with (manifest.folder / name).open("rb") as file:
            source = parquet.ParquetFile(pa.PythonFile(file, mode="r"))
            for batch in source.iter_batches(batch_size=ROWS_AT_ONCE):
                sink = BytesIO()
                csv.write_csv(_storable(pa, batch, kinds), sink, options)
                _send(cursor, statement, sink.getvalue())


def _storable(pa: Any, batch: Any, kinds: dict[str, fields.Kind]) -> Any:
    """Return a batch with the columns of a stage, without characters that PostgreSQL does not store."""
    from pyarrow import compute

    arrays = []
    for name, kind in kinds.items():
        column = batch.column(name)
        if kind == fields.MAP:
            texts = [
                None if tags is None else json.dumps(dict(tags), ensure_ascii=False) for tags in column.to_pylist()
            ]
            column = pa.array([text and without_null_characters(text, is_json=True) for text in texts], pa.string())
        elif kind == fields.TEXT and compute.any(compute.match_substring(column, "\0")).as_py():
            texts = column.to_pylist()
            column = pa.array([text and without_null_characters(text, is_json=False) for text in texts], pa.string())
        arrays.append(column)
    return pa.RecordBatch.from_arrays(arrays, names=list(kinds))


def _send(cursor: Any, statement: str, data: bytes) -> None:
    # Of psycopg 2 and 3.
    if hasattr(cursor, "copy_expert"):
        cursor.copy_expert(statement, BytesIO(data))
    else:
        with cursor.copy(statement) as stream:
            stream.write(data)
