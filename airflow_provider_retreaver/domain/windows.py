"""Windows of time in which calls are counted: the last so much, or from here to there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Moment
from airflow_provider_retreaver.domain.limits import given, length, told_length
from airflow_provider_retreaver.resources import checks

# Calls may be listed a little after they were made: only then is a window that has ended taken for complete.
SETTLED = timedelta(seconds=60)
# A difference of clocks that was learnt late and moves a window by more than this is put right.
NOTABLE = timedelta(seconds=2)


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
        if given(window) == given(start):
            raise InvalidArgument("Give either window, like '1h', or start: one of them says which calls are meant.")
        if given(window):
            if given(end):
                raise InvalidArgument("end goes with start; a window ends now.")
            return cls(seconds=length(window, "window"))
        first, last = checks.span(start, end if given(end) else None, ("start", "end"))
        return cls(start=first, end=last)

    @property
    def sliding(self) -> bool:
        """Whether it moves with time."""
        return self.seconds is not None

    @property
    def told(self) -> str:
        """How it is called in logs."""
        if self.seconds is not None:
            return f"the last {told_length(self.seconds)}"
        return f"{self.start} to {self.end or 'now'}"

    def bounds(self, moment: Moment) -> tuple[str, str | None]:
        """Return where it begins and ends at a moment, as RFC 3339."""
        if self.seconds is not None:
            return (moment.there - timedelta(seconds=self.seconds)).isoformat(timespec="milliseconds"), None
        return self.start or "", self.end

    def closed(self, moment: Moment) -> bool:
        """Whether no further call can come into it."""
        return self.end is not None and moment.there >= checks.instant(self.end) + SETTLED
