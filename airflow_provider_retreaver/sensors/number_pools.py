"""Sensors for number pools."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar, Literal

from airflow_provider_retreaver.sensors.base import DEFERRABLE, FAILURE_BUDGET, RetreaverSensor

FIELDS = ("number_pool_id", "cid", "afid", "campaign_name", "affiliate_name", "below", "match")


class RetreaverNumberPoolSensor(RetreaverSensor):
    """Wait until number pools have little headroom: their provisioned numbers approach `max_pool_size`.

    Retreaver reports how many numbers are provisioned, not how many are in use. Returns the matching pools as rows
    `{"id", "cid", "numbers_count", "max_pool_size", "headroom"}`. Retreaver's reference: "Number Pools".

    :param number_pool_id: Retreaver's ID of a pool, or several; all pools when neither this, `cid` nor `afid` is
        given.
    :param cid: only pools of this campaign (customer's ID).
    :param afid: only pools of this affiliate (customer's ID).
    :param campaign_name: only pools of the campaign with this name, instead of `cid`; looked up in the first poll.
    :param affiliate_name: only pools of the affiliate with this name, of its company or its own, instead of `afid`.
    :param below: share of `max_pool_size`, from 0 to 1; a pool matches when the share of numbers that are not
        provisioned yet is less.
    :param match: whether `any` pool must match or `all`.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :param deferrable: wait in the triggerer; see `RetreaverSensor`.
    :param failure_budget: for how long consecutive failures are tolerated, a timedelta or seconds; None until
        `timeout`.
    :param state_path: folder on object storage for the state of a rescheduled sensor; this sensor keeps only since
        when polls have failed.
    :raises InvalidArgument: when a parameter is not valid; nothing was sent.
    :raises NotFound: naming the pool that does not exist, or the campaign or affiliate that no pool has.
    """

    kind = "number_pool"
    shown: ClassVar = {"number_pool_id": "number_pools"}
    template_fields = (*RetreaverSensor.template_fields, *FIELDS)

    def __init__(
        self,
        *,
        number_pool_id: str | int | Iterable[str | int] | None = None,
        cid: str | None = None,
        afid: str | None = None,
        campaign_name: str | None = None,
        affiliate_name: str | None = None,
        below: float | str = 0.1,
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
        self.number_pool_id = number_pool_id
        self.cid = cid
        self.afid = afid
        self.campaign_name = campaign_name
        self.affiliate_name = affiliate_name
        self.below = below
        self.match = match
