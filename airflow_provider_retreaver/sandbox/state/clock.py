"""The sandbox's clock, and the formats in which Retreaver writes times."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from email.utils import format_datetime

_BLANK_FOR_PLUS = re.compile(r"(T.*) (\d\d:?\d\d)$")
# The documented default of created_at_start is in the year -4712.
_BEFORE_CHRIST = re.compile(r"-\d{4}-\d\d-\d\d")
_DAY, _LATEST = 86_400_000, 253_402_300_799_999
_EARLIEST = -62_135_596_800_000
# Seconds of 1971-01-01 and 9998-12-31: in every time zone, the days before and after are dates too.
_FIRST, _LAST = 31_536_000, 253_370_678_400


class Clock:
    """Current time in milliseconds since the epoch: real time plus an offset, or stopped.

    :param wall: Returns real time in seconds since the epoch, such as :func:`time.time`.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._offset = 0.0
        self._stopped_at: float | None = None

    def now(self) -> int:
        """Return the sandbox's current time.

        :return: Milliseconds since the epoch.
        """
        seconds = self._stopped_at if self._stopped_at is not None else self._wall() + self._offset
        return int(seconds * 1000)

    @staticmethod
    def check(seconds: float) -> None:
        """Refuse a time that the sandbox could not write in every time zone.

        :param seconds: The time in seconds since the epoch.
        :raises ValueError: If it is before 1971 or after 9998.
        """
        if not _FIRST <= seconds <= _LAST:
            raise ValueError("the clock goes from 1971-01-01 to 9998-12-31")

    def set(self, at: int, *, hold: bool) -> None:
        """Set the current time.

        :param at: The new time, in milliseconds since the epoch.
        :param hold: Whether the clock stops there instead of running on.
        """
        self._stopped_at = at / 1000 if hold else None
        self._offset = at / 1000 - self._wall()

    def advance(self, seconds: float) -> None:
        """Move the clock forward, also when it is stopped.

        :param seconds: By how many seconds; a negative number moves it back.
        """
        self._offset += seconds
        if self._stopped_at is not None:
            self._stopped_at += seconds

    def reset(self) -> None:
        """Follow real time again."""
        self._offset = 0.0
        self._stopped_at = None


def parse_time(text: str) -> int:
    """Parse an RFC 3339 time or a bare date; without an offset it is UTC.

    A blank in place of the offset's ``+`` is accepted, because form decoding turns ``+`` into a blank.

    :param text: For example ``2026-05-01T00:00:00Z`` or ``2026-05-01``.
    :return: Milliseconds since the epoch.
    :raises ValueError: If the text is neither.
    """
    if _BEFORE_CHRIST.match(text):
        return _EARLIEST
    time = datetime.fromisoformat(_BLANK_FOR_PLUS.sub(r"\1+\2", text.strip()))
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)


def parse_storable_time(text: str) -> int:
    """Parse a time that can be written in every time zone.

    :param text: See :func:`parse_time`.
    :return: Milliseconds since the epoch.
    :raises ValueError: If the text is no time, or within a day of the first or the last time that there is.
    """
    time = parse_time(text)
    if not _EARLIEST + _DAY <= time <= _LATEST - _DAY:
        raise ValueError(f"{text!r} is too early or too late to be written in every time zone")
    return time


def to_datetime(milliseconds: int, zone: tzinfo = UTC) -> datetime:
    """Convert a time to an aware datetime.

    :param milliseconds: Milliseconds since the epoch.
    :param zone: The time zone of the result.
    :return: The same time in ``zone``.
    """
    return datetime.fromtimestamp(milliseconds / 1000, zone)


def format_seconds(milliseconds: int | None) -> str | None:
    """Write a time in UTC and whole seconds, as Retreaver's older resources do.

    :param milliseconds: Milliseconds since the epoch, or None.
    :return: For example ``2012-04-29T12:29:40Z``; None for None.
    """
    return None if milliseconds is None else to_datetime(milliseconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_milliseconds(milliseconds: int | None, zone: tzinfo = UTC) -> str | None:
    """Write a time with milliseconds and the offset of its zone.

    :param milliseconds: Milliseconds since the epoch, or None.
    :param zone: The time zone it is written in.
    :return: For example ``2026-05-01T08:00:00.000-04:00``, with ``Z`` for UTC; None for None.
    """
    if milliseconds is None:
        return None
    text = to_datetime(milliseconds, zone).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def http_date(milliseconds: int) -> str:
    """Write a time as a ``Date`` header, in whole seconds.

    :param milliseconds: Milliseconds since the epoch.
    :return: For example ``Fri, 01 May 2026 12:00:00 GMT``.
    """
    return format_datetime(to_datetime(milliseconds).replace(microsecond=0), usegmt=True)
