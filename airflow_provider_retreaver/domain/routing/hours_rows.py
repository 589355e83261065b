"""What business hours mean (vendor's reference: "Nested Attribute: Business Hours"; "Target API").

A target has rows, one or several for a day of the week (0 is Sunday), in its own time zone. A row is open from
`time_open` to `time_close` (HHMM, 0 to 2400); with `invert` it is closed there and open for the rest of that day;
without `work_day` it is closed. So a row never reaches into the next day: a shift from Monday 22:00 to Tuesday 06:00
is the end of Monday and the beginning of Tuesday, and a day with a beginning and an end of one row is inverted.

Everything here is wall-clock time: a change to or from daylight saving moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from airflow_provider_retreaver.core.errors import ProtocolError

DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
DAY = 24 * 60
WEEK = 7 * DAY

Span = tuple[int, int]
# Open minutes as spans from the first to before the last, in order, none touching the next.
Spans = tuple[Span, ...]


def merged(spans: Iterable[Span]) -> Spans:
    """Return spans in order, with those that overlap or touch made one."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def without(spans: Iterable[Span], taken: Iterable[Span]) -> Spans:
    """Return what is left of spans when others are taken out of them."""
    left = list(spans)
    for start, end in taken:
        left = [part for span in left for part in ((span[0], min(span[1], start)), (max(span[0], end), span[1]))]
        left = [part for part in left if part[0] < part[1]]
    return merged(left)


def of_day(week: Iterable[Span], day: int) -> Spans:
    """Return the part of a week's spans that lies in a day, in minutes of that day."""
    start = day * DAY
    return merged((max(one, start) - start, min(other, start + DAY) - start) for one, other in week)


@dataclass(frozen=True, slots=True)
class Hours:
    """What one row says.

    :param work_day: False closes it.
    :param time_open: minutes from the day's beginning.
    :param time_close: minutes from the day's beginning.
    :param invert: closed between the two, open before and after.
    """

    work_day: bool
    time_open: int
    time_close: int
    invert: bool

    def wire(self) -> dict[str, Any]:
        """Return the attributes that the vendor takes."""
        return {
            "work_day": self.work_day,
            "time_open": _hhmm(self.time_open),
            "time_close": _hhmm(self.time_close),
            "invert": self.invert,
        }

    def __str__(self) -> str:
        """Write it as `09:00-17:30`, `all but 06:00-22:00`, or `off (09:00-17:30)`."""
        span = span_text((self.time_open, self.time_close))
        said = f"all but {span}" if self.invert else span
        return said if self.work_day else f"off ({said})"


ALL_DAY = Hours(work_day=True, time_open=0, time_close=DAY, invert=False)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a target.

    :param id: by which the vendor changes it.
    :param day: of the week, 0 is Sunday.
    """

    id: int
    day: int
    hours: Hours

    @classmethod
    def read(cls, value: Any, owner: str) -> Row:
        """Read a row as the vendor sends it.

        :param owner: whose row it is, for the error.
        :raises ProtocolError: when it is no row, naming the day as far as it is known.
        """
        row = value if isinstance(value, Mapping) else {}
        id_, day = row.get("id"), row.get("day_of_week")
        if not _is_number(id_) or not _is_number(day) or not 0 <= day <= 6:
            raise ProtocolError(f"{owner} came with a row of business hours without id or day: {value!r}.")
        times = [_minutes(row.get(name, default)) for name, default in (("time_open", 0), ("time_close", 2400))]
        flags = [row.get(name, default) for name, default in (("work_day", True), ("invert", False))]
        first, last = times
        if first is None or last is None or not all(isinstance(flag, bool) for flag in flags):
            raise ProtocolError(f"{owner} came with business hours on {DAYS[day]} that are none: {value!r}.")
        return cls(id_, day, Hours(flags[0], first, last, flags[1]))


def rows_of(target: Mapping[str, Any], owner: str) -> dict[int, list[Row]]:
    """Return the rows of a target by day of the week, each day's in the order of their IDs.

    :raises ProtocolError: when the target came without business hours, or with odd ones.
    """
    found = target.get("business_hours")
    if not isinstance(found, list):
        raise ProtocolError(f"{owner} came without 'business_hours', which the vendor documents for it.")
    rows = sorted((Row.read(value, owner) for value in found), key=lambda row: row.id)
    return {day: [row for row in rows if row.day == day] for day in range(7)}


def open_spans(rows: Sequence[Hours]) -> Spans | None:
    """Return when the rows of one day are open, None where the vendor does not say what they mean.

    Open where any row is open, less what an inverted row closes. A row that closes before it opens means nothing
    that is documented.
    """
    working = [row for row in rows if row.work_day]
    if any(row.time_open > row.time_close for row in working):
        return None
    plain = [(row.time_open, row.time_close) for row in working if not row.invert]
    closed = [(row.time_open, row.time_close) for row in working if row.invert]
    if not working:
        return ()
    return without(plain or [(0, DAY)], closed)


def day_text(rows: Sequence[Hours]) -> str:
    """Return when the rows of one day are open, as people write it: `09:00-12:00, 13:00-17:00`, `closed`, `24h`."""
    spans = open_spans(rows)
    return f"unclear ({'; '.join(map(str, rows))})" if spans is None else spans_text(spans)


def spans_text(spans: Spans) -> str:
    """Write the open spans of a day."""
    if spans == ((0, DAY),):
        return "24h"
    return ", ".join(map(span_text, spans)) or "closed"


def span_text(span: Span) -> str:
    """Write a span of a day as `09:00-17:30`."""
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in span)


def rows_for(wanted: Spans, present: Sequence[Hours]) -> list[Hours] | str:
    """Return what the rows of a day have to say for it to be open as wanted, or why no such rows exist.

    A row that can stay as it is stays. Rows that are not needed repeat another one of the day, which means the same
    however rows are combined; a plain and an inverted row, or two different inverted ones, are never put beside
    each other, since the vendor does not say what they mean together.

    :param wanted: open spans of the day.
    :param present: what the rows say now; their number is the number of rows there are.
    """
    if open_spans(present) == wanted:
        return list(present)
    if not present:
        return "the target has no row for that day, and a row that is added cannot be taken away again"
    if not wanted:
        return [replace(row, work_day=False) for row in present]
    if len(wanted) <= len(present):
        return _placed([replace(ALL_DAY, time_open=start, time_close=end) for start, end in wanted], present)
    if len(wanted) == 2 and wanted[0][0] == 0 and wanted[1][1] == DAY:
        return [replace(ALL_DAY, time_open=wanted[0][1], time_close=wanted[1][0], invert=True)]
    held = "one row, which holds one span (or all but one)" if len(present) == 1 else f"{len(present)} rows"
    return f"{spans_text(wanted)} takes {len(wanted)} rows, and the target has {held} for that day"


def _placed(needed: list[Hours], present: Sequence[Hours]) -> list[Hours]:
    """Give every row something to say, leaving alone those that already say it."""
    missing = [hours for hours in needed if hours not in present]
    placed: list[Hours] = []
    for row in present:
        if row in needed and row not in placed:
            placed.append(row)
        else:
            placed.append(missing.pop(0) if missing else needed[0])
    return placed


def _hhmm(minutes: int) -> int:
    return minutes // 60 * 100 + minutes % 60


def _minutes(value: Any) -> int | None:
    if not _is_number(value) or not 0 <= value <= 2400 or value % 100 > 59:
        return None
    return value // 100 * 60 + value % 100


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
