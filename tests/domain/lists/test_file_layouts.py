"""The layouts that lists of numbers really have: found by themselves, told by parameters, or refused by name."""

from __future__ import annotations

import csv
import io
import logging
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.visible_text import visible
from airflow_provider_retreaver.domain.lists.change_files import newest_changes
from airflow_provider_retreaver.domain.lists.columns import UnreadableValue, find_columns, joined, parse_columns
from airflow_provider_retreaver.domain.lists.number_sources import Collected, collect, read_file
from airflow_provider_retreaver.domain.lists.phones import Normalizer

# Two numbers, as most of these files have them.
ONE, TWO = 19195550101, 19195550102
PHONE = {"column": "phone"}


def source(content: str, kind: str = "csv", *, mode: str = "add", region: str = "US", **how) -> Collected:
    """Return what is read from a file with this content."""
    values = read_file(io.BytesIO(content.encode()), "numbers.x", kind, **how)
    return collect(newest_changes(values, mode, "numbers.x"), Normalizer(region), lambda _: None)


@pytest.mark.parametrize(
    ("content", "how"),
    [
        ("phone\tname\n9195550101\tx, y\n9195550102\ty\n", PHONE),
        ("phone;name\n9195550101;x\n9195550102;y\n", PHONE),
        ("phone|name\n9195550101|x\n9195550102|y\n", PHONE),
        ('name;phone\n"x;y";9195550101\ny;9195550102\n', PHONE),
        ("phone\n9195550101\n9195550102\n", {}),
        ("phone\n9195550101\n9195550102\n", PHONE),
        ("Do Not Call List exported 2026-11-25\n\nphone,name\n9195550101,x\n9195550102,y\n", PHONE),
        ("2026-11-25 10:00\n25.11.2026\nphone,name\n9195550101,x\n9195550102,y\n", PHONE),
        ("Acme, Inc.\nAll; numbers\nphone;name\n9195550101;x\n9195550102;y\n", PHONE),
        ("sep=,\nphone,name\n9195550101,x\n9195550102,y\n", PHONE),
        ("sep=;\nphone;name, first\n9195550101;x\n9195550102;y\n", PHONE),
        ('"sep=^"\nphone^name\n9195550101^x\n9195550102^y\n', PHONE),
        ("sep=;\nphone\n9195550101\n9195550102\n", {}),
        ("\nphone,name\n9195550101,x\n9195550102,y\n", PHONE),
        ("\n \n,\nphone,name\n9195550101,x\n9195550102,y\n", PHONE),
        ("\n\nphone\n9195550101\n9195550102\n", {}),
        ("phone,phone\n9195550101,\n,9195550102\n", {}),
        ("phone,phone\n9195550101,9195550101\n9195550102,\n", PHONE),
        ("phone,\n9195550101,\n9195550102,\n", {}),
        ("phone,,\n9195550101,,\n9195550102\n", PHONE),
        ("Phone\u00a0Number,name\n9195550101,x\n9195550102,y\n", {"column": "Phone Number"}),
        ("Phone  Number,name\n9195550101,x\n9195550102,y\n", {"column": "Phone\u00a0Number"}),
        ("\u200bphone,name\n9195550101,x\n9195550102,y\n", PHONE),
        ("\ufeff\ufeffphone\u200e,name\n9195550101,x\n9195550102,y\n", PHONE),
        ("phone,name\n9195550101,x\n,\n\u00a0,\u200b\n\n9195550102,y\n , \n", PHONE),
        ('phone,name\n"=""9195550101""",x\n="9195550102",y\n', PHONE),
        ('="phone","=""name"""\n="9195550101",x\n="9195550102",y\n', PHONE),
        ("phone,name\n'+19195550101,x\n'9195550102,y\n", PHONE),
        ("phone,name\n\u202a+19195550101\u202c,x\n919\u200b5550102,y\n", PHONE),
        ('"the\nphone",name\n9195550101,x\n9195550102,y\n', {"column": "the phone"}),
        ("phone\r9195550101\r9195550102\r", {}),
        ("919,5550101\n919,5550102\n", {}),
        ('"919","5550101"\r\n"919","5550102"\r\n', {}),
        ("919,5550101,\n919,5550102,\n", {}),
        ("919;5550101;;\n919;5550102\n", {"layout": "ftc_full"}),
        ('a,b\n"=""919""","=""5550101"""\n"=""919""",5550102\n', {"column": ["a", "b"]}),
        ("919\t5550101\n919\t5550102\n", {}),
        ("919,5550101\n919,5550102\n", {"column": [1, 2]}),
        ("919,5550101\n919,5550102\n", {"layout": "ftc_full"}),
        ("919,5550101\n919,5550102\n", {"layout": "ftc_full", "region": "DE"}),
        ("area,number\n919,5550101\n919,5550102\n", {"layout": "ftc_full"}),
        ("area_code,phone\n919,5550101\n919,5550102\n", {}),
        ("Area Code;Phone Number\n919;5550101\n919;5550102\n", {}),
        ("area_code,phone\n919,5550101\n919,5550102\n", {"column": ["area_code", "phone"]}),
        ("area_code,phone\n919,5550101\n919,5550102\n", {"column": '["area_code", "phone"]'}),
        ("country,phone,note\n+1,9195550101,x\n1,9195550102,\n", {"column": ("country", "phone")}),
        ("+19195550101,first\n+19195550102,second\n", {"column": 1}),
        ("+19195550101,first\n+19195550102,second\n", {"column": "1"}),
        (",1\n+19195550101,1\n+19195550102,1\n", {"column": "1", "skip_lines": 1}),
        ("x,2\n+19195550101,1\n+19195550102,1\n", {"column": "1"}),
        ("first|+19195550101\nsecond|+19195550102\n", {"column": 2}),
        ("first;x,+19195550101\nsecond,+19195550102\n", {"column": 2}),
        ("name,phone\nfirst,+19195550101\nsecond,+19195550102\n", {"column": 2}),
        ("1,2\n+19195550101,x\n+19195550102,y\n", {"column": "1"}),
        ("Exported 2026-11-25\nphone,name\n9195550101,x\n9195550102,y\n", {"column": 1, "skip_lines": 1}),
        ("Exported 2026-11-25\nphone\n9195550101\n9195550102\n", {"skip_lines": "1"}),
        ("phone^name\n9195550101^x\n9195550102^y\n", PHONE | {"delimiter": "^"}),
        ("phone\tname\n9195550101\tx\n9195550102\ty\n", PHONE | {"delimiter": "Tab"}),
        ("phone\tname\n9195550101\tx\n9195550102\ty\n", PHONE | {"delimiter": "\t"}),
        ("phone name\n9195550101 x\n9195550102 y\n", PHONE | {"delimiter": " "}),
        ("phone,name\n9195550101,x\n9195550102,y\n", PHONE | {"delimiter": "None", "skip_lines": "None"}),
        ("phone,a;b\n9195550101,x\n9195550102,y\n", {"column": 1, "delimiter": "comma"}),
    ],
)  # fmt: skip
def test_a_csv_file_is_read_whatever_its_layout(content, how):
    """Delimiters, titles, blank lines, odd headers and headerless files: two numbers, and nothing rejected."""
    found = source(content, **how)
    assert list(found.numbers) == [ONE, TWO]
    assert found.rejected == found.unreadable == 0


@pytest.mark.parametrize(
    ("content", "how", "message"),
    [
        ("\n\n", PHONE, "no header: its lines are blank"),
        (" \n\u200b\n", {}, "no header: its lines are blank"),
        ("sep=,\n", PHONE, "no header after its line of the separator"),
        ("\n" * 200 + "phone\n9195550101\n", PHONE, "no header"),
        ("+19195550101,first\n", {}, "not a header; set column to the place"),
        ("+19195550101,first\n", PHONE, "not a header; set column to the place"),
        ("919,5550101\n919,5550102\n", PHONE, r"leave column out, or set it to \[1, 2\], or set layout to ftc_full"),
        ("919,5550101,2026-11-01,A\n", PHONE, "leave column out, or .* set layout to ftc_change"),
        ("a title\nphone,name\n9195550101,x\n", {"column": "fone"}, "no column 'fone'; set column to one of a title"),
        ("9195550101\nphone\n9195550102\n", PHONE, "not a header"),
        ("9195550101,x\nphone,name\n9195550102,y\n", PHONE, "not a header"),
        ("phone,kind\n9195550101,home\n9195550102,home\n", {"column": "home"}, "no column 'home'; set"),
        ("phone,name\n9195550101,x\n", {"column": "fone"}, "no column 'fone'; set column to one of phone, name"),
        ("phone;name\n9195550101;x\n", {}, "several columns; set column to one of phone, name"),
        ("phone,name\n9195550101,x\n", {"column": 3}, "2 columns in its first line, and column is 3"),
        ("phone,phone\n9195550101,9195550102\n", {}, "more than one column.*set column to the place"),
        ("a,b;c\n", {}, "separated by ',' or ';'; set delimiter"),
        ("x,9195550101;y\n", {"column": 1}, "set delimiter"),
        ("Exported 2026-11-25\nphone\n9195550101\n", {}, "not a header.*skip_lines"),
        ("phone\n", {"skip_lines": 2}, "fewer lines than skip_lines, which is 2"),
        ("phone,name\n9195550101,x\n", {"layout": "ftc_full"}, "not in layout ftc_full"),
        ("919,5550101\n", {"layout": "ftc_change"}, "not in layout ftc_change.*date and A or D"),
        ("919,5550101\n", {"layout": "ftc"}, "layout must be one of ftc_full, ftc_change"),
        ("919,5550101\n", PHONE | {"layout": "ftc_full"}, "leave column out"),
        ("phone\n1\n", {"delimiter": ", "}, "delimiter must be one character"),
        ("phone\n1\n", {"delimiter": '"'}, "delimiter must be one character"),
        ("phone\n1\n", {"skip_lines": -1}, "skip_lines"),
        ("phone\n1\n", {"column": []}, "column must be"),
        ("phone\n1\n", {"column": 0}, "column must be"),
        ("phone\n1\n", {"column": True}, "column must be"),
        ("phone\n1\n", {"column": " \u200b"}, "column must be"),
        ("phone\n1\n", {"column": {"phone": 1}}, "column must be"),
        ("phone\n" + "9" * 2_000_000 + "\n", {}, "characters or more in line 2"),
    ],
)  # fmt: skip
def test_a_csv_file_that_may_mean_several_things_is_refused(content, how, message):
    """A header that cannot be found is never an empty source, and the error says what to set."""
    with pytest.raises(InvalidArgument, match=message):
        source(content, **how)


@pytest.mark.parametrize(
    "content",
    [
        "+19195550123,first\n+19195550124,second\n",
        "(919) 555-0123;first\n",
        "first,+19195550123\n",
        "phone +19195550123,first\n",
        "\u202a+19195550123,first\n",
    ],
)
@pytest.mark.parametrize("how", [{}, PHONE, {"column": 9}, {"column": ["phone", "first"]}])
def test_an_error_about_a_header_holds_no_phone_number(content, how):
    """A first line that is no header is somebody's data: neither its number nor its name is quoted."""
    with pytest.raises(InvalidArgument) as error:
        source(content, **how)
    assert "5550123" not in str(error.value).replace("-", "").replace(" ", "")
    assert "first" not in str(error.value).replace("first column", "").replace("first line", "").replace(
        "The first", ""
    )


def test_a_name_of_a_column_that_looks_like_a_number_is_masked():
    """Titles hold numbers too."""
    with pytest.raises(InvalidArgument, match=r"no column '9…24'; set column to one of call \+1…23, x\. ") as error:
        find_columns(["call +19195550123", "x"], ("9195550124",), "The query")
    assert "555012" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "how", "counts"),
    [
        ("company,fax,phone\nAcme, Inc.,9195550103,9195550101\nx,,9195550102\n", PHONE, (1, 1, 1)),
        ("phone\n9195550101,x\n9195550102\n", {}, (1, 1, 1)),
        ("name,phone\n9195550101\nx,9195550102\n", PHONE, (1, 1, 1)),
        ("name,phone\nx\nx,9195550102\n", PHONE, (1, 1, 0)),
        ("area,phone\n919,\n919,5550102\n,\n", {"column": ["area", "phone"]}, (1, 1, 1)),
        ("area,phone,x\n,,x\n919,5550102,x\n", {"column": ["area", "phone"]}, (1, 1, 0)),
        ("919,5550102\n" * 70 + "91,95550101\n", {}, (1, 1, 1)),
        ("919,5550102\n" * 70 + "919,5550101,x\n", {}, (1, 1, 1)),
        ("919,5550102,2026-11-01,A\n" * 70 + "919,5550101,2026-11-01,X\n", {}, (1, 1, 1)),
        ("919,5550102,2026-11-01,A\n919,5550101,2026-11-01,A\n919,5550101,2026-11-01,D\n", {}, (1, 1, 1)),
    ],
)
def test_a_row_that_is_not_like_the_others_is_not_read(content, how, counts):
    """A row with more or fewer cells than the header may hold another column's number; what it could mean is kept."""
    found = source(content, **how)
    assert (len(found.numbers), found.rejected, found.unreadable) == counts
    assert TWO in found.numbers
    if found.unreadable and "95550101" in content:
        assert ONE in found.could_mean


CHANGES = "919,5550101,2026-11-01,A\r\n919,5550102,2026-11-02,D\r\n"


@pytest.mark.parametrize("kind", ["csv", "txt"])
@pytest.mark.parametrize("how", [{}, {"layout": "ftc_change"}])
def test_a_file_of_changes_adds_and_deletes(kind, how):
    """`add` takes the numbers that were added, `remove` those that were deleted."""
    assert list(source(CHANGES, kind, mode="add", **how).numbers) == [ONE]
    removed = source(CHANGES, kind, mode="remove", **how)
    assert list(removed.numbers) == [TWO]
    assert (removed.rejected, removed.duplicates) == (0, 0)


def test_the_newest_change_of_a_number_counts():
    """A number that was added and later deleted is only deleted, in whatever order the lines are."""
    content = CHANGES + "919,5550101,2026-11-03,D\n919,5550102,20261001,A\n"
    assert list(source(content, mode="add").numbers) == []
    assert list(source(content, mode="remove").numbers) == [ONE, TWO]


def test_a_file_of_changes_is_not_mirrored():
    """A mirror would remove every number that did not change."""
    with pytest.raises(InvalidArgument, match="file of changes, and a mirror needs the whole list"):
        source(CHANGES, mode="mirror")


def test_a_registry_of_another_country_is_not_taken_for_a_north_american_one():
    """Without its name the layout joins the columns, and `default_region` says whose numbers they are."""
    assert list(source("301,2345678\n", region="DE").numbers) == [493012345678]


@pytest.mark.parametrize(
    ("content", "how"),
    [
        ("9195550101\n9195550102\n", {}),
        ("A title of 2026\n9195550101\n9195550102\n", {"skip_lines": 1}),
        ("919,5550101\n919,5550102\n", {}),
        ("x\n919,5550101\n919,5550102\n", {"skip_lines": 1}),
        ('\'9195550101\n="9195550102"\n\u200b\n', {}),
    ],
)
def test_a_txt_file(content, how):
    """One number a line, or the registry's area code and number."""
    found = source(content, "txt", **how)
    assert (list(found.numbers), found.rejected) == ([ONE, TWO], 0)


def test_lines_are_counted_from_the_beginning_of_the_file():
    """The line of a rejected value is that of the file, with titles, blank lines and skipped lines."""
    rejects = []
    for content, kind, how in (
        ("title\n\nphone\n9195550101\nx1\n", "csv", {"skip_lines": 1}),
        ("title\n\n\n9195550101\nx1\n", "txt", {"skip_lines": 2}),
        ("919,5550101\n\n\n" + "919,5550101\n" + "919,1\n", "csv", {"layout": "ftc_full"}),
        ('title\n\n\n"9195550101"\n"x1"\n', "jsonl", {"skip_lines": 1}),
    ):
        collect(read_file(io.BytesIO(content.encode()), "f", kind, **how), Normalizer(), rejects.append)
    assert [one.line for one in rejects] == [5, 5, 5, 5]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"phone": 9.19555E+09}', "scientific"), ('{"phone": 9195550101.5}', "decimals"),
        ('{"phone": NaN}', "blank"),
        ('{"phone": 9195550000.0}', "decimals"), ('{"phone": 9.19555e9}', "scientific"),
    ],
)  # fmt: skip
def test_a_rounded_number_of_json_is_not_read(line, reason):
    """A JSON number is judged as it is written, like a text."""
    rejects = []
    found = collect(read_file(io.BytesIO(line.encode()), "f", "jsonl"), Normalizer(), rejects.append)
    assert len(found.numbers) == 0
    assert reason in rejects[0].reason


def test_a_whole_number_of_json_is_read():
    """Whole numbers, and how data frames write them, keep all digits."""
    lines = '{"phone": 9195550101}\n{"phone": 9195550102.0}\n{"\\u200bphone": "9195550102"}\n'
    assert list(source(lines, "jsonl").numbers) == [ONE, TWO]
    assert list(source('{"a": 919, "b": "5550101"}\n', "jsonl", column=["a", "b"]).numbers) == [ONE]


@pytest.mark.parametrize(
    ("line", "how", "message"),
    [
        ('{"phone": "1", "phone": "2"}', {}, "field 'phone' twice"),
        ('{"phone": "1"}', {"delimiter": ";"}, "fields with names"),
        ('{"phone": "1"}', {"layout": "ftc_full"}, "fields with names"),
        ('{"phone": "1"}', {"column": 1}, "fields with names"),
    ],
)
def test_json_lines_that_are_not_clear_are_refused(line, how, message):
    """A field that is there twice has two values, and fields have no places."""
    with pytest.raises(InvalidArgument, match=message):
        source(line, "jsonl", **how)


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ((919, 5550101), "9195550101"), ((Decimal("919.00"), "5550101 "), "9195550101"), ((None, float("nan")), None),
        (("", "\u200b"), None), ((" 919", 5550101), "9195550101"),
    ],
)  # fmt: skip
def test_columns_of_a_query_are_joined(row, value):
    """Whole numbers of any type and texts make one text; nothing in any of them is a blank."""
    assert joined(row, [[0], [1]], "The query") == value


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((919.0, "5550101"), "a float, which may have been rounded"), ((919, None), "blank in one of the columns"),
        ((Decimal("9.2E+2"), 5550101), "scientific notation"), (("919", True), "a bool"),
        (("919", ""), "blank in one"),
    ],
)  # fmt: skip
def test_columns_of_a_query_that_cannot_be_joined(row, reason):
    """What is left is not a number, and what is written there is kept for what it could mean."""
    found = joined(row, [[0], [1]], "The query")
    assert isinstance(found, UnreadableValue)
    assert reason in found.reason
    assert "9" in str(found)


@pytest.mark.parametrize(
    ("given", "columns"),
    [
        (None, ()), ("None", ()), ("phone", ("phone",)), (2, (2,)), ("a, b", ("a, b",)), ("[phone]", ("[phone]",)),
        ("['a', 2]", ("a", 2)), ("[1, 2]", (1, 2)), (["a"], ("a",)), ("(mobile)", ("(mobile)",)),
    ],
)  # fmt: skip
def test_columns_are_names_places_or_lists_of_them(given, columns):
    """A name may hold commas and brackets; a list may be rendered."""
    assert parse_columns(given) == columns


@pytest.mark.parametrize(
    ("content", "how", "line"),
    [
        (
            "A list\n\nphone;name\n9195550101;x\n",
            PHONE,
            "column phone, separated by semicolons, first row in line 4.",
        ),
        ("A list\nphone\n1\n", {"skip_lines": 1}, "column phone, separated by commas, first row in line 3."),
        ("919\t5550101\n", {"column": [1, 2]}, "column place 1 and 2, separated by tabs, first row in line 1."),
        ("919,5550101\n", {}, "layout ftc_full, first row in line 1."),
        (
            "call 9195550123,phone\n1,2\n",
            {"column": "call 9195550123"},
            "column call 9…23, separated by commas, first",
        ),
    ],
)
def test_the_log_says_how_a_file_is_read(caplog, content, how, line):
    """What was found by itself can be checked."""
    with caplog.at_level(logging.INFO):
        source(content, **how)
    assert f"numbers.x: {line}" in caplog.text


CELL = st.text(st.sampled_from("ab 0123456789+-().,;|\t\"'=\n\u200b\u00a0"), max_size=14)


@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;|\t"),
    titles=st.sampled_from(["", "\n", "A list\n\n", "sep={}\n", "\n\nExported 2026-11-25 10:00\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
@settings(max_examples=400)
def test_no_row_of_a_file_is_lost(rows, delimiter, titles, quoting):
    """Every row that has anything in it gives its cell of the column, whatever the cells hold."""
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    writer.writerows([("name", "phone", "note"), *rows])
    content = (titles.format(delimiter) + written.getvalue()).encode()
    values = [value for _, value in read_file(io.BytesIO(content), "f", "csv", column="phone")]
    assert values == [row[1] for row in rows if any(visible(cell).strip() for cell in row)]


PHONE_CELL = st.one_of(st.integers(2_000_000_000, 9_999_999_999).map(str), st.just(""), st.just('="9195550101"'))


@given(
    rows=st.lists(st.tuples(PHONE_CELL, CELL, CELL), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;|\t"),
    place=st.sampled_from([1, [1]]),
)
@settings(max_examples=400)
def test_no_row_of_a_file_without_a_header_is_lost(rows, delimiter, place):
    """By place, every row gives its cell, the first one too; only a first row without a number may be a header."""
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    found = read_file(io.BytesIO(written.getvalue().encode()), "f", "csv", column=place, delimiter=delimiter)
    expected = [row[0] for row in rows if any(visible(cell).strip() for cell in row)]
    values = [value for _, value in found]
    assert values in (expected, expected[1:])
    assert values == expected or not re.search(r"\d{3}", expected[0])


@given(st.lists(CELL.filter(lambda text: "\n" not in text), max_size=8))
def test_no_line_of_a_txt_file_is_lost(lines):
    """Every line that has anything in it is a value."""
    content = "\n".join(lines).encode()
    values = [value for _, value in read_file(io.BytesIO(content), "f", "txt")]
    assert values == [line.strip() for line in lines if visible(line).strip()]
