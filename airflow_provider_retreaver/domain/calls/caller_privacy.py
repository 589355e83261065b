"""Callers' phone numbers in exported calls and bids: kept, replaced by a keyed hash, or masked.

The caller's number is personal data; numbers that were dialed and buyers' numbers belong to the business. It stands
in two fields of a call and, for some customers, in tags, URLs and events as well: wherever it stands in the call,
however it is punctuated and encoded, it is replaced by the same text.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from decimal import Decimal
from math import isfinite

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.phone_text import LEAST_DIGITS, NumberFinder, in_e164
from airflow_provider_retreaver.core.quoting import mask_number, one_line
from airflow_provider_retreaver.core.secrets import Secret

MODES = ("keep", "hash", "mask")
# The caller, and the caller's number that was sent to the buyer. Retreaver's reference: "Calls".
CALLER_FIELDS = ("caller", "caller_number_sent")
# A shorter secret could be found by trial, and without one every number.
LEAST_SECRET = 16

Transform = Callable[[Row], Row]

# Whole numbers of 7 to 15 digits may be phone numbers.
_LEAST_PHONE, _MOST_PHONE = 10 ** (LEAST_DIGITS - 1), 10**15


def phone_transform(
    mode: object, secret: Secret | None = None, fields: Collection[str] = CALLER_FIELDS
) -> Transform | None:
    """Return the function that hides the callers' numbers in a call.

    :param mode: `keep`; `hash`: HMAC-SHA256 of the number in E.164, 64 hexadecimal digits, the same for one number in
        all exports with one secret; `mask`: `+1…77`.
    :param secret: for `hash`, at least 16 characters.
    :param fields: that hold the caller's number.
    :return: takes a call and returns another one, without changing the first; None for `keep`.
    :raises InvalidArgument: when the mode is unknown or the secret too short.
    """
    parameters.one_of(mode, MODES, "phone_numbers")
    if mode == "keep":
        return None
    if mode == "mask":
        return _NumberHider(mask_number, fields)
    if secret is None or len(secret.reveal()) < LEAST_SECRET:
        raise InvalidArgument(
            f"phone_numbers='hash' needs a secret of at least {LEAST_SECRET} characters: the password of the "
            f"connection that phone_numbers_conn_id names."
        )
    key = secret.reveal().encode()
    return _NumberHider(lambda number: hmac.new(key, e164(number).encode(), hashlib.sha256).hexdigest(), fields)


def e164(number: str) -> str:
    """Return a number in E.164, so that every spelling of it has the same hash.

    :param number: a phone number, or another text that stands for the caller, e.g. `anonymous`.
    :return: e.g. `+14155550123`; other texts in lower case.
    """
    digits = re.sub(r"\D", "", number)
    if len(digits) < LEAST_DIGITS or re.search(r"[A-Za-z@]", number):
        return number.strip().lower()
    return in_e164(number)


class _NumberHider:
    """Replaces the numbers of callers in a row.

    :param replacement: what stands in place of a number.
    :param fields: that hold the caller's number.
    """

    def __init__(self, replacement: Callable[[str], str], fields: Collection[str]) -> None:
        self._replacement = replacement
        self._fields = fields

    def __call__(self, row: Row) -> Row:
        numbers = {str(row[name]) for name in self._fields if row.get(name)}
        replaced = {number: self._replacement(number) for number in numbers}
        finders = [finder for number, text in replaced.items() for finder in _finders(number, text)]
        with suppress(RecursionError):
            return {
                name: replaced[str(value)] if name in self._fields and value else _without_numbers(value, finders)
                for name, value in row.items()
            }
        raise ProtocolError(
            f"Call {one_line(row.get('uuid'))} is nested too deeply to find the caller's number in it; report the "
            f"call to Retreaver, or choose a window without it."
        )


def _finders(number: str, replacement: str) -> list[NumberFinder]:
    digits = re.sub(r"\D", "", e164(number))
    if len(digits) < LEAST_DIGITS:
        return []
    spellings = [digits] if digits.startswith("1") else [digits, *_national(digits)]
    return [NumberFinder(spelling, replacement) for spelling in spellings]


def _national(digits: str) -> list[str]:
    """Return the digits of a number of another country without its code, as people there write it."""
    import phonenumbers

    with suppress(phonenumbers.NumberParseException):
        national = str(phonenumbers.parse(f"+{digits}").national_number)
        return [national] if len(national) >= LEAST_DIGITS else []
    return []


def _without_numbers(value: object, finders: list[NumberFinder]) -> object:
    if isinstance(value, str):
        for finder in finders:
            value = finder.replace_in(value)
        return value
    if isinstance(value, dict):
        return _named_without_numbers(value, finders)
    if isinstance(value, list):
        return [_without_numbers(item, finders) for item in value]
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return _number_without(value, finders)
    return value


def _named_without_numbers(value: dict[str, object], finders: list[NumberFinder]) -> Row:
    """Return an object without the number in its values and names; names that become alike stay apart."""
    made: Row = {}
    for key, item in value.items():
        name = found = str(_without_numbers(key, finders))
        copies = 1
        while name in made or (name != key and name in value):
            copies += 1
            name = f"{found} ({copies})"
        made[name] = _without_numbers(item, finders)
    return made


def _number_without(value: float | Decimal, finders: list[NumberFinder]) -> object:
    # A number of many digits may be a phone number, which a float writes with a fraction or an exponent.
    if not isfinite(value) or not _LEAST_PHONE <= value < _MOST_PHONE:
        return value
    text = str(int(value))
    found = _without_numbers(text, finders)
    return value if found == text else found
