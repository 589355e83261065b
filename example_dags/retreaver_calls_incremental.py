"""Export updated calls every ten minutes, including late revenue, and report which calls were restated.

The newest `updated_at` of each export is stored with the files; the next run starts ten minutes before it. A call
that was updated again is also in a later file: use the row with the newest `updated_at` of each `uuid`. Only one
run is active at a time, so that each run uses the cursor of the previous one; no calls are lost if a run is skipped.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator


@task
def report(result: dict) -> str:
    """Summarize the export in one line."""
    if result["manifest"] is None:
        return "No call was updated."
    restated = result["restated"]
    summary = (
        f"{result['calls']} calls in {result['files']} files; {restated['calls']} were restated: "
        f"revenue {restated['revenue_change']}, payout {restated['payout_change']}."
    )
    print(summary)  # noqa: T201 - for the task's log
    return summary


# A blank field of the form means `calls` in the folder that the Airflow variable `retreaver_storage` names. All
# workers must share it; on S3: s3://aws_default@bucket/retreaver, with apache-airflow-providers-amazon[s3fs].
DESTINATION = (
    "{{ params.destination or var.value.get('retreaver_storage', 'file:///opt/airflow/retreaver') ~ '/calls' }}"
)

with DAG(
    dag_id="retreaver_calls_incremental",
    schedule="*/10 * * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={
        "destination": Param(
            None,
            type=["null", "string"],
            title="Destination",
            description="Folder for the files; blank for `calls` in that of the variable retreaver_storage.",
        ),
        "since": Param(
            "2026-01-01T00:00:00Z",
            type="string",
            format="date-time",
            title="Since",
            description="Where the first run begins; later runs go on from the last one.",
        ),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    export = RetreaverCallsToObjectStorageOperator(
        task_id="export_updated",
        destination=DESTINATION,
        start="{{ params.since }}",
        by="updated_at",
        incremental=True,
        compression="gzip",
    )
    report(export.output)
