"""Whether a call would be routed to a target: business hours, pauses, caps and caller lists."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_retreaver.sandbox.api import caps, hours
from airflow_provider_retreaver.sandbox.state.clock import to_datetime
from airflow_provider_retreaver.sandbox.state.store import Row, Store
from airflow_provider_retreaver.sandbox.state.time_zones import get_zone


def accepts_call(store: Store, target: Row, time: int, caller: str | None = None) -> tuple[bool, str]:
    """Return whether a target accepts a call, and why or why not.

    :param store: The sandbox's database.
    :param target: Row of the target.
    :param time: Time of the call in milliseconds since the epoch.
    :param caller: Phone number of the caller, to check caller lists; None skips them.
    :return: Whether it is accepted, and the reason, which is ``open`` if it is.
    """
    full_groups = (_full(store, "target_group", group, time) for group in _groups(store, target))
    reason = (
        _closed(store, target, time)
        or _full(store, "target", target, time)
        or next(filter(None, full_groups), None)
        or (None if caller is None else _blocked(store, target, caller))
    )
    return reason is None, reason or "open"


def _closed(store: Store, target: Row, time: int) -> str | None:
    if target["paused_at"] is not None:
        return "paused"
    local = to_datetime(time, get_zone(target["time_zone"]))
    if is_open(hours.get_rows(store, target["id"]), local):
        return None
    return f"closed: {local:%A %H:%M} is outside its business hours"


def _groups(store: Store, target: Row) -> list[Row]:
    """Return the groups of a target with the calls in progress in each."""
    return store.rows(
        "SELECT g.*, (SELECT sum(t.calls_in_progress) FROM targets t JOIN group_members n ON n.target_id = t.id "
        "WHERE n.group_id = g.id) AS calls_in_progress FROM target_groups g "
        "JOIN group_members m ON m.group_id = g.id WHERE m.target_id = ? AND g.deleted = 0",
        (target["id"],),
    )


def _full(store: Store, owner: str, row: Row, time: int) -> str | None:
    """Return the name of a full cap of a target or group."""
    whose = f" of group {row['name']}" if owner == "target_group" else ""
    if row["concurrency_cap"] is not None and row["calls_in_progress"] >= row["concurrency_cap"]:
        return f"concurrency cap{whose} reached"
    full = [cap["type"].lower() for cap in caps.current(store, owner, row["id"], time) if caps.is_full(cap)]
    return f"{full[0]} cap{whose} reached" if full else None


def _blocked(store: Store, target: Row, caller: str) -> str | None:
    """Apply the target's caller lists: `suppressed…` blocks its callers, `accepted…` all others."""
    lists = store.rows(
        "SELECT l.name, EXISTS (SELECT 1 FROM caller_list_numbers n "
        "WHERE n.list_id = l.id AND n.number = ?) AS listed FROM caller_lists l "
        "WHERE l.owner = 'target' AND l.owner_id = ? ORDER BY l.id",
        (caller, target["id"]),
    )
    for row in lists:
        if row["name"].startswith("suppressed") and row["listed"]:
            return f"caller is on list {row['name']}"
    accepted = [row for row in lists if row["name"].startswith("accepted")]
    if accepted and not any(row["listed"] for row in accepted):
        return f"caller is not on list {accepted[0]['name']}"
    return None


def is_open(rows: list[Row], local: datetime) -> bool:
    """Return whether business hours are open in a minute; a row with ``invert`` closes its hours on its day.

    Inverted rows take precedence: hours that one of them covers are closed. A day with inverted rows alone is open
    outside their hours, and a day without working rows is closed.

    :param rows: Rows of business hours.
    :param local: Local time of the target.
    :return: Whether they are open.
    """
    day = (local.weekday() + 1) % 7
    minute = local.hour * 100 + local.minute
    today = [row for row in rows if row["day_of_week"] == day and row["work_day"]]
    inside = [(row["time_open"] <= minute < row["time_close"], row["invert"]) for row in today]
    if any(within and invert for within, invert in inside):
        return False
    plain = [within for within, invert in inside if not invert]
    return any(plain) if plain else bool(today)
