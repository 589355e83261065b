"""Sensors for targets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_retreaver.sensors.base import RetreaverSensor

Ids = str | int | Iterable[str | int]


class RetreaverTargetIdleSensor(RetreaverSensor):
    """Wait until targets have no calls in progress: pause them, drain them, then maintain them.

    Returns those that are idle, as rows `{"id", "tid", "name", "calls_in_progress"}`. Vendor's reference: "Targets".

    :param target_id: Retreaver's ID of a target, or several.
    :param tid: the customer's ID of a target, or several.
    :param target_group_id: a target group, or several: all of their members are meant.
    :param at_most: calls in progress with which a target still counts as idle.
    :param match: `all` of them, or `any`.
    :raises InvalidArgument: when a parameter cannot be right; nothing was sent.
    :raises NotFound: naming the target or group that does not exist.
    """

    kind = "target_idle"
    template_fields = (
        *RetreaverSensor.template_fields,
        "target_id",
        "tid",
        "target_group_id",
        "at_most",
        "match",
    )

    def __init__(
        self,
        *,
        target_id: Ids | None = None,
        tid: Ids | None = None,
        target_group_id: Ids | None = None,
        at_most: int | str = 0,
        match: str = "all",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target_id = target_id
        self.tid = tid
        self.target_group_id = target_group_id
        self.at_most = at_most
        self.match = match
