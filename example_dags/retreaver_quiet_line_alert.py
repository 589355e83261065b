"""Send an alert if a campaign gets no call within half an hour in its working hours.

The sensor waits from half past nine to five. If there are always calls, it and the alarm are skipped at the end of
the day. A run that starts at another time, for example when the DAG is unpaused at night, sends no alert. The first
task fails if there is no such campaign: with `soft_fail` the sensor's own error would be a skip.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.resources import RetreaverGetOperator
from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor


@task.short_circuit
def in_working_hours(params: dict | None = None) -> bool:
    """Return whether it is now a time at which calls are expected; the window then lies in the hours too."""
    now = pendulum.now(params["time_zone"])
    return now.isoweekday() in params["weekdays"] and params["from"] <= now.format("HH:mm") < params["until"]


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
    params={
        "cid": "0001",
        "window": "30m",
        "time_zone": "America/New_York",
        "weekdays": [1, 2, 3, 4, 5],
        "from": "09:30",
        "until": "17:00",
    },
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    campaign = RetreaverGetOperator(task_id="campaign", resource="campaigns", customer_id="{{ params.cid }}")
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
    campaign >> quiet >> in_working_hours() >> alarm(quiet.output)
