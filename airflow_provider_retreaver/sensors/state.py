"""What a sensor keeps between two polls."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.time_parameters import instant
from airflow_provider_retreaver.storage.run_state import RunState

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.errors import RetreaverError
    from airflow_provider_retreaver.domain.watching.condition import Query, QueryState
    from airflow_provider_retreaver.domain.watching.failure_budget import FailureBudget

# More calls than this are not stored: the next poll reads the whole window again.
MAX_STORED_CALLS = 1_000


class SensorState:
    """The state of the sensor's query, and since when polls have failed.

    In poke mode the state lives as long as the sensor's process. A rescheduled sensor is a new process for every
    poll: its state is stored in Airflow's task state store (3.3 and later), or in a file below `state_path`. With
    neither, every poll starts without state: it reads the whole window where Retreaver cannot filter, and only
    `timeout` limits failures.

    :param context: the task's context.
    :param query: of the sensor; stored state of another query, or of another attempt, is not used.
    :param persistent: store the state beyond this process.
    :param state_path: folder on object storage, None for Airflow's own store.
    """

    def __init__(
        self, context: Context, query: Query[Any], *, persistent: bool, state_path: str | None = None
    ) -> None:
        self._query = repr(query)
        self._owner = {"query": self._query, "attempt": getattr(context.get("ti"), "try_number", None)}
        self._store = RunState(context, "sensor", state_path) if persistent else None
        self.query_state: QueryState = {}
        self.failing_since: datetime | None = None
        stored: dict[str, Any] = (self._store.load() if self._store else None) or {}
        if stored.get("owner") == self._owner:
            self.query_state = stored["query_state"]
            since = stored["failures"].get("since")
            self.failing_since = None if since is None else instant(since, "The stored time of the first failure")

    def belongs_to(self, query: Query[Any]) -> bool:
        """Return whether this is the state of a query.

        :param query: the query.
        :return: False when the sensor's parameters have changed since.
        """
        return self._query == repr(query)

    def record_success(self) -> None:
        """Note and store a successful poll."""
        self.failing_since = None
        self._save()

    def record_failure(self, budget: FailureBudget, error: RetreaverError, now: datetime) -> None:
        """Note and store a failed poll, and raise its error when the wait must end.

        :param budget: decides whether the wait must end; the next attempt then starts with a new budget.
        :param error: of the poll.
        :param now: this machine's time, aware.
        :raises RetreaverError: when the failure is not temporary, or the budget is spent.
        """
        self.failing_since = None
        try:
            budget.record_failure(error, now)
            self.failing_since = budget.failing_since
        finally:
            self._save()

    def _save(self) -> None:
        if self._store is None:
            return
        query_state = self.query_state.copy()
        if len(query_state.get("calls") or ()) > MAX_STORED_CALLS:
            query_state.pop("calls", None)
            query_state.pop("newest", None)
        since = None if self.failing_since is None else self.failing_since.isoformat()
        self._store.save({"owner": self._owner, "query_state": query_state, "failures": {"since": since}})
