"""Whose caps `RetreaverResetCapOperator` resets: every way to select targets, and its result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator
from airflow_provider_retreaver.operators.target_choice import SELECTION_FIELDS
from tests.airflow.support.account import context_of, reset_caps

pytestmark = pytest.mark.airflow


class Lazy(Sequence[Any]):
    """What a downstream of a mapped task gets: a sequence that reads its items lazily."""

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)


FORMS = {
    "number": (1, [1]),
    "text": ("2", [2]),
    "comma text": (" 1, 3 ,", [1, 3]),
    "list of numbers": ([1, 2], [1, 2]),
    "list of texts": (["1", " 2"], [1, 2]),
    "tuple": ((3,), [3]),
    "set": ({1, 3}, [1, 3]),
    "generator": ((id_ for id_ in (2, 3)), [2, 3]),
    "rendered list of numbers": ("[1, 2]", [1, 2]),
    "rendered list of texts": ("['1', '3']", [1, 3]),
    "JSON list of texts": ('["1", "3"]', [1, 3]),
    "results of a mapped task": (Lazy(3, "1"), [1, 3]),
    "repeated": ([1, "1", " 1 "], [1]),
}


@pytest.mark.parametrize(("given", "meant"), FORMS.values(), ids=FORMS.keys())
def test_every_form_of_ids(account, given, meant):
    """IDs in every form that a DAG author, a template or an XCom gives reset exactly those targets."""
    ids = account.targets(3)
    assert ids == [1, 2, 3]
    result = reset_caps(target_ids=given)
    assert sorted(row["id"] for row in result["reset"]) == meant
    assert [account.filled(id_) for id_ in ids] == [0 if id_ in meant else 10 for id_ in ids]
    assert len(account.sent("POST")) == len(meant)


@pytest.mark.parametrize("empty_list", [[], "", " , ", "[]", (), set(), Lazy()])
def test_an_empty_list_selects_nothing(account, empty_list):
    """An empty list in any form resets nothing and sends nothing, even with only_filled."""
    id_ = account.target(filled=10)
    for only_filled in (False, True):
        result = reset_caps(target_ids=empty_list, only_filled=only_filled)
        assert result == {"reset": [], "skipped": [], "failed": []}
    assert account.sent() == []
    assert account.filled(id_) == 10


def test_selecting_nothing_is_refused(account):
    """Without any selection nothing is sent: resetting all targets needs only_filled."""
    account.target(filled=10)
    with pytest.raises(InvalidArgument, match="only_filled=True") as caught:
        reset_caps()
    assert isinstance(caught.value, AirflowFailException)
    assert account.sent() == []


@pytest.mark.parametrize("name", ["target_ids", "tids", "target_group_ids", "tag"])
def test_none_from_upstream_does_not_select_all(account, name):
    """A parameter that comes out as None is refused where leaving it out would mean all full targets."""
    id_ = account.target(filled=10)
    with pytest.raises(InvalidArgument, match=f"^{name} came out as None") as caught:
        reset_caps(**{name: None}, only_filled=True)
    assert isinstance(caught.value, AirflowFailException)
    assert account.sent() == []
    other = "tids" if name == "target_ids" else "target_ids"
    assert reset_caps(**{name: None, other: []}, only_filled=True)["reset"] == []
    assert account.filled(id_) == 10


def test_parameters_that_are_not_given_are_none_in_rendered_templates():
    """The default that differs from None appears in no template field, also after rendering and when mapped."""
    operator = RetreaverResetCapOperator(task_id="reset", only_filled=True, tag=None)
    operator.render_template_fields({})
    assert {name: getattr(operator, name) for name in SELECTION_FIELDS} == dict.fromkeys(SELECTION_FIELDS)
    assert operator.selection_given == ("tag",)


BAD = [
    ({"target_ids": "7,x9"}, "target_ids", "'x9'"),
    ({"target_ids": [1, None]}, "target_ids", "None"),
    ({"target_ids": True}, "target_ids", "True"),
    ({"target_ids": 1.5}, "target_ids", "1.5"),
    ({"target_ids": [-1]}, "target_ids", "'-1'"),
    ({"target_ids": "None"}, "target_ids", "None"),
    ({"target_ids": "[1, 2"}, "target_ids", "template"),
    ({"target_ids": {"id": 1}}, "target_ids", "dict"),
    ({"target_ids": [[1, 2]]}, "target_ids", "[1, 2]"),
    ({"target_ids": object()}, "target_ids", "object"),
    ({"target_ids": 0}, "target_ids", "'0'"),
    ({"tids": [" "]}, "tids", "' '"),
    ({"target_group_ids": "roofers"}, "target_group_ids", "'roofers'"),
    ({"tag": "roofers"}, "tag", "'roofers'"),
    ({"tag": ":x"}, "tag", "':x'"),
    ({"tag": {"a": "1", "b": "2"}}, "tag", "key"),
    ({"target_ids": 1, "only_filled": "perhaps"}, "only_filled", "'perhaps'"),
    ({"target_ids": 1, "force": "maybe"}, "force", "'maybe'"),
    ({"target_ids": 1, "dry_run": "sure?"}, "dry_run", "'sure?'"),
]


@pytest.mark.parametrize(
    ("parameters", "name", "item"), BAD, ids=[str(parameters).partition(" at 0x")[0] for parameters, *_ in BAD]
)
def test_bad_parameters_are_refused_by_name(account, parameters, name, item):
    """A parameter that cannot be right fails at once, in one sentence that names it, before any request."""
    account.target(filled=10)
    with pytest.raises(InvalidArgument) as caught:
        reset_caps(**parameters)
    assert str(caught.value).startswith(name)
    assert item in str(caught.value)
    assert isinstance(caught.value, AirflowFailException)
    assert account.sent() == []


def test_by_tid(account):
    """Customer IDs select targets, also those that look like numbers or hold signs."""
    account.target("One", tid="A 1/ü", filled=3)
    account.target("Two", tid="0042", filled=3)
    kept = account.target("Three", tid="1", filled=3)
    result = reset_caps(tids=["A 1/ü", "0042"])
    assert [row["tid"] for row in result["reset"]] == ["A 1/ü", "0042"]
    assert account.filled(kept) == 3


def test_by_tag(account):
    """A tag chooses the targets that carry it, given as a text or as a mapping."""
    for tag in ("city:New York", {"city": "New York"}):
        chosen = account.target("In", tag_list="<<<city:New York>>>,<<<x:y>>>", filled=3)
        other = account.target("Out", tag_list="<<<city:York>>>", filled=3)
        assert [row["id"] for row in reset_caps(tag=tag)["reset"]] == [chosen]
        assert account.filled(other) == 3


def test_a_group_is_reset_through_its_own_route(account):
    """A named group takes one POST, which resets the group's cap and all its members'."""
    members = account.targets(3, filled=4)
    outside = account.target(filled=10)
    group = account.group(members, cap=100, filled=12)
    result = reset_caps(target_group_ids=group)
    assert account.sent("POST") == [f"POST /target_groups/{group}/reset_cap.json"]
    assert account.filled(group, "target_group") == 0
    assert [account.filled(id_) for id_ in [*members, outside]] == [0, 0, 0, 10]
    rows = [
        (row.get("id"), row["target_group_id"], row["filled_before"], row["filled_after"]) for row in result["reset"]
    ]
    assert sorted(rows, key=str) == sorted([*((id_, group, 4, 0) for id_ in members), (None, group, 12, 0)], key=str)


def test_a_target_named_twice_is_reset_once(account):
    """A target selected by ID, by tid, by tag and through its group is reset once."""
    id_ = account.target(tid="A1", tag_list="<<<a:b>>>", filled=10)
    group = account.group([id_])
    reset_caps(target_ids=[id_], tids="A1", target_group_ids=[group], tag="a:b")
    assert account.sent("POST") == [f"POST /target_groups/{group}/reset_cap.json"]


def test_all_filled_ones(account):
    """Without other parameters only_filled resets the full caps of the whole account and reports only those."""
    account.targets(30, filled=3)
    full = account.targets(2)
    account.target("None", cap=None)
    result = reset_caps(only_filled=True)
    assert [row["id"] for row in result["reset"]] == full
    assert result["skipped"] == result["failed"] == []
    assert sorted(account.sent("POST")) == [f"POST /targets/{id_}/reset_cap.json" for id_ in full]


def test_only_filled(account):
    """Of named targets only full ones are reset; the others and those without a cap are skipped with the reason."""
    full, part = account.target("Full", filled=10), account.target("Part", filled=9)
    empty, none = account.target("Empty"), account.target("None", cap=None)
    result = reset_caps(target_ids=[full, part, empty, none], only_filled=True)
    assert [row["id"] for row in result["reset"]] == [full]
    reasons = {row["id"]: row["reason"] for row in result["skipped"]}
    assert reasons.keys() == {part, empty, none}
    assert "not full (9 of 10)" in reasons[part]
    assert "nothing" in reasons[empty]
    assert "no hard cap" in reasons[none]
    assert account.sent("POST") == [f"POST /targets/{full}/reset_cap.json"]


def test_only_filled_spares_members_that_are_not_full(account):
    """Full members of a group that is not full are reset one by one; the group's route would reset the others too."""
    full, part = account.target("Full", filled=10), account.target("Part", filled=5)
    group = account.group([full, part], cap=100, filled=15)
    result = reset_caps(target_group_ids=[group], only_filled="true")
    assert account.sent("POST") == [f"POST /targets/{full}/reset_cap.json"]
    assert [row["id"] for row in result["reset"]] == [full]
    assert account.filled(part) == 5
    assert account.filled(group, "target_group") == 15


def test_the_result_says_what_was_done(account, caplog):
    """The result has the documented rows, and the log one readable line for each."""
    id_ = account.target("Acme Roofing", tid="A7", filled=10)
    none = account.target("Uncapped", cap=None)
    with caplog.at_level("INFO"):
        result = reset_caps(context_of(), target_ids=[id_, none])
    assert result == {
        "reset": [
            {"id": id_, "tid": "A7", "name": "Acme Roofing", "filled_before": 10, "filled_after": 0, "cap": 10}
        ],
        "skipped": [{"id": none, "tid": None, "name": "Uncapped", "reason": "it has no hard cap"}],
        "failed": [],
    }
    assert f'Reset target {id_} (tid A7, "Acme Roofing"): 10 -> 0, hard cap 10' in caplog.messages
    assert f'Skipped target {none} ("Uncapped"): it has no hard cap' in caplog.messages


def test_dry_run_sends_nothing_that_changes(account, caplog):
    """A dry run reads, reports what it would do in result and log, and sends no write."""
    full, part = account.target("Full", filled=10), account.target("Part", filled=5)
    group = account.group([part])
    with caplog.at_level("INFO"):
        result = reset_caps(context_of(), target_ids=[full], target_group_ids=[group], dry_run="True")
    assert result["dry_run"] is True
    assert result["reset"] == []
    assert sorted(row["id"] for row in result["would_reset"]) == [full, part]
    assert {entry["method"] for entry in account.entries()} == {"GET"}
    assert [account.filled(full), account.filled(part)] == [10, 5]
    assert any(line.startswith(f"Dry run: would reset target {full}") for line in caplog.messages)


def test_a_plain_execute_is_no_error(account):
    """A plain `execute({})` works: no run, no dates, no store."""
    id_ = account.target(filled=10)
    assert [row["id"] for row in reset_caps({}, target_ids=id_)["reset"]] == [id_]
