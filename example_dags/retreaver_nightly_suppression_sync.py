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


with DAG(
    dag_id="retreaver_nightly_suppression_sync",
    schedule="30 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    # Two runs at the same time would change the same list.
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    # If workers do not share a disk, use for example s3://connection@bucket/retreaver/do-not-call.
    params={
        "state_path": Param(
            "file:///tmp/retreaver/do-not-call",
            type="string",
            minLength=1,
            title="State",
            description="Folder where the task keeps what it has done, on a disk or storage that all workers share.",
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
        state_path="{{ params.state_path }}",
    )
    report(sync.output)
