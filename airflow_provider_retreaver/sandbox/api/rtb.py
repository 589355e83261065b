"""Real-time bidding: reservations of a buyer for a caller, and their confirmation."""

from __future__ import annotations

import json
import uuid
from typing import Any

from airflow_provider_retreaver.sandbox.api import caps, conversions, payout_tables, ping_log
from airflow_provider_retreaver.sandbox.api.affiliates import AFFILIATES
from airflow_provider_retreaver.sandbox.api.campaigns import CAMPAIGNS
from airflow_provider_retreaver.sandbox.api.columns import InvalidValue, phone, text
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.api.routing import accepts_call
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store

RTB, RESERVATION, WRITING = "Real Time Bidding", "Call Reservation", "Call Data Writing"
KEY_TYPES = (RTB, RESERVATION, WRITING)
PARAMETERS = ("key", "publisher_id", "source_id", "caller_number", "inbound_number")
# What a target without conversions is expected to pay, and after how many seconds.
_PAYOUT, _SECONDS = 20.0, 90


def issue(store: Store, key: str, company_id: int, key_type: str = RTB, **settings: Any) -> None:
    """Add a key of real-time bidding, call reservations or data writing, or replace it.

    :param store: The sandbox's database.
    :param key: The key.
    :param company_id: ID of its company.
    :param key_type: Type of the key, one of ``KEY_TYPES``.
    :param settings: ``campaign_id``, ``ttl_seconds``, ``needs_caller``, ``inbound_number``, ``storage_seconds``,
        ``cut_off_seconds``, ``paused``.
    """
    store.run("DELETE FROM rtb_keys WHERE key = ?", (key,))
    store.insert("rtb_keys", {"key": key, "type": key_type, "company_id": company_id, **settings})


def reserve(context: RequestContext) -> Reply:
    """Reserve the target that would take the call; the same caller gets the same reservation until it expires.

    Retreaver's reference: "Real Time Bidding".

    :param context: The request and the sandbox's state.
    :return: The reservation; without a target only its UUID and status.
    :raises ApiError: With status 401 or 403 for a wrong or paused key, 422 for a missing or wrong phone number.
    """
    given = read_parameters(context)
    key = authorized(context, given, RTB)
    caller = phone_parameter(given, "caller_number")
    if caller is None and key["needs_caller"]:
        raise api_error(422, "FAILED must include caller_number (string)")
    living = "SELECT * FROM reservations WHERE key = ? AND caller = ? AND expires_at > ? ORDER BY id DESC"
    earlier = None if caller is None else context.store.row(living, (key["key"], caller, context.now))
    if earlier is not None:
        ping_log.log_shielded(context, earlier["uuid"], _new_uuid(context))
        return Reply({**_render(earlier), "retreaver_ping_shield": True})
    target, revenue, modification = find_target(context, caller), 0.0, None
    row: Row = {
        "uuid": _new_uuid(context),
        "key": key["key"],
        "company_id": context.company_id,
        "publisher_id": given.get("publisher_id", given.get("source_id")),
        "caller": caller,
        "tags": json.dumps({name: value for name, value in given.items() if name not in PARAMETERS}),
        "created_at": context.now,
        **dict.fromkeys(("inbound_number", "target_id", "payout", "seconds", "expires_at", "confirmed_at")),
    }
    if target is not None:
        offer = _offer(context, target)
        paid = payout_tables.payout(
            context, key["campaign_id"], row["uuid"], _bid(context, given, row, key, target, offer)
        )
        revenue = offer["payout"]
        modification = None if paid is None else payout_tables.as_logged(paid, revenue)
        row |= {
            **offer,
            "payout": offer["payout"] if paid is None else paid.amount,
            "target_id": target["id"],
            "inbound_number": _number(context, given, key, row["uuid"], has_caller=caller is not None),
            "expires_at": context.now + 1000 * key["ttl_seconds"],
        }
    context.store.insert("reservations", row)
    ping_log.log_ping(context, key, row, revenue, modification)
    return Reply(_render(row))


def confirm(context: RequestContext) -> Reply:
    """Confirm a reservation, which then counts on the caps of its target.

    :param context: The request and the sandbox's state.
    :return: The reservation; ``no-target`` if it expired, or its target takes no call any more.
    :raises ApiError: With status 401 or 403 for a wrong or paused key, 404 for an unknown reservation, 422 for
        another status than ``confirmed``.
    """
    given = read_parameters(context)
    key = authorized(context, given, RTB)
    store = context.store
    row = store.row("SELECT * FROM reservations WHERE uuid = ? AND key = ?", (context.args["uuid"], key["key"]))
    if row is None:
        raise api_error(404, "reservation not found")
    if given.get("status") != "confirmed":
        raise api_error(422, "status is not included in the list")
    if row["confirmed_at"] is None:
        target = store.row("SELECT * FROM targets WHERE id = ? AND deleted = 0", (row["target_id"],))
        alive = row["expires_at"] is not None and row["expires_at"] > context.now
        if target is None or not alive or not accepts_call(store, target, context.now, row["caller"])[0]:
            return Reply({"uuid": row["uuid"], "status": "no-target"})
        caps.count_target_calls(store, target["id"], context.now, 1, context.now)
        store.update("reservations", row["id"], {"confirmed_at": context.now})
        ping_log.log_confirmed(context, row["uuid"])
        row["confirmed_at"] = context.now
    return Reply(_render(row))


def read_parameters(context: RequestContext) -> dict[str, Any]:
    """Return the parameters of the query, and of the body over them.

    :param context: The request and the sandbox's state.
    :return: Values by name; those of tags as text.
    :raises ApiError: With status 422, if a tag is a list or an object.
    """
    try:
        return {
            name: value if name in PARAMETERS and not isinstance(value, str) else text(value)
            for name, value in {**dict(context.request.query), **context.request.content}.items()
        }
    except InvalidValue as error:
        raise api_error(422, f"a parameter {error}") from error


def authorized(context: RequestContext, given: dict[str, Any], key_type: str) -> Row:
    """Check the key of a request.

    :param context: The request and the sandbox's state, which gets the company of the key.
    :param given: Parameters of the request.
    :param key_type: The type that the key must have.
    :return: Row of the key.
    :raises ApiError: With status 401 for an unknown key or one of another type, 403 for a paused one.
    """
    sql = "SELECT * FROM rtb_keys WHERE key = ? AND type = ?"
    key = context.store.row(sql, (str(given.get("key", "")), key_type))
    if key is None:
        raise api_error(401, "The postback key is wrong, missing, or of another type.")
    if key["paused"]:
        raise api_error(403, "This postback key is paused.")
    context.company_id = key["company_id"]
    return key


def phone_parameter(given: dict[str, Any], name: str) -> str | None:
    """Return a phone number among the parameters.

    :param given: Parameters of the request.
    :param name: Name of the parameter.
    :return: The number; None if there is none.
    :raises ApiError: With status 422, if it is no text or no phone number.
    """
    value = given.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise api_error(422, f"FAILED must include {name} (string)")
    try:
        return phone(value)
    except InvalidValue as error:
        raise api_error(422, f"{name} {error}") from error


def find_target(context: RequestContext, caller: str | None) -> Row | None:
    """Find the target for a call: the lowest priority number, then the highest weight, of those that take it.

    :param context: The request and the sandbox's state.
    :param caller: Phone number of the caller, None without one.
    :return: Row of the target; None if no target takes the call.
    """
    sql = "SELECT * FROM targets WHERE company_id = ? AND deleted = 0 ORDER BY priority, weight DESC, id"
    for target in context.store.rows(sql, (context.company_id,)):
        if accepts_call(context.store, target, context.now, caller)[0]:
            return target
    return None


def _offer(context: RequestContext, target: Row) -> Row:
    """Return what a call to a target is expected to pay, and after how many seconds: its first conversion."""
    parts = [part for group in conversions.get_groups(context, target["id"]) for part in group["conversions"]]
    first = min(parts, key=lambda part: part["seconds"], default={"revenue": _PAYOUT, "seconds": _SECONDS})
    return {"payout": float(first["revenue"]), "seconds": int(first["seconds"])}


def _bid(context: RequestContext, given: dict[str, Any], row: Row, key: Row, target: Row, offer: Row) -> Row:
    """Return what the rules of a payout table are held against: the tags of the bid, and its objects by both IDs."""
    affiliate = AFFILIATES.lookup(context, "afid", row["publisher_id"])
    campaign = CAMPAIGNS.lookup(context, "id", key["campaign_id"])
    return {
        **{name: value for name, value in given.items() if name not in PARAMETERS},
        "caller_number": row["caller"],
        "revenue": offer["payout"],
        "affiliate_id": row["publisher_id"],
        "system_affiliate_id": affiliate and affiliate["id"],
        "campaign_id": campaign and campaign["cid"],
        "system_campaign_id": key["campaign_id"],
        "target_id": target["tid"],
        "system_target_id": target["id"],
    }


def inbound_number(context: RequestContext, given: dict[str, Any], key: Row) -> str | None:
    """Choose the number to dial: the requested one, that of the key, or a number of its campaign.

    :param context: The request and the sandbox's state.
    :param given: Parameters of the request.
    :param key: Row of the key.
    :return: The number; None if there is none.
    """
    sql = "SELECT number FROM numbers WHERE company_id = ? AND deleted = 0 AND campaign_id = ? ORDER BY id"
    found: str | None = (
        phone_parameter(given, "inbound_number")
        or key["inbound_number"]
        or context.store.value(sql, (context.company_id, key["campaign_id"]))
    )
    return found


def _new_uuid(context: RequestContext) -> str:
    return str(uuid.UUID(int=context.state.random.getrandbits(128), version=4))


def _number(context: RequestContext, given: dict[str, Any], key: Row, reservation: str, *, has_caller: bool) -> str:
    # Without a caller a number of the campaign is not used.
    chosen = inbound_number(context, given, key if has_caller else {**key, "campaign_id": None})
    return str(chosen or f"sip:{reservation}@sip.rtb.retreaver.com")


def _render(row: Row) -> dict[str, Any]:
    if row["target_id"] is None:
        return {"uuid": row["uuid"], "status": "no-target"}
    return {
        "uuid": row["uuid"],
        "status": "reserved" if row["confirmed_at"] is None else "confirmed",
        "retreaver_payout": row["payout"],
        "retreaver_seconds": row["seconds"],
        "inbound_number": row["inbound_number"],
        "sip_address": f"{row['uuid']}@sip.rtb.retreaver.com",
        "expires_at": format_milliseconds(row["expires_at"]),
    }


ROUTES = [
    Route("POST", "rtbs", reserve, access="open"),
    Route("PUT", "rtbs/{uuid}", confirm, access="open"),
    Route("PATCH", "rtbs/{uuid}", confirm, access="open"),
]
