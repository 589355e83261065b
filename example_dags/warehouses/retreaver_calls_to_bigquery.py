"""Export updated calls to Google Cloud Storage every hour, and merge them into a table of BigQuery.

The statements are those of `RetreaverMergeCallsOperator`; here a job of Google's own operator runs them as one
script. A call that was updated again replaces its former version, and a script that is run twice changes nothing.

Needs `airflow-provider-retreaver[warehouse]`, `apache-airflow-providers-google` and its connection
`google_cloud_default`, with which the bucket is written and the job is run. `make ui` does not list this DAG, since
BigQuery cannot be reached from it; `make test-warehouses` parses it with Google's provider.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator

from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator

BUCKET = "gs://google_cloud_default@my-bucket/retreaver/calls"
TABLE = "my_project.retreaver.calls"
# Of the dataset and the bucket.
LOCATION = "US"


@task.short_circuit
def script(result: dict) -> str:
    """Return the statements that merge the export; the job is skipped where there was nothing to export."""
    from airflow_provider_retreaver.transfers.merge_statements import merge_statements

    return ";\n".join(merge_statements(result["manifest"], engine="bigquery", table=TABLE))


with DAG(
    dag_id="retreaver_calls_to_bigquery",
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    export = RetreaverCallsToObjectStorageOperator(
        task_id="export_updated",
        destination=BUCKET,
        start="2026-01-01T00:00:00Z",
        by="updated_at",
        incremental=True,
        format="parquet",
    )
    merge = BigQueryInsertJobOperator(
        task_id="merge",
        gcp_conn_id="google_cloud_default",
        location=LOCATION,
        configuration={"query": {"query": "{{ ti.xcom_pull('script') }}", "useLegacySql": False}},
    )
    script(export.output) >> merge
