"""The trigger behind every sensor of this package."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import random
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_retreaver.core.errors import InvalidConnection, RetreaverError
from airflow_provider_retreaver.triggers.loading import EVERY_RUN, loaded

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.operations import Outcome
    from airflow_provider_retreaver.domain.watching.condition import Condition, Verdict
    from airflow_provider_retreaver.domain.watching.failure_budget import FailureBudget
    from airflow_provider_retreaver.triggers.polls import Poll

# How long an answer to the last look, begun at the deadline, is waited for: at least, and a chance more, so that a
# thousand sensors with one deadline do not give up in one moment.
LAST_LOOK = 30.0
CHANCE = 10.0
# Seconds in which a trigger logs one look at most: a thousand that are answered at one moment would hold the loop up
# until the triggerer's other process, which may be busy with its database, has taken their lines.
A_LINE = 45.0


class RetreaverConditionTrigger(BaseTrigger):
    """Looks until a sensor's condition is met, then sends its one event.

    Events are `{"status": "met", "value"}`, `{"status": "timeout", "message"}` and
    `{"status": "error", "kind", "message"}`, where `kind` names a class of `core.errors`, `ConditionCannotComeTrue`,
    or another exception. Cancelling it needs nothing of the vendor: it only reads.

    :param retreaver_conn_id: the connection.
    :param kind: name of the condition, see `domain.conditions.KINDS`.
    :param options: the condition's parameters, plain JSON.
    :param deadline: when to give up, RFC 3339; whatever happens to the triggerer meanwhile.
    :param next_look: when to look first, RFC 3339; at once when it has passed.
    :param poke_interval: seconds between looks.
    :param exponential_backoff: double the wait with every look.
    :param max_wait: the longest wait in seconds.
    :param failure_budget: seconds of failures in a row that are put up with, None for no limit.
    :param failing_since: when failures began, RFC 3339.
    :param silent_fail: put up with failures that do not pass by themselves as well.
    """

    def __init__(
        self,
        *,
        retreaver_conn_id: str,
        kind: str,
        options: dict[str, Any],
        deadline: str,
        next_look: str,
        poke_interval: float,
        exponential_backoff: bool = False,
        max_wait: float | None = None,
        failure_budget: float | None = None,
        failing_since: str | None = None,
        silent_fail: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.retreaver_conn_id = retreaver_conn_id
        self.kind = kind
        self.options = options
        self.deadline = deadline
        self.next_look = next_look
        self.poke_interval = poke_interval
        self.exponential_backoff = exponential_backoff
        self.max_wait = max_wait
        self.failure_budget = failure_budget
        self.failing_since = failing_since
        self.silent_fail = silent_fail
        self._quiet_until = 0.0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and every parameter."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "retreaver_conn_id": self.retreaver_conn_id,
            "kind": self.kind,
            "options": self.options,
            "deadline": self.deadline,
            "next_look": self.next_look,
            "poke_interval": self.poke_interval,
            "exponential_backoff": self.exponential_backoff,
            "max_wait": self.max_wait,
            "failure_budget": self.failure_budget,
            "failing_since": self.failing_since,
            "silent_fail": self.silent_fail,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the one event."""
        yield TriggerEvent(await self._outcome())

    async def _outcome(self) -> dict[str, Any]:
        await loaded(*EVERY_RUN)
        from airflow_provider_retreaver.domain.watching.condition import KINDS, condition_of
        from airflow_provider_retreaver.triggers.polls import joined

        await loaded(KINDS[self.kind].rpartition(".")[0])
        try:
            condition = condition_of(self.kind, self.options)
            async with joined(self.retreaver_conn_id, condition.question) as poll:
                return await self._watch(condition, poll)
        except AirflowNotFoundException as error:
            return {"status": "error", "kind": InvalidConnection.__name__, "message": str(error)}
        except (RetreaverError, AirflowException) as error:
            return {"status": "error", "kind": type(error).__name__, "message": str(error)}

    async def _watch(self, condition: Condition, poll: Poll) -> dict[str, Any]:
        from airflow_provider_retreaver.domain.watching.failure_budget import FailureBudget
        from airflow_provider_retreaver.domain.watching.poll_interval import Cadence

        now = _WallClock()
        self._quiet_until = asyncio.get_running_loop().time() + A_LINE * random()  # noqa: S311 - no secret
        cadence = Cadence(self.poke_interval, self.exponential_backoff, self.max_wait, looks=1)
        budget = FailureBudget(
            None if self.failure_budget is None else timedelta(seconds=self.failure_budget),
            None if self.failing_since is None else datetime.fromisoformat(self.failing_since),
            forgive_all=self.silent_fail,
        )
        deadline, told = datetime.fromisoformat(self.deadline), "nothing was learnt since it was deferred"
        wait = (datetime.fromisoformat(self.next_look) - now()).total_seconds()
        left = max(0.0, (deadline - now()).total_seconds())
        try:
            # Once for all looks: a timer a look of each sensor is much for the garbage collector.
            async with asyncio.timeout(left + LAST_LOOK + CHANCE * random()):  # noqa: S311 - no secret
                while True:
                    within = max(0.0, min(wait, (deadline - now()).total_seconds()))
                    told, event = self._judged(await poll.answer(within), condition, budget, now())
                    if event is not None:
                        return event
                    if now() >= deadline:
                        return _timed_out(told)
                    wait = cadence.next()
        except TimeoutError:
            return _timed_out(f"{told}; the last look was not answered in time")

    def _judged(
        self, outcome: Outcome[Any], condition: Condition, budget: FailureBudget, moment: datetime
    ) -> tuple[str, dict[str, Any] | None]:
        """Return what is learnt from an answer, and the event when it is the last one."""
        if outcome.error is not None:
            budget.failed(outcome.error, moment)
            if self._may_speak():
                self.log.warning("%s The wait goes on.", outcome.error)
            return str(outcome.error), None
        budget.answered()
        verdict = condition.judge(outcome.value)
        event = _end(verdict)
        if event is not None or self._may_speak():
            self.log.info("%s: %s", "Met" if verdict.met else "Not yet", verdict.told)
        return verdict.told, event

    def _may_speak(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._quiet_until:
            return False
        self._quiet_until = now + A_LINE
        return True


def _end(verdict: Verdict) -> dict[str, Any] | None:
    if verdict.met:
        return {"status": "met", "value": verdict.value}
    if verdict.hopeless is not None:
        return {"status": "error", "kind": "ConditionCannotComeTrue", "message": verdict.hopeless}
    return None


def _timed_out(told: str) -> dict[str, Any]:
    return {"status": "timeout", "message": f"The sensor's timeout is over; last seen: {told}."}


class _WallClock:
    """Tells the time, aware, at the pace of the running loop's clock: the machine's clock may be set meanwhile."""

    __slots__ = ("_began", "_loop", "_start")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began, self._start = datetime.now(UTC), self._loop.time()

    def __call__(self) -> datetime:
        """Return the time in UTC."""
        return self._began + timedelta(seconds=self._loop.time() - self._start)
