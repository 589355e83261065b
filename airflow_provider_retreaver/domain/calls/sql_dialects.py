"""The SQL that puts calls into a table, for each kind of database: texts only, nothing is executed here.

Everywhere the newest `updated_at` wins, of two versions of one time the one that was read later; and a call that
comes again as it is leaves the table as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.calls.sql_columns import IDENTIFIER, Columns

STAGE = "retreaver_stage"
# PostgreSQL's COPY in text format: what must not stand in a field as it is.
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of database is spoken to.

    :param name: as common-sql calls it.
    :param quote: stands around names; empty where quoting would change what they mean.
    :param types: what the kinds of columns are called; none where tables are not created.
    :param key_type: of the key, where a text cannot be one.
    :param stored: what is handed to the driver for a value that is neither None nor a text.
    :param differs: compares two values, one of which may be NULL.
    :param comparable: follows a column of JSON that is compared, where not every kind of JSON can be.
    :param options: end the statement that creates a table.
    :param session: statements that a connection starts with.
    """

    name: str
    quote: str
    types: dict[str, str]
    key_type: str
    stored: Callable[[Any], Any]
    differs: str = "IS DISTINCT FROM"
    comparable: str = ""
    options: str = ""
    session: tuple[str, ...] = ()

    def named(self, name: str) -> str:
        """Return a name of a table (`calls`, `schema.calls`) or column as it stands in a statement."""
        return ".".join(f"{self.quote}{part}{self.quote}" for part in name.split("."))

    def list_of(self, names: Sequence[str]) -> str:
        """Return names, separated by commas."""
        return ", ".join(self.named(name) for name in names)

    def create_table(self, table: str, columns: Columns) -> str:
        """Return the statement that creates the table unless it is there.

        :raises InvalidArgument: where this package does not know how columns are called.
        """
        if not self.types:
            needed = ", ".join(f"{column.name} ({column.kind})" for column in columns.columns)
            raise InvalidArgument(
                f"Table {table} is not there or cannot be read, and tables are created on PostgreSQL, SQLite and "
                f"MySQL only; create it with {columns.key} as its primary key and these columns: {needed}."
            )
        parts = [
            f"{self.named(column.name)} "
            + (f"{self.key_type} NOT NULL PRIMARY KEY" if column.name == columns.key else self.types[column.kind])
            for column in columns.columns
        ]
        return f"CREATE TABLE IF NOT EXISTS {self.named(table)} ({', '.join(parts)}){self.options}"

    def insert(self, table: str, columns: Columns, placeholder: str) -> str:
        """Return the statement that inserts one row."""
        marks = ", ".join([placeholder] * len(columns.columns))
        return f"INSERT INTO {self.named(table)} ({self.list_of(columns.names)}) VALUES ({marks})"

    def nothing(self, table: str) -> str:
        """Return the statement that tells the table's columns."""
        return f"SELECT * FROM {self.named(table)} WHERE 1 = 0"

    def on_conflict(self, table: str, columns: Columns) -> str:
        """Return what follows an insert on PostgreSQL and SQLite: a version gives way to one that is as new or newer.

        A row that is there as it is is not written again.
        """
        others = [name for name in columns.names if name != columns.key]
        changes = ", ".join(f"{self.named(name)} = excluded.{self.named(name)}" for name in others)
        # The last part of `schema.calls`: what the statement calls the row that is there.
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

    def from_stage(self, table: str, columns: Columns) -> str:
        """Return the statement that upserts what was staged (PostgreSQL)."""
        names = self.list_of(columns.names)
        return (
            f"INSERT INTO {self.named(table)} ({names}) SELECT {names} FROM {STAGE} "
            f"{self.on_conflict(table, columns)}"
        )

    def stage(self, table: str, columns: Columns) -> str:
        """Return the statement that makes a table of the same types for one transaction (PostgreSQL)."""
        return (
            f"CREATE TEMPORARY TABLE {STAGE} ON COMMIT DROP AS "
            f"SELECT {self.list_of(columns.names)} FROM {self.named(table)} WITH NO DATA"
        )

    def on_duplicate(self, columns: Columns) -> str:
        """Return what follows an insert on MySQL and MariaDB."""
        there = self.named(columns.version)
        newer = f"{there} IS NULL OR VALUES({there}) >= {there}"
        # Changes are made from left to right: what the others look at is changed last.
        others = [name for name in columns.names if name not in (columns.key, columns.version)] + [columns.version]
        changes = ", ".join(
            f"{self.named(name)} = IF({newer}, VALUES({self.named(name)}), {self.named(name)})" for name in others
        )
        return f"ON DUPLICATE KEY UPDATE {changes}"


# MySQL does not refuse an insert into a table without a unique key, it inserts twice.
MYSQL_UNIQUE = (
    "SELECT COUNT(*) FROM (SELECT index_name FROM information_schema.statistics WHERE non_unique = 0 "
    "AND table_schema = COALESCE(%s, DATABASE()) AND table_name = %s GROUP BY index_name "
    "HAVING COUNT(*) = 1 AND MAX(LOWER(column_name)) = %s) AS unique_keys"
)


def _stored_in_sqlite(value: Any) -> Any:
    if isinstance(value, datetime):
        return in_utc(value)
    return str(value) if isinstance(value, Decimal) else value


def _without_zone(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def in_utc(moment: datetime) -> str:
    """Return a time as a text that sorts as the times do."""
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")


def _as_it_is(value: Any) -> Any:
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
    _as_it_is,
    comparable="::text",
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
        # A value that does not fit is refused, not bent; times are UTC in columns that know a zone as well.
        "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES'), time_zone = '+00:00'",
        # Without locks on gaps, tasks that insert side by side do not block each other.
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ),
)
_NAMED = {"postgresql": POSTGRESQL, "postgres": POSTGRESQL, "sqlite": SQLITE, "mysql": MYSQL, "mariadb": MYSQL}


def dialect_of(name: str) -> Dialect:
    """Return the dialect of a database, the portable one where nothing native is known."""
    return _NAMED.get(name) or Dialect(name or "unknown", "", {}, "", _without_zone)


def table_name(table: object) -> str:
    """Return the name of a table, `calls` or `schema.calls`.

    :raises InvalidArgument: when it is something else.
    """
    text = table.strip() if isinstance(table, str) else ""
    if not re.fullmatch(rf"(?:{IDENTIFIER.pattern}\.){{0,2}}{IDENTIFIER.pattern}", text):
        raise InvalidArgument(f"table must be a name like calls or reporting.calls, not {table!r}.")
    return text


def copy_line(values: Sequence[Any]) -> str:
    """Return a row in the text format of PostgreSQL's COPY."""
    return "\t".join(map(_copied, values)) + "\n"


def _copied(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    return value.isoformat() if isinstance(value, datetime) else str(value)
