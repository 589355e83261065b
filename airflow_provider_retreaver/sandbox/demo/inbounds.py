"""Creates rows of the log of real-time bidding: random but plausible ones, a hundred thousand in a second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from airflow_provider_retreaver.sandbox.api.ping_log import NO_UUID
from airflow_provider_retreaver.sandbox.api.rtb_inbounds import STATUSES
from airflow_provider_retreaver.sandbox.demo.calls import PLACES, make_uuid, read_participants
from airflow_provider_retreaver.sandbox.state.schema import INBOUND_COLUMNS
from airflow_provider_retreaver.sandbox.state.store import Row, Store

_INSERT = f"INSERT INTO rtb_inbounds ({', '.join(INBOUND_COLUMNS)}) VALUES ({', '.join('?' * len(INBOUND_COLUMNS))})"
_WEIGHTS = (45, 30, 20, 5)
_MAX_CALLS = 1_000


def insert_inbounds(
    store: Store, random: Random, company_id: int, created_at: Iterable[int], overrides: Row | None = None
) -> None:
    """Insert rows.

    :param store: The account's data.
    :param random: Source of randomness.
    :param company_id: ID of the company.
    :param created_at: Time of creation of each row, in milliseconds since the epoch.
    :param overrides: Columns that are the same in every row.
    """
    objects = read_participants(store, company_id)
    sql = "SELECT uuid FROM calls WHERE company_id = ? ORDER BY id LIMIT ?"
    choices: dict[str, list[Any]] = {
        "affiliate_id": objects.affiliates or [None],
        "campaign_id": objects.campaigns or [None],
        "target_id": objects.targets or [None],
        "call_uuid": [row["uuid"] for row in store.rows(sql, (company_id, _MAX_CALLS))],
        "postback_key_id": _keys(store, company_id),
    }
    store.run_many(_INSERT, _rows(random, company_id, choices, created_at, overrides or {}))


def _keys(store: Store, company_id: int) -> list[Any]:
    sql = "SELECT rowid AS id FROM rtb_keys WHERE company_id = ? AND type = 'Real Time Bidding' ORDER BY rowid"
    return [row["id"] for row in store.rows(sql, (company_id,))] or [None]


def _rows(
    random: Random, company_id: int, choices: dict[str, list[Any]], created_at: Iterable[int], overrides: Row
) -> Iterator[list[Any]]:
    for created in created_at:
        row = {"company_id": company_id, "created_at": created, **_random_row(random, choices, created), **overrides}
        yield [row.get(name) for name in INBOUND_COLUMNS]


def _random_row(random: Random, choices: dict[str, list[Any]], created: int) -> Row:
    (status,) = random.choices(STATUSES, _WEIGHTS)
    state, city, zip_code, country, area = random.choice(PLACES)
    bought, claimed = status in ("claimed", "expired"), status == "claimed"
    revenue = random.choice((12.5, 20.0, 30.0, 45.0)) if bought else 0.0
    calls = choices["call_uuid"]
    is_duplicate = random.random() < 0.05
    return {
        "uuid": make_uuid(random),
        "call_uuid": (random.choice(calls) if calls else make_uuid(random)) if claimed else NO_UUID,
        "postback_key_id": random.choice(choices["postback_key_id"]),
        "caller_number": f"+1{area}{random.randint(2000000, 9999999)}",
        "affiliate_id": random.choice(choices["affiliate_id"]),
        "campaign_id": random.choice(choices["campaign_id"]),
        "target_id": random.choice(choices["target_id"]) if bought else None,
        "revenue": revenue,
        "payout": revenue * 0.7,
        "status": status,
        "duplicate_order": int(is_duplicate),
        "duplicate_original_uuid": make_uuid(random) if is_duplicate else NO_UUID,
        "caller_state": state,
        "caller_city": city.title(),
        "caller_zip": zip_code,
        "caller_country": country,
        "confirmed_at": created + 1_000 if claimed else None,
        "ended_at": created + (210_000 if claimed else 60_000 if bought else 0),
        "time_to_resolve": 1.2 if bought else 0.0,
        "fired_pixels_count": 2 if claimed else 0,
        "fired_pixels_error_count": 0,
    }
