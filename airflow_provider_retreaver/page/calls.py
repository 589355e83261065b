"""What the page shows of calls: by hour beside earlier weeks, and today's totals, from reports. No I/O.

Reports are sums, so that no call and no caller is read (Retreaver's reference: "Reports").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.core.operations import Operation, Procedure, Row, Together
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.resources.reports import Facet, report_calls

WEEKS = 4
TABLES: tuple[Facet, ...] = ("campaign", "buyer", "publisher")
# An hour that ended so long ago is not asked for again: Retreaver caches reports, and calls end late.
SETTLED = timedelta(hours=3)
HOUR = timedelta(hours=1)
NAME_LENGTH = 80
# Rows of a table at most; those with most calls come first.
MOST_ROWS = 50

Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of calls.

    :param calls: how many.
    :param converted: how many of them converted.
    :param revenue: in the account's currency.
    :param payout: in the account's currency.
    """

    calls: int = 0
    converted: int = 0
    revenue: float = 0.0
    payout: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.calls + other.calls,
            self.converted + other.converted,
            self.revenue + other.revenue,
            self.payout + other.payout,
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: a campaign, buyer or publisher.

    :param name: of the object.
    :param totals: of its calls today.
    """

    name: str
    totals: Totals


@dataclass(frozen=True, slots=True)
class CallsRead:
    """Sums of calls as read.

    :param hours: sums by hour, in UTC.
    :param tables: today's rows by facet, with most calls first.
    :param settled: hours that are not asked for again.
    """

    hours: Mapping[datetime, Totals]
    tables: Mapping[Facet, tuple[Line, ...]]
    settled: frozenset[datetime]


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of the day.

    :param hour: 0 to 23, on the clock of the chosen zone.
    :param today: today's sums; None for an hour to come.
    :param earlier: calls in the same hour of the same weekday, one, two … weeks ago.
    """

    hour: int
    today: Totals | None
    earlier: tuple[int, ...]

    @property
    def usual(self) -> float:
        """Calls of the earlier weeks on average."""
        return sum(self.earlier) / len(self.earlier) if self.earlier else 0.0

    @property
    def label(self) -> str:
        """The hour as a clock shows it, e.g. `09:00`."""
        return f"{self.hour:02}:00"


@dataclass(frozen=True, slots=True)
class Day:
    """Today beside earlier weeks.

    :param day: in the chosen zone.
    :param hours: of the day, in order.
    :param tables: today's rows by facet.
    :param total: of today.
    :param usual: calls until this hour in earlier weeks, on average.
    """

    day: date
    hours: tuple[Hour, ...]
    tables: Mapping[Facet, tuple[Line, ...]]
    total: Totals
    usual: float


def hours_of(day: date, zone: ZoneInfo) -> list[datetime]:
    """Return the beginnings of the hours of a day; it has 23 or 25 when clocks change.

    :param day: in the zone.
    :param zone: of the clock.
    :return: in UTC.
    """
    first, end = (datetime.combine(one, time(), zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return [first + HOUR * index for index in range(round((end - first) / HOUR))]


def read_calls(now: datetime, zone: ZoneInfo, before: CallsRead | None) -> Procedure[CallsRead]:
    """Read the sums of today and of the same weekday in earlier weeks, an hour by each report.

    What is settled is read once: about a hundred small reports at the first poll of a day, four or so afterwards.

    :param now: aware.
    :param zone: of the clock by which a day begins.
    :param before: what the last poll read.
    :return: the sums.
    :raises RetreaverError: when a report cannot be read.
    """
    today = now.astimezone(zone).date()
    days = [hours_of(today - timedelta(weeks=week), zone) for week in range(WEEKS + 1)]
    wanted = [hour for day in days for hour in day if hour < now]
    known = before.hours if before is not None else {}
    settled = before.settled if before is not None else frozenset()
    unknown = [hour for hour in wanted if hour not in settled]
    outcomes = (yield Together([_sum_of(hour, min(hour + HOUR, now)) for hour in unknown])) if unknown else []
    sums = {hour: known[hour] for hour in wanted if hour in settled}
    for hour, outcome in zip(unknown, outcomes, strict=True):
        if outcome.error is not None:
            raise outcome.error
        sums[hour] = outcome.value
    tables: dict[Facet, tuple[Line, ...]] = {}
    for facet in TABLES:
        rows: list[Row] = []
        if now > days[0][0]:
            rows = yield report_calls(facet, created_at_start=days[0][0], created_at_end=now)
        lines = [Line(_name(row), _totals(row)) for row in rows]
        tables[facet] = tuple(sorted(lines, key=lambda line: (-line.totals.calls, line.name)))
    return CallsRead(sums, tables, frozenset(hour for hour in wanted if hour + HOUR + SETTLED <= now))


def _sum_of(start: datetime, end: datetime) -> Operation[Totals]:
    """Return the operation that reads the sums of one window, of an hour at most."""
    # A window of no length is refused; the first second of an hour shows the hour's beginning.
    listing = report_calls("daily", created_at_start=start, created_at_end=max(end, start + timedelta(seconds=1)))

    def read(request: Any, response: Any) -> Totals:
        rows, _ = listing.read(request, response, listing.envelope)
        return sum(map(_totals, rows), Totals())

    return Operation(listing.request, read, listing.legacy)


def _totals(row: Row) -> Totals:
    return Totals(
        round(_number(row.get("total_calls"))),
        round(_number(row.get("converted_count"))),
        _number(row.get("revenue")),
        _number(row.get("payout")),
    )


def _number(value: object) -> float:
    """Return a number of a report, where counts come as floats and amounts may come as texts."""
    if isinstance(value, bool) or value is None:
        return 0.0
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0
    return number if number == number and abs(number) < 1e15 else 0.0  # noqa: PLR0124 - NaN


def _name(row: Row) -> str:
    name = row.get("facet_name")
    if name is None or not str(name).strip():
        name = f"no name, ID {row['id']}" if row.get("id") is not None else "none"
    return one_line(without_secrets(name), NAME_LENGTH)


def day_of(read: CallsRead, now: datetime, zone: ZoneInfo) -> Day:
    """Return today beside earlier weeks.

    :param read: the sums.
    :param now: aware.
    :param zone: of the clock.
    :return: what is shown.
    """
    today = now.astimezone(zone).date()
    weeks = [_by_clock(read, today - timedelta(weeks=week), zone) for week in range(WEEKS + 1)]
    hours = []
    for hour in range(24):
        earlier = tuple(week[hour].calls if hour in week else 0 for week in weeks[1:])
        hours.append(Hour(hour, weeks[0].get(hour), earlier))
    current = now.astimezone(zone)
    # The current hour counts as far as it has gone.
    gone = (current.minute * 60 + current.second) / 3600
    usual = sum(one.usual for one in hours[: current.hour]) + hours[current.hour].usual * gone
    total = sum((one.today for one in hours if one.today is not None), Totals())
    return Day(today, tuple(hours), read.tables, total, usual)


def _by_clock(read: CallsRead, day: date, zone: ZoneInfo) -> dict[int, Totals]:
    """Return the sums of a day by the hour that the clock shows: when it is set back, an hour is there twice."""
    found: dict[int, Totals] = {}
    for start in hours_of(day, zone):
        if start in read.hours:
            hour = start.astimezone(zone).hour
            found[hour] = found.get(hour, Totals()) + read.hours[start]
    return found
