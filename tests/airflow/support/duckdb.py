"""A DuckDB database as an Airflow connection, for which Airflow has no provider of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from airflow.providers.common.sql.hooks.sql import DbApiHook
from fsspec.implementations.memory import MemoryFileSystem


class Lake(MemoryFileSystem):
    """The storage in memory, by the URLs that a warehouse reads it by."""

    protocol = "s3"

    @classmethod
    def _strip_protocol(cls, path: str) -> Any:
        return MemoryFileSystem._strip_protocol("/" + path.removeprefix("s3://").lstrip("/"))


class DuckDBHook(DbApiHook):
    """The hook of a database file."""

    conn_name_attr = "duckdb_conn_id"
    conn_type = "duckdb"
    supports_autocommit = False

    def __init__(self, path: Path, storage: Any = None) -> None:
        super().__init__()
        self.path = path
        self.storage = storage

    def get_conn(self) -> Any:
        """Open the database; it reads files of the storage, if there is one."""
        connection = duckdb.connect(str(self.path))
        if self.storage is not None:
            connection.register_filesystem(self.storage)
        return connection

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(query).fetchall()
