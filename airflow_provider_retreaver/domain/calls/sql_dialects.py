"""The SQL that writes calls into a table, for each kind of database; nothing is executed here.

The newest `updated_at` of a call wins everywhere, and of two versions with the same one the one that was read later.
A call that comes again unchanged changes no row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.calls.sql_columns import IDENTIFIER, Columns, SqlKind, SqlValue

STAGE = "retreaver_stage"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The SQL of one kind of database.

    :param name: as common-sql calls it.
    :param quote: quotes names; empty where quoting would change their meaning.
    :param types: the database's type for each kind of column; empty where tables are not created.
    :param key_type: type of the key column.
    :param stored: converts a value, other than None, to one that the driver takes.
    :param differs: operator that compares two values, either of which may be NULL.
    :param comparable: cast of a JSON column that is compared.
    :param options: end of the statement that creates a table.
    :param session: statements that are executed first on every connection.
    :param null_characters: whether texts and JSON can hold U+0000.
    """

    name: str
    quote: str
    types: Mapping[SqlKind, str]
    key_type: str
    stored: Callable[[SqlValue], SqlValue]
    differs: str = "IS DISTINCT FROM"
    comparable: str = ""
    options: str = ""
    session: tuple[str, ...] = ()
    null_characters: bool = True

    def named(self, name: str) -> str:
        """Return a name as it is written in a statement.

        :param name: of a table (`calls`, `schema.calls`) or column.
        :return: the quoted name.
        """
        return ".".join(f"{self.quote}{part}{self.quote}" for part in name.split("."))

    def list_of(self, names: Sequence[str]) -> str:
        """Return names as a statement lists them.

        :param names: of columns.
        :return: quoted names, separated by commas.
        """
        return ", ".join(self.named(name) for name in names)

    def create_table(self, table: str, columns: Columns) -> str:
        """Return the statement that creates the table if it does not exist.

        :param table: its name.
        :param columns: its columns.
        :return: the statement.
        :raises InvalidArgument: when the types of this database are not known.
        """
        if not self.types:
            needed = ", ".join(f"{column.name} ({column.kind})" for column in columns.columns)
            raise InvalidArgument(
                f"Table {table} does not exist or cannot be read, and tables are created on PostgreSQL, SQLite and "
                f"MySQL only; create it with {columns.key} as its primary key and these columns: {needed}."
            )
        parts = [
            f"{self.named(column.name)} "
            + (f"{self.key_type} NOT NULL PRIMARY KEY" if column.name == columns.key else self.types[column.kind])
            for column in columns.columns
        ]
        return f"CREATE TABLE IF NOT EXISTS {self.named(table)} ({', '.join(parts)}){self.options}"

    def insert(self, table: str, columns: Columns, placeholder: str) -> str:
        """Return the statement that inserts one row.

        :param table: name of the table.
        :param columns: its columns.
        :param placeholder: the driver's mark of a parameter.
        :return: the statement.
        """
        marks = ", ".join([placeholder] * len(columns.columns))
        return f"INSERT INTO {self.named(table)} ({self.list_of(columns.names)}) VALUES ({marks})"

    def nothing(self, table: str) -> str:
        """Return a statement without rows, whose result describes the table's columns.

        :param table: name of the table.
        :return: the statement.
        """
        return f"SELECT * FROM {self.named(table)} WHERE 1 = 0"

    def on_conflict(self, table: str, columns: Columns) -> str:
        """Return the end of an insert on PostgreSQL and SQLite: a row is replaced by a version as new or newer.

        A row without changes is not written again.

        :param table: name of the table.
        :param columns: its columns.
        :return: the clause.
        """
        others = [name for name in columns.names if name != columns.key]
        changes = ", ".join(f"{self.named(name)} = excluded.{self.named(name)}" for name in others)
        # The statement refers to the existing row by the last part of `schema.calls`.
        row, version = self.named(table.rpartition(".")[2]), self.named(columns.version)
        there = f"{row}.{version}"
        changed = " OR ".join(
            f"excluded.{name} {self.differs} {row}.{name}"
            for one in columns.columns
            if one.name != columns.key
            for name in [self.named(one.name) + (self.comparable if one.kind == "json" else "")]
        )
        return (
            f"ON CONFLICT ({self.named(columns.key)}) DO UPDATE SET {changes} "
            f"WHERE ({there} IS NULL OR excluded.{version} >= {there}) AND ({changed})"
        )

    def from_stage(self, table: str, columns: Columns, as_json: frozenset[str] = frozenset()) -> str:
        """Return the statement that upserts the staged rows (PostgreSQL).

        :param table: name of the table.
        :param columns: its columns.
        :param as_json: names of the columns that may have a call's JSON in the stage.
        :return: the statement.
        """
        values = ", ".join(
            one.of_json(self.named(one.name)) if one.name in as_json and one.of_json else self.named(one.name)
            for one in columns.columns
        )
        return (
            f"INSERT INTO {self.named(table)} ({self.list_of(columns.names)}) SELECT {values} FROM "
            f"{stage_of(table)} {self.on_conflict(table, columns)}"
        )

    def stage(self, table: str, columns: Columns) -> str:
        """Return the statement that creates a stage of the same types for one transaction (PostgreSQL).

        :param table: name of the table.
        :param columns: its columns.
        :return: the statement.
        """
        return (
            f"CREATE TEMPORARY TABLE {stage_of(table)} ON COMMIT DROP AS "
            f"SELECT {self.list_of(columns.names)} FROM {self.named(table)} WITH NO DATA"
        )

    def on_duplicate(self, columns: Columns) -> str:
        """Return the end of an insert on MySQL and MariaDB.

        :param columns: of the table.
        :return: the clause.
        """
        there = self.named(columns.version)
        newer = f"{there} IS NULL OR VALUES({there}) >= {there}"
        # Assignments are made from left to right: the column that the others compare is changed last.
        others = [name for name in columns.names if name not in (columns.key, columns.version)] + [columns.version]
        changes = ", ".join(
            f"{self.named(name)} = IF({newer}, VALUES({self.named(name)}), {self.named(name)})" for name in others
        )
        return f"ON DUPLICATE KEY UPDATE {changes}"


def stage_of(table: str) -> str:
    """Return the name of the stage for a table.

    :param table: name of the table.
    :return: a name that does not hide the table's own.
    """
    return f"{STAGE}_2" if table.rpartition(".")[2].lower() == STAGE else STAGE


def _stored_in_sqlite(value: SqlValue) -> SqlValue:
    if isinstance(value, datetime):
        return in_utc(value)
    return str(value) if isinstance(value, Decimal) else value


def _without_zone(value: SqlValue) -> SqlValue:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def in_utc(time: datetime) -> str:
    """Return a time as a text that sorts as the times do.

    :param time: aware.
    :return: the time in UTC, with microseconds.
    """
    return time.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")


def _unchanged(value: SqlValue) -> SqlValue:
    return value


POSTGRESQL = Dialect(
    "postgresql",
    '"',
    {
        "text": "TEXT",
        "integer": "BIGINT",
        "decimal": "NUMERIC",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMPTZ",
        "json": "JSONB",
    },
    "TEXT",
    _unchanged,
    comparable="::text",
    # Rows are copied as UTF-8, whatever the connection, the user or the server have as their encoding.
    session=("SET client_encoding TO 'UTF8'",),
    null_characters=False,
)
SQLITE = Dialect(
    "sqlite",
    '"',
    {
        "text": "TEXT",
        "integer": "INTEGER",
        "decimal": "NUMERIC",
        "boolean": "BOOLEAN",
        "timestamp": "TEXT",
        "json": "TEXT",
    },
    "TEXT",
    _stored_in_sqlite,
    "IS NOT",
)
MYSQL = Dialect(
    "mysql",
    "`",
    {
        "text": "LONGTEXT",
        "integer": "BIGINT",
        "decimal": "DECIMAL(30, 10)",
        "boolean": "BOOLEAN",
        "timestamp": "DATETIME(6)",
        "json": "JSON",
    },
    "VARCHAR(64)",
    _without_zone,
    options=" DEFAULT CHARACTER SET utf8mb4",
    session=(
        # A value that does not fit is refused instead of changed, and no other mode changes texts: one of the drivers
        # escapes by backslashes in any mode. Times are UTC in columns that know a zone as well.
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', unique_checks = 1",
        # Without locks on gaps, tasks that insert concurrently do not block each other.
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ),
)
_NAMED = {"postgresql": POSTGRESQL, "postgres": POSTGRESQL, "sqlite": SQLITE, "mysql": MYSQL, "mariadb": MYSQL}


def dialect_of(name: str) -> Dialect:
    """Return the dialect of a database.

    :param name: as common-sql calls it.
    :return: the dialect; one of standard SQL for a database that is not known.
    """
    return _NAMED.get(name) or Dialect(name or "unknown", "", {}, "", _without_zone)


def table_name(table: object) -> str:
    """Check the name of a table.

    :param table: `calls` or `schema.calls`.
    :return: the name.
    :raises InvalidArgument: when it is anything else.
    """
    text = table.strip() if isinstance(table, str) else ""
    if not re.fullmatch(rf"(?:{IDENTIFIER.pattern}\.){{0,2}}{IDENTIFIER.pattern}", text):
        raise InvalidArgument(f"table must be a name like calls or reporting.calls, not {quoted(table)}.")
    return text
