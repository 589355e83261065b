"""Export updated calls to S3 every hour, and merge them into a table of Snowflake.

The statements are those of `RetreaverMergeCallsOperator`; here the operator of Snowflake's own provider runs them in
one session. A call that was updated again replaces its former version, and statements that are run twice change
nothing.

Needs `airflow-provider-retreaver[warehouse]`, `apache-airflow-providers-amazon[s3fs]`,
`apache-airflow-providers-snowflake` and its connection `snowflake_default`, and an external stage over the bucket's
folder (`CREATE STAGE retreaver_calls URL = 's3://my-bucket/retreaver/calls/' …`). `make ui` does not list this DAG,
since Snowflake cannot be reached from it; `make test-warehouses` parses it with Snowflake's provider.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.snowflake.operators.snowflake import SnowflakeSqlApiOperator

from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator

BUCKET = "s3://aws_default@my-bucket/retreaver/calls"
# The bucket's folder as Snowflake sees it.
STAGE = "@retreaver_calls"
TABLE = "analytics.retreaver.calls"


@task.short_circuit
def statements(result: dict) -> str:
    """Return the statements that merge the export; their task is skipped where there was nothing to export."""
    from airflow_provider_retreaver.transfers.merge_statements import merge_statements

    return ";\n".join(merge_statements(result["manifest"], engine="snowflake", table=TABLE, location=STAGE))


with DAG(
    dag_id="retreaver_calls_to_snowflake",
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
    merge = SnowflakeSqlApiOperator(
        task_id="merge",
        snowflake_conn_id="snowflake_default",
        sql="{{ ti.xcom_pull('statements') }}",
        # As many as there are.
        statement_count=0,
    )
    statements(export.output) >> merge
