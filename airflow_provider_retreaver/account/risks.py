"""What a change risks, and what numbers cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import UNSET

from airflow_provider_retreaver.account.plan import Change, Cost, FieldDiff
from airflow_provider_retreaver.account.schema import Prices
from airflow_provider_retreaver.core.operations import Row

TOLL_FREE = "Toll-free"


DELETES = {"numbers": "releases the number for good", "number_pools": "releases all numbers of the pool for good"}
CREATES = {"numbers": ["buys a number"], "number_pools": ["numbers cost money as the pool buys them"]}


def risks_of(change: Change) -> list[str]:
    """Return what a change risks.

    :param change: of the plan.
    :return: short texts; none for a change that is safe.
    """
    if change.action == "delete":
        return [DELETES.get(change.kind, "deletes the object for good")]
    if change.action == "create":
        return CREATES.get(change.kind, [])
    return [risk for name, diff in change.fields.items() for risk in _risks_of_field(name, diff)]


def _risks_of_field(name: str, diff: FieldDiff) -> Iterable[str]:
    if name == "paused":
        yield "stops its calls" if diff.after else "lets calls through again"
    elif name.startswith("hours.") and diff.after == "closed":
        yield f"closes {name.partition('.')[2]}"
    elif name.startswith("caps."):
        if diff.after == 0:
            yield f"{name} 0 stops its calls"
        elif diff.after is None:
            yield f"removes {name}"
    elif name in ("tid", "cid", "afid"):
        yield "changes the customer ID, which calls and postbacks may refer to"
    elif name == "groups" and not diff.after:
        yield "leaves its last group"
    elif name == "number":
        yield "sends calls to another number"
    elif name == "campaign":
        yield "moves to another campaign"
    elif name == "sip_password":
        yield "changes the password"


def cost_of(changes: Iterable[Change], rows: Mapping[str, Row], prices: Prices) -> Cost:
    """Return what a plan costs.

    :param changes: of the plan.
    :param rows: objects as they are, by address.
    :param prices: what a number costs a month.
    :return: the cost.
    """
    bought: dict[str, int] = {}
    released: dict[str, int] = {}
    pools: list[tuple[str, int]] = []
    for one in changes:
        row = rows.get(one.address, {})
        if one.kind == "numbers" and one.action == "create":
            type_ = (one.purchase or {}).get("type", TOLL_FREE)
            bought[type_] = bought.get(type_, 0) + 1
        elif one.kind == "numbers" and one.action == "delete":
            released[_type_of(row)] = released.get(_type_of(row), 0) + 1
        elif one.kind == "number_pools":
            pools.append((_pool_type(one, row), _pool_change(one, row)))
    counts = [*bought.items(), *((type_, -count) for type_, count in released.items()), *pools]
    by_type = {TOLL_FREE: prices.toll_free, "Local": prices.local}
    known = [count * price for type_, count in counts if isinstance(price := by_type.get(type_), (int, float))]
    needed = {type_ for type_, count in counts if count}
    complete = bool(needed) and all(by_type.get(type_, UNSET) is not UNSET for type_ in needed)
    return Cost(
        bought=bought,
        released=released,
        pools=sum(count for _, count in pools),
        monthly=round(sum(known), 2) if complete else None,
    )


def _type_of(row: Row) -> str:
    return str(row.get("type") or (TOLL_FREE if row.get("toll_free") else "Local"))


def _pool_type(change: Change, row: Row) -> str:
    written: Any = change.fields["type"].after if "type" in change.fields and change.action != "delete" else None
    return str(written or row.get("type") or TOLL_FREE)


def _pool_change(change: Change, row: Row) -> int:
    """Return how many numbers more a pool may have after the change."""
    if change.action == "delete":
        return -int(row.get("numbers_count") or 0)
    size = change.fields.get("max_pool_size")
    if size is None:
        return 0
    return int(size.after or 0) - int(size.before or 0)
