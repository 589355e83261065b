"""Making calls: plausible ones from a seed, single ones as told, a million at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import Any

from airflow_provider_retreaver.sandbox.state.schema import CALL_COLUMNS
from airflow_provider_retreaver.sandbox.state.store import Store

PLACES = (
    ("NY", "NEW YORK", "10001", "US", "212"),
    ("CA", "LOS ANGELES", "90012", "US", "213"),
    ("TX", "HOUSTON", "77002", "US", "713"),
    ("FL", "MIAMI", "33130", "US", "305"),
    ("IL", "CHICAGO", "60602", "US", "312"),
    ("CO", "COLORADO SPRINGS", "80920", "US", "719"),
    ("WA", "SEATTLE", "98104", "US", "206"),
    ("GA", "ATLANTA", "30303", "US", "404"),
    ("AZ", "PHOENIX", "85003", "US", "602"),
    ("ON", "TORONTO", None, "CA", "416"),
)
_PATTERNS = 5000
_NOTED = 1000
# The vendor settles a call shortly after its end.
_SETTLING = 2000
_INSERT = f"INSERT INTO calls ({', '.join(CALL_COLUMNS)}) VALUES ({', '.join('?' * len(CALL_COLUMNS))})"
# These differ from call to call; everything else comes from one of a few thousand patterns.
_OWN = ("uuid", "created_at", "updated_at", "start_time", "forwarded_time", "end_time")


@dataclass(slots=True)
class Cast:
    """Who a company's calls can involve, as ids."""

    affiliates: list[int] = field(default_factory=list)
    campaigns: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    numbers: list[tuple[int, str]] = field(default_factory=list)
    groups: dict[int, int] = field(default_factory=dict)


def cast(store: Store, company_id: int) -> Cast:
    """Read who is there."""

    def ids(table: str) -> list[int]:
        rows = store.rows(f"SELECT id FROM {table} WHERE company_id = ? AND deleted = 0 ORDER BY id", (company_id,))
        return [row["id"] for row in rows]

    sql = "SELECT id, number FROM numbers WHERE company_id = ? AND deleted = 0 ORDER BY id"
    numbers = store.rows(sql, (company_id,))
    groups = store.rows("SELECT target_id, min(group_id) AS group_id FROM group_members GROUP BY target_id")
    return Cast(
        ids("affiliates"),
        ids("campaigns"),
        ids("targets"),
        [(row["id"], row["number"]) for row in numbers],
        {row["target_id"]: row["group_id"] for row in groups},
    )


def pattern(random: Random, company_id: int, who: Cast) -> dict[str, Any]:
    """Draw everything about a call but its identity and its times."""
    state, city, zip_code, country, area = random.choice(PLACES)
    number_id, number = random.choice(who.numbers) if who.numbers else (None, "+18668987878")
    target = random.choice(who.targets) if who.targets else None
    connected = target is not None and random.random() < 0.85
    talk = int(random.expovariate(1 / 150)) + 3 if connected else 0
    ivr, hold = random.randint(1, 12), random.randint(2, 25)
    converted = connected and talk >= 90
    duplicate = random.random() < 0.06
    revenue = random.choice((1500, 2200, 3000, 4500)) if converted and not duplicate else 0
    return {
        "company_id": company_id,
        "status": "finished",
        "caller": f"+1{area}{random.randint(2000000, 9999999)}",
        "caller_zip": zip_code,
        "caller_state": state,
        "caller_city": city,
        "caller_country": country,
        "dialed_number": number,
        "number_id": number_id,
        "affiliate_id": random.choice(who.affiliates) if who.affiliates else None,
        "campaign_id": random.choice(who.campaigns) if who.campaigns else None,
        "target_id": target,
        "target_group_id": who.groups.get(target) if target is not None else None,
        "sid": random.choice((None, "google", "bing", "radio-4")),
        "ivr_duration": ivr,
        "hold_duration": hold,
        "dialed_call_duration": talk,
        "total_duration": ivr + hold + talk,
        "billable_minutes": -(-(ivr + hold + talk) // 60),
        "conversion_seconds": 90 if converted else None,
        "revenue": revenue,
        "payout": revenue * 2 // 3,
        "cost": 5 * -(-(ivr + hold + talk) // 60),
        "connected": int(connected),
        "converted": int(converted),
        "payable": int(revenue > 0),
        "receivable": int(revenue > 0),
        "duplicate": int(duplicate),
        "payable_duplicate": 0,
        "receivable_duplicate": 0,
        "repeat": int(duplicate or random.random() < 0.1),
        "rescued": 0,
        "hung_up_by": random.choice(("caller", "target")),
        "via": "number",
        "visitor_url": None,
        "keys_pressed": random.choice(("[]", '["1"]')),
        "tags": json.dumps({"source": random.choice(("web", "tv"))}),
        "recorded": int(connected),
    }


def make_uuid(random: Random) -> str:
    """Draw a version 4 UUID."""
    bits = random.getrandbits(128)
    text = f"{bits & ~(0xF << 76) & ~(0x3 << 62) | (4 << 76) | (2 << 62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls to add: one a moment, alike in what ``drawn`` gives, with ``told`` as it was told."""

    drawn: list[dict[str, Any]]
    moments: Iterable[int]
    now: int
    told: dict[str, Any] = field(default_factory=dict)

    def rows(self, random: Random) -> Iterator[list[Any]]:
        """Give the values of each call, nothing after now unless it began after now."""
        index_of = {name: CALL_COLUMNS.index(name) for name in _OWN}
        templates = [[{**one, **self.told}.get(name) for name in CALL_COLUMNS] for one in self.drawn]
        told = [(index_of[name], value) for name, value in self.told.items() if name in _OWN and name != "created_at"]
        spans = [
            (
                1000 * (one["ivr_duration"] + one["hold_duration"]) if one["connected"] else None,
                1000 * one["total_duration"],
            )
            for one in self.drawn
        ]
        for created in self.moments:
            choice = int(random.random() * len(templates))
            row, (forwarded, end) = templates[choice].copy(), spans[choice]
            latest = self.now if created <= self.now else created + end + _SETTLING
            row[index_of["uuid"]] = make_uuid(random)
            row[index_of["created_at"]] = row[index_of["start_time"]] = created
            row[index_of["forwarded_time"]] = None if forwarded is None else min(created + forwarded, latest)
            row[index_of["end_time"]] = min(created + end, latest)
            row[index_of["updated_at"]] = min(created + end + _SETTLING, latest)
            for index, value in told:
                row[index] = value
            yield row


def add_many(store: Store, random: Random, batch: Batch, *, bulk: bool = False) -> list[str]:
    """Insert calls and give the uuids of the first thousand; ``bulk`` is for very many."""
    uuids: list[str] = []
    place = CALL_COLUMNS.index("uuid")

    def noted() -> Iterator[list[Any]]:
        for row in batch.rows(random):
            if len(uuids) < _NOTED:
                uuids.append(row[place])
            yield row

    with store.bulk() if bulk else nullcontext():
        store.run_many(_INSERT, noted())
    store.calls_version += 1
    return uuids


def patterns(random: Random, company_id: int, who: Cast, calls: int) -> list[dict[str, Any]]:
    """Draw a pattern for each call, up to a few thousand for any number of them."""
    return [pattern(random, company_id, who) for _ in range(min(calls, _PATTERNS))]
