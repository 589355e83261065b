"""Phone numbers within texts, however they are punctuated and encoded: the one recognizer for masks and privacy.

A number stands in logs, errors, URLs and tags as `+19195550123`, `(919) 555-0123`, `919·555·0123`, `919_555_0123` or
`%28919%29+555-0123`. What is compared is its digits.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache
from urllib.parse import unquote

from airflow_provider_retreaver.core.visible_text import INVISIBLE

# Fewer digits are in many texts by chance; a number in E.164 has 15 at most.
LEAST_DIGITS = 7
NORTH_AMERICAN = 10

# `%25` is a percent sign that was encoded once more.
_PERCENT = "%(?:25)*"
# An encoded octet that is neither a digit nor a letter; those above 7F are parts of dashes, dots and spaces.
_OCTET = rf"{_PERCENT}(?:[02][0-9A-Fa-f]|3[A-Fa-f]|40|5[B-Fb-f]|60|7[B-Fb-f]|[89A-Fa-f][0-9A-Fa-f])"
_ESCAPE = (
    r"\\+(?:u(?:00[aA][0dD]|00[bB]7|[fF][eE](?:[fF][fF]|0[0-9a-fA-F])|20[0-6][0-9a-fA-F]|2212)|x(?:a0|A0|b7|B7))"
)
_ENTITY = (
    r"&(?:amp;)*(?:nbsp|middot|[nm]dash|thinsp|lpar|rpar|period|plus"
    r"|\#0*(?:32|4[0156]|160|183)|\#x0*(?:20|2[89BDEbde]|[aA]0|[bB]7));"
)
_CODED = rf"{_OCTET}|{_ESCAPE}|{_ENTITY}"
# Between the digits of a number as people write it; a comma or a line ends a number.
_WRITTEN = (
    rf"[ ()\[\].\-/_+*~\u00a0\u00b7\u2000-\u2015\u2022\u2024\u2027\u202a-\u202f\u2060-\u2069\u2212\u22c5"
    rf"\u30fb\uff0d\uff0e{INVISIBLE}]"
)
# Between the digits of a number that is known: everything but letters and digits.
_ANYTHING = r"[^\w%\\&]|_|%(?![0-9A-Fa-f]{2})|\\[nrtbf]|\\(?!\\*[uxnrtbf])|&(?!\#?\w+;)"
# The first and the last year that times have stand for times without end.
_YEAR = r"(?:[12]\d{3}|9999|000[01])"
_DIGIT = rf"(?:\d|{_PERCENT}3\d)"

_NUMBER = rf"""
    (?P<other>                                     # what has many digits, and is no phone number:
        (?<!\w)[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}(?!\w)              # a UUID,
        |(?<!\d)(?:{_YEAR}([-/.])\d\d?\2\d\d?|\d\d?([-/.])\d\d?\3{_YEAR})                          # a date, a time,
          (?:[T\ ]\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\ ?[+-]\d\d:?\d\d)?)?(?!\d)
        |(?<![\d.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?![\d.])                                        # an IPv4 address,
        |(?<![\d.])\d{{1,6}}\.\d+(?![\d.])                                                      # a decimal,
        |(?<!\d)\d{{16,}}(?!\d)                                                                 # too many digits
    )
    |(?:(?<![0-9A-Za-z])|(?<=%[0-9A-Fa-f]{{2}})|(?<=%25[0-9A-Fa-f]{{2}})|(?<=\\[nrt])|(?<=\\x[0-9a-f]{{2}})|(?<=\\u[0-9a-fA-F]{{4}}))
     (?P<first>(?:\+|\(|{_PERCENT}2[Bb8])?{_DIGIT})
     (?:(?:{_WRITTEN}|{_CODED}){{0,4}}{_DIGIT}){{{LEAST_DIGITS - 3},}}
     (?:{_WRITTEN}|{_CODED}){{0,4}}(?P<last>{_DIGIT}(?:{_WRITTEN}|{_CODED}){{0,4}}{_DIGIT})
"""

_WORD = re.compile("[0-9A-Za-z]")
_NO_DIGITS = {code: None for code in range(128) if not chr(code).isdigit()}
_EXTENSION = re.compile(r"(?:x|ext)\d")


@cache
def _number() -> re.Pattern[str]:
    """Return the compiled pattern; compiling it at import would be a tenth of what importing all operators costs."""
    return re.compile(_NUMBER, re.VERBOSE)


def in_e164(number: str) -> str:
    """Return a phone number in E.164; ten digits without a country code are North American, as Retreaver reads them.

    :param number: digits, with or without a plus sign and whatever stands between them.
    :return: e.g. `+14155550123`.
    """
    digits = re.sub(r"\D", "", number)
    return f"+1{digits}" if len(digits) == NORTH_AMERICAN and "+" not in number else f"+{digits}"


def mask_numbers(text: str) -> str:
    """Return a text in which everything that may be a phone number is masked.

    :param text: the text.
    :return: the text, in which each number has its first and its last two digits only, e.g. `+1…23`.
    """
    return _number().sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    if found["other"] is not None:
        return found[0]
    # Plain digits within a word are a part of an ID or of a hash.
    if (
        found[0].isalnum()
        and _WORD.match(found.string, found.end())
        and not _EXTENSION.match(found.string, found.end())
    ):
        return found[0]
    return f"{found['first']}…{found['last']}"


class NumberFinder:
    """Finds one phone number in texts, however it is punctuated and encoded, and replaces it.

    :param digits: of the number in E.164, without the plus sign.
    :param replacement: what stands in place of the number.
    """

    def __init__(self, digits: str, replacement: str) -> None:
        north_american = digits.startswith("1") and len(digits) == NORTH_AMERICAN + 1
        self._digits = digits[1:] if north_american else digits
        self._replacement = replacement
        self._pattern: re.Pattern[str] | None = None

    def replace_in(self, text: str) -> str:
        """Return a text without the number.

        :param text: any text.
        :return: the text, each number replaced; decoded where the number was encoded in an unusual way; only the
            replacement where something unusual stands between its digits.
        """
        # Hardly any text holds the number, so what is cheap comes first.
        if len(text) < len(self._digits) or self._digits not in digits_of(text):
            return text
        if self._pattern is None:
            self._pattern = _spelled(self._digits)
        found, count = self._pattern.subn(lambda _: self._replacement, text)
        if count and self._digits not in digits_of(found.replace(self._replacement, "x")):
            return found
        decoded = self._pattern.sub(lambda _: self._replacement, decode(found))
        if self._digits in digits_of(decoded.replace(self._replacement, "x")):
            # With words or much else between its digits: where it begins and ends is not known.
            return self._replacement
        return decoded


def _spelled(digits: str) -> re.Pattern[str]:
    """Return what matches a number, with or without its country code."""
    between = rf"(?:{_ANYTHING}|{_CODED}){{0,16}}"
    code = rf"(?:\+|00|{_PERCENT}2[Bb])?"
    if len(digits) == NORTH_AMERICAN:
        code = rf"(?:{code}(?:1|{_PERCENT}31){between})?"
    opened = rf"(?:(?:[(\[]|{_PERCENT}28|{_PERCENT}5[Bb]){between})?"
    return re.compile(code + opened + between.join(rf"(?:{digit}|{_PERCENT}3{digit})" for digit in digits))


def digits_of(text: str) -> str:
    """Return all digits of a decoded text, for a first comparison.

    :param text: any text.
    :return: its digits, in ASCII.
    """
    plain = decode(text)
    # Of plain texts, which nearly all are, several times as fast as a pattern.
    return plain.translate(_NO_DIGITS) if plain.isascii() else re.sub(r"\D", "", plain)


def decode(text: str) -> str:
    """Return a text as it was before it was encoded for a URL, JSON or HTML, with plain digits.

    :param text: any text.
    :return: the decoded text.
    """
    for _ in range(6):
        before = text
        if "%" in text:
            text = unquote(text)
        if "&" in text:
            text = html.unescape(text)
        if "\\" in text:
            text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)
        if text == before:
            break
    return text if text.isascii() else re.sub(r"\d", lambda digit: str(unicodedata.digit(digit[0])), text)
