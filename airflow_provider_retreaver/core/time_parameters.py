"""Readers of parameters that are times and lengths of time; see `core/parameters.py` for what they have in common."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import plain
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.rendered import read_rendered

# Retreaver's reports reach back less than two years.
LONGEST_DURATION = timedelta(days=730)
# A margin to both ends of the calendar, 1 and 9999, for offsets and lengths of time.
YEARS = range(1900, 9000)
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2}))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.IGNORECASE)
# What `str(timedelta)` gives: `1 day, 2:00:00`.
_TIMEDELTA = re.compile(r"(?:(\d+) days?, )?(\d{1,2}):([0-5]\d):([0-5]\d)(?:\.\d+)?")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def duration(value: object, name: str) -> float:
    """Return a length of time in seconds.

    :param value: a `timedelta` (or its text, `1:30:00`), a number of seconds, or a text such as `90m`, `1h` or `2d`;
        a day is 24 hours, also where clocks change.
    :param name: name of the parameter, for the error.
    :return: seconds, more than 0 and at most 730 days.
    :raises InvalidArgument: when it is not a length of time, or out of bounds.
    """
    seconds = _seconds(plain(read_rendered(value, name), name))
    if not 0 < seconds <= LONGEST_DURATION.total_seconds():
        raise InvalidArgument(
            f"{name} must be a length of time of at most {LONGEST_DURATION.days} days, like '90m', '1h', '2d', "
            f"seconds or a timedelta, not {quoted(value)}."
        )
    return seconds


def format_duration(seconds: float) -> str:
    """Return a length of time as log lines and errors have it.

    :param seconds: the length in seconds.
    :return: e.g. `90 min`, `2 d`, `45 s`.
    """
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def timestamp(value: object, name: str) -> str:
    """Return a time as RFC 3339.

    :param value: an aware `datetime`, a `date` (midnight UTC), or a text in that format.
    :param name: name of the parameter, for the error.
    :return: RFC 3339 with an offset, or a date.
    :raises InvalidArgument: when it has no offset, since Retreaver would assume one, or is not a time.
    """
    value = read_rendered(value, name)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidArgument(f"{name} has no time zone; give an aware datetime, e.g. from pendulum.")
        text = value.isoformat()
    elif isinstance(value, date):
        text = value.isoformat()
    else:
        text = value.strip() if isinstance(value, str) and _RFC3339.fullmatch(value.strip()) else ""
    if read_instant(text) is None:
        raise InvalidArgument(
            f"{name} must be RFC 3339 with an offset, like 2026-01-31T00:00:00+00:00, in a year from {YEARS.start} "
            f"to {YEARS.stop - 1}, not {quoted(value)}."
        )
    return text


def compare_months(start: datetime, end: datetime, months: int) -> int:
    """Compare a span of time with a number of months of the calendar, in UTC.

    :param start: of the span, aware.
    :param end: the same.
    :param months: number of months.
    :return: less than 0 for a shorter span, 0 for an equal one, more for a longer one.
    """
    first, last = (time.astimezone(UTC) for time in (start, end))
    apart = 12 * (last.year - first.year) + last.month - first.month
    length, limit = (apart, last.day, last.time()), (months, first.day, first.time())
    return (length > limit) - (length < limit)


def time_span(
    start: object, end: object, names: tuple[str, str], less_than_years: int | None = None
) -> tuple[str | None, str | None]:
    """Return both ends of a span of time as RFC 3339; either may be None.

    :param start: see `timestamp`; None for an open beginning.
    :param end: see `timestamp`; None for an open end.
    :param names: of the two parameters, for the error.
    :param less_than_years: the span must be shorter than so many years of the calendar.
    :return: both ends.
    :raises InvalidArgument: when the end is not after the start, or the span is too long.
    """
    first = None if start is None else timestamp(start, names[0])
    last = None if end is None else timestamp(end, names[1])
    if first is None or last is None:
        return first, last
    if instant(last) <= instant(first):
        raise InvalidArgument(f"{names[1]} ({last}) must be after {names[0]} ({first}).")
    if less_than_years is not None and compare_months(instant(first), instant(last), 12 * less_than_years) >= 0:
        raise InvalidArgument(
            f"{names[0]} ({first}) and {names[1]} ({last}) must be less than {less_than_years} years apart; request "
            f"them in parts."
        )
    return first, last


def read_instant(text: object) -> datetime | None:
    """Return the time that a text stands for, if it is one that can be calculated with.

    :param text: RFC 3339; without an offset it is UTC.
    :return: an aware datetime; None for anything else, also for years in which adding to a time or changing its
        offset could leave the calendar.
    """
    try:
        found = datetime.fromisoformat(text.strip().upper().replace(" ", "T", 1)) if isinstance(text, str) else None
    except ValueError:
        return None
    if found is None or found.year not in YEARS:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def offset_time(text: str) -> datetime | None:
    """Return the time that an RFC 3339 text with an offset stands for.

    :param text: from outside.
    :return: the time in UTC; None when it is no time, has no offset, or lies outside the years 1 to 9999.
    """
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def instant(text: object, name: str = "the time") -> datetime:
    """Return the time that a text stands for: a parameter that was checked, or what this package has stored.

    :param text: RFC 3339; without an offset it is UTC.
    :param name: what it is the time of, for the error.
    :return: an aware datetime.
    :raises InvalidArgument: when it is damaged.
    """
    found = read_instant(text)
    if found is None:
        raise InvalidArgument(f"{name} is {quoted(text)}, which is no time like 2026-01-31T00:00:00+00:00.")
    return found


def extremes(texts: Sequence[str]) -> Sequence[str]:
    """Return the earliest and the latest of several times, without reading all of them.

    :param texts: RFC 3339 with offsets, from outside.
    :return: two of them where texts sort as times do (equally long, with one offset, as nearly all do), else all.
    """
    # Texts with one end first: that is decided in a third of the time.
    if not (
        _end_alike(texts)
        or len({(len(text), text[-6:] if text[-6:-5] in ("+", "-") else text[-1:]) for text in texts}) == 1
    ):
        return texts
    found = (min(texts), max(texts))
    return texts if None in map(offset_time, found) else found


def _end_alike(texts: Sequence[str]) -> bool:
    """Return whether texts are equally long, and the same in their last six characters, where an offset stands."""
    sizes = set(map(len, texts))
    if len(sizes) != 1 or min(sizes) < 6:
        return False
    size, joined = len(texts[0]), "".join(texts)
    # Each place of the texts in turn: fewer steps than a slice of each text.
    return all(joined[place::size] == texts[0][place] * len(texts) for place in range(size - 6, size))


def time_outside(texts: Sequence[str], first: datetime | None, last: datetime | None) -> str | None:
    """Return a time that lies outside a span.

    :param texts: RFC 3339, from outside; one that is no time with an offset is not compared.
    :param first: beginning of the span; None for an open one.
    :param last: its end; None for an open one.
    :return: the text of the first one found; None when there is none.
    """
    for text in extremes(texts):
        time = offset_time(text)
        if time is not None and ((first is not None and time < first) or (last is not None and time > last)):
            return text
    return None


def _seconds(value: object) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return float(value) if -(2**53) < value < 2**53 else math.inf
    text = value.strip() if isinstance(value, str) else ""
    if found := _DURATION.fullmatch(text):
        return float(found[1]) * _UNITS[found[2].lower()]
    if found := _TIMEDELTA.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    return float(text) if re.fullmatch(r"\d+(?:\.\d+)?", text, re.ASCII) else math.nan
