"""Maintain a buyer without interrupting calls: pause it, wait until its calls have ended, maintain, resume.

The buyer is resumed even if another task fails; a run whose maintenance failed is still a failed run.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_retreaver.operators.targets import RetreaverSetPausedOperator
from airflow_provider_retreaver.sensors.targets import RetreaverTargetIdleSensor


@task
def maintain(idle: list[dict]) -> str:
    """Replace this by work that requires that no calls are in progress."""
    return f"Maintained {', '.join(str(row['id']) for row in idle)}."


with DAG(
    dag_id="retreaver_drain_and_maintain",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    params={
        "target_ids": Param(
            [1],
            type="array",
            items={"type": "integer"},
            minItems=1,
            title="Targets",
            description="Retreaver's IDs of the targets, as a JSON list.",
        ),
    },
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["retreaver"],
    render_template_as_native_obj=True,
):
    pause = RetreaverSetPausedOperator(task_id="pause", paused=True, target_ids="{{ params.target_ids }}")
    drained = RetreaverTargetIdleSensor(
        task_id="drained",
        target_id="{{ params.target_ids }}",
        deferrable=True,
        poke_interval=timedelta(seconds=20),
        timeout=timedelta(hours=2),
    )
    resume = RetreaverSetPausedOperator(task_id="resume", paused=False, target_ids="{{ params.target_ids }}")
    pause >> drained >> maintain(drained.output) >> resume.as_teardown(setups=pause)
