"""The base class of the sensors: polling, failures, deferral, and the event that ends it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_retreaver.core import errors
from airflow_provider_retreaver.core.parameters import is_given, texts
from airflow_provider_retreaver.core.quoting import message_line
from airflow_provider_retreaver.links import RetreaverLink, note_objects
from airflow_provider_retreaver.operators.base import final_errors
from airflow_provider_retreaver.operators.boundary import TaskBoundary
from airflow_provider_retreaver.operators.stopping import StopsOnKill
from airflow_provider_retreaver.operators.trigger_events import UnexpectedEvent, error_of_event

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.watching.condition import Condition
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.sensors.state import SensorState

DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)
# Maintenance of Retreaver, or half an hour of network problems, does not end a wait of hours.
FAILURE_BUDGET = timedelta(minutes=30)
# After the deadline, before Airflow ends the wait instead of the trigger: the last poll, and a busy triggerer.
TIMEOUT_MARGIN = timedelta(seconds=90)


class ConditionCannotComeTrue(errors.RetreaverError, AirflowFailException):
    """The condition can no longer be met; neither waiting nor a retry changes that."""


class RetreaverSensor(StopsOnKill, BaseSensorOperator):
    """Base of the sensors; poke, reschedule and deferrable mode behave alike.

    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :param deferrable: wait in the triggerer, where all sensors of a connection with the same query share its
        requests; default is Airflow's setting `[operators] default_deferrable`. `mode` then has no effect.
    :param failure_budget: for how long consecutive failures (5xx, 429, no response) are tolerated, a timedelta or
        seconds; None until `timeout`. A refused key or a missing object ends the wait at once.
    :param state_path: folder on object storage where a rescheduled sensor keeps its state between two polls if
        Airflow has no task state store (before 3.3); the other modes keep it in memory.
    """

    template_fields: tuple[str, ...] = ("retreaver_conn_id", "state_path")
    ui_color = "#e8f4ea"
    object_link = RetreaverLink
    operator_extra_links = (RetreaverLink(),)
    kind: ClassVar[str]
    # Parameters that name objects by the account's own IDs, and their resources.
    shown: ClassVar[Mapping[str, str]] = {}

    _sensor_state: SensorState | None = None
    _noted = False

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

    def condition(self) -> Condition[Any]:
        """Return the condition that the sensor waits for.

        :return: the condition.
        :raises InvalidArgument: naming the parameter that is not valid.
        """
        from airflow_provider_retreaver.domain.watching.condition import build_condition, parameter_names

        return build_condition(self.kind, {name: getattr(self, name) for name in parameter_names(self.kind)})

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once.

        :param context: the task's context.
        :return: whether the condition is met, with the sensor's result.
        :raises RetreaverError: when the failure is not temporary, or the failure budget is spent.
        :raises ConditionCannotComeTrue: when the condition can no longer be met.
        """
        from airflow_provider_retreaver.core.row_secrets import without_secrets
        from airflow_provider_retreaver.domain.watching.failure_budget import FailureBudget
        from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

        # With Airflow's silent_fail a sensor also waits for an object that is still to be created.
        with final_errors((errors.NotFound, errors.Gone) if self.silent_fail else ()):
            condition = self.condition()
            state = self._state_of(condition, context)
            budget = FailureBudget(self._budget(), state.failing_since)
            try:
                with RetreaverHook(self.retreaver_conn_id) as hook:
                    if not condition.query.by_name:
                        self._note_objects(context, hook, self)
                    result = hook.run(condition.query.run(state.query_state))
                    self._note_objects(context, hook, condition.with_found(state.query_state))
            except errors.RetreaverError as error:
                state.record_failure(budget, error, datetime.now(UTC))
                self.log.warning("%s The sensor keeps waiting.", error)
                return PokeReturnValue(is_done=False)
            state.record_success()
        evaluation = condition.evaluate(result)
        self.log.info("%s: %s", "Met" if evaluation.met else "Not yet", message_line(evaluation.message))
        if evaluation.impossible is not None and not evaluation.met:
            raise ConditionCannotComeTrue(evaluation.impossible)
        return PokeReturnValue(evaluation.met, without_secrets(evaluation.value))

    def _note_objects(self, context: Context, hook: RetreaverHook, chosen: object) -> None:
        """Note for the task's link, at the first poll, where the objects of the condition are shown.

        Those that are chosen by name are known after it.
        """
        if self._noted:
            return
        self._noted = True
        values = {name: getattr(chosen, name) for name in self.shown}
        given = {name: ids for name, value in values.items() if is_given(value) and (ids := texts(value, name))}
        if len(given) == 1:
            ((name, ids),) = given.items()
            note_objects(self, context, hook, self.shown[name], ids)

    def _state_of(self, condition: Condition[Any], context: Context) -> SensorState:
        from airflow_provider_retreaver.sensors.state import SensorState

        state = self._sensor_state
        if state is None or not state.belongs_to(condition.query):
            persistent = self.reschedule and not self.deferrable
            state = SensorState(context, condition.query, persistent=persistent, state_path=self.state_path)
            self._sensor_state = state
        return state

    def execute(self, context: Context) -> Any:
        """Wait until the condition is met; a deferrable sensor polls once, then defers.

        :param context: the task's context.
        :return: the sensor's result.
        """
        with TaskBoundary(self.stopped_on_kill(), self.log):
            return self._wait(context)

    def _wait(self, context: Context) -> Any:
        if not self.deferrable:
            return super().execute(context)
        started = datetime.now(UTC)
        with self._skip_instead_of_failing():
            first = self._first_poll(context)
        if first:
            return first.xcom_value
        self._defer(started)
        return None

    def _first_poll(self, context: Context) -> PokeReturnValue:
        try:
            return self.poke(context)
        except AirflowFailException:
            raise
        except (errors.RetreaverError, AirflowException) as error:
            if not self.silent_fail:
                raise
            self.log.warning("%s The sensor keeps waiting, since silent_fail is set.", error)
            return PokeReturnValue(is_done=False)

    def _defer(self, started: datetime) -> None:
        from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger

        condition, now = self.condition(), datetime.now(UTC)
        if self._sensor_state is not None:
            condition = condition.with_found(self._sensor_state.query_state)
        deadline = started + timedelta(seconds=self.timeout)
        budget, failing_since = self._budget(), self._sensor_state.failing_since if self._sensor_state else None
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
                failing_since=None if failing_since is None else failing_since.isoformat(),
                silent_fail=self.silent_fail,
            ),
            method_name="execute_complete",
            timeout=max(timedelta(0), deadline - now) + TIMEOUT_MARGIN,
        )

    def execute_complete(self, context: Context, event: Any = None) -> Any:  # noqa: ARG002 - Airflow's signature
        """Return the result that the trigger's event holds, or raise its error.

        :param context: the task's context.
        :param event: the event, see `RetreaverConditionTrigger`.
        :return: the sensor's result.
        :raises AirflowSensorTimeout: when the sensor's timeout is over.
        :raises RetreaverError: the error that ended the wait.
        :raises UnexpectedEvent: when there is no event, or one of another shape.
        """
        with TaskBoundary(self._skip_instead_of_failing(), self.log), final_errors():
            status = event.get("status") if isinstance(event, dict) else None
            if status == "met" and "value" in event:
                return event["value"]
            if status == "timeout":
                raise AirflowSensorTimeout(event.get("message"))
            if status == "error":
                raise _error_of(event)
            raise UnexpectedEvent.of(event)

    def _budget(self) -> timedelta | None:
        from airflow_provider_retreaver.core.time_parameters import duration

        if self.failure_budget is None:
            return None
        return timedelta(seconds=duration(self.failure_budget, "failure_budget"))

    @contextmanager
    def _skip_instead_of_failing(self) -> Generator[None]:
        """Apply `soft_fail` and `never_fail` to errors outside the loop of Airflow's base class, as it does."""
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
    """Return the error of a trigger's event, by the name of its class."""
    kind, message = str(event.get("kind")), str(event.get("message"))
    if kind == ConditionCannotComeTrue.__name__:
        return ConditionCannotComeTrue(message)
    return error_of_event(kind, message)
