"""A value of a call is read in one way, whatever it is written to."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.domain.calls.sql_columns import ColumnMisfit, mapped
from airflow_provider_retreaver.transfers.file_formats import CommaSeparated, Parquet

REFUSED = "refused"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
CALL = {"uuid": "u-1", "created_at": "2026-01-05T12:00:00Z", "updated_at": "2026-01-05T12:00:00Z"}


def in_parquet(field, value):
    """Return the value that a Parquet file has in a column, or `REFUSED`."""
    from pyarrow import parquet

    file = io.BytesIO()
    writer = Parquet(file, tags="map", change=None, codec="none")
    try:
        writer.write([json.dumps({**CALL, field: value}).encode()])
        writer.close()
    except ProtocolError as error:
        writer.drop()
        writer.close()
        return REFUSED if f"Call u-1 has a {field}" in str(error) else error
    return parquet.read_table(io.BytesIO(file.getvalue())).to_pylist()[0][field]


def in_sql(field, value):
    """Return the value that a table gets, or `REFUSED`."""
    columns = mapped({"id": "uuid", "changed": "updated_at", "x": field})
    try:
        return columns.values({**CALL, field: value})[2]
    except ColumnMisfit as clash:
        return REFUSED if clash.column == "x" else clash


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("end_time", "2026-01-05T07:00:00-05:00", NOON),
        ("end_time", " 2026-01-05T12:00:00Z ", NOON),
        ("end_time", "2026-01-05T12:00:00", REFUSED),
        ("end_time", "2026-01-05", REFUSED),
        ("end_time", 20260105, REFUSED),
        ("end_time", "", None),
        ("total_duration", 61, 61),
        ("total_duration", " 61 ", 61),
        ("total_duration", 61.0, 61),
        ("total_duration", 61.5, REFUSED),
        ("total_duration", True, REFUSED),
        ("total_duration", "", None),
        ("total_duration", [], REFUSED),
        ("revenue", "12.50", Decimal("12.5")),
        ("revenue", 12.5, Decimal("12.5")),
        ("revenue", False, REFUSED),
        ("revenue", "NaN", REFUSED),
        ("revenue", " ", None),
        ("converted", " true", True),
        ("converted", 0, False),
        ("converted", "yes", REFUSED),
        ("converted", "", None),
        ("caller_zip", 80920, "80920"),
        ("caller_zip", True, "true"),
        ("caller_zip", "", ""),
        ("caller_zip", {"zip": "80920"}, REFUSED),
        ("keys_pressed", ["1", "é"], '["1","é"]'),
        ("keys_pressed", "", '""'),
    ],
)
def test_parquet_and_sql_read_a_value_alike(field, value, expected):
    """Times need an offset, texts of other kinds are read, and any other value is refused by name."""
    assert (in_parquet(field, value), in_sql(field, value)) == (expected, expected)


@pytest.mark.parametrize(
    ("value", "cell"),
    [("a", "a"), (True, "true"), (1, "1"), (1.5, "1.5"), ("12.50", "12.50"), ({"a": 1}, '{"a":1}'), (None, "")],
)
def test_csv_has_values_as_they_came(value, cell):
    """A CSV file is not typed: a text stays as it is, truth values are as in JSON, objects are JSON."""
    file = io.BytesIO()
    CommaSeparated(file, tags="map", change=None).write([json.dumps({**CALL, "caller_zip": value}).encode()])
    names, row = file.getvalue().decode().splitlines()
    if value != {"a": 1}:
        assert row.split(",")[names.split(",").index("caller_zip")] == cell
    else:
        assert '"{""a"":1}"' in row
