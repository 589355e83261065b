"""Rows of files: headers, odd lines, and what is refused."""

from __future__ import annotations

import gzip
import io

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.data_writing.files import read_rows


def rows(text, kind="csv", **parameters):
    """Return the rows of a file, and the columns that were checked."""
    checked = []
    stream = io.BufferedReader(io.BytesIO(text if isinstance(text, bytes) else text.encode()))
    found = list(read_rows(stream, "a file", kind, lambda names, _: checked.extend(names), **parameters))
    return found, checked


def test_a_csv_file():
    """Blank lines are passed over; a row may be shorter than the header, and not longer."""
    found, checked = rows("\n\nCall\xa0 ID\tamount\na\t1\n\nb\nc\t3\t4\nd\t5\t\n")
    assert checked == ["Call ID", "amount"]
    assert found == [
        (4, {"Call ID": "a", "amount": "1"}),
        (6, {"Call ID": "b"}),
        (7, "it has more columns than the header."),
        (8, {"Call ID": "d", "amount": "5"}),
    ]


def test_a_jsonl_file():
    """Values keep their types; what is no object is rejected; the first object has the columns."""
    found, checked = rows('\n["x"]\n{"id": 1, "amount": 1.50, "won": true}\n', "jsonl")
    assert checked == ["id", "amount", "won"]
    assert found == [(2, "it is not an object."), (3, {"id": 1, "amount": "1.50", "won": True})]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_empty_file(kind):
    """A file without a line has no rows and no columns to check."""
    assert rows("", kind) == ([], [])
    assert rows("\n \n", kind) == ([], [])


def test_packed_and_in_another_encoding():
    """As the other readers of files."""
    packed = gzip.compress("id;größe\n1;2\n".encode("cp1252"))
    assert rows(packed, encoding="cp1252")[0] == [(2, {"id": "1", "größe": "2"})]
    with pytest.raises(InvalidArgument, match="is not utf-8"):
        rows(packed)


@pytest.mark.parametrize(
    ("text", "kind", "parameters", "message"),
    [
        ("{}", "jsonl", {"delimiter": ";"}, "delimiter is for csv"),
        ("a\n", "txt", {}, "no csv or jsonl file"),
        ("a\n", "csv", {"delimiter": "ab"}, "delimiter must be one character"),
        ('{"a": 1, "a": 2}', "jsonl", {}, "has the field 'a' twice"),
    ],
)
def test_refused(text, kind, parameters, message):
    """By the name of the file or the parameter."""
    with pytest.raises(InvalidArgument, match=message):
        rows(text, kind, **parameters)
