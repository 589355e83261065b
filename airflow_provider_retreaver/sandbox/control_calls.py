"""Adding and changing calls from the control surface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow_provider_retreaver.sandbox import call_maker, caps
from airflow_provider_retreaver.sandbox.clock import parse_time
from airflow_provider_retreaver.sandbox.exchange import World
from airflow_provider_retreaver.sandbox.state import Row
from airflow_provider_retreaver.sandbox.wire import refused

MOST = 2_000_000
_TIMES = ("created_at", "updated_at", "start_time", "forwarded_time", "end_time")
_PLAIN = (
    "status", "caller", "caller_zip", "caller_state", "caller_city", "caller_country", "dialed_number", "number_id",
    "affiliate_id", "campaign_id", "target_id", "target_group_id", "sid", "ivr_duration", "hold_duration",
    "dialed_call_duration", "total_duration", "billable_minutes", "conversion_seconds", "connected", "converted",
    "payable", "receivable", "duplicate", "payable_duplicate", "receivable_duplicate", "repeat", "rescued",
    "hung_up_by", "via", "visitor_url", "uuid", "company_id", "recorded",
)  # fmt: skip
_MONEY = ("revenue", "payout", "cost")
_JSON = ("tags", "keys_pressed")
_CUSTOMER = {
    "afid": ("affiliates", "affiliate_id"),
    "cid": ("campaigns", "campaign_id"),
    "tid": ("targets", "target_id"),
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
            columns[name] = round(float(value) * 100)
        elif name in _JSON:
            columns[name] = json.dumps(value)
        elif name in _CUSTOMER:
            table, column = _CUSTOMER[name]
            sql = f"SELECT id FROM {table} WHERE company_id = ? AND {name} = ? AND deleted = 0"
            columns[column] = world.store.value(sql, (company_id, value))
            if columns[column] is None:
                raise refused(400, f"there is no {name} {value!r}")
        elif name in _PLAIN:
            columns[name] = value
        else:
            raise refused(400, f"a call has no field {name!r} that can be set")
    return columns


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
    company_id = told.get("company_id", world.options.company_id)
    drawn = call_maker.patterns(world.random, company_id, call_maker.cast(world.store, company_id), count)
    if not told.get("target_id", True):
        raise refused(400, "target_id must not be empty")
    moments = _moments(world, count, spread, told)
    for one in drawn:
        one.update({name: value for name, value in told.items() if name != "created_at"})
    uuids: list[str] = []
    if drawn:
        call_maker.add_many(world.store, world.random, drawn, moments, uuids)
    if uuids and told.keys() & {"uuid", "start_time", "forwarded_time", "end_time"}:
        _overrule(world, uuids, told)
    if told.get("target_id") and spread.get("counted", True) and count:
        moment = told.get("created_at", world.clock.now())
        caps.count_call(world.store, told["target_id"], moment, count, world.clock.now())
    return {"added": count, "uuids": [told["uuid"]] if "uuid" in told else uuids}


def _moments(world: World, count: int, spread: dict[str, Any], told: Row) -> Iterator[tuple[int, int | None]]:
    """Give each call its time of creation and, where told, of its last change."""
    now = told.get("created_at", world.clock.now())
    start = _time("created_at_start", spread["created_at_start"]) if "created_at_start" in spread else now
    end = _time("created_at_end", spread["created_at_end"]) if "created_at_end" in spread else now
    updated = told.get("updated_at")
    return ((start + (end - start) * index // max(1, count), updated) for index in range(count))


def _overrule(world: World, uuids: list[str], told: Row) -> None:
    """Set what each call has of its own but was told nonetheless."""
    own = {name: told[name] for name in ("uuid", "start_time", "forwarded_time", "end_time") if name in told}
    assignments = ", ".join(f"{name} = ?" for name in own)
    for uuid in uuids:
        world.store.run(f"UPDATE calls SET {assignments} WHERE uuid = ?", (*own.values(), uuid))


def change(world: World, uuid: str, given: dict[str, Any]) -> dict[str, Any]:
    """Change a call's ``fields``; it was then updated now, unless ``updated_at`` is among them."""
    columns = {"updated_at": world.clock.now(), **_columns(world, given.get("fields") or {})}
    row_id = world.store.value("SELECT id FROM calls WHERE uuid = ?", (uuid,))
    if row_id is None:
        raise refused(404, f"there is no call {uuid}")
    world.store.update("calls", row_id, columns)
    world.store.calls_version += 1
    return {"uuid": columns.get("uuid", uuid)}
