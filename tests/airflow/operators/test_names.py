"""Objects that are chosen by name: every operator that takes IDs, in every form, at the requests of one list."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument, NotFound, PartialFailure
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator, RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.tags import RetreaverUpdateTagsOperator
from airflow_provider_retreaver.operators.target_groups import RetreaverUpdateTargetGroupOperator
from airflow_provider_retreaver.operators.targets import (
    RetreaverSetPausedOperator,
    RetreaverUpdateBusinessHoursOperator,
)
from tests.airflow.support.account import StateStore, context_of, reset_caps

pytestmark = pytest.mark.airflow

INC = "O'Brien & Sons, Inc."
TARGETS, GROUPS = "GET /targets.json", "GET /target_groups.json"
FORMS = {"native": lambda value: value, "rendered": str, "JSON": json.dumps, "tuple": tuple}

# Operator, parameter and names, what else it needs, the same by ID, and the lists that the names are looked up in.
CASES = {
    "reset": (RetreaverResetCapOperator, "target_names", [INC, "Bolt"], {}, {"target_ids": [1, 2]}, [TARGETS]),
    "reset groups": (
        RetreaverResetCapOperator,
        "target_group_names",
        ["Roofers"],
        {},
        {"target_group_ids": 1},
        [GROUPS],
    ),
    "reset both": (
        RetreaverResetCapOperator,
        "target_names",
        ["Bolt"],
        {"target_ids": 1, "only_filled": True},
        {"target_ids": [2, 1], "only_filled": True},
        [TARGETS],
    ),
    "set caps": (
        RetreaverSetCapsOperator,
        "target_names",
        [INC],
        {"hard": 20},
        {"target_ids": 1, "hard": 20},
        [TARGETS],
    ),
    "set caps of groups": (
        RetreaverSetCapsOperator,
        "target_group_names",
        ["Roofers"],
        {"hard": "+5"},
        {"target_group_ids": 1, "hard": "+5"},
        [GROUPS],
    ),
    "set caps by rows": (
        RetreaverSetCapsOperator,
        "rows",
        [
            {"target_name": INC, "hard": 20},
            {"target_group_name": "Roofers", "hard": 30},
            {"target_id": 2, "daily": 9},
        ],
        {},
        {
            "rows": [
                {"target_id": 1, "hard": 20},
                {"target_id": 2, "daily": 9},
                {"target_group_id": 1, "hard": 30},
            ]
        },
        [TARGETS, GROUPS],
    ),
    "pause": (
        RetreaverSetPausedOperator,
        "target_names",
        [INC, "Bolt"],
        {"paused": True},
        {"paused": True, "tids": ["b1", "b2"]},
        [TARGETS],
    ),
    "hours": (
        RetreaverUpdateBusinessHoursOperator,
        "target_names",
        ["Bolt"],
        {"hours": "closed"},
        {"target_ids": 2, "hours": "closed"},
        [TARGETS],
    ),
    "tags": (
        RetreaverUpdateTagsOperator,
        "target_group_names",
        ["Roofers"],
        {"add": "a:1"},
        {"target_group_ids": 1, "add": "a:1"},
        [GROUPS],
    ),
    "members": (
        RetreaverUpdateTargetGroupOperator,
        "remove_names",
        [INC],
        {"target_group_name": "Roofers", "add": [3], "add_names": "Zeus"},
        {"target_group_id": 1, "add": 3, "remove": 1},
        [GROUPS, TARGETS],
    ),
    "all members": (
        RetreaverUpdateTargetGroupOperator,
        "replace_names",
        [INC],
        {"target_group_id": 1, "replace": 3},
        {"target_group_id": 1, "replace": [3, 1]},
        [TARGETS],
    ),
}


@pytest.fixture
def buyers(account):
    """Add three targets and a group of two."""
    account.target(INC, tid="b1", filled=10)
    account.target("Bolt", tid="b2", filled=10)
    account.target("Zeus", tid="b3")
    account.group([1, 2], cap=20, filled=5)
    return account


def dry_run(operator, **parameters):
    """Return the result of an operator's dry run as JSON."""
    return json.loads(json.dumps(operator(task_id="task", dry_run=True, **parameters).execute(context_of())))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_names_mean_the_objects_that_have_them(buyers, case, form):
    """A dry run by names shows IDs and names, equals that by IDs, and reads each list of names once."""
    operator, parameter, names, more, by_id, lists = CASES[case]
    expected = dry_run(operator, **by_id)
    before = len(buyers.sent())
    assert dry_run(operator, **{parameter: FORMS[form](names)}, **more) == expected
    planned = [row for name, rows in expected.items() if name.startswith("would_") for row in rows]
    assert all(row["name"] and (row.get("id") or row.get("target_group_id")) for row in planned)
    assert planned
    sent = buyers.sent()[before:]
    assert [request for request in sent if request in (TARGETS, GROUPS)] == lists
    if lists == [TARGETS] and "target_group_id" not in more:
        assert sent == lists, "rows of the list are not read again"


@pytest.mark.parametrize("case", CASES)
def test_names_that_cannot_be_used(buyers, case):
    """A name that is missing or not unique fails the task at once, names the parameter, and changes nothing."""
    operator, parameter, names, more, _, lists = CASES[case]
    buyers.target("Bolt ")
    buyers._handle("POST", "/target_groups.json", {"target_group": {"name": "Roofers 2", "target_ids": []}})
    buyers._handle("POST", "/target_groups.json", {"target_group": {"name": "Roofers 2", "target_ids": []}})
    wrong = {"Roofers": ("Rofers", "Roofers 2")} if lists == [GROUPS] else {}
    missing, several = wrong.get(names[0], ("bolt", "Bolt")) if parameter != "rows" else ("bolt", "Bolt")
    for name, kind, hint in (
        (missing, NotFound, "did you mean"),
        (several, InvalidArgument, "give the ID of the one"),
    ):
        given = [{"target_name": name, "hard": 1}] if parameter == "rows" else [name]
        task = operator(task_id="task", **{parameter: given}, **more)
        with pytest.raises(kind, match=hint) as refused:
            task.execute(context_of())
        assert isinstance(refused.value, AirflowFailException)
        assert ("target_names" if parameter == "rows" else parameter) in str(refused.value)
        assert repr(name) in str(refused.value)
    assert buyers.sent("POST", "PUT") == []


def test_names_that_came_out_as_nothing(buyers):
    """An empty list of names selects nothing, and None alone is refused, as for IDs; blanks are refused."""
    nothing = {"reset": [], "skipped": [], "failed": []}
    assert reset_caps(target_names=[]) == reset_caps(target_group_names="[]") == nothing
    for value in (None, "None"):
        with pytest.raises(InvalidArgument, match="target_names came out as None"):
            reset_caps(target_names=value, only_filled=True)
    for value in ([" "], [True], [1.5], {"a": 1}, "[Acme] Roofing"):
        with pytest.raises(InvalidArgument, match="target_names"):
            reset_caps(target_names=value)
    group = {"task_id": "members", "add": [1]}
    for given, message in (
        ({"target_group_id": 1, "target_group_name": "Roofers"}, "not both"),
        ({"target_group_name": " "}, "target_group_name is blank"),
        ({}, "target_group_id must be one ID"),
        ({"target_group_id": 1, "replace_names": "Zeus"}, "replace sets all members"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            RetreaverUpdateTargetGroupOperator(**group, **given).execute(context_of())
    assert buyers.sent() == []
    overlap = RetreaverUpdateTargetGroupOperator(**group, target_group_id=1, remove_names=[INC])
    with pytest.raises(InvalidArgument, match="Target 1 is in add and in remove"):
        overlap.execute(context_of())
    twice = [{"target_name": INC, "hard": 1}, {"tid": "b1", "hard": 2}]
    with pytest.raises(PartialFailure, match="several times"):
        RetreaverSetCapsOperator(task_id="caps", rows=twice).execute(context_of())
    assert buyers.sent("POST", "PUT") == []


@pytest.mark.parametrize("kept", ["store", "file", "nothing"])
def test_a_retry_stays_with_what_was_found(buyers, tmp_path, kept):
    """When the name goes to another target between two attempts, the retry still means the first one where it can."""
    buyers.target("Acme", filled=10)
    buyers.fault("/targets/1/reset_cap", method="POST", status=422)
    parts = {"task_state_store": StateStore()} if kept == "store" else {}
    path = {"state_path": f"file://{tmp_path}"} if kept == "file" else {}

    def attempt():
        return reset_caps(context_of(**parts), target_names=[INC, "Acme"], **path)

    with pytest.raises(PartialFailure, match="1 of 2"):
        attempt()
    buyers._handle("PUT", "/targets/1.json", {"target": {"name": "Old"}})
    buyers._handle("PUT", "/targets/2.json", {"target": {"name": INC}})
    reset = {row["id"]: row["name"] for row in attempt()["reset"]}
    assert reset == ({2: INC} if kept == "nothing" else {4: "Acme", 1: "Old"})
    assert buyers.sent().count(TARGETS) == (2 if kept == "nothing" else 1)
