"""Pause buyers whose caps are full in the evening, and resume the same ones in the morning.

A buyer that was paused by hand is none of this DAG's business: only those that the evening has paused are resumed,
and none that somebody has changed since. Which half a run is shows on its clock: the other one has nothing to map
over and is skipped.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.targets import RetreaverRestoreOperator, RetreaverSetPausedOperator

ZONE = "America/New_York"


@task
def snapshots(half: str, params: dict | None = None, data_interval_end=None) -> list[str]:
    """Return where the evening keeps whom it has paused, or nothing when this run is the other half."""
    now = pendulum.instance(data_interval_end or pendulum.now()).in_timezone(ZONE)
    if half != ("evening" if now.hour >= 12 else "morning"):
        return []
    evening = now if half == "evening" else now.subtract(days=1)
    return [f"{params['snapshots']}/paused-{evening.to_date_string()}.json"]


with DAG(
    dag_id="retreaver_evening_pause",
    schedule="0 7,19 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    params={"snapshots": "file:///var/lib/airflow/retreaver"},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    # Nobody pauses half of the account by mistake: above 20 buyers somebody has to look.
    RetreaverSetPausedOperator.partial(task_id="pause", paused=True, only_filled=True, max_changes=20).expand(
        snapshot_path=snapshots.override(task_id="is_it_evening")("evening")
    )
    RetreaverRestoreOperator.partial(task_id="resume", parts=["paused"]).expand(
        snapshot_path=snapshots.override(task_id="is_it_morning")("morning")
    )
