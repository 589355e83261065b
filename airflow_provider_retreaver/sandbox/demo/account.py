"""The demo account: plausible companies that depend only on the seed and the clock."""

from __future__ import annotations

from random import Random
from typing import Any

from airflow_provider_retreaver.sandbox.api import companies, payout_tables, postback_keys, rtb, uploads
from airflow_provider_retreaver.sandbox.api.affiliates import AFFILIATES
from airflow_provider_retreaver.sandbox.api.campaigns import CAMPAIGNS
from airflow_provider_retreaver.sandbox.api.contacts import CONTACTS
from airflow_provider_retreaver.sandbox.api.context import RequestContext, SandboxState
from airflow_provider_retreaver.sandbox.api.number_pools import NUMBER_POOLS, provision
from airflow_provider_retreaver.sandbox.api.numbers import NUMBERS
from airflow_provider_retreaver.sandbox.api.static_callers import STATIC_CALLERS
from airflow_provider_retreaver.sandbox.demo import targets as demo_targets
from airflow_provider_retreaver.sandbox.demo import trackdrive
from airflow_provider_retreaver.sandbox.demo.calls import Batch, insert_calls, random_calls, read_participants
from airflow_provider_retreaver.sandbox.demo.inbounds import insert_inbounds
from airflow_provider_retreaver.sandbox.http.wire import Request

HOUR, DAY = 3_600_000, 86_400_000
CALLS = 3000
CALLS_IN_PROGRESS = 3
# Rows of the log of real-time bidding, one every quarter of an hour or so.
PINGS = 600
_IN_PROGRESS: dict[str, Any] = {
    "status": "in-progress",
    **dict.fromkeys(("end_time", "dialed_call_duration", "total_duration", "conversion_seconds", "hung_up_by")),
    **dict.fromkeys(("revenue", "payout", "converted", "payable", "receivable", "recorded"), 0),
}
_URLS = {
    "default_click_url": "https://tracker.example.com/click?a=[affiliate_id]&c=[campaign_id]&s=[sub_id]",
    "default_sale_url": "https://tracker.example.com/sale?c=[campaign_id]&t=[call_log_id]",
}
_PEOPLE = (("Nancy", "Drew"), ("Frank", "Hardy"), ("Trixie", "Belden"), ("Jupiter", "Jones"), ("Leroy", "Brown"))


def load(state: SandboxState, contents: str) -> None:
    """Fill an empty database.

    :param state: The sandbox's state.
    :param contents: ``empty`` for a company and its keys, ``demo`` for the demo data as well.
    """
    options, store, now = state.options, state.store, state.clock.now()
    first = {"id": options.company_id, "name": "Sandbox Calls", "zone": "America/New_York", **_URLS}
    companies.add(store, first, now - 400 * DAY, {options.api_key: True})
    postback_keys.issue(store, options.postback_key, options.postback_secret, options.company_id)
    rtb.issue(store, options.rtb_key, options.company_id)
    rtb.issue(store, options.reservation_key, options.company_id, rtb.RESERVATION)
    rtb.issue(store, options.writing_key, options.company_id, rtb.WRITING)
    if contents == "demo":
        _load_company(own_request(state, options.company_id), targets=60, calls=CALLS)
        second = {"id": options.company_id + 1, "name": "Second Company", "zone": "America/Los_Angeles", **_URLS}
        keys = {options.api_key: False, f"{options.api_key}-second": True}
        companies.add(store, second, now - 100 * DAY, keys)
        _load_company(own_request(state, options.company_id + 1), targets=3, calls=40)
        trackdrive.load(own_request(state, options.company_id))


def own_request(state: SandboxState, company_id: int) -> RequestContext:
    """Make a request that the sandbox itself sends for a company.

    :param state: The sandbox's state.
    :param company_id: ID of the company.
    :return: The request, authorized.
    """
    return RequestContext(state, Request("POST", "/demo.json", [], {}, b""), {}, state.options.api_key, company_id)


def _load_company(context: RequestContext, targets: int, calls: int) -> None:
    state = context.state
    random = Random(state.options.seed * 1000 + context.company_id)  # noqa: S311 - the same seed, the same account
    divisor = 1 if targets > 10 else 4
    _campaigns_and_numbers(context, divisor)
    _payout_tables(context)
    target_ids = demo_targets.load(context, random, targets)
    _lists(context, random, target_ids, divisor)
    _calls(context, random, calls)
    demo_targets.fill_caps(state, random, target_ids)
    pings = PINGS // divisor
    created = (context.now - (pings - index) * 6 * DAY // pings for index in range(pings))
    insert_inbounds(context.store, random, context.company_id, created)
    _backdate(context)


def _campaigns_and_numbers(context: RequestContext, divisor: int) -> None:
    """Create affiliates, campaigns, numbers and pools."""
    for index in range(12 // divisor):
        first, last = _PEOPLE[index % len(_PEOPLE)]
        company = f"{last} Media {index + 1}"
        names = {"first_name": first, "last_name": last, "company_name": company}
        AFFILIATES.create_row(context, {"afid": f"{index + 1:04d}", **names})
    for index, trade in enumerate(demo_targets.TRADES[: 5 // divisor]):
        CAMPAIGNS.create_row(context, _campaign(index, trade))
    for index in range(16 // divisor):
        given: dict[str, Any] = {
            "type": "Local" if index % 3 == 2 else "Toll-free",
            "afid": f"{index % (12 // divisor) + 1:04d}",
            "cid": f"{1 + index % (5 // divisor):04d}",
            "sid": ("google", "bing", None)[index % 3],
            "desired_text": "ROOF" if index == 0 else "",
            "name": f"Landing page {index + 1}",
        }
        if index == 4:
            given |= {"timers_attributes": [{"seconds": 30, "url": "https://tracker.example.com/own"}]}
        NUMBERS.create_row(context, given)
    for index, (size, count) in enumerate(((20, 6), (10, 10), (50, 46))[: 3 // divisor or 1]):
        given = {"cid": f"{1 + index:04d}", "max_pool_size": size, "reserve_size": 2}
        provision(context.state, NUMBER_POOLS.create_row(context, given), count)


def _payout_tables(context: RequestContext) -> None:
    """Create two payout tables of the first campaign; the second is active and pays less on half of two states."""
    sql = "SELECT min(id) FROM campaigns WHERE company_id = ?"
    campaign_id = context.store.value(sql, (context.company_id,))
    payout_tables.add(context, campaign_id, {"csv_data": "rule_id,payout_pct\n1,current\n"})
    rules = (
        "rule_id,caller_state,pbm_bucket,pbm_bucket,payout_pct",
        "1,=~^(NY|TX)$,>=0,<5000,70",
        "2,*,*,*,current",
    )
    given = {"csv_data": "".join(f"{line}\n" for line in rules), "table_version": "experiment-1", "active": True}
    payout_tables.add(context, campaign_id, given)


def _campaign(index: int, trade: str) -> dict[str, Any]:
    menu: list[dict[str, Any]] = [{"option": "1", "target_number": f"+1646555{1000 + index}"}]
    if index:
        menu.append({"option": "2", "target_cid": f"{index:04d}"})
    return {
        "cid": f"{index + 1:04d}",
        "name": f"{trade} leads",
        "dedupe_seconds": 86_400 if index % 2 else 0,
        "message": f"Thank you for calling about {trade.lower()}. Press one to continue.",
        "voice_gender": ("Female", "Male")[index % 2],
        "menu_options_attributes": menu,
        "timers_attributes": [
            {"seconds": 0, "url": "https://tracker.example.com/click"},
            {"seconds": 90, "url": "https://tracker.example.com/sale"},
        ],
    }


def _lists(context: RequestContext, random: Random, targets: list[int], divisor: int) -> None:
    """Create contacts, suppressed and static numbers, and caller lists."""
    store, company_id, now = context.store, context.company_id, context.now
    for index in range(30 // divisor):
        numbers = [{"number": f"+1305555{2000 + index}", "description": "Mobile"}]
        if index % 3 == 0:
            numbers.append({"number": f"+1305555{4000 + index}", "description": "Work"})
        CONTACTS.create_row(
            context, {"contact_numbers_attributes": numbers, "tag_list": f"<<<name:Caller {index + 1}>>>"}
        )
    stamp = {"company_id": company_id, "created_at": now - 30 * DAY, "updated_at": now - 30 * DAY}
    for index in range(40 // divisor):
        number = f"+1786555{1000 + random.randint(0, 8) + index * 9}"
        store.insert("suppressed_numbers", {**stamp, "number": number, "can_resubscribe": index % 2})
    for index in range(3 // divisor):
        STATIC_CALLERS.create_row(context, {"number": f"+1800555{7000 + index}"})
    campaign_id = store.value("SELECT min(id) FROM campaigns WHERE company_id = ?", (company_id,))
    lists = (
        ("target", targets[0], "suppressed", 40),
        ("target", targets[1], "accepted-vip", 5),
        ("campaign", campaign_id, "suppressed", 12),
    )
    for owner, owner_id, name, size in lists:
        values = {"owner": owner, "owner_id": owner_id, "name": name, "company_id": company_id, "created_at": now}
        list_id = store.insert("caller_lists", values)
        uploads.add_numbers(store, list_id, [f"+1917555{3000 + index}" for index in range(size)], now - DAY)


def _backdate(context: RequestContext) -> None:
    """Spread the times of creation over the past year and those of the last update over the past month."""
    for table in ("affiliates", "targets", "target_groups", "campaigns", "numbers", "number_pools", "contacts"):
        context.store.run(
            f"UPDATE {table} SET created_at = ? - (300 - id % 250) * ?, updated_at = ? - (30 - id % 29) * ? "
            "WHERE company_id = ?",
            (context.now, DAY, context.now, DAY, context.company_id),
        )


def _calls(context: RequestContext, random: Random, count: int) -> None:
    """Create calls of the last six days, up to ten minutes ago, and a few that are in progress."""
    store, company_id, now = context.store, context.company_id, context.now
    participants = read_participants(store, company_id)
    finished = count - CALLS_IN_PROGRESS
    created_at = sorted(now - 600_000 - int(random.random() * 6 * DAY) for _ in range(finished))
    templates = random_calls(random, company_id, participants, finished)
    insert_calls(store, random, Batch(templates, created_at, now))
    # The first campaign has had no call for an hour.
    quiet, busy = participants.campaigns[0], participants.campaigns[-1]
    sql = "UPDATE calls SET campaign_id = ? WHERE campaign_id = ? AND created_at > ?"
    store.run(sql, (busy, quiet, now - HOUR))
    for target_id in participants.targets[:CALLS_IN_PROGRESS]:
        group_id = participants.groups.get(target_id)
        overrides = {**_IN_PROGRESS, "campaign_id": busy, "target_id": target_id, "target_group_id": group_id}
        templates = random_calls(random, company_id, participants, 1)
        insert_calls(store, random, Batch(templates, [now - 30_000], now, overrides))
        store.update("targets", target_id, {"calls_in_progress": 1})
