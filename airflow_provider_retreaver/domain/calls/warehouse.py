"""The warehouse schema of Retreaver's integration guide, filled from the fields that calls really have.

Retreaver's integration guide: "Field Mapping to DCE Schema". It names fields that calls do not have; docs/sql.md
lists the field that each column is filled from instead.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.calls.sql_columns import Column, Columns

KEY = "call_id"
VERSION = "call_updated_at"
# "mapStatus" of the guide; calls really have the status `finished`.
STATUSES = {"completed": "completed", "no-answer": "no_answer", "busy": "busy", "failed": "failed"}
UNKNOWN = "unknown"

# Fields that have a column of their own; `call_metadata` holds all others.
_IN_COLUMNS = frozenset(
    {
        "uuid", "caller", "dialed_number", "total_duration", "recording_url", "start_time", "forwarded_time",
        "end_time", "updated_at", "tags",
    }
)  # fmt: skip


def warehouse_columns(destination_of: Callable[[object], str | None]) -> Columns:
    """Return the guide's columns, and `call_updated_at`, which says which version of a call is newer.

    :param destination_of: returns the number of a target by its ID, since a call has the ID only.
    :return: the columns in order.
    """

    def destination(call: Row) -> str | None:
        target = _first(call, "system_target_id", "target_id")
        return None if target is None else destination_of(target)

    return Columns(
        (
            Column(KEY, "text", lambda call: call.get("uuid")),
            Column("caller_phone", "text", lambda call: call.get("caller")),
            Column("tracking_number", "text", lambda call: call.get("dialed_number")),
            Column("destination_number", "text", destination),
            Column("campaign_id", "text", _campaign),
            Column("publisher_id", "text", lambda call: _first(call, "system_affiliate_id", "afid")),
            Column("call_duration", "integer", lambda call: call.get("total_duration")),
            Column("call_status", "text", _status),
            Column("call_start_time", "timestamp", lambda call: _first(call, "start_time", "created_at")),
            Column("call_answer_time", "timestamp", _answered),
            Column("call_end_time", "timestamp", lambda call: call.get("end_time")),
            Column("recording_url", "text", lambda call: call.get("recording_url")),
            Column("call_metadata", "json", _metadata),
            Column(VERSION, "timestamp", lambda call: call.get("updated_at")),
        ),
        KEY,
        VERSION,
    )


def _first(call: Row, *fields: str) -> object:
    return next((call[field] for field in fields if call.get(field) is not None), None)


def _campaign(call: Row) -> object:
    # Version 4 has an object; version 1 and the legacy routes have the customer's ID only.
    campaign = call.get("campaign")
    found = campaign.get("id") if isinstance(campaign, dict) else None
    return _first(call, "system_campaign_id", "campaign_id", "cid") if found is None else found


def _status(call: Row) -> str:
    status = str(call.get("status")).lower()
    if status == "finished":
        # Version 2 and later have `connected`.
        return "no_answer" if call.get("connected") is False else "completed"
    return STATUSES.get(status, UNKNOWN)


def _answered(call: Row) -> object:
    # When the call was forwarded: calls have no time of the buyer's answer.
    return None if call.get("connected") is False else call.get("forwarded_time")


def _metadata(call: Row) -> Row:
    others = {name: value for name, value in call.items() if name not in _IN_COLUMNS}
    return {"retreaver_tags": call.get("tags") or {}, **others}
