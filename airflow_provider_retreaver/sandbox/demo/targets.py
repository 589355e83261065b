"""The demo account's targets: in several time zones and groups, with empty, part-filled and full caps."""

from __future__ import annotations

from random import Random
from typing import Any

from airflow_provider_retreaver.sandbox.api import caps, tags
from airflow_provider_retreaver.sandbox.api.context import RequestContext, SandboxState
from airflow_provider_retreaver.sandbox.api.target_groups import TARGET_GROUPS
from airflow_provider_retreaver.sandbox.api.targets import TARGETS

# The first targets, whose daily caps are nearly full.
NEARLY_FULL = 3
TRADES = ("Roofing", "Legal", "Solar", "Dental", "Insurance")
_CITIES = (
    ("Boston", "Eastern Time (US & Canada)"),
    ("Atlanta", "Eastern Time (US & Canada)"),
    ("Chicago", "Central Time (US & Canada)"),
    ("Dallas", "Central Time (US & Canada)"),
    ("Denver", "Mountain Time (US & Canada)"),
    ("Phoenix", "Arizona"),
    ("Seattle", "Pacific Time (US & Canada)"),
    ("San Diego", "Pacific Time (US & Canada)"),
    ("Honolulu", "Hawaii"),
    ("Halifax", "Atlantic Time (Canada)"),
    ("London", "London"),
    ("Dhaka", "Dhaka"),
)


def load(context: RequestContext, random: Random, count: int) -> list[int]:
    """Create targets and their groups.

    :param context: A request of the sandbox for the company.
    :param random: Source of randomness.
    :param count: How many targets.
    :return: IDs of the targets.
    """
    target_ids = [int(TARGETS.create_row(context, _target(random, index))["id"]) for index in range(count)]
    # One target has a tag that a tag list cannot express.
    tags.add(context, "target", target_ids[-1], "geo", "FL", "!=")
    for index, trade in enumerate(TRADES):
        group: dict[str, Any] = {"name": f"{trade} buyers", "target_ids": target_ids[index :: len(TRADES)]}
        if index % 2:
            group |= {"behavior": 2, "priority": 1, "weight": index}
        if index == 0:
            group["hard_cap_attributes"] = {"cap": 500}
        TARGET_GROUPS.create_row(context, group)
    return target_ids


def _target(random: Random, index: int) -> dict[str, Any]:
    city, zone = _CITIES[index % len(_CITIES)]
    trade = TRADES[index % len(TRADES)]
    given: dict[str, Any] = {
        "name": f"{city} {trade} {index + 1}",
        "number": f"+1{random.randint(201, 989)}555{index:04d}",
        "tid": f"buyer-{index + 1:03d}",
        "time_zone": zone,
        "priority": 1 + index % 3,
        "weight": 1 + index % 5,
        "paused": index % 17 == 16,
        "tag_list": f"<<<vertical:{trade.lower()}>>>,<<<city:{city}>>>",
    }
    if index % 3 != 2:
        given["hard_cap_attributes"] = {"cap": random.choice((10, 25, 40, 100))}
    if index % 4 == 1 or index < NEARLY_FULL:
        given["daily_cap_attributes"] = {"cap": 50}
    if index % 7 == 3:
        given |= {"hourly_cap_attributes": {"cap": 8}, "concurrency_cap": 3}
    if index % 10 == 5:
        group = {"name": "Sale", "conversion_type": "timer", "dedupe_seconds": 86_400}
        given["conversion_groups_attributes"] = [
            {**group, "conversions_attributes": [{"seconds": 90, "revenue": 22.5}]}
        ]
    if index % 2:
        given["business_hours_attributes"] = [_day(day, night=index % 12 == 11) for day in range(7)]
    return given


def _day(day: int, *, night: bool) -> dict[str, Any]:
    """Make a row of business hours: 9 to 17 on weekdays, or every night from 22:00 to 06:00."""
    if night:
        return {"day_of_week": day, "time_open": 600, "time_close": 2200, "invert": True}
    return {"day_of_week": day, "work_day": 1 <= day <= 5, "time_open": 900, "time_close": 1700}


def fill_caps(state: SandboxState, random: Random, targets: list[int]) -> None:
    """Fill some hard caps completely, some partly, and leave some empty.

    :param state: The sandbox's state.
    :param random: Source of randomness.
    :param targets: IDs of the targets.
    """
    now = state.clock.now()
    for index, target_id in enumerate(targets):
        for row in caps.current(state.store, "target", target_id, now):
            if row["cap"] is None:
                continue
            share = 0.96 if row["type"] == "Daily" and index < NEARLY_FULL else 0.4
            if row["type"] == "Hard":
                share = (1.0, random.uniform(0.2, 0.9), 0.0)[index % 5 % 3]
            caps.fill(state.store, "target", target_id, row["type"], int(row["cap"] * share), now)
