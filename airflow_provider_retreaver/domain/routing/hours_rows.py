"""Rows of business hours (Retreaver's reference: "Nested Attribute: Business Hours"; "Target API").

A target has rows, one or several for a day of the week (0 is Sunday), in its own time zone. A row is open from
`time_open`
to `time_close` (HHMM, 0 to 2400); with `invert` it is closed then and open for the rest of that day; without
`work_day` it
is closed. So a row never continues on the next day: a shift from Monday 22:00 to Tuesday 06:00 is the end of Monday
and the
beginning of Tuesday, and a day that is open at its beginning and its end has one inverted row.

All times are local times: daylight saving time changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.quoting import quoted

DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
DAY = 24 * 60
WEEK = 7 * DAY

Span = tuple[int, int]
# Open minutes as spans from the first to before the last, in order, none touching the next.
Spans = tuple[Span, ...]


def merged(spans: Iterable[Span]) -> Spans:
    """Return spans in order, with overlapping and adjacent ones merged.

    :param spans: pairs of minutes.
    :return: merged spans.
    """
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def without(spans: Iterable[Span], taken: Iterable[Span]) -> Spans:
    """Return spans without other spans.

    :param spans: pairs of minutes.
    :param taken: spans to remove from them.
    :return: what is left, merged.
    """
    left = list(spans)
    for start, end in taken:
        left = [part for span in left for part in ((span[0], min(span[1], start)), (max(span[0], end), span[1]))]
        left = [part for part in left if part[0] < part[1]]
    return merged(left)


def of_day(week: Iterable[Span], day: int) -> Spans:
    """Return the part of a week's spans that is in one day.

    :param week: spans in minutes of the week.
    :param day: of the week, 0 is Sunday.
    :return: spans in minutes of the day.
    """
    start = day * DAY
    return merged((max(one, start) - start, min(other, start + DAY) - start) for one, other in week)


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of one row.

    :param work_day: False closes it.
    :param time_open: minutes from the day's beginning.
    :param time_close: minutes from the day's beginning.
    :param invert: closed between the two, open before and after.
    """

    work_day: bool
    time_open: int
    time_close: int
    invert: bool

    def wire(self) -> dict[str, object]:
        """Return the attributes that Retreaver takes.

        :return: `work_day`, `time_open`, `time_close` (HHMM) and `invert`.
        """
        return {
            "work_day": self.work_day,
            "time_open": _hhmm(self.time_open),
            "time_close": _hhmm(self.time_close),
            "invert": self.invert,
        }

    def __str__(self) -> str:
        """Write it as `09:00-17:30`, `all but 06:00-22:00`, or `off (09:00-17:30)`."""
        span = span_text((self.time_open, self.time_close))
        text = f"all but {span}" if self.invert else span
        return text if self.work_day else f"off ({text})"


ALL_DAY = Hours(work_day=True, time_open=0, time_close=DAY, invert=False)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a target.

    :param id: Retreaver's ID of the row.
    :param day: of the week, 0 is Sunday.
    :param hours: of the row.
    """

    id: int
    day: int
    hours: Hours

    @classmethod
    def read(cls, value: object, owner: str) -> Row:
        """Read a row from a response.

        :param value: the row.
        :param owner: name of the target, for the error.
        :return: the row.
        :raises ProtocolError: when it is invalid, naming the day if it is known.
        """
        row = value if isinstance(value, Mapping) else {}
        id_, day = row.get("id"), row.get("day_of_week")
        if not _is_number(id_) or not _is_number(day) or not 0 <= day <= 6:
            raise ProtocolError(f"{owner} came with a row of business hours without id or day: {quoted(value)}.")
        times = [_minutes(row.get(name, default)) for name, default in (("time_open", 0), ("time_close", 2400))]
        # The documents have both names; two that differ are as unreadable as any other value.
        inverted = [row[name] for name in ("invert", "inverted") if name in row] or [False]
        flags = [row.get("work_day", True), *(inverted[:1] if inverted[0] == inverted[-1] else [None])]
        first, last = times
        if first is None or last is None or not all(isinstance(flag, bool) for flag in flags):
            raise ProtocolError(f"{owner} came with business hours on {DAYS[day]} that are invalid: {quoted(value)}.")
        return cls(id_, day, Hours(flags[0], first, last, flags[1]))


def rows_of(target: Mapping[str, object], owner: str) -> dict[int, list[Row]]:
    """Return the rows of a target by day of the week.

    :param target: the target.
    :param owner: name of the target, for the error.
    :return: rows by day, each day's in the order of their IDs.
    :raises ProtocolError: when the target has no business hours, or invalid ones.
    """
    found = target.get("business_hours")
    if not isinstance(found, list):
        raise ProtocolError(f"{owner} came without 'business_hours', which Retreaver documents for it.")
    rows = sorted((Row.read(value, owner) for value in found), key=lambda row: row.id)
    return {day: [row for row in rows if row.day == day] for day in range(7)}


def open_spans(rows: Sequence[Hours]) -> Spans | None:
    """Return when the rows of one day are open.

    Open where any row is open, without what an inverted row closes. The documents do not define a row that closes
    before it
    opens.

    :param rows: hours of the rows.
    :return: spans in minutes of the day, None when the documents do not define them.
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
    """Return when the rows of one day are open, as text.

    :param rows: hours of the rows.
    :return: e.g. `09:00-12:00, 13:00-17:00`, `closed`, `24h`.
    """
    spans = open_spans(rows)
    return f"unclear ({'; '.join(map(str, rows))})" if spans is None else spans_text(spans)


def spans_text(spans: Spans) -> str:
    """Return open spans of a day as text.

    :param spans: in minutes of the day.
    :return: e.g. `09:00-12:00, 13:00-17:00`, `closed`, `24h`.
    """
    if spans == ((0, DAY),):
        return "24h"
    return ", ".join(map(span_text, spans)) or "closed"


def span_text(span: Span) -> str:
    """Return a span of a day as text.

    :param span: in minutes of the day.
    :return: e.g. `09:00-17:30`.
    """
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in span)


def rows_for(spans: Spans, present: Sequence[Hours]) -> list[Hours] | str:
    """Return the hours that the rows of a day need for given open spans, or why there are none.

    A row that can stay unchanged stays. Rows that are not needed repeat another row of the day, which means the same
    however
    rows are combined; a plain and an inverted row, or two different inverted ones, are never combined, since the
    documents do
    not define them together.

    :param spans: open spans of the day.
    :param present: hours of the rows now; rows are neither added nor removed.
    :return: hours for each row, or the reason as a clause.
    """
    if open_spans(present) == spans:
        return list(present)
    if not present:
        return "the target has no row for that day, and a row that is added cannot be removed again"
    if not spans:
        return [replace(row, work_day=False) for row in present]
    if len(spans) <= len(present):
        return _placed([replace(ALL_DAY, time_open=start, time_close=end) for start, end in spans], present)
    if len(spans) == 2 and spans[0][0] == 0 and spans[1][1] == DAY:
        return [replace(ALL_DAY, time_open=spans[0][1], time_close=spans[1][0], invert=True)]
    there = "one row, which holds one span (or all but one)" if len(present) == 1 else f"{len(present)} rows"
    return f"{spans_text(spans)} takes {len(spans)} rows, and the target has {there} for that day"


def _placed(needed: list[Hours], present: Sequence[Hours]) -> list[Hours]:
    """Return hours for every row, leaving rows unchanged that already have needed hours."""
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


def _minutes(value: object) -> int | None:
    if not _is_number(value) or not 0 <= value <= 2400 or value % 100 > 59:
        return None
    return value // 100 * 60 + value % 100


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
