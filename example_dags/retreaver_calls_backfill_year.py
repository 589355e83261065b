"""Export the calls of a whole year with one task a week; the pool `retreaver` limits how many run at the same time.

Trigger it with the year as a parameter. Each week is a mapped task: it is retried separately, and running it again
replaces only its own files. For the current year, only the weeks that have ended are exported.

The pool limits the tasks on all machines together. Create it first, under Admin → Pools or with
`airflow pools set retreaver 4 "requests to Retreaver"`. Without the pool the tasks stay "scheduled", and only the
scheduler's log has the reason; they start when the pool exists.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator


@task
def weeks(params: dict) -> list[dict[str, str]]:
    """Split the part of the year that has ended: a start and an end for every mapped task."""
    from airflow_provider_retreaver.windows import split_window

    year = int(params["year"])
    start = pendulum.datetime(year, 1, 1, tz="America/New_York")
    parts = split_window(start, start.add(years=1), params["every"])
    return [part for part in parts if pendulum.parse(part["end"]) <= pendulum.now()]


# A blank field of the form means `calls` in the folder that the Airflow variable `retreaver_storage` names. All
# workers must share it; on S3: s3://aws_default@bucket/retreaver, with apache-airflow-providers-amazon[s3fs].
DESTINATION = (
    "{{ params.destination or var.value.get('retreaver_storage', 'file:///opt/airflow/retreaver') ~ '/calls' }}"
)

with DAG(
    dag_id="retreaver_calls_backfill_year",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    params={
        "year": Param(
            2025, type="integer", minimum=2000, maximum=2100, title="Year", description="In New York's time zone."
        ),
        "every": Param(
            "7d",
            type="string",
            examples=["1d", "7d", "30d"],
            title="Length of a task",
            description="Each task exports the calls of so many days.",
        ),
        "destination": Param(
            None,
            type=["null", "string"],
            title="Destination",
            description="Folder for the files; blank for `calls` in that of the variable retreaver_storage.",
        ),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    RetreaverCallsToObjectStorageOperator.partial(
        task_id="export_week",
        destination=DESTINATION,
        format="jsonl",
        compression="gzip",
        pool="retreaver",
        map_index_template="{{ task.start[:10] }}",
    ).expand_kwargs(weeks())
