"""The demo account: a plausible company, the same for the same seed and the same clock."""

from __future__ import annotations

from random import Random

from airflow_provider_retreaver.sandbox import call_maker, caps, companies
from airflow_provider_retreaver.sandbox.exchange import Exchange, World
from airflow_provider_retreaver.sandbox.target_groups import TARGET_GROUPS
from airflow_provider_retreaver.sandbox.targets import TARGETS
from airflow_provider_retreaver.sandbox.wire import Request

DAY = 86_400_000
CALLS = 3000
_CLICK = "https://tracker.example.com/click?a=[affiliate_id]&c=[campaign_id]&s=[sub_id]"
_SALE = "https://tracker.example.com/sale?c=[campaign_id]&t=[call_log_id]"
_CITIES = (
    ("Boston", "Eastern Time (US & Canada)"), ("Atlanta", "Eastern Time (US & Canada)"),
    ("Chicago", "Central Time (US & Canada)"), ("Dallas", "Central Time (US & Canada)"),
    ("Denver", "Mountain Time (US & Canada)"), ("Phoenix", "Arizona"),
    ("Seattle", "Pacific Time (US & Canada)"), ("San Diego", "Pacific Time (US & Canada)"),
    ("Honolulu", "Hawaii"), ("Halifax", "Atlantic Time (Canada)"), ("London", "London"), ("Dhaka", "UTC"),
)  # fmt: skip
_TRADES = ("Roofing", "Legal", "Solar", "Dental", "Insurance")


def load(world: World, what: str) -> None:
    """Fill an empty database: the companies always, the rest for ``demo``."""
    options, store, now = world.options, world.store, world.clock.now()
    urls = {"default_click_url": _CLICK, "default_sale_url": _SALE}
    first = {"id": options.company_id, "name": "Sandbox Calls", "zone": "America/New_York", **urls}
    companies.add(store, first, now - 400 * DAY, {options.api_key: True})
    if what == "demo":
        _load_demo(world)


def _load_demo(world: World) -> None:
    random = Random(world.options.seed)
    exchange = acting(world, world.options.company_id)
    targets = [_target(exchange, random, index) for index in range(60)]
    _groups(exchange, targets)
    _calls(world, random)
    _fill_caps(world, random, targets)


def acting(world: World, company_id: int) -> Exchange:
    """Make an exchange in which the sandbox itself acts for a company."""
    request = Request("POST", "/demo.json", [], {}, b"")
    return Exchange(world, request, {}, world.options.api_key, company_id)


def _target(exchange: Exchange, random: Random, index: int) -> int:
    city, zone = _CITIES[index % len(_CITIES)]
    trade = _TRADES[index % len(_TRADES)]
    given: dict[str, object] = {
        "name": f"{city} {trade} {index + 1}", "number": f"+1{random.randint(201, 989)}555{index:04d}",
        "tid": f"buyer-{index + 1:03d}", "time_zone": zone, "priority": 1 + index % 3, "weight": 1 + index % 5,
        "paused": index % 17 == 16, "tag_list": f"<<<vertical:{trade.lower()}>>>,<<<city:{city}>>>",
    }  # fmt: skip
    if index % 3 != 2:
        given["hard_cap_attributes"] = {"cap": random.choice((10, 25, 40, 100))}
    if index % 4 == 1:
        given["daily_cap_attributes"] = {"cap": 50}
    if index % 7 == 3:
        given["hourly_cap_attributes"] = {"cap": 8}
        given["concurrency_cap"] = 3
    if index % 2:
        opening = {"time_open": 900, "time_close": 1700}
        given["business_hours_attributes"] = [
            {"day_of_week": day, "work_day": 1 <= day <= 5, **opening} for day in range(7)
        ]
    return int(TARGETS.make(exchange, given)["id"])


def _groups(exchange: Exchange, targets: list[int]) -> None:
    for index, trade in enumerate(_TRADES):
        given = {"name": f"{trade} buyers", "target_ids": targets[index :: len(_TRADES)], "behavior": 1 + index % 2}
        if index == 0:
            given["hard_cap_attributes"] = {"cap": 500}
        TARGET_GROUPS.make(exchange, given)


def _calls(world: World, random: Random) -> None:
    company_id, now = world.options.company_id, world.clock.now()
    who = call_maker.cast(world.store, company_id)
    drawn = call_maker.patterns(random, company_id, who, CALLS)
    span = 6 * DAY
    moments = sorted(now - 600_000 - int(random.random() * span) for _ in range(CALLS))
    call_maker.add_many(world.store, random, drawn, ((moment, None) for moment in moments), [])


def _fill_caps(world: World, random: Random, targets: list[int]) -> None:
    """Fill some hard caps to the brim, some in part, and leave some empty."""
    now = world.clock.now()
    for index, target_id in enumerate(targets):
        for row in caps.current(world.store, "target", target_id, now):
            if row["cap"] is None:
                continue
            share = (1.0, random.uniform(0.2, 0.9), 0.0)[index % 5 % 3] if row["type"] == "Hard" else 0.4
            caps.fill(world.store, "target", target_id, row["type"], int(row["cap"] * share), now)
