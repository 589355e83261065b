"""The rules of a payout table: read from CSV or rows, and checked before they are sent.

Retreaver's reference: "The rule CSV format". Rules are tried from top to bottom, and the first that matches decides.
A header that stands twice means both conditions, so that a row is a list of cells and no mapping.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.limits import MEGABYTE
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.payout_tables.conditions import (
    ANY,
    PATTERN,
    Condition,
    never_holds,
    read_condition,
    refuse_odd_text,
)

RULE_ID, PAYOUT = "rule_id", "payout_pct"
RESERVED = (RULE_ID, PAYOUT)
CURRENT = "current"
MAX_RULES, MAX_BYTES = 1000, MEGABYTE
MAX_PAYOUT = Decimal(100)
# Problems that an error names at most.
MAX_NAMED = 5
# Headers with the customer's IDs; with `system_` before them they are Retreaver's own.
CUSTOMER_IDS = {"affiliate_id": "afid", "campaign_id": "cid", "target_id": "tid"}
SYSTEM = "system_"
_PERCENTAGE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
_RULE_ID = re.compile(r"[0-9]{1,18}", re.ASCII)

# A row with its line (or number), counted from 1; the first one is the header.
NumberedCells = tuple[int, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    :param line: of the source.
    :param rule_id: as it is logged for every bid that the rule decides.
    :param payout: percentage of the revenue as it is written, or `current`.
    :param conditions: all of which a bid has to meet.
    """

    line: int
    rule_id: str
    payout: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class RuleTable:
    """A table that was checked.

    :param header: names of the columns, some of them perhaps more than once.
    :param rows: cells of each rule, in the order of the header.
    :param rules: the rules.
    :param warnings: what is allowed and may not be meant, one sentence each.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rules: tuple[Rule, ...]
    warnings: tuple[str, ...]

    @property
    def csv_data(self) -> str:
        """The CSV that is sent: UTF-8 without a byte order mark, lines that end with a line feed."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.header, *self.rows])
        return text.getvalue()


def read_table(rows: Iterator[NumberedCells], where: str, max_payout: Decimal = MAX_PAYOUT) -> RuleTable:
    """Read and check a table.

    :param rows: the header, then the rules.
    :param where: name of the source, for errors.
    :param max_payout: the largest percentage that is meant.
    :return: the table.
    :raises InvalidArgument: naming the first lines with a problem; nothing was sent.
    """
    line, names = next(rows, (1, ()))
    header = tuple(names)
    _check_header(header, f"{where}, line {line}:")
    found = _Reader(header, max_payout)
    for number, cells in rows:
        found.add(number, cells)
    found.refuse_problems(where)
    table = RuleTable(header, tuple(found.rows), tuple(found.rules), tuple(_warnings(header, found.rules)))
    size = len(table.csv_data.encode())
    if size > MAX_BYTES:
        raise InvalidArgument(f"{where} has {size} bytes, and Retreaver takes {MAX_BYTES}; nothing was sent.")
    return table


def _check_header(header: Sequence[str], where: str) -> None:
    for name in header:
        refuse_odd_text(name, f"{where} the name of a column is")
    for name in RESERVED:
        count = header.count(name)
        if count == 1:
            continue
        near = next((one for one in header if one.lower().replace(" ", "_") == name and one != name), None)
        hint = (
            f"the column {quoted(near)} must be written so" if near else "rules are rows below a header with commas"
        )
        problem = f"twice or more: {count} times" if count else f"missing; {hint}"
        raise InvalidArgument(f"{where} the column {name} is {problem}. Nothing was sent.")


class _Reader:
    """Collects rules, and problems of all lines."""

    def __init__(self, header: tuple[str, ...], max_payout: Decimal) -> None:
        self.rows: list[tuple[str, ...]] = []
        self.rules: list[Rule] = []
        self._header = header
        self._max_payout = max_payout
        self._lines: dict[int, int] = {}
        self._earlier: list[tuple[Rule, frozenset[Condition]]] = []
        self._problems: list[str] = []
        self._count = 0

    def add(self, line: int, cells: Sequence[str]) -> None:
        """Read one rule."""
        self._count += 1
        if self._count > MAX_RULES:
            raise InvalidArgument(f"There are more than {MAX_RULES} rules, which Retreaver takes; nothing was sent.")
        try:
            rule = self._read(line, cells)
        except InvalidArgument as error:
            self._problems.append(f"line {line}: {error.message}")
            return
        # Each cell but * is one condition, in the order of the columns.
        conditions = iter(rule.conditions)
        pairs = zip(self._header, cells, strict=True)
        self.rows.append(
            tuple(text if name in RESERVED or text == ANY else next(conditions).cell for name, text in pairs)
        )
        self.rules.append(rule)

    def refuse_problems(self, where: str) -> None:
        """Raise one error for the problems that were found."""
        if not self._problems and not self.rules:
            self._problems.append("there is no rule below the header.")
        if self._problems:
            named, more = " ".join(self._problems[:MAX_NAMED]), len(self._problems) - MAX_NAMED
            raise InvalidArgument(
                f"{where} cannot be used: {named}{f' {more} more lines have problems.' if more > 0 else ''} "
                f"Nothing was sent."
            )

    def _read(self, line: int, cells: Sequence[str]) -> Rule:
        if len(cells) != len(self._header):
            raise InvalidArgument(
                f"it has {len(cells)} cells and the header {len(self._header)}; write * for any value."
            )
        pairs = list(zip(self._header, cells, strict=True))
        named = {name: cell for name, cell in pairs if name in RESERVED}
        rule_id = self._rule_id(line, named[RULE_ID])
        _check_payout(named[PAYOUT], self._max_payout)
        read = (read_condition(name, cell) for name, cell in pairs if name not in RESERVED)
        rule = Rule(line, rule_id, named[PAYOUT], tuple(one for one in read if one is not None))
        reason = never_holds(rule.conditions)
        if reason:
            raise InvalidArgument(f"{reason}.")
        self._refuse_unreached(rule)
        return rule

    def _rule_id(self, line: int, text: str) -> str:
        if not _RULE_ID.fullmatch(text):
            raise InvalidArgument(f"{RULE_ID} must be a whole number, as the log of bids has it, not {quoted(text)}.")
        other = self._lines.setdefault(int(text), line)
        if other != line:
            raise InvalidArgument(f"{RULE_ID} {text} is that of line {other} too.")
        return text

    def _refuse_unreached(self, rule: Rule) -> None:
        """Refuse a rule all of whose bids an earlier one decides."""
        conditions = frozenset(rule.conditions)
        for other, fewer in self._earlier:
            if fewer <= conditions:
                has = "has only *" if not fewer else "has no condition that this one lacks"
                raise InvalidArgument(f"it is never reached, since line {other.line} before it {has}.")
        self._earlier.append((rule, conditions))


def _check_payout(text: str, most: Decimal) -> None:
    if text == CURRENT:
        return
    if not _PERCENTAGE.fullmatch(text):
        raise InvalidArgument(f"{PAYOUT} must be a number such as 70 or 62.5, or {CURRENT}, not {quoted(text)}.")
    percentage = Decimal(text)
    if 0 < percentage < 1:
        raise InvalidArgument(
            f"{PAYOUT} is {text}, less than 1 percent of the revenue; write {(100 * percentage).normalize():f} for "
            f"that share of it."
        )
    if percentage > most:
        raise InvalidArgument(f"{PAYOUT} is {text} percent of the revenue, and max_payout_pct allows {most:f}.")


def _warnings(header: Sequence[str], rules: Sequence[Rule]) -> Iterator[str]:
    if rules[-1].conditions:
        yield "The last rule has conditions: what a bid is paid that meets none of the rules is not documented."
    free = [rule.rule_id for rule in rules if rule.payout != CURRENT and Decimal(rule.payout) == 0]
    if free:
        yield f"Rules that pay nothing: {', '.join(free[:MAX_NAMED])}."
    used = {one.key for rule in rules for one in rule.conditions}
    for name in dict.fromkeys(header):
        if name in CUSTOMER_IDS and name in used:
            yield (
                f"The column {name} is held against the customer's ID ({CUSTOMER_IDS[name]}); Retreaver's own IDs "
                f"match only in {SYSTEM}{name}."
            )
    loose = {
        one.key
        for rule in rules
        for one in rule.conditions
        if one.operator == PATTERN and not (one.value.startswith(("^", r"\A")) and one.value.endswith(("$", r"\z")))
    }
    for name in sorted(loose):
        yield f"A regular expression on {quoted(name)} lacks ^ or $, so that it matches a part of a value too."
