"""Checks of the attributes of buyer groups; each returns the value as it is sent, and errors name the attribute."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted

# What a blank limit is sent as: "a blank value" is allowed.
BLANK = ""
NOT_AN_ID = "not one of TrackDrive's own IDs (a whole number); a user_buyer_id has its own parameter"
_TRUTH = {**dict.fromkeys(("1", "true", "yes", "on"), True), **dict.fromkeys(("0", "false", "no", "off"), False)}
_DECIMAL = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,10})?", re.ASCII)
_EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")

Check = Callable[[object, str], object]
ItemT = TypeVar("ItemT")


def switch(value: object, name: str) -> bool:
    """Return a truth value, in one of TrackDrive's spellings.

    :param value: True or False, or a text or number of `1, true, yes, on, 0, false, no, off`.
    :param name: of the attribute.
    :return: the truth value.
    :raises InvalidArgument: naming the attribute; nothing given is no truth value either.
    """
    found = read_switch(value)
    if found is None:
        raise InvalidArgument(
            f"{name} must be True or False (1, true, yes, on, 0, false, no, off), not {quoted(value)}."
        )
    return found


def read_switch(value: object) -> bool | None:
    """Return the truth value that a value stands for.

    :param value: of an attribute, or as TrackDrive returns it.
    :return: the truth value, None when it stands for none.
    """
    return _TRUTH.get(str(value).strip().lower()) if isinstance(value, (bool, int, str)) else None


def decimal_number(value: object, name: str) -> int | float:
    """Return a decimal number.

    :param value: a finite number or its text, e.g. `-1` or `"2.5"`.
    :param name: of the attribute.
    :return: an `int` where it is whole, else a `float`.
    :raises InvalidArgument: naming the attribute.
    """
    number = read_number(value)
    if number is None:
        raise InvalidArgument(f"{name} must be a decimal number, not {quoted(value)}.")
    return number


def read_number(value: object) -> int | float | None:
    """Return the number that a value stands for, in the one form in which numbers are compared.

    :param value: of an attribute, or as TrackDrive returns it.
    :return: an `int` where it is whole, else a `float`; None when it stands for no number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        return None
    if isinstance(value, str) and not _DECIMAL.fullmatch(value.strip()):
        return None
    # As its text, a float is the number that it is written as.
    number = Decimal(value if isinstance(value, int) else str(value).strip())
    if not number.is_finite() or abs(number) >= 10**15:
        return None
    return int(number) if number == int(number) else float(number)


def limit(value: object, name: str) -> int | float | str:
    """Return a limit.

    :param value: a decimal number that is not negative; None or blank text for no limit.
    :param name: of the attribute.
    :return: the number, or blank text for no limit.
    :raises InvalidArgument: naming the attribute.
    """
    if value is None or (isinstance(value, str) and value.strip() in {"", "None"}):
        return BLANK
    number = read_number(value)
    if number is None or number < 0:
        raise InvalidArgument(
            f"{name} must be a decimal number of at least 0, or None or blank text for no limit, not {quoted(value)}."
        )
    return number


def dial_type(value: object, name: str) -> str:
    """Return how the buyers of a group are dialed.

    :param value: `sequentially` or `simultaneously`.
    :param name: of the attribute.
    :return: the value.
    :raises InvalidArgument: naming the attribute.
    """
    found: str = parameters.one_of(value, ("sequentially", "simultaneously"), name)
    return found


def buyer_ids(value: object, name: str) -> list[int]:
    """Return TrackDrive's own IDs.

    :param value: IDs as numbers or texts; none of them is an empty list.
    :param name: of the attribute.
    :return: the IDs, each once, in the order given.
    :raises InvalidArgument: naming the one that is blank or no ID.
    """
    return _given(parameters.ids(value, name, NOT_AN_ID), name)


def user_buyer_ids(value: object, name: str) -> list[str]:
    """Return the customer's own IDs of buyers.

    :param value: the values of `user_buyer_id`; at least one.
    :param name: of the attribute.
    :return: the IDs, each once, in the order given.
    :raises InvalidArgument: naming the one that is blank, or when there is none.
    """
    found = _given(parameters.texts(value, name), name)
    if not found:
        raise InvalidArgument(f"{name} is empty, which TrackDrive does not take; leave it out.")
    return found


def emails(value: object, name: str) -> list[str]:
    """Return addresses that are sent an invitation.

    :param value: e-mail addresses; none of them is an empty list.
    :param name: of the attribute.
    :return: the addresses, each once.
    :raises InvalidArgument: when one is none; it is not quoted.
    """
    found = _given(parameters.texts(value, name), name)
    for index, address in enumerate(found, 1):
        if not _EMAIL.fullmatch(address):
            raise InvalidArgument(f"{name}: item {index} is not an e-mail address like name@host.")
    return found


def _given(found: list[ItemT] | None, name: str) -> list[ItemT]:
    if found is None:
        raise InvalidArgument(f"{name} is None or blank: give a list, or leave it out.")
    return found
