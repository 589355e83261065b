"""SQLite behind the sandbox: one connection, one lock, one transaction a request."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_retreaver.sandbox.state.schema import CALL_INDEXES, TABLES

Row = dict[str, Any]


def _as_dict(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}


class Store:
    """The account's data. Every method expects to be called inside :meth:`transaction`."""

    def __init__(self, database: str) -> None:
        """Open (or make) the database."""
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = _as_dict
        # A sandbox need not survive a power cut; it must survive its own restarts.
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A sandbox that is dropped without being closed lets go of its database all the same.
        weakref.finalize(self, self._connection.close)
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(TABLES)
        self._index_calls()
        self.calls_version = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock; keep everything or nothing."""
        with self.lock:
            self._connection.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                self.calls_version += 1
                raise
            self._connection.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run a query and give every row."""
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """Run a query and give its first row."""
        found: Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def one(self, sql: str, values: Sequence[Any] = ()) -> Row:
        """Run a query whose row is known to be there."""
        row = self.row(sql, values)
        if row is None:
            raise LookupError(f"no row for {sql}")
        return row

    def value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run a query and give the first column of its first row, None without one."""
        row = self.row(sql, values)
        return None if row is None else next(iter(row.values()))

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement and say how many rows it touched."""
        return self._connection.execute(sql, values).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row."""
        self._connection.executemany(sql, rows)

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Put the indexes of calls aside for a large insert: sorting them afterwards is faster."""
        for name in CALL_INDEXES:
            self._connection.execute(f"DROP INDEX {name}")
        yield
        self._index_calls()

    def _index_calls(self) -> None:
        for name, columns in CALL_INDEXES.items():
            self._connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON calls ({columns})")

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        """Insert one row and give its id."""
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        cursor = self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
        return cursor.lastrowid or 0

    def update(self, table: str, row_id: int, values: Mapping[str, Any]) -> None:
        """Change one row's columns."""
        if values:
            names = ", ".join(f"{name} = ?" for name in values)
            self._connection.execute(f"UPDATE {table} SET {names} WHERE id = ?", (*values.values(), row_id))

    def clear(self) -> None:
        """Forget everything, ids included."""
        tables = self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        for table in tables:
            self._connection.execute(f"DELETE FROM {table['name']}")
        self.calls_version += 1

    def close(self) -> None:
        """Close the database."""
        with self.lock:
            self._connection.close()
