"""Files and lists of numbers: read completely, or refused with an error that names the fault."""

from __future__ import annotations

import gzip
import io
import json
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.domain.lists.number_sources import (
    check_source,
    collect,
    format_of,
    listed,
    read_file,
)
from airflow_provider_retreaver.domain.lists.phones import Normalizer

CSV = "name,phone\nAcme,+19195551234\n,919 555 9999\nBlank,\nShort\n"


def read(content: bytes | str, kind: str = "csv", **how):
    """Return the values of a file with these contents."""
    raw = content.encode() if isinstance(content, str) else content
    return list(read_file(io.BytesIO(raw), "file.x", kind, **how))


def test_csv_by_column_with_line_numbers():
    """A column is found by its name; in a short line it is blank; quoted line ends count as lines."""
    assert read(CSV, column="phone") == [(2, "+19195551234"), (3, "919 555 9999"), (4, ""), (5, None)]
    assert read('phone,note\n1,"two\nlines"\n\n2,x\n', column="phone") == [(3, "1"), (5, "2")]
    assert read("phone\r\n1\r\n2\r\n") == [(2, "1"), (3, "2")]
    assert read(" phone \n1\n", column="phone") == [(2, "1")]


@pytest.mark.parametrize("kind", ["csv", "txt", "jsonl"])
def test_empty_files(kind):
    """An empty file holds no values, nor does one with nothing but a header or blank lines."""
    assert read("", kind) == []
    assert read({"csv": "phone\n", "txt": "\n \n", "jsonl": "\n"}[kind], kind) == []


def test_txt_and_jsonl():
    """One number a line; JSON objects by field, texts and numbers as they are."""
    assert read("+1919\n\n 919 \n", "txt") == [(1, "+1919"), (3, "919")]
    assert read('{"phone": "1", "x": 2}\n{"x": 3, "phone": 4}\n', "jsonl", column="phone") == [(1, "1"), (2, 4)]
    assert read('"1"\n2\n{"only": null}\n', "jsonl") == [(1, "1"), (2, 2), (3, None)]


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_not_part_of_the_column_name(encoding):
    """Files of spreadsheets begin with a byte order mark."""
    content = "phone\n1\n".encode("utf-16" if encoding == "utf-16" else "utf-8-sig")
    assert read(content, column="phone", encoding=encoding) == [(2, "1")]
    assert read(gzip.compress(content), column="phone", encoding=encoding) == [(2, "1")]


def test_gzip_is_recognized_by_its_content():
    """A compressed file may have any name."""
    assert read(gzip.compress(CSV.encode()), column="phone") == read(CSV, column="phone")
    assert read(gzip.compress(b""), "txt") == []


WHOLE = gzip.compress("\n".join(f"+1919{number:07d}" for number in range(5000)).encode())


@pytest.mark.parametrize(
    ("content", "kind", "how", "message"),
    [
        (WHOLE[: len(WHOLE) // 2], "txt", {}, "cut off"),
        (WHOLE[:-4], "txt", {}, "cut off"),
        (WHOLE[:-8] + b"\0" * 8, "txt", {}, "cut off"),
        (WHOLE[:40] + b"\xff" * 40 + WHOLE[80:], "txt", {}, "cut off"),
        (CSV, "csv", {"column": "fone"}, "no column 'fone'.*name, phone"),
        (CSV, "csv", {}, "several columns.*name, phone"),
        ("phone,phone\n1,2\n", "csv", {"column": "phone"}, "more than one"),
        ("+19195551234\n+19195551235\n", "csv", {}, "not a header"),
        ("phone\nM\u00fcller 1\n".encode("cp1252"), "csv", {}, "not utf-8; set encoding"),
        ("phone\n1\n".encode("utf-16"), "csv", {}, "not utf-8"),
        ("phone\n1\n", "csv", {"encoding": "utf-9"}, "utf-9"),
        ('phone\n"1\n2\n', "csv", {}, "not valid csv"),
        ('{"phone": 1}\n{"fone": 2}\n', "jsonl", {"column": "phone"}, "line 2.*no column 'phone'"),
        ('{"phone": 1}\n{"phone": 2', "jsonl", {"column": "phone"}, "line 2.*cut off"),
        ('{"a": 1, "b": 2}\n', "jsonl", {}, "several columns"),
        ("1\n", "txt", {"column": "phone"}, "no column"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(content, kind, how, message):
    """The error names the file and the fault: damaged, another encoding, a wrong column."""
    with pytest.raises(InvalidArgument, match=message):
        read(content, kind, **how)


@pytest.mark.parametrize(
    ("path", "given", "kind"),
    [
        ("s3://a@b/c/dnc.csv", None, "csv"), ("dnc.CSV.gz", None, "csv"), ("dnc.ndjson", None, "jsonl"),
        ("dnc.jsonl.gz", None, "jsonl"), ("dnc.txt", None, "txt"), ("dnc.dat", "txt", "txt"),
    ],
)  # fmt: skip
def test_the_format_is_the_ending(path, given, kind):
    """The ending of the name shows the format, unless `source_format` is given."""
    assert format_of(path, given) == kind


@pytest.mark.parametrize(("path", "given"), [("dnc.parquet", None), ("dnc", None), ("a.csv", "excel"), ("gz", None)])
def test_an_unknown_format_is_refused(path, given):
    """The error names the parameter."""
    with pytest.raises(InvalidArgument, match="source_format"):
        format_of(path, given)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        (["+1", 2], ["+1", 2]), (("+1",), ["+1"]), ("+1, +2;+3\n+4,", ["+1", "+2", "+3", "+4"]), ("", []), ([], []),
        ("['+1919', '+2']", ["+1919", "+2"]), ('["+1919", "+2"]', ["+1919", "+2"]), ("[1919, 2]", [1919, 2]),
        ("['+1919']", ["+1919"]), ("[Decimal('1919')]", [Decimal(1919)]), (1919, [1919]),
        ([1919.0, Decimal("1919.0")], [1919.0, Decimal("1919.0")]), ("[1.9E+3]", [1900.0]), ("[]", []),
        ("(919) 555-1234", ["(919) 555-1234"]),
    ],
)  # fmt: skip
def test_lists_of_all_kinds(given, values):
    """A list, a text with commas, and a list that a template has rendered."""
    assert [value for _, value in listed(given)] == values


@pytest.mark.parametrize("given", [{"a": 1}, b"919", None, "None", [float("nan")]])
def test_other_types_are_refused(given):
    """The error names the parameter."""
    with pytest.raises(InvalidArgument, match="numbers"):
        listed(given)


def test_duplicates_and_rejected_values_are_counted():
    """Every value is a number, a duplicate, or rejected with its line and masked in the log."""
    rejects = []
    values = enumerate(["+19195551234", "919-555-1234", None, "+19195551299", "+191955512345678"], 1)
    found = collect(values, Normalizer(), rejects.append)
    assert list(found.numbers) == [19195551234, 19195551299]
    assert (found.rows, found.rejected, found.duplicates) == (5, 2, 1)
    assert [str(one) for one in rejects] == ["line 3 (…): blank", "line 5 (+1…78): too long"]
    assert json.dumps([one.value for one in rejects]) == '["", "+191955512345678"]'


def test_an_unreadable_value_is_not_an_absent_number():
    """What is written and cannot be read is counted apart from blanks, with every number that it could mean."""
    rejects = []
    values = [None, "", "+1 565 555 0123", "+266696687", "9195551234/9195551299", "+19195551234", "nobody", "9.2E+09"]
    found = collect(enumerate(values, 1), Normalizer(), rejects.append)
    assert (found.rejected, found.unreadable) == (7, 5)
    assert [one.unreadable for one in rejects] == [False, False, True, True, True, True, True]
    assert {15655550123, 266696687, 19195551234, 19195551299} <= set(found.could_mean)
    assert set(found.could_mean) == set().union(*(one.could_mean for one in rejects))
    assert list(found.numbers) == [19195551234]


def collected(good: int, bad: int):
    """Return a source with this many valid and invalid values."""
    values = [f"+1919{2000000 + number}" for number in range(good)] + ["x"] * bad
    return collect(enumerate(values, 1), Normalizer(), lambda _: None)


@pytest.mark.parametrize(("bad", "limit"), [(6, "5%"), (1, 0), (11, 10), (100, "0.4")])
def test_too_many_rejects_are_refused(bad, limit):
    """More than the share or the number that is allowed."""
    with pytest.raises(ChangeRefused, match=rf"{bad} of {100 + bad} values of F are no.*max_rejects.*line 7"):
        check_source(collected(100, bad), limit, allow_empty=False, where="F", first=["line 7 (…): blank"])


@pytest.mark.parametrize(("bad", "limit"), [(5, "5%"), (0, 0), (10, 10), (100, None)])
def test_a_few_rejects_are_accepted(bad, limit):
    """Up to the share or number that is allowed."""
    check_source(collected(100, bad), limit, allow_empty=False, where="F", first=[])


def test_an_empty_source_needs_a_confirmation():
    """A source without numbers is refused unless `allow_empty` is set."""
    with pytest.raises(ChangeRefused, match="allow_empty"):
        check_source(collected(0, 0), "5%", allow_empty=False, where="F", first=[])
    with pytest.raises(ChangeRefused, match="allow_empty"):
        check_source(collected(0, 3), None, allow_empty=False, where="F", first=[])
    check_source(collected(0, 0), "5%", allow_empty=True, where="F", first=[])
