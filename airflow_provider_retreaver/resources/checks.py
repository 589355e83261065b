"""Checks of attributes that are sent to Retreaver as they are; every error names the attribute."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted

# "Numbers", parameter `country`.
COUNTRIES = ("US", "CA", "AT", "BE", "DK", "FI", "FR", "GB", "IE", "IT", "NL", "PL", "SE")
NUMBER_TYPES = ("Toll-free", "Local")
# "There is a limit of 100 tags added in this manner".
MOST_TAGS = 100


def whole(value: object, name: str, least: int = 0, most: int | None = None) -> int:
    """Return a whole number within bounds; unlike `parameters.whole` it takes no float, since it is sent as it is.

    :param value: an `int` or its text.
    :param name: name of the attribute, for the error.
    :param least: the smallest number allowed.
    :param most: the largest number allowed, None for no bound.
    :return: the number.
    :raises InvalidArgument: when it is not a whole number, or out of bounds.
    """
    if not isinstance(value, (int, str)):
        raise InvalidArgument(f"{name} must be a whole number, not {quoted(value)}.")
    return parameters.whole(value, name, least, most)


def truth(value: object, name: str) -> bool:
    """Return a truth value; texts are refused, since "false" would be true.

    :param value: True or False.
    :param name: of the attribute.
    :return: the value.
    :raises InvalidArgument: naming the attribute.
    """
    if not isinstance(value, bool):
        raise InvalidArgument(f"{name} must be True or False, not {quoted(value)}.")
    return value


def tag_list(value: object, name: str = "tag_list") -> None:
    """Refuse a tag list that Retreaver would cut: more than 100 tags, or no text.

    :param value: e.g. `<<<state:ny>>>,<<<age:25>>>`; blank text clears the tags.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    if not isinstance(value, str):
        raise InvalidArgument(f"{name} must be a text like '<<<key:value>>>', not {type(value).__name__}.")
    count = value.count("<<<")
    if count > MOST_TAGS:
        raise InvalidArgument(f"{name} holds {count} tags, and Retreaver takes {MOST_TAGS} at most.")
    rest = re.sub(r"<<<[^<>]*?:[^<>]*?>>>", "", value)
    if rest.replace(",", "").strip():
        raise InvalidArgument(f"{name} must be tags like '<<<key:value>>>' separated by commas; blank clears them.")


def business_hours(value: object, name: str = "business_hours_attributes") -> None:
    """Refuse rows of business hours that mean no time of a week.

    :param value: rows with `day_of_week` (0 is Sunday), `time_open` and `time_close` (HHMM).
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    for row in rows_of(value, name):
        if row.get("_destroy"):
            continue
        if "id" not in row or "day_of_week" in row:
            whole(row.get("day_of_week"), f"{name}: day_of_week (0 is Sunday)", 0, 6)
        for part in ("time_open", "time_close"):
            if part in row and whole(row[part], f"{name}: {part} (HHMM)", 0, 2400) % 100 > 59:
                raise InvalidArgument(f"{name}: {part} is {row[part]}, and an hour has no such minute.")
        for part in ("work_day", "invert", "inverted"):
            if part in row:
                truth(row[part], f"{name}: {part}")
        if row.get("invert", row.get("inverted")) != row.get("inverted", row.get("invert")):
            raise InvalidArgument(f"{name}: invert and inverted are two names of one attribute: give one of them.")


def rows_of(value: object, name: str) -> list[Mapping[str, object]]:
    """Return a list of mappings.

    :param value: a list or tuple of mappings.
    :param name: of the attribute.
    :return: the mappings.
    :raises InvalidArgument: naming the attribute.
    """
    if not isinstance(value, (list, tuple)) or not all(isinstance(row, Mapping) for row in value):
        raise InvalidArgument(f"{name} must be a list of mappings.")
    return list(value)
