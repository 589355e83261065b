"""A table that calls are written to, through a driver's own connection (PEP 249)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument, TableNotWritten
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.domain.calls.sql_columns import Columns
from airflow_provider_retreaver.domain.calls.sql_dialects import MYSQL_UNIQUE, STAGE, Dialect, copy_line
from airflow_provider_retreaver.transfers.database_errors import (
    BUILTIN_ERRORS,
    Failure,
    driver_error,
    error_text,
)

log = logging.getLogger(__name__)

Values = tuple[Any, ...]

# Keys in one statement; some databases take at most a thousand.
KEYS_AT_ONCE = 500


class CallTable:
    """A table of calls.

    :param connection: a driver's connection, not in autocommit.
    :param table: a checked name.
    :param columns: that are written.
    :param dialect: of the database.
    :param placeholder: the driver's mark of a parameter, `%s` or `?`.
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
        self._errors = (*BUILTIN_ERRORS, driver_error(connection))
        writers: dict[str, Callable[[Any, list[Values]], int | None]] = {
            "postgresql": self._copy,
            "sqlite": self._upsert,
            "mysql": self._on_duplicate,
        }
        self._write_batch = writers.get(dialect.name, self._replace)

    def prepare(self, *, create: bool) -> None:
        """Check that the table can take calls, and create it when it does not exist.

        :param create: whether it may be created.
        :raises InvalidArgument: naming the table, column or key that is missing.
        """
        names, message = self._column_names()
        if names is None and create:
            statement = self._dialect.create_table(self._table, self._columns)
            message = self._execute(statement)
            # Another task may have created it in the meantime.
            names, _ = self._column_names()
            if names is not None and not message:
                log.info("Table %s was created", self._table)
        if names is None:
            raise InvalidArgument(
                f"Table {self._table} does not exist or cannot be read ({message}); create it, or give another table."
            )
        missing = [name for name in self._columns.names if name not in names]
        if missing and not self._dialect.quote:
            folded = {name.lower() for name in names}
            missing = [name for name in missing if name.lower() not in folded]
        if missing:
            raise InvalidArgument(
                f"Table {self._table} has no column {', '.join(missing)}; add it, or map it elsewhere."
            )
        self._check_key()

    def _column_names(self) -> tuple[list[str] | None, str]:
        message = ""
        with closing(self._connection.cursor()) as cursor:
            try:
                cursor.execute(self._dialect.nothing(self._table))
                found: list[str] | None = [str(described[0]) for described in cursor.description]
                cursor.fetchall()  # one of MySQL's drivers refuses further statements until a result is read
            except self._errors as error:
                found, message = None, error_text(error)
        self._connection.rollback()
        return found, message

    def _execute(self, statement: str, parameters: Sequence[Any] = ()) -> str:
        """Execute and commit; return the database's error, empty for none."""
        message = ""
        with closing(self._connection.cursor()) as cursor:
            try:
                cursor.execute(statement, parameters) if parameters else cursor.execute(statement)
                self._connection.commit()
            except self._errors as error:
                message = error_text(error) or type(error).__name__
        if message:
            self._connection.rollback()
        return message

    def _check_key(self) -> None:
        message = ""
        if self._dialect.name in ("postgresql", "sqlite"):
            names, table = self._dialect.list_of(self._columns.names), self._dialect.named(self._table)
            message = self._execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM {table} WHERE 1 = 0 "
                f"{self._dialect.on_conflict(self._table, self._columns)}"
            )
        elif self._dialect.name == "mysql":
            schema, _, table = self._table.rpartition(".")
            with closing(self._connection.cursor()) as cursor:
                cursor.execute(MYSQL_UNIQUE, (schema or None, table, self._columns.key.lower()))
                message = "" if cursor.fetchall()[0][0] else "no unique key"
        if message:
            raise InvalidArgument(
                f"Table {self._table} does not accept calls by {self._columns.key} ({message}); make "
                f"{self._columns.key} its primary key, and let the user insert and update."
            )

    def write(self, rows: Sequence[Values]) -> int | None:
        """Write a batch in one transaction; of several versions of a call the newest stays.

        :param rows: values in the order of the columns.
        :return: number of rows of the table that are new or changed, None where the database does not report it.
        :raises TableNotWritten: naming call and column; the batch is rolled back.
        """
        batch = self._newest(rows)
        result = self._attempt(batch, commit=True)
        if isinstance(result, Failure):
            raise self._find_cause(batch, result)
        return result

    def _newest(self, rows: Sequence[Values]) -> list[Values]:
        newest: dict[Any, Values] = {}
        for row in rows:
            known = newest.get(row[self._key])
            if known is None or not _newer(known[self._version], row[self._version]):
                newest[row[self._key]] = row
        # One order everywhere: tasks that write the same calls concurrently wait for each other without a deadlock.
        return sorted(newest.values(), key=lambda row: str(row[self._key]))

    def _attempt(self, batch: list[Values], *, commit: bool) -> Failure | int | None:
        failure = changed = None
        try:
            with closing(self._connection.cursor()) as cursor:
                changed = self._write_batch(cursor, batch)
            if commit:
                self._connection.commit()
        except self._errors as error:
            failure = Failure(error)
        if failure is not None or not commit:
            self._connection.rollback()
        return changed if failure is None else failure

    def _find_cause(self, batch: list[Values], failure: Failure) -> TableNotWritten:
        """Find the first call that the table does not accept, and its column, by trying smaller parts."""
        rolled_back = f"The batch of {len(batch)} calls was rolled back"
        if not failure.about_data:
            return TableNotWritten(
                f"Table {self._table} was not written: {failure.message}. {rolled_back}; a retry writes them."
            )
        while len(batch) > 1:
            half = batch[: len(batch) // 2]
            found = self._attempt(half, commit=False)
            batch = half if isinstance(found, Failure) else batch[len(half) :]
            failure = found if isinstance(found, Failure) else failure
        found = self._attempt(batch, commit=False)
        if not isinstance(found, Failure):
            return TableNotWritten(f"Table {self._table} was not written: {failure.message}. {rolled_back}.")
        uuid, column = batch[0][self._key], self._column_of(batch[0])
        where = f", column {column}" if column else ""
        return TableNotWritten(
            f"Table {self._table} does not accept call {one_line(uuid)}{where}: {found.message}. {rolled_back}; "
            f"change the column's type or the mapping.",
            uuid=uuid,
            column=column,
        )

    def _column_of(self, row: Values) -> str | None:
        """Return the column without whose value the table accepts the call, or the first of several such columns."""
        bare: Values = tuple(value if place == self._key else None for place, value in enumerate(row))
        places = [place for place, value in enumerate(row) if value is not None and place != self._key]
        for place in places:
            if self._accepts((*row[:place], None, *row[place + 1 :])):
                return self._columns.names[place]
        if self._accepts(bare):
            for place in places:
                if not self._accepts((*bare[:place], row[place], *bare[place + 1 :])):
                    return self._columns.names[place]
        return None

    def _accepts(self, row: Values) -> bool:
        return not isinstance(self._attempt([row], commit=False), Failure)

    def _copy(self, cursor: Any, batch: list[Values]) -> int:
        """PostgreSQL: copy into a temporary table of the transaction, then upsert from there."""
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

    def _upsert(self, cursor: Any, batch: list[Values]) -> int:
        insert = self._dialect.insert(self._table, self._columns, self._placeholder)
        cursor.executemany(f"{insert} {self._dialect.on_conflict(self._table, self._columns)}", self._stored(batch))
        return int(cursor.rowcount)

    def _on_duplicate(self, cursor: Any, batch: list[Values]) -> None:
        insert = self._dialect.insert(self._table, self._columns, self._placeholder)
        cursor.executemany(f"{insert} {self._dialect.on_duplicate(self._columns)}", self._stored(batch))

    def _replace(self, cursor: Any, batch: list[Values]) -> int | None:
        """Other databases: read the existing versions, delete those that are not newer, insert."""
        versions = dict(self._versions(cursor, [row[self._key] for row in batch]))
        older = [
            row
            for row in batch
            if row[self._key] not in versions or not _newer(versions[row[self._key]], row[self._version])
        ]
        replaced = [(row[self._key],) for row in older if row[self._key] in versions]
        key, table = self._dialect.named(self._columns.key), self._dialect.named(self._table)
        if replaced:
            cursor.executemany(f"DELETE FROM {table} WHERE {key} = {self._placeholder}", replaced)
        if older:
            cursor.executemany(
                self._dialect.insert(self._table, self._columns, self._placeholder), self._stored(older)
            )
        # Whether a row with the same version differed is not known.
        same = any(row[self._key] in versions and versions[row[self._key]] == row[self._version] for row in older)
        return None if same else len(older)

    def _versions(self, cursor: Any, keys: list[Any]) -> Iterator[tuple[Any, Any]]:
        names = self._dialect.list_of([self._columns.key, self._columns.version])
        table, key = self._dialect.named(self._table), self._dialect.named(self._columns.key)
        for at in range(0, len(keys), KEYS_AT_ONCE):
            part = keys[at : at + KEYS_AT_ONCE]
            marks = ", ".join([self._placeholder] * len(part))
            cursor.execute(f"SELECT {names} FROM {table} WHERE {key} IN ({marks})", part)
            for found, version in cursor.fetchall():
                yield found, _time(version)

    def _stored(self, batch: list[Values]) -> list[Values]:
        stored = self._dialect.stored
        return [tuple(value if value is None else stored(value) for value in row) for row in batch]


def _newer(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)


def _time(value: Any) -> datetime | None:
    """Return a time that a database returned: aware, naive in UTC, or a text."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


def _begin(connection: Any, statements: Sequence[str]) -> None:
    # One of MySQL's drivers uses Latin-1 by default.
    if hasattr(connection, "set_character_set"):
        connection.set_character_set("utf8mb4")
    with closing(connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def calls_table(
    connection: Any, table: str, columns: Columns, dialect: Dialect, placeholder: str
) -> Iterator[CallTable]:
    """Provide a table; its connection is closed at the end, and transactions without a commit are rolled back.

    :param connection: a driver's connection, not in autocommit.
    :param table: a checked name.
    :param columns: that are written.
    :param dialect: of the database.
    :param placeholder: the driver's mark of a parameter, `%s` or `?`.
    :yield: the table.
    """
    with closing(connection):
        if dialect.session:
            _begin(connection, dialect.session)
        yield CallTable(connection, table, columns, dialect, placeholder)
