"""Export every ten minutes the calls that were updated since, late revenue included, and tell what was restated.

The newest `updated_at` of each export is kept beside the files; the next run begins ten minutes before it. A call
that was updated again stands in a later file as well: take the row with the newest `updated_at` of each `uuid`. One
run at a time, so that every run finds the cursor of the one before; a run that is skipped loses nothing.

The destination is a parameter of the run; one on S3 needs `apache-airflow-providers-amazon[s3fs]`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator


@task
def report(result: dict) -> str:
    """Say in one line what came."""
    if result["manifest"] is None:
        return "No call was updated."
    restated = result["restated"]
    summary = (
        f"{result['calls']} calls in {result['files']} files; {restated['calls']} were restated: "
        f"revenue {restated['revenue_change']}, payout {restated['payout_change']}."
    )
    print(summary)  # noqa: T201 - the task's log is where this report belongs
    return summary


with DAG(
    dag_id="retreaver_calls_incremental",
    schedule="*/10 * * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"destination": "s3://aws_default@warehouse/retreaver/calls", "since": "2026-01-01T00:00:00Z"},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    export = RetreaverCallsToObjectStorageOperator(
        task_id="export_updated",
        destination="{{ params.destination }}",
        start="{{ params.since }}",
        by="updated_at",
        incremental=True,
        compression="gzip",
    )
    report(export.output)
