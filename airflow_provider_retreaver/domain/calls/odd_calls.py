"""Calls that cannot be parsed like all others: half characters, numbers without bounds, thousands of levels.

One such call must not hide the others of its page, nor end an export with an error that does not name it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from airflow_provider_retreaver.core.errors import ProtocolError, RetreaverError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import quoted

T = TypeVar("T")

# What parsing and converting a value from outside can raise; msgspec's errors are ValueErrors.
ODD = (ValueError, TypeError, ArithmeticError, RecursionError)
# Levels below which no call is nested; msgspec parses about a thousand.
DEEP = 500
# Digits of the longest whole number that Python reads.
MOST_DIGITS = 4_000

_ROWS: msgspec.json.Decoder[Row] = msgspec.json.Decoder(dict[str, Any])
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
NO_UUID = "without a uuid"
_UUID = re.compile(rb'"uuid"\s*:\s*"([^"\\]{1,80})"')


def split_deep(body: bytes) -> Sequence[bytes] | None:
    """Return the rows of an array one of which is nested too deeply to be parsed.

    :param body: that cannot be parsed.
    :return: the JSON of each row; None for any other body.
    """
    deepest = depth = 0
    starts: list[int] = []
    ends: list[int] = []
    for token in _TOKENS.finditer(body):
        if token[0] in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
            if depth == 2:
                starts.append(token.start())
        elif token[0] in (b"]", b"}"):
            depth -= 1
            if depth == 1:
                ends.append(token.end())
    is_array = body.lstrip().startswith(b"[") and depth == 0 and len(starts) == len(ends)
    return [body[one:other] for one, other in zip(starts, ends, strict=True)] if is_array and deepest > DEEP else None


def converted(raws: Sequence[Any], convert: Callable[[Sequence[Any]], T]) -> T:
    """Return what a function makes of calls; when it cannot convert one of them, the error names that call.

    :param raws: JSON objects.
    :param convert: takes JSON objects.
    :return: its result.
    :raises ProtocolError: naming the call.
    """
    try:
        return convert(raws)
    except RetreaverError:
        raise
    except ODD as error:
        odd = next((raw for raw in raws if not _converts(convert, raw)), None)
        if odd is None:
            raise
        what = "is nested too deeply" if isinstance(error, RecursionError) else f"cannot be converted ({error})"
    raise ProtocolError(
        f"Call {uuid_of(odd)} {what}; export as jsonl without changes, which takes every call, or report the call to "
        f"Retreaver."
    )


def _converts(convert: Callable[[Sequence[Any]], object], raw: Any) -> bool:
    try:
        convert([raw])
    except ODD:
        return False
    return True


def uuid_of(raw: Any) -> str:
    """Return the identity of a call that cannot be parsed, for an error.

    :param raw: its JSON object.
    :return: the uuid in quotation marks, or `NO_UUID`.
    """
    found = _UUID.search(bytes(raw))
    return NO_UUID if found is None else quoted(found[1].decode("utf-8", "replace"))


def _row(raw: Any) -> Row:
    try:
        return _ROWS.decode(raw)
    except msgspec.ValidationError:
        # A number that no float holds keeps its digits.
        row: Row = json.loads(bytes(raw), parse_float=Decimal, parse_int=_whole_number)
        return row


def _whole_number(text: str) -> int | Decimal:
    return int(text) if len(text) < MOST_DIGITS else Decimal(text)


def as_rows(raws: Sequence[msgspec.Raw | bytes]) -> list[Row]:
    """Parse calls.

    :param raws: JSON objects.
    :return: dictionaries in the same order.
    """
    return [_row(raw) for raw in raws]
