"""The number of calls in a window (Retreaver's reference: "Calls").

With filters that Retreaver has, a count costs two requests however many calls there are: the first page and the last.
With filters that it does not have, the window is read once, and after that only calls that were updated since, by
Retreaver's own times, with an overlap for calls that moved while pages were read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Self

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import ClockReading, Count, Each, Procedure, Row, ServerTime, Wait
from airflow_provider_retreaver.core.parameters import flag, number
from airflow_provider_retreaver.core.quoting import one_line, quoted
from airflow_provider_retreaver.core.time_parameters import instant, read_instant
from airflow_provider_retreaver.domain.calls.time_window import MIN_CLOCK_CHANGE, Window
from airflow_provider_retreaver.domain.watching.call_filters import CallFilters
from airflow_provider_retreaver.domain.watching.condition import Condition, Evaluation, Query, QueryState
from airflow_provider_retreaver.resources import calls

# Read again in the next run: a call that is updated while pages are read can move to a page that was read before.
OVERLAP = timedelta(seconds=60)
# Calls of the state that are checked before other tasks of the event loop run.
CALLS_PER_TURN = 2_000


@dataclass(frozen=True, slots=True)
class WindowCount:
    """The calls in a window.

    :param count: number of calls.
    :param settled: whether no further call can enter the window.
    """

    count: int
    settled: bool


@dataclass(frozen=True, slots=True)
class CallCountQuery(Query[WindowCount]):
    """The number of calls in a window now.

    :param window: the window.
    :param filters: only calls that match.
    :param allow_unknown: count also when an object that the filters name does not exist.
    """

    window: Window
    filters: CallFilters
    allow_unknown: bool = False

    def run(self, state: QueryState, /) -> Procedure[WindowCount]:
        """Count the calls; see `Query.run`."""
        filters = yield from self.filters.find_objects(state, allow_unknown=self.allow_unknown)
        before: ClockReading = yield ServerTime()
        count = yield from self._count(state, before, filters)
        after: ClockReading = yield ServerTime()
        # The offset of the clocks that the responses show also holds for the time before them.
        corrected = ClockReading(before.local_time, after.offset)
        if self.window.sliding and abs(after.offset - before.offset) > MIN_CLOCK_CHANGE:
            if after.offset < before.offset:
                # The window began too late: calls at its beginning were not read, or were dropped from the state.
                state.pop("calls", None)
                state.pop("newest", None)
            count = yield from self._count(state, corrected, filters)
        return WindowCount(count, self.window.is_settled(corrected.server_time))

    @property
    def by_name(self) -> bool:
        """Whether a filter chooses an object by name."""
        return bool(self.filters.names)

    def with_found(self, state: QueryState) -> CallCountQuery:
        """Return the query with the IDs of what was found by name; see `Query.with_found`."""
        return replace(self, filters=self.filters.with_found(state.get("names", {})))

    def _count(self, state: QueryState, clock: ClockReading, filters: CallFilters) -> Procedure[int]:
        start, end = self.window.bounds(clock)
        if not filters.local:
            count: int = yield Count(calls.list_calls(created_at_start=start, created_at_end=end, **filters.sent))
            return count
        matching = _MatchingCalls(state, filters)
        listing = calls.list_calls(
            created_at_start=start,
            created_at_end=end,
            updated_at_start=matching.updated_since,
            sort_by="updated_at",
            **filters.sent,
        )
        yield Each(listing, matching.visit)
        return (yield from matching.save(state, start))


class _MatchingCalls:
    """The calls that match the filters: those of the state, updated by calls that changed since.

    :param state: of the query; only `save` changes it, when the calls were read without an error.
    :param filters: the filters.
    """

    def __init__(self, state: QueryState, filters: CallFilters) -> None:
        self._filters = filters
        self._created_at: dict[str, str] = dict(state.get("calls") or {})
        self._newest = state.get("newest")
        self._first_read: str | None = None

    @property
    def updated_since(self) -> datetime | None:
        """Only calls that were updated after this have to be read; None for all calls."""
        return None if self._newest is None else instant(self._newest) - OVERLAP

    def visit(self, call: Row) -> None:
        """Add a call, or remove one that no longer matches."""
        uuid = _text_field(call, "uuid")
        created, updated = (_time_field(call, name) for name in ("created_at", "updated_at"))
        # Sorted newest first: the first call was the newest when reading began.
        self._first_read = self._first_read or updated
        if self._filters.match(call):
            self._created_at[uuid] = created
        else:
            self._created_at.pop(uuid, None)

    def save(self, state: QueryState, start: str) -> Procedure[int]:
        """Save the calls that are still in the window, and return their number.

        The procedure waits for zero seconds now and then, which lets other tasks of the event loop run: to check a
        hundred thousand calls takes a while.
        """
        since = instant(start)
        kept: dict[str, str] = {}
        for checked, (uuid, created) in enumerate(self._created_at.items(), 1):
            if instant(created) >= since:
                kept[uuid] = created
            if checked % CALLS_PER_TURN == 0:
                yield Wait(0.0)
        state["calls"] = kept
        if self._first_read is not None:
            state["newest"] = self._first_read
        return len(kept)


def _text_field(call: Row, name: str) -> str:
    value = call.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(
            f"Call {one_line(call.get('uuid'))} has no {quoted(name)}, which Retreaver documents for it."
        )
    return value


def _time_field(call: Row, name: str) -> str:
    value = _text_field(call, name)
    if read_instant(value) is None:
        raise ProtocolError(f"Call {one_line(call.get('uuid'))} has the {name} {quoted(value)}, which is no time.")
    return value


@dataclass(frozen=True, slots=True)
class CallVolume(Condition[WindowCount]):
    """A window holds at least, or at most, a number of calls; the condition of `RetreaverCallVolumeSensor`.

    :param start: of a fixed window, RFC 3339; None for a sliding one.
    :param end: of a fixed window, RFC 3339; None for one that stays open.
    :param window: length of a sliding window in seconds; None for a fixed one.
    :param at_least: fewest calls, None for no limit.
    :param at_most: most calls, None for no limit.
    :param filters: only calls that match; see `CallFilters.from_mapping`.
    :param allow_unknown: count also when an object that the filters name does not exist.
    """

    kind: ClassVar[str] = "call_volume"

    start: str | None
    end: str | None
    window: float | None
    at_least: int | None
    at_most: int | None
    filters: Mapping[str, object]
    allow_unknown: bool = False

    @classmethod
    def from_parameters(
        cls,
        *,
        start: object,
        end: object,
        window: object,
        at_least: object,
        at_most: object,
        filters: object,
        allow_unknown: object = False,
    ) -> Self:
        """Build the condition from the sensor's parameters; a trigger stored by an older version has no last one."""
        span = Window.of(window, start, end)
        fewest, most = number(at_least, "at_least"), number(at_most, "at_most")
        if fewest is None and most is None:
            raise InvalidArgument("Give at_least, at_most or both: without them there is nothing to wait for.")
        if fewest is not None and most is not None and fewest > most:
            raise InvalidArgument(f"at_least ({fewest}) is more than at_most ({most}); no count can satisfy both.")
        if most is not None and not span.sliding and span.end is None:
            raise InvalidArgument("at_most needs end, or window: a window that stays open can always get more calls.")
        known = CallFilters.from_mapping(filters).as_dict()
        return cls(span.start, span.end, span.seconds, fewest, most, known, flag(allow_unknown, "allow_unknown"))

    @property
    def _span(self) -> Window:
        return Window(self.window, self.start, self.end)

    @property
    def query(self) -> CallCountQuery:
        """The number of calls in the window."""
        return CallCountQuery(self._span, CallFilters.from_mapping(self.filters), self.allow_unknown)

    def with_found(self, state: QueryState) -> Self:
        """Return the condition with IDs in place of the names that were found."""
        return replace(self, filters=self.query.with_found(state).filters.as_dict())

    def evaluate(self, result: WindowCount) -> Evaluation:
        """Evaluate a count: in a fixed window, `at_most` is met only when no further call can enter it."""
        count, sliding = result.count, self._span.sliding
        enough = self.at_least is None or count >= self.at_least
        few_enough = self.at_most is None or count <= self.at_most
        final = sliding or result.settled or self.at_most is None
        message = f"{count} calls in {self._span.label}, expected {self._expected}"
        impossible = None
        if not sliding and not few_enough:
            impossible = f"There are {message}: the count of a fixed window never falls, so at_most cannot be met."
        elif result.settled and not enough:
            impossible = f"There are {message}: the window has ended, so at_least cannot be met."
        return Evaluation(enough and few_enough and final, count, message, impossible)

    @property
    def _expected(self) -> str:
        limits = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{name} {value}" for name, value in limits if value is not None)
