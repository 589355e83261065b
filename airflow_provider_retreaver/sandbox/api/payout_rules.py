"""The rules of a payout bid modification table: reading them, and which one a bid matches."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_retreaver.sandbox.api.columns import InvalidValue

MAX_RULES, MAX_BYTES = 1000, 1_000_000
BUCKETS = 10_000
_RESERVED = ("rule_id", "payout_pct")
# Longer operators first: `==` is no `=~`, and `>=` is none that begins with `>`.
_OPERATORS = ("=~", "==", "!=", ">=", "<")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a table.

    :param rule_id: As it is written.
    :param percentage: Of the revenue; None for ``current``.
    :param conditions: Key, operator and value of each.
    """

    rule_id: str
    percentage: float | None
    conditions: tuple[tuple[str, str, str], ...]


def parse(text: str) -> list[Rule]:
    """Read the CSV of a table.

    Retreaver's reference: "The rule CSV format".

    :param text: The CSV.
    :return: Its rules in their order.
    :raises InvalidValue: If it cannot be read.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidValue("is over 1MB")
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except (csv.Error, ValueError) as error:
        raise InvalidValue("bad CSV") from error
    for name in _RESERVED:
        if header.count(name) != 1:
            raise InvalidValue(f"one column {name} is needed")
    if not rows or len(rows) > MAX_RULES:
        raise InvalidValue(f"1 to {MAX_RULES} rules, not {len(rows)}")
    return [_rule(header, row) for row in rows]


def matching(rules: list[Rule], bid: Mapping[str, str]) -> Rule | None:
    """Find the first rule that a bid matches.

    :param rules: Of the active table.
    :param bid: Values by tag key.
    :return: The rule; None if it matches none, which leaves the payout as it is.
    """
    return next((rule for rule in rules if all(_holds(one, bid) for one in rule.conditions)), None)


def bucket(salt: str, uuid: str) -> int:
    """Assign a bid to a bucket: the same salt and UUID always give the same one.

    :param salt: Of the table.
    :param uuid: Of the reservation.
    :return: 0 to 9999.
    """
    return int.from_bytes(hashlib.sha256(f"{salt}:{uuid}".encode()).digest()[:8]) % BUCKETS


def _rule(header: list[str], row: list[str]) -> Rule:
    if len(row) > len(header):
        raise InvalidValue("a row has more columns than the header")
    # A column that is left out of a row is no constraint.
    cells = list(zip(header, row, strict=False))
    reserved = {name: cell for name, cell in cells if name in _RESERVED}
    payout = reserved.get("payout_pct", "")
    if payout != "current" and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", payout):
        raise InvalidValue(f"payout_pct {payout!r} is no number")
    conditions = tuple(_condition(name, cell) for name, cell in cells if name not in _RESERVED and cell != "*")
    percentage = None if payout == "current" else float(payout)
    return Rule(reserved.get("rule_id", ""), percentage, conditions)


def _condition(name: str, cell: str) -> tuple[str, str, str]:
    operator = next((one for one in _OPERATORS if cell.startswith(one)), None)
    if operator is None and cell[:1] in {"<", ">", "=", "!", "~"}:
        raise InvalidValue(f"unknown operator in {cell!r}")
    value = cell.removeprefix(operator) if operator is not None else cell
    if operator == "=~":
        try:
            re.compile(value)
        except re.error as error:
            raise InvalidValue(f"{value!r} is no regular expression") from error
    return name, operator or "==", value


def _holds(condition: tuple[str, str, str], bid: Mapping[str, str]) -> bool:
    name, operator, value = condition
    given = bid.get(name)
    if operator == "!=":
        return given != value
    if given is None:
        return False
    if operator == "==":
        return given == value
    if operator == "=~":
        return re.search(value, given, re.MULTILINE) is not None
    try:
        return float(given) >= float(value) if operator == ">=" else float(given) < float(value)
    except ValueError:
        return False
