"""Export calls soon after they were created or updated: new calls trigger this DAG (Airflow 3).

A watcher in the triggerer requests the newest call once a minute, and its event has the window of the new calls.
Airflow combines events that occur during a run: the next run exports one window that covers all of them. Windows
overlap, so use the row with the newest `updated_at` of each `uuid`. Downstream DAGs are scheduled on the asset
`exported`, whose events have the manifest, the window and the counts. A run that is triggered by hand exports the
calls that were updated in the 24 hours before it.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Asset, AssetWatcher, Param

from airflow_provider_retreaver.assets import retreaver_asset, window_of_events
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator
from airflow_provider_retreaver.triggers.calls import RetreaverNewCallsEventTrigger

# The company of the connection, which is compared: 1 is that of the sandbox.
COMPANY = 1

calls = retreaver_asset(
    COMPANY, "calls", watchers=[AssetWatcher(name="new_calls", trigger=RetreaverNewCallsEventTrigger())]
)
exported = Asset("retreaver_calls")

# A blank field of the form means `calls` in the folder that the Airflow variable `retreaver_storage` names. All
# workers must share it; on S3: s3://aws_default@bucket/retreaver, with apache-airflow-providers-amazon[s3fs].
DESTINATION = (
    "{{ params.destination or var.value.get('retreaver_storage', 'file:///opt/airflow/retreaver') ~ '/calls' }}"
)

with DAG(
    dag_id="retreaver_export_new_calls",
    schedule=[calls],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={
        "destination": Param(
            None,
            type=["null", "string"],
            title="Destination",
            description="Folder for the files; blank for `calls` in that of the variable retreaver_storage.",
        ),
    },
    user_defined_macros={"window_of": window_of_events},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    RetreaverCallsToObjectStorageOperator(
        task_id="export_new",
        destination=DESTINATION,
        start="{{ window_of(triggering_asset_events).start }}",
        end="{{ window_of(triggering_asset_events).end }}",
        by="updated_at",
        compression="gzip",
        inlets=[calls],
        outlets=[exported],
    )
