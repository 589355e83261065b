"""Attributes of Retreaver's objects: how a value is read, and which values are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SIP = re.compile(r"sips?:[^@\s]+@[^@\s]+")
_PLACEHOLDER = re.compile(r"\[\w+\]", re.ASCII)
_TRUE = (True, 1, "1", "t", "true", "on")
_FALSE = (False, 0, "0", "f", "false", "off", "")


class InvalidValue(ValueError):
    """A value that Retreaver refuses, with its message."""


def text(value: Any) -> str | None:
    """Read a string; numbers and truth values become strings.

    :param value: Value from the request.
    :return: The string; None for null.
    :raises InvalidValue: If it is a list or an object.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise InvalidValue("is invalid")


def integer(value: Any) -> int | None:
    """Read a whole number, given as a number or as digits.

    :param value: Value from the request.
    :return: The number; None for null and for an empty string.
    :raises InvalidValue: If it is anything else.
    """
    if value is None or value == "":
        return None
    digits = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"-?[0-9]{1,18}", digits):
        raise InvalidValue("is not a number")
    return int(digits)


def identity(value: Any) -> int | None:
    """Read the ``id`` of a nested object.

    :param value: Value from the request.
    :return: The ID; None for a new object.
    :raises InvalidValue: If it is not a number.
    """
    try:
        return integer(value)
    except InvalidValue as error:
        raise InvalidValue(f"id {value!r} {error}") from error


def natural(value: Any) -> int | None:
    """Read a whole number of at least 0.

    :param value: Value from the request.
    :return: The number; None for null and for an empty string.
    :raises InvalidValue: If it is negative or not a number.
    """
    number = integer(value)
    if number is not None and number < 0:
        raise InvalidValue("must be greater than or equal to 0")
    return number


def truth(value: Any) -> int | None:
    """Read a truth value as Rails does.

    :param value: Value from the request, for example ``true``, ``"1"`` or ``"off"``.
    :return: 1 or 0; None for null.
    :raises InvalidValue: If it is anything else.
    """
    if value is None:
        return None
    if isinstance(value, bool | int | str):
        if value in _TRUE:
            return 1
        if value in _FALSE:
            return 0
    raise InvalidValue("is not a boolean")


def phone(value: Any) -> str:
    """Read a phone number; ten digits, or eleven with a leading 1, are North American.

    :param value: Value from the request, for example ``(866) 898-7878``.
    :return: The number in E.164, for example ``+18668987878``.
    :raises InvalidValue: If it is not a phone number.
    """
    digits = re.sub(r"[\s().\-]", "", text(value) or "")
    if re.fullmatch(r"\+[1-9]\d{6,14}", digits):
        return digits
    if re.fullmatch(r"[2-9]\d{9}", digits):
        return f"+1{digits}"
    if re.fullmatch(r"1[2-9]\d{9}", digits):
        return f"+{digits}"
    raise InvalidValue("is not a valid phone number")


def phone_or_sip(value: Any) -> str:
    """Read a phone number or a SIP address.

    :param value: Value from the request.
    :return: The number in E.164, or the SIP address as it is.
    :raises InvalidValue: If it is neither.
    """
    address = (text(value) or "").strip()
    return address if _SIP.fullmatch(address) else phone(address)


def target_number(value: Any) -> str:
    """Read the number of a target: a phone number, a SIP address, or a placeholder.

    :param value: Value from the request; ``[number]`` is that of a target whose number comes with a bid.
    :return: The number in E.164, or the address or placeholder as it is.
    :raises InvalidValue: If it is none of these.
    """
    placeholder = (text(value) or "").strip()
    return placeholder if _PLACEHOLDER.fullmatch(placeholder) else phone_or_sip(value)


def one_of(*choices: Any) -> Callable[[Any], Any]:
    """Make a reader that accepts these values only.

    :param choices: The values.
    :return: A function that returns its argument, or raises :class:`InvalidValue`.
    """

    def read(value: Any) -> Any:
        if value not in choices:
            raise InvalidValue(f"is not included in the list ({', '.join(map(str, choices))})")
        return value

    return read


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute that a request can set.

    :param name: Its name in requests and in the table.
    :param read: Reads a value from the request, or raises :class:`InvalidValue`.
    :param required: Whether a new object needs it.
    :param optional: Whether null is stored as null; otherwise null leaves the column's default.
    :param aliases: Other names that requests may use.
    """

    name: str
    read: Callable[[Any], Any] = text
    required: bool = False
    optional: bool = True
    aliases: tuple[str, ...] = ()


def read_columns(
    columns: Sequence[Column], attributes: Mapping[str, Any], *, creating: bool, errors: dict[str, list[str]]
) -> dict[str, Any]:
    """Read the attributes of a request into column values.

    Unknown ones are ignored, as Rails' strong parameters ignore them.

    :param columns: The attributes that can be set.
    :param attributes: Attributes from the request.
    :param creating: Whether the object is new, so that required attributes must be present.
    :param errors: Errors by attribute; is added to.
    :return: Values by column, of the attributes that are present and valid.
    """
    values: dict[str, Any] = {}
    for column in columns:
        names = [name for name in (column.name, *column.aliases) if name in attributes]
        if not names and creating and column.required:
            errors.setdefault(column.name, []).append("can't be blank")
        found = [one for name in names for one in _read(column, attributes[name], errors)]
        if found and any(other != found[0] for other in found):
            errors.setdefault(column.name, []).append(f"contradicts {names[1]}")
        elif found:
            values[column.name] = found[0]
    return values


def _read(column: Column, value: Any, errors: dict[str, list[str]]) -> list[Any]:
    """Read one value; nothing if it is invalid, or null where null leaves the default."""
    if column.required and (value is None or value == ""):
        errors.setdefault(column.name, []).append("can't be blank")
        return []
    try:
        read = None if value is None else column.read(value)
    except InvalidValue as error:
        errors.setdefault(column.name, []).append(str(error))
        return []
    return [read] if read is not None or column.optional else []
