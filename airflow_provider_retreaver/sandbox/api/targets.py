"""Targets that calls are routed to."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow_provider_retreaver.sandbox.api import caps, conversions, hours, tags, target_groups
from airflow_provider_retreaver.sandbox.api.columns import (
    Column,
    InvalidValue,
    integer,
    natural,
    target_number,
    text,
    truth,
)
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Attributes, Errors, Resource, Route, routes
from airflow_provider_retreaver.sandbox.http.wire import Reply
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row
from airflow_provider_retreaver.sandbox.state.time_zones import TIME_ZONES


def _zone_name(value: Any) -> str:
    if not isinstance(value, str) or value not in TIME_ZONES:
        raise InvalidValue("is not a valid time zone")
    return value


_COLUMNS = (
    Column("number", target_number, required=True),
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


def _prepare(
    context: RequestContext, attributes: Attributes, values: dict[str, Any], errors: Errors, row: Row | None
) -> None:
    if "paused" in attributes:
        try:
            paused = truth(attributes["paused"])
        except InvalidValue as error:
            errors["paused"] = [str(error)]
            return
        was = None if row is None else row["paused_at"]
        values["paused_at"] = (was or context.now) if paused else None
    if row is None:
        seed = f"{context.state.options.seed}:{context.state.random.getrandbits(64)}"
        values["object_key"] = hashlib.sha256(seed.encode()).hexdigest()


def _initialize(context: RequestContext, target_id: int, attributes: Attributes) -> None:
    caps.create(context.store, "target", target_id)
    hours.open_always(context, target_id, attributes)


def _save_nested(context: RequestContext, target_id: int, attributes: Attributes) -> None:
    caps.change(context, "target", target_id, attributes)
    hours.change(context, target_id, attributes)
    tags.change(context, "target", target_id, attributes)
    conversions.change(context, target_id, attributes)


def render(context: RequestContext, row: Row) -> dict[str, Any]:
    """Write a target with its caps, business hours, tags, conversion groups and groups.

    :param context: The request and the sandbox's state.
    :param row: Row of the target.
    :return: Fields of the target by name.
    """
    groups = target_groups.groups_of_target(context, row["id"])
    # The newer reference names the customer's ID so in the answer to a create, and nowhere else.
    created = {"client_tid": row["tid"]} if context.request.method == "POST" else {}
    return {
        **created,
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
        "caps": caps.render(context, "target", row["id"]),
        "business_hours": hours.render(context, row["id"]),
        "tag_values": tags.get_tags(context, "target", row["id"]),
        "conversion_groups": conversions.get_groups(context, row["id"]),
        "target_group_ids": [group["id"] for group in groups],
        "target_groups": groups,
    }


def _cleanup(context: RequestContext, row: Row) -> None:
    context.store.run("DELETE FROM group_members WHERE target_id = ?", (row["id"],))


TARGETS = Resource(
    table="targets",
    envelope="target",
    columns=_COLUMNS,
    render=render,
    customer_id="tid",
    prepare=_prepare,
    initialize=_initialize,
    save_nested=_save_nested,
    cleanup=_cleanup,
)


def reset_cap(context: RequestContext) -> Reply:
    """Reset a target's hard cap. Retreaver's reference: "Resetting a Hard Cap".

    :param context: The request and the sandbox's state.
    :return: A reply with status 200 and no body, since the reference documents none.
    """
    caps.reset_hard(context.store, "target", TARGETS.find(context)["id"])
    return Reply()


ROUTES = [
    Route("POST", "targets/{id}/reset_cap", reset_cap),
    Route("POST", "targets/tid/{tid}/reset_cap", reset_cap),
    *routes(TARGETS, "targets"),
]
