"""Sensors for number pools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_retreaver.sensors.base import RetreaverSensor

Ids = str | int | Iterable[str | int]


class RetreaverNumberPoolSensor(RetreaverSensor):
    """Wait until number pools have little headroom: provisioned numbers come near to `max_pool_size`.

    The vendor tells how many numbers are provisioned, not how many are in use. Returns the pools that have little
    headroom, as rows `{"id", "cid", "numbers_count", "max_pool_size", "headroom"}`. Vendor's reference: "Number
    Pools".

    :param number_pool_id: Retreaver's ID of a pool, or several; all pools when neither this, `cid` nor `afid` is
        given.
    :param cid: only pools of this campaign (customer's ID).
    :param afid: only pools of this affiliate (customer's ID).
    :param below: share of `max_pool_size` that is not provisioned yet; the condition holds below it.
    :param match: `any` of them, or `all`.
    :raises InvalidArgument: when a parameter cannot be right; nothing was sent.
    :raises NotFound: naming the pool that does not exist.
    """

    kind = "number_pool"
    template_fields = (*RetreaverSensor.template_fields, "number_pool_id", "cid", "afid", "below", "match")

    def __init__(
        self,
        *,
        number_pool_id: Ids | None = None,
        cid: str | None = None,
        afid: str | None = None,
        below: float | str = 0.1,
        match: str = "any",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.number_pool_id = number_pool_id
        self.cid = cid
        self.afid = afid
        self.below = below
        self.match = match
