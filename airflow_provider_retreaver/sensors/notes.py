"""What a sensor keeps between two looks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.storage.run_state import RunState

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.errors import RetreaverError
    from airflow_provider_retreaver.domain.watching.condition import Memory, Question
    from airflow_provider_retreaver.domain.watching.failure_budget import FailureBudget

# More calls than this are not written down: the next look reads the window again.
MOST_CALLS = 1_000


class Notes:
    """The question's memory, and since when looks have failed.

    In poke mode they live as long as the sensor's process. A rescheduled sensor is a new process for every look: its
    notes are kept in Airflow's task state store (3.3 and later), or in a file below `state_path`. With neither it
    starts afresh with every look, which reads the whole window where the vendor cannot filter, and leaves
    `failure_budget` to `timeout`.

    :param context: the task's context.
    :param question: notes that belong to another question, or to another attempt, are not used.
    :param lasting: keep them beyond this process.
    :param state_path: folder on object storage, None for Airflow's own store.
    """

    def __init__(self, context: Context, question: Question, *, lasting: bool, state_path: str | None = None) -> None:
        self._question = repr(question)
        self._owner = {"asked": self._question, "attempt": getattr(context.get("ti"), "try_number", None)}
        self._store = RunState(context, "sensor", state_path) if lasting else None
        self.memory: Memory = {}
        self.failing_since: datetime | None = None
        kept: dict[str, Any] = (self._store.load() if self._store else None) or {}
        if kept.get("question") == self._owner:
            self.memory = kept["memory"]
            since = kept["weather"].get("failing_since")
            self.failing_since = None if since is None else datetime.fromisoformat(since)

    def about(self, question: Question) -> bool:
        """Whether they belong to this question."""
        return self._question == repr(question)

    def answered(self) -> None:
        """Take note of an answer."""
        self.failing_since = None
        self._save()

    def failed(self, budget: FailureBudget, error: RetreaverError, now: datetime) -> None:
        """Take note of a failure; it is raised when it is not put up with, and the next attempt starts afresh."""
        self.failing_since = None
        try:
            budget.failed(error, now)
            self.failing_since = budget.failing_since
        finally:
            self._save()

    def _save(self) -> None:
        if self._store is None:
            return
        memory = self.memory if len(self.memory.get("calls") or ()) <= MOST_CALLS else {}
        since = None if self.failing_since is None else self.failing_since.isoformat()
        self._store.save({"question": self._owner, "memory": memory, "weather": {"failing_since": since}})
