"""Values of TrackDrive's parameters: how they are read, and which are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.sandbox.api.columns import InvalidValue
from airflow_provider_retreaver.sandbox.state.time_zones import TIME_ZONES, get_zone

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
# A blank before the offset, which Python's reader of ISO 8601 does not take.
_OFFSET = re.compile(r"\s([+-]\d\d:?\d\d)\Z")
_MOST = 10**15
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def boolean(value: Any) -> int:
    """Read a truth value.

    :param value: 1, true, yes, on, 0, false, no or off.
    :return: 1 or 0.
    :raises InvalidValue: If it is anything else.
    """
    text = str(value).lower() if isinstance(value, bool | int | str) else ""
    if text not in _TRUE + _FALSE:
        raise InvalidValue(f"must be a boolean value: {', '.join(_TRUE + _FALSE)}")
    return int(text in _TRUE)


def decimal(value: Any) -> float:
    """Read a decimal number, also from its text.

    :param value: Value from the request.
    :return: The number.
    :raises InvalidValue: If it is anything else.
    """
    text = str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", text) or abs(float(text)) > _MOST:
        raise InvalidValue("must be a decimal number")
    return float(text)


def number(value: Any) -> int:
    """Read a whole number of 1 or more, such as that of a page.

    :param value: Value from the request.
    :return: The number.
    :raises InvalidValue: If it is anything else.
    """
    if not re.fullmatch("[0-9]{1,9}", str(value)) or not int(value):
        raise InvalidValue("must be a number")
    return int(value)


def text(value: Any) -> str:
    """Read a text.

    :param value: Value from the request.
    :return: The text.
    :raises InvalidValue: If it is anything else.
    """
    if not isinstance(value, str):
        raise InvalidValue("must be String")
    return value


def one_of(*choices: str) -> Callable[[Any], str]:
    """Make a reader that accepts these texts only.

    :param choices: The texts.
    :return: A function that returns its argument, or raises :class:`InvalidValue`.
    """

    def read(value: Any) -> str:
        if value not in choices:
            raise InvalidValue(f"must be one of: {', '.join(choices)}")
        return str(value)

    return read


def names(allowed: tuple[str, ...]) -> Callable[[Any], tuple[str, ...]]:
    """Make a reader of names with commas between them.

    :param allowed: The names that there are.
    :return: A function that returns the names, or raises :class:`InvalidValue`.
    """

    def read(value: Any) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text(value).split(","))
        if not set(found) <= set(allowed):
            raise InvalidValue(f"must be any combination of: {', '.join(allowed)}")
        return found

    return read


def integers(value: Any) -> list[int]:
    """Read an array of IDs.

    :param value: Value from the request.
    :return: The IDs in their order, each once.
    :raises InvalidValue: If it is no array, or something in it is no whole number.
    """
    if not isinstance(value, list) or not all(
        isinstance(one, int | str) and re.fullmatch("[0-9]{1,15}", str(one)) for one in value
    ):
        raise InvalidValue("must be a valid array of integers")
    return list(dict.fromkeys(map(int, value)))


def texts(value: Any) -> list[str]:
    """Read an array of texts.

    :param value: Value from the request.
    :return: The texts in their order, each once.
    :raises InvalidValue: If it is no array, or something in it is no text.
    """
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidValue("must be an array of strings")
    return list(dict.fromkeys(value))


def emails(value: Any) -> list[str]:
    """Read an array of e-mail addresses.

    :param value: Value from the request.
    :return: The addresses.
    :raises InvalidValue: If it is no array, or something in it is no address.
    """
    found = texts(value) if isinstance(value, list) else []
    if not isinstance(value, list) or not all(map(_EMAIL.fullmatch, found)):
        raise InvalidValue("must be an array of emails")
    return found


def time_zone(value: Any) -> ZoneInfo:
    """Read the name of a time zone, of Rails or of IANA.

    :param value: Value from the request.
    :return: The zone.
    :raises InvalidValue: If there is no such zone.
    """
    name = text(value)
    try:
        return get_zone(name) if name in TIME_ZONES else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidValue("is not a time zone") from error


def time(value: Any, zone: ZoneInfo) -> int:
    """Read a time like ``2016-01-01 12:25:15 -0500``.

    :param value: Value from the request.
    :param zone: The time zone of a time without an offset.
    :return: Milliseconds since the epoch.
    :raises InvalidValue: If it is no time.
    """
    try:
        at = datetime.fromisoformat(_OFFSET.sub(r"\1", text(value)))
        return round(at.replace(tzinfo=at.tzinfo or zone).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InvalidValue("must be a date formatted like 2016-01-01 12:25:15 -0500") from error
