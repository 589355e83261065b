"""What a text that is no phone number for the reader may nevertheless mean.

A value that cannot be read is not an absent number: whoever wrote it meant somebody. So every number that it could
stand for is found generously, and a mirror removes none of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from types import ModuleType

from airflow_provider_retreaver.core.visible_text import visible

LEAST_DIGITS, MOST_DIGITS = 7, 15
# phonenumbers does not look at longer texts either.
_PARSED = 250
# Digits with what is written between the digits of one number.
_RUN = re.compile(r"\+?\d[\d\s().\[\]\u2010-\u2015\u2212-]*")
_WORD = re.compile(r"[^\s,;|/]+")
_DECIMALS = re.compile(r"(?<=\d)[.,]\d{1,2}(?!\d)")
_DIALED_ABROAD = ("011", "00")


def possible_numbers(text: str, region: str, library: ModuleType) -> frozenset[int]:
    """Return every number that a text could mean.

    :param text: the text as it was written.
    :param region: country of numbers without a country code.
    :param library: `phonenumbers`.
    :return: digits of E.164 as integers; whether a country gives out such numbers does not matter.
    """
    code = str(library.country_code_for_region(region))
    digits = "".join(map(_ascii, visible(text)))
    found: set[int] = set()
    for one in set(_digits_in(digits)):
        found.update(_meanings(one, code))
    for written in (digits[:_PARSED], text[:_PARSED]):
        try:
            number = library.parse(written, region)
        except library.NumberParseException:
            continue
        national = library.national_significant_number(number)
        found.add(int(f"{number.country_code}{national}"))
    return frozenset(number for number in found if LEAST_DIGITS <= len(str(number)) <= MOST_DIGITS)


def _ascii(char: str) -> str:
    """Return the digit that a character stands for in any script, a sign in its plain form."""
    if char.isascii():
        return char
    digit = unicodedata.decimal(char, None)
    return str(digit) if digit is not None else unicodedata.normalize("NFKC", char)


def _digits_in(text: str) -> Iterator[str]:
    """Yield the digits of a text and of its parts, and of parts whose end is replaced by a short one that follows."""
    whole = re.sub(r"\D", "", text)
    yield whole
    if "\u202e" in text:
        yield whole[::-1]
    yield re.sub(r"\D", "", _DECIMALS.sub("", text))
    before = ""
    for pattern in (_RUN, _WORD):
        for part in pattern.findall(text):
            digits = re.sub(r"\D", "", part)
            yield digits
            if 0 < len(digits) < LEAST_DIGITS < len(before):
                yield before[: -len(digits)] + digits
            else:
                before = digits


def _meanings(digits: str, code: str) -> Iterator[int]:
    """Yield the numbers that digits mean with and without a country code and the digits that are dialed before it."""
    if not LEAST_DIGITS <= len(digits) <= MOST_DIGITS + len(_DIALED_ABROAD[0]):
        return
    for prefix in _DIALED_ABROAD:
        if digits.startswith(prefix):
            yield int(digits.removeprefix(prefix) or "0")
    yield int(digits)
    yield int(f"{code}{digits}")
    yield int(f"{code}{digits.lstrip('0') or '0'}")
    doubled = digits.removeprefix(code)
    if doubled != digits:
        yield int(f"{code}{doubled.lstrip('0') or '0'}")
        yield int(doubled or "0")
