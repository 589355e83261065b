"""A table that calls are put into, through a driver's own connection (PEP 249)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument, TableNotWritten
from airflow_provider_retreaver.domain.calls.sql_columns import Columns
from airflow_provider_retreaver.domain.calls.sql_dialects import MYSQL_UNIQUE, STAGE, Dialect, copy_line
from airflow_provider_retreaver.transfers.database_errors import (
    NOT_THE_DRIVERS_OWN,
    Failure,
    driver_error,
    error_text,
)

log = logging.getLogger(__name__)

Values = tuple[Any, ...]

# How many keys are looked for in one statement; some databases take no more than a thousand.
KEYS_AT_ONCE = 500


class CallTable:
    """One table.

    :param connection: a driver's connection, not in autocommit.
    :param table: a checked name.
    :param columns: what is put into it.
    :param dialect: of the database.
    :param placeholder: how the driver marks a parameter, `%s` or `?`.
    """

    def __init__(
        self, connection: Any, table: str, columns: Columns, dialect: Dialect, placeholder: str = "%s"
    ) -> None:
        self._connection = connection
        self._table = table
        self._columns = columns
        self._dialect = dialect
        self._placeholder = placeholder
        self._key = columns.names.index(columns.key)
        self._version = columns.names.index(columns.version)
        self._errors = (*NOT_THE_DRIVERS_OWN, driver_error(connection))
        ways: dict[str, Callable[[Any, list[Values]], int | None]] = {
            "postgresql": self._copied,
            "sqlite": self._upserted,
            "mysql": self._on_duplicate,
        }
        self._put = ways.get(dialect.name, self._replaced)

    def prepare(self, *, create: bool) -> None:
        """Find the table, create it when it is not there, and check that it can take calls.

        :param create: whether it may be created.
        :raises InvalidArgument: naming what is missing.
        """
        there, said = self._described()
        if there is None and create:
            statement = self._dialect.create_table(self._table, self._columns)
            said = self._tried(statement)
            # Another task may have created it meanwhile: looking again tells.
            there, _ = self._described()
            if there is not None and not said:
                log.info("Table %s was created", self._table)
        if there is None:
            raise InvalidArgument(f"Table {self._table} is not there or cannot be read ({said}).")
        missing = [name for name in self._columns.names if name not in there]
        if missing and not self._dialect.quote:
            folded = {name.lower() for name in there}
            missing = [name for name in missing if name.lower() not in folded]
        if missing:
            raise InvalidArgument(
                f"Table {self._table} has no column {', '.join(missing)}; add it, or map it elsewhere."
            )
        self._check_key()

    def _described(self) -> tuple[list[str] | None, str]:
        said = ""
        with closing(self._connection.cursor()) as cursor:
            try:
                cursor.execute(self._dialect.nothing(self._table))
                found: list[str] | None = [str(described[0]) for described in cursor.description]
                cursor.fetchall()  # one of MySQL's drivers does nothing more while an answer is not read
            except self._errors as error:
                found, said = None, error_text(error)
        self._connection.rollback()
        return found, said

    def _tried(self, statement: str, parameters: Sequence[Any] = ()) -> str:
        """Execute and commit; return what the database said against it."""
        said = ""
        with closing(self._connection.cursor()) as cursor:
            try:
                cursor.execute(statement, parameters) if parameters else cursor.execute(statement)
                self._connection.commit()
            except self._errors as error:
                said = error_text(error) or type(error).__name__
        if said:
            self._connection.rollback()
        return said

    def _check_key(self) -> None:
        said = ""
        if self._dialect.name in ("postgresql", "sqlite"):
            names, table = self._dialect.list_of(self._columns.names), self._dialect.named(self._table)
            said = self._tried(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM {table} WHERE 1 = 0 "
                f"{self._dialect.on_conflict(self._table, self._columns)}"
            )
        elif self._dialect.name == "mysql":
            schema, _, table = self._table.rpartition(".")
            with closing(self._connection.cursor()) as cursor:
                cursor.execute(MYSQL_UNIQUE, (schema or None, table, self._columns.key.lower()))
                said = "" if cursor.fetchall()[0][0] else "no unique key"
        if said:
            raise InvalidArgument(
                f"Table {self._table} does not take calls by {self._columns.key} ({said}); make {self._columns.key} "
                f"its primary key, and let the user insert and update."
            )

    def write(self, rows: Sequence[Values]) -> int | None:
        """Put a batch into the table in one transaction; of several versions of a call the newest stays.

        :param rows: values in the order of the columns.
        :return: how many rows of the table were new or changed, None where the database does not say.
        :raises TableNotWritten: naming call and column; the batch was rolled back.
        """
        batch = self._newest(rows)
        said = self._attempt(batch, commit=True)
        if isinstance(said, Failure):
            raise self._explained(batch, said)
        return said

    def _newest(self, rows: Sequence[Values]) -> list[Values]:
        newest: dict[Any, Values] = {}
        for row in rows:
            there = newest.get(row[self._key])
            if there is None or not _newer(there[self._version], row[self._version]):
                newest[row[self._key]] = row
        # In one order everywhere: tasks that write the same calls at once wait for each other, and not in a circle.
        return sorted(newest.values(), key=lambda row: str(row[self._key]))

    def _attempt(self, batch: list[Values], *, commit: bool) -> Failure | int | None:
        failure = changed = None
        try:
            with closing(self._connection.cursor()) as cursor:
                changed = self._put(cursor, batch)
            if commit:
                self._connection.commit()
        except self._errors as error:
            failure = Failure(error)
        if failure is not None or not commit:
            self._connection.rollback()
        return changed if failure is None else failure

    def _explained(self, batch: list[Values], failure: Failure) -> TableNotWritten:
        """Find the first call that the table does not take, and its column, by trying smaller parts."""
        rolled_back = f"The batch of {len(batch)} calls was rolled back"
        if not failure.about_data:
            return TableNotWritten(
                f"Table {self._table} was not written: {failure.said}. {rolled_back}; a retry puts them in."
            )
        while len(batch) > 1:
            half = batch[: len(batch) // 2]
            found = self._attempt(half, commit=False)
            batch = half if isinstance(found, Failure) else batch[len(half) :]
            failure = found if isinstance(found, Failure) else failure
        found = self._attempt(batch, commit=False)
        if not isinstance(found, Failure):
            return TableNotWritten(f"Table {self._table} was not written: {failure.said}. {rolled_back}.")
        uuid, column = batch[0][self._key], self._column_of(batch[0])
        where = f", column {column}" if column else ""
        return TableNotWritten(
            f"Table {self._table} does not take call {uuid}{where}: {found.said}. {rolled_back}; change the column's "
            f"type or the mapping.",
            uuid=uuid,
            column=column,
        )

    def _column_of(self, row: Values) -> str | None:
        """Return the column without whose value the table takes the call, or the first of several at fault."""
        bare: Values = tuple(value if place == self._key else None for place, value in enumerate(row))
        places = [place for place, value in enumerate(row) if value is not None and place != self._key]
        for place in places:
            if self._takes((*row[:place], None, *row[place + 1 :])):
                return self._columns.names[place]
        if self._takes(bare):
            for place in places:
                if not self._takes((*bare[:place], row[place], *bare[place + 1 :])):
                    return self._columns.names[place]
        return None

    def _takes(self, row: Values) -> bool:
        return not isinstance(self._attempt([row], commit=False), Failure)

    def _copied(self, cursor: Any, batch: list[Values]) -> int:
        """PostgreSQL: stream into a table of the transaction's own, then upsert from there."""
        cursor.execute(self._dialect.stage(self._table, self._columns))
        data = "".join(map(copy_line, batch)).encode()
        copy = f"COPY {STAGE} ({self._dialect.list_of(self._columns.names)}) FROM STDIN"
        # The older driver of PostgreSQL and the newer one.
        if hasattr(cursor, "copy_expert"):
            cursor.copy_expert(copy, BytesIO(data))
        else:
            with cursor.copy(copy) as stream:
                stream.write(data)
        cursor.execute(self._dialect.from_stage(self._table, self._columns))
        return int(cursor.rowcount)

    def _upserted(self, cursor: Any, batch: list[Values]) -> int:
        insert = self._dialect.insert(self._table, self._columns, self._placeholder)
        cursor.executemany(f"{insert} {self._dialect.on_conflict(self._table, self._columns)}", self._stored(batch))
        return int(cursor.rowcount)

    def _on_duplicate(self, cursor: Any, batch: list[Values]) -> None:
        insert = self._dialect.insert(self._table, self._columns, self._placeholder)
        cursor.executemany(f"{insert} {self._dialect.on_duplicate(self._columns)}", self._stored(batch))

    def _replaced(self, cursor: Any, batch: list[Values]) -> int | None:
        """Anywhere else: look which versions are there, delete those that are no newer, insert."""
        there = dict(self._versions(cursor, [row[self._key] for row in batch]))
        older = [
            row
            for row in batch
            if row[self._key] not in there or not _newer(there[row[self._key]], row[self._version])
        ]
        replaced = [(row[self._key],) for row in older if row[self._key] in there]
        key, table = self._dialect.named(self._columns.key), self._dialect.named(self._table)
        if replaced:
            cursor.executemany(f"DELETE FROM {table} WHERE {key} = {self._placeholder}", replaced)
        if older:
            cursor.executemany(
                self._dialect.insert(self._table, self._columns, self._placeholder), self._stored(older)
            )
        # Whether a row of the same time differed is not known.
        same = any(row[self._key] in there and there[row[self._key]] == row[self._version] for row in older)
        return None if same else len(older)

    def _versions(self, cursor: Any, keys: list[Any]) -> Iterator[tuple[Any, Any]]:
        names = self._dialect.list_of([self._columns.key, self._columns.version])
        table, key = self._dialect.named(self._table), self._dialect.named(self._columns.key)
        for at in range(0, len(keys), KEYS_AT_ONCE):
            part = keys[at : at + KEYS_AT_ONCE]
            marks = ", ".join([self._placeholder] * len(part))
            cursor.execute(f"SELECT {names} FROM {table} WHERE {key} IN ({marks})", part)
            for found, version in cursor.fetchall():
                yield found, _moment(version)

    def _stored(self, batch: list[Values]) -> list[Values]:
        stored = self._dialect.stored
        return [tuple(value if value is None else stored(value) for value in row) for row in batch]


def _newer(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)


def _moment(value: Any) -> datetime | None:
    """Return a time as a database hands it back: aware, naive in UTC, or a text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _begin(connection: Any, statements: Sequence[str]) -> None:
    # One of MySQL's drivers speaks Latin-1 unless it is told otherwise.
    if hasattr(connection, "set_character_set"):
        connection.set_character_set("utf8mb4")
    with closing(connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def calls_table(
    connection: Any, table: str, columns: Columns, dialect: Dialect, placeholder: str
) -> Iterator[CallTable]:
    """Provide a table whose connection is closed at the end; what was not committed is not there."""
    with closing(connection):
        if dialect.session:
            _begin(connection, dialect.session)
        yield CallTable(connection, table, columns, dialect, placeholder)
