"""Write the CRM's sales of the day onto Retreaver's calls, and say which ones never showed.

The connection `retreaver_writing` needs the extra `postback_key`, a postback key of type "Call Data Writing"; `crm`
is any SQL database with a table `sales` (call_uuid, caller_number, amount, outcome, sold_on).
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_retreaver.operators.calls import RetreaverWriteCallDataOperator


@task(trigger_rule="all_done")
def report(result: dict | None) -> str:
    """Summarize the run in one line."""
    if result is None:
        summary = "No sales were written; see the log."
    else:
        names = ("applied", "stored", "failed", "rejected", "missing")
        summary = ", ".join(f"{name} {result[name]}" for name in names if name in result)
    print(summary)  # noqa: T201 - for the task's log
    return summary


# A blank field of the form means `conversions` in the folder that the Airflow variable `retreaver_storage` names. All
# workers must share it; on S3: s3://aws_default@bucket/retreaver, with apache-airflow-providers-amazon[s3fs].
STATE_PATH = (
    "{{ params.state_path or var.value.get('retreaver_storage', 'file:///opt/airflow/retreaver') ~ '/conversions' }}"
)

with DAG(
    dag_id="retreaver_conversions_back",
    schedule="0 3 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    params={
        "day": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Day",
            description="Of the sales; the day before the run when it is blank.",
        ),
        "state_path": Param(
            None,
            type=["null", "string"],
            title="State",
            description="Folder for progress; blank for `conversions` in that of the variable retreaver_storage.",
        ),
        "verify_after": Param(
            None,
            type=["null", "string"],
            examples=["10m", "30m", "2h"],
            title="Read back after",
            description="How long after writing the tags are read back; when it is blank, as long as the variable "
            "retreaver_verify_after says, or 30 minutes.",
        ),
        "dry_run": Param(
            default=False,
            type="boolean",
            title="Dry run",
            description="Only log what would be done; nothing is sent.",
        ),
    },
    doc_md=__doc__,
    tags=["retreaver"],
):
    conversions = RetreaverWriteCallDataOperator(
        task_id="conversions_back",
        retreaver_conn_id="retreaver_writing",
        sql_conn_id="crm",
        # By default the day before the run, in the DAG's time zone; `{"day": "2026-11-20"}` writes another one.
        sql="""
            SELECT call_uuid, caller_number, amount, outcome FROM sales
            WHERE sold_on = '{{ params.day or ((data_interval_end | default(dag_run.run_after, true))
                .astimezone(dag.timezone) - macros.timedelta(days=1)).strftime("%Y-%m-%d") }}'
        """,
        columns={"amount": "sale_amount", "outcome": "sale_outcome"},
        tags={"sale_source": "crm"},
        verify_after="{{ params.verify_after or var.value.get('retreaver_verify_after', '30m') }}",
        dry_run="{{ params.dry_run }}",
        state_path=STATE_PATH,
    )
    report(conversions.output)
