"""Reset full hard caps every night at midnight in the business's time zone, and report the result."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator


@task
def report(result: dict | None) -> str:
    """Summarize the run in one line."""
    if result is None:
        return "No caps were reset: the run was skipped or failed before it started, see its log."
    names = ", ".join(row["name"] or f"target {row['id']}" for row in result["reset"]) or "none"
    summary = f"Reset {len(result['reset'])} hard caps ({names}); {len(result['failed'])} failed."
    print(summary)  # noqa: T201 - for the task's log
    return summary


with DAG(
    dag_id="retreaver_nightly_cap_reset",
    schedule="0 0 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    reset = RetreaverResetCapOperator(task_id="reset_full_caps", only_filled=True)
    # A teardown also runs after a failed reset, and the run is then still a failed one.
    report(reset.output).as_teardown()
