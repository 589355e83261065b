"""How a call is written in each version of the call log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds, format_seconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store

_NAMES = {
    "affiliates": (
        "SELECT id, afid AS customer_id, trim(coalesce(company_name, '')) AS name FROM affiliates WHERE id IN ({})"
    ),
    "campaigns": "SELECT id, cid AS customer_id, name FROM campaigns WHERE id IN ({})",
    "targets": "SELECT id, tid AS customer_id, name FROM targets WHERE id IN ({})",
    "target_groups": "SELECT id, NULL AS customer_id, name FROM target_groups WHERE id IN ({})",
    "numbers": "SELECT id, number AS customer_id, coalesce(name, number) AS name FROM numbers WHERE id IN ({})",
}
_COLUMN = {
    "affiliates": "affiliate_id",
    "campaigns": "campaign_id",
    "targets": "target_id",
    "target_groups": "target_group_id",
    "numbers": "number_id",
}
_NO_OBJECT: Row = {"customer_id": None, "name": None}


@dataclass(slots=True)
class Names:
    """The customer IDs and names that a page of calls refers to, deleted objects included.

    :param known: By table and ID, rows with ``customer_id`` (the customer's ID) and ``name``.
    """

    known: dict[str, dict[int, Row]]

    def get(self, table: str, call: Row) -> Row:
        """Return the customer ID and the name of the object that a call refers to.

        :param table: Table of the object, for example ``targets``.
        :param call: The call.
        :return: A row with ``customer_id`` and ``name``, both None if the call refers to no such object.
        """
        return self.known[table].get(call[_COLUMN[table]], _NO_OBJECT)


def read_names(store: Store, calls: list[Row]) -> Names:
    """Look up everything that a page of calls refers to, with one query for each table.

    :param store: The sandbox's database.
    :param calls: Rows of calls.
    :return: Their names.
    """
    known = {}
    for table, sql in _NAMES.items():
        ids = sorted({call[_COLUMN[table]] for call in calls} - {None})
        known[table] = {row["id"]: row for row in store.rows(sql.format(",".join("?" * len(ids))), ids)}
    return Names(known)


def render(call: Row, version: int, names: Names, zone: ZoneInfo, recording_url: str | None) -> dict[str, Any]:
    """Write a call. Retreaver's reference: "Get recent Calls" (v1 to v5).

    :param call: Row of the call.
    :param version: Version of the call log, 1 to 5; 0 is the legacy route, whose times are in UTC.
    :param names: Names that the call refers to.
    :param zone: The company's time zone, in which the versions 1 to 5 write times.
    :param recording_url: Where its recording is, None if it has none.
    :return: Fields of the call by name.
    """
    fields = _common_fields(call, names, None if version == 0 else zone) | {"recording_url": recording_url}
    if version >= 2:
        fields |= _durations(call) | _money(call) | _flags(call) | _relations(call, names, fields)
        fields["number"] = names.get("numbers", call)["customer_id"]
        campaign = names.get("campaigns", call)
        if version >= 3:
            fields["number"] = {
                "number": names.get("numbers", call)["customer_id"],
                "name": names.get("numbers", call)["name"],
            }
        if version >= 4:
            fields["campaign"] = {"id": call["campaign_id"], "name": campaign["name"]}
        else:
            fields |= {"campaign_id": call["campaign_id"], "campaign_name": campaign["name"]}
        if recording_url is None:
            # The older versions have null here.
            del fields["recording_url"]
    return fields


def _common_fields(call: Row, names: Names, zone: ZoneInfo | None) -> dict[str, Any]:
    def format_time(name: str) -> str | None:
        return format_seconds(call[name]) if zone is None else format_milliseconds(call[name], zone)

    return {
        "uuid": call["uuid"],
        "caller": call["caller"],
        "caller_zip": call["caller_zip"],
        "caller_state": call["caller_state"],
        "caller_city": call["caller_city"],
        "caller_country": call["caller_country"],
        "dialed_call_duration": call["dialed_call_duration"],
        "total_duration": call["total_duration"],
        "status": call["status"],
        "start_time": format_time("start_time"),
        "forwarded_time": format_time("forwarded_time"),
        "end_time": format_time("end_time"),
        "cid": names.get("campaigns", call)["customer_id"],
        "afid": names.get("affiliates", call)["customer_id"],
        "sid": call["sid"],
        "dialed_number": call["dialed_number"],
        "updated_at": format_time("updated_at"),
        "created_at": format_time("created_at"),
    }


def _durations(call: Row) -> dict[str, Any]:
    return {
        "ivr_duration": call["ivr_duration"],
        "hold_duration": call["hold_duration"],
        "billable_minutes": call["billable_minutes"],
        "conversion_seconds": call["conversion_seconds"],
        "time_to_call_in_seconds": call["ivr_duration"],
        "time_to_connect_in_seconds": (call["ivr_duration"] or 0) + (call["hold_duration"] or 0),
    }


def _money(call: Row) -> dict[str, Any]:
    """Write money; a call that did not convert has null as its revenue and payout."""
    revenue, payout, cost = call["revenue"] or 0, call["payout"] or 0, call["cost"] or 0
    return {
        "revenue": revenue / 100 if revenue or call["converted"] else None,
        "payout": payout / 100 if payout or call["converted"] else None,
        "postback_value": None,
        "charge_total": f"{cost / 100:.2f}",
        "total_cost": f"{cost / 100:.2f}",
        "profit_gross": f"{(revenue - payout - cost) / 100:.2f}",
        "profit_net": (revenue - payout) / 100,
    }


_FLAGS = (
    "connected",
    "converted",
    "payable",
    "receivable",
    "duplicate",
    "payable_duplicate",
    "receivable_duplicate",
    "repeat",
    "rescued",
)


# The reference has no explanation of these, and null in every example.
_TIMERS_FIRED = ("network_sale_timer_fired", "affiliate_sale_timer_fired", "target_sale_timer_fired")


def _flags(call: Row) -> dict[str, Any]:
    repeat = bool(call["repeat"])
    return {
        **{name: bool(call[name]) for name in _FLAGS},
        **dict.fromkeys(_TIMERS_FIRED),
        "affiliate_repeat": repeat and call["affiliate_id"] is not None,
        "target_repeat": None if call["target_id"] is None else repeat,
        "number_repeat": repeat,
    }


def _fired_pixels(call: Row, fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Write the URLs that a call requested: one at its beginning, and one when it has converted."""
    moments = [("click", fields["start_time"]), ("sale", fields["end_time"] if call["converted"] else None)]
    return [
        {
            "fired_pixel": {
                "url": f"https://tracker.example.com/{kind}",
                "fire_order": order,
                "batch_uuid": f"{call['uuid'][:-1]}{order}",
                "created_at": at,
                "fired_at": at,
                "status": "fired",
                "webhook_name": None,
            }
        }
        for order, (kind, at) in enumerate(moments)
        if at is not None
    ]


def _relations(call: Row, names: Names, fields: dict[str, Any]) -> dict[str, Any]:
    group = {"id": call["target_group_id"], "name": names.get("target_groups", call)["name"]}
    target, affiliate = names.get("targets", call), names.get("affiliates", call)
    fired = _fired_pixels(call, fields)
    return {
        "caller_number_sent": call["caller"],
        "hung_up_by": call["hung_up_by"],
        "via": call["via"],
        "visitor_url": call["visitor_url"],
        "company_id": call["company_id"],
        "keys_pressed": json.loads(call["keys_pressed"] or "[]"),
        "tags": json.loads(call["tags"] or "{}"),
        "conversions_determined_at": fields["end_time"] if call["status"] == "finished" else None,
        "upstream_call_uuid": None,
        "downstream_call_uuids": [],
        "target_group": group if call["target_group_id"] is not None else {},
        "fired_pixels": fired,
        "fired_pixels_count": len(fired),
        "target_id": call["target_id"],
        "target_name": target["name"],
        "tid": target["customer_id"],
        "number_id": call["number_id"],
        "affiliate_name": affiliate["name"],
        "callpixels_target_id": call["target_id"],
        "system_target_id": call["target_id"],
        "system_campaign_id": call["campaign_id"],
        "system_affiliate_id": call["affiliate_id"],
    }


def flow_events(call: Row, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the events of a call: started, forwarded, ended.

    :param call: Row of the call.
    :param zone: The company's time zone.
    :return: Objects with ``event`` and ``created_at``, in the order of their times.
    """
    times = (("call_started", "start_time"), ("call_forwarded", "forwarded_time"), ("call_ended", "end_time"))
    known = [(event, call[name]) for event, name in times if call[name] is not None]
    return [{"event": event, "created_at": format_milliseconds(time, zone)} for event, time in known]
