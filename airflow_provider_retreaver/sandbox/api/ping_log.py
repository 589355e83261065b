"""What real-time bidding writes into its log, which `rtb_inbounds` lists."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.state.store import Row, Store

# An absent UUID, never null.
NO_UUID = "00000000-0000-0000-0000-000000000000"
SHIELDED = "ping-shield"


def settle(context: RequestContext) -> None:
    """Mark the reservations that nobody confirmed in time as expired.

    :param context: The request and the sandbox's state.
    """
    context.store.run(
        "UPDATE rtb_inbounds SET status = 'expired', ended_at = expires_at "
        "WHERE status = 'reserved' AND expires_at <= ?",
        (context.now,),
    )


def log_ping(
    context: RequestContext, key: Row, reservation: Row, revenue: float, modification: dict[str, Any] | None
) -> None:
    """Log a request for a reservation.

    :param context: The request and the sandbox's state.
    :param key: Row of its postback key.
    :param reservation: Row of the reservation.
    :param revenue: What the target is expected to pay.
    :param modification: What payout bid modification has logged, by name; None where it is off.
    """
    store = context.store
    sql = "SELECT id FROM affiliates WHERE company_id = ? AND afid = ? AND deleted = 0"
    has_target = reservation["target_id"] is not None
    insert(
        store,
        {
            "company_id": context.company_id,
            "uuid": reservation["uuid"],
            "postback_key_id": store.value("SELECT rowid AS id FROM rtb_keys WHERE key = ?", (key["key"],)),
            "caller_number": reservation["caller"],
            "affiliate_id": store.value(sql, (context.company_id, reservation["publisher_id"])),
            "campaign_id": key["campaign_id"],
            "target_id": reservation["target_id"],
            "revenue": revenue,
            "payout": reservation["payout"] or 0.0,
            "status": "reserved" if has_target else "no-target",
            "created_at": context.now,
            "ended_at": None if has_target else context.now,
            "expires_at": reservation["expires_at"],
            "pbm": None if modification is None else json.dumps(modification),
        },
    )


def log_shielded(context: RequestContext, original: str, uuid: str) -> None:
    """Log a repeated request that got the same reservation again.

    :param context: The request and the sandbox's state.
    :param original: UUID of the reservation.
    :param uuid: UUID of the repeated request.
    """
    store = context.store
    row = store.one("SELECT * FROM rtb_inbounds WHERE uuid = ?", (original,))
    repeats = store.value("SELECT count(*) FROM rtb_inbounds WHERE duplicate_original_uuid = ?", (original,))
    changed = {"uuid": uuid, "status": SHIELDED, "created_at": context.now, "ended_at": context.now}
    repeat = {"duplicate_order": repeats + 1, "duplicate_original_uuid": original}
    insert(store, {**{name: row[name] for name in row if name != "id"}, **changed, **repeat})


def log_confirmed(context: RequestContext, uuid: str) -> None:
    """Mark a reservation as claimed.

    :param context: The request and the sandbox's state.
    :param uuid: UUID of the reservation.
    """
    context.store.run(
        "UPDATE rtb_inbounds SET status = 'claimed', confirmed_at = ?, time_to_resolve = (? - created_at) / 1000.0 "
        "WHERE uuid = ?",
        (context.now, context.now, uuid),
    )


def insert(store: Store, values: Row) -> None:
    """Add a row to the log.

    :param store: The sandbox's database.
    :param values: Values by column; the others have their defaults.
    """
    defaults = {
        **dict.fromkeys(("call_uuid", "duplicate_original_uuid"), NO_UUID),
        **dict.fromkeys(("duplicate_order", "fired_pixels_count", "fired_pixels_error_count"), 0),
        "time_to_resolve": 0.0,
    }
    store.insert("rtb_inbounds", {**defaults, **values})
