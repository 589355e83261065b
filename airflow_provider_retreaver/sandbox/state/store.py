"""The sandbox's SQLite database: one connection, one lock, one transaction a request."""

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
    """The account's data. Every other method must be called inside :meth:`transaction`.

    :param database: Path of the SQLite database, which is created if needed; ``:memory:`` stores nothing.
    """

    def __init__(self, database: str) -> None:
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = _as_dict
        # The data must survive a restart of the sandbox, not a power cut.
        self._connection.execute("PRAGMA journal_mode = WAL")
        # Closes the database of a sandbox that is garbage-collected without close().
        weakref.finalize(self, self._connection.close)
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(TABLES)
        self._index_calls()
        self.calls_version = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock for the block; commit at its end, or roll back if it raises; one may be within another."""
        with self.lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                self.calls_version += 1
                raise
            self._connection.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run a query and return all its rows.

        :param sql: The query.
        :param values: Values of its placeholders.
        :return: Rows as dictionaries by column.
        """
        return self._connection.execute(sql, values).fetchall()

    def each(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Row]:
        """Run a query and yield its rows one by one, so that memory does not grow with them.

        :param sql: The query.
        :param values: Values of its placeholders.
        :return: Rows as dictionaries by column.
        """
        yield from self._connection.execute(sql, values)

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """Run a query and return its first row.

        :param sql: The query.
        :param values: Values of its placeholders.
        :return: The row as a dictionary by column, or None.
        """
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def one(self, sql: str, values: Sequence[Any] = ()) -> Row:
        """Run a query and return its first row, which must exist.

        :param sql: The query.
        :param values: Values of its placeholders.
        :return: The row as a dictionary by column.
        :raises LookupError: If the query returns no row.
        """
        row = self.row(sql, values)
        if row is None:
            raise LookupError(f"no row for {sql}")
        return row

    def value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run a query and return the first column of its first row.

        :param sql: The query.
        :param values: Values of its placeholders.
        :return: The value; None if there is no row.
        """
        row = self.row(sql, values)
        return None if row is None else next(iter(row.values()))

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement.

        :param sql: The statement.
        :param values: Values of its placeholders.
        :return: How many rows it changed.
        """
        return self._connection.execute(sql, values).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row.

        :param sql: The statement.
        :param rows: Values of its placeholders, one sequence a row.
        """
        self._connection.executemany(sql, rows)

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Drop the indexes of calls for the block and build them again at its end; faster for a large insert."""
        for name in CALL_INDEXES:
            self._connection.execute(f"DROP INDEX {name}")
        yield
        self._index_calls()

    def _index_calls(self) -> None:
        for name, columns in CALL_INDEXES.items():
            self._connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON calls ({columns})")

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        """Insert one row.

        :param table: Name of the table.
        :param values: Values by column.
        :return: ID of the new row.
        """
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        cursor = self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
        return cursor.lastrowid or 0

    def update(self, table: str, row_id: int, values: Mapping[str, Any]) -> None:
        """Change columns of one row.

        :param table: Name of the table.
        :param row_id: ID of the row.
        :param values: New values by column; others keep theirs.
        """
        if values:
            names = ", ".join(f"{name} = ?" for name in values)
            self._connection.execute(f"UPDATE {table} SET {names} WHERE id = ?", (*values.values(), row_id))

    def clear(self) -> None:
        """Delete all rows; IDs start again at 1."""
        tables = self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        for table in tables:
            self._connection.execute(f"DELETE FROM {table['name']}")
        self.calls_version += 1

    def close(self) -> None:
        """Close the database."""
        with self.lock:
            self._connection.close()
