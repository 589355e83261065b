"""What the event triggers share: looking for ever, whatever the weather, and remembering what was announced."""

from __future__ import annotations

import asyncio
import hashlib
import json
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException
from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.triggers.loading import EVERY_RUN, loaded

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.watching.condition import Question

# Nobody is told when an event trigger ends, so it does not: after an error that waiting does not mend (a refused key,
# a target that is gone) it says so in the log, waits, and starts over with the connection as it is then.
AFTER_AN_ERROR = 300.0


class RetreaverEventTrigger(BaseEventTrigger):
    """Base of the event triggers; their parameters are checked when they are made, which is when a DAG is parsed.

    On Airflow 3.3 what was announced is kept in the state store of the watched asset, so that a restart of the
    triggerer announces nothing twice and misses nothing. On 3.1 and 3.2 each start begins without a memory; every
    class says what follows. Events are sent before they are noted: a crash between the two announces again.

    :param retreaver_conn_id: the connection.
    :param poll_interval: seconds between looks; triggers of one connection that ask the same share their looks.
    """

    def __init__(self, *, retreaver_conn_id: str, poll_interval: float) -> None:
        from airflow_provider_retreaver.core.time_parameters import duration

        super().__init__()  # type: ignore[no-untyped-call]
        self.retreaver_conn_id = retreaver_conn_id
        self.poll_interval = duration(poll_interval, "poll_interval")

    @property
    @abstractmethod
    def question(self) -> Question:
        """What is looked at."""

    @abstractmethod
    def react(self, kept: Any, found: Any) -> tuple[Any, dict[str, Any] | None]:
        """Return what is to be remembered from now on, and an event's payload when something has happened.

        :param kept: what was remembered, None when nothing is.
        :param found: what the question found.
        """

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the class, plain JSON."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and every parameter."""
        own = {"retreaver_conn_id": self.retreaver_conn_id, "poll_interval": self.poll_interval}
        return f"{type(self).__module__}.{type(self).__qualname__}", own | self.parameters()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for everything that happens, for as long as the asset is watched."""
        await loaded(*EVERY_RUN)
        from airflow_provider_retreaver.domain.watching.poll_interval import Cadence
        from airflow_provider_retreaver.triggers.polls import joined

        self._kept = await self._load()
        cadence = Cadence(self.poll_interval)
        while True:
            try:
                async with joined(self.retreaver_conn_id, self.question) as poll:
                    wait = 0.0
                    while True:
                        outcome = await poll.answer(within=wait)
                        if outcome.error is not None:
                            self._endure(outcome.error)
                        else:
                            async for event in self._events(outcome.value):
                                yield event
                        wait = cadence.next()
            except (RetreaverError, AirflowException) as error:
                self.log.error("%s Nothing is watched for %.0f s, then it is tried again.", error, AFTER_AN_ERROR)  # noqa: TRY400
            await asyncio.sleep(AFTER_AN_ERROR)

    async def _events(self, found: Any) -> AsyncIterator[TriggerEvent]:
        kept, payload = self.react(self._kept, found)
        if payload is not None:
            self.log.info("Announcing %s", payload)
            yield TriggerEvent(payload)
        if kept != self._kept:
            await self._save(kept)
            self._kept = kept

    def _endure(self, error: RetreaverError) -> None:
        from airflow_provider_retreaver.domain.watching.failure_budget import may_pass

        if not may_pass(error):
            raise error
        self.log.warning("%s The watch goes on.", error)

    @property
    def _name(self) -> str:
        """The key of this trigger's memory: an asset may have several watchers."""
        text = json.dumps([type(self).__name__, self.parameters()], sort_keys=True)
        return f"retreaver_{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    async def _load(self) -> Any:
        store = getattr(self, "asset_state_store", None)
        if store is None:
            return None
        try:
            return await store.aget(self._name)
        except ValueError as error:
            # Two assets share this trigger, so there is no one place for its memory.
            self.log.warning("Nothing is remembered over restarts: %s", error)
            self.asset_state_store = None
            return None

    async def _save(self, kept: Any) -> None:
        store = getattr(self, "asset_state_store", None)
        if store is not None:
            await store.aset(self._name, kept)
