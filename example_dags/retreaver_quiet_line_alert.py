"""Send an alert if a campaign gets no call within half an hour on a working day.

The sensor waits from nine to five. If there are always calls, both tasks are skipped at the end of the day.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor


@task
def alarm(calls: int, params: dict | None = None) -> str:
    """Report that there are no calls; replace the print by a pager or a chat message."""
    message = f"Campaign {params['cid']} had {calls} calls in the last {params['window']}."
    print(message)  # noqa: T201 - for the task's log
    return message


with DAG(
    dag_id="retreaver_quiet_line_alert",
    schedule="30 9 * * 1-5",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    params={"cid": "roofing", "window": "30m"},
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    quiet = RetreaverCallVolumeSensor(
        task_id="quiet",
        window="{{ params.window }}",
        at_most=0,
        filters={"client_cid": "{{ params.cid }}"},
        deferrable=True,
        poke_interval=timedelta(minutes=1),
        timeout=timedelta(hours=7, minutes=30),
        soft_fail=True,
    )
    alarm(quiet.output)
