"""Sensors for targets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar, Literal

from airflow_provider_retreaver.sensors.base import DEFERRABLE, FAILURE_BUDGET, RetreaverSensor


class RetreaverTargetIdleSensor(RetreaverSensor):
    """Wait until targets have no calls in progress, e.g. after they were paused and before maintenance.

    Returns the idle targets as rows `{"id", "tid", "name", "calls_in_progress"}`. Retreaver's reference: "Targets".

    :param target_id: Retreaver's ID of a target, or several.
    :param tid: the customer's ID of a target, or several.
    :param target_names: a target by name, as written at Retreaver, or several; looked up in the first poll. One that
        is not there, or not unique, ends the wait.
    :param target_group_id: Retreaver's ID of a target group, or several, all of whose members are checked.
    :param target_group_names: the same by name.
    :param at_most: most calls in progress of an idle target.
    :param match: whether `all` targets must be idle or `any`.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :param deferrable: wait in the triggerer; see `RetreaverSensor`.
    :param failure_budget: for how long consecutive failures are tolerated, a timedelta or seconds; None until
        `timeout`.
    :param state_path: folder on object storage for the state of a rescheduled sensor; this sensor keeps only since
        when polls have failed.
    :raises InvalidArgument: when a parameter is not valid; nothing was sent.
    :raises NotFound: naming the target or group that does not exist, with those of similar names.
    """

    kind = "target_idle"
    shown: ClassVar = {"target_id": "targets", "target_group_id": "target_groups"}
    template_fields = (
        *RetreaverSensor.template_fields,
        "target_id",
        "tid",
        "target_group_id",
        "target_names",
        "target_group_names",
        "at_most",
        "match",
    )

    def __init__(
        self,
        *,
        target_id: str | int | Iterable[str | int] | None = None,
        tid: str | int | Iterable[str | int] | None = None,
        target_group_id: str | int | Iterable[str | int] | None = None,
        target_names: str | Iterable[str] | None = None,
        target_group_names: str | Iterable[str] | None = None,
        at_most: int | str = 0,
        match: Literal["any", "all"] = "all",
        retreaver_conn_id: str = "retreaver_default",
        deferrable: bool = DEFERRABLE,
        failure_budget: timedelta | float | None = FAILURE_BUDGET,
        state_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            retreaver_conn_id=retreaver_conn_id,
            deferrable=deferrable,
            failure_budget=failure_budget,
            state_path=state_path,
            **kwargs,
        )
        self.target_id = target_id
        self.tid = tid
        self.target_group_id = target_group_id
        self.target_names = target_names
        self.target_group_names = target_group_names
        self.at_most = at_most
        self.match = match
