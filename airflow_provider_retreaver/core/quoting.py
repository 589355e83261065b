"""What logs and errors quote: short, on one line, without secrets, phone numbers and characters that print nothing.

A name, a file or an answer may hold line breaks that forge a log line, escape sequences for a terminal, characters
that turn the direction of writing, a pasted key, or a megabyte of text. Everything that is quoted passes this module.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from airflow_provider_retreaver.core.phone_text import mask_numbers
from airflow_provider_retreaver.core.secrets import redact

QUOTED_LENGTH = 80
LINE_LENGTH = 200
EXCERPT_LENGTH = 160
MESSAGE_LENGTH = 8_000
# What stands at a cut may be half a secret or half a phone number, which no mask recognizes.
_EDGE = 2_000
# Whole numbers of fewer digits are IDs and counts, which an error has to show.
_LEAST_NUMBER = 10**9


def quoted(value: object, length: int = QUOTED_LENGTH) -> str:
    """Return a value as an error or a log line quotes it.

    :param value: of any type and size.
    :param length: characters at most, besides the quotation marks.
    :return: like `repr`, with secrets and phone numbers masked.
    """
    if isinstance(value, str):
        text = repr(_masked_beginning(value, length, _masked))
        return text if len(text) <= length + 2 else f"{text[:length]}…{text[0]}"
    if isinstance(value, int) and abs(value) < _LEAST_NUMBER:
        return repr(value)
    return _beginning(_SHORT.repr(value), length)


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return a hint for a name that is unknown.

    :param name: that was given.
    :param known: names.
    :param otherwise: the hint where none of them is similar.
    :return: e.g. `did you mean 'targets'?`.
    """
    # Only a mistake needs it.
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {quoted(near[0])}?" if near else otherwise


def first_of(texts: Sequence[str], most: int, separator: str = ", ") -> str:
    """Return the first of many texts, such as names or problems, as a message holds them.

    :param texts: all of them.
    :param most: how many are shown.
    :param separator: between two of them.
    :return: e.g. `a, b and 3 more`, or `this; that; and 3 more`.
    """
    more = f"{separator.strip(',')}and {len(texts) - most} more" if len(texts) > most else ""
    return f"{separator.join(texts[:most])}{more}"


def one_line(text: object, length: int = LINE_LENGTH, *, numbers: bool = True) -> str:
    """Return a text, such as a name, as it stands in a log line without quotation marks.

    :param text: from outside.
    :param length: characters at most.
    :param numbers: whether phone numbers are masked; False for IDs, which look the same.
    :return: one line, with secrets masked, in which other characters than printable ones are escaped.
    """
    return _beginning(str(text), length, _masked if numbers else redact)


def mask_number(number: object) -> str:
    """Return a phone number as logs and errors have it.

    :param number: a phone number as text, or as an `int` with its country code; or any other value.
    :return: its first and last two characters, e.g. `+1…78`; only `…` for six characters or fewer.
    """
    text = f"+{number}" if isinstance(number, int) else str(number).strip()
    return _escaped(f"{text[:2]}…{text[-2:]}" if len(text) > 6 else "…")


def excerpt(text: str, length: int = EXCERPT_LENGTH) -> str:
    """Return a short piece of prose from outside, such as the body of a response.

    :param text: the text.
    :param length: characters at most.
    :return: like `one_line`, with a space for each run of spaces and line breaks.
    """
    return one_line(re.sub(r"\s+", " ", text[: 4 * length + 2 * _EDGE]).strip(), length)


def message_line(text: str) -> str:
    """Return the whole message of an error, whose parts were quoted before.

    :param text: the message.
    :return: one line without secrets, of `MESSAGE_LENGTH` characters at most; phone numbers are kept, since IDs look
        the same.
    """
    return one_line(text, MESSAGE_LENGTH, numbers=False)


def several_lines(text: str) -> str:
    """Return a text of several lines, such as a traceback, for a log.

    :param text: which may quote what came from outside.
    :return: the lines without secrets, in which other characters than printable ones are escaped.
    """
    return "\n".join(map(_escaped, redact(text).split("\n")))


def _masked(text: str) -> str:
    return mask_numbers(redact(text))


def _beginning(text: str, length: int, mask: Callable[[str], str] = _masked) -> str:
    """Return the beginning of a text on one line with its secrets masked, whole where it is short enough."""
    line = _escaped(_masked_beginning(text, length, mask))
    return line if len(line) <= length else line[: length - 1] + "…"


def _masked_beginning(text: str, length: int, mask: Callable[[str], str]) -> str:
    """Return a masked text, whole or up to where half a secret cannot be; it may be longer than is meant."""
    window = length + 2 * _EDGE
    return mask(text) if len(text) <= window else mask(text[:window])[:-_EDGE] + "…"


def _escaped(text: str) -> str:
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(char: str) -> str:
    return char if char.isprintable() else repr(char)[1:-1]


class _ShortRepr(reprlib.Repr):
    """Writes values of any size in bounded time, with texts masked before they are cut."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = self.maxdict = 20
        self.maxother = self.maxlong = 1_000

    def repr_str(self, x: str, level: int) -> str:  # noqa: ARG002 - reprlib's signature
        """Write a text, of `LINE_LENGTH` characters at most."""
        return quoted(x, LINE_LENGTH)

    def repr_int(self, x: int, level: int) -> str:
        """Write a whole number; Python refuses to write those of thousands of digits."""
        return super().repr_int(x, level) if x.bit_length() < 3_000 else "a number of very many digits"

    def repr_dict(self, x: Mapping[Any, Any], level: int) -> str:
        """Write a mapping in its own order."""
        if level <= 0 and x:
            return "{...}"
        parts = [
            f"{self.repr1(name, level - 1)}: {self.repr1(x[name], level - 1)}" for name in islice(x, self.maxdict)
        ]
        return f"{{{', '.join([*parts, *(['...'] if len(x) > self.maxdict else [])])}}}"


_SHORT = _ShortRepr()
