"""Readers of parameters that are phone numbers and are sent as they are; see `core/parameters.py`.

Numbers of suppression and caller lists are read by `domain/lists/phones.py`, which knows the numbering plans.
"""

from __future__ import annotations

import re
from decimal import Decimal

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import text
from airflow_provider_retreaver.core.phone_text import NORTH_AMERICAN, in_e164
from airflow_provider_retreaver.core.quoting import mask_number
from airflow_provider_retreaver.core.visible_text import visible

_PHONE = re.compile(r"\+?[0-9]{7,15}")
_SIP = re.compile(r"sips?:[^@\s]+@[^@\s]+")


def caller(value: object, name: str) -> str:
    """Return the phone number of a caller as it is sent to Retreaver.

    :param value: a text.
    :param name: name of the parameter, for the error.
    :return: the text without surrounding spaces and invisible characters.
    :raises InvalidArgument: for a number, which has lost the sign that makes it another caller; the error masks it.
    """
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        raise InvalidArgument(
            f"{name} must be a text like '+19195550123', not the number {mask_number(value)}, which may have "
            f"lost its sign; where templates are rendered as native objects, render the whole mapping."
        )
    return visible(text(value, name)).strip()


def phone(value: object, name: str = "number") -> str:
    """Return a phone number in E.164 or plain digits.

    :param value: a text such as `+18668987878`, or digits as a number.
    :param name: name of the parameter, for the error.
    :return: the number without surrounding spaces and invisible characters, which address books put around it.
    :raises InvalidArgument: when it is not a phone number; the error masks it.
    """
    number = visible(str(value)).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not _PHONE.fullmatch(number):
        masked = mask_number(number) if len(number) > 6 else repr(number)
        raise InvalidArgument(f"{name} must be a phone number in E.164, like +18668987878, not {masked}.")
    return number


def e164(value: object, name: str) -> str:
    """Return a phone number in E.164, so that each number is sent in one spelling only.

    :param value: see `phone`; ten digits without a plus sign are North American.
    :param name: name of the parameter, for the error.
    :return: e.g. `+18668987878`.
    :raises InvalidArgument: when it is not a phone number, or has fewer digits than one with an area code.
    """
    number = in_e164(phone(value, name))
    if len(number) <= NORTH_AMERICAN and "+" not in str(value):
        raise InvalidArgument(
            f"{name} must be a phone number in E.164, like +18668987878, and {mask_number(number)} has no area code."
        )
    return number


def phone_or_sip(value: object, name: str = "number") -> str:
    """Return a phone number, or a SIP address where Retreaver takes one as well.

    :param value: see `phone`; or `sip:user@domain`.
    :param name: name of the parameter, for the error.
    :return: the number or address without surrounding spaces.
    :raises InvalidArgument: when it is neither.
    """
    if isinstance(value, str) and _SIP.fullmatch(value.strip()):
        return value.strip()
    return phone(value, name)
