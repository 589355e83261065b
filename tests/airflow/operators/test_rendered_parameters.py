"""A parameter means the same in every form in which it can arrive: native, rendered by a template, from a driver."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator, RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.resources import RetreaverListOperator, RetreaverUpdateOperator
from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator
from airflow_provider_retreaver.operators.tags import RetreaverUpdateTagsOperator
from airflow_provider_retreaver.operators.target_groups import RetreaverUpdateTargetGroupOperator
from airflow_provider_retreaver.operators.targets import (
    RetreaverSetPausedOperator,
    RetreaverUpdateBusinessHoursOperator,
)
from tests.airflow.support.account import context_of

pytestmark = pytest.mark.airflow


def as_driver(value):
    """Return a value with its whole numbers as a database driver may give them."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, list):
        return [as_driver(item) for item in value]
    return {key: as_driver(item) for key, item in value.items()} if isinstance(value, dict) else value


FORMS = {
    "native": lambda value: value,
    "rendered": str,
    "rendered from JSON": json.dumps,
    "from a driver": as_driver,
    "from a driver, rendered": lambda value: str(as_driver(value)),
    "tuple": lambda value: tuple(value) if isinstance(value, list) else value,
    "rendered tuple": lambda value: str(tuple(value) if isinstance(value, list) else value),
}

ROWS = [{"target_id": 1, "hard": 20}, {"tid": "B, 2", "daily": 5}]
TAGS = {"city": "O'Hare", "geo": ["90210", "10001"]}
ADD = {"mode": "add", "can_resubscribe": False}
ACME = {"name": "O'Brien & Sons", "tag_list": "<<<a:1>>>"}

# Operator, parameter, value, and what else the operator needs.
CASES = {
    "reset target_ids": (RetreaverResetCapOperator, "target_ids", [1, 2], {}),
    "reset tids": (RetreaverResetCapOperator, "tids", ["O'Brien", "B, 2"], {}),
    "reset target_group_ids": (RetreaverResetCapOperator, "target_group_ids", [1], {}),
    "set caps of target_ids": (RetreaverSetCapsOperator, "target_ids", [2], {"hard": 20}),
    "set caps of tids": (RetreaverSetCapsOperator, "tids", ["O'Brien"], {"hard": 20}),
    "set caps by rows": (RetreaverSetCapsOperator, "rows", ROWS, {}),
    "set paused": (RetreaverSetPausedOperator, "target_ids", [1, 2], {"paused": True}),
    "hours": (RetreaverUpdateBusinessHoursOperator, "hours", {"mon": ["09:00-12:00"]}, {"target_ids": 1}),
    "add tags": (RetreaverUpdateTagsOperator, "add", TAGS, {"target_ids": 1}),
    "add listed tags": (RetreaverUpdateTagsOperator, "add", ["city:O'Hare", "zip:90210"], {"target_ids": 1}),
    "group members": (RetreaverUpdateTargetGroupOperator, "replace", [2], {"target_group_id": 1}),
    "tag": (RetreaverSetPausedOperator, "tag", {"zip": 90210}, {"paused": True}),
    "hours of a day as a tuple": (
        RetreaverUpdateBusinessHoursOperator,
        "hours",
        {"mon": ("09:00-12:00",)},
        {"target_ids": 1},
    ),
    "hours of every day": (RetreaverUpdateBusinessHoursOperator, "hours", ["09:00-12:00"], {"target_ids": 1}),
    "tags with numbers": (RetreaverUpdateTagsOperator, "add", {"geo": [90210, 10001]}, {"target_ids": 1}),
    "numbers": (
        RetreaverSuppressionSyncOperator,
        "numbers",
        ["+19195550123"],
        {"can_resubscribe": False, "mode": "add"},
    ),
    "attributes": (RetreaverUpdateOperator, "attributes", ACME, {"resource": "targets", "resource_id": 1}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_every_form_means_the_same(account, case, form):
    """The dry run of each operator says the same, whatever form the parameter has."""
    operator, name, value, more = CASES[case]
    account.target("One", tid="O'Brien", filled=10, tag_list="<<<zip:90210>>>")
    account.target("Two", tid="B, 2", filled=10)
    account.group([1, 2])

    def dry_run(given):
        made = operator(task_id="task", dry_run=True, **{name: given}, **more)
        return json.loads(json.dumps(made.execute(context_of())))

    expected = dry_run(value)
    assert dry_run(FORMS[form](value)) == expected
    assert any(planned for name, planned in expected.items() if name == "changed" or name.startswith("would_"))


@pytest.mark.parametrize("form", FORMS)
def test_filters(account, form):
    """Filters of a list are a mapping in every form."""
    account.target("One", tid="A1")
    account.target("Two", tid="A2")
    result = RetreaverListOperator(
        task_id="task", resource="calls", limit=10, filters=FORMS[form]({"caller": "+19195550123"})
    ).execute(context_of())
    assert result == []
    (request,) = account.sent("GET")
    assert request == "GET /api/v2/calls.json"
