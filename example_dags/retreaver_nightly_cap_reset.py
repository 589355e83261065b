"""Reset full hard caps every night at the business's own midnight, and say what was done."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator


@task
def report(result: dict | None) -> str:
    """Say in one line what the night's run did."""
    if result is None:
        return "No caps were reset: the run was skipped or failed before it began, see its log."
    names = ", ".join(row["name"] or f"target {row['id']}" for row in result["reset"]) or "nobody"
    summary = f"Reset {len(result['reset'])} hard caps ({names}); {len(result['failed'])} failed."
    print(summary)  # noqa: T201 - the task's log is where this report belongs
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
    # A teardown runs whatever became of the reset, and its success does not hide a failure of the reset.
    report(reset.output).as_teardown()
