"""Targets that calls are routed to."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow_provider_retreaver.sandbox.api import caps, conversions, hours, tags
from airflow_provider_retreaver.sandbox.api.columns import Column, Wrong, integer, natural, phone_or_sip, text, truth
from airflow_provider_retreaver.sandbox.api.crud import Errors, Given, Resource, Route, routes
from airflow_provider_retreaver.sandbox.api.exchange import Exchange
from airflow_provider_retreaver.sandbox.http.wire import Reply
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row
from airflow_provider_retreaver.sandbox.state.time_zones import TIME_ZONES


def _zone_name(value: Any) -> str:
    if not isinstance(value, str) or value not in TIME_ZONES:
        raise Wrong("is not a valid time zone")
    return value


_COLUMNS = (
    Column("number", phone_or_sip, required=True),
    Column("name"),
    Column("tid", aliases=("client_tid",)),
    Column("sip_username"),
    Column("sip_password"),
    Column("cid_number_id", integer),
    Column("obfuscate_cid", truth, optional=False),
    Column("priority", integer, optional=False),
    Column("weight", natural, optional=False),
    Column("timeout_seconds", natural, optional=False),
    Column("inband_signals", truth, optional=False),
    Column("timer_offset", integer, optional=False),
    Column("send_digits", text),
    Column("concurrency_cap", natural),
    Column("time_zone", _zone_name, optional=False),
)


def _prepare(exchange: Exchange, given: Given, values: dict[str, Any], errors: Errors, row: Row | None) -> None:
    if "paused" in given:
        try:
            paused = truth(given["paused"])
        except Wrong as wrong:
            errors["paused"] = [str(wrong)]
            return
        was = None if row is None else row["paused_at"]
        values["paused_at"] = (was or exchange.now) if paused else None
    if row is None:
        seed = f"{exchange.world.options.seed}:{exchange.world.random.getrandbits(64)}"
        values["object_key"] = hashlib.sha256(seed.encode()).hexdigest()


def _born(exchange: Exchange, target_id: int, given: Given) -> None:
    caps.create(exchange.store, "target", target_id)
    hours.open_always(exchange, target_id, given)


def _nested(exchange: Exchange, target_id: int, given: Given) -> None:
    caps.change(exchange, "target", target_id, given)
    hours.change(exchange, target_id, given)
    tags.change(exchange, "target", target_id, given)
    conversions.change(exchange, target_id, given)


def render(exchange: Exchange, row: Row) -> dict[str, Any]:
    """Write a target with its caps, business hours, tags, conversion groups and groups.

    :param exchange: The request and the sandbox's state.
    :param row: Row of the target.
    :return: Fields of the target by name.
    """
    groups = exchange.store.rows(
        "SELECT g.id, g.name FROM target_groups g JOIN group_members m ON m.group_id = g.id "
        "WHERE m.target_id = ? AND g.deleted = 0 ORDER BY g.id",
        (row["id"],),
    )
    return {
        "id": row["id"],
        "number": row["number"],
        "sip_username": row["sip_username"],
        "sip_password": row["sip_password"],
        "cid_number_id": row["cid_number_id"],
        "obfuscate_cid": bool(row["obfuscate_cid"]),
        "created_at": format_milliseconds(row["created_at"]),
        "updated_at": format_milliseconds(row["updated_at"]),
        "object_key": row["object_key"],
        "tid": row["tid"],
        "priority": row["priority"],
        "weight": row["weight"],
        "timeout_seconds": row["timeout_seconds"],
        "timer_offset": row["timer_offset"],
        "send_digits": row["send_digits"],
        "concurrency_cap": row["concurrency_cap"],
        "calls_in_progress": row["calls_in_progress"],
        "inband_signals": bool(row["inband_signals"]),
        "time_zone": row["time_zone"],
        "paused": row["paused_at"] is not None,
        "paused_at": format_milliseconds(row["paused_at"]),
        "name": row["name"],
        "caps": caps.render(exchange, "target", row["id"]),
        "business_hours": hours.render(exchange, row["id"]),
        "tag_values": tags.of(exchange, "target", row["id"]),
        "conversion_groups": conversions.of(exchange, row["id"]),
        "target_group_ids": [group["id"] for group in groups],
        "target_groups": groups,
    }


def _cleanup(exchange: Exchange, row: Row) -> None:
    exchange.store.run("DELETE FROM group_members WHERE target_id = ?", (row["id"],))


TARGETS = Resource(
    table="targets",
    envelope="target",
    columns=_COLUMNS,
    render=render,
    customer_id="tid",
    prepare=_prepare,
    born=_born,
    nested=_nested,
    cleanup=_cleanup,
)


def reset_cap(exchange: Exchange) -> Reply:
    """Reset a target's hard cap. Retreaver's reference: "Resetting a Hard Cap".

    :param exchange: The request and the sandbox's state.
    :return: A reply with status 200 and no body, since the reference documents none.
    """
    caps.reset_hard(exchange.store, "target", TARGETS.find(exchange)["id"])
    return Reply()


ROUTES = [
    Route("POST", "targets/{id}/reset_cap", reset_cap),
    Route("POST", "targets/tid/{tid}/reset_cap", reset_cap),
    *routes(TARGETS, "targets"),
]
