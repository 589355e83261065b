"""How many calls there are in a window (vendor's reference: "Calls").

Conditions that the vendor filters by cost two requests however many calls there are: the first page and the last.
With conditions that it cannot filter by, the window is read once; after that only calls that were updated since, by
the vendor's own times, with an overlap for calls that moved while pages were read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from airflow_provider_retreaver.core import time_parameters
from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import ClockReading, Count, Each, Procedure, Row, ServerTime, Wait
from airflow_provider_retreaver.core.parameters import number
from airflow_provider_retreaver.domain.calls.time_window import NOTABLE, Window
from airflow_provider_retreaver.domain.watching.call_filters import CallFilters
from airflow_provider_retreaver.domain.watching.condition import Condition, Memory, Question, Verdict
from airflow_provider_retreaver.resources import calls

# Read again at the next round: a call that is updated while pages are read can jump to a page already read.
OVERLAP = timedelta(seconds=60)
# Remembered calls that are looked at before others get a turn.
AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class CallCount(Question):
    """How many calls are in the window now, and whether more can come: `{"count", "closed"}`."""

    window: Window
    filters: CallFilters

    def ask(self, memory: Memory, /) -> Procedure[Any]:
        """Count; see `Question.ask`."""
        before: ClockReading = yield ServerTime()
        count = yield from self._count(memory, before)
        after: ClockReading = yield ServerTime()
        # What the answers say about the vendor's clock holds for the moment before them as well.
        known = ClockReading(before.local_time, after.offset)
        if self.window.sliding and abs(after.offset - before.offset) > NOTABLE:
            if after.offset < before.offset:
                # The window began too late: calls at its beginning were not read, or are forgotten.
                memory.clear()
            count = yield from self._count(memory, known)
        return {"count": count, "closed": self.window.is_settled(known.server_time)}

    def _count(self, memory: Memory, moment: ClockReading) -> Procedure[int]:
        start, end = self.window.bounds(moment)
        if not self.filters.own:
            count: int = yield Count(
                calls.list_calls(created_at_start=start, created_at_end=end, **self.filters.sent)
            )
            return count
        matching = _Matching(memory, self.filters)
        listing = calls.list_calls(
            created_at_start=start,
            created_at_end=end,
            updated_at_start=matching.updated_after,
            sort_by="updated_at",
            **self.filters.sent,
        )
        yield Each(listing, matching.visit)
        return (yield from matching.keep(memory, start))


class _Matching:
    """The calls that match, by uuid, with when they were made: brought up to date by what was updated since.

    :param memory: of the question; it is changed by `keep` only, when the reading has succeeded.
    """

    def __init__(self, memory: Memory, filters: CallFilters) -> None:
        self._filters = filters
        self._found: dict[str, str] = dict(memory.get("calls") or {})
        self._newest: str | None = memory.get("newest")
        self._first: str | None = None

    @property
    def updated_after(self) -> datetime | None:
        """From when on updates are of interest."""
        return None if self._newest is None else time_parameters.instant(self._newest) - OVERLAP

    def visit(self, call: Row) -> None:
        """Take note of one call."""
        uuid, created, updated = (_field(call, name) for name in ("uuid", "created_at", "updated_at"))
        # Newest first: what comes first was the newest when the reading began.
        self._first = self._first or updated
        if self._filters.hold(call):
            self._found[uuid] = created
        else:
            self._found.pop(uuid, None)

    def keep(self, memory: Memory, start: str) -> Procedure[int]:
        """Forget the calls that have left the window, keep the others in memory and return how many they are.

        Between so many calls others get a turn: to look at a hundred thousand takes a while.
        """
        since = time_parameters.instant(start)
        kept: dict[str, str] = {}
        for seen, (uuid, made) in enumerate(self._found.items(), 1):
            if time_parameters.instant(made) >= since:
                kept[uuid] = made
            if seen % AT_ONCE == 0:
                yield Wait(0.0)
        memory["calls"] = kept
        if self._first is not None:
            memory["newest"] = self._first
        return len(kept)


def _field(call: Row, name: str) -> str:
    value = call.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"Call {call.get('uuid')} came without {name!r}, which the vendor documents for it.")
    return value


@dataclass(frozen=True, slots=True)
class CallVolume(Condition):
    """At least, or at most, so many calls in a window; see `RetreaverCallVolumeSensor` for the parameters."""

    kind: ClassVar[str] = "call_volume"

    start: str | None
    end: str | None
    window: float | None
    at_least: int | None
    at_most: int | None
    filters: Mapping[str, Any]

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Build it from a sensor's parameters."""
        window = Window.of(options["window"], options["start"], options["end"])
        least, most = number(options["at_least"], "at_least"), number(options["at_most"], "at_most")
        if least is None and most is None:
            raise InvalidArgument("Give at_least, at_most or both: nothing says how many calls are waited for.")
        if least is not None and most is not None and least > most:
            raise InvalidArgument(f"at_least ({least}) is more than at_most ({most}): no number of calls is both.")
        if most is not None and not window.sliding and window.end is None:
            raise InvalidArgument("at_most needs an end, or a window: until then more calls can come.")
        filters = CallFilters.of(options["filters"])
        return cls(window.start, window.end, window.seconds, least, most, filters.as_mapping())

    @property
    def _window(self) -> Window:
        return Window(self.window, self.start, self.end)

    @property
    def question(self) -> CallCount:
        """How many calls there are."""
        return CallCount(self._window, CallFilters.of(self.filters))

    def judge(self, found: Any) -> Verdict:
        """Judge a count: in a fixed window, at_most is known to hold only when the window has ended."""
        count, closed = found["count"], found["closed"]
        enough = self.at_least is None or count >= self.at_least
        few = self.at_most is None or count <= self.at_most
        final = self._window.sliding or closed or self.at_most is None
        told = f"{count} calls in {self._window.label}, {self._wanted}"
        hopeless = None
        if not self._window.sliding and not few:
            hopeless = f"There are {told}: more than at_most already, and a count of a fixed window never falls."
        elif closed and not enough:
            hopeless = f"There are {told}: the window has ended, so no more will come."
        met = enough and few and final
        return Verdict(met, count, told, hopeless, ("calls",) if met else ())

    @property
    def _wanted(self) -> str:
        limits = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{name} {value}" for name, value in limits if value is not None) + " wanted"
