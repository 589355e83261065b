"""Set the business hours of buyers every Monday morning, also if they were changed by hand during the week."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.targets import RetreaverUpdateBusinessHoursOperator

# Buyers by their names, as written at Retreaver. Hours are in each buyer's time zone.
OFFICE = ["Boston Roofing 1", "Atlanta Legal 2"]
NIGHT_SHIFT = ["Chicago Solar 3"]

with DAG(
    dag_id="retreaver_business_hours",
    schedule="0 5 * * 1",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    RetreaverUpdateBusinessHoursOperator(
        task_id="office",
        target_names=OFFICE,
        hours={"mon-fri": "09:00-17:30", "sat": "10:00-14:00", "sun": "closed"},
    )
    # Open from the evening of each working day until the next morning, including Saturday morning.
    RetreaverUpdateBusinessHoursOperator(
        task_id="night_shift",
        target_names=NIGHT_SHIFT,
        hours={"mon-fri": "22:00-06:00", "sat-sun": "closed"},
    )
