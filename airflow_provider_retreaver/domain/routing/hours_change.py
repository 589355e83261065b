"""Changing business hours: from hours as people say them to the rows of one target that have to change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from airflow_provider_retreaver.core.errors import ChangeRefused
from airflow_provider_retreaver.core.operations import Row as Target
from airflow_provider_retreaver.domain.changes.differences import View
from airflow_provider_retreaver.domain.changes.edit import Aim, owner
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
from airflow_provider_retreaver.domain.routing.weekly_hours import SaidHours

ZONE = "time_zone"


class HoursAim(Aim):
    """Hours of a target.

    :param said: what was asked for.
    :param zone: zone in which they were said, by either kind of name; None for the target's own.
    :param move: whether the target is to have that zone.
    :param today: from which on the distance between two zones must not change.
    """

    def __init__(self, said: SaidHours, *, zone: str | None = None, move: bool = False, today: date) -> None:
        self._said = said
        self._zone = zone
        self._move = move
        self._today = today

    def view(self, row: Target) -> View:
        """Return when the target is open, by day as people write it, and its zone where that may change."""
        view: dict[str, Any] = {DAYS[day]: day_text(said) for day, said in _hours(row).items()}
        return view | ({ZONE: row.get(ZONE)} if self._move else {})

    def want(self, row: Target) -> View:
        """Return the days that something was said about, open as it was said."""
        wanted: dict[str, Any] = {DAYS[day]: spans_text(spans) for day, spans in self._wanted(row).items()}
        # A target that carries another of the vendor's names for the zone keeps it.
        if self._move and self._zone is not None and not same_zone(row.get(ZONE), self._zone):
            wanted[ZONE] = rails_name(self._zone)
        return wanted

    def body(self, row: Target, wanted: View) -> dict[str, Any]:
        """Return the rows that change, each with its ID.

        :raises ChangeRefused: naming every day that the target's rows cannot say, and why.
        """
        spans, rows = self._wanted(row), rows_of(row, owner(row))
        sent: list[dict[str, Any]] = []
        refused: list[str] = []
        for day in (DAYS.index(name) for name in wanted if name != ZONE):
            said = rows_for(spans[day], [one.hours for one in rows[day]])
            if isinstance(said, str):
                refused.append(f"{DAYS[day]}: {said}")
            else:
                sent.extend(changed_rows(rows[day], said))
        if refused:
            raise ChangeRefused(f"These hours cannot be set: {'; '.join(refused)}. Nothing was sent to it.")
        moved = {ZONE: wanted[ZONE]} if ZONE in wanted else {}
        return moved | ({"business_hours_attributes": sent} if sent else {})

    def explain(self, before: Target, after: Target, /) -> str:
        """Say on which days the rows were replaced by others, which makes the IDs that were sent wrong."""
        return replaced_rows(before, after)

    def _wanted(self, row: Target) -> dict[int, Spans]:
        """Return the open spans of the days concerned."""
        said = self._in_its_zone(row)
        found: dict[int, Spans] = {}
        week = {day: open_spans(hours) for day, hours in _hours(row).items()}
        for day in range(7):
            concerned = of_day(said.concerned, day)
            now = week[day]
            if now is None and concerned not in ((), ((0, DAY),)):
                raise ChangeRefused(
                    f"The hours of {DAYS[day]} are {day_text(_hours(row)[day])}, so that a part of that day cannot "
                    f"be changed; say the whole day. Nothing was sent to it."
                )
            if concerned:
                spans = merged((day * DAY + start, day * DAY + end) for start, end in now or ())
                found[day] = of_day(said.applied(spans), day)
        return found

    def _in_its_zone(self, row: Target) -> SaidHours:
        if self._zone is None or self._move or same_zone(row.get(ZONE), self._zone):
            return self._said
        return self._said.in_zone(self._zone, str(row.get(ZONE)), self._today)


def changed_rows(rows: list[Row], said: list[Hours]) -> list[dict[str, Any]]:
    """Return what is to be sent about the rows of a day, as far as they are to say something else."""
    return [
        {"id": row.id, "day_of_week": row.day, **hours.wire()}
        for row, hours in zip(rows, said, strict=True)
        if row.hours != hours
    ]


def replaced_rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return a sentence about days whose rows are no longer the ones that were read before, or nothing."""
    then, now = rows_of(before, owner(dict(before))), rows_of(after, owner(dict(after)))
    days = [DAYS[day] for day in range(7) if {row.id for row in then[day]} != {row.id for row in now[day]}]
    if not days:
        return ""
    return f"Somebody replaced the rows of {', '.join(days)} after they were read; a retry reads them anew."


def _hours(row: Target) -> dict[int, list[Hours]]:
    return {day: [one.hours for one in rows] for day, rows in rows_of(row, owner(row)).items()}
