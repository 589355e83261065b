"""Which objects a task means, and what their caps mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core import secrets
from airflow_provider_retreaver.core.errors import InvalidArgument, NotFound, ProtocolError
from airflow_provider_retreaver.core.operations import Outcome
from airflow_provider_retreaver.core.parameters import ids, texts
from airflow_provider_retreaver.core.secrets import Secret
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.key import ObjectKey, group_key, target_key
from airflow_provider_retreaver.domain.objects.naming import customer_id, describe, safe_field
from airflow_provider_retreaver.domain.objects.reading import all_targets, read_by_tid
from airflow_provider_retreaver.domain.objects.selection import Tag, TargetSelection
from airflow_provider_retreaver.domain.routing.cap_reset_report import owner_row
from airflow_provider_retreaver.domain.routing.caps import Cap, any_full, cap_of, hard_cap, limits


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (None, None),
        ([], []),
        ("", []),
        (" , ", []),
        (3, [3]),
        ("3", [3]),
        ("3, 4,3", [3, 4]),
        ("[3, 4]", [3, 4]),
        ("['3', '4']", [3, 4]),
        ('["3"]', [3]),
        ("[]", []),
        ((3, "4", " 5 "), [3, 4, 5]),
        ({7}, [7]),
        (range(1, 3), [1, 2]),
        (iter([1, 1]), [1]),
        ("003", [3]),
    ],
)
def test_ids_in_every_form(given_, expected):
    """Numbers, texts, rendered lists, results of tasks: distinct, in order; an empty list does not select all."""
    assert ids(given_, "target_ids") == expected


@pytest.mark.parametrize(
    "given_",
    [
        "A7",
        "0",
        "-3",
        "3.5",
        3.5,
        True,
        [None],
        [[3]],
        {"a": 1},
        object(),
        "[3",
        "[3, 'x",
        [""],
        ["²"],
        "٣",
        b"3",
        "{}",
    ],
)
def test_what_is_no_id_is_refused(given_):
    """By the parameter's name."""
    with pytest.raises(InvalidArgument, match="target_ids"):
        ids(given_, "target_ids")


def test_customer_ids_are_texts():
    """Numbers are taken as texts, spaces around are not part of them."""
    assert texts(["A7", 7, " b ", "A7"], "tids") == ["A7", "7", "b"]
    assert texts('["a, b", "c"]', "tids") == ["a, b", "c"]
    assert texts(None, "tids") is None


@given(st.lists(st.integers(1, 10**12), unique=True))
def test_a_list_survives_rendering(wanted):
    """As a list, as its text in Python or JSON, with commas, and as texts."""
    forms = [wanted, str(wanted), json.dumps(wanted), ",".join(map(str, wanted)), list(map(str, wanted))]
    assert all(ids(form, "x") == wanted for form in (*forms, str(list(map(str, wanted)))))


def test_tags():
    """A text with a colon or a mapping of one; the operator must be equality."""
    assert Tag.parse(None) is None
    assert Tag.parse("city: New York: NY") == Tag("city", "New York: NY")
    assert Tag.parse({"city": 7}) == Tag("city", "7")
    for wrong in ("city", "", ":x", "city:", {}, {"a": 1, "b": 2}, 7, ["a:b"]):
        with pytest.raises(InvalidArgument, match="tag must"):
            Tag.parse(wrong)
    tag = Tag("city", "Rome")
    assert tag.matches({"tag_values": [{"key": "a", "value": 1}, {"key": "city", "value": "Rome"}]})
    assert not tag.matches({"tag_values": [{"key": "city", "value": "Rome", "operator": "!="}]})
    assert not tag.matches({"tag_values": None})
    assert not tag.matches({})


def test_all_targets_need_only_filled():
    """One parameter, even an empty one, is enough; so is only_filled."""
    with pytest.raises(InvalidArgument, match="lose every count"):
        TargetSelection().check()
    for chosen in (
        TargetSelection(only_filled=True),
        TargetSelection(ids=[]),
        TargetSelection(tids=[]),
        TargetSelection(groups=[]),
        TargetSelection(tag=Tag("a", "b")),
    ):
        chosen.check()


CAPS = [
    {"type": "Hard", "filled": 5, "cap": 5},
    {"type": "Hourly", "filled": 9, "cap": None},
    {"type": "Daily", "filled": 0, "cap": 1},
]


def test_caps():
    """By name; one that is not there is no cap; full is at or above the limit."""
    row = {"id": 1, "caps": CAPS}
    assert hard_cap(row) == Cap(5, 5)
    assert cap_of(row, "monthly") == Cap(0, None)
    assert limits(row) == {"hard": 5, "hourly": None, "daily": 1, "monthly": None}
    assert any_full(row)
    assert not any_full({"id": 1, "caps": CAPS[1:]})
    assert [Cap(6, 5).full, Cap(4, 5).full, Cap(4, None).full, Cap(0, 0).full] == [True, False, False, True]


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1},
        {"id": 1, "caps": None},
        {"id": 1, "caps": [3]},
        {"id": 1, "caps": [{"type": "Hard"}]},
        {"id": 1, "caps": [{"type": "Hard", "filled": 1, "cap": "10"}]},
    ],
)
def test_caps_that_cannot_be_understood(row):
    """The object is named."""
    with pytest.raises(ProtocolError, match="1"):
        hard_cap(row)


def test_names(monkeypatch):
    """Under either of Retreaver's names, with pasted keys masked."""
    monkeypatch.setattr(secrets, "_registered", frozenset())
    assert describe(target_key(3), {"tid": "A7", "name": "Acme"}) == 'target 3 (tid A7, "Acme")'
    assert describe(target_key(3), {}) == "target 3"
    assert customer_id({"client_tid": "B"}) == "B"
    secrets.register_secrets([Secret("pasted-key")])
    assert safe_field({"name": "x pasted-key"}, "name") == "x ***"
    assert safe_field({"name": 3}, "name") == 3
    assert owner_row(group_key(5), {"name": "G"}) == {"target_group_id": 5, "name": "G"}
    assert owner_row(ObjectKey("target", customer_id="A 7"), {}) == {"id": None, "tid": "A 7", "name": None}


def test_a_record_is_plain_json():
    """It comes back as it was written."""
    record = Record({"target 3": 7}, {"target 3": [7, None]})
    assert Record.load(json.loads(json.dumps(record.dump()))) == record
    assert Record.load(None) == Record()
    assert Record.load({}).dump() == {"plan": {}, "done": {}}


def driven(procedure, *answers):
    """Drive a procedure with these answers and return its result."""
    next(procedure)
    for answer in answers:
        try:
            procedure.send(answer)
        except StopIteration as end:
            return end.value
    raise AssertionError("the procedure wants more")


def test_rows_without_an_id_are_no_targets():
    """Nor is an answer without one."""
    with pytest.raises(ProtocolError, match="lacks the documented field 'id'"):
        driven(all_targets(), [{"name": "x"}])
    with pytest.raises(ProtocolError, match="lacks the documented field 'id'"):
        driven(read_by_tid(["a"]), [Outcome(value={"uuid": "x"})])
    assert driven(read_by_tid(["a"]), [Outcome()]) == ([], {})


def test_lists_that_leave_out_what_is_needed():
    """Such targets are read on their own; one that was deleted is an error, since all were requested."""
    whole = {"id": 1, "caps": CAPS}
    assert driven(all_targets(), [{"id": 1}, {"id": 2, "caps": []}], [Outcome(value=whole)]) == [
        whole,
        {"id": 2, "caps": []},
    ]
    with pytest.raises(NotFound):
        driven(all_targets(), [{"id": 1}], [Outcome(error=NotFound("gone", status=404))])
