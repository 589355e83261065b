"""Syncs of files, queries and lists as they really are: what is read is sent, and what is not read is refused."""

from __future__ import annotations

import io
import json
import zipfile
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from tests.airflow.support.suppression import create_warehouse, nonzero_counts, phone_numbers, suppressed, sync

pytestmark = pytest.mark.airflow

FIVE = phone_numbers(5)
LOCAL = [number[5:] for number in FIVE]


def file_of(folder, name, content):
    """Write a file and return its URL."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return f"file://{path}"


def lines(template: str) -> str:
    """Return a line for each of five numbers, written whole and without the area code."""
    return "".join(template.format(number, local) for number, local in zip(FIVE, LOCAL, strict=True))


def zipped(content: str) -> bytes:
    """Return a zip file of one file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("919.txt", content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "how"),
    [
        ("dnc.csv", "phone;name\n" + lines("{};x\n"), {"column": "phone"}),
        ("dnc.tsv", "phone\tname\n" + lines("{}\tx\n"), {"column": "phone"}),
        ("dnc.csv", "A list of 2026-11-25\n\nphone,name\n" + lines("{},x\n"), {"column": "phone"}),
        ("dnc.csv", "A list of 2026-11-25\nphone\n" + lines("{}\n"), {"skip_lines": "1"}),
        ("dnc.csv", lines("{}^x\n"), {"column": 1, "delimiter": "^"}),
        ("dnc.csv", lines("919,{1}\r\n"), {}),
        ("919.txt", lines("919,{1}\r\n"), {"layout": "ftc_full"}),
        ("dnc.csv", "area_code,phone\n" + lines("919,{1}\n"), {"column": ["area_code", "phone"]}),
        ("dnc.csv", "phone,name\n" + lines('"=""{}""",x\n') + ",\n" * 40, {"column": "phone"}),
        ("dnc.csv", "\u200bphone\u00a0number,name\n" + lines("\u202a{}\u202c,x\n"), {"column": "phone number"}),
        ("dnc.zip", zipped(lines("{}\n")), {}),
    ],
)  # fmt: skip
def test_files_as_lists_really_are(account, tmp_path, name, content, how):
    """Each layout suppresses the five numbers and rejects nothing."""
    assert nonzero_counts(sync(source=file_of(tmp_path, name, content), **how)) == {"added": 5}
    assert set(suppressed(account)) == set(FIVE)


def test_a_file_of_changes_takes_two_tasks(account, tmp_path):
    """Additions are added and deletions removed, each by a task of its mode; a mirror is refused."""
    sync(numbers=FIVE[:2])
    source = file_of(tmp_path, "change.txt", "919,{1},2026-11-01,D\n919,{2},2026-11-01,A\n".format(*LOCAL))
    assert nonzero_counts(sync(source=source, mode="add")) == {"added": 1}
    assert nonzero_counts(sync(source=source, mode="remove", max_removals=1)) == {"removed": 1}
    assert set(suppressed(account)) == {FIVE[0], FIVE[2]}
    with pytest.raises(InvalidArgument, match="a mirror needs the whole list"):
        sync(source=source)
    assert set(suppressed(account)) == {FIVE[0], FIVE[2]}


@pytest.mark.parametrize(
    ("content", "how"),
    [
        ("\nphone,name\n" + lines("{},x\n"), {"column": "phone"}),
        ("\n\n\n", {"column": "phone"}),
        ("\n\n", {}),
        (lines("{},x\n"), {"column": "phone"}),
        (" \nnumber\n" + lines("{}\n"), {"column": "phone"}),
        ("<html><body>Login</body></html>\n", {}),
        ('{"error": "the link has expired"}', {}),
        ("Service unavailable\n\n", {}),
        ("Error: the account number that was given is not known", {}),
    ],
)
def test_a_header_that_is_not_found_removes_nothing(account, tmp_path, content, how):
    """With an empty source and all removals allowed, a file whose header is missing is still not an empty one."""
    sync(numbers=FIVE)
    source = file_of(tmp_path, "dnc.csv", content)
    if content.startswith("\nphone"):
        assert nonzero_counts(sync(source=source, allow_empty=True, max_removals=100, **how)) == {"unchanged": 5}
    else:
        with pytest.raises(InvalidArgument, match=r"[nN]othing was sent"):
            sync(source=source, allow_empty=True, max_removals=100, **how)
    assert set(suppressed(account)) == set(FIVE)


@pytest.mark.parametrize(
    ("sql", "how"),
    [
        ("SELECT phone AS 'Phone\u00a0Number', id FROM do_not_call", {"column": "Phone Number"}),
        ("SELECT 919 AS area, substr(phone, 6) AS phone FROM do_not_call", {"column": ["area", "phone"]}),
        ("SELECT 1, CAST(substr(phone, 2) AS INTEGER) FROM do_not_call", {"column": 2}),
        ("SELECT phone, '' AS phone FROM do_not_call", {}),
    ],
)  # fmt: skip
def test_columns_of_a_query(account, tmp_path, monkeypatch, sql, how):
    """Columns are named as people read them, joined, or chosen by place; whole numbers are exact."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(create_warehouse(tmp_path, FIVE)))
    assert nonzero_counts(sync(sql=sql, sql_conn_id="warehouse", **how)) == {"added": 5}
    assert set(suppressed(account)) == set(FIVE)


@pytest.mark.parametrize("expression", ["CAST(substr(phone, 3) AS REAL)", "9.19555E+09"])
def test_a_column_of_floats_is_refused(account, tmp_path, monkeypatch, expression):
    """A float may have been rounded to a stranger's number, so none is read, whatever its digits."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(create_warehouse(tmp_path, FIVE)))
    query = f"SELECT {expression} AS phone FROM do_not_call"
    with pytest.raises(ChangeRefused, match="may have been rounded; convert the column to a text or a whole number"):
        sync(sql=query, sql_conn_id="warehouse")
    assert account.sent() == []


def test_a_rounded_number_of_json_is_refused(account, tmp_path):
    """A JSON number with an exponent is judged like the same text."""
    with pytest.raises(ChangeRefused, match="scientific notation, so it was rounded"):
        sync(source=file_of(tmp_path, "dnc.jsonl", '{"phone": 9.19555E+09}\n'))
    assert account.sent() == []


@pytest.mark.parametrize(
    "numbers",
    [
        [Decimal(9192000000)],
        "[Decimal('9192000000')]",
        "['+19192000000']",
        Decimal("9192000000.00"),
        '="9192000000"',
    ],
)  # fmt: skip
def test_lists_of_one_number(account, numbers):
    """A whole `Decimal`, a rendered list of one, and a spreadsheet's text are the number."""
    assert nonzero_counts(sync(numbers=numbers)) == {"added": 1}
    assert set(suppressed(account)) == {"+19192000000"}


@pytest.mark.parametrize("numbers", [[9192000000.0], "[9192000000.0]", 9192000000.0])
def test_lists_of_floats_are_refused(account, numbers):
    """A data frame's floats are not told from rounded ones."""
    with pytest.raises(ChangeRefused, match="may have been rounded"):
        sync(numbers=numbers)
    assert account.sent() == []


def test_a_rendered_empty_list_is_an_empty_source(account):
    """`"[]"` has no numbers, and needs `allow_empty` like any other empty source."""
    with pytest.raises(ChangeRefused, match="allow_empty"):
        sync(numbers="[]")
    assert nonzero_counts(sync(numbers="[]", allow_empty=True)) == {}
    assert suppressed(account) == {}


@pytest.mark.parametrize("name", ["delimiter", "skip_lines", "layout", "source_format"])
@pytest.mark.parametrize("given", [{"numbers": FIVE}, {"sql": "SELECT 1", "sql_conn_id": "warehouse"}])
def test_parameters_of_files_are_refused_without_a_file(account, name, given):
    """A parameter without effect is a mistake."""
    value = {"delimiter": ";", "skip_lines": 1, "layout": "ftc_full", "source_format": "csv"}[name]
    with pytest.raises(InvalidArgument, match=f"{name} belongs to source, which is not given"):
        sync(**given, **{name: value})
    assert account.sent() == []
