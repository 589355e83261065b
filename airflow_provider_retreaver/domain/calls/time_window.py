"""Windows of time: in which calls are counted, and for which they are exported.

Times are aware. A date without a time means its midnight in UTC; a time without an offset is refused, since every
guess at it would be wrong somewhere.
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
# A difference of clocks that was learnt late and moves a window by more than this is put right.
NOTABLE = timedelta(seconds=2)
DAY = timedelta(days=1)
# What a run without a data interval is taken to be about: this much before it.
WITHOUT_INTERVAL = DAY
# More parts than any scheduler would run.
MOST_PARTS = 100_000


@dataclass(frozen=True, slots=True)
class Window:
    """A window; exactly one of `seconds` and `start` is set.

    :param seconds: length of a window that ends now and slides along.
    :param start: RFC 3339.
    :param end: RFC 3339; None for a window that stays open.
    """

    seconds: float | None = None
    start: str | None = None
    end: str | None = None

    @classmethod
    def of(cls, window: Any, start: Any, end: Any) -> Window:
        """Build it from a sensor's parameters.

        :raises InvalidArgument: naming the parameter that cannot be right.
        """
        if is_given(window) == is_given(start):
            raise InvalidArgument("Give either window, like '1h', or start: one of them says which calls are meant.")
        if is_given(window):
            if is_given(end):
                raise InvalidArgument("end goes with start; a window ends now.")
            return cls(seconds=duration(window, "window"))
        first, last = time_parameters.time_span(start, end if is_given(end) else None, ("start", "end"))
        return cls(start=first, end=last)

    @property
    def sliding(self) -> bool:
        """Whether it moves with time."""
        return self.seconds is not None

    @property
    def told(self) -> str:
        """How it is called in logs."""
        if self.seconds is not None:
            return f"the last {format_duration(self.seconds)}"
        return f"{self.start} to {self.end or 'now'}"

    def bounds(self, moment: ClockReading) -> tuple[str, str | None]:
        """Return where it begins and ends at a moment, as RFC 3339."""
        if self.seconds is not None:
            return (moment.server_time - timedelta(seconds=self.seconds)).isoformat(timespec="milliseconds"), None
        return self.start or "", self.end

    def is_settled(self, now: datetime) -> bool:
        """Whether no further call can enter it; see the function of the same name.

        :param now: the time by Retreaver's clock.
        """
        return is_settled(None if self.end is None else time_parameters.instant(self.end), now)


def is_settled(end: datetime | None, now: datetime) -> bool:
    """Whether no further call can enter a window: it ended at least 60 seconds ago.

    Exports, loads into tables, recordings and sensors all decide by this rule.

    :param end: of the window, aware; None for a window without an end, which is never settled.
    :param now: the time by Retreaver's clock, aware.
    """
    return end is not None and now >= end + SETTLE_TIME


def split_window(start: Any, end: Any, every: Any) -> list[dict[str, str]]:
    """Divide a span of time into parts that touch and do not overlap, for `expand_kwargs`.

    Whole days are days of the calendar in the time zone of `start`, 23 or 25 hours long where clocks change; any
    other length is time as it passes. The last part may be shorter.

    :param start: aware datetime, RFC 3339 text with an offset, or a date (midnight UTC).
    :param end: the same; not part of the last part.
    :param every: length of a part: a timedelta, seconds, or a text such as `1d` or `6h`.
    :return: `[{"start": RFC 3339, "end": RFC 3339}, …]`, each part's end being the next one's start.
    :raises InvalidArgument: naming the parameter that cannot be right.
    """
    first, last = window_of(start, end)
    step = timedelta(seconds=duration(every, "every"))
    begin, finish = first.astimezone(UTC), last.astimezone(UTC)
    if (finish - begin) / step > MOST_PARTS:
        raise InvalidArgument(
            f"every ({every}) divides the window into more than {MOST_PARTS} parts; make the parts longer."
        )
    # In UTC, since times of one zone are compared by their faces, which clocks show twice in autumn.
    cuts = [begin]
    for moment in takewhile(lambda moment: moment < finish, _steps(first, step)):
        # A day that a time zone has skipped would be empty.
        if moment > cuts[-1]:
            cuts.append(moment)
    faces = [first, *(cut.astimezone(first.tzinfo) for cut in cuts[1:]), last.astimezone(first.tzinfo)]
    return [{"start": one.isoformat(), "end": other.isoformat()} for one, other in pairwise(faces)]


def _steps(first: datetime, step: timedelta) -> Iterator[datetime]:
    whole_days = step % DAY == timedelta(0)
    for number in count(1):
        if whole_days:
            # Within one zone this is the wall clock's; a time that it skips becomes the one it shows then.
            yield (first + number * step).replace(fold=0).astimezone(UTC)
        else:
            yield first.astimezone(UTC) + number * step


def window_of(start: Any, end: Any) -> tuple[datetime, datetime]:
    """Return both ends of a span of time.

    :raises InvalidArgument: when one is no time, or has no offset, or the end is not after the start.
    """
    first, last = moment_of(start, "start"), moment_of(end, "end")
    if last.astimezone(UTC) <= first.astimezone(UTC):
        raise InvalidArgument(f"end ({last.isoformat()}) must be after start ({first.isoformat()}).")
    return first, last


def moment_of(value: Any, name: str) -> datetime:
    """Return an aware datetime; see the module's text for what is taken.

    :param value: an aware datetime, a date, or the text of one of both.
    :raises InvalidArgument: naming the parameter.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        # Not pendulum's own class, whose days are not the wall clock's.
        return datetime.combine(value.date(), value.time().replace(fold=value.fold), value.tzinfo)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return time_parameters.instant(time_parameters.timestamp(value, name))


def window_of_run(start: Any, end: Any, context: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    """Return the window that a task is about: its parameters, or else its run's data interval.

    A run without a data interval, or with an empty one (asset-triggered, manual), is about the day that ends with it.

    :param start: parameter, None or a blank text when not given.
    :param end: parameter, the same.
    :param context: the task's context.
    :param now: for a context that tells no time at all.
    :raises InvalidArgument: naming the parameter.
    """
    if not is_given(start) and not is_given(end):
        return _of_run(context, now)
    if is_given(start) and is_given(end):
        return window_of(start, end)
    missing, there = ("end", "start") if is_given(start) else ("start", "end")
    raise InvalidArgument(f"{there} was given without {missing}; give both, or none for the run's data interval.")


def _of_run(context: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is not None and end is not None and start < end:
        return moment_of(start, "data_interval_start"), moment_of(end, "data_interval_end")
    run = context.get("dag_run")
    # The same in every attempt of the run, so that a retry is about the same window.
    known = (end, context.get("logical_date"), getattr(run, "run_after", None), getattr(run, "start_date", None), now)
    last = moment_of(next(moment for moment in known if moment is not None), "the run's time").astimezone(UTC)
    return last - WITHOUT_INTERVAL, last
