"""What all sensors of this package share: looking, forgiving bad weather, deferring, and judging what comes back."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_retreaver.core import errors
from airflow_provider_retreaver.operators.base import FinalInvalidConnection, final_errors

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.watching.condition import Condition
    from airflow_provider_retreaver.sensors.notes import Notes

DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)
# Maintenance of the vendor, or a bad half hour of the network, does not end a wait of hours.
FAILURE_BUDGET = timedelta(minutes=30)
# After the deadline, before Airflow ends the wait in place of the trigger: the last look, and a busy triggerer.
GRACE = timedelta(seconds=90)


class ConditionCannotComeTrue(errors.RetreaverError, AirflowFailException):
    """What is waited for can no longer happen; neither waiting nor a retry changes that."""


class UnexpectedEvent(errors.RetreaverError):
    """A deferred sensor was resumed without an event that says how the wait ended."""


class RetreaverSensor(BaseSensorOperator):
    """Base of the sensors, in poke, reschedule and deferrable mode alike.

    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :param deferrable: wait in the triggerer, where all sensors of a connection that ask the same share one poll;
        default is Airflow's setting `[operators] default_deferrable`. `mode` then means nothing.
    :param failure_budget: for how long failures in a row (5xx, 429, no answer) are put up with, a timedelta or
        seconds; None until `timeout`. A refused key or a missing object ends the wait at once.
    :param state_path: folder on object storage for what a rescheduled sensor keeps between two looks, where Airflow
        has no task state store (before 3.3); the other modes keep it in memory.
    """

    template_fields: tuple[str, ...] = ("retreaver_conn_id", "state_path")
    ui_color = "#e8f4ea"
    kind: ClassVar[str]

    _notes: Notes | None = None

    def __init__(
        self,
        *,
        retreaver_conn_id: str = "retreaver_default",
        deferrable: bool = DEFERRABLE,
        failure_budget: timedelta | float | None = FAILURE_BUDGET,
        state_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.retreaver_conn_id = retreaver_conn_id
        self.deferrable = deferrable
        self.failure_budget = failure_budget
        self.state_path = state_path

    def condition(self) -> Condition:
        """Return what is waited for.

        :raises InvalidArgument: naming the parameter that cannot be right.
        """
        from airflow_provider_retreaver.domain.watching.condition import condition_of, parameters_of

        return condition_of(self.kind, {name: getattr(self, name) for name in parameters_of(self.kind)})

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once.

        :raises RetreaverError: when the failure will not pass, or has lasted for too long.
        :raises ConditionCannotComeTrue: when what is waited for can no longer happen.
        """
        from airflow_provider_retreaver.domain.watching.failure_budget import FailureBudget
        from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
        from airflow_provider_retreaver.sensors.notes import Notes

        with final_errors():
            condition = self.condition()
            notes = self._notes
            if notes is None or not notes.about(condition.question):
                lasting = self.reschedule and not self.deferrable
                notes = self._notes = Notes(context, condition.question, lasting=lasting, state_path=self.state_path)
            budget = FailureBudget(self._budget(), notes.failing_since)
            try:
                with RetreaverHook(self.retreaver_conn_id) as hook:
                    found = hook.run(condition.question.ask(notes.memory))
            except errors.RetreaverError as error:
                notes.failed(budget, error, datetime.now(UTC))
                self.log.warning("%s The wait goes on.", error)
                return PokeReturnValue(is_done=False)
            except AirflowNotFoundException as error:
                raise FinalInvalidConnection(str(error)) from None
            notes.answered()
        verdict = condition.judge(found)
        self.log.info("%s: %s", "Met" if verdict.met else "Not yet", verdict.told)
        if verdict.hopeless is not None and not verdict.met:
            raise ConditionCannotComeTrue(verdict.hopeless)
        return PokeReturnValue(verdict.met, verdict.value)

    def execute(self, context: Context) -> Any:
        """Wait until the condition is met and return what was found; deferrable sensors look once, then defer."""
        if not self.deferrable:
            return super().execute(context)
        began = datetime.now(UTC)
        with self._as_sensors_do():
            seen = self._first_look(context)
        if seen:
            return seen.xcom_value
        self._defer(began)
        return None

    def _first_look(self, context: Context) -> PokeReturnValue:
        try:
            return self.poke(context)
        except AirflowFailException:
            raise
        except (errors.RetreaverError, AirflowException) as error:
            if not self.silent_fail:
                raise
            self.log.warning("%s The wait goes on, since silent_fail is set.", error)
            return PokeReturnValue(is_done=False)

    def _defer(self, began: datetime) -> None:
        from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger

        condition, now = self.condition(), datetime.now(UTC)
        deadline = began + timedelta(seconds=self.timeout)
        budget, since = self._budget(), self._notes.failing_since if self._notes else None
        self.defer(
            trigger=RetreaverConditionTrigger(
                retreaver_conn_id=self.retreaver_conn_id,
                kind=condition.kind,
                options=condition.options(),
                deadline=deadline.isoformat(),
                next_look=(now + timedelta(seconds=self.poke_interval)).isoformat(),
                poke_interval=self.poke_interval,
                exponential_backoff=self.exponential_backoff,
                max_wait=self.max_wait.total_seconds() if isinstance(self.max_wait, timedelta) else self.max_wait,
                failure_budget=None if budget is None else budget.total_seconds(),
                failing_since=None if since is None else since.isoformat(),
                silent_fail=self.silent_fail,
            ),
            method_name="execute_complete",
            timeout=max(timedelta(0), deadline - now) + GRACE,
        )

    def execute_complete(self, context: Context, event: Any = None) -> Any:  # noqa: ARG002 - Airflow's signature
        """Return what the trigger found; whatever is not a success that it told is a failure.

        :raises AirflowSensorTimeout: when the time is over.
        :raises UnexpectedEvent: when there is no event, or one that this sensor does not know.
        """
        with self._as_sensors_do(), final_errors():
            status = event.get("status") if isinstance(event, dict) else None
            if status == "met" and "value" in event:
                return event["value"]
            if status == "timeout":
                raise AirflowSensorTimeout(event.get("message"))
            if status == "error":
                raise _error_of(event)
            raise UnexpectedEvent(
                f"The wait ended without an event that says how ({event!r:.200}), so it is not taken for a success; "
                f"clear the task to wait again."
            )

    def _budget(self) -> timedelta | None:
        from airflow_provider_retreaver.core.time_parameters import duration

        return (
            None
            if self.failure_budget is None
            else timedelta(seconds=duration(self.failure_budget, "failure_budget"))
        )

    @contextmanager
    def _as_sensors_do(self) -> Generator[None]:
        """Treat errors outside the loop of the base class as that loop does."""
        try:
            yield
        except AirflowSkipException:
            raise
        except (errors.RetreaverError, AirflowException) as error:
            final = isinstance(error, (AirflowSensorTimeout, AirflowFailException))
            if self.never_fail or (self.soft_fail and final):
                raise AirflowSkipException(f"Skipped instead of failed: {error}") from error
            raise


def _error_of(event: dict[str, Any]) -> Exception:
    """Return the error that a trigger told of, by the name of its class."""
    kind, message = str(event.get("kind")), str(event.get("message"))
    if kind == ConditionCannotComeTrue.__name__:
        return ConditionCannotComeTrue(message)
    found = getattr(errors, kind, None)
    if isinstance(found, type) and issubclass(found, errors.RetreaverError):
        return found(message)
    return errors.RetreaverError(f"{kind}: {message}")
