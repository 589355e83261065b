"""Whether a value that is sent and a value that Retreaver returns mean the same."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from airflow_provider_retreaver.resources.trackdrive.checks import read_switch

PHONE_ATTRIBUTES = frozenset({"number", "target_number"})
# Truth values that may come as one of several spellings: TrackDrive takes eight.
SWITCHES = frozenset({"paused"})


def same_value(actual: object, expected: object, name: str = "") -> bool:
    """Compare two values of an attribute.

    A number and its text are the same (`1000` and `"1000"`), and so are the ways to write one phone number.

    :param actual: as Retreaver returns it.
    :param expected: as it should be.
    :param name: of the attribute.
    :return: whether both mean the same.
    """
    if name in SWITCHES:
        return actual == expected or None is not read_switch(actual) is read_switch(expected)
    if isinstance(actual, bool) or isinstance(expected, bool) or actual is None or expected is None:
        return actual is expected
    if name in PHONE_ATTRIBUTES and isinstance(actual, (str, int)) and isinstance(expected, (str, int)):
        return phone_digits(str(actual)) == phone_digits(str(expected))
    if isinstance(actual, (int, float)) or isinstance(expected, (int, float)):
        amounts = (_amount(actual), _amount(expected))
        return None not in amounts and amounts[0] == amounts[1]
    return actual == expected


def _amount(value: object) -> Decimal | None:
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        return None


def phone_digits(text: str) -> str:
    """Return a phone number's digits with its country code; ten digits are North American. SIP stays as it is.

    :param text: a phone number or a SIP address.
    :return: what two ways to write one number have in common.
    """
    if ":" in text:
        return text.strip()
    digits = re.sub(r"[^0-9]", "", text)
    return f"1{digits}" if len(digits) == 10 and not text.strip().startswith("+") else digits
