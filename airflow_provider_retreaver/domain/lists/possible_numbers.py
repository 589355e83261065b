"""What a text that is no phone number for the reader may nevertheless mean.

A value that cannot be read is not an absent number: whoever wrote it meant somebody. So every number that it could
stand for is found generously, and a mirror removes none of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from types import ModuleType

from airflow_provider_retreaver.core.phone_text import decode
from airflow_provider_retreaver.core.visible_text import visible

# Of E.164, with the country code. Some islands have national numbers of four digits.
LEAST_DIGITS, MOST_DIGITS = 7, 15
# phonenumbers does not look at longer texts either.
_PARSED = 250
_REVERSED = "\u202e"
_DIALED_ABROAD = ("011", "00")


def possible_numbers(text: str, region: str, library: ModuleType) -> frozenset[int]:
    """Return every number that a text could mean.

    :param text: the text as it was written.
    :param region: country of numbers without a country code.
    :param library: `phonenumbers`.
    :return: digits of E.164 as integers; whether a country gives out such numbers does not matter.
    """
    country = _Country(region, library)
    found: set[int] = set()
    for written in {text, decode(text)}:
        plain = "".join(map(_ascii, visible(written)))
        groups = re.findall(r"[0-9]+", plain)
        if _REVERSED in plain:
            groups += [group[::-1] for group in reversed(groups)]
        for digits in set(_digits_in(groups)):
            found.update(country.meanings(digits))
        found.update(country.parsed(plain[:_PARSED]))
    return frozenset(number for number in found if LEAST_DIGITS <= len(str(number)) <= MOST_DIGITS)


def _ascii(char: str) -> str:
    """Return the digit that a character stands for in any script, a sign in its plain form."""
    if char.isascii():
        return char
    digit = unicodedata.decimal(char, None)
    return str(digit) if digit is not None else unicodedata.normalize("NFKC", char)


def _digits_in(groups: list[str]) -> Iterator[str]:
    """Yield the digits of groups in a row that may be one number, and with an end that the next group replaces."""
    for start in range(len(groups)):
        digits = ""
        for at in range(start, len(groups)):
            digits += groups[at]
            if len(digits) > MOST_DIGITS + len(_DIALED_ABROAD[0]):
                break
            yield digits
            following = groups[at + 1] if at + 1 < len(groups) else ""
            if 0 < len(following) < len(digits):
                yield digits[: -len(following)] + following


class _Country:
    """A country to which numbers without a country code belong."""

    def __init__(self, region: str, library: ModuleType) -> None:
        self._region = region
        self._library = library
        self._code = str(library.country_code_for_region(region))
        metadata = library.PhoneMetadata.metadata_for_region(region)
        self._dialed_before = re.compile(f"(?:{metadata.national_prefix_for_parsing or '0'})", re.ASCII)

    def meanings(self, digits: str) -> Iterator[int]:
        """Yield the numbers that digits mean with and without a country code and what is dialed before it.

        :param digits: of one number.
        :return: the numbers, in every length.
        """
        for prefix in ("", *_DIALED_ABROAD):
            if digits.startswith(prefix):
                yield int(digits.removeprefix(prefix) or "0")
        for national in {digits, digits.removeprefix(self._code)}:
            before = self._dialed_before.match(national)
            for rest in (national, national.lstrip("0"), national[before.end() :] if before else ""):
                yield int(f"{self._code}{rest}")

    def parsed(self, text: str) -> Iterator[int]:
        """Yield the number that the library reads, which knows extensions and letters on keys.

        :param text: the text.
        :return: the number, whether or not it is valid.
        """
        library = self._library
        try:
            number = library.parse(text, self._region)
        except library.NumberParseException:
            return
        yield int(f"{number.country_code}{library.national_significant_number(number)}")
