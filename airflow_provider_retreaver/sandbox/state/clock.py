"""The sandbox's own time, and how the vendor writes times."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from email.utils import format_datetime

_LOST_PLUS = re.compile(r"(T.*) (\d\d:?\d\d)$")
# The documented default of created_at_start is in the year -4712.
_BEFORE_CHRIST = re.compile(r"-\d{4}-\d\d-\d\d")
_EARLIEST = -62_135_596_800_000


class Clock:
    """Milliseconds since the epoch: real time moved by an offset, or held still."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """Follow ``wall`` (seconds since the epoch) until told otherwise."""
        self._wall = wall
        self._offset = 0.0
        self._held: float | None = None

    def now(self) -> int:
        """Give the current time in milliseconds since the epoch."""
        seconds = self._held if self._held is not None else self._wall() + self._offset
        return int(seconds * 1000)

    def set(self, at: int, *, hold: bool) -> None:
        """Make it ``at`` (milliseconds) now; ``hold`` stops the clock there."""
        self._held = at / 1000 if hold else None
        self._offset = at / 1000 - self._wall()

    def advance(self, seconds: float) -> None:
        """Move the time by ``seconds``, a held clock too."""
        self._offset += seconds
        if self._held is not None:
            self._held += seconds

    def reset(self) -> None:
        """Follow real time again."""
        self._offset = 0.0
        self._held = None


def parse_time(text: str) -> int:
    """Read an RFC 3339 time (or a bare date) as milliseconds; without an offset it is UTC.

    Raises ValueError on anything else. A ``+`` that a form decoder turned into a blank is understood.
    """
    if _BEFORE_CHRIST.match(text):
        return _EARLIEST
    moment = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text.strip()))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def at(milliseconds: int, zone: tzinfo = UTC) -> datetime:
    """Give the moment as an aware datetime in ``zone``."""
    return datetime.fromtimestamp(milliseconds / 1000, zone)


def seconds_z(milliseconds: int | None) -> str | None:
    """Write a time as the vendor's older resources do: ``2012-04-29T12:29:40Z``."""
    return None if milliseconds is None else at(milliseconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def millis(milliseconds: int | None, zone: tzinfo = UTC) -> str | None:
    """Write a time with milliseconds and its offset; ``Z`` for UTC."""
    if milliseconds is None:
        return None
    text = at(milliseconds, zone).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def http_date(milliseconds: int) -> str:
    """Write a time as a ``Date`` header does, in whole seconds."""
    return format_datetime(at(milliseconds).replace(microsecond=0), usegmt=True)
