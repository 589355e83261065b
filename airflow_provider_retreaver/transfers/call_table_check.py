"""What is checked of a table before the first request: columns, types, keys, privileges, policies."""

from __future__ import annotations

import logging
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError, TableNotWritten
from airflow_provider_retreaver.domain.calls.sql_catalog import (
    MYSQL_UNIQUE,
    POSTGRESQL_POLICIES,
    columns_query,
    other_unique_keys,
    regclass,
)
from airflow_provider_retreaver.domain.calls.sql_columns import Columns
from airflow_provider_retreaver.domain.calls.sql_dialects import Dialect
from airflow_provider_retreaver.domain.calls.sql_limits import Limit, limit_of
from airflow_provider_retreaver.transfers.call_writers import BatchWriter
from airflow_provider_retreaver.transfers.database_errors import Failure
from airflow_provider_retreaver.transfers.database_session import Session, run

log = logging.getLogger(__name__)

# Types that a time loses its date or its time in.
_NO_TIMES = frozenset({"date", "time", "year", "time without time zone", "time with time zone"})
# SQLSTATE of a clause ON CONFLICT without a key; drivers without SQLSTATE say so in their messages.
_KEY_STATES = frozenset({"", "42P10"})


class TableCheck:
    """Checks that a table can take calls.

    :param session: a connection to its database.
    :param table: a checked name.
    :param columns: that will be written.
    :param dialect: of the database.
    :param writer: that will write.
    """

    def __init__(self, session: Session, table: str, columns: Columns, dialect: Dialect, writer: BatchWriter) -> None:
        self._session = session
        self._table = table
        self._columns = columns
        self._dialect = dialect
        self._writer = writer
        # The type of each column as the catalog names it, once that was read.
        self.kinds: dict[str, str] = {}

    def check(self, *, create: bool) -> list[Limit | None]:
        """Check the table, and create it when it does not exist.

        :param create: whether it may be created.
        :return: what each column can hold of a number, None for everything.
        :raises InvalidArgument: naming the table, column, key, privilege or policy.
        :raises TableNotWritten: when the database cannot answer now.
        """
        self._check_names(self._names_or_created(create=create))
        limits = self._check_catalog()
        if self._dialect.name == "mysql":
            self._check_unique_keys()
        if self._dialect.name == "postgresql":
            self._check_policies()
        self._rehearse()
        return limits

    def _names_or_created(self, *, create: bool) -> list[str]:
        names = self._column_names()
        if isinstance(names, Failure) and create and not names.passing:
            statement = self._dialect.create_table(self._table, self._columns)
            failure = self._session.attempt(lambda cursor: run(cursor, statement), commit=True)
            # Another task may have created it in the meantime.
            names = self._column_names()
            if not isinstance(names, Failure) and failure is None:
                log.info("Table %s was created", self._table)
            elif isinstance(names, Failure) and isinstance(failure, Failure):
                names = failure
        if isinstance(names, Failure):
            raise self._refused(
                names,
                f"Table {self._table} does not exist or cannot be read ({names.message}); create it, or give "
                f"another table.",
            )
        return names

    def _column_names(self) -> list[str] | Failure:
        def names(cursor: Any) -> list[str]:
            cursor.execute(self._dialect.nothing(self._table))
            found = [str(described[0]) for described in cursor.description]
            cursor.fetchall()  # one of MySQL's drivers refuses further statements until a result is read
            return found

        return self._session.attempt(names, commit=False)

    def _check_names(self, names: list[str]) -> None:
        missing = [name for name in self._columns.names if name not in names]
        if missing and not self._dialect.quote:
            folded = {name.lower() for name in names}
            missing = [name for name in missing if name.lower() not in folded]
        if missing:
            raise InvalidArgument(
                f"Table {self._table} has no column {', '.join(missing)}; add it, or map it elsewhere."
            )

    def _check_catalog(self) -> list[Limit | None]:
        query = columns_query(self._dialect.name, self._table)
        if query is None:
            return [None] * len(self._columns.names)
        limits: dict[str, Limit | None] = {}
        needed = []
        for name, kind, scale, is_needed in self._read(*query):
            if _text(name) == self._columns.version and _text(kind).lower() in _NO_TIMES:
                raise InvalidArgument(
                    f"Table {self._table}: column {self._columns.version} is a {_text(kind)}, and says which version "
                    f"of a call is newer; make it a type of date and time."
                )
            self.kinds[_text(name)] = _text(kind).lower()
            limits[_text(name)] = limit_of(self._dialect.name, _text(kind), None if scale is None else int(scale))
            if is_needed and _text(name) not in self._columns.names:
                needed.append(_text(name))
        if needed:
            raise InvalidArgument(
                f"Table {self._table} needs a value in {', '.join(needed)}, which no field of a call is mapped to; "
                f"give the column a default, let it be NULL, or map it."
            )
        return [limits.get(name) for name in self._columns.names]

    def _check_unique_keys(self) -> None:
        schema, _, table = self._table.rpartition(".")
        found = self._read(MYSQL_UNIQUE, (schema or None, table))
        is_key, others = other_unique_keys(found, self._columns.key, self._columns.names)
        if not is_key:
            raise self._no_key("no unique key")
        if others:
            raise InvalidArgument(
                f"Table {self._table} has another unique key ({', '.join(others)}), and MySQL's upsert acts on any "
                f"key: two calls with the same values there would become one row. Drop it, or make it an index that "
                f"is not unique; only {self._columns.key} may be unique."
            )

    def _check_policies(self) -> None:
        [[applies]] = self._read(POSTGRESQL_POLICIES, (regclass(self._table),)) or [[False]]
        if applies:
            raise InvalidArgument(
                f"Row-level security of table {self._table} applies to the connection's user, and its policies may "
                f"hide or refuse calls; load as the table's owner or as a user with BYPASSRLS, or give the user a "
                f"policy for all rows (USING (true))."
            )

    def _rehearse(self) -> None:
        failure = self._session.attempt(self._writer.rehearse, commit=False)
        if not isinstance(failure, Failure):
            return
        if not failure.denied and failure.state in _KEY_STATES:
            raise self._refused(failure, self._no_key(failure.message).message)
        if not failure.denied:
            raise self._refused(failure, f"Table {self._table} does not accept calls: {failure.message}.")
        temporary = ", and create temporary tables in its database" if self._dialect.name == "postgresql" else ""
        raise InvalidArgument(
            f"The connection's user may not load calls into table {self._table} ({failure.message}); let it select, "
            f"insert and update there{temporary}."
        )

    def _no_key(self, message: str) -> InvalidArgument:
        return InvalidArgument(
            f"Table {self._table} does not accept calls by {self._columns.key} ({message}); make "
            f"{self._columns.key} its primary key, and let the user insert and update."
        )

    def _read(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        rows = self._session.rows(statement, parameters)
        if isinstance(rows, Failure):
            raise self._refused(
                rows, f"The catalog of the database of table {self._table} cannot be read ({rows.message})."
            )
        return rows

    def _refused(self, failure: Failure, message: str) -> RetreaverError:
        if not failure.passing:
            return InvalidArgument(message)
        return TableNotWritten(
            f"Table {self._table} could not be checked: {failure.message}. Nothing was read or written; a retry "
            f"starts anew."
        )


def _text(value: object) -> str:
    # One of MySQL's drivers returns names of the catalog as bytes.
    return value.decode() if isinstance(value, (bytes, bytearray)) else str(value)
