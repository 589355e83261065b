"""JSON that has one way to be written, so that a fast encoder writes what Python's own one writes.

They differ in numbers with an exponent, and in those that no float holds: decoding refuses both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from airflow_provider_retreaver.core.operations import Row


def plain_float(text: str) -> float:
    """Read a number that both encoders write alike.

    :param text: a number of JSON.
    :return: the number.
    :raises ValueError: for any other number.
    """
    number = float(text)
    shown = repr(number)
    # `1e-07` and `inf` are written in other ways, or not at all.
    if "e" in shown or "n" in shown:
        raise ValueError
    return number


_OBJECTS: msgspec.json.Decoder[Row] = msgspec.json.Decoder(dict[str, Any], float_hook=plain_float)
_LISTS: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[Any], float_hook=plain_float)
_OBJECT_LISTS: msgspec.json.Decoder[list[Row | None]] = msgspec.json.Decoder(list[Row | None], float_hook=plain_float)
_ENCODER = msgspec.json.Encoder()


def plain_values(values: Sequence[Any], *, objects: bool = False) -> list[Any]:
    """Parse JSON values; several at once take less time.

    :param values: JSON in bytes-like objects, None for none.
    :param objects: whether each must be an object or null.
    :return: each value, which `encoded` can write, None for none and null.
    :raises ValueError: when one has a number that is not plain, or is not what it must be.
    """
    return (_OBJECT_LISTS if objects else _LISTS).decode(as_list(values))


def compact_texts(values: Sequence[Any]) -> list[bytes | None]:
    """Return values as `fields.format_json` writes them.

    :param values: that were parsed by this module.
    :return: the compact JSON of each, None for None.
    """
    return [None if text == b"null" else text for text in _ENCODER.encode_lines(values).split(b"\n")[:-1]]


def as_list(values: Sequence[Any]) -> bytes:
    """Return JSON values as one list.

    :param values: JSON in bytes-like objects, None for none.
    :return: the list, with null for none.
    """
    return b"[" + b",".join(b"null" if value is None else value for value in values) + b"]"


def plain_rows(raws: Sequence[Any]) -> list[Row]:
    """Parse calls.

    :param raws: JSON objects.
    :return: dictionaries in the same order, which `encoded` can write.
    :raises ValueError: when one has a number that is not plain, or is no JSON object.
    """
    return [_OBJECTS.decode(raw) for raw in raws]


def encoded(value: object) -> str:
    """Return a value as `fields.format_json` writes it.

    :param value: that was parsed by this module, or a part of it.
    :return: compact JSON.
    """
    return _ENCODER.encode(value).decode()
