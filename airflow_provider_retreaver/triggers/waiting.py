"""The trigger of an operator that continues later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_retreaver.core.time_parameters import instant


class RetreaverWaitTrigger(BaseTrigger):
    """Waits until a time, then sends the event `{"status": "due"}`.

    Airflow's database stores the parameter under its name, so this must not change.

    :param until: the time, RFC 3339; a restart of the triggerer does not move it.
    """

    def __init__(self, *, until: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the parameter."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the one event."""
        left = (instant(self.until, "The end of the wait") - datetime.now(UTC)).total_seconds()
        await asyncio.sleep(max(0.0, left))
        yield TriggerEvent({"status": "due"})
