"""The upsert of SQLite, held against SQLAlchemy's reading and writing; PostgreSQL and MySQL have it in their runs."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa

from airflow_provider_retreaver.domain.calls.sql_dialects import SQLITE
from airflow_provider_retreaver.transfers.database_session import Database
from tests.airflow.support.upserts import check, random_batches


@pytest.mark.parametrize("seed", range(12))
def test_the_newest_version_stays(tmp_path, seed):
    """Whatever the order of versions within and between batches: rows and their values are those of SQLAlchemy."""
    file = tmp_path / "calls.db"
    engine = sa.create_engine(f"sqlite:///{file}", poolclass=sa.pool.NullPool)
    check(Database(lambda: sqlite3.connect(file), SQLITE, "?"), engine, random_batches(seed))
