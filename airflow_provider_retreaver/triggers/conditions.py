"""The trigger behind every sensor of this package, and behind operators that wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import random
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_retreaver.core.errors import InvalidConnection, RetreaverError
from airflow_provider_retreaver.core.quoting import message_line
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.core.time_parameters import instant
from airflow_provider_retreaver.triggers.loading import TRIGGER_MODULES, import_in_threads

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.operations import Outcome
    from airflow_provider_retreaver.domain.watching.condition import Condition, Evaluation
    from airflow_provider_retreaver.domain.watching.failure_budget import FailureBudget
    from airflow_provider_retreaver.triggers.polls import Poll

# Seconds that the last poll, started at the deadline, may take: a fixed part and a random one, so that a thousand
# sensors with one deadline do not end at the same time.
LAST_POLL = 30.0
LAST_POLL_JITTER = 10.0
# Fewest seconds between two log lines of a trigger: a thousand lines at once would block the event loop until the
# triggerer's other process, which may be busy with its database, has read them.
LOG_INTERVAL = 45.0


class RetreaverConditionTrigger(BaseTrigger):
    """Polls until a sensor's condition is met, then sends one event.

    Events are `{"status": "met", "value"}`, `{"status": "timeout", "message"}` and
    `{"status": "error", "kind", "message"}`, where `kind` is the name of a class of `core.errors`,
    `ConditionCannotComeTrue`, or another exception. Cancelling it leaves nothing behind at Retreaver: it only reads.

    Airflow's database stores the parameters under their names, so these must not change.

    :param retreaver_conn_id: id of the connection.
    :param kind: kind of the condition, see `domain.watching.condition`.
    :param options: the condition's parameters, plain JSON.
    :param deadline: when the sensor's timeout is over, RFC 3339; a restart of the triggerer does not move it.
    :param next_look: time of the first poll, RFC 3339; the trigger polls at once when it has passed.
    :param poke_interval: seconds between polls.
    :param exponential_backoff: double the wait with every poll.
    :param max_wait: the longest wait in seconds, None for no limit.
    :param failure_budget: seconds of consecutive failures that are tolerated, None for no limit.
    :param failing_since: when the failures began, RFC 3339; None when the last poll succeeded.
    :param silent_fail: also tolerate failures that are not temporary.
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
        self._next_log = 0.0

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
        yield TriggerEvent(await self._event())

    async def _event(self) -> dict[str, Any]:
        await import_in_threads(*TRIGGER_MODULES)
        from airflow_provider_retreaver.domain.watching.condition import build_condition, module_of
        from airflow_provider_retreaver.triggers.polls import join_poll

        await import_in_threads(module_of(self.kind))
        try:
            condition = build_condition(self.kind, self.options)
            async with join_poll(self.retreaver_conn_id, condition.query) as poll:
                return await self._wait_until_met(condition, poll)
        except AirflowNotFoundException as error:
            return {"status": "error", "kind": InvalidConnection.__name__, "message": message_line(str(error))}
        except (RetreaverError, AirflowException) as error:
            return {"status": "error", "kind": type(error).__name__, "message": str(error)}

    async def _wait_until_met(self, condition: Condition[Any], poll: Poll) -> dict[str, Any]:
        from airflow_provider_retreaver.domain.watching.failure_budget import FailureBudget
        from airflow_provider_retreaver.domain.watching.poll_interval import PollInterval

        now = _LoopClock()
        self._next_log = asyncio.get_running_loop().time() + LOG_INTERVAL * random()  # noqa: S311 - no secret
        interval = PollInterval(self.poke_interval, self.exponential_backoff, self.max_wait, polls=1)
        budget = FailureBudget(
            None if self.failure_budget is None else timedelta(seconds=self.failure_budget),
            None if self.failing_since is None else instant(self.failing_since, "The time of the first failure"),
            tolerate_all=self.silent_fail,
        )
        deadline, message = instant(self.deadline, "The deadline"), "no result since the sensor was deferred"
        wait = (instant(self.next_look, "The time of the next look") - now()).total_seconds()
        left = max(0.0, (deadline - now()).total_seconds())
        try:
            # One timer for all polls: a timer per poll and sensor is expensive for the garbage collector.
            async with asyncio.timeout(left + LAST_POLL + LAST_POLL_JITTER * random()):  # noqa: S311 - no secret
                while True:
                    within = max(0.0, min(wait, (deadline - now()).total_seconds()))
                    message, event = self._check(await poll.result(within), condition, budget, now())
                    if event is not None:
                        return event
                    if now() >= deadline:
                        return _timeout_event(message)
                    wait = interval.next_wait()
        except TimeoutError:
            return _timeout_event(f"{message}; the last poll got no response in time")

    def _check(
        self, outcome: Outcome[Any], condition: Condition[Any], budget: FailureBudget, now: datetime
    ) -> tuple[str, dict[str, Any] | None]:
        """Return a message about the outcome of a poll, and the event when the wait is over."""
        if outcome.error is not None:
            budget.record_failure(outcome.error, now)
            if self._may_log():
                self.log.warning("%s The sensor keeps waiting.", outcome.error)
            return str(outcome.error), None
        budget.record_success()
        evaluation = condition.evaluate(outcome.value)
        event = _final_event(evaluation)
        if event is not None or self._may_log():
            self.log.info("%s: %s", "Met" if evaluation.met else "Not yet", message_line(evaluation.message))
        return evaluation.message, event

    def _may_log(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._next_log:
            return False
        self._next_log = now + LOG_INTERVAL
        return True


def _final_event(evaluation: Evaluation) -> dict[str, Any] | None:
    if evaluation.met:
        return {"status": "met", "value": without_secrets(evaluation.value)}
    if evaluation.impossible is not None:
        return {"status": "error", "kind": "ConditionCannotComeTrue", "message": evaluation.impossible}
    return None


def _timeout_event(message: str) -> dict[str, Any]:
    return {"status": "timeout", "message": f"The sensor's timeout is over; last result: {message}."}


class _LoopClock:
    """Returns the time in UTC, measured by the running loop's clock: the machine's clock may be changed."""

    __slots__ = ("_loop", "_loop_start", "_start")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._start, self._loop_start = datetime.now(UTC), self._loop.time()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=self._loop.time() - self._loop_start)
