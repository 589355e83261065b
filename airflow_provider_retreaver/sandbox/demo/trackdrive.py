"""The TrackDrive account of the demo data: buyers, offers, and buyer groups with caps."""

from __future__ import annotations

from random import Random

from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.trackdrive import buyer_groups, buyers, usage

BUYERS, GROUPS = 40, 60
_TRADES = ("Roofing", "Solar", "Medicare", "Auto", "Loans", "Plumbing")
_DAY = 86_400_000


def load(context: RequestContext) -> None:
    """Add the account's buyers, offers and buyer groups.

    :param context: A request of the sandbox's own.
    """
    random = Random(context.state.options.seed + 15)  # noqa: S311 - the same seed, the same account
    store, now = context.store, context.now
    for index in range(BUYERS):
        trade = _TRADES[index % len(_TRADES)]
        attributes = {"name": f"{trade} Buyer {index + 1}", "user_buyer_id": f"{trade.lower()}-{index + 1}"}
        buyers.add(store, now - 90 * _DAY, number=f"+1646555{2000 + index}", **attributes)
    for trade in _TRADES:
        stamp = {"created_at": now - 90 * _DAY, "updated_at": now - 90 * _DAY}
        store.insert("trackdrive_offers", {"name": f"{trade} Leads", **stamp})
    for index in range(GROUPS):
        members = random.sample(range(1, BUYERS + 1), 1 + index % 5)
        group = buyer_groups.create(
            context,
            {
                "name": f"{_TRADES[index % len(_TRADES)]} Group {index + 1}",
                "buyer_ids": members,
                "dial_buyers_type": ("sequentially", "simultaneously")[index % 2],
                "attempt_total_limit": 100.0 if index % 3 == 0 else None,
                "connection_daily_limit": 20.0,
                "revenue_total_limit": 2_500.0 if index % 4 == 0 else None,
            },
        )
        # Some of the total caps are filled, most are not.
        usage.fill(store, group, ("attempt", "total"), 100.0 if index % 6 == 0 else random.randint(0, 99), now)
        usage.fill(store, group, ("connection", "daily"), random.randint(0, 19), now)
        usage.fill(store, group, ("revenue", "total"), 2_500.0 if index % 8 == 0 else random.randint(0, 2_000), now)
        store.update("trackdrive_groups", group["id"], {"created_at": now - (GROUPS - index) * _DAY})
