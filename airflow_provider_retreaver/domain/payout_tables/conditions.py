"""Cells of a payout table as conditions on one tag (Retreaver's reference: "The rule CSV format").

What could be read in two ways is refused: the wrong reading would match silently, and pay other bids.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted

ANY = "*"
EQUAL, UNEQUAL, AT_LEAST, LESS, PATTERN = "==", "!=", ">=", "<", "=~"
OPERATORS = (EQUAL, UNEQUAL, AT_LEAST, LESS, PATTERN)
BUCKET, BUCKETS = "pbm_bucket", 10_000
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,10})?", re.ASCII)
_PROPERTY = re.compile(r"\\[pP]\{\^?\w+\}")
# What begins like an operator and is none that Retreaver documents.
_OPERATOR_CHARACTERS = "<>=!~"
# Spellings of Ruby, whose regular expressions Retreaver's are taken to be, and of Python, which checks them here.
_RUBY = ((r"\z", r"\Z"), (r"\h", "[0-9a-fA-F]"), ("(?<", "(?P<"), ("(?P<=", "(?<="), ("(?P<!", "(?<!"))


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one tag of a bid.

    :param key: of the tag.
    :param operator: one of `OPERATORS`.
    :param value: that the tag is held against.
    """

    key: str
    operator: str
    value: str

    @property
    def cell(self) -> str:
        """The condition as a cell: an equality is the plain value."""
        return self.value if self.operator == EQUAL else f"{self.operator}{self.value}"

    @property
    def number(self) -> Decimal | None:
        """The value as a number, None when it is none."""
        return Decimal(self.value) if _NUMBER.fullmatch(self.value) else None


def read_condition(key: str, cell: str) -> Condition | None:
    """Read a cell.

    :param key: the header of its column.
    :param cell: the cell.
    :return: the condition; None for `*`, which is any value.
    :raises InvalidArgument: when the cell is blank, ambiguous, or has an operator that is not documented.
    """
    if cell == ANY:
        return None
    refuse_odd_text(cell, f"{quoted(key)} is")
    operator = next((one for one in OPERATORS if cell.startswith(one)), EQUAL)
    value = cell.removeprefix(operator)
    problem = _problem(key, operator, value)
    if problem:
        raise InvalidArgument(f"{quoted(key)} is {quoted(cell)}: {problem}.")
    return Condition(key, operator, value)


def refuse_odd_text(text: str, what: str) -> None:
    """Refuse a cell that is blank, or has something in it that nobody sees.

    :param text: of the cell.
    :param what: the beginning of the sentence.
    :raises InvalidArgument: saying what to write.
    """
    if not text.strip():
        raise InvalidArgument(f"{what} blank; write * for any value.")
    if text != text.strip():
        raise InvalidArgument(f"{what} {quoted(text)}: take away the blanks around it.")
    if not text.isprintable():
        raise InvalidArgument(f"{what} {quoted(text)}: it has a character that is not printable.")


def _problem(key: str, operator: str, value: str) -> str:
    if not value.strip() or value != value.strip() or value.startswith(":"):
        return f"nothing, a blank or a colon follows the operator; write {operator}value"
    if operator == PATTERN:
        return _problem_of_pattern(value)
    is_bucket = value.isascii() and value.isdecimal() and int(value) < BUCKETS + (operator == LESS)
    problems = {
        f"this is no documented operator; there are {', '.join(OPERATORS)}, and * for any value": (
            value[0] in _OPERATOR_CHARACTERS
        ),
        f"{operator} compares numbers": operator in {AT_LEAST, LESS} and not _NUMBER.fullmatch(value),
        f"a bucket is a whole number from 0 to {BUCKETS - 1}": key == BUCKET and not is_bucket,
        "only a cell of * alone means any value; write a regular expression for a part of it, like =~^CA": (
            ANY in value
        ),
        "this is one value with a | in it; write =~^(CO|NY)$ for several values": "|" in value,
        "the quotation marks would be part of the value; take them away": bool({value[0], value[-1]} & {'"', "'"}),
    }
    return next((problem for problem, found in problems.items() if found), "")


def _problem_of_pattern(value: str) -> str:
    if len(value) > 1 and value.startswith("/") and value.endswith("/"):
        return "the slashes would be part of the regular expression; write it without them"
    if "(?P" in value:
        return "(?P is Python's; write (?<name>…) or plain brackets"
    pattern = _PROPERTY.sub(r"\\w", value)
    for ruby, python in _RUBY:
        pattern = pattern.replace(ruby, python)
    try:
        with warnings.catch_warnings():
            # Character classes such as [[:alpha:]], which Ruby has.
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"it is no regular expression ({error})"
    return ""


def never_holds(conditions: Iterable[Condition]) -> str:
    """Return why no bid can meet all of some conditions.

    :param conditions: of one rule.
    :return: the end of a sentence, blank when one can.
    """
    by_key: dict[str, list[Condition]] = {}
    for one in conditions:
        by_key.setdefault(one.key, []).append(one)
    for key, of_key in by_key.items():
        values = {one.value for one in of_key if one.operator == EQUAL}
        excluded = {one.value for one in of_key if one.operator == UNEQUAL}
        least = max(
            (one.number for one in of_key if one.operator == AT_LEAST and one.number is not None), default=None
        )
        below = min((one.number for one in of_key if one.operator == LESS and one.number is not None), default=None)
        empty = least is not None and below is not None and least >= below
        if len(values) > 1 or values & excluded or empty:
            return f"no bid meets all conditions on {quoted(key)}: {', '.join(quoted(one.cell) for one in of_key)}"
    return ""
