"""Close buyers on holidays, and restore their business hours on the day after.

Retreaver has no holidays: the buyers' hours are saved in a file, the buyers are closed, and the run of the next day
restores the hours from the file. On all other days there is nothing to map over, and both tasks are skipped.

The file belongs to the run that took it. When the DAG is unpaused on a holiday, the scheduler starts a run at once,
which closes the buyers; a run that you trigger by hand on the same day then fails at `close`, says so, and changes
nothing. Without the file, such as on the day after a holiday on which the DAG was paused, the run fails at `reopen`,
says so, and changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_retreaver.operators.targets import (
    RetreaverRestoreOperator,
    RetreaverUpdateBusinessHoursOperator,
)

HOLIDAYS = {"2026-11-26": "Thanksgiving", "2026-12-25": "Christmas Day", "2027-01-01": "New Year's Day"}
ZONE = "America/New_York"
# A blank field of the form means `snapshots` in the folder that the Airflow variable `retreaver_storage` names. All
# workers must share it; on S3: s3://aws_default@bucket/retreaver, with apache-airflow-providers-amazon[s3fs].
FOLDER = (
    "{{ params.snapshots or var.value.get('retreaver_storage', 'file:///opt/airflow/retreaver') ~ '/snapshots' }}"
)


@task
def snapshots(days_ago: int, folder: str, data_interval_end=None) -> list[str]:
    """Return the file of the hours saved on a holiday, or no file if that day is no holiday."""
    today = pendulum.instance(data_interval_end or pendulum.now()).in_timezone(ZONE)
    day = today.subtract(days=days_ago).to_date_string()
    return [f"{folder}/holiday-{day}.json"] if day in HOLIDAYS else []


with DAG(
    dag_id="retreaver_holiday_closing",
    schedule="5 0 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    params={
        "target_group_id": Param(
            1, type="integer", minimum=1, title="Target group", description="Retreaver's ID of the group."
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
    reopen = RetreaverRestoreOperator.partial(task_id="reopen", parts=["hours"]).expand(
        snapshot_path=snapshots.override(task_id="was_yesterday_a_holiday")(days_ago=1, folder=FOLDER)
    )
    close = RetreaverUpdateBusinessHoursOperator.partial(
        task_id="close",
        target_group_ids="{{ params.target_group_id }}",
        hours="closed",
        # After the hours of the previous day were restored, and also if there was nothing to restore.
        trigger_rule="none_failed",
    ).expand(snapshot_path=snapshots.override(task_id="is_today_a_holiday")(days_ago=0, folder=FOLDER))
    reopen >> close
