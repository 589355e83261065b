"""The event trigger for webhooks, for `AssetWatcher` (Airflow 3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException
from airflow.triggers.base import TriggerEvent

from airflow_provider_retreaver.core.errors import InvalidConnection, RetreaverError, StorageFailed
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.triggers.event_base import RESTART_WAIT, AssetTrigger
from airflow_provider_retreaver.triggers.loading import import_in_threads

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.webhook_settings import TriggerName
    from airflow_provider_retreaver.webhooks.announcing import Announcer

_MODULES = (
    "airflow.providers.common.compat.connection",
    "airflow_provider_retreaver.domain.watching.poll_interval",
    "airflow_provider_retreaver.hooks.retreaver",
    "airflow_provider_retreaver.core.settings",
    "airflow_provider_retreaver.transport.in_thread",
    "airflow_provider_retreaver.webhooks.announcing",
)


class RetreaverWebhookEventTrigger(AssetTrigger):
    """Make batches of the webhooks that the api-server has kept, and send an event for them.

    The payload is `{"company", "trigger", "batches": [<number>, …]}`; several events may start one run, and
    `RetreaverWebhookBatchOperator` reads the webhooks of all of them. Each webhook gets into one batch:
    one that was sent again within `window` (the same call and `webhook_event`) is left out. A batch that no run has
    claimed is announced again, at the start of the trigger and every ten minutes, since an event is lost when the
    triggerer is killed before it is stored; a run that finds all of its batches claimed is skipped.

    :param trigger: of the webhooks: `start`, `selected`, `timer`, `postback` or `always`.
    :param window: webhooks of the same call and event within this time are one: seconds, a text such as `6h`, or a
        timedelta.
    :param max_webhooks: webhooks in a batch at most, besides those that were written together with the last one.
    :param keep: how long batches and claims are kept, like `window`; not less than it.
    :param retreaver_conn_id: id of the connection, which has the extra `webhook_spool`.
    :param poll_interval: seconds between looks into the folder, and so between batches.
    :param company_id: company of the watched asset, which `retreaver_asset` fills in: a connection of another company
        is refused.
    :raises InvalidArgument: when the DAG is parsed, naming the parameter that is not valid.
    """

    def __init__(
        self,
        *,
        trigger: TriggerName,
        window: str | float | timedelta = "1d",
        max_webhooks: int = 1_000,
        keep: str | float | timedelta = "7d",
        retreaver_conn_id: str = "retreaver_default",
        poll_interval: float = 10.0,
        company_id: str | int | None = None,
    ) -> None:
        from airflow_provider_retreaver.core.errors import InvalidArgument
        from airflow_provider_retreaver.core.parameters import one_of, whole
        from airflow_provider_retreaver.core.time_parameters import duration
        from airflow_provider_retreaver.core.webhook_settings import TRIGGERS

        super().__init__(retreaver_conn_id=retreaver_conn_id, poll_interval=poll_interval, company_id=company_id)
        self.trigger = one_of(trigger, TRIGGERS, "trigger")
        self.window = duration(window, "window")
        self.max_webhooks = whole(max_webhooks, "max_webhooks", 1)
        self.keep = duration(keep, "keep")
        if self.keep < self.window:
            raise InvalidArgument(
                f"keep is {self.keep:g} s and window {self.window:g} s: batches have to be kept for the window at "
                f"least, since they tell which webhooks were sent again."
            )

    def parameters(self) -> dict[str, Any]:
        """Return the parameters."""
        return {
            "trigger": self.trigger,
            "window": self.window,
            "max_webhooks": self.max_webhooks,
            "keep": self.keep,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for new batches, for as long as the asset is watched."""
        await import_in_threads(*_MODULES)
        from airflow_provider_retreaver.domain.watching.poll_interval import PollInterval
        from airflow_provider_retreaver.transport.in_thread import in_thread

        interval = PollInterval(self.poll_interval)
        while True:
            try:
                announcer = await self._announcer()
                while True:
                    try:
                        payloads = await in_thread(announcer.payloads)
                    except StorageFailed as error:
                        self.log.warning("%s The trigger looks again.", error)
                        payloads = []
                    for payload in payloads:
                        self.log.info("Sending an event with payload %s", payload)
                        yield TriggerEvent(payload)
                    await asyncio.sleep(interval.next_wait())
            except (RetreaverError, AirflowException) as error:
                self.log.error("%s The trigger stops for %.0f s, then it starts again.", error, RESTART_WAIT)  # noqa: TRY400
            await asyncio.sleep(RESTART_WAIT)

    async def _announcer(self) -> Announcer:
        from airflow_provider_retreaver.hooks.retreaver import RetreaverAsyncHook
        from airflow_provider_retreaver.transport.in_thread import in_thread
        from airflow_provider_retreaver.webhooks.announcing import Announcer

        settings = await RetreaverAsyncHook(self.retreaver_conn_id).settings()
        if self.company_id is not None:
            settings.require_company(self.company_id, "The watched asset")
        webhooks = settings.webhooks
        if webhooks is None:
            raise InvalidConnection(
                f"Connection {quoted(self.retreaver_conn_id)} has no extra 'webhook_token', so no webhooks are "
                f"accepted for it; fill it in, and webhook_spool."
            )
        return await in_thread(
            lambda: Announcer.of(
                webhooks,
                self.trigger,
                window=timedelta(seconds=self.window),
                keep=timedelta(seconds=self.keep),
                most=self.max_webhooks,
            )
        )
