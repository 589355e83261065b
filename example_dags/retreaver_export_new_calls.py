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

calls = retreaver_asset(
    12345, "calls", watchers=[AssetWatcher(name="new_calls", trigger=RetreaverNewCallsEventTrigger())]
)
exported = Asset("retreaver_calls", uri="s3://warehouse/retreaver/calls")

with DAG(
    dag_id="retreaver_export_new_calls",
    schedule=[calls],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={
        "destination": Param(
            "s3://aws_default@warehouse/retreaver/calls",
            type="string",
            minLength=1,
            title="Destination",
            description="Folder for the files, on any storage that Airflow has a provider for.",
        ),
    },
    user_defined_macros={"window_of": window_of_events},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    RetreaverCallsToObjectStorageOperator(
        task_id="export_new",
        destination="{{ params.destination }}",
        start="{{ window_of(triggering_asset_events).start }}",
        end="{{ window_of(triggering_asset_events).end }}",
        by="updated_at",
        compression="gzip",
        inlets=[calls],
        outlets=[exported],
    )
