"""Windows of time, for sensors that count calls and for exports.

Times are aware. A date without a time means its midnight in UTC; a time without an offset is refused, since it could
be any of 24.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, pairwise, takewhile
from typing import Any

from airflow_provider_retreaver.core import time_parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import ClockReading
from airflow_provider_retreaver.core.parameters import is_given
from airflow_provider_retreaver.core.time_parameters import duration, format_duration

# Retreaver may list a call a little after it was created; until then a window that has ended can still get calls.
SETTLE_TIME = timedelta(seconds=60)
# A window is counted again when a difference of clocks that was learned late moves it by more than this.
MIN_CLOCK_CHANGE = timedelta(seconds=2)
DAY = timedelta(days=1)
# The window of a run without a data interval: this much before it.
WITHOUT_INTERVAL = DAY
# A scheduler runs fewer mapped tasks.
MAX_PARTS = 100_000


@dataclass(frozen=True, slots=True)
class Window:
    """A window of a sensor; exactly one of `seconds` and `start` is set.

    :param seconds: length of a window that always ends now.
    :param start: RFC 3339.
    :param end: RFC 3339; None for a window that stays open.
    """

    seconds: float | None = None
    start: str | None = None
    end: str | None = None

    @classmethod
    def of(cls, window: object, start: object, end: object) -> Window:
        """Return the window of a sensor's parameters.

        :param window: length of time before now, e.g. `1h`.
        :param start: time as RFC 3339 or aware datetime; exactly one of `window` and `start` is given.
        :param end: time, only with `start`.
        :return: the window.
        :raises InvalidArgument: naming the parameter that is wrong.
        """
        if is_given(window) == is_given(start):
            raise InvalidArgument("Give either window, like '1h', or start.")
        if is_given(window):
            if is_given(end):
                raise InvalidArgument("end goes with start; a window ends now.")
            return cls(seconds=duration(window, "window"))
        first, last = time_parameters.time_span(start, end if is_given(end) else None, ("start", "end"))
        return cls(start=first, end=last)

    @property
    def sliding(self) -> bool:
        """Whether it always ends now."""
        return self.seconds is not None

    @property
    def label(self) -> str:
        """Its name in logs."""
        if self.seconds is not None:
            return f"the last {format_duration(self.seconds)}"
        return f"{self.start} to {self.end or 'now'}"

    def bounds(self, clock: ClockReading) -> tuple[str, str | None]:
        """Return its start and end at a given time.

        :param clock: the time, here and at Retreaver.
        :return: start and end as RFC 3339; the end is None for a window without one.
        """
        if self.seconds is not None:
            return (clock.server_time - timedelta(seconds=self.seconds)).isoformat(timespec="milliseconds"), None
        return self.start or "", self.end

    def is_settled(self, now: datetime) -> bool:
        """Whether no further call can enter it.

        :param now: the time by Retreaver's clock.
        :return: what the function `is_settled` decides.
        """
        return is_settled(None if self.end is None else time_parameters.instant(self.end), now)


def is_settled(end: datetime | None, now: datetime) -> bool:
    """Whether no further call can enter a window: it ended at least 60 seconds ago.

    Exports, loads into tables, recordings and sensors all decide by this rule.

    :param end: of the window, aware; None for a window without an end, which is never settled.
    :param now: the time by Retreaver's clock, aware.
    :return: whether the window is settled.
    """
    return end is not None and now >= end + SETTLE_TIME


def split_window(start: object, end: object, every: object) -> list[dict[str, str]]:
    """Divide a span of time into parts that touch and do not overlap, for `expand_kwargs`.

    Whole days are days of the calendar in the time zone of `start`, 23 or 25 hours long where clocks change; any
    other length is time as it passes. The last part may be shorter.

    :param start: aware datetime, RFC 3339 text with an offset, or a date (midnight UTC).
    :param end: the same; not part of the last part.
    :param every: length of a part: a timedelta, seconds, or a text such as `1d` or `6h`.
    :return: `[{"start": RFC 3339, "end": RFC 3339}, …]`, each part's end being the next one's start.
    :raises InvalidArgument: naming the parameter that is wrong.
    """
    first, last = window_between(start, end)
    step = timedelta(seconds=duration(every, "every"))
    begin, finish = first.astimezone(UTC), last.astimezone(UTC)
    if (finish - begin) / step > MAX_PARTS:
        raise InvalidArgument(
            f"every ({every}) divides the window into more than {MAX_PARTS} parts; make the parts longer."
        )
    # In UTC: Python compares times of one zone by their wall clock, which has an hour twice in autumn.
    cuts = [begin]
    for cut in takewhile(lambda cut: cut < finish, _steps(first, step)):
        # A day that a time zone skips would be empty.
        if cut > cuts[-1]:
            cuts.append(cut)
    ends = [first, *(cut.astimezone(first.tzinfo) for cut in cuts[1:]), last.astimezone(first.tzinfo)]
    return [{"start": one.isoformat(), "end": other.isoformat()} for one, other in pairwise(ends)]


def _steps(first: datetime, step: timedelta) -> Iterator[datetime]:
    whole_days = step % DAY == timedelta(0)
    for number in count(1):
        if whole_days:
            # Within one zone Python adds wall-clock days; a time that the clock skips becomes the following one.
            yield (first + number * step).replace(fold=0).astimezone(UTC)
        else:
            yield first.astimezone(UTC) + number * step


def window_between(start: object, end: object) -> tuple[datetime, datetime]:
    """Return both ends of a window.

    :param start: see `aware_time`.
    :param end: the same.
    :return: start and end.
    :raises InvalidArgument: when one is not a time or has no offset, or the end is not after the start.
    """
    first, last = aware_time(start, "start"), aware_time(end, "end")
    if last.astimezone(UTC) <= first.astimezone(UTC):
        raise InvalidArgument(f"end ({last.isoformat()}) must be after start ({first.isoformat()}).")
    return first, last


def aware_time(value: object, name: str) -> datetime:
    """Return the time that a parameter stands for.

    :param value: an aware datetime, a date (midnight UTC), or the RFC 3339 text of one of them.
    :param name: name of the parameter, for the error.
    :return: an aware datetime.
    :raises InvalidArgument: when it is not a time, or has no offset.
    """
    if isinstance(value, datetime) and value.tzinfo is not None and value.year in time_parameters.YEARS:
        # A plain datetime: pendulum's class does not add wall-clock days.
        return datetime.combine(value.date(), value.time().replace(fold=value.fold), value.tzinfo)
    if isinstance(value, date) and not isinstance(value, datetime) and value.year in time_parameters.YEARS:
        return datetime.combine(value, time(), UTC)
    return time_parameters.instant(time_parameters.timestamp(value, name))


def window_of_run(start: object, end: object, context: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    """Return the window of a task: its parameters, or else its run's data interval.

    The window of a run without a data interval, or with an empty one (asset-triggered, manual), is the 24 hours
    before the run.

    :param start: the parameter; None or a blank text means that it was left out.
    :param end: the parameter, the same.
    :param context: the task's context.
    :param now: for a context without any time.
    :return: start and end, the same in every attempt of the run.
    :raises InvalidArgument: naming the parameter that is wrong.
    """
    if not is_given(start) and not is_given(end):
        return _of_run(context, now)
    if is_given(start) and is_given(end):
        return window_between(start, end)
    missing, given = ("end", "start") if is_given(start) else ("start", "end")
    raise InvalidArgument(f"{given} was given without {missing}; give both, or neither for the run's data interval.")


def _of_run(context: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is not None and end is not None and start < end:
        return aware_time(start, "data_interval_start"), aware_time(end, "data_interval_end")
    run = context.get("dag_run")
    # The same in every attempt of the run, so that a retry has the same window.
    times = (end, context.get("logical_date"), getattr(run, "run_after", None), getattr(run, "start_date", None), now)
    last = aware_time(next(time for time in times if time is not None), "the run's time").astimezone(UTC)
    return last - WITHOUT_INTERVAL, last
