"""Conversion groups of a target: whole groups can be added and deleted, their parts are changed by ID."""

from __future__ import annotations

import math
from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import (
    Column,
    InvalidValue,
    identity,
    integer,
    natural,
    one_of,
    truth,
)
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.nested import NestedTable, nested_rows
from airflow_provider_retreaver.sandbox.http.wire import validation_error

DEDUPE = (
    0,
    3600,
    7200,
    21600,
    43200,
    86400,
    172800,
    259200,
    345600,
    604800,
    2592000,
    5184000,
    7776000,
    10368000,
    12960000,
    15552000,
    18144000,
    20736000,
    23328000,
    25920000,
    28512000,
    31556952,
    315569520,
    -1,
)


def _dedupe(value: Any) -> int:
    seconds = integer(value)
    if seconds not in DEDUPE:
        raise InvalidValue("is not included in the list")
    return int(seconds or 0)


def _money(value: Any) -> float:
    try:
        amount = float(value)
    except (TypeError, ValueError) as error:
        raise InvalidValue("is not a number") from error
    if not math.isfinite(amount):
        raise InvalidValue("is not a number")
    return amount


_GROUPS = NestedTable(
    "conversion_groups",
    (
        Column("name"),
        Column("conversion_type", one_of("timer"), required=True),
        Column("dedupe_seconds", _dedupe, optional=False),
    ),
    {"name": "Default Conversion Settings", "dedupe_seconds": 0},
)
_CONVERSIONS = NestedTable(
    "conversions",
    (Column("seconds", natural, optional=False), Column("revenue", _money, optional=False)),
    {"seconds": 90, "revenue": 0.0},
)
# What the reference shows of each and has no parameter for.
_GROUP_FIELDS: dict[str, Any] = {"postback": False, "postback_uuid": None, "tag_values": []}
_CONVERSION_FIELDS: dict[str, Any] = {
    "type": None,
    "payout": 0.0,
    "payout_modifier": None,
    "postback_timeout": 600,
    "match_trigger": None,
}


def change(context: RequestContext, target_id: int, attributes: dict[str, Any]) -> None:
    """Save ``conversion_groups_attributes``; a group without an ``id`` is a new one.

    :param context: The request and the sandbox's state.
    :param target_id: ID of the target.
    :param attributes: Attributes from the request.
    :raises ApiError: With status 422, if a part is to be deleted or an attribute is invalid.
    """
    for row in nested_rows(attributes, "conversion_groups_attributes"):
        group_id = _GROUPS.save(context.store, row, {"target_id": target_id})
        if group_id is None:
            context.store.run("DELETE FROM conversions WHERE group_id = ?", (row["id"],))
            continue
        parts = nested_rows(row, "conversions_attributes")
        if not parts and identity(row.get("id")) is None:
            raise validation_error({"conversion_groups.conversions": ["can't be blank"]})
        for part in parts:
            if truth(part.get("_destroy")):
                raise validation_error({"conversion_groups.conversions": ["only whole groups can be deleted"]})
            _CONVERSIONS.save(context.store, part, {"group_id": group_id})


def get_groups(context: RequestContext, target_id: int) -> list[dict[str, Any]]:
    """Return the conversion groups of a target as Retreaver writes them.

    :param context: The request and the sandbox's state.
    :param target_id: ID of the target.
    :return: Groups, each with its ``conversions``.
    """
    store = context.store
    names = "id, name, conversion_type, dedupe_seconds"
    groups = store.rows(f"SELECT {names} FROM conversion_groups WHERE target_id = ? ORDER BY id", (target_id,))
    sql = "SELECT id, seconds, revenue FROM conversions WHERE group_id = ? ORDER BY id"
    return [
        {
            **group,
            **_GROUP_FIELDS,
            "eval_order": order,
            "conversions": [{**row, **_CONVERSION_FIELDS} for row in store.rows(sql, (group["id"],))],
        }
        for order, group in enumerate(groups)
    ]
