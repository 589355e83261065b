"""Sensors for caps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar, Literal

from airflow_provider_retreaver.sensors.base import DEFERRABLE, FAILURE_BUDGET, RetreaverSensor


class RetreaverCapFilledSensor(RetreaverSensor):
    """Wait until caps are filled to a share of their limit, or leave only a few calls.

    Returns the matching objects as rows `{"kind", "id", "tid", "name", "cap", "filled", "limit"}`, where `kind` is
    target or group. An object without this cap never matches; a cap of 0 is full. Retreaver's reference: "Changing a
    Target's Caps", "Target Groups".

    :param target_id: Retreaver's ID of a target, or several.
    :param tid: the customer's ID of a target, or several.
    :param target_names: a target by name, as written at Retreaver, or several; looked up in the first poll. One that
        is not there, or not unique, ends the wait.
    :param target_group_id: Retreaver's ID of a target group, or several, whose own caps are checked.
    :param target_group_names: the same by name.
    :param cap: `hard`, `hourly`, `daily`, `monthly`, or `concurrency` (calls in progress; targets only).
    :param at_least: share of the cap from 0 to 1; 1.0 when neither this nor `remaining` is given.
    :param remaining: instead of a share: most calls that are left.
    :param match: whether `any` object must match or `all`.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :param deferrable: wait in the triggerer; see `RetreaverSensor`.
    :param failure_budget: for how long consecutive failures are tolerated, a timedelta or seconds; None until
        `timeout`.
    :param state_path: folder on object storage for the state of a rescheduled sensor; this sensor keeps only since
        when polls have failed.
    :raises InvalidArgument: when a parameter is not valid; nothing was sent.
    :raises NotFound: naming the target or group that does not exist, with those of similar names.
    """

    kind = "cap_filled"
    shown: ClassVar = {"target_id": "targets", "target_group_id": "target_groups"}
    template_fields = (
        *RetreaverSensor.template_fields,
        "target_id",
        "tid",
        "target_group_id",
        "target_names",
        "target_group_names",
        "cap",
        "at_least",
        "remaining",
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
        cap: Literal["hard", "hourly", "daily", "monthly", "concurrency"] = "hard",
        at_least: float | str | None = None,
        remaining: int | str | None = None,
        match: Literal["any", "all"] = "any",
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
        self.cap = cap
        self.at_least = at_least
        self.remaining = remaining
        self.match = match
