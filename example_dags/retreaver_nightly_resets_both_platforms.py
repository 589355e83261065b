"""Reset the caps of two platforms every night: hard caps at Retreaver, total caps of buyer groups at TrackDrive.

At Retreaver the hard caps that are full are reset. At TrackDrive the groups that are maxed out are listed, and those
of them whose total caps have counted something are reset. Each reset is sent once in a run, also when an answer is
lost or a task is tried again, so that no call is forgotten; a run that comes more than twelve hours late is skipped.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator
from airflow_provider_retreaver.operators.trackdrive import (
    TrackDriveBuyerGroupListOperator,
    TrackDriveBuyerGroupUpdateOperator,
)


@task
def report(targets: dict | None, groups: dict | None) -> str:
    """Summarize the run in one line; a platform whose reset was skipped or failed has no result."""
    hard = "none" if targets is None else str(len(targets["reset"]))
    total = "none" if groups is None else str(len({row["id"] for row in groups["changed"]}))
    summary = f"Reset: {hard} hard caps at Retreaver, total caps of {total} buyer groups at TrackDrive."
    print(summary)  # noqa: T201 - for the task's log
    return summary


with DAG(
    dag_id="retreaver_nightly_resets_both_platforms",
    schedule="0 0 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    doc_md=__doc__,
    tags=["retreaver", "trackdrive"],
):
    hard_caps = RetreaverResetCapOperator(task_id="reset_hard_caps", only_filled=True)
    groups = TrackDriveBuyerGroupListOperator(task_id="list_groups", columns=["id", "name", "maxed_out"], limit=1000)
    total_caps = TrackDriveBuyerGroupUpdateOperator(
        task_id="reset_total_caps",
        buyer_group_ids=(
            "{{ ti.xcom_pull(task_ids='list_groups') | selectattr('maxed_out') | map(attribute='id') | list }}"
        ),
        reset_total_caps=True,
    )
    groups >> total_caps
    # A teardown also runs after a failed reset, and the run is then still a failed one.
    report(hard_caps.output, total_caps.output).as_teardown()
