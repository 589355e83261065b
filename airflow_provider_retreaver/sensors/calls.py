"""Sensors for calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from airflow_provider_retreaver.sensors.base import DEFERRABLE, FAILURE_BUDGET, RetreaverSensor


class RetreaverCallVolumeSensor(RetreaverSensor):
    """Wait until a window holds at least, or at most, a number of calls; returns the count.

    The window is fixed, from `start` to `end`, or it slides: `window="1h"` is the last hour by Retreaver's clock,
    whatever this machine's clock says. In a fixed window `at_most` is met only when the window has ended and is
    settled, 60 seconds later; once there are more calls, the sensor fails at once, since a count never falls there.
    In a sliding window `at_most` is an alert for missing calls. Retreaver's reference: "Calls".

    A poll costs two requests however many calls there are. With filters that Retreaver does not have (`status`,
    `state`, `converted`, `min_duration`, `max_duration`) the window is read once, and then only what was updated
    since; that needs the current routes.

    :param start: RFC 3339 with an offset, or an aware datetime; calls created from then on.
    :param end: the same; calls created before it. Without it the window stays open.
    :param window: length of a window that ends now, as text (`90m`, `1h`, `2d`; a day is 24 hours), seconds or
        timedelta; instead of `start`.
    :param at_least: fewest calls.
    :param at_most: most calls.
    :param filters: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id`; `status` and `state` (one or
        several), `converted`, `min_duration` and `max_duration` (total seconds). All must match; one whose value
        is None is not applied. The campaign, affiliate and target that they choose are looked up once; instead of
        the customer's IDs, `campaign_name`, `affiliate_name` and `target_name` choose them by name.
    :param allow_unknown: wait also when one of these does not exist, instead of failing.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :param deferrable: wait in the triggerer; see `RetreaverSensor`.
    :param failure_budget: for how long consecutive failures are tolerated, a timedelta or seconds; None until
        `timeout`.
    :param state_path: folder on object storage for the state of a rescheduled sensor; see `RetreaverSensor`.
    :raises InvalidArgument: when a parameter is not valid; nothing was sent.
    :raises NotFound: when a campaign, affiliate or target that `filters` names does not exist.
    :raises ConditionCannotComeTrue: when a fixed window holds too many calls, or has ended with too few.
    """

    kind = "call_volume"
    template_fields = (
        *RetreaverSensor.template_fields,
        "start",
        "end",
        "window",
        "at_least",
        "at_most",
        "filters",
        "allow_unknown",
    )

    def __init__(
        self,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        window: str | float | timedelta | None = None,
        at_least: int | str | None = None,
        at_most: int | str | None = None,
        filters: Mapping[str, object] | str | None = None,
        allow_unknown: bool | str = False,
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
        self.start = start
        self.end = end
        self.window = window
        self.at_least = at_least
        self.at_most = at_most
        self.filters = filters
        self.allow_unknown = allow_unknown


class RetreaverCallSensor(RetreaverSensor):
    """Wait until a call has one of several statuses; returns `{"uuid", "status", "updated_at"}`.

    Retreaver documents no list of statuses, so any text is accepted, in any case. Retreaver's reference: "Get a
    specific Call".

    :param uuid: of the call.
    :param status: one status, or several.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :param deferrable: wait in the triggerer; see `RetreaverSensor`.
    :param failure_budget: for how long consecutive failures are tolerated, a timedelta or seconds; None until
        `timeout`.
    :param state_path: folder on object storage for the state of a rescheduled sensor; see `RetreaverSensor`.
    :raises InvalidArgument: when a parameter is not valid; nothing was sent.
    :raises NotFound: when there is no such call.
    """

    kind = "call_status"
    shown: ClassVar = {"uuid": "calls"}
    template_fields = (*RetreaverSensor.template_fields, "uuid", "status")

    def __init__(
        self,
        *,
        uuid: str,
        status: str | Iterable[str],
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
        self.uuid = uuid
        self.status = status
