"""Plan what the files in the folder `account` would change, ask a person, and apply just that plan.

The folder is beside this file, in the DAG's bundle. A rejection skips the apply. Without an answer within two days,
or when the account or the files have changed since the plan, the run fails and nothing is sent: clear `plan` to plan
and ask again. Airflow 3.1 and later ask; Airflow 2.11 cannot, so there a plan of more than two objects is refused.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_retreaver.operators.account import RetreaverAccountApplyOperator, RetreaverAccountPlanOperator

ACCOUNT = "{{ dag.fileloc.rpartition('/')[0] }}/account"
# All workers must share it; on S3: s3://aws_default@bucket/retreaver, with apache-airflow-providers-amazon[s3fs].
STORAGE = "{{ var.value.get('retreaver_storage', 'file:///opt/airflow/retreaver') }}/account"
# Who may approve, such as [{"id": "olga", "name": "Olga"}]; None for everybody who may answer for this DAG.
APPROVERS = None


def of_task(task_id: str, *keys: str) -> str:
    """Return a template of a part of a task's result."""
    return f"{{{{ ti.xcom_pull(task_ids='{task_id}'){''.join(f'[{key!r}]' for key in keys)} }}}}"


with DAG(
    dag_id="retreaver_account",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    plan = RetreaverAccountPlanOperator(
        task_id="plan",
        paths=ACCOUNT,
        plan_path=f"{STORAGE}/{{{{ run_id }}}}/plan.json",
        applied_path=f"{STORAGE}/applied.json",
    )
    apply = RetreaverAccountApplyOperator(
        task_id="apply",
        plan_path=of_task("plan", "plan_path"),
        sha256=of_task("plan", "sha256"),
        approved_by=of_task("approve", "responded_by_user", "name") if AIRFLOW_V_3_1_PLUS else None,
        paths=ACCOUNT,
        applied_path=f"{STORAGE}/applied.json",
        state_path=f"{STORAGE}/state",
        max_changes="30%" if AIRFLOW_V_3_1_PLUS else 2,
    )
    if AIRFLOW_V_3_1_PLUS:
        from airflow.providers.standard.operators.hitl import ApprovalOperator

        approve = ApprovalOperator(
            task_id="approve",
            subject=of_task("plan", "summary"),
            body=of_task("plan", "markdown"),
            assigned_users=APPROVERS,
            response_timeout=timedelta(days=2),
            retries=0,
        )
        plan >> approve >> apply
    else:
        plan >> apply
