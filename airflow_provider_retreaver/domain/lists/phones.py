"""Phone numbers as people and warehouses write them, as E.164.

A number is kept as the integer of its E.164 digits (`+19195550123` is 19195550123): a million of them take 8 MB.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.visible_text import shown_in_cell
from airflow_provider_retreaver.domain.lists.driver_values import BLANK, ROUNDED, is_null, whole_number
from airflow_provider_retreaver.domain.lists.possible_numbers import possible_numbers

if TYPE_CHECKING:
    from phonenumbers import PhoneMetadata

NORTH_AMERICA = 1

_GREATER = 10**16
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# How data frames write whole numbers. With many zeros at the end it may be a number of single precision, which has
# seven digits.
_DATA_FRAME = re.compile(r"(\+?[0-9]{7,15})(?<!000)\.0")
_DECIMALS = re.compile(r"[^.]*\d\.(?:\d{1,2}|0+)")
_SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]+")
# Digits and the usual separators; anything else is ambiguous.
_WRITTEN = re.compile(r"(?:tel:)?\s*[(\[]?\s*[+\uff0b]?[\d(][\d\s().\[\]/\u00a0\u2010-\u2015\u2212-]+", re.IGNORECASE)
# What may stand between two numbers; a slash or the end of a line always does, unless an area code is before it.
_BETWEEN = re.compile(r"[\s/().\[\]\u2010-\u2015\u2212-]+")
_SEPARATES = re.compile(r"[/\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def e164(number: int) -> str:
    """Return a number as text.

    :param number: digits of E.164 as an integer.
    :return: e.g. `+19195550123`.
    """
    return f"+{number}"


def from_e164(text: str) -> int | None:
    """Read the result of `e164`.

    :param text: the text.
    :return: digits as an integer, None for any other text.
    """
    return int(text[1:]) if _E164.fullmatch(text) else None


class Normalizer:
    """Reads phone numbers with libphonenumber's rules, quickly where they are plain North American ones.

    :param region: two letters of the country that numbers without a country code belong to.
    :raises InvalidArgument: when there is no such region.
    """

    def __init__(self, region: str = "US") -> None:
        import phonenumbers

        self._region = str(region).strip().upper()
        if self._region not in phonenumbers.SUPPORTED_REGIONS:
            raise InvalidArgument(
                f"default_region must be a country's two letters, like US or GB, not {quoted(region)}."
            )
        self._library = phonenumbers
        self._valid = _north_american().fullmatch
        local = phonenumbers.country_code_for_region(self._region) == NORTH_AMERICA
        self._plain = re.compile(r"(?:\+?1)?([2-9][0-9]{9})" if local else r"\+1([2-9][0-9]{9})").fullmatch

    def read(self, value: object) -> int | str:
        """Read one number.

        :param value: a text, or a whole number; a `float` is none, since it may have been rounded.
        :return: the E.164 digits as an integer, or the reason why it is none (a text that does not repeat it).
        """
        if not isinstance(value, str):
            written = whole_number(value)
            if isinstance(written, str):
                return written
            value = str(written[0])
        text = value.strip()
        # What phonenumbers would say, without the 35 microseconds that it takes.
        plain = self._plain(text)
        if plain is not None and self._valid(plain[1]):
            return int(f"1{plain[1]}")
        text = shown_in_cell(text)
        return self._parsed(text) if text else BLANK

    def could_mean(self, value: object) -> frozenset[int]:
        """Return every number that a value could mean which `read` does not take.

        :param value: the value.
        :return: digits of E.164 as integers, for numbers that nobody is known to have as well.
        """
        if isinstance(value, (float, Decimal)):
            # What is greater is no phone number, and may have more digits than memory.
            value = int(value) if not is_null(value) and -_GREATER < value < _GREATER else None
        return possible_numbers("" if value is None else str(value), self._region, self._library)

    def _parsed(self, text: str) -> int | str:
        whole = _DATA_FRAME.fullmatch(text)
        text = whole[1] if whole else text
        problem = _unlike_a_number(text)
        if problem:
            return problem
        library = self._library
        try:
            number = library.parse(text, self._region)
        except library.NumberParseException as error:
            return _REASONS.get(error.error_type, "not a phone number")
        if not library.is_valid_number(number):
            possible = library.is_possible_number_with_reason(number)
            return _LENGTHS.get(possible, "not a number that is in use")
        if self._holds_two(text):
            return "two numbers in one field, or an extension"
        return int(library.format_number(number, library.PhoneNumberFormat.E164)[1:])

    def _holds_two(self, text: str) -> bool:
        """Return whether a text is a number already before one of its separators, and what follows is another.

        Where numbers have no fixed length, two of them together may look like a third.
        """
        for cut in _BETWEEN.finditer(text):
            between, after = cut[0], text[cut.end() :]
            digits = sum(map(str.isdecimal, after[:20]))
            if _SEPARATES.search(between) or (digits <= 2 and not between.isspace()):
                second = digits > 0
            else:
                second = after.startswith(("0", "+")) and self._is_valid(after)
            if second and self._is_valid(text[: cut.start()]):
                return True
        return False

    def _is_valid(self, text: str) -> bool:
        library = self._library
        try:
            return bool(library.is_valid_number(library.parse(text, self._region)))
        except library.NumberParseException:
            return False


def _unlike_a_number(text: str) -> str:
    """Return why a text is not written like a phone number, an empty text if it is."""
    if _WRITTEN.fullmatch(text):
        return "with decimals, so it is not a phone number" if _DECIMALS.fullmatch(text) else ""
    if _SCIENTIFIC.fullmatch(text):
        return ROUNDED
    return "contains characters that no phone number has" if re.search(r"\d", text) else "not a phone number"


# Of phonenumbers' NumberParseException.error_type.
_REASONS = {0: "no such country code", 1: "not a phone number", 2: "too short", 3: "too short", 4: "too long"}
# Of phonenumbers' ValidationResult.
_LENGTHS = {
    2: "too short",
    3: "too long",
    4: "too short: a local number without its area code",
    5: "of no length in use",
}


def _north_american() -> re.Pattern[str]:
    """Return what matches the ten digits of every valid number of country code 1, from the library's own metadata."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    regions = [PhoneMetadata.metadata_for_region(name) for name in COUNTRY_CODE_TO_REGION_CODE[NORTH_AMERICA]]
    return re.compile("|".join(_of_region(region) for region in regions if region is not None), re.ASCII)


def _of_region(region: PhoneMetadata) -> str:
    kinds = (
        region.fixed_line,
        region.mobile,
        region.toll_free,
        region.premium_rate,
        region.shared_cost,
        region.voip,
        region.personal_number,
        region.pager,
        region.uan,
        region.voicemail,
    )
    patterns = [kind.national_number_pattern for kind in kinds if kind is not None and kind.national_number_pattern]
    leading = f"(?={region.leading_digits})" if region.leading_digits else ""
    general = region.general_desc.national_number_pattern if region.general_desc is not None else None
    return rf"{leading}(?=(?:{general})\Z)(?:{'|'.join(patterns)})"
