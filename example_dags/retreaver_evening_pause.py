"""Pause buyers whose caps are full in the evening, and resume the same ones in the morning.

Only buyers that the evening run has paused are resumed, and only if they have not been changed since; buyers that
were paused by hand stay paused. The hour of a run determines whether it is the evening or the morning run: the other
task has nothing to map over and is skipped.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_retreaver.operators.targets import RetreaverRestoreOperator, RetreaverSetPausedOperator

ZONE = "America/New_York"


@task
def snapshots(half: str, params: dict | None = None, data_interval_end=None) -> list[str]:
    """Return the file of the buyers paused in the evening, or no file if this run is the other half of the day."""
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
    params={
        "snapshots": Param(
            "file:///var/lib/airflow/retreaver",
            type="string",
            minLength=1,
            title="Snapshots",
            description="Folder for what the targets were like before, on a disk or storage that all workers share.",
        ),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    # Pausing more than 20 buyers is an error, so that a mistake does not pause half of the account.
    RetreaverSetPausedOperator.partial(task_id="pause", paused=True, only_filled=True, max_changes=20).expand(
        snapshot_path=snapshots.override(task_id="is_it_evening")("evening")
    )
    RetreaverRestoreOperator.partial(task_id="resume", parts=["paused"]).expand(
        snapshot_path=snapshots.override(task_id="is_it_morning")("morning")
    )
