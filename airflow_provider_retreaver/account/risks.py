"""What a change risks, and what numbers cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET

from airflow_provider_retreaver.account.plan import Change, Cost, FieldDiff
from airflow_provider_retreaver.account.schema import Prices
from airflow_provider_retreaver.core.operations import Row

TOLL_FREE = "Toll-free"
# What is risky whatever the value is: by kind, and by field of an object that is changed.
DELETES = {"numbers": "releases the number for good", "number_pools": "releases all numbers of the pool for good"}
CREATES = {"numbers": ["buys a number"], "number_pools": ["numbers cost money as the pool buys them"]}
CHANGES = {
    **dict.fromkeys(("tid", "cid", "afid"), "changes the customer ID, which calls and postbacks may refer to"),
    "number": "sends calls to another number",
    "campaign": "moves to another campaign",
    "sip_password": "changes the password",
}


def risks_of(change: Change) -> list[str]:
    """Return what a change risks.

    :param change: of the plan.
    :return: short texts; none for a change that is safe.
    """
    if change.action == "delete":
        return [DELETES.get(change.kind, "deletes the object for good")]
    if change.action == "create":
        return CREATES.get(change.kind, [])
    risks = (_risk_of_field(name, after) for name, after in change.after.items())
    return [risk for risk in risks if risk is not None]


def _risk_of_field(name: str, after: Any) -> str | None:
    if name == "paused":
        return "stops its calls" if after else "lets calls through again"
    if name.startswith("hours.") and after == "closed":
        return f"closes {name.partition('.')[2]}"
    if name.startswith("caps.") and not after:
        return f"removes {name}" if after is None else f"{name} 0 stops its calls"
    if name == "groups" and not after:
        return "leaves its last group"
    return CHANGES.get(name)


def cost_of(changes: Sequence[Change], rows: Mapping[str, Row], prices: Prices) -> Cost:
    """Return what a plan costs.

    :param changes: of the plan.
    :param rows: objects as they are, by address.
    :param prices: what a number costs a month.
    :return: the cost.
    """
    numbers = [(one, rows.get(one.address, {})) for one in changes if one.kind == "numbers"]
    bought = Counter((one.purchase or {}).get("type", TOLL_FREE) for one, _ in numbers if one.action == "create")
    released = Counter(_type_of(row) for one, row in numbers if one.action == "delete")
    pools = [_pool_change(one, rows.get(one.address, {})) for one in changes if one.kind == "number_pools"]
    by_type = {TOLL_FREE: prices.toll_free, "Local": prices.local}
    counts = [*bought.items(), *((type_, -count) for type_, count in released.items()), *pools]
    needed = [(count, by_type.get(type_, UNSET)) for type_, count in counts if count]
    charged = [count * price for count, price in needed if price is not UNSET]
    return Cost(
        bought=dict(bought),
        released=dict(released),
        pools=sum(count for _, count in pools),
        monthly=round(sum(charged), 2) if needed and len(charged) == len(needed) else None,
    )


def _type_of(row: Row) -> str:
    return str(row.get("type") or (TOLL_FREE if row.get("toll_free") else "Local"))


def _pool_change(change: Change, row: Row) -> tuple[str, int]:
    """Return of which type a pool's numbers are, and how many more it may have after the change."""
    type_ = str(change.after.get("type") or row.get("type") or TOLL_FREE)
    if change.action == "delete":
        return type_, -int(row.get("numbers_count") or 0)
    size = change.fields.get("max_pool_size", FieldDiff())
    return type_, int(size.after or 0) - int(size.before or 0)
