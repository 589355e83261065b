"""The warehouse schema of Retreaver's integration guide, filled from the fields that calls really have.

Retreaver's integration guide: "Field Mapping to DCE Schema". It names fields that calls do not have; docs/sql.md
lists the field that each column is filled from instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.calls.fields import OTHER
from airflow_provider_retreaver.domain.calls.file_rows import set_aside
from airflow_provider_retreaver.domain.calls.odd_calls import ODD
from airflow_provider_retreaver.domain.calls.sql_columns import Column, Columns, KeptColumn
from airflow_provider_retreaver.resources.targets import is_placeholder

KEY = "call_id"
VERSION = "call_updated_at"
TAGS = "retreaver_tags"
_DESTINATION, _METADATA = "destination_number", "call_metadata"
_TARGETS = ("system_target_id", "target_id")
_CAMPAIGNS = ("system_campaign_id", "campaign_id", "cid")
_PUBLISHERS = ("system_affiliate_id", "afid")
_DURATION = "total_duration"
_STARTS = ("start_time", "created_at")
# "mapStatus" of the guide; calls really have the status `finished`.
STATUSES = {"completed": "completed", "no-answer": "no_answer", "busy": "busy", "failed": "failed"}
UNKNOWN = "unknown"


class _Targets(msgspec.Struct, gc=False):
    system_target_id: object = None
    target_id: object = None


_TARGET = msgspec.json.Decoder(_Targets)
# Keys of `call_metadata` that are not fields of a call.
_OURS = frozenset({TAGS, OTHER})
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
        target = _first(call, *_TARGETS)
        number = None if target is None else destination_of(target)
        # A placeholder is no number that a call went to.
        return None if is_placeholder(number) else number

    return Columns(
        (
            Column(KEY, "text", lambda call: call.get("uuid"), frozenset({"uuid"})),
            Column("caller_phone", "text", lambda call: call.get("caller"), frozenset({"caller"})),
            Column("tracking_number", "text", lambda call: call.get("dialed_number"), frozenset({"dialed_number"})),
            Column(_DESTINATION, "text", destination, frozenset(_TARGETS)),
            Column("campaign_id", "text", _campaign, frozenset({"campaign", *_CAMPAIGNS})),
            Column("publisher_id", "text", lambda call: _first(call, *_PUBLISHERS), frozenset(_PUBLISHERS)),
            Column(
                "call_duration", "integer", lambda call: call.get("total_duration"), frozenset({"total_duration"})
            ),
            Column("call_status", "text", _status, frozenset({"status", "connected"})),
            Column("call_start_time", "timestamp", lambda call: _first(call, *_STARTS), frozenset(_STARTS)),
            Column("call_answer_time", "timestamp", _answered, frozenset({"connected", "forwarded_time"})),
            Column("call_end_time", "timestamp", lambda call: call.get("end_time"), frozenset({"end_time"})),
            Column("recording_url", "text", lambda call: call.get("recording_url"), frozenset({"recording_url"})),
            Column(_METADATA, "json", _metadata, of_json=_metadata_of_json),
            Column(VERSION, "timestamp", lambda call: call.get("updated_at"), frozenset({"updated_at"})),
        ),
        KEY,
        VERSION,
        # The number of a target that was deleted since is known to the table only.
        KeptColumn(_DESTINATION, _METADATA, target_of),
        _OURS,
    )


def _first(call: Row, *fields: str) -> object:
    for field in fields:
        value = call.get(field)
        if value is not None:
            return value
    return None


def _campaign(call: Row) -> object:
    # Version 4 has an object; version 1 and the legacy routes have the customer's ID only.
    campaign = call.get("campaign")
    found = campaign.get("id") if isinstance(campaign, dict) else None
    return _first(call, *_CAMPAIGNS) if found is None else found


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
    if TAGS in call or OTHER in call:
        others = {name: value for name, value in call.items() if name not in _IN_COLUMNS}
    else:
        # The common case in a third of the time.
        others = {TAGS: call.get("tags") or {}, **call}
        for name in _IN_COLUMNS:
            others.pop(name, None)
    if call.get("forwarded_time") is not None and _answered(call) is None:
        others["forwarded_time"] = call["forwarded_time"]
    if TAGS in call or OTHER in call:
        return {TAGS: call.get("tags") or {}, **set_aside(others, _OURS)}
    return others


def _metadata_of_json(column: str) -> str:
    """Return what `_metadata` makes of a call, as PostgreSQL's expression; what it has made already stays.

    Only a call's JSON has its `uuid`.
    """
    popped = ", ".join(f"'{name}'" for name in sorted(_IN_COLUMNS))
    unanswered = ", ".join(f"'{name}'" for name in sorted(_IN_COLUMNS - {"forwarded_time"}))
    is_kept = f"{column} -> 'connected' = 'false' AND {column} -> 'forwarded_time' <> 'null'"
    no_tags = f"COALESCE({column} -> 'tags', 'null') IN ('null', '[]', '\"\"', '0', 'false')"
    return (
        f"CASE WHEN {column} ? 'uuid' THEN "
        f"({column} - CASE WHEN {is_kept} THEN ARRAY[{unanswered}] ELSE ARRAY[{popped}] END) || "
        f"jsonb_build_object('{TAGS}', CASE WHEN {no_tags} THEN '{{}}' ELSE {column} -> 'tags' END) "
        f"ELSE {column} END"
    )


def target_of(metadata: object) -> str | None:
    """Return the ID of the target that a call went to.

    :param metadata: the column `call_metadata`: JSON as the database's driver returns it.
    :return: None for a call without a target.
    """
    if isinstance(metadata, (str, bytes, msgspec.Raw)):
        with suppress(*ODD):
            given = _TARGET.decode(metadata)
            target = given.target_id if given.system_target_id is None else given.system_target_id
            return None if target is None else str(target)
    with suppress(ValueError):
        found = json.loads(metadata) if isinstance(metadata, (str, bytes, bytearray)) else metadata
        target = _first(dict(found), *_TARGETS) if isinstance(found, Mapping) else None
        return None if target is None else str(target)
    return None
