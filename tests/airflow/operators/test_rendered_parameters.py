"""A parameter means the same in every form in which it can arrive: native, rendered by a template, from a driver."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator, RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.resources import RetreaverListOperator, RetreaverUpdateOperator
from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator
from airflow_provider_retreaver.operators.tags import RetreaverUpdateTagsOperator
from airflow_provider_retreaver.operators.target_groups import RetreaverUpdateTargetGroupOperator
from airflow_provider_retreaver.operators.targets import (
    RetreaverSetPausedOperator,
    RetreaverUpdateBusinessHoursOperator,
)
from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator
from airflow_provider_retreaver.transfers.calls_sql import RetreaverCallsToSqlOperator
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator
from tests.airflow.support.account import context_of

pytestmark = pytest.mark.airflow


@pytest.fixture
def database(tmp_path, monkeypatch):
    """Provide a connection to an empty SQLite database."""
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "database.db")}
    monkeypatch.setenv("AIRFLOW_CONN_DATABASE", json.dumps(connection))


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


@pytest.mark.parametrize("path", ["None", "", None])
def test_a_path_that_came_out_as_none_is_no_path(account, monkeypatch, tmp_path, path):
    """A template that renders None for a path does not write into a folder of that name."""
    monkeypatch.chdir(tmp_path)
    id_ = account.target(filled=10)
    result = RetreaverSetPausedOperator(
        task_id="pause", paused=True, target_ids=id_, snapshot_path=path, state_path=path
    ).execute(context_of())
    assert len(result["changed"]) == 1
    sync = RetreaverSuppressionSyncOperator(task_id="sync", numbers=["+19195550123"], state_path=path, **ADD)
    assert sync.execute(context_of())["added"] == 1
    assert list(tmp_path.iterdir()) == []


WINDOW = {"start": "2026-01-05T00:00:00+00:00", "end": "2026-01-05T12:00:00+00:00"}
FILTERED = {
    "list": lambda filters, _: RetreaverListOperator(task_id="t", resource="calls", limit=10, filters=filters),
    "export": lambda filters, folder: RetreaverCallsToObjectStorageOperator(
        task_id="t", destination=f"file://{folder}", filters=filters, **WINDOW
    ),
    "recordings": lambda filters, folder: RetreaverRecordingsToObjectStorageOperator(
        task_id="t", destination=f"file://{folder}", filters=filters, **WINDOW
    ),
    "load": lambda filters, _: RetreaverCallsToSqlOperator(
        task_id="t", sql_conn_id="database", table="calls", create_table=True, filters=filters, **WINDOW
    ),
    "sensor": lambda filters, _: RetreaverCallVolumeSensor(task_id="t", at_most=0, filters=filters, **WINDOW),
}


def run(made):
    """Execute an operator, or poke a sensor once."""
    return made.poke(context_of()) if hasattr(made, "poke") else made.execute(context_of())


@pytest.mark.parametrize("form", ["native", "rendered", "rendered from JSON"])
@pytest.mark.parametrize("case", FILTERED)
def test_filters_of_calls(account, database, tmp_path, case, form):
    """A mapping of filters that a template renders to text is read as the mapping, wherever filters are given."""
    run(FILTERED[case](FORMS[form]({"caller": "+19195550123", "sub_id": 7}), tmp_path))
    asked = [dict(entry["query"]) for entry in account.entries() if "calls" in entry["path"]]
    # Besides, an export asks for the newest change of all calls.
    filtered = [query for query in asked if query.get("caller") == "+19195550123" and query.get("sub_id") == "7"]
    assert len(filtered) >= 1
    assert [query for query in asked if query not in filtered and query.get("sort_by") != "updated_at"] == []


@pytest.mark.parametrize("filters", [{"caller": 13105550177}, "{'caller': 13105550177}", {"sub_id": True}, "caller"])
@pytest.mark.parametrize("case", FILTERED)
def test_filters_that_lost_their_type(account, database, tmp_path, case, filters):
    """A caller that native rendering made a number would ask for another caller: it is refused before any request."""
    with pytest.raises(InvalidArgument, match=r"caller|sub_id|filters") as refusal:
        run(FILTERED[case](filters, tmp_path))
    assert "5550177" not in str(refusal.value)
    assert account.sent() == []


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
