"""Rules on IDs: whether they are of the kind that their column is held against.

A column `affiliate_id` means the customer's ID, `system_affiliate_id` Retreaver's own, and the wrong one matches
silently. Where the account shows which one is meant, this is said. Retreaver's reference: "The rule CSV format".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from airflow_provider_retreaver.core.operations import Each, Listing, Procedure, Row
from airflow_provider_retreaver.core.quoting import first_of, one_line
from airflow_provider_retreaver.domain.payout_tables.conditions import EQUAL, UNEQUAL
from airflow_provider_retreaver.domain.payout_tables.rules import CUSTOMER_IDS, SYSTEM, RuleTable
from airflow_provider_retreaver.resources.affiliates import list_affiliates
from airflow_provider_retreaver.resources.campaigns import list_campaigns
from airflow_provider_retreaver.resources.targets import list_targets

LISTS: dict[str, Callable[[], Listing]] = {
    "affiliate_id": list_affiliates,
    "campaign_id": list_campaigns,
    "target_id": list_targets,
}
# IDs that a warning names at most.
MAX_NAMED = 5


@dataclass(slots=True)
class _Ids:
    """The IDs of all objects of one kind."""

    own: set[str] = field(default_factory=set)
    customer: set[str] = field(default_factory=set)

    def add(self, row: Row, customer_key: str) -> None:
        """Add those of one object."""
        if row.get("id") is not None:
            self.own.add(str(row["id"]))
        if row.get(customer_key) is not None:
            self.customer.add(str(row[customer_key]))


def doubtful_ids(table: RuleTable) -> Procedure[list[str]]:
    """Return warnings of IDs in rules that no object of the account has in that way.

    :param table: the rules.
    :return: sentences; none where the table has no such columns, which sends nothing.
    """
    found: list[str] = []
    for column, make_listing in LISTS.items():
        values, own_values = _values(table, column), _values(table, f"{SYSTEM}{column}")
        if not values and not own_values:
            continue
        ids, key = _Ids(), CUSTOMER_IDS[column]

        def visit(row: Row, ids: _Ids = ids, key: str = key) -> None:
            ids.add(row, key)

        yield Each(make_listing(), visit)
        found += _doubts(column, values, ids.customer, f"{SYSTEM}{column}", ids.own)
        # Not every list shows Retreaver's own IDs.
        if ids.own:
            found += _doubts(f"{SYSTEM}{column}", own_values, ids.own, column, ids.customer)
    return found


def _values(table: RuleTable, column: str) -> list[str]:
    conditions = (one for rule in table.rules for one in rule.conditions)
    return list(
        dict.fromkeys(one.value for one in conditions if one.key == column and one.operator in (EQUAL, UNEQUAL))
    )


def _doubts(column: str, values: list[str], known: set[str], other: str, known_there: set[str]) -> Iterator[str]:
    unknown = [value for value in values if value not in known]
    elsewhere = [value for value in unknown if value in known_there]
    neither = [value for value in unknown if value not in known_there]
    if elsewhere:
        yield f"{column} holds {_named(elsewhere)}, which no object has there; the column {other} has such IDs."
    if neither:
        yield f"{column} holds {_named(neither)}, which no object of the account has."


def _named(values: list[str]) -> str:
    return first_of([one_line(value, numbers=False) for value in values], MAX_NAMED)
