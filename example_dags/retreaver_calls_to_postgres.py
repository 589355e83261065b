"""Load the calls that were created or updated during the day into a warehouse table every night.

Conversions, revenue and payout are often final only hours after a call, so the window is by `updated_at`. Rows are
upserted by the call's uuid and the newest version is kept: a repeated run, a retry and the hours that `lookback`
reads again result in the same table.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.transfers.calls import RetreaverCallsToSqlOperator

with DAG(
    dag_id="retreaver_calls_to_postgres",
    schedule="30 0 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    RetreaverCallsToSqlOperator(
        task_id="load_calls",
        sql_conn_id="warehouse",
        table="retreaver_calls",
        by="updated_at",
        lookback="2h",
    )
