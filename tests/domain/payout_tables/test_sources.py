"""Sources of payout tables: files in several encodings, and rows of other tasks."""

from __future__ import annotations

import gzip
import io
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.payout_tables.rules import read_table
from airflow_provider_retreaver.domain.payout_tables.sources import csv_cells, given_cells, read_file

TEXT = "rule_id,city,payout_pct\n1,Köln,70\n"


def from_bytes(data, encoding="utf-8"):
    """Read a file and return the CSV that would be sent."""
    content = read_file(io.BytesIO(data), "rates.csv", encoding)
    return read_table(csv_cells(content, "rates.csv"), "rates.csv").csv_data


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "UTF8"),
        (TEXT.encode("utf-16"), "utf-16"),
        (TEXT.encode("cp1252"), "cp1252"),
        (gzip.compress(TEXT.encode("utf-8-sig"), mtime=0), "utf-8"),
        (TEXT.replace("\n", "\r\n").encode(), "utf-8"),
        (f"\r\n{TEXT}\r\n\r\n".encode(), "utf-8"),
    ],
)
def test_files_are_sent_as_utf_8(data, encoding):
    """A byte order mark, another encoding, packing and the ends of lines change nothing of the rules."""
    assert from_bytes(data, encoding) == TEXT


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (TEXT.encode("cp1252"), "utf-8", "is not utf-8; set encoding"),
        (TEXT.encode("utf-16"), "utf-8", "is not utf-8; set encoding"),
        (TEXT.encode(), "utf-7000", "which is unknown"),
        (b"x" * 4_000_001, "utf-8", "larger than 1000000 bytes"),
        (gzip.compress(b"x" * 9_000_000, mtime=0), "utf-8", "larger than 1000000 bytes"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-4], "utf-8", "damaged or cut off"),
        (b"PAR1\x15" + b"x" * 20, "utf-8", "Parquet"),
    ],
)
def test_files_that_cannot_be_read(data, encoding, message):
    """Another encoding, too many bytes, however packed, and damage are errors that name the file."""
    with pytest.raises(InvalidArgument, match=f"rates.csv .*{message}"):
        from_bytes(data, encoding)


def from_rows(rows):
    """Return the CSV of rows."""
    return read_table(given_cells(rows), "rows").csv_data


def test_mappings_become_columns():
    """A list of values is as many columns, and a key that a row does not have is any value."""
    rows = [
        {"payout_pct": 70, "rule_id": 1, "caller_state": "NY"},
        {"rule_id": 2.0, "pbm_bucket": [">=5000", "<7500"], "payout_pct": Decimal("62.50")},
        {"rule_id": "3", "payout_pct": "current"},
    ]
    header = "rule_id,caller_state,pbm_bucket,pbm_bucket,payout_pct\n"
    expected = f"{header}1,NY,*,*,70\n2,*,>=5000,<7500,62.50\n3,*,*,*,current\n"
    assert from_rows(rows) == from_rows(str(rows)) == from_rows(iter(rows)) == expected
    assert from_rows([line.split(",") for line in expected.splitlines()]) == expected


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, "rows must be a list of rows"),
        ("rule_id", "rows must be a list of rows"),
        ({"rule_id": 1}, "rows must be a list of rows"),
        ([], "rule_id is missing"),
        ([1], "list of mappings, or a list of lists"),
        ([{"rule_id": 1}, ["a"]], "list of mappings, or a list of lists"),
        ([{"rule_id": 1, "age": None, "payout_pct": 5}], "row 1: 'age' must be a text"),
        ([{"rule_id": 1, "age": float("nan"), "payout_pct": 5}], "row 1: 'age' is nan"),
        ([{"rule_id": 1, "age": True, "payout_pct": 5}], "row 1: 'age' must be a text"),
        ([{"rule_id": 1, "age": {"a": 1}, "payout_pct": 5}], "row 1: 'age' must be a text"),
        ([{"rule_id": 1}], "line 1: payout_pct must be a number"),
        ([{"payout_pct": 5}], "line 1: rule_id must be a whole number"),
        ([{"rule_id": [1, 2], "payout_pct": 5}], "rule_id is twice or more"),
        ([["rule_id", "payout_pct"], [1, None]], "row 2 must be a text"),
    ],
)
def test_rows_that_cannot_be_read(rows, message):
    """What an upstream task leaves out is not taken for any value."""
    with pytest.raises(InvalidArgument, match=message):
        from_rows(rows)
