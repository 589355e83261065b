"""What each view shows, from what was read: choices, pages, totals. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.routing.time_zones import NAMES, iana_name
from airflow_provider_retreaver.page.calls import MOST_ROWS, CallsRead, day_of
from airflow_provider_retreaver.page.caps import SHOWS, Bar, CapsRead, Owner, Show, matching
from airflow_provider_retreaver.page.numbers import IDLE_DAYS, NumbersRead
from airflow_provider_retreaver.page.polled import Polled
from airflow_provider_retreaver.page.work import (
    TaskRun,
    TriggerableDag,
    configuration_for,
    summary,
    waiting_snapshots,
)

Shown = dict[str, Any]
PAGE_SIZE = 50
# Pages to each side that are linked.
NEAR = 3
LONGEST_SEARCH = 100
MOST_NUMBERS = 200
CHOICES: Mapping[Show, str] = {
    "all": "All",
    "open": "Open now",
    "full": "With a full cap",
    "paused": "Paused",
    "groups": "Groups",
}


def caps(polled: Polled[CapsRead], now: datetime, search: str, show: str, page: str) -> Shown:
    """Return what the view of caps shows.

    :param polled: what is known.
    :param now: aware.
    :param search: words.
    :param show: which targets and groups; another value shows all.
    :param page: number of the page; the nearest one is shown where there is none such.
    :return: values of its template.
    """
    search = search.strip()[:LONGEST_SEARCH]
    chosen: Show = next((one for one in SHOWS if one == show), "all")
    everything = polled.value.owners(now) if polled.value is not None else []
    found = matching(everything, search, chosen)
    pages = max(1, -(-len(found) // PAGE_SIZE))
    number = min(pages, max(1, int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1))
    return {
        "rows": found[(number - 1) * PAGE_SIZE : number * PAGE_SIZE],
        "found": len(found),
        "totals": _totals(everything),
        "search": search,
        "show": chosen,
        "choices": list(CHOICES.items()),
        "page": number,
        "pages": pages,
        "near_pages": range(max(1, number - NEAR), min(pages, number + NEAR) + 1),
    }


def _totals(everything: Iterable[Owner]) -> dict[str, int]:
    totals = dict.fromkeys(("targets", "open", "full", "paused", "groups"), 0)
    for one in everything:
        totals["targets" if one.kind == "target" else "groups"] += 1
        if one.kind == "target":
            totals["paused"] += one.paused
            totals["open"] += one.open_now
            totals["full"] += one.full
    return totals


def one(polled: Polled[CapsRead], now: datetime, kind: str, id_: int) -> Owner | None:
    """Return one target or group.

    :param polled: what is known.
    :param now: aware.
    :param kind: which of the two.
    :param id_: Retreaver's ID.
    :return: the object; None where it is not known.
    """
    shown = polled.value.owners(now) if polled.value is not None else []
    return next((owner for owner in shown if (owner.kind, owner.id) == (kind, id_)), None)


def configurations(dags: Iterable[TriggerableDag], owner: Owner) -> list[tuple[TriggerableDag, dict[str, object]]]:
    """Return the DAGs that work on an object, each with the configuration for it.

    :param dags: that the reader may trigger.
    :param owner: the object.
    :return: pairs.
    """
    made = ((dag, configuration_for(dag, owner.kind, owner.id, owner.tid)) for dag in dags)
    return [(dag, configuration) for dag, configuration in made if configuration is not None]


def zone_of(name: str, now: datetime) -> ZoneInfo:
    """Return the zone of the clock by which a day begins.

    :param name: of the tz database or of Retreaver.
    :param now: aware.
    :return: the zone; UTC for an unknown name.
    """
    try:
        return ZoneInfo(iana_name(name, now.date()))
    except InvalidArgument:
        return ZoneInfo("UTC")


def calls(polled: Polled[CallsRead], now: datetime, zone: ZoneInfo) -> Shown:
    """Return what the view of calls shows.

    :param polled: what is known.
    :param now: aware.
    :param zone: of the clock.
    :return: values of its template.
    """
    # The day is that of the figures: past midnight the last poll's are shown until the next one.
    day = day_of(polled.value, polled.read_at or now, zone) if polled.value is not None else None
    tables = [(facet, lines) for facet, lines in day.tables.items()] if day is not None else []
    zones = sorted({"UTC", zone.key, *NAMES})
    return {"day": day, "tables": tables, "zone": zone.key, "zones": zones, "most": MOST_ROWS}


def numbers(polled: Polled[NumbersRead]) -> Shown:
    """Return what the view of pools and numbers shows.

    :param polled: what is known.
    :return: values of its template.
    """
    pools = polled.value.pools if polled.value is not None else ()
    shown = [(pool, Bar("numbers", pool.numbers_count, pool.max_pool_size)) for pool in pools]
    return {"pools": shown, "idle_days": IDLE_DAYS, "most": MOST_NUMBERS}


def work(runs: list[TaskRun], most: int) -> Shown:
    """Return what the view of our work shows.

    :param runs: the latest first.
    :param most: how many are shown; all are searched for snapshots.
    :return: values of its template.
    """
    return {"runs": [(run, summary(run)) for run in runs[:most]], "snapshots": waiting_snapshots(runs)}
