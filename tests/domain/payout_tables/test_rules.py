"""Rules of payout tables: what is read, what is refused before it is sent, and what is warned of."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.payout_tables.conditions import Condition
from airflow_provider_retreaver.domain.payout_tables.content import fingerprint, table_difference
from airflow_provider_retreaver.domain.payout_tables.rules import read_table
from airflow_provider_retreaver.domain.payout_tables.sources import csv_cells, given_cells
from airflow_provider_retreaver.sandbox.api import payout_rules

DOCUMENTED = (
    "rule_id,caller_state,pbm_bucket,pbm_bucket,payout_pct\n"
    "1,=~^(CO|NY|TX)$,*,*,70\n2,*,>=5000,<7500,60\n3,*,*,*,current\n"
)


def read(text, **parameters):
    """Read a table."""
    return read_table(csv_cells(text, "The CSV"), "The CSV", **parameters)


def one_cell(cell, key="age"):
    """Read a table with one condition, and a rule for all other bids."""
    quoted = f'"{cell}"' if "," in cell else cell
    return read(f"rule_id,{key},payout_pct\n1,{quoted},70\n2,*,current\n")


def test_the_documented_table():
    """A header that stands twice means both conditions, and the CSV is sent as it is documented."""
    table = read(DOCUMENTED)
    assert table.csv_data == DOCUMENTED
    assert table.warnings == ()
    assert [(rule.rule_id, rule.payout) for rule in table.rules] == [("1", "70"), ("2", "60"), ("3", "current")]
    assert table.rules[1].conditions == (
        Condition("pbm_bucket", ">=", "5000"),
        Condition("pbm_bucket", "<", "7500"),
    )
    assert table.rules[2].conditions == ()


@pytest.mark.parametrize(
    ("cell", "operator", "value", "sent"),
    [
        ("CO", "==", "CO", "CO"),
        ("==CO", "==", "CO", "CO"),
        ("!=CA", "!=", "CA", "!=CA"),
        (">=-5.5", ">=", "-5.5", ">=-5.5"),
        ("<18", "<", "18", "<18"),
        ("Washington, DC", "==", "Washington, DC", '"Washington, DC"'),
        ("=~^(CO|NY)$", "=~", "^(CO|NY)$", "=~^(CO|NY)$"),
        (r"=~\A\p{Upper}\h{2}[[:alpha:]](?<rest>.*)\z", "=~", r"\A\p{Upper}\h{2}[[:alpha:]](?<rest>.*)\z", None),
    ],
)
def test_operators(cell, operator, value, sent):
    """An operator precedes the value; an equality has none, and is sent so. Ruby's expressions are taken."""
    table = one_cell(cell)
    assert table.rules[0].conditions == (Condition("age", operator, value),)
    assert f"1,{sent or cell},70\n" in table.csv_data


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("", "blank; write \\*"),
        ("  ", "blank; write \\*"),
        (" CO", "take away the blanks"),
        ("CO\u200b", "not printable"),
        ("<=5", "no documented operator"),
        (">5", "no documented operator"),
        ("=5", "no documented operator"),
        ("~5", "no documented operator"),
        ("!5", "no documented operator"),
        ("!==5", "no documented operator"),
        ("=>5", "no documented operator"),
        (">=", "follows the operator"),
        (">= 5", "follows the operator"),
        ("!=:CA", "follows the operator"),
        (">=5k", "compares numbers"),
        ("<1e5", "compares numbers"),
        (">=٣", "compares numbers"),
        ("CA*", "only a cell of \\* alone"),
        ("!=*", "only a cell of \\* alone"),
        ("CO|NY", "several values"),
        ("'CO'", "quotation marks"),
        ("=~(", "no regular expression"),
        ("=~a{2,1}", "no regular expression"),
        ("=~/CO/", "slashes"),
        ("=~(?P<x>CO)", "Python's"),
    ],
)
def test_ambiguous_cells_are_refused(cell, message):
    """A cell with two readings, or none, is refused with its line."""
    with pytest.raises(InvalidArgument, match=f"line 2: 'age' is .*{message}"):
        one_cell(cell)


@pytest.mark.parametrize("cell", ["10000", "-1", "5.5", ">=10000", "<10001", "half"])
def test_buckets_are_from_0_to_9999(cell):
    """A bucket that no bid has is refused."""
    with pytest.raises(InvalidArgument, match=r"from 0 to 9999|compares numbers"):
        one_cell(cell, "pbm_bucket")
    assert one_cell("<10000", "pbm_bucket").rules


@pytest.mark.parametrize(
    ("payout", "message"),
    [
        ("", "payout_pct must be a number"),
        ("70%", "payout_pct must be a number"),
        ("-5", "payout_pct must be a number"),
        ("1e2", "payout_pct must be a number"),
        ("nan", "payout_pct must be a number"),
        ("Current", "payout_pct must be a number"),
        ("*", "payout_pct must be a number"),
        (" 70", "payout_pct must be a number"),
        ("0.7", "write 70 for that share"),
        ("0.125", "write 12.5 for that share"),
        ("100.5", "max_payout_pct allows 100"),
        ("7000", "max_payout_pct allows 100"),
    ],
)
def test_percentages_without_sense(payout, message):
    """A share, a percentage above the limit, and what is no number are refused."""
    with pytest.raises(InvalidArgument, match=f"line 2: .*{message}"):
        read(f"rule_id,payout_pct\n1,{payout}\n")


def test_max_payout_pct_is_the_authors():
    """A campaign that pays more than its revenue says so."""
    assert read("rule_id,payout_pct\n1,150\n", max_payout=Decimal(200)).rules[0].payout == "150"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "rule_id is missing"),
        ("rule_id,payout_pct\n", "no rule below the header"),
        ("rule_id;payout_pct\n1;70\n", "rule_id is missing.*commas"),
        ("Rule ID,payout_pct\n1,70\n", "'Rule ID' must be written so"),
        ("rule_id,rule_id,payout_pct\n1,1,70\n", "rule_id is twice or more"),
        ("rule_id,payout_pct,payout_pct\n1,70,70\n", "payout_pct is twice or more"),
        ("rule_id,,payout_pct\n1,*,70\n", "name of a column is blank"),
        ("rule_id, age,payout_pct\n1,*,70\n", "take away the blanks"),
        ("rule_id,age,payout_pct\n1,70\n", "line 2: it has 2 cells and the header 3"),
        ("rule_id,payout_pct\n1,70,80\n", "line 2: it has 3 cells and the header 2"),
        ("rule_id,payout_pct\n,70\n", "rule_id must be a whole number"),
        ("rule_id,payout_pct\nA1,70\n", "rule_id must be a whole number"),
        ("rule_id,age,payout_pct\n1,5,70\n01,6,70\n", "line 3: rule_id 01 is that of line 2 too"),
        ('rule_id,age,payout_pct\n1,"a"b,70\n', "not valid csv"),
        ('rule_id,age,payout_pct\n1,"a,70\n', "not valid csv"),
        ('rule_id,age,payout_pct\n1,"a\nb",70\n', "not printable"),
        ("rule_id,payout_pct\n" + "".join(f"{n},1\n" for n in range(1001)), "more than 1000 rules"),
        (f"rule_id,age,payout_pct\n1,{'x' * 1_000_000},70\n", "field larger than"),
        ("rule_id,age,payout_pct\n" + "".join(f"{n},{n}{'x' * 1_000},70\n" for n in range(1000)), "takes 1000000"),
        ("x" * 5_000_000, "larger than 1000000 bytes"),
    ],
    ids=lambda value: value[:32],
)
def test_tables_that_cannot_be_sent(text, message):
    """A table with a wrong header, IDs or sizes is refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=message):
        read(text)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("1,*,*,70\n2,5,*,60\n", "line 3: it is never reached, since line 2 before it has only \\*"),
        ("1,NY,*,70\n2,NY,>=5,60\n", "line 3: it is never reached, since line 2"),
        ("1,NY,>=5,70\n2,NY,>=5,60\n", "line 3: it is never reached"),
        ("1,>=9,<9,70\n", "line 2: no bid meets all conditions on 'age'"),
        ("1,NY,CO,70\n", "line 2: no bid meets all conditions on 'age'"),
        ("1,NY,!=NY,70\n", "line 2: no bid meets all conditions on 'age'"),
    ],
)
def test_rules_without_effect(rules, message):
    """A rule that no bid reaches is refused: something else was meant."""
    with pytest.raises(InvalidArgument, match=message):
        read(f"rule_id,age,age,payout_pct\n{rules}")
    assert len(read("rule_id,age,age,payout_pct\n1,NY,>=5,70\n2,NY,*,60\n3,*,*,current\n").rules) == 3


def test_several_problems_are_named_at_once():
    """The first problems are named with their lines, the others counted."""
    lines = "".join(f"{n},much\n" for n in range(8))
    with pytest.raises(InvalidArgument, match=r"line 2: .* line 6: .* 3 more lines have problems\. Nothing was sent"):
        read(f"rule_id,payout_pct\n{lines}")


def test_warnings():
    """What is allowed and may not be meant: the customer's IDs, half an expression, nothing paid, no last rule."""
    table = read("rule_id,affiliate_id,system_target_id,age,payout_pct\n1,7,9,*,0\n2,*,*,=~^CO,70\n")
    assert [one.split(":")[0].split(";")[0] for one in table.warnings] == [
        "The last rule has conditions",
        "Rules that pay nothing",
        "The column affiliate_id is held against the customer's ID (afid)",
        "A regular expression on 'age' lacks ^ or $, so that it matches a part of a value too.",
    ]


def test_a_table_of_1000_rules():
    """Rules are compared with all before them."""
    lines = "".join(f"{n},v{n},>={n},<{n + 5},70\n" for n in range(999))
    table = read(f"rule_id,sub_id,pbm_bucket,pbm_bucket,payout_pct\n{lines}1000,*,*,*,current\n")
    assert len(table.rules) == 1000


# Mostly cells that are taken, so that most tables are.
VALUES = st.text(st.characters(categories=["L", "N"], include_characters="&\"',.-"), min_size=1, max_size=8)
CELLS = st.one_of(
    st.just("*"),
    VALUES,
    st.builds("{}{}".format, st.sampled_from(["!=", "=="]), VALUES),
    st.builds("{}{}".format, st.sampled_from([">=", "<"]), st.integers(-99, 99)),
    st.builds("=~^{}$".format, st.sampled_from(["(CO|NY)", "[a-z],+", '"', "x{1,2}", ".*"])),
)
KEYS = st.lists(st.sampled_from(["caller_state", "age", "sub_id"]), max_size=4)
PAYOUTS = st.one_of(st.just("current"), st.integers(1, 100).map(str), st.just("62.5"))


@given(keys=KEYS, data=st.data())
def test_what_is_read_is_what_is_sent(keys, data):
    """A table that was sent is read the same again, and the sandbox, which reads by itself, finds the same rules."""
    header = ["rule_id", *keys, "payout_pct"]
    count = data.draw(st.integers(1, 4))
    rows = [[str(n), *(data.draw(CELLS) for _ in keys), data.draw(PAYOUTS)] for n in range(count)]
    try:
        table = read_table(given_cells([header, *rows]), "rows")
    except InvalidArgument:
        event("refused")
        return
    event("read")
    again = read(table.csv_data)
    assert (again.header, again.rows, again.csv_data) == (table.header, table.rows, table.csv_data)
    theirs = payout_rules.parse(table.csv_data)
    assert [(rule.rule_id, rule.conditions) for rule in theirs] == [
        (rule.rule_id, tuple((one.key, one.operator, one.value) for one in rule.conditions)) for rule in table.rules
    ]
    assert [rule.percentage for rule in theirs] == [
        None if rule.payout == "current" else float(rule.payout) for rule in table.rules
    ]
    assert fingerprint(table.csv_data.replace("\n", "\r\n")) == fingerprint(table.csv_data)
    assert table_difference(table.csv_data, table.csv_data)["changed"] == 0


@given(st.text(max_size=80))
def test_any_text_is_a_table_or_an_error(text):
    """Whatever is uploaded, it is read or refused in one sentence."""
    try:
        found = len(read(f"rule_id,age,payout_pct\n{text}").rules)
    except InvalidArgument:
        found = 0
    assert found <= text.count("\n") + text.count("\r") + 1


def test_a_difference_names_rules():
    """Rules are compared by their ID, whatever the order of the columns; order of the rules counts by itself."""
    after = "rule_id,age,caller_state,payout_pct\n3,*,NY,50\n1,>=5,*,70\n4,*,*,current\n"
    before = "caller_state,rule_id,payout_pct,age\n*,1,70,>=5\nCO,2,60,*\nNY,3,40,*\n"
    assert table_difference(before, after) == {
        "added": 1, "removed": 1, "changed": 1, "reordered": True,
        "added_ids": ["4"], "removed_ids": ["2"], "changed_ids": ["3"],
    }  # fmt: skip
    assert table_difference("", after)["added_ids"] == ["3", "1", "4"]
    assert table_difference("x" * 200_000, after)["added"] == 3
