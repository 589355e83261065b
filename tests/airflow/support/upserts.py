"""The upsert of calls said again, with SQLAlchemy: the row is read, the versions are compared, one of them stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import sqlalchemy as sa

from airflow_provider_retreaver.domain.calls.sql_columns import mapped
from airflow_provider_retreaver.domain.calls.sql_dialects import Dialect
from airflow_provider_retreaver.transfers.call_table import CallTable
from airflow_provider_retreaver.transfers.database_session import Database

COLUMNS = mapped(
    {
        "id": "uuid", "changed": "updated_at", "caller": "caller", "seconds": "total_duration",
        "revenue": "revenue", "converted": "converted", "tags": "tags",
    }
)  # fmt: skip
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TEXTS = ["", "+17195220377", "tab\t and \\N", "line\nbreak\r", "ünïcode 😀", "quote ' \" %s", None]
Values = tuple[Any, ...]


def random_batches(seed: int) -> list[list[Values]]:
    """Return batches with many versions of few calls, older and newer, with and without a time."""
    random = Random(seed)  # noqa: S311 - makes rows

    def row() -> Values:
        return (
            random.choice("abc"),
            random.choice([None, *(NOON + timedelta(minutes=minutes) for minutes in range(4))]),
            random.choice(TEXTS),
            random.choice([None, 0, 61, 2**40]),
            random.choice([None, Decimal("0.5"), Decimal("22.50"), Decimal(7)]),
            random.choice([None, True, False]),
            random.choice(['{"source":"tv"}', '{"note":"a\\\\b"}', "{}", None]),
        )

    return [[row() for _ in range(random.randint(1, 8))] for _ in range(random.randint(1, 5))]


def check(database: Database, engine: sa.Engine, given: Sequence[list[Values]]) -> None:
    """Write batches by the package and by SQLAlchemy into two tables, and compare all rows."""
    dialect = database.dialect
    with engine.begin() as connection:
        for name in ("calls", "checked"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
        connection.exec_driver_sql(dialect.create_table("checked", COLUMNS))
    table = CallTable(database, "calls", COLUMNS)
    table.prepare(create=True)
    for batch in given:
        table.write(batch)
    with engine.begin() as connection:
        for row in (row for batch in given for row in batch):
            _write(connection, dialect, row)
        ours, theirs = (
            connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY id").fetchall()
            for name in ("calls", "checked")
        )
    assert list(map(tuple, ours)) == list(map(tuple, theirs))
    # What is there already changes nothing.
    assert [table.write(batch) for batch in _newest(given)] in ([0], [None])


def _write(connection: sa.Connection, dialect: Dialect, row: Values) -> None:
    calls = sa.table("checked", *map(sa.column, COLUMNS.names))
    values = {
        name: None if value is None else dialect.stored(value) for name, value in zip(COLUMNS.names, row, strict=True)
    }
    found = connection.execute(sa.select(calls.c.changed).where(calls.c.id == values["id"])).first()
    if found is None:
        connection.execute(calls.insert().values(values))
    elif found[0] is None or (values["changed"] is not None and values["changed"] >= found[0]):
        connection.execute(calls.update().where(calls.c.id == values["id"]).values(values))


def _newest(given: Sequence[list[Values]]) -> list[list[Values]]:
    newest: dict[str, Values] = {}
    for row in (row for batch in given for row in batch):
        known = newest.get(row[0])
        if known is None or known[1] is None or (row[1] is not None and row[1] >= known[1]):
            newest[row[0]] = row
    return [list(newest.values())]
