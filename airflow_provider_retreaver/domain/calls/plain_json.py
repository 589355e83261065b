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


_VALUES: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=plain_float)
_OBJECTS: msgspec.json.Decoder[Row] = msgspec.json.Decoder(dict[str, Any], float_hook=plain_float)
_ENCODER = msgspec.json.Encoder()


def compact(data: bytes) -> bytes:
    """Return JSON as `fields.format_json` writes its value.

    :param data: any JSON.
    :return: the compact JSON.
    :raises ValueError: when it has a number that is not plain, or is no JSON.
    """
    return _ENCODER.encode(_VALUES.decode(data))


def plain_object(data: Any) -> Row:
    """Parse a JSON object.

    :param data: bytes-like.
    :return: the object, which `encoded` can write.
    :raises ValueError: when it has a number that is not plain, or is no JSON object.
    """
    return _OBJECTS.decode(data)


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
