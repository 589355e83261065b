"""Hours of one day as people write them: `09:00-17:30`, `9am-5pm`, `08:00-12:00, 13:00-17:00`, `closed`, `24h`.

Which half of the day a time is in is never guessed: `9am-5` and `9-5` are refused, with what to write. A time is on
the 24-hour clock when it is written in full (`05:00`), or where its span has an hour that only that clock has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import items
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.visible_text import visible
from airflow_provider_retreaver.domain.routing.hours_rows import DAY, Span, span_text

_ALL_DAY = frozenset({"24h", "24 h", "24 hours", "open", "all day"})
_TIME = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*(?:([ap])\.?m\.?)?", re.ASCII)
# Hyphens and dashes that keyboards, word processors and web pages put between two times or days.
_DASHES = re.compile(r"\s*[-\u2010-\u2015\u2212\ufe58\ufe63\uff0d]\s*")
_NOON = 12 * 60


class _Time(NamedTuple):
    text: str
    hour: int
    minute: int
    # `a` or `p`, where it is written.
    half: str | None

    @property
    def only_24(self) -> bool:
        """Whether only the 24-hour clock has this hour."""
        return self.half is None and not 1 <= self.hour <= 12

    @property
    def readings(self) -> list[int]:
        """Minutes of the day that it may stand for on a clock of 12 hours."""
        early = self.hour % 12 * 60 + self.minute
        return [early + _NOON * half for half in ((0, 1) if self.half is None else (self.half == "p",))]

    @property
    def minutes(self) -> int:
        """Minutes of the day, on the clock that it is written for."""
        return self.hour * 60 + self.minute if self.half is None else self.readings[0]


def normal(text: str) -> str:
    """Return a text with plain spaces between its words and without invisible characters, in lower case.

    :param text: as people, word processors and web pages write it.
    :return: the text.
    """
    return " ".join(visible(text).split()).lower()


def ends(text: str) -> list[str]:
    """Return the parts of a range.

    :param text: two of something with any kind of dash between them, or one.
    :return: the parts.
    """
    return _DASHES.split(text)


def day_spans(hours: object, where: str) -> list[Span]:
    """Return the open spans of one day.

    :param hours: a text with one span or several with commas; a list or tuple of such texts; `closed` or `24h`.
    :param where: the parameter and the day, for the error.
    :return: spans in minutes of the day; one across midnight ends after its 24th hour.
    :raises InvalidArgument: naming the span that is none, or that has two readings, and what to write.
    """
    found = None if isinstance(hours, Mapping) else items(hours, where)
    if not found or not all(isinstance(item, str) for item in found):
        raise InvalidArgument(f"{where} must be hours like '09:00-17:30', 'closed' or '24h', not {quoted(hours)}.")
    texts = [normal(part) for item in found for part in item.split(",")]
    if texts == ["closed"]:
        return []
    if len(texts) == 1 and texts[0] in _ALL_DAY:
        return [(0, DAY)]
    return [_span(text, where) for text in texts]


def _span(text: str, where: str) -> Span:
    parts = ends(text)
    if len(parts) != 2:
        raise InvalidArgument(
            f"{where} holds {quoted(text)}, which is not a span; write '09:00-17:30', 'closed' or '24h'."
        )
    first, last = (_time(part, where) for part in parts)
    _refuse_ambiguous(first, last, text, where)
    start, end = first.minutes, last.minutes
    if start == DAY:
        raise InvalidArgument(f"{where} begins at 24:00, which is 00:00 of the next day; give it there.")
    if start == end:
        raise InvalidArgument(f"{where} holds {quoted(text)}, which is no time or all day; give 'closed' or '24h'.")
    return (start, end) if start < end else (start, end + DAY)


def _time(text: str, where: str) -> _Time:
    found = _TIME.fullmatch(text)
    if found is None:
        raise InvalidArgument(f"{where} holds {quoted(text)}, which is not a time; times are like 09:00 or 17:30.")
    time = _Time(text, int(found[1]), int(found[2] or 0), found[3])
    if time.half and not 1 <= time.hour <= 12:
        raise InvalidArgument(f"{where} holds {quoted(text)}: there is no such hour; am and pm go from 1 to 12.")
    if time.hour > 24 or time.minute > 59 or (time.hour == 24 and time.minute):
        raise InvalidArgument(f"{where} holds {quoted(text)}: there is no such time; times go from 00:00 to 24:00.")
    return time


def _refuse_ambiguous(first: _Time, last: _Time, text: str, where: str) -> None:
    """Refuse a span in which a time may be in either half of the day, with the two shortest readings."""
    bare = [time for time in (first, last) if time.half is None]
    in_full = len(bare) == 2 and all(len(time.text) == len("05:00") for time in bare)
    if not bare or in_full or any(time.only_24 for time in bare):
        return
    readings = [(start, end) for start in first.readings for end in last.readings]
    readings.sort(key=lambda span: ((span[1] - span[0] - 1) % DAY, span))
    write = " or ".join(repr(span_text(span)) for span in readings[:2])
    raise InvalidArgument(f"{where} holds {quoted(text)}, which can be read in two ways; write {write}.")
