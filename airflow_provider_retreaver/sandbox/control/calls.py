"""Adding and changing calls from the control surface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow_provider_retreaver.sandbox.api import caps
from airflow_provider_retreaver.sandbox.api.exchange import World
from airflow_provider_retreaver.sandbox.demo import calls as call_maker
from airflow_provider_retreaver.sandbox.http.wire import refused
from airflow_provider_retreaver.sandbox.state.clock import parse_time
from airflow_provider_retreaver.sandbox.state.store import Row

MOST = 2_000_000
_BULK = 50_000
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
# Each name of something else, the table it is in, the column there and the column of the call.
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


def _columns(world: World, fields: Any) -> Row:
    """Turn fields by their wire names into columns; Refusal 400 names an unknown one."""
    if not isinstance(fields, dict):
        raise refused(400, "fields must be an object")
    columns: Row = {}
    company_id = fields.get("company_id", world.options.company_id)
    for name, value in fields.items():
        if name in _TIMES:
            columns[name] = None if value is None else _time(name, value)
        elif name in _MONEY:
            columns[name] = _cents(name, value)
        elif name in _JSON:
            columns[name] = json.dumps(value)
        elif name in _REFERENCES:
            table, own, column = _REFERENCES[name]
            columns[column] = None if value is None else _referred(world, company_id, table, own, value)
        elif name in _PLAIN and (value is None or isinstance(value, str | int | float)):
            columns[name] = value
        else:
            raise refused(400, f"a call has no field {name!r} that can be set to {value!r}")
    return columns


def _referred(world: World, company_id: int, table: str, own: str, value: Any) -> int:
    sql = f"SELECT id FROM {table} WHERE company_id = ? AND {own} = ? AND deleted = 0"
    found = world.store.value(sql, (company_id, str(value)))
    if found is None:
        raise refused(400, f"company {company_id} has no such thing in {table}: {own} {value!r}")
    return int(found)


def _cents(name: str, value: Any) -> int:
    try:
        return round(float(value) * 100)
    except (TypeError, ValueError, OverflowError) as error:
        raise refused(400, f"{name} is not an amount: {value!r}") from error


def _time(name: str, value: Any) -> int:
    try:
        return parse_time(str(value))
    except ValueError as error:
        raise refused(400, f"{name} is not an RFC 3339 time: {value!r}") from error


def add(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """Add ``count`` calls with the given ``fields``; what is not given is drawn.

    ``created_at_start`` and ``created_at_end`` in the fields spread the calls evenly over that span;
    otherwise they are made now, or at ``created_at``. A call whose target is named counts on the
    target's caps and on its groups', unless ``counted`` is false.
    """
    count = given.get("count", 1)
    if not isinstance(count, int) or not 0 <= count <= MOST or not given.keys() <= {"count", "fields"}:
        raise refused(400, f'calls takes "count" (0 to {MOST}) and "fields"')
    fields = dict(given.get("fields") or {})
    spread = {name: fields.pop(name) for name in _SPREAD if name in fields}
    told = _columns(world, fields)
    if "uuid" in told and count != 1:
        raise refused(400, "a uuid can be given to one call only")
    if "uuid" in told and world.store.value("SELECT count(*) FROM calls WHERE uuid = ?", (told["uuid"],)):
        raise refused(400, f"there is a call {told['uuid']} already")
    company_id, now = told.get("company_id", world.options.company_id), world.clock.now()
    drawn = call_maker.patterns(world.random, company_id, call_maker.cast(world.store, company_id), count)
    batch = call_maker.Batch(drawn, _moments(count, spread, told.get("created_at", now)), now, told)
    uuids = call_maker.add_many(world.store, world.random, batch, bulk=count >= _BULK)
    if told.get("target_id") and spread.get("counted", True) and count:
        caps.count_call(world.store, told["target_id"], told.get("created_at", now), count, now)
    return {"added": count, "uuids": uuids}


def _moments(count: int, spread: dict[str, Any], made_at: int) -> Iterator[int]:
    """Give each call its time of creation."""
    start = _time("created_at_start", spread["created_at_start"]) if "created_at_start" in spread else made_at
    end = _time("created_at_end", spread["created_at_end"]) if "created_at_end" in spread else made_at
    return (start + (end - start) * index // max(1, count) for index in range(count))


def change(world: World, uuid: str, given: dict[str, Any]) -> dict[str, Any]:
    """Change a call's ``fields``; it was then updated now, unless ``updated_at`` is among them."""
    columns = {"updated_at": world.clock.now(), **_columns(world, given.get("fields") or {})}
    if "uuid" in columns:
        raise refused(400, "a call keeps its uuid")
    row_id = world.store.value("SELECT id FROM calls WHERE uuid = ?", (uuid,))
    if row_id is None:
        raise refused(404, f"there is no call {uuid}")
    world.store.update("calls", row_id, columns)
    world.store.calls_version += 1
    return {"uuid": uuid}
