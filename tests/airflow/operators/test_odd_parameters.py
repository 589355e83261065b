"""Whatever a template renders, a parameter is read or refused by name: never a raw error of Python."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from airflow.providers.common.compat.sdk import AirflowException, PokeReturnValue

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.operators.caller_lists import RetreaverCallerListSyncOperator
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator, RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.payout_tables import RetreaverPayoutTableOperator
from airflow_provider_retreaver.operators.resources import (
    RetreaverCreateOperator,
    RetreaverDeleteOperator,
    RetreaverGetOperator,
    RetreaverListOperator,
    RetreaverUpdateOperator,
    RetreaverUpsertOperator,
)
from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator
from airflow_provider_retreaver.operators.tags import RetreaverUpdateTagsOperator
from airflow_provider_retreaver.operators.target_groups import RetreaverUpdateTargetGroupOperator
from airflow_provider_retreaver.operators.targets import (
    RetreaverRestoreOperator,
    RetreaverSetPausedOperator,
    RetreaverUpdateBusinessHoursOperator,
)
from airflow_provider_retreaver.sensors.calls import RetreaverCallSensor, RetreaverCallVolumeSensor
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor
from airflow_provider_retreaver.sensors.number_pools import RetreaverNumberPoolSensor
from airflow_provider_retreaver.sensors.targets import RetreaverTargetIdleSensor
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator
from airflow_provider_retreaver.transfers.calls_sql import RetreaverCallsToSqlOperator
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator
from tests.airflow.support.account import context_of

pytestmark = pytest.mark.airflow

ODD = [
    None, "None", "", " ", "x", "[1", "{'a':", "{'a': 1}", "(1,", "[]", "{}", "nan", "9" * 400, "\u202e\x00\ud800",
    -1, 0, 5, 1e308, float("nan"), True, [], {}, (1, "a"), {3}, [None], [[1]], {"a": {"b": [1]}}, {1: 2}, b"x",
    Decimal("1e999"), object(),
]  # fmt: skip
WINDOW = {"start": "2026-01-05T00:00:00+00:00", "end": "2026-01-05T12:00:00+00:00"}
NUMBERS = {"numbers": ["+19195550123"], "mode": "add", "default_region": "US"}
TARGET = {"resource": "targets", "resource_id": 1}
OPERATORS = {
    RetreaverResetCapOperator: {"target_ids": 1},
    RetreaverSetCapsOperator: {"target_ids": 1, "hard": 5},
    RetreaverSetPausedOperator: {"target_ids": 1, "paused": True},
    RetreaverUpdateBusinessHoursOperator: {"target_ids": 1, "hours": "closed", "time_zone": "America/Denver"},
    RetreaverRestoreOperator: {"snapshot_path": "file://{}/snapshot.json"},
    RetreaverUpdateTagsOperator: {"target_ids": 1, "add": "a:1"},
    RetreaverPayoutTableOperator: {"campaign_id": 1, "csv": "rule_id,payout_pct\n1,70\n"},
    RetreaverUpdateTargetGroupOperator: {"target_group_id": 1, "add": 1},
    RetreaverListOperator: {"resource": "targets", "limit": 5},
    RetreaverGetOperator: TARGET,
    RetreaverCreateOperator: {"resource": "targets", "attributes": {"number": "+19195550123"}},
    RetreaverUpdateOperator: {**TARGET, "attributes": {"name": "B"}},
    RetreaverUpsertOperator: {"resource": "targets", "customer_id": "A", "attributes": {"number": "+19195550123"}},
    RetreaverDeleteOperator: {**TARGET, "dry_run": True},
    RetreaverSuppressionSyncOperator: {**NUMBERS, "can_resubscribe": False},
    RetreaverCallerListSyncOperator: {**NUMBERS, "list_name": "vip", "target_id": 1, "dry_run": True},
    RetreaverCallsToObjectStorageOperator: {"destination": "file://{}/calls", **WINDOW},
    RetreaverRecordingsToObjectStorageOperator: {"destination": "file://{}/recordings", **WINDOW},
    RetreaverCallsToSqlOperator: {"sql_conn_id": "database", "table": "calls", "create_table": True, **WINDOW},
    RetreaverCallVolumeSensor: {"at_most": 0, **WINDOW},
    RetreaverCallSensor: {"uuid": "u", "status": "ended"},
    RetreaverCapFilledSensor: {"target_id": 1},
    RetreaverTargetIdleSensor: {"target_id": 1},
    RetreaverNumberPoolSensor: {"number_pool_id": 1},
}


def outcome(operator, parameters, name, value):
    """Execute an operator as a worker would after rendering one field to a value; return what went wrong."""
    made = operator(task_id="task", **parameters)
    setattr(made, name, value)
    try:
        result = made.poke(context_of()) if hasattr(made, "poke") else made.execute(context_of())
    except (RetreaverError, AirflowException) as error:
        return None if str(error).strip() and "\n" not in str(error) else f"{name}={value!r:.60}: no sentence"
    except Exception as error:  # noqa: BLE001 - what is looked for
        return f"{name}={value!r:.60}: {type(error).__name__}: {error!s:.200}"
    assert not isinstance(result, PokeReturnValue) or result.is_done in {True, False}
    return None


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)
def test_no_parameter_ends_in_a_raw_error(account, tmp_path, monkeypatch, operator):
    """Every template field takes every odd value: the task succeeds, or fails in one sentence of the package."""
    monkeypatch.chdir(tmp_path)
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "database.db")}
    monkeypatch.setenv("AIRFLOW_CONN_DATABASE", json.dumps(connection))
    account.target("One", tid="A")
    account.group([1])
    parameters = {
        name: value.format(tmp_path) if isinstance(value, str) else value
        for name, value in OPERATORS[operator].items()
    }
    wrong = [
        found
        for name in operator.template_fields
        for value in ODD
        if (found := outcome(operator, parameters, name, value)) is not None
    ]
    assert not wrong, "\n".join(wrong)
