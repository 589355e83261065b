"""Send an alert if a campaign gets no call within half an hour in its working hours.

The sensor waits from half past nine to five. If there are always calls, it and the alarm are skipped at the end of
the day. A run that starts at another time, for example when the DAG is unpaused at night, sends no alert. The first
task fails if there is no such campaign: with `soft_fail` the sensor's own error would be a skip.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_retreaver.operators.resources import RetreaverGetOperator
from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor

# HH:MM, from 00:00 to 24:00.
TIME = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"


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
        "cid": Param(
            "0001", type="string", minLength=1, title="Campaign", description="Your own ID of the campaign."
        ),
        "window": Param(
            "30m",
            type="string",
            examples=["15m", "30m", "1h", "2h"],
            title="Window",
            description="How long no call may come.",
        ),
        "time_zone": Param(
            "America/New_York", type="string", title="Time zone", description="Of the hours, by its IANA name."
        ),
        "weekdays": Param(
            [1, 2, 3, 4, 5],
            type="array",
            items={"type": "integer", "minimum": 1, "maximum": 7},
            title="Working days",
            description="1 is Monday, 7 is Sunday.",
        ),
        "from": Param("09:30", type="string", pattern=TIME, title="From", description="When the hours begin, HH:MM."),
        "until": Param("17:00", type="string", pattern=TIME, title="Until", description="When the hours end, HH:MM."),
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
