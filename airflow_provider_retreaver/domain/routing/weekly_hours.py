"""Business hours as DAG authors write them, as open minutes of a week.

`{"mon-fri": "09:00-17:30", "sat": "10:00-14:00", "sun": "closed"}`. A listed day is replaced completely: it is open
in its own spans and in what continues from a listed day before it across midnight, and closed at all other times. A
day that is not listed keeps its hours, with a span that continues from the day before added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import did_you_mean, quoted
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.domain.routing.day_hours import day_spans, ends, normal
from airflow_provider_retreaver.domain.routing.hours_rows import (
    DAY,
    DAYS,
    WEEK,
    Span,
    Spans,
    merged,
    span_text,
    without,
)
from airflow_provider_retreaver.domain.routing.time_zones import iana_name
from airflow_provider_retreaver.domain.routing.zone_clocks import minutes_ahead

_NAMES: dict[str, tuple[int, ...]] = {
    **{name: (day,) for day, name in enumerate(DAYS)},
    **{name[:3]: (day,) for day, name in enumerate(DAYS)},
    **{name: (day,) for name, day in (("tues", 2), ("wednes", 3), ("thur", 4), ("thurs", 4))},
    "weekdays": (1, 2, 3, 4, 5),
    "weekend": (6, 0),
    "weekends": (6, 0),
    "daily": tuple(range(7)),
    "every day": tuple(range(7)),
}


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """Hours of a week, in minutes from Sunday 00:00.

    :param spans: open.
    :param concerned: minutes that the hours define; all others keep their state.
    """

    spans: Spans
    concerned: Spans

    @classmethod
    def parse(cls, given: object, name: str = "hours") -> WeeklyHours:
        """Read hours.

        :param given: a mapping of days (`mon`, `mon-fri`, `sat, sun`, `weekdays`, `daily`) to hours (`09:00-17:30`,
            several with commas or as a list or tuple, `closed`, `24h`, `22:00-06:00` across midnight); the same as
            rendered text; or hours alone, for every day.
        :param name: name of the parameter, for the error.
        :return: the hours.
        :raises InvalidArgument: naming the day and what is wrong with it.
        """
        by_day: dict[int, tuple[str, list[Span]]] = {}
        for days, hours in _mapping(given, name).items():
            spans = day_spans(hours, f"{name}[{quoted(days)}]")
            for day in _days(days, name):
                if day in by_day:
                    raise InvalidArgument(
                        f"{name} has {DAYS[day]} twice, in {quoted(by_day[day][0])} and in {quoted(days)}; give it "
                        f"once."
                    )
                by_day[day] = (str(days), spans)
        if not by_day:
            raise InvalidArgument(f"{name} has no day; give e.g. {{'mon-fri': '09:00-17:30'}}.")
        opened = sorted(
            (day * DAY + start, day * DAY + end) for day, (_, spans) in by_day.items() for start, end in spans
        )
        _refuse_overlaps(opened, name)
        week = _wrapped(opened)
        listed = [(day * DAY, day * DAY + DAY) for day in by_day]
        return cls(week, merged([*listed, *week]))

    def shifted(self, minutes: int) -> WeeklyHours:
        """Return the same times on clocks that are behind.

        :param minutes: by how many minutes.
        :return: the hours on those clocks.
        """
        return WeeklyHours(
            *(_wrapped((a - minutes, b - minutes) for a, b in spans) for spans in (self.spans, self.concerned))
        )

    def in_zone(self, zone: str, target_zone: str, today: date) -> WeeklyHours:
        """Return the hours in another time zone.

        :param zone: zone of these hours, by either kind of name.
        :param target_zone: zone of the result, by either kind of name.
        :param today: first day of the coming years in which the two zones must keep their difference.
        :return: the hours in the other zone.
        :raises InvalidArgument: when they do not: no row can then express these hours.
        """
        ahead = minutes_ahead(iana_name(zone, today), iana_name(target_zone, today), today)
        if ahead is None:
            raise InvalidArgument(
                f"Hours in {zone} cannot be converted to {target_zone}: the two change their clocks on different "
                f"days, so that the difference between them changes in the coming years; give the hours in "
                f"{target_zone}, or set change_time_zone=True to move the target to {zone}."
            )
        return self.shifted(ahead)

    def applied(self, week: Spans) -> Spans:
        """Return a week with these hours applied.

        :param week: when the week is open before.
        :return: when it is open after.
        """
        return merged([*without(week, self.concerned), *self.spans])


def _mapping(given: object, name: str) -> Mapping[Any, Any]:
    given = read_rendered(given, name)
    if isinstance(given, (str, list, tuple)):
        return {"daily": given}
    if not isinstance(given, Mapping):
        raise InvalidArgument(
            f"{name} must map days to hours, like {{'mon-fri': '09:00-17:30', 'sun': 'closed'}}, not {quoted(given)}."
        )
    return given


def _days(given: object, name: str) -> list[int]:
    if not isinstance(given, str) or not given.strip():
        raise InvalidArgument(f"{name} has the day {quoted(given)}; days are names like 'mon', 'mon-fri' or 'daily'.")
    return [day for part in given.split(",") for day in _range(normal(part), given, name)]


def _range(part: str, given: str, name: str) -> list[int]:
    found = [_day(end, given, name) for end in ends(part)]
    if len(found) == 1:
        return list(found[0])
    if len(found) > 2 or any(len(end) > 1 for end in found):
        raise InvalidArgument(f"{name} has the days {quoted(given)}; a range is two days, like 'mon-fri'.")
    first, last = found[0][0], found[1][0]
    return [(first + step) % 7 for step in range((last - first) % 7 + 1)]


def _day(text: str, given: str, name: str) -> tuple[int, ...]:
    if text in _NAMES:
        return _NAMES[text]
    hint = did_you_mean(text, _NAMES, "days are names like 'mon', 'mon-fri' or 'daily'.")
    raise InvalidArgument(f"{name} has the unknown day {quoted(text)} in {quoted(given)}; {hint}")


def _refuse_overlaps(spans: list[Span], name: str) -> None:
    """Refuse spans that overlap, also across the end of the week; adjacent ones are fine."""
    if not spans:
        return
    first = spans[0]
    for one, other in zip(spans, [*spans[1:], (first[0] + WEEK, first[1] + WEEK)], strict=True):
        if other[0] < one[1]:
            raise InvalidArgument(f"{name} overlaps: {_text(one)} reaches into {_text(other)}; give every time once.")


def _text(span: Span) -> str:
    day = span[0] // DAY
    start, end = span[0] - day * DAY, span[1] - day * DAY
    return f"{DAYS[day % 7]} {span_text((start, end if end <= DAY else end - DAY))}"


def _wrapped(spans: Iterable[Span]) -> Spans:
    """Return spans with what lies beyond the end or before the beginning of the week put at its other end."""
    found: list[Span] = []
    for start, end in spans:
        if end - start >= WEEK:
            return ((0, WEEK),)
        first = start % WEEK
        last = first + end - start
        found.extend([(first, min(last, WEEK)), (0, max(last - WEEK, 0))])
    return merged(found)
