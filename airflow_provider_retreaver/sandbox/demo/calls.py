"""Creates calls: random but plausible ones from a seed, with given values, up to a million at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import Any

from airflow_provider_retreaver.sandbox.state.schema import CALL_COLUMNS
from airflow_provider_retreaver.sandbox.state.store import Row, Store

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
_MAX_TEMPLATES = 5000
_MAX_UUIDS = 1000
# Milliseconds between a call's end and its last update.
_UPDATE_DELAY = 2000
_INSERT = f"INSERT INTO calls ({', '.join(CALL_COLUMNS)}) VALUES ({', '.join('?' * len(CALL_COLUMNS))})"
# These differ between all calls; everything else comes from one of a few thousand templates.
_UNIQUE = ("uuid", "created_at", "updated_at", "start_time", "forwarded_time", "end_time")


@dataclass(slots=True)
class Participants:
    """The objects that a company's calls can refer to.

    :param affiliates: IDs of affiliates.
    :param campaigns: IDs of campaigns.
    :param targets: IDs of targets.
    :param numbers: ID and phone number of each number.
    :param groups: ID of a target's first group by the target's ID.
    """

    affiliates: list[int] = field(default_factory=list)
    campaigns: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    numbers: list[tuple[int, str]] = field(default_factory=list)
    groups: dict[int, int] = field(default_factory=dict)


def read_participants(store: Store, company_id: int) -> Participants:
    """Read the objects that a company's calls can refer to.

    :param store: The account's data.
    :param company_id: ID of the company.
    :return: The objects that are not deleted.
    """

    def ids(table: str) -> list[int]:
        rows = store.rows(f"SELECT id FROM {table} WHERE company_id = ? AND deleted = 0 ORDER BY id", (company_id,))
        return [row["id"] for row in rows]

    sql = "SELECT id, number FROM numbers WHERE company_id = ? AND deleted = 0 ORDER BY id"
    numbers = store.rows(sql, (company_id,))
    groups = store.rows("SELECT target_id, min(group_id) AS group_id FROM group_members GROUP BY target_id")
    return Participants(
        ids("affiliates"),
        ids("campaigns"),
        ids("targets"),
        [(row["id"], row["number"]) for row in numbers],
        {row["target_id"]: row["group_id"] for row in groups},
    )


def _random_call(random: Random, company_id: int, participants: Participants) -> Row:
    """Draw everything about a call but its UUID and its times."""
    state, city, zip_code, country, area = random.choice(PLACES)
    number_id, number = random.choice(participants.numbers) if participants.numbers else (None, "+18668987878")
    target = random.choice(participants.targets) if participants.targets else None
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
        "affiliate_id": random.choice(participants.affiliates) if participants.affiliates else None,
        "campaign_id": random.choice(participants.campaigns) if participants.campaigns else None,
        "target_id": target,
        "target_group_id": participants.groups.get(target) if target is not None else None,
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
        "via": "inbound-dial",
        "visitor_url": None,
        "keys_pressed": random.choice(("[]", '["1"]')),
        "tags": json.dumps({"source": random.choice(("web", "tv"))}),
        "recorded": int(connected),
    }


def make_uuid(random: Random) -> str:
    """Draw a version 4 UUID.

    :param random: Source of randomness.
    :return: The UUID in its usual form.
    """
    bits = random.getrandbits(128)
    text = f"{bits & ~(0xF << 76) & ~(0x3 << 62) | (4 << 76) | (2 << 62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls to insert.

    :param templates: Columns of calls, from which each call is made at random.
    :param created_at: Time of creation of each call, in milliseconds since the epoch.
    :param now: The sandbox's time in milliseconds since the epoch.
    :param overrides: Columns that are the same in every call and replace the template's.
    """

    templates: list[Row]
    created_at: Iterable[int]
    now: int
    overrides: Row = field(default_factory=dict)

    def rows(self, random: Random) -> Iterator[list[Any]]:
        """Make the calls. No time in them is after ``now`` unless the call is created after ``now``.

        :param random: Chooses templates and UUIDs.
        :return: For each call its values in the order of ``CALL_COLUMNS``.
        """
        index_of = {name: CALL_COLUMNS.index(name) for name in _UNIQUE}
        templates = [[{**call, **self.overrides}.get(name) for name in CALL_COLUMNS] for call in self.templates]
        given = [
            (index_of[name], value)
            for name, value in self.overrides.items()
            if name in _UNIQUE and name != "created_at"
        ]
        spans = [
            (
                1000 * (call["ivr_duration"] + call["hold_duration"]) if call["connected"] else None,
                1000 * call["total_duration"],
            )
            for call in self.templates
        ]
        for created in self.created_at:
            choice = int(random.random() * len(templates))
            row, (forwarded, end) = templates[choice].copy(), spans[choice]
            latest = self.now if created <= self.now else created + end + _UPDATE_DELAY
            row[index_of["uuid"]] = make_uuid(random)
            row[index_of["created_at"]] = row[index_of["start_time"]] = created
            row[index_of["forwarded_time"]] = None if forwarded is None else min(created + forwarded, latest)
            row[index_of["end_time"]] = min(created + end, latest)
            row[index_of["updated_at"]] = min(created + end + _UPDATE_DELAY, latest)
            for index, value in given:
                row[index] = value
            yield row


def insert_calls(store: Store, random: Random, batch: Batch, *, bulk: bool = False) -> list[str]:
    """Insert calls.

    :param store: The account's data.
    :param random: Chooses templates and UUIDs.
    :param batch: The calls.
    :param bulk: Whether to build the indexes only afterwards, which is faster for very many calls.
    :return: UUIDs of the first thousand.
    """
    uuids: list[str] = []
    uuid_index = CALL_COLUMNS.index("uuid")

    def collecting_uuids() -> Iterator[list[Any]]:
        for row in batch.rows(random):
            if len(uuids) < _MAX_UUIDS:
                uuids.append(row[uuid_index])
            yield row

    with store.bulk() if bulk else nullcontext():
        store.run_many(_INSERT, collecting_uuids())
    store.calls_version += 1
    return uuids


def random_calls(random: Random, company_id: int, participants: Participants, count: int) -> list[Row]:
    """Draw templates of calls, at most a few thousand.

    :param random: Source of randomness.
    :param company_id: ID of the company.
    :param participants: The objects that the calls refer to.
    :param count: How many calls will be made from the templates.
    :return: Columns of finished calls, without UUID and times.
    """
    return [_random_call(random, company_id, participants) for _ in range(min(count, _MAX_TEMPLATES))]
