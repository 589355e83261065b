"""Export calls soon after they were made or updated: whenever there are new ones, they start this DAG (Airflow 3).

A watcher in the triggerer asks for the newest call once a minute and tells the window in which new ones are found.
Airflow joins events that come while a run is busy: the next run then exports one window that covers them all. Windows
overlap, so take the row with the newest `updated_at` of each `uuid`. What is downstream is scheduled on the asset
`exported`, whose events tell the manifest, the window and the counts. A run that is started by hand exports what was
updated in the 24 hours before it.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Asset, AssetWatcher

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
    params={"destination": "s3://aws_default@warehouse/retreaver/calls"},
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
