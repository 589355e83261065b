"""Pause buyers whose caps are full in the evening, and resume the same ones in the morning.

Only buyers that the evening run has paused are resumed, and only if they have not been changed since; buyers that
were paused by hand stay paused. The hour of a scheduled run determines whether it is the evening or the morning run,
and the form that of a run that you trigger by hand; the other task has nothing to map over and is skipped. The file
of a night belongs to the run that wrote it: a second evening run before noon of the next day is refused.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_retreaver.operators.targets import RetreaverRestoreOperator, RetreaverSetPausedOperator

ZONE = "America/New_York"
# A blank field of the form means `snapshots` in the folder that the Airflow variable `retreaver_storage` names. All
# workers must share it; on S3: s3://aws_default@bucket/retreaver, with apache-airflow-providers-amazon[s3fs].
FOLDER = (
    "{{ params.snapshots or var.value.get('retreaver_storage', 'file:///opt/airflow/retreaver') ~ '/snapshots' }}"
)


@task
def snapshots(half: str, folder: str, params: dict | None = None, dag_run=None, data_interval_end=None) -> list[str]:
    """Return the file of the buyers paused in the evening, or no file if this run is the other half of the day."""
    now = pendulum.instance(data_interval_end or pendulum.now()).in_timezone(ZONE)
    by_hour = "evening" if now.hour >= 12 else "morning"
    if half != (params["half"] if dag_run.run_type == "manual" else by_hour):
        return []
    # Until noon it is still the night of the day before.
    return [f"{folder}/paused-{now.subtract(hours=12).to_date_string()}.json"]


with DAG(
    dag_id="retreaver_evening_pause",
    schedule="0 7,19 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    params={
        "half": Param(
            "evening",
            type="string",
            enum=["evening", "morning"],
            title="Half of the day",
            description="Of a run that you trigger: `evening` pauses, `morning` resumes what the evening paused.",
        ),
        "snapshots": Param(
            None,
            type=["null", "string"],
            title="Snapshots",
            description="Folder for what was; blank for `snapshots` in that of the variable retreaver_storage.",
        ),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    # Pausing more than 20 buyers is an error, so that a mistake does not pause half of the account.
    RetreaverSetPausedOperator.partial(task_id="pause", paused=True, only_filled=True, max_changes=20).expand(
        snapshot_path=snapshots.override(task_id="is_it_evening")("evening", FOLDER)
    )
    RetreaverRestoreOperator.partial(task_id="resume", parts=["paused"]).expand(
        snapshot_path=snapshots.override(task_id="is_it_morning")("morning", FOLDER)
    )
