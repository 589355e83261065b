"""A project that uses the package: `make check-wheel` checks its types by mypy and pyright, both strict.

It is held against the installed wheel and never run. Each line that a checker must refuse says so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_type

from airflow.sdk import DAG

from airflow_provider_retreaver import RetreaverAsyncHook, RetreaverHook
from airflow_provider_retreaver.core.errors import NotFound, RetreaverError
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator, RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.resources import RetreaverGetOperator
from airflow_provider_retreaver.operators.targets import RetreaverSetPausedOperator
from airflow_provider_retreaver.resources.targets import Target, get_target, list_targets
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator

with DAG("nightly", schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    filled = RetreaverCapFilledSensor(task_id="filled", target_id=[1, 2], cap="daily", at_least=0.9, deferrable=True)
    reset = RetreaverResetCapOperator(task_id="reset", only_filled=True, max_staleness=timedelta(hours=6))
    caps = RetreaverSetCapsOperator(task_id="caps", target_ids=[1], daily="+10%", dry_run=True)
    paused = RetreaverSetPausedOperator(task_id="paused", target_ids="{{ params.targets }}", paused=True)
    one = RetreaverGetOperator(task_id="one", resource="targets", resource_id=1)
    export = RetreaverCallsToObjectStorageOperator(
        task_id="export", destination="s3://storage@bucket/calls", start="{{ ds }}", format="parquet"
    )

refused = RetreaverCallsToObjectStorageOperator(task_id="xml", destination="file:///tmp", format="xml")  # type: ignore[arg-type]
stale = RetreaverResetCapOperator(task_id="stale", max_staleness="6h")  # type: ignore[arg-type]


def names() -> list[str]:
    """Read with the hook."""
    hook = RetreaverHook(retreaver_conn_id="retreaver_default")
    try:
        assert_type(hook.run(get_target(id=1)), Target)
    except NotFound as error:
        print(error.status)
    except RetreaverError:
        raise
    return [str(row["name"]) for row in hook.iterate(list_targets())]


async def count() -> int:
    """Read in a coroutine."""
    hook = RetreaverAsyncHook()
    return len([row async for row in hook.iterate(list_targets())])
