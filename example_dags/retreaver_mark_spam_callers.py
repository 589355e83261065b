"""Mark the calls of spam callers within a minute, by the webhooks that Retreaver sends at their end (Airflow 3).

The api-server keeps the webhooks, the triggerer makes a batch of them every ten seconds, and its event starts a run.
A call that was short, by a caller who has called several times within the hour, gets the tag `spam`, by which
campaigns and buyers can filter. The URL of the webhook needs
`call_uuid=[call_uuid]&caller_number=[caller_number]&duration=[duration]`. A run that is triggered by hand takes the
webhooks that no run has taken, and is skipped when there are none.

The connection `retreaver_default` needs the extras `webhook_token` and `webhook_spool`, and the api-server the
setting `[retreaver] webhooks`; `retreaver_writing` needs the extra `postback_key`, a postback key of type "Call Data
Writing".
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pendulum
from airflow.sdk import DAG, AssetWatcher, Param, task

from airflow_provider_retreaver.assets import retreaver_asset
from airflow_provider_retreaver.operators.calls import RetreaverWriteCallDataOperator
from airflow_provider_retreaver.operators.webhooks import RetreaverWebhookBatchOperator
from airflow_provider_retreaver.triggers.webhooks import RetreaverWebhookEventTrigger

# The company of the connection, which is compared: 1 is that of the sandbox.
COMPANY = 1

ended_calls = retreaver_asset(
    COMPANY,
    "webhooks/always",
    watchers=[AssetWatcher(name="ended_calls", trigger=RetreaverWebhookEventTrigger(trigger="always"))],
)


@task.short_circuit
def find_spam(batch: dict, params: dict) -> list[dict[str, str]]:
    """Return the short calls of callers who have called often; none ends the run here."""
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.resources.calls import list_calls
    from airflow_provider_retreaver.webhooks.reading import read_webhooks

    short = [
        (webhook["call_uuid"], webhook["fields"]["caller_number"])
        for webhook in read_webhooks(batch)
        if webhook["fields"].get("caller_number")
        and int(webhook["fields"].get("duration") or 0) < params["shorter_than"]
    ]
    since = datetime.now(UTC) - timedelta(hours=1)
    with RetreaverHook() as hook:
        counts = Counter(
            {caller: hook.count(list_calls(caller=caller, created_at_start=since)) for _, caller in set(short)}
        )
    return [{"call_uuid": uuid, "spam": "yes"} for uuid, caller in short if counts[caller] >= params["calls"]]


with DAG(
    dag_id="retreaver_mark_spam_callers",
    schedule=[ended_calls],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "shorter_than": Param(
            10, type="integer", minimum=1, title="Shorter than", description="Seconds of a call that may be spam."
        ),
        "calls": Param(
            3, type="integer", minimum=2, title="Calls", description="Calls of a caller within an hour that are spam."
        ),
    },
    default_args={"retries": 3, "retry_delay": timedelta(seconds=20)},
    doc_md=__doc__,
    tags=["retreaver"],
):
    taken = RetreaverWebhookBatchOperator(task_id="take_webhooks", trigger="always", inlets=[ended_calls])
    RetreaverWriteCallDataOperator(
        task_id="mark",
        retreaver_conn_id="retreaver_writing",
        rows=find_spam(taken.output),
        columns=["spam"],
        max_rows=None,
    )
