"""Watch the daily caps of some buyers, and pause each buyer when its cap is 90 % filled.

If a buyer does not reach 90 % during the day, its tasks are skipped. Each buyer has a deferred sensor, which occupies
no worker slot; the run's parameters have the buyers' IDs.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task, task_group

from airflow_provider_retreaver.operators.targets import RetreaverSetPausedOperator
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor


@task
def buyers(params: dict | None = None) -> list[int]:
    """Return the targets to watch."""
    return params["target_ids"]


@task_group
def watch(target_id: int) -> None:
    """Wait until the cap of one buyer is nearly full, then pause the buyer."""
    near = RetreaverCapFilledSensor(
        task_id="cap_at_90_percent",
        target_id=target_id,
        cap="{{ params.cap }}",
        at_least=0.9,
        deferrable=True,
        poke_interval=timedelta(minutes=1),
        timeout=timedelta(hours=23),
        soft_fail=True,
    )
    near >> RetreaverSetPausedOperator(task_id="pause", paused=True, target_ids=target_id)


with DAG(
    dag_id="retreaver_pause_at_90_percent",
    schedule="0 0 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    params={
        "target_ids": Param(
            [1, 2, 3],
            type="array",
            items={"type": "integer"},
            minItems=1,
            title="Targets",
            description="Retreaver's IDs of the targets, as a JSON list.",
        ),
        "cap": Param(
            "daily",
            type="string",
            enum=["hard", "hourly", "daily", "monthly", "concurrency"],
            title="Cap",
            description="Which cap is watched.",
        ),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    watch.expand(target_id=buyers())
