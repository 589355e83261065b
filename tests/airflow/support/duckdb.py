"""A DuckDB database as an Airflow connection, for which Airflow has no provider of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from airflow.providers.common.sql.hooks.sql import DbApiHook


class DuckDBHook(DbApiHook):
    """The hook of a database file."""

    conn_name_attr = "duckdb_conn_id"
    conn_type = "duckdb"
    supports_autocommit = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def get_conn(self) -> Any:
        """Open the database."""
        return duckdb.connect(str(self.path))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(query).fetchall()
