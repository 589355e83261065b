"""Checks of parameters, made before anything is sent; every error names the parameter."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument

# "Numbers", parameter `country`.
COUNTRIES = ("US", "CA", "AT", "BE", "DK", "FI", "FR", "GB", "IE", "IT", "NL", "PL", "SE")
NUMBER_TYPES = ("Toll-free", "Local")
# "There is a limit of 100 tags added in this manner".
MOST_TAGS = 100

_PHONE = re.compile(r"\+?[0-9]{7,15}")
_SIP = re.compile(r"sips?:[^@\s]+@[^@\s]+")
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2}))?")


def known(given: Mapping[str, Any], names: Collection[str], what: str) -> None:
    """Refuse names that the vendor does not document.

    :param what: what the names are, e.g. `filter of calls`.
    :raises InvalidArgument: naming the first unknown one and a near known one.
    """
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(str(name), list(names), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(names)) or 'none'}."
            raise InvalidArgument(f"{name!r} is not a documented {what}; {hint}")


def one_of(value: Any, allowed: Iterable[Any], name: str) -> Any:
    """Return the value when it is allowed."""
    choices = tuple(allowed)
    if isinstance(value, bool) or value not in choices:
        raise InvalidArgument(f"{name} must be one of {', '.join(map(str, choices))}, not {value!r}.")
    return value


def whole(value: Any, name: str, least: int = 0, most: int | None = None) -> int:
    """Return a whole number within bounds, also from its text."""
    text = str(value).strip()
    number = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) and not isinstance(value, bool) else None
    if number is None or number < least or (most is not None and number > most):
        bounds = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise InvalidArgument(f"{name} must be a whole number {bounds}, not {value!r}.")
    return number


def truth(value: Any, name: str) -> bool:
    """Return a truth value; texts are refused, since "false" would be true."""
    if not isinstance(value, bool):
        raise InvalidArgument(f"{name} must be True or False, not {value!r}.")
    return value


def phone(value: Any, name: str = "number") -> str:
    """Return a phone number in E.164 (`+18668987878`) or plain digits, without spaces.

    :raises InvalidArgument: naming the parameter, with the number masked.
    """
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not _PHONE.fullmatch(text):
        shown = masked(text) if len(text) > 6 else repr(text)
        raise InvalidArgument(f"{name} must be a phone number in E.164, like +18668987878, not {shown}.")
    return text


def phone_or_sip(value: Any, name: str = "number") -> str:
    """Return a phone number, or a SIP address (`sip:user@domain`) where the vendor takes one as well.

    :raises InvalidArgument: naming the parameter.
    """
    if isinstance(value, str) and _SIP.fullmatch(value.strip()):
        return value.strip()
    return phone(value, name)


def masked(number: object) -> str:
    """Return a caller's number as logs and errors show it."""
    return f"{str(number)[:2]}…{str(number)[-2:]}"


def moment(value: Any, name: str) -> str:
    """Return a time as RFC 3339, from an aware datetime, a date, or a text in that format.

    :raises InvalidArgument: when it has no offset, since the vendor would guess one, or is no time.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidArgument(f"{name} has no time zone; give an aware datetime, e.g. from pendulum.")
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and _RFC3339.fullmatch(value.strip()):
        text = value.strip()
        try:
            datetime.fromisoformat(text.upper().replace(" ", "T", 1))
        except ValueError:
            pass
        else:
            return text
    raise InvalidArgument(f"{name} must be RFC 3339 with an offset, like 2026-01-31T00:00:00+00:00, not {value!r}.")


def span(
    start: Any, end: Any, names: tuple[str, str], most: timedelta | None = None
) -> tuple[str | None, str | None]:
    """Return both ends of a time span as RFC 3339; either may be None.

    :param names: of the two parameters.
    :param most: the longest span that the vendor takes; the span must be shorter.
    :raises InvalidArgument: when the end is not after the start, or the span is too long.
    """
    first = None if start is None else moment(start, names[0])
    last = None if end is None else moment(end, names[1])
    if first is None or last is None:
        return first, last
    length = instant(last) - instant(first)
    if length <= timedelta(0):
        raise InvalidArgument(f"{names[1]} ({last}) must be after {names[0]} ({first}).")
    if most is not None and length >= most:
        raise InvalidArgument(
            f"{names[0]} ({first}) and {names[1]} ({last}) must be less than {most.days} days apart; ask in parts."
        )
    return first, last


def instant(text: str) -> datetime:
    """Return the moment that an RFC 3339 text names; one without offset is UTC."""
    found = datetime.fromisoformat(text.strip().upper().replace(" ", "T", 1))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def tag_list(value: Any, name: str = "tag_list") -> None:
    """Refuse a tag list that the vendor would cut: more than 100 tags, or no text."""
    if not isinstance(value, str):
        raise InvalidArgument(f"{name} must be a text like '<<<key:value>>>', not {type(value).__name__}.")
    count = value.count("<<<")
    if count > MOST_TAGS:
        raise InvalidArgument(f"{name} holds {count} tags, and the vendor takes {MOST_TAGS} at most.")
    rest = re.sub(r"<<<[^<>]*?:[^<>]*?>>>", "", value)
    if rest.replace(",", "").strip():
        raise InvalidArgument(f"{name} must be tags like '<<<key:value>>>' separated by commas; blank clears them.")


def business_hours(rows: Any, name: str = "business_hours_attributes") -> None:
    """Refuse rows of business hours that mean no time of a week."""
    for row in rows_of(rows, name):
        if row.get("_destroy"):
            continue
        if "id" not in row or "day_of_week" in row:
            whole(row.get("day_of_week"), f"{name}: day_of_week (0 is Sunday)", 0, 6)
        for part in ("time_open", "time_close"):
            if part in row and whole(row[part], f"{name}: {part} (HHMM)", 0, 2400) % 100 > 59:
                raise InvalidArgument(f"{name}: {part} is {row[part]}, and an hour has no such minute.")
        for part in ("work_day", "invert"):
            if part in row:
                truth(row[part], f"{name}: {part}")


def rows_of(value: Any, name: str) -> list[Mapping[str, Any]]:
    """Return a list of mappings."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(row, Mapping) for row in value):
        raise InvalidArgument(f"{name} must be a list of mappings.")
    return list(value)
