"""Whether a target is open now, by its hours (Retreaver's reference: "Nested Attribute: Business Hours")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.domain.objects.naming import object_name
from airflow_provider_retreaver.domain.routing.hours_rows import open_spans, rows_of, spans_text
from airflow_provider_retreaver.domain.routing.time_zones import iana_name


@dataclass(frozen=True, slots=True)
class Opening:
    """The business hours of a target at a time.

    :param is_open: whether they are open; None where that is not known.
    :param hours: those of the day, in the target's own time zone, e.g. `09:00-17:00`, or why they are not known.
    :param zone: name of the time zone of the tz database; None where it is not known.
    """

    is_open: bool | None
    hours: str
    zone: str | None = None


def opening(target: Mapping[str, object], at: datetime) -> Opening:
    """Return whether a target is open at a time; pauses and caps are not considered.

    :param target: with `business_hours` and `time_zone`.
    :param at: aware.
    :return: what its hours say.
    """
    try:
        days = rows_of(target, object_name(target))
        zone = iana_name(target.get("time_zone"), at.date())
    except (InvalidArgument, ProtocolError) as error:
        return Opening(None, str(error))
    local = at.astimezone(ZoneInfo(zone))
    # Retreaver's week begins on Sunday.
    spans = open_spans([row.hours for row in days[local.isoweekday() % 7]])
    if spans is None:
        return Opening(None, "a row of the day closes before it opens, which Retreaver does not define", zone)
    minute = local.hour * 60 + local.minute
    return Opening(any(first <= minute < last for first, last in spans), spans_text(spans), zone)
