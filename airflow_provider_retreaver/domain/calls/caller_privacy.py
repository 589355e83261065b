"""Callers' phone numbers in exported calls: kept, replaced by a keyed hash, or masked.

The caller's number is personal data; numbers that were dialed and buyers' numbers belong to the business. It stands
in two fields of a call and, for some customers, in tags, URLs and events as well: wherever it stands in the call,
however it is punctuated, it is replaced by the same text.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import mask_number
from airflow_provider_retreaver.core.secrets import Secret

MODES = ("keep", "hash", "mask")
# The caller, and the caller's number that was sent to the buyer. Retreaver's reference: "Calls".
CALLER_FIELDS = ("caller", "caller_number_sent")
# A shorter secret could be found by trial, and without one every number.
LEAST_SECRET = 16

Transform = Callable[[Row], Row]

# Fewer digits are in many texts by chance.
_LEAST_DIGITS = 7
_NORTH_AMERICAN = 10
# Between the digits of a number as people write it: spaces, brackets, dots, dashes, and a space in a URL.
_BETWEEN = r"(?:[\s().\-/\u00a0\u2010-\u2015]|%20|\+)*"


def phone_transform(mode: object, secret: Secret | None = None) -> Transform | None:
    """Return the function that hides the callers' numbers in a call.

    :param mode: `keep`; `hash`: HMAC-SHA256 of the number in E.164, 64 hexadecimal digits, the same for one number in
        all exports with one secret; `mask`: `+1…77`.
    :param secret: for `hash`, at least 16 characters.
    :return: takes a call and returns another one, without changing the first; None for `keep`.
    :raises InvalidArgument: when the mode is unknown or the secret too short.
    """
    parameters.one_of(mode, MODES, "phone_numbers")
    if mode == "keep":
        return None
    if mode == "mask":
        return _NumberHider(mask_number)
    if secret is None or len(secret.reveal()) < LEAST_SECRET:
        raise InvalidArgument(
            f"phone_numbers='hash' needs a secret of at least {LEAST_SECRET} characters: the password of the "
            f"connection that phone_numbers_conn_id names."
        )
    key = secret.reveal().encode()
    return _NumberHider(lambda number: hmac.new(key, e164(number).encode(), hashlib.sha256).hexdigest())


def e164(number: str) -> str:
    """Return a number in E.164, so that every spelling of it has the same hash.

    :param number: a phone number, or another text that stands for the caller, e.g. `anonymous`.
    :return: e.g. `+14155550123`; other texts in lower case.
    """
    digits = re.sub(r"\D", "", number)
    if len(digits) < _LEAST_DIGITS or re.search(r"[A-Za-z@]", number):
        return number.strip().lower()
    # Retreaver is North American, and so is a number without a country code.
    return f"+1{digits}" if len(digits) == _NORTH_AMERICAN and "+" not in number else f"+{digits}"


class _NumberHider:
    """Replaces the numbers of callers in a row.

    :param replacement: what stands in place of a number.
    """

    def __init__(self, replacement: Callable[[str], str]) -> None:
        self._replacement = replacement

    def __call__(self, row: Row) -> Row:
        numbers = {str(row[name]) for name in CALLER_FIELDS if row.get(name)}
        replaced = {number: self._replacement(number) for number in numbers}
        finders = [_NumberFinder(number, text) for number, text in replaced.items() if _digits(number)]
        return {
            name: replaced[str(value)] if name in CALLER_FIELDS and value else _without_numbers(value, finders)
            for name, value in row.items()
        }


def _digits(number: str) -> str:
    digits = re.sub(r"\D", "", e164(number))
    return digits if len(digits) >= _LEAST_DIGITS else ""


class _NumberFinder:
    """Finds one number in texts, with or without its country code, however it is punctuated."""

    def __init__(self, number: str, replacement: str) -> None:
        digits = _digits(number)
        national = digits[1:] if digits.startswith("1") and len(digits) == _NORTH_AMERICAN + 1 else digits
        self._ending = national[-4:]
        self._national = national
        self._replacement = replacement
        self._pattern: re.Pattern[str] | None = None

    def replace_in(self, text: str) -> str:
        """Return a text without the number.

        :param text: any text.
        :return: the text, each number replaced.
        """
        # Hardly any text holds it: the pattern is made when it is needed.
        if len(text) < len(self._national) or self._ending[-1] not in text:
            return text
        if self._national not in re.sub(r"%2[0Bb]|\D", "", text):
            return text
        if self._pattern is None:
            code = (
                rf"(?:(?:\+|%2[Bb]|00)?1{_BETWEEN})?"
                if len(self._national) == _NORTH_AMERICAN
                else r"(?:\+|%2[Bb]|00)?"
            )
            self._pattern = re.compile(rf"{code}(?:\({_BETWEEN})?{_BETWEEN.join(self._national)}")
        return self._pattern.sub(self._replacement, text)


def _without_numbers(value: object, finders: list[_NumberFinder]) -> object:
    if isinstance(value, str):
        for finder in finders:
            value = finder.replace_in(value)
        return value
    if isinstance(value, dict):
        return {_without_numbers(key, finders): _without_numbers(item, finders) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_numbers(item, finders) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 10 ** (_LEAST_DIGITS - 1):
        text = _without_numbers(str(value), finders)
        return value if text == str(value) else text
    return value
