"""The base class of the event triggers: they poll without an end, and keep what was announced."""

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

from airflow_provider_retreaver.core.errors import Gone, InvalidArgument, NotFound, RetreaverError
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.triggers.loading import TRIGGER_MODULES, import_in_threads

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.objects.names import FoundNames
    from airflow_provider_retreaver.domain.watching.condition import Query

# Airflow reports the end of an event trigger to no one, so it never ends: after an error that is not temporary (a
# refused key, a deleted target) it logs the error, waits this many seconds, and starts over with the connection as it
# is then.
RESTART_WAIT = 300.0
# Parameters by which objects are chosen by name.
NAMES = ("target_names", "target_group_names")


class AssetTrigger(BaseEventTrigger):
    """What all event triggers have: a connection, and the company of the asset that they watch.

    Their parameters are checked when they are created, which is when a DAG is parsed.

    :param retreaver_conn_id: id of the connection.
    :param poll_interval: seconds between polls.
    :param company_id: company of the watched asset; None where it is not known.
    """

    def __init__(self, *, retreaver_conn_id: str, poll_interval: float, company_id: str | int | None = None) -> None:
        from airflow_provider_retreaver.core.parameters import whole
        from airflow_provider_retreaver.core.time_parameters import duration

        super().__init__()  # type: ignore[no-untyped-call]
        self.retreaver_conn_id = retreaver_conn_id
        self.poll_interval = duration(poll_interval, "poll_interval")
        self.company_id = None if company_id is None else whole(company_id, "company_id", 1)

    def watch_company(self, company: int) -> None:
        """Note the company of the watched asset, which is compared with the connection's before the first poll.

        :param company: company ID.
        :raises InvalidArgument: when the trigger watches an asset of another company already.
        """
        if self.company_id not in (None, company):
            raise InvalidArgument(
                f"One event trigger cannot watch assets of company {self.company_id} and of company {company}; "
                f"create one for each asset."
            )
        self.company_id = company

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the class, without those of this base class.

        :return: plain JSON by name.
        """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and every parameter."""
        shared = {
            "retreaver_conn_id": self.retreaver_conn_id,
            "poll_interval": self.poll_interval,
            "company_id": self.company_id,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", shared | self.parameters()


class RetreaverEventTrigger(AssetTrigger):
    """Base of the event triggers that poll Retreaver.

    On Airflow 3.3 the state (what was announced) is stored with the watched asset, so that a restart of the triggerer
    announces nothing twice and misses nothing; so are the IDs of what was found by name, until one of them does not
    exist any more. On 3.1 and 3.2 each start begins without state; every class documents
    the consequences. Events are sent before the state is stored: a crash between the two announces again.

    :param retreaver_conn_id: id of the connection.
    :param poll_interval: seconds between polls; triggers of one connection with the same query share their polls.
    :param company_id: company of the watched asset; None where it is not known.
    """

    @property
    @abstractmethod
    def query(self) -> Query[Any]:
        """What is polled."""

    @abstractmethod
    def detect(self, state: Any, result: Any) -> tuple[Any, dict[str, Any] | None]:
        """Compare a result with the state, and detect what is to be announced.

        :param state: what was kept; plain JSON, None when nothing was.
        :param result: of the query.
        :return: the new state, and the payload of an event or None.
        """

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for everything that is detected, for as long as the asset is watched."""
        await import_in_threads(*TRIGGER_MODULES)
        from airflow_provider_retreaver.domain.watching.poll_interval import PollInterval
        from airflow_provider_retreaver.triggers.polls import join_poll

        self._state = await self._load(self._state_key)
        by_name = self.query.by_name
        self._names: FoundNames = (await self._load(self._names_key) if by_name else None) or {}
        interval = PollInterval(self.poll_interval)
        while True:
            try:
                query = self.query.with_found({"names": self._names})
                async with join_poll(self.retreaver_conn_id, query) as poll:
                    if self.company_id is not None:
                        poll.settings.require_company(self.company_id, "The watched asset")
                    wait = 0.0
                    while True:
                        outcome = await poll.result(within=wait)
                        if outcome.error is not None:
                            self._log_or_raise(outcome.error)
                        else:
                            await self._keep_names(poll.names)
                            async for event in self._events(outcome.value):
                                yield event
                        wait = interval.next_wait()
            except (RetreaverError, AirflowException) as error:
                if isinstance(error, (NotFound, Gone)) and self._names:
                    # One of the objects was deleted: names are looked up again.
                    await self._keep_names({})
                self.log.error("%s Polling stops for %.0f s, then it starts again.", error, RESTART_WAIT)  # noqa: TRY400
            await asyncio.sleep(RESTART_WAIT)

    async def _events(self, result: Any) -> AsyncIterator[TriggerEvent]:
        state, payload = self.detect(self._state, result)
        if payload is not None:
            payload = without_secrets(payload)
            self.log.info("Sending an event with payload %s", one_line(payload, numbers=False))
            yield TriggerEvent(payload)
        if state != self._state:
            await self._save(self._state_key, state)
            self._state = state

    def _log_or_raise(self, error: RetreaverError) -> None:
        from airflow_provider_retreaver.domain.watching.failure_budget import is_temporary

        if not is_temporary(error):
            raise error
        self.log.warning("%s The trigger keeps polling.", error)

    @property
    def _state_key(self) -> str:
        """The key of this trigger's state: an asset may have several watchers."""
        # Whether unknown objects are allowed does not change what is watched; keys of older versions have no names.
        unused = {"allow_unknown"} | {
            name for name, value in self.parameters().items() if name in NAMES and not value
        }
        watched = {name: value for name, value in self.parameters().items() if name not in unused}
        text = json.dumps([type(self).__name__, watched], sort_keys=True)
        return f"retreaver_{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    @property
    def _names_key(self) -> str:
        """The key of what this trigger has found by name."""
        return f"{self._state_key}_names"

    async def _keep_names(self, names: FoundNames | None) -> None:
        """Keep what was found by name: another object that gets the name is not watched after a restart."""
        if names is not None and names != self._names:
            await self._save(self._names_key, names)
            self._names = names

    async def _load(self, key: str) -> Any:
        store = getattr(self, "asset_state_store", None)
        if store is None:
            return None
        try:
            return await store.aget(key)
        except ValueError as error:
            # Two assets share this trigger, so there is no one store for its state.
            self.log.warning("The trigger's state is lost when the triggerer restarts: %s", error)
            self.asset_state_store = None
            return None

    async def _save(self, key: str, state: Any) -> None:
        store = getattr(self, "asset_state_store", None)
        if store is not None:
            await store.aset(key, state)
