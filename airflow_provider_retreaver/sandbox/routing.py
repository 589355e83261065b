"""Would a call reach this target now? The sandbox's own reading of hours, pauses and caps."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_retreaver.sandbox import caps, hours
from airflow_provider_retreaver.sandbox.clock import at
from airflow_provider_retreaver.sandbox.state import Row, Store
from airflow_provider_retreaver.sandbox.time_zones import zone_of


def verdict(store: Store, target: Row, moment: int) -> tuple[bool, str]:
    """Say whether a target takes a call at ``moment`` (milliseconds), and why or why not."""
    if target["paused_at"] is not None:
        return False, "paused"
    local = at(moment, zone_of(target["time_zone"]))
    if not in_hours(hours.of(store, target["id"]), local):
        return False, f"closed: {local:%A %H:%M} is outside its business hours"
    if target["concurrency_cap"] is not None and target["calls_in_progress"] >= target["concurrency_cap"]:
        return False, "concurrency cap reached"
    full = _full_cap(store, "target", target["id"], moment)
    if full:
        return False, f"{full} cap reached"
    sql = (
        "SELECT g.* FROM target_groups g JOIN group_members m ON m.group_id = g.id "
        "WHERE m.target_id = ? AND g.deleted = 0"
    )
    for group in store.rows(sql, (target["id"],)):
        full = _full_cap(store, "target_group", group["id"], moment)
        if full:
            return False, f"{full} cap of group {group['name']} reached"
        sql_busy = (
            "SELECT sum(calls_in_progress) FROM targets t JOIN group_members m ON m.target_id = t.id WHERE m.group_id = ?"
        )
        if group["concurrency_cap"] is not None and (store.value(sql_busy, (group["id"],)) or 0) >= group["concurrency_cap"]:
            return False, f"concurrency cap of group {group['name']} reached"
    return True, "open"


def _full_cap(store: Store, owner: str, owner_id: int, moment: int) -> str | None:
    for row in caps.current(store, owner, owner_id, moment):
        if caps.is_full(row):
            return str(row["type"]).lower()
    return None


def in_hours(rows: list[Row], local: datetime) -> bool:
    """Say whether any row of the day opens this minute; an inverted row closes its span on that day.

    Inverted rows win: a span that one of them closes is closed. A day with inverted rows alone is
    open outside their spans, and a day without working rows is closed.
    """
    day = (local.weekday() + 1) % 7
    minute = local.hour * 100 + local.minute
    today = [row for row in rows if row["day_of_week"] == day and row["work_day"]]
    spans = {bool(row["invert"]): [] for row in today}  # type: dict[bool, list[bool]]
    for row in today:
        spans[bool(row["invert"])].append(row["time_open"] <= minute < row["time_close"])
    if any(spans.get(True, [])):
        return False
    return any(spans[False]) if False in spans else bool(today)
