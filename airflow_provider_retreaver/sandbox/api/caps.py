"""Caps of targets and target groups: hard, hourly, daily, monthly."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.sandbox.api.columns import InvalidValue, natural
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.http.wire import validation_error
from airflow_provider_retreaver.sandbox.state.clock import to_datetime
from airflow_provider_retreaver.sandbox.state.store import Row, Store
from airflow_provider_retreaver.sandbox.state.time_zones import get_zone

KINDS = ("Hard", "Hourly", "Daily", "Monthly")
_PERIODS = {"Hard": "", "Hourly": "%Y-%m-%dT%H", "Daily": "%Y-%m-%d", "Monthly": "%Y-%m"}


def create(store: Store, owner: str, owner_id: int) -> None:
    """Add the four caps of a new target or group, without limits.

    :param store: The sandbox's database.
    :param owner: ``target`` or ``target_group``.
    :param owner_id: ID of the target or group.
    """
    for kind in KINDS:
        store.insert("caps", {"owner": owner, "owner_id": owner_id, "type": kind})


def change(context: RequestContext, owner: str, owner_id: int, attributes: dict[str, Any]) -> None:
    """Set caps from ``hard_cap_attributes`` and its three siblings.

    Retreaver's reference: "Changing a Target's Caps".

    :param context: The request and the sandbox's state.
    :param owner: ``target`` or ``target_group``.
    :param owner_id: ID of the target or group.
    :param attributes: Attributes from the request.
    :raises ApiError: With status 422, if a cap is missing or not a number.
    """
    for kind in KINDS:
        name = f"{kind.lower()}_cap_attributes"
        if name not in attributes:
            continue
        cap_attributes = attributes[name]
        field = f"{kind.lower()}_cap.cap"
        if not isinstance(cap_attributes, dict) or "cap" not in cap_attributes:
            raise validation_error({field: ["can't be blank"]})
        try:
            cap = natural(cap_attributes["cap"])
        except InvalidValue as error:
            raise validation_error({field: [str(error)]}) from error
        context.store.run(
            "UPDATE caps SET cap = ? WHERE owner = ? AND owner_id = ? AND type = ?", (cap, owner, owner_id, kind)
        )


def period(kind: str, milliseconds: int, zone: ZoneInfo) -> str:
    """Name the period in which a cap counts: an hour, a day or a month; a hard cap has one without end.

    :param kind: One of ``KINDS``.
    :param milliseconds: A time in milliseconds since the epoch.
    :param zone: The time zone of the target or company.
    :return: For example ``2026-05-01`` for a daily cap; empty for a hard cap.
    """
    return to_datetime(milliseconds, zone).strftime(_PERIODS[kind])


def owner_zone(store: Store, owner: str, owner_id: int) -> ZoneInfo:
    """Return the time zone in which caps start again: the target's own; for a group, the company's.

    :param store: The sandbox's database.
    :param owner: ``target`` or ``target_group``.
    :param owner_id: ID of the target or group.
    :return: The time zone.
    """
    if owner == "target":
        return get_zone(store.value("SELECT time_zone FROM targets WHERE id = ?", (owner_id,)))
    sql = "SELECT zone FROM companies JOIN target_groups g ON g.company_id = companies.id WHERE g.id = ?"
    return ZoneInfo(store.value(sql, (owner_id,)))


def current(store: Store, owner: str, owner_id: int, now: int) -> list[Row]:
    """Return the caps of a target or group; those of a past hour, day or month are empty.

    :param store: The sandbox's database.
    :param owner: ``target`` or ``target_group``.
    :param owner_id: ID of the target or group.
    :param now: The sandbox's time in milliseconds since the epoch.
    :return: Rows of caps by type.
    """
    zone = owner_zone(store, owner, owner_id)
    rows = store.rows("SELECT * FROM caps WHERE owner = ? AND owner_id = ? ORDER BY type", (owner, owner_id))
    for row in rows:
        if row["period"] != period(row["type"], now, zone):
            row["filled"] = 0
    return rows


def render(context: RequestContext, owner: str, owner_id: int) -> list[Row]:
    """Write the caps of a target or group.

    :param context: The request and the sandbox's state.
    :param owner: ``target`` or ``target_group``.
    :param owner_id: ID of the target or group.
    :return: Objects with ``id``, ``filled``, ``cap`` and ``type``.
    """
    names = ("id", "filled", "cap", "type")
    return [{name: row[name] for name in names} for row in current(context.store, owner, owner_id, context.now)]


def is_full(row: Row) -> bool:
    """Return whether a cap is set and reached.

    :param row: Row of the cap.
    :return: Whether it is full.
    """
    return row["cap"] is not None and row["filled"] >= row["cap"]


def count_calls(store: Store, owner: str, owner_id: int, time: int, calls: int, now: int) -> None:
    """Count calls on every cap whose current period contains them.

    :param store: The sandbox's database.
    :param owner: ``target`` or ``target_group``.
    :param owner_id: ID of the target or group.
    :param time: When the calls were made, in milliseconds since the epoch.
    :param calls: How many calls.
    :param now: The sandbox's time in milliseconds since the epoch.
    """
    zone = owner_zone(store, owner, owner_id)
    for kind in KINDS:
        current_period = period(kind, now, zone)
        if period(kind, time, zone) != current_period:
            continue
        store.run(
            "UPDATE caps SET filled = CASE WHEN period = ? THEN filled ELSE 0 END + ?, period = ? "
            "WHERE owner = ? AND owner_id = ? AND type = ?",
            (current_period, calls, current_period, owner, owner_id, kind),
        )


def count_target_calls(store: Store, target_id: int, time: int, calls: int, now: int) -> None:
    """Count calls on a target and on every group that contains it.

    :param store: The sandbox's database.
    :param target_id: ID of the target.
    :param time: When the calls were made, in milliseconds since the epoch.
    :param calls: How many calls.
    :param now: The sandbox's time in milliseconds since the epoch.
    """
    count_calls(store, "target", target_id, time, calls, now)
    for row in store.rows("SELECT group_id FROM group_members WHERE target_id = ?", (target_id,)):
        count_calls(store, "target_group", row["group_id"], time, calls, now)


def fill(store: Store, owner: str, owner_id: int, kind: str, filled: int, now: int) -> None:
    """Set how many calls a cap has counted.

    :param store: The sandbox's database.
    :param owner: ``target`` or ``target_group``.
    :param owner_id: ID of the target or group.
    :param kind: One of ``KINDS``.
    :param filled: The new count.
    :param now: The sandbox's time in milliseconds since the epoch.
    """
    current_period = period(kind, now, owner_zone(store, owner, owner_id))
    store.run(
        "UPDATE caps SET filled = ?, period = ? WHERE owner = ? AND owner_id = ? AND type = ?",
        (filled, current_period, owner, owner_id, kind),
    )


def reset_hard(store: Store, owner: str, owner_id: int) -> None:
    """Set the count of a hard cap to 0.

    :param store: The sandbox's database.
    :param owner: ``target`` or ``target_group``.
    :param owner_id: ID of the target or group.
    """
    store.run("UPDATE caps SET filled = 0 WHERE owner = ? AND owner_id = ? AND type = 'Hard'", (owner, owner_id))
