"""Sensors for caps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_retreaver.sensors.base import RetreaverSensor

Ids = str | int | Iterable[str | int]


class RetreaverCapFilledSensor(RetreaverSensor):
    """Wait until caps have counted a share of what they allow, or leave only so many calls.

    Returns those that have, as rows `{"kind", "id", "tid", "name", "cap", "filled", "limit"}`, where `kind` is target
    or group. An object without this cap never fulfils the condition; a cap of 0 is full. Vendor's reference:
    "Changing a Target's Caps", "Target Groups".

    :param target_id: Retreaver's ID of a target, or several.
    :param tid: the customer's ID of a target, or several.
    :param target_group_id: a target group, or several: the group's own cap is meant.
    :param cap: `hard`, `hourly`, `daily`, `monthly`, or `concurrency` (calls in progress; targets only).
    :param at_least: share of the cap from 0 to 1; 1.0 when neither this nor `remaining` is given.
    :param remaining: instead of a share: at most so many calls are left.
    :param match: `any` of them, or `all`.
    :raises InvalidArgument: when a parameter cannot be right; nothing was sent.
    :raises NotFound: naming the target or group that does not exist.
    """

    kind = "cap_filled"
    template_fields = (
        *RetreaverSensor.template_fields,
        "target_id",
        "tid",
        "target_group_id",
        "cap",
        "at_least",
        "remaining",
        "match",
    )

    def __init__(
        self,
        *,
        target_id: Ids | None = None,
        tid: Ids | None = None,
        target_group_id: Ids | None = None,
        cap: str = "hard",
        at_least: float | str | None = None,
        remaining: int | str | None = None,
        match: str = "any",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target_id = target_id
        self.tid = tid
        self.target_group_id = target_group_id
        self.cap = cap
        self.at_least = at_least
        self.remaining = remaining
        self.match = match
