"""Limits as DAG authors write them: numbers, shares, lengths of time, one of several or all."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
# The vendor's reports reach back less than two years.
LONGEST = timedelta(days=730)


def given(value: Any) -> bool:
    """Whether a parameter was given; what a template renders for nothing counts as not given."""
    return value is not None and not (isinstance(value, str) and value.strip() in {"", "None"})


def number(value: Any, name: str, least: int = 0) -> int | None:
    """Return a whole number, None when it was not given.

    :raises InvalidArgument: naming the parameter.
    """
    return parameters.whole(value, name, least) if given(value) else None


def share(value: Any, name: str) -> float | None:
    """Return a share from 0 to 1, None when it was not given.

    :raises InvalidArgument: naming the parameter; 90 is told to be written 0.9.
    """
    if not given(value):
        return None
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found <= 1:
        hint = f"; for {found:g} % write {found / 100:g}" if 1 < found <= 100 else ""
        raise InvalidArgument(f"{name} must be a share from 0 to 1, not {value!r}{hint}.")
    return found


def length(value: Any, name: str) -> float:
    """Return a length of time in seconds, from a timedelta, a number of seconds, or a text such as `90m` or `1h`.

    A day is 24 hours, also where clocks change.

    :raises InvalidArgument: naming the parameter.
    """
    seconds = math.nan
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str):
        found = _LENGTH.fullmatch(value.strip())
        if found:
            seconds = float(found[1]) * _SECONDS[found[2].lower()]
        elif re.fullmatch(r"\d+(?:\.\d+)?", value.strip()):
            seconds = float(value)
    if not 0 < seconds <= LONGEST.total_seconds():
        raise InvalidArgument(
            f"{name} must be a length of time of at most {LONGEST.days} days, like '90m', '1h', '2d', seconds or a "
            f"timedelta, not {value!r}."
        )
    return seconds


def told_length(seconds: float) -> str:
    """Return a length of time for people, e.g. `90 min`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def match(value: Any) -> str:
    """Return `any` or `all`.

    :raises InvalidArgument: when it is neither.
    """
    return str(parameters.one_of(str(value).strip().lower(), ("any", "all"), "match"))
