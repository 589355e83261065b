"""The statements that merge exported files, for each engine: as they were written down, and as sqlglot reads them.

`merging/` has the statements of each engine. Those of DuckDB and PostgreSQL are executed by other tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.calls.engines import ENGINES
from airflow_provider_retreaver.domain.calls.merge_columns import table_columns
from airflow_provider_retreaver.domain.calls.merging import Files, Merging

EXPECTED = Path(__file__).parent / "merging"
FILES = Files("s3://lake/it's calls", ["calls-a-1-0123456789ab.parquet", "calls-a-2-ba9876543210.parquet"], "d1" * 32)
COLUMNS = {"id": "uuid", "changed": "updated_at", "tags": "tags", "revenue": "revenue", "other": "other"}
# Statements of an engine's own, which sqlglot does not read.
OWN = ("COPY ", "LOAD DATA ", "CREATE TEMPORARY TABLE calls_stage_")


def statements(engine):
    """Return all statements of an engine, in order."""
    table = "lake.warehouse.calls" if engine == "trino" else "warehouse.calls"
    merging = Merging(
        engine, table, table_columns(COLUMNS), "hive.stages" if engine == "trino" else None, "arn:aws:iam::1:role/x"
    )
    return [
        *merging.create(),
        merging.nothing(),
        merging.loaded(),
        *merging.load(FILES),
        *([merging.copy(FILES)] if engine == "postgresql" else []),
        *merging.merge(FILES),
        merging.record("s3://lake/it's calls/calls-a.manifest.json", FILES.digest, "host/1", 200),
        *merging.drop(FILES),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_statements_of_an_engine(engine):
    """They are as written down; each that is no loading statement of the engine's own is read by sqlglot."""
    found = statements(engine)
    assert "".join(f"{one};\n" for one in found) == (EXPECTED / f"{engine}.sql").read_text()
    dialect = "postgres" if engine == "postgresql" else engine
    for statement in (one for one in found if not one.startswith(OWN)):
        assert not isinstance(sqlglot.parse_one(statement, read=dialect), exp.Command)


def test_all_columns_by_default():
    """Without columns, a table has every column of the files, under its name."""
    assert len(table_columns(None)) > 60
    with pytest.raises(InvalidArgument, match="columns must have one column that gets uuid"):
        table_columns({"a": "updated_at"})
