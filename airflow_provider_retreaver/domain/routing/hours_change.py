"""Changing business hours: from a week's hours to the rows of one target that have to change.

Retreaver's reference: "Nested Attribute: Business Hours".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from airflow_provider_retreaver.core.errors import ChangeRefused
from airflow_provider_retreaver.core.operations import Row as Target
from airflow_provider_retreaver.domain.changes.differences import Fields
from airflow_provider_retreaver.domain.changes.edit import DesiredState
from airflow_provider_retreaver.domain.objects.naming import object_name
from airflow_provider_retreaver.domain.routing.hours_rows import (
    DAY,
    DAYS,
    Hours,
    Row,
    Spans,
    day_text,
    merged,
    of_day,
    open_spans,
    rows_for,
    rows_of,
    spans_text,
)
from airflow_provider_retreaver.domain.routing.time_zones import rails_name, same_zone
from airflow_provider_retreaver.domain.routing.weekly_hours import WeeklyHours

ZONE = "time_zone"


class DesiredHours(DesiredState):
    """Business hours of a target.

    :param hours: requested for the week.
    :param zone: time zone of these hours, as Retreaver or the tz database names it; None for the target's own.
    :param move: whether the target should get that time zone.
    :param today: first day of the coming years in which the distance of two zones must not change.
    """

    def __init__(self, hours: WeeklyHours, *, zone: str | None = None, move: bool = False, today: date) -> None:
        self._hours = hours
        self._zone = zone
        self._move = move
        self._today = today

    def current(self, row: Target) -> Fields:
        """Return when the target is open by day, such as `09:00-17:30`, and its zone where that may change."""
        fields: dict[str, object] = {DAYS[day]: day_text(hours) for day, hours in _hours_by_day(row).items()}
        return fields | ({ZONE: row.get(ZONE)} if self._move else {})

    def desired(self, row: Target) -> Fields:
        """Return the days that the requested hours concern."""
        fields: dict[str, object] = {DAYS[day]: spans_text(spans) for day, spans in self._desired_spans(row).items()}
        # A target that has another of Retreaver's names for the zone keeps it.
        if self._move and self._zone is not None and not same_zone(row.get(ZONE), self._zone, self._today):
            fields[ZONE] = rails_name(self._zone, self._today)
        return fields

    def attributes(self, row: Target, fields: Fields) -> dict[str, object]:
        """Return the rows that change, each with its ID; days that the target's rows cannot express are refused."""
        spans, rows = self._desired_spans(row), rows_of(row, object_name(row))
        changed: list[dict[str, object]] = []
        refused: list[str] = []
        for day in (DAYS.index(name) for name in fields if name != ZONE):
            hours = rows_for(spans[day], [one.hours for one in rows[day]])
            if isinstance(hours, str):
                refused.append(f"{DAYS[day]}: {hours}")
            else:
                changed.extend(changed_rows(rows[day], hours))
        if refused:
            raise ChangeRefused(f"These hours cannot be set: {'; '.join(refused)}. Nothing was sent to it.")
        zone: dict[str, object] = {ZONE: fields[ZONE]} if ZONE in fields else {}
        return zone | ({"business_hours_attributes": changed} if changed else {})

    def explain_failure(self, before: Target, after: Target, /) -> str:
        """Return the days whose rows were replaced, which makes the IDs that were sent invalid."""
        return replaced_rows(before, after)

    def _desired_spans(self, row: Target) -> dict[int, Spans]:
        """Return the open spans of the days concerned."""
        hours = self._in_zone_of(row)
        desired: dict[int, Spans] = {}
        current = {day: open_spans(rows) for day, rows in _hours_by_day(row).items()}
        for day in range(7):
            concerned = of_day(hours.concerned, day)
            now = current[day]
            if now is None and concerned not in ((), ((0, DAY),)):
                raise ChangeRefused(
                    f"The hours of {DAYS[day]} are {day_text(_hours_by_day(row)[day])}, so a part of that day cannot "
                    f"be changed; give hours for the whole day. Nothing was sent to it."
                )
            if concerned:
                spans = merged((day * DAY + start, day * DAY + end) for start, end in now or ())
                desired[day] = of_day(hours.applied(spans), day)
        return desired

    def _in_zone_of(self, row: Target) -> WeeklyHours:
        if self._zone is None or self._move or same_zone(row.get(ZONE), self._zone, self._today):
            return self._hours
        return self._hours.in_zone(self._zone, str(row.get(ZONE)), self._today)


def changed_rows(rows: Sequence[Row], hours: Sequence[Hours]) -> list[dict[str, object]]:
    """Return what is sent for the rows of a day.

    :param rows: of the day, as they are.
    :param hours: that they should have, one for each row.
    :return: attributes of the rows that differ, each with its ID.
    """
    return [
        {"id": row.id, "day_of_week": row.day, **new.wire()}
        for row, new in zip(rows, hours, strict=True)
        if row.hours != new
    ]


def replaced_rows(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """Return which days have rows of other IDs than before.

    :param before: a target as read before a change.
    :param after: the target as read after the change.
    :return: a sentence, or nothing.
    """
    old, new = rows_of(before, object_name(dict(before))), rows_of(after, object_name(dict(after)))
    days = [DAYS[day] for day in range(7) if {row.id for row in old[day]} != {row.id for row in new[day]}]
    if not days:
        return ""
    return f"The rows of {', '.join(days)} were replaced by others after they were read; a retry reads them again."


def _hours_by_day(row: Target) -> dict[int, list[Hours]]:
    return {day: [one.hours for one in rows] for day, rows in rows_of(row, object_name(row)).items()}
