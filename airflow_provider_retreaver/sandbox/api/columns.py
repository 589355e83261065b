"""Attributes of the vendor's objects: how a given value is read, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SIP = re.compile(r"sips?:[^@\s]+@[^@\s]+")
_TRUE = (True, 1, "1", "t", "true", "on")
_FALSE = (False, 0, "0", "f", "false", "off", "")


class Wrong(ValueError):
    """A value the vendor refuses, with its message."""


def text(value: Any) -> str | None:
    """Read a string; numbers become strings, blank stays blank."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise Wrong("is invalid")


def integer(value: Any) -> int | None:
    """Read a whole number, as a number or as digits; blank is none."""
    if value is None or value == "":
        return None
    digits = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"-?[0-9]{1,18}", digits):
        raise Wrong("is not a number")
    return int(digits)


def identity(value: Any) -> int | None:
    """Read the id of a nested object; None is a new one."""
    try:
        return integer(value)
    except Wrong as wrong:
        raise Wrong(f"id {value!r} {wrong}") from wrong


def natural(value: Any) -> int | None:
    """Read a whole number that is not negative."""
    number = integer(value)
    if number is not None and number < 0:
        raise Wrong("must be greater than or equal to 0")
    return number


def truth(value: Any) -> int | None:
    """Read a truth value as Rails does."""
    if value is None:
        return None
    if isinstance(value, bool | int | str):
        if value in _TRUE:
            return 1
        if value in _FALSE:
            return 0
    raise Wrong("is not a boolean")


def phone(value: Any) -> str:
    """Read a phone number as E.164; ten digits, or eleven with a leading 1, are North American."""
    given = text(value) or ""
    digits = re.sub(r"[\s().\-]", "", given)
    if re.fullmatch(r"\+[1-9]\d{6,14}", digits):
        return digits
    if re.fullmatch(r"[2-9]\d{9}", digits):
        return f"+1{digits}"
    if re.fullmatch(r"1[2-9]\d{9}", digits):
        return f"+{digits}"
    raise Wrong("is not a valid phone number")


def phone_or_sip(value: Any) -> str:
    """Read a phone number or a SIP address."""
    given = (text(value) or "").strip()
    return given if _SIP.fullmatch(given) else phone(given)


def one_of(*choices: Any) -> Callable[[Any], Any]:
    """Make a reader that takes these values only."""

    def read(value: Any) -> Any:
        if value not in choices:
            raise Wrong(f"is not included in the list ({', '.join(map(str, choices))})")
        return value

    return read


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute: its name on the wire, how it is read, whether it must be there.

    ``optional`` says whether null is kept as null; otherwise null means the column's default.
    """

    name: str
    read: Callable[[Any], Any] = text
    required: bool = False
    optional: bool = True
    aliases: tuple[str, ...] = ()


def read_columns(
    columns: Sequence[Column], given: Mapping[str, Any], *, creating: bool, errors: dict[str, list[str]]
) -> dict[str, Any]:
    """Read what was given into column values, collecting the vendor's messages in ``errors``.

    Unknown attributes are ignored, as Rails' strong parameters ignore them.
    """
    values: dict[str, Any] = {}
    for column in columns:
        name = next((name for name in (column.name, *column.aliases) if name in given), None)
        if name is None:
            if creating and column.required:
                errors.setdefault(column.name, []).append("can't be blank")
            continue
        value = given[name]
        if column.required and (value is None or value == ""):
            errors.setdefault(column.name, []).append("can't be blank")
            continue
        if value is None and not column.optional:
            continue
        try:
            read = None if value is None else column.read(value)
        except Wrong as wrong:
            errors.setdefault(column.name, []).append(str(wrong))
            continue
        if read is not None or column.optional:
            values[column.name] = read
    return values
