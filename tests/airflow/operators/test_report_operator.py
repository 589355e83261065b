"""The operator of reports: what it asks for, and the files that it writes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import requests_mock
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.operators.reports import RetreaverReportOperator
from tests.airflow.support.account import context_of

pytestmark = pytest.mark.airflow
SPAN = {"start": "2026-01-01", "end": "2026-02-01"}


@pytest.fixture
def calls(account):
    """Provide an account with calls of three states."""
    for state, count in (("NY", 3), ("CA", 2), ("TX", 1)):
        fields = {
            "caller_state": state,
            "tags": {"age": "25"},
            "created_at_start": "2026-01-05T00:00:00Z",
            "created_at_end": "2026-01-05T01:00:00Z",
        }
        account._control("POST", "calls", {"count": count, "fields": fields})
    return account


def report(context=None, **parameters):
    """Execute a report, and return its result as XCom keeps it."""
    operator = RetreaverReportOperator(task_id="report", **{"facet": "state", **SPAN, **parameters})
    return json.loads(json.dumps(operator.execute(context or {})))


def file_of(result):
    """Return the path of the file that was written."""
    return Path(result["path"].removeprefix("file://"))


def test_a_short_report_is_returned(calls):
    """The rows are returned as Retreaver sends them, most calls first."""
    rows = report(limit="10")
    assert [(row["facet_name"], row["total_calls"]) for row in rows] == [("NY", 3), ("CA", 2), ("TX", 1)]
    with pytest.raises(InvalidArgument, match="report by state has more than 2 rows"):
        report(limit=2)


@pytest.mark.parametrize("facet", ["publisher", "buyer", "campaign", "number", "daily", "tag_value", "state"])
def test_every_facet_is_read(calls, facet):
    """Each facet of the reference gives rows."""
    key = "age" if facet == "tag_value" else None
    assert sum(row["total_calls"] for row in report(facet=facet, tag_value_key=key, limit=10)) == 6


def test_files_have_the_rows(calls, tmp_path):
    """JSON lines, CSV and Parquet hold the same rows; counts are whole numbers."""
    from pyarrow import parquet

    found = {}
    for form in ("jsonl", "csv", "parquet"):
        result = report(destination=f"file://{tmp_path}/report.{form}", format=form)
        assert (result["rows"], result["facet"], result["start"]) == (3, "state", "2026-01-01T00:00:00+00:00")
        assert result["bytes"] == file_of(result).stat().st_size
        found[form] = file_of(result)
    lines = [json.loads(line) for line in found["jsonl"].read_text().splitlines()]
    rows = list(csv.DictReader(io.StringIO(found["csv"].read_text())))
    table = parquet.read_table(found["parquet"]).to_pylist()
    names = [row["facet_name"] for row in lines]
    assert names == [row["facet_name"] for row in rows] == [row["facet_name"] for row in table]
    assert [row["total_calls"] for row in rows] == ["3", "2", "1"]
    assert [row["total_calls"] for row in table] == [3, 2, 1]


def test_the_window_is_the_runs(calls):
    """Without start and end the report is of the run's data interval."""
    import pendulum

    times = {name: pendulum.datetime(2026, 1, day) for name, day in (("start", 5), ("end", 6))}
    context = context_of(**{f"data_interval_{name}": time for name, time in times.items()})
    assert len(report(context, start=None, end=None, limit=10)) == 3
    assert dict(calls.entries()[-1]["query"])["created_at_start"] == "2026-01-05T00:00:00+00:00"


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"facet": "agent"}, "facet"),
        ({"start": "2023-01-01", "end": "2026-01-01"}, "less than 2 years"),
        ({"end": "2025-01-01"}, "end"),
        ({"tag_value_key": "age"}, "tag_value_key"),
        ({"limit": None}, "limit"),
        ({"format": "xml"}, "format"),
        ({"csv_escape_formulas": True}, "csv_escape_formulas"),
        ({"limit": None, "destination": "file:///tmp/folder/", "format": "csv"}, "destination"),
    ],
)
def test_wrong_parameters_are_refused(calls, parameters, name):
    """A wrong parameter is refused by name, and the task is not retried; nothing is sent."""
    with pytest.raises(InvalidArgument, match=name) as raised:
        report(**{"limit": 10, **parameters})
    assert isinstance(raised.value, AirflowFailException)
    assert calls.sent() == []


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ({"id": 5, "total_calls": 2.0, "revenue": "1.50", "new": [1]}, ("5", "2", "1.5", '{"new":[1]}')),
        ({"id": "x", "total_calls": None}, ("x", "", "", "")),
    ],
)
def test_values_of_other_kinds(account, tmp_path, row, cells):
    """Counts as floats, amounts as texts and fields that are not documented find their columns."""
    with requests_mock.Mocker() as mock:
        mock.get(requests_mock.ANY, json={"count": 3, "count_total": 3, "data": [row]})
        result = report(destination=f"file://{tmp_path}/report.csv", format="csv")
    (found,) = csv.DictReader(io.StringIO(file_of(result).read_text()))
    assert tuple(found[name] for name in ("id", "total_calls", "revenue", "other")) == cells


@pytest.mark.parametrize(("escape", "cell"), [(False, "=1+1"), ("true", "'=1+1")])
def test_formulas_are_escaped_by_choice(account, tmp_path, escape, cell):
    """With `csv_escape_formulas`, an apostrophe stands before a value that a spreadsheet would run; numbers stay."""
    row = {"id": 5, "facet_name": "=1+1", "revenue": -1.5}
    with requests_mock.Mocker() as mock:
        mock.get(requests_mock.ANY, json={"count": 1, "count_total": 1, "data": [row]})
        path = f"file://{tmp_path}/report.csv"
        result = report(destination=path, format="csv", csv_escape_formulas=escape)
    (found,) = csv.DictReader(io.StringIO(file_of(result).read_text()))
    assert (found["facet_name"], found["revenue"]) == (cell, "-1.5")


@pytest.mark.parametrize("row", [{"total_calls": 2.5}, {"revenue": "much"}, {"revenue": "NaN"}, {"revenue": [1]}])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_value_that_is_none_leaves_no_file(account, tmp_path, row, form):
    """A value that its column cannot hold is an error that names the column; nothing is written."""
    with requests_mock.Mocker() as mock:
        mock.get(requests_mock.ANY, json={"data": [{"id": 1, "facet_name": "x", **row}]})
        with pytest.raises(ProtocolError, match=next(iter(row))):
            report(destination=f"file://{tmp_path}/report.{form}", format=form)
    assert list(tmp_path.iterdir()) == []
