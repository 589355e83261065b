"""Tags: how they are written, what a tag list can hold, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, ProtocolError
from airflow_provider_retreaver.domain.routing import tags
from airflow_provider_retreaver.domain.routing.tag_change import TagEdit
from airflow_provider_retreaver.sandbox.api.tags import parse as vendors_reading

words = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), blacklist_characters="<>,:"), min_size=1
)
pairs = st.lists(st.tuples(words, words), unique=True, max_size=100)


def row(*found, operator="=="):
    """Return an object with tags."""
    values = [
        {"id": index, "key": key, "value": value, "operator": operator} for index, (key, value) in enumerate(found)
    ]
    return {"id": 3, "tag_values": values}


@given(pairs)
def test_what_is_written_is_what_retreaver_reads(wanted):
    """Any tags that a tag list can hold are read by the sandbox as they were written, and read back so."""
    text = tags.tag_list(row(), wanted, "target 3")
    assert sorted(tags.read_tags(row(*vendors_reading(text)), "target 3")) == sorted(wanted)


@given(pairs, pairs, pairs)
def test_editing_is_sets(present, add, remove):
    """Adding and removing keeps all others, whatever their order; no tag is in both, which is refused."""
    remove = [pair for pair in remove if pair not in add]
    edit = TagEdit(tuple(add), tuple(remove))
    assert set(edit.applied(present)) == (set(present) - set(remove)) | set(add)
    assert edit.applied(edit.applied(present)) == edit.applied(present)
    assert TagEdit(replace=tuple(add)).applied(present) == add


FORMS = {
    "text": ("a:1", [("a", "1")]),
    "texts with commas": ("a:1, b:2", [("a", "1"), ("b", "2")]),
    "list": (["a:1", "b:x:y"], [("a", "1"), ("b", "x:y")]),
    "mapping": ({"a": 1, "b": ["2", "3"]}, [("a", "1"), ("b", "2"), ("b", "3")]),
    "the vendor's own": ("<<<a:1>>>,<<<b:2>>>", [("a", "1"), ("b", "2")]),
    "whole floats of a driver": ({"geo": [90210.0, Decimal("10001.00")]}, [("geo", "10001"), ("geo", "90210")]),
    "rendered floats": ("{'geo': [90210.0]}", [("geo", "90210")]),
    "other numbers": ({"rate": [Decimal("2.50"), 2.25]}, [("rate", "2.25"), ("rate", "2.50")]),
    "a rendered list as a value": ({"geo": "['90210']"}, [("geo", "90210")]),
    "zip codes as texts": ({"geo": ("02134",)}, [("geo", "02134")]),
    "nothing": ([], []),
}


@pytest.mark.parametrize(("given_", "meant"), FORMS.values(), ids=FORMS.keys())
def test_forms(given_, meant):
    """Tags are read in every form that authors and templates write."""
    assert list(TagEdit.parse(replace=given_).replace) == meant


REFUSED = {
    "nothing": ({}, "give add, remove or replace"),
    "replace beside add": ({"replace": "a:1", "add": "b:2"}, "give it alone"),
    "both": ({"add": "a:1", "remove": "a:1"}, "'a:1' is in add and in remove"),
    "rendered None alone": ({"replace": "None"}, "give add, remove or replace"),
    "rendered None three times": (
        {"add": "None", "remove": "None", "replace": "None"},
        "give add, remove or replace",
    ),
    "no value": ({"add": "a"}, "add holds the tag 'a' without a value"),
    "blank value": ({"add": {"a": " "}}, "needs a key and a value"),
    "blank key": ({"add": ":1"}, "needs a key and a value"),
    "comma in a value": ({"add": {"a": "1,2"}}, "holds ','"),
    "angle brackets": ({"replace": ["a:>>>"]}, "holds '>'"),
    "line end": ({"add": {"a": "1\n2"}}, "character 10"),
    "colon in a key": ({"add": {"a:b": "1"}}, "colon in its key"),
    "a number": ({"add": 5}, "not int"),
    "list of numbers": ({"remove": [5]}, "holds 5, which is no tag"),
    "not a number": ({"add": {"zip": float("nan")}}, "add: the value of 'zip' is nan"),
    "rendered, not a number": ({"replace": "{'zip': [nan]}"}, "replace: the value of 'zip' is nan"),
    "infinite": ({"add": {"zip": float("inf")}}, "'zip' is inf"),
    "a rounded number": ({"add": {"zip": 1e22}}, "the value of 'zip' must be a text"),
    "a truth value": ({"add": {"vip": True}}, "the value of 'vip' must be a text, not True"),
    "a mapping as a value": ({"add": {"vip": {"a": 1}}}, "the value of 'vip' must be a text"),
    "bytes": ({"add": {"vip": b"1"}}, "the value of 'vip' must be a text"),
    "a zip code without its zero": ({"add": {"geo": [2134]}}, "number 2134 under geo.*'02134'"),
    "broken list": ({"add": "<<<a:1>>>;<<<b:2"}, "no tag list"),
}


@pytest.mark.parametrize(("given_", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(given_, why):
    """What cannot be sent is refused by parameter and tag."""
    with pytest.raises(InvalidArgument, match=why):
        TagEdit.parse(**given_)


def test_a_replace_that_came_out_as_none_removes_nothing():
    """A template that renders None for `replace` leaves the tags alone: only an empty list removes them all."""
    edit = TagEdit.parse(add="a:1", replace="None")
    assert edit.applied([("b", "2")]) == [("b", "2"), ("a", "1")]
    assert TagEdit.parse(replace=[]).applied([("b", "2")]) == []


def test_removing_a_key():
    """A key alone takes off whatever value it has, and may be given a new one at once."""
    edit = TagEdit.parse(add="a:9", remove=["a"])
    assert edit.applied([("a", "1"), ("b", "2"), ("a", "3")]) == [("b", "2"), ("a", "9")]


@pytest.mark.parametrize("operator", ["!=", ">=", "<", "=~"])
def test_operators_cannot_be_carried(operator):
    """An object with an operator other than '==' is not rewritten."""
    with pytest.raises(ChangeRefused, match=r"target 3 has the tag a .* has no operator"):
        tags.tag_list(row(("a", "1"), operator=operator), [("a", "1")], "target 3")


@pytest.mark.parametrize("value", ["x,y", "a<<<b", "a>>>b", "tab\t"])
def test_values_cannot_be_carried(value):
    """A value that is on the object and that a list would break is not rewritten."""
    with pytest.raises(ChangeRefused, match="Nothing was sent"):
        tags.tag_list(row(), [("a", value)], "target 3")


def test_a_hundred_and_one():
    """More than 100 tags are refused; 100 are not."""
    many = [("a", str(number)) for number in range(101)]
    with pytest.raises(ChangeRefused, match="would have 101 tags"):
        tags.tag_list(row(), many, "contact 3")
    assert tags.tag_list(row(), many[:100], "contact 3").count("<<<") == 100


def test_zip_codes_that_the_vendor_joins_come_apart():
    """US zip codes of the key geo come joined and go back one by one; another comma does not."""
    assert tags.read_tags(row(("geo", "10001,10002")), "target 3") == [("geo", "10001"), ("geo", "10002")]
    assert tags.read_tags(row(("geo", "NY,NJ")), "target 3") == [("geo", "NY,NJ")]


@pytest.mark.parametrize("values", [None, [None], [{"value": "1"}]])
def test_invalid_objects(values):
    """An object whose tags cannot be understood is an error with its name."""
    with pytest.raises(ProtocolError, match="target 3 came with"):
        tags.read_tags({"tag_values": values}, "target 3")
