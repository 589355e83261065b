"""Mirror the warehouse's do-not-call list to Retreaver every night; a list that shrinks too much is refused.

To allow a large removal once, check it with `{"dry_run": true}` as the run's configuration, then trigger the DAG with
`{"max_removals": "40%"}`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator


@task(trigger_rule="all_done")
def report(result: dict | None) -> str:
    """Summarize the run in one line."""
    if result is None:
        summary = "The do-not-call list was not synchronized: too many removals, or a failure; see the log."
    else:
        summary = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in result.items())
    print(summary)  # noqa: T201 - for the task's log
    return summary


# A blank field of the form means `do-not-call` in the folder that the Airflow variable `retreaver_storage` names. All
# workers must share it; on S3: s3://aws_default@bucket/retreaver, with apache-airflow-providers-amazon[s3fs].
STATE_PATH = (
    "{{ params.state_path or var.value.get('retreaver_storage', 'file:///opt/airflow/retreaver') ~ '/do-not-call' }}"
)

with DAG(
    dag_id="retreaver_nightly_suppression_sync",
    schedule="30 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    # Two runs at the same time would change the same list.
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    params={
        "state_path": Param(
            None,
            type=["null", "string"],
            title="State",
            description="Folder for progress; blank for `do-not-call` in that of the variable retreaver_storage.",
        ),
        "max_removals": Param(
            "5%",
            type="string",
            examples=["1%", "5%", "1000"],
            title="Most removals",
            description="A number, or a share of the list; with more removals nothing is sent.",
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
    sync = RetreaverSuppressionSyncOperator(
        task_id="mirror_do_not_call",
        mode="mirror",
        sql_conn_id="warehouse",
        sql="SELECT phone FROM do_not_call",
        can_resubscribe=False,
        only_ours=True,
        max_removals="{{ params.max_removals }}",
        dry_run="{{ params.dry_run }}",
        state_path=STATE_PATH,
    )
    report(sync.output)
