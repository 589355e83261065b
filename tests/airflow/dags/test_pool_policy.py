"""The cluster policy of docs/deployment.md, which bounds an account over all workers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator
from airflow_provider_retreaver.sensors.targets import RetreaverTargetIdleSensor
from tests.airflow.support.samples import samples

pytestmark = pytest.mark.airflow


class Reset(RetreaverResetCapOperator):
    """An operator that a user derives."""


class Other(BaseOperator):
    """An operator of somebody else."""


def test_all_tasks_of_the_provider_get_the_pool():
    """Operators, sensors, derived and mapped ones get it; tasks of others and those with a pool keep theirs."""
    (code,) = (sample.code for sample in samples() if "def task_policy" in sample.code)
    settings = {}
    exec(code, settings)  # noqa: S102 - the document's own block
    with DAG("pools", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        RetreaverResetCapOperator(task_id="reset", target_ids=[1])
        RetreaverResetCapOperator.partial(task_id="mapped").expand(target_ids=[[1], [2]])
        Reset(task_id="derived", target_ids=[1])
        RetreaverTargetIdleSensor(task_id="sensor", target_id=1)
        RetreaverResetCapOperator(task_id="own", target_ids=[1], pool="resets")
        Other(task_id="other")
    for task in dag.tasks:
        settings["task_policy"](task)
    assert {task.task_id: task.pool for task in dag.tasks} == {
        **dict.fromkeys(("reset", "mapped", "derived", "sensor"), "retreaver"),
        "own": "resets",
        "other": "default_pool",
    }
