"""The columns of exported calls: one schema for every version of the call log (vendor's reference: "Calls").

Versions 3 and 4 put number and campaign into objects of their own; here they have the same columns in all versions.
Keys that are not documented are kept together, as JSON, in the last column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_retreaver.core.operations import Row

TEXT, INTEGER, DECIMAL, BOOLEAN, MOMENT, JSON, MAP = "text", "integer", "decimal", "boolean", "moment", "json", "map"

_V1 = """uuid:text caller:text caller_zip:text caller_state:text caller_city:text caller_country:text
    dialed_call_duration:integer total_duration:integer status:text start_time:moment forwarded_time:moment
    end_time:moment cid:text afid:text sid:text dialed_number:text updated_at:moment created_at:moment
    recording_url:text"""
_V2 = """caller_number_sent:text ivr_duration:integer hold_duration:integer revenue:decimal payout:decimal
    postback_value:decimal hung_up_by:text duplicate:boolean payable_duplicate:boolean receivable_duplicate:boolean
    system_target_id:integer system_campaign_id:integer system_affiliate_id:integer fired_pixels_count:integer
    charge_total:decimal keys_pressed:json repeat:boolean visitor_url:text company_id:integer
    conversions_determined_at:moment billable_minutes:integer upstream_call_uuid:text downstream_call_uuids:json
    target_group_id:integer target_group_name:text number:text number_name:text converted:boolean payable:boolean
    receivable:boolean conversion_seconds:integer tid:text fired_pixels:json via:text rescued:boolean
    campaign_id:integer campaign_name:text number_id:integer target_id:integer affiliate_name:text connected:boolean
    profit_gross:decimal profit_net:decimal target_name:text time_to_call_in_seconds:integer
    time_to_connect_in_seconds:integer total_cost:decimal call_flow_events:json"""
_TAGS = {"map": "tags:map", "rows": "tag_key:text tag_value:text"}
OTHER = "other"
# Digits of amounts: money to the millionth.
PRECISION, SCALE = 18, 6
_SCALE = Decimal(1).scaleb(-SCALE)
# Objects whose parts have columns of their own, by the column of each part.
_OBJECTS = {
    "target_group": {"id": "target_group_id", "name": "target_group_name"},
    "campaign": {"id": "campaign_id", "name": "campaign_name"},
    "number": {"number": "number", "name": "number_name"},
}


def columns(tags: str) -> dict[str, str]:
    """Return the name and kind of every column in order.

    :param tags: `map` for one column of all tags, `rows` for one row a tag.
    """
    pairs = (item.split(":") for item in f"{_V1} {_V2} {_TAGS[tags]} {OTHER}:{JSON}".split())
    return {name: kind for name, kind in pairs}  # noqa: C416 - pairs are lists


def flat(rows: Iterable[Row], names: frozenset[str], *, keep_tags: bool) -> Iterator[Row]:
    """Yield rows with a value for each column that they have; what has none is put into the last one.

    :param names: of the columns.
    :param keep_tags: whether tags have a column.
    """
    for row in rows:
        made: Row = {}
        other: Row = {}
        for name, value in row.items():
            parts = _OBJECTS.get(name) if isinstance(value, Mapping) else None
            if parts is not None:
                made.update((parts[part], value.get(part)) for part in parts)
                rest = {part: item for part, item in value.items() if part not in parts}
                other.update({name: rest} if rest else {})
            elif name in names:
                made[name] = value
            elif name != "tags" or keep_tags:
                other[name] = value
        if other:
            made[OTHER] = other
        yield made


def tag_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield a row for every tag of every call, with `tag_key` and `tag_value`; a call without tags has one row.

    Several values of a tag come joined by commas ("Calls", v2) and stay so: a comma may be part of a value.
    """
    for row in rows:
        tags = row.get("tags")
        rest = {name: value for name, value in row.items() if name != "tags"}
        for key, value in tags.items() if isinstance(tags, Mapping) and tags else ((None, None),):
            yield {**rest, "tag_key": key, "tag_value": value}


def as_text(value: Any) -> str:
    """Return a value as a text: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    """Return a value as compact JSON, its amounts as numbers."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)


def as_integer(value: Any) -> int:
    """Return a whole number, also from its text."""
    number = Decimal(str(value).strip() or "nan")
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


def as_decimal(value: Any) -> Decimal:
    """Return an amount from a number or its text, to the millionth."""
    number = Decimal(str(value).strip())
    if not number.is_finite():
        raise ValueError("not an amount")
    return number.quantize(_SCALE)


def as_boolean(value: Any) -> bool:
    """Return a truth value, also from its text."""
    known = {"true": True, "false": False, "1": True, "0": False}
    return known[str(value).strip().lower()]


def as_moment(value: Any) -> datetime:
    """Return a time in UTC from RFC 3339; the vendor's times carry offsets."""
    found = datetime.fromisoformat(str(value).strip())
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def as_map(value: Any) -> dict[str, str | None]:
    """Return tags as texts by text."""
    return {str(key): None if item is None else as_text(item) for key, item in dict(value).items()}


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    TEXT: as_text,
    INTEGER: as_integer,
    DECIMAL: as_decimal,
    BOOLEAN: as_boolean,
    MOMENT: as_moment,
    JSON: as_json,
    MAP: as_map,
}
# What a value that is none of the column's kind raises.
MISFIT = (ValueError, TypeError, KeyError, InvalidOperation)
