"""Close buyers on the days of a calendar of holidays, and reopen them the day after exactly as they were.

The vendor knows no holidays: what the buyers' hours were is kept in a file, the day is closed, and the next day puts
back what the file says. On all other days there is nothing to map over, and both tasks are skipped.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.targets import (
    RetreaverRestoreOperator,
    RetreaverUpdateBusinessHoursOperator,
)

HOLIDAYS = {"2026-11-26": "Thanksgiving", "2026-12-25": "Christmas Day", "2027-01-01": "New Year's Day"}
ZONE = "America/New_York"


@task
def snapshots(days_ago: int, params: dict | None = None, data_interval_end=None) -> list[str]:
    """Return where the hours of a holiday are kept, or nothing when that day is none."""
    moment = pendulum.instance(data_interval_end or pendulum.now()).in_timezone(ZONE)
    day = moment.subtract(days=days_ago).to_date_string()
    return [f"{params['snapshots']}/holiday-{day}.json"] if day in HOLIDAYS else []


with DAG(
    dag_id="retreaver_holiday_closing",
    schedule="5 0 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    params={"target_group_id": 1, "snapshots": "file:///var/lib/airflow/retreaver"},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    reopen = RetreaverRestoreOperator.partial(task_id="reopen", parts=["hours"]).expand(
        snapshot_path=snapshots.override(task_id="was_yesterday_a_holiday")(days_ago=1)
    )
    close = RetreaverUpdateBusinessHoursOperator.partial(
        task_id="close",
        target_group_ids="{{ params.target_group_id }}",
        hours="closed",
        # After the day before was put back, and also when there was nothing to put back.
        trigger_rule="none_failed",
    ).expand(snapshot_path=snapshots.override(task_id="is_today_a_holiday")(days_ago=0))
    reopen >> close
