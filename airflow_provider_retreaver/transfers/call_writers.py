"""How a batch of calls is written to a table, for each kind of database; through a driver's cursor (PEP 249)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from io import BytesIO
from typing import Any, TypeAlias

from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.time_parameters import instant
from airflow_provider_retreaver.domain.calls.copy_format import copy_lines
from airflow_provider_retreaver.domain.calls.sql_columns import Columns
from airflow_provider_retreaver.domain.calls.sql_dialects import Dialect, stage_of
from airflow_provider_retreaver.domain.calls.sql_limits import SINGLE
from airflow_provider_retreaver.transfers.database_errors import RoundedNumber

Values: TypeAlias = tuple[Any, ...]

# Keys in one statement; some databases take at most a thousand.
KEYS_AT_ONCE = 500
ROWS_AT_ONCE = 500


class BatchWriter:
    """Writes batches of calls to one table, none twice, the newest version of each.

    :param table: a checked name.
    :param columns: that are written.
    :param dialect: of the database.
    :param placeholder: the driver's mark of a parameter.

    `as_json` names the columns whose values PostgreSQL makes of a call's JSON, where a row has that in their place.
    """

    def __init__(self, table: str, columns: Columns, dialect: Dialect, placeholder: str) -> None:
        self._table = table
        self._columns = columns
        self._dialect = dialect
        self._placeholder = placeholder
        self._key = columns.names.index(columns.key)
        self._version = columns.names.index(columns.version)
        self._numeric = [
            place for place, column in enumerate(columns.columns) if column.kind in {"integer", "decimal"}
        ]
        ways: dict[str, Callable[[Any, list[Values]], int | None]] = {
            "postgresql": self._copy,
            "sqlite": self._upsert,
            "mysql": self._on_duplicate,
        }
        self._way = ways.get(dialect.name, self._replace)
        self.as_json: frozenset[str] = frozenset()

    def write(self, cursor: Any, batch: list[Values]) -> int | None:
        """Write a batch.

        :param cursor: of the driver.
        :param batch: values in the order of the columns, each call once.
        :return: number of rows of the table that are new or changed, None where the database does not report it.
        :raises RoundedNumber: when a database whose types are not known stored another number.
        """
        return self._way(cursor, batch)

    def rehearse(self, cursor: Any) -> None:
        """Execute what writes a batch without any call, so that keys and privileges are checked.

        :param cursor: of the driver.
        """
        if self._dialect.name == "postgresql":
            self._copy(cursor, [])
            return
        names, table = self._dialect.list_of(self._columns.names), self._dialect.named(self._table)
        if self._dialect.name == "mysql":
            nothing = ", ".join(["NULL"] * len(self._columns.names))
            end = f"SELECT {nothing} FROM DUAL WHERE 1 = 0 {self._dialect.on_duplicate(self._columns)}"
        else:
            end = f"SELECT {names} FROM {table} WHERE 1 = 0"
        if self._dialect.name == "sqlite":
            end += f" {self._dialect.on_conflict(self._table, self._columns)}"
        elif self._dialect.name != "mysql":
            cursor.execute(f"DELETE FROM {table} WHERE 1 = 0")
        cursor.execute(f"INSERT INTO {table} ({names}) {end}")

    def select(self, cursor: Any, names: Sequence[str], keys: Sequence[object]) -> Iterator[Sequence[Any]]:
        """Yield the rows of the table that have these keys.

        :param cursor: of the driver.
        :param names: of the columns to read.
        :param keys: of the calls.
        :return: the rows.
        """
        listed, table = self._dialect.list_of(names), self._dialect.named(self._table)
        key = self._dialect.named(self._columns.key)
        for at in range(0, len(keys), KEYS_AT_ONCE):
            part = list(keys[at : at + KEYS_AT_ONCE])
            marks = ", ".join([self._placeholder] * len(part))
            cursor.execute(f"SELECT {listed} FROM {table} WHERE {key} IN ({marks})", part)
            yield from cursor.fetchall()

    def _copy(self, cursor: Any, batch: list[Values]) -> int:
        """PostgreSQL: copy into a temporary table of the transaction, then upsert from there."""
        # Made before the transaction begins, which a server may not let idle.
        raw = [place for place, name in enumerate(self._columns.names) if name in self.as_json]
        parts = copy_lines(batch, raw)
        cursor.execute(self._dialect.stage(self._table, self._columns))
        names = [name for name in self._columns.names if name not in self.as_json]
        names += [self._columns.names[place] for place in raw]
        copy = f"COPY {stage_of(self._table)} ({self._dialect.list_of(names)}) FROM STDIN"
        # The older driver of PostgreSQL and the newer one.
        if hasattr(cursor, "copy_expert"):
            cursor.copy_expert(copy, BytesIO(b"".join(parts)))
        else:
            with cursor.copy(copy) as stream:
                for part in parts:
                    stream.write(part)
        cursor.execute(self._dialect.from_stage(self._table, self._columns, self.as_json))
        return int(cursor.rowcount)

    def _upsert(self, cursor: Any, batch: list[Values]) -> int:
        insert = self._dialect.insert(self._table, self._columns, self._placeholder)
        cursor.executemany(f"{insert} {self._dialect.on_conflict(self._table, self._columns)}", self._stored(batch))
        return int(cursor.rowcount)

    def _on_duplicate(self, cursor: Any, batch: list[Values]) -> None:
        insert = self._dialect.insert(self._table, self._columns, self._placeholder)
        statement = f"{insert} {self._dialect.on_duplicate(self._columns)}"
        # One of MySQL's drivers makes one statement of all rows, whose length the server limits.
        for at in range(0, len(batch), ROWS_AT_ONCE):
            cursor.executemany(statement, self._stored(batch[at : at + ROWS_AT_ONCE]))

    def _replace(self, cursor: Any, batch: list[Values]) -> int | None:
        """Other databases: read the existing versions, delete those that are not newer, insert, compare numbers."""
        names = [self._columns.key, self._columns.version]
        found = self.select(cursor, names, [row[self._key] for row in batch])
        versions = {key: _time(version) for key, version in found}
        older = [
            row
            for row in batch
            if row[self._key] not in versions or not is_newer(versions[row[self._key]], row[self._version])
        ]
        replaced = [(row[self._key],) for row in older if row[self._key] in versions]
        key, table = self._dialect.named(self._columns.key), self._dialect.named(self._table)
        if replaced:
            cursor.executemany(f"DELETE FROM {table} WHERE {key} = {self._placeholder}", replaced)
        if older:
            cursor.executemany(
                self._dialect.insert(self._table, self._columns, self._placeholder), self._stored(older)
            )
        self._compare(cursor, older)
        # Whether a row with the same version differed is not known.
        same = any(row[self._key] in versions and versions[row[self._key]] == row[self._version] for row in older)
        return None if same else len(older)

    def _compare(self, cursor: Any, batch: list[Values]) -> None:
        """Read the numbers back: the types of these databases, and what they round, are not known."""
        names = [self._columns.names[place] for place in self._numeric]
        sent = {row[self._key]: row for row in batch if any(row[place] is not None for place in self._numeric)}
        for key, *stored in self.select(cursor, [self._columns.key, *names], list(sent)):
            row = sent.get(key, ())
            for place, name, value in zip(self._numeric, names, stored, strict=True):
                if row and row[place] is not None and not _same(row[place], value):
                    raise RoundedNumber(f"column {name} of the table would round {one_line(row[place], 40)}")

    def _stored(self, batch: list[Values]) -> list[Values]:
        stored = self._dialect.stored
        return [tuple(value if value is None else stored(value) for value in row) for row in batch]


def is_newer(one: datetime | None, other: datetime | None) -> bool:
    """Compare two versions of a call.

    :param one: time of its update, if known.
    :param other: the same.
    :return: whether the first is newer.
    """
    return one is not None and (other is None or one > other)


def _time(value: Any) -> datetime | None:
    """Return a time that a database returned: aware, naive in UTC, or a text."""
    time = instant(value, "a version in the table") if isinstance(value, str) else value
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


def _same(sent: int | Decimal, stored: Any) -> bool:
    # A driver shows a float of 4 bytes with more digits than it holds.
    texts = [str(stored), f"{stored:.{SINGLE}g}"] if isinstance(stored, float) else [str(stored)]
    with suppress(InvalidOperation):
        return any(Decimal(text) == sent for text in texts)
    return False
