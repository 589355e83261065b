"""Adding and changing calls from the control surface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow_provider_retreaver.sandbox.api import caps, data_writing
from airflow_provider_retreaver.sandbox.api.context import SandboxState
from airflow_provider_retreaver.sandbox.demo.calls import Batch, insert_calls, random_calls, read_participants
from airflow_provider_retreaver.sandbox.http.wire import api_error
from airflow_provider_retreaver.sandbox.state.clock import parse_storable_time
from airflow_provider_retreaver.sandbox.state.store import Row

MAX_COUNT = 2_000_000
_BULK_COUNT = 50_000
_TIMES = ("created_at", "updated_at", "start_time", "forwarded_time", "end_time")
_PLAIN = (
    "status",
    "caller",
    "caller_zip",
    "caller_state",
    "caller_city",
    "caller_country",
    "dialed_number",
    "sid",
    "ivr_duration",
    "hold_duration",
    "dialed_call_duration",
    "total_duration",
    "billable_minutes",
    "conversion_seconds",
    "connected",
    "converted",
    "payable",
    "receivable",
    "duplicate",
    "payable_duplicate",
    "receivable_duplicate",
    "repeat",
    "rescued",
    "hung_up_by",
    "via",
    "visitor_url",
    "uuid",
    "company_id",
    "recorded",
)
_MONEY = ("revenue", "payout", "cost")
_JSON = ("tags", "keys_pressed")
# Fields that name another object: its table, the column to look it up by, and the column of the call.
_REFERENCES = {
    "afid": ("affiliates", "afid", "affiliate_id"),
    "cid": ("campaigns", "cid", "campaign_id"),
    "tid": ("targets", "tid", "target_id"),
    "affiliate_id": ("affiliates", "id", "affiliate_id"),
    "campaign_id": ("campaigns", "id", "campaign_id"),
    "target_id": ("targets", "id", "target_id"),
    "number_id": ("numbers", "id", "number_id"),
    "target_group_id": ("target_groups", "id", "target_group_id"),
}
_SPREAD = ("created_at_start", "created_at_end", "counted")


def _columns(state: SandboxState, fields: object) -> Row:
    """Convert a call's fields by their names in the API to its columns; an unknown field is a ApiError 400."""
    if not isinstance(fields, dict):
        raise api_error(400, "fields must be an object")
    columns: Row = {}
    company_id = fields.get("company_id", state.options.company_id)
    for name, value in fields.items():
        if name in _TIMES:
            columns[name] = None if value is None else read_time(name, value)
        elif name in _MONEY:
            columns[name] = _cents(name, value)
        elif name in _JSON:
            columns[name] = json.dumps(value)
        elif name in _REFERENCES:
            table, key, column = _REFERENCES[name]
            columns[column] = None if value is None else _object_id(state, company_id, table, key, value)
        elif name in _PLAIN and (value is None or isinstance(value, str | float) or _is_storable(value)):
            columns[name] = value
        else:
            raise api_error(400, f"a call has no field {name!r} that can be set to {value!r}")
    return columns


def _is_storable(value: object) -> bool:
    """Return whether a value is a whole number that SQLite can hold."""
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _object_id(state: SandboxState, company_id: int, table: str, key: str, value: object) -> int:
    sql = f"SELECT id FROM {table} WHERE company_id = ? AND {key} = ? AND deleted = 0"
    row_id = state.store.value(sql, (company_id, str(value)))
    if row_id is None:
        raise api_error(400, f"{table} of company {company_id} has no object with {key} {value!r}")
    return int(row_id)


def _cents(name: str, value: Any) -> int:
    try:
        cents = 0 if value is None else round(float(value) * 100)
    except (TypeError, ValueError, OverflowError) as error:
        raise api_error(400, f"{name} is not an amount: {value!r}") from error
    if not _is_storable(cents):
        raise api_error(400, f"{name} is not an amount: {value!r}")
    return cents


def read_time(name: str, value: object) -> int:
    """Read a time.

    :param name: Name of the field.
    :param value: Its value.
    :return: Milliseconds since the epoch.
    :raises ApiError: With status 400, if it is no time.
    """
    try:
        return parse_storable_time(str(value))
    except ValueError as error:
        raise api_error(400, f"{name} is not an RFC 3339 time: {value!r}") from error


def add_calls(state: SandboxState, given: dict[str, Any]) -> dict[str, Any]:
    """Add calls; fields that are not given are random.

    With ``created_at_start`` and ``created_at_end`` among the fields the calls are spread evenly over that span;
    otherwise they are created now, or at ``created_at``. Calls with a given target are counted on the caps of the
    target and of its groups, unless ``counted`` is false.

    :param state: The sandbox's state.
    :param given: The request: ``count`` (1 by default) and ``fields`` of every call by name.
    :return: ``added`` (how many) and the ``uuids`` of the first thousand.
    :raises ApiError: With status 400, if the request is wrong.
    """
    count = given.get("count", 1)
    if not isinstance(count, int) or not 0 <= count <= MAX_COUNT or not given.keys() <= {"count", "fields"}:
        raise api_error(400, f'calls takes "count" (0 to {MAX_COUNT}) and "fields"')
    fields = dict(given.get("fields") or {})
    spread = {name: fields.pop(name) for name in _SPREAD if name in fields}
    columns = _columns(state, fields)
    if "uuid" in columns and count != 1:
        raise api_error(400, "a uuid can be given to one call only")
    if "uuid" in columns and state.store.value("SELECT count(*) FROM calls WHERE uuid = ?", (columns["uuid"],)):
        raise api_error(400, f"call {columns['uuid']} already exists")
    company_id, now = columns.get("company_id", state.options.company_id), state.clock.now()
    created_at = columns.get("created_at", now)
    templates = random_calls(state.random, company_id, read_participants(state.store, company_id), count)
    batch = Batch(templates, creation_times(count, spread, created_at), now, columns)
    uuids = insert_calls(state.store, state.random, batch, bulk=count >= _BULK_COUNT)
    data_writing.settle(state.store, company_id, now)
    if columns.get("target_id") and spread.get("counted", True) and count:
        caps.count_target_calls(state.store, columns["target_id"], created_at, count, now)
    return {"added": count, "uuids": uuids}


def creation_times(count: int, spread: dict[str, Any], default: int) -> Iterator[int]:
    """Spread times of creation evenly.

    :param count: How many times.
    :param spread: ``created_at_start`` and ``created_at_end``, each of which may be missing.
    :param default: The time for what is missing, in milliseconds since the epoch.
    :return: Milliseconds since the epoch.
    """
    start = read_time("created_at_start", spread["created_at_start"]) if "created_at_start" in spread else default
    end = read_time("created_at_end", spread["created_at_end"]) if "created_at_end" in spread else default
    return (start + (end - start) * index // max(1, count) for index in range(count))


def change_call(state: SandboxState, uuid: str, given: dict[str, Any]) -> dict[str, Any]:
    """Change fields of one call; ``updated_at`` becomes the current time unless it is given.

    :param state: The sandbox's state.
    :param uuid: UUID of the call.
    :param given: The request: ``fields`` by name.
    :return: The ``uuid``.
    :raises ApiError: With status 400 if the request is wrong, with 404 if there is no such call.
    """
    columns = {"updated_at": state.clock.now(), **_columns(state, given.get("fields") or {})}
    if "uuid" in columns:
        raise api_error(400, "the uuid of a call cannot be changed")
    row = state.store.row("SELECT id, company_id FROM calls WHERE uuid = ?", (uuid,))
    if row is None:
        raise api_error(404, f"there is no call {uuid}")
    state.store.update("calls", row["id"], columns)
    state.store.calls_version += 1
    data_writing.settle(state.store, row["company_id"], state.clock.now())
    return {"uuid": uuid}
