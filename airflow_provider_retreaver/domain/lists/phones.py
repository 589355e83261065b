"""Phone numbers as people and warehouses write them, as E.164.

A number is kept as the integer of its E.164 digits (`+19195550123` is 19195550123): a million of them take 8 MB.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_retreaver.core.errors import InvalidArgument

if TYPE_CHECKING:
    from phonenumbers import PhoneMetadata

NORTH_AMERICA = 1

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# How spreadsheets and data frames write whole numbers.
_DECIMAL = re.compile(r"(\+?[0-9]{7,15})\.0")
_SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]+")
# Digits and the usual separators; anything else is ambiguous.
_WRITTEN = re.compile(r"(?:tel:)?\s*[(\[]?\s*[+\uff0b]?[\d(][\d\s().\[\]/\u00a0\u2010-\u2015\u2212-]+", re.IGNORECASE)
_NUMBERS = re.compile(r"(?<![\w.:-])(\+?[0-9])[0-9]{4,12}([0-9]{2})(?![\w:])")


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


def mask_numbers(text: str) -> str:
    """Return a text in which everything that may be a phone number is masked.

    :param text: the text.
    :return: the masked text.
    """
    return _NUMBERS.sub(r"\1…\2", text)


class Normalizer:
    """Reads phone numbers with libphonenumber's rules, quickly where they are plain North American ones.

    :param region: two letters of the country that numbers without a country code belong to.
    :raises InvalidArgument: when there is no such region.
    """

    def __init__(self, region: str = "US") -> None:
        import phonenumbers

        self._region = str(region).strip().upper()
        if self._region not in phonenumbers.SUPPORTED_REGIONS:
            raise InvalidArgument(f"default_region must be a country's two letters, like US or GB, not {region!r}.")
        self._library = phonenumbers
        self._valid = _north_american().fullmatch
        local = phonenumbers.country_code_for_region(self._region) == NORTH_AMERICA
        self._plain = re.compile(r"(?:\+?1)?([2-9][0-9]{9})" if local else r"\+1([2-9][0-9]{9})").fullmatch

    def read(self, value: object) -> int | str:
        """Read one number.

        :param value: a text, or a whole number.
        :return: the E.164 digits as an integer, or the reason why it is none (a text that does not repeat it).
        """
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None or isinstance(value, bool) or not isinstance(value, (str, int)):
            return "blank" if value is None else f"a {type(value).__name__}, not a phone number"
        text = str(value).strip()
        # What phonenumbers would say, without the 35 microseconds that it takes.
        plain = self._plain(text)
        if plain is not None and self._valid(plain[1]):
            return int(f"1{plain[1]}")
        return self._parsed(text) if text else "blank"

    def _parsed(self, text: str) -> int | str:
        decimal = _DECIMAL.fullmatch(text)
        text = decimal[1] if decimal else text
        if not _WRITTEN.fullmatch(text):
            if _SCIENTIFIC.fullmatch(text):
                return "in scientific notation, so it was rounded"
            return "contains characters that no phone number has" if re.search(r"\d", text) else "not a phone number"
        library = self._library
        try:
            number = library.parse(text, self._region)
        except library.NumberParseException as error:
            return _REASONS.get(error.error_type, "not a phone number")
        if library.is_valid_number(number):
            return int(library.format_number(number, library.PhoneNumberFormat.E164)[1:])
        possible = library.is_possible_number_with_reason(number)
        return _LENGTHS.get(possible, "not a number that is in use")


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
