"""Sensors for calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_retreaver.sensors.base import RetreaverSensor


class RetreaverCallVolumeSensor(RetreaverSensor):
    """Wait until there are at least, or at most, so many calls in a window; returns the count.

    The window is `start` to `end`, or slides: `window="1h"` is the vendor's last hour, whatever this machine's clock
    says. In a fixed window `at_most` is known to hold only when the window has ended (and calls have settled for a
    minute); once there are more, the sensor fails at once, since a count never falls there. In a sliding window
    `at_most` is an alert for a quiet line. Vendor's reference: "Calls".

    A look costs two requests however many calls there are. With filters that the vendor does not have (`status`,
    `state`, `converted`, `min_duration`, `max_duration`) the window is read once, and then only what was updated
    since; that needs the current routes.

    :param start: RFC 3339 with an offset, or an aware datetime; calls created from then on.
    :param end: the same; calls created before. Without it the window stays open.
    :param window: length of a window that ends now, as text (`90m`, `1h`, `2d`; a day is 24 hours), seconds or
        timedelta; instead of `start`.
    :param at_least: calls that there must be.
    :param at_most: calls that there may be.
    :param filters: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id`; `status` and `state` (one or
        several), `converted`, `min_duration` and `max_duration` (seconds in all). All must hold.
    :raises InvalidArgument: when a parameter cannot be right; nothing was sent.
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
    )

    def __init__(
        self,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        window: str | float | timedelta | None = None,
        at_least: int | str | None = None,
        at_most: int | str | None = None,
        filters: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.end = end
        self.window = window
        self.at_least = at_least
        self.at_most = at_most
        self.filters = filters


class RetreaverCallSensor(RetreaverSensor):
    """Wait until a call has one of some statuses; returns `{"uuid", "status", "updated_at"}`.

    The vendor lists no statuses, so any text is taken; case does not matter. Vendor's reference: "Get a specific
    Call".

    :param uuid: of the call.
    :param status: one status, or several.
    :raises NotFound: when there is no such call.
    """

    kind = "call_status"
    template_fields = (*RetreaverSensor.template_fields, "uuid", "status")

    def __init__(self, *, uuid: str, status: str | Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.uuid = uuid
        self.status = status
