"""How much of a buyer group's caps is used: counts and money by hour, day and month, and in total."""

from __future__ import annotations

from airflow_provider_retreaver.sandbox.api import caps
from airflow_provider_retreaver.sandbox.api.trackdrive.names import INTERVALS, KINDS, LIMITS
from airflow_provider_retreaver.sandbox.state.store import Row, Store
from airflow_provider_retreaver.sandbox.state.time_zones import get_zone


def _period(interval: str, group: Row, now: int) -> str:
    kind = "Hard" if interval == "total" else interval.capitalize()
    return caps.period(kind, now, get_zone(group["time_zone"]))


def used(store: Store, group: Row, now: int) -> dict[str, float]:
    """Return what a group has used.

    :param store: The sandbox's database.
    :param group: Row of the group.
    :param now: The sandbox's time in milliseconds.
    :return: Numbers by name, such as ``attempt_daily_used``.
    """
    found = dict.fromkeys((f"{kind}_{interval}_used" for kind in KINDS for interval in INTERVALS), 0.0)
    for row in store.rows("SELECT * FROM trackdrive_used WHERE group_id = ?", (group["id"],)):
        if row["period"] == _period(row["interval"], group, now):
            found[f"{row['kind']}_{row['interval']}_used"] = row["used"]
    return found


def fill(store: Store, group: Row, cap: tuple[str, str], amount: float, now: int) -> None:
    """Set what a group has used of one cap.

    :param store: The sandbox's database.
    :param group: Row of the group.
    :param cap: One of ``KINDS`` and one of ``INTERVALS``.
    :param amount: The new number.
    :param now: The sandbox's time in milliseconds.
    """
    kind, interval = cap
    values = (group["id"], kind, interval, _period(interval, group, now), amount)
    store.run("INSERT OR REPLACE INTO trackdrive_used VALUES (?, ?, ?, ?, ?)", values)


def reset_totals(store: Store, group: Row, now: int) -> None:
    """Start the total caps of a group again; those of hours, days and months go on.

    :param store: The sandbox's database.
    :param group: Row of the group.
    :param now: The sandbox's time in milliseconds.
    """
    store.run("DELETE FROM trackdrive_used WHERE group_id = ? AND interval = 'total'", (group["id"],))
    store.update("trackdrive_groups", group["id"], {"cap_reset_at": now})


def is_maxed_out(group: Row, amounts: dict[str, float]) -> bool:
    """Return whether a cap of a group is reached.

    :param group: Row of the group.
    :param amounts: See :func:`used`.
    :return: True if one of its limits is.
    """
    return any(
        group[limit] is not None and amounts[f"{limit.removesuffix('limit')}used"] >= group[limit] for limit in LIMITS
    )
