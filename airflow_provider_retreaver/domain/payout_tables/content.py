"""What tables have in common: whether two have the same content, and which rules differ.

Tables that others have uploaded may hold what this package does not send, so that nothing is checked here.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from typing import TypedDict

from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.payout_tables.conditions import ANY
from airflow_provider_retreaver.domain.payout_tables.rules import PAYOUT, RULE_ID

# IDs of rules in a difference at most, of each kind.
MAX_IDS = 100


class TableDifference(TypedDict):
    """What one table has and another one has not, as IDs of rules (the first 100), with their numbers."""

    added: int
    removed: int
    changed: int
    reordered: bool
    added_ids: list[str]
    removed_ids: list[str]
    changed_ids: list[str]


def fingerprint(csv_data: str) -> str:
    """Return what two tables with the same cells have in common, however they are quoted and their lines end.

    :param csv_data: the CSV of a table.
    :return: a digest.
    """
    rows = _rows(csv_data)
    content = json.dumps(csv_data if rows is None else rows)
    return hashlib.sha256(content.encode()).hexdigest()


def table_difference(before: str, after: str) -> TableDifference:
    """Return which rules differ between two tables.

    :param before: the CSV of the one; blank for no table.
    :param after: the CSV of the other.
    :return: the difference; a rule is known by its ID.
    """
    old, new = _rules(before), _rules(after)
    added = [rule_id for rule_id in new if rule_id not in old]
    removed = [rule_id for rule_id in old if rule_id not in new]
    changed = [rule_id for rule_id, rule in new.items() if rule_id in old and old[rule_id] != rule]
    kept = [rule_id for rule_id in new if rule_id in old]
    return {
        "added": len(added),
        "removed": len(removed),
        "changed": len(changed),
        "reordered": kept != [rule_id for rule_id in old if rule_id in new],
        "added_ids": without_secrets(added[:MAX_IDS]),
        "removed_ids": without_secrets(removed[:MAX_IDS]),
        "changed_ids": without_secrets(changed[:MAX_IDS]),
    }


def _rows(csv_data: str) -> list[list[str]] | None:
    try:
        return [row for row in csv.reader(io.StringIO(csv_data, newline="")) if row]
    except csv.Error:
        return None


def _rules(csv_data: str) -> dict[str, tuple[str, Sequence[tuple[str, str]]]]:
    """Return percentage and conditions by rule ID; the order of the columns does not matter."""
    header, *rows = _rows(csv_data) or [[]]
    found: dict[str, tuple[str, Sequence[tuple[str, str]]]] = {}
    for row in rows:
        pairs = list(zip(header, row, strict=False))
        named = {name: cell for name, cell in pairs if name in {RULE_ID, PAYOUT}}
        conditions = sorted((name, cell) for name, cell in pairs if name not in named and cell != ANY)
        found[named.get(RULE_ID, "")] = (named.get(PAYOUT, ""), conditions)
    return found
