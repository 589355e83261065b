"""The fields of a call: one table of their names and kinds, and one reader for every kind.

Files and database tables use both: CSV and Parquet for their columns, Parquet and SQL to read the values. Retreaver's
reference: "Calls".

Versions 3 and 4 put number and campaign into objects; in files their parts have the same columns in all versions.
Keys that are not documented are kept together, as JSON, in the last column of a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Final, Literal, TypeAlias, cast

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.quoting import one_line, quoted
from airflow_provider_retreaver.core.time_parameters import offset_time

Kind: TypeAlias = Literal["text", "integer", "decimal", "boolean", "timestamp", "json", "map"]
TagLayout: TypeAlias = Literal["map", "rows"]
# What a reader returns; None for a blank text, which is no value.
Value: TypeAlias = str | int | Decimal | bool | datetime | dict[str, str | None] | None

TEXT: Final = "text"
INTEGER: Final = "integer"
DECIMAL: Final = "decimal"
BOOLEAN: Final = "boolean"
TIMESTAMP: Final = "timestamp"
JSON: Final = "json"
MAP: Final = "map"

_V1 = """uuid:text caller:text caller_zip:text caller_state:text caller_city:text caller_country:text
    dialed_call_duration:integer total_duration:integer status:text start_time:timestamp forwarded_time:timestamp
    end_time:timestamp cid:text afid:text sid:text dialed_number:text updated_at:timestamp created_at:timestamp
    recording_url:text"""
_V2 = """caller_number_sent:text ivr_duration:integer hold_duration:integer revenue:decimal payout:decimal
    postback_value:decimal hung_up_by:text duplicate:boolean payable_duplicate:boolean receivable_duplicate:boolean
    system_target_id:integer system_campaign_id:integer system_affiliate_id:integer fired_pixels_count:integer
    charge_total:decimal keys_pressed:json repeat:boolean visitor_url:text company_id:integer
    conversions_determined_at:timestamp billable_minutes:integer upstream_call_uuid:text downstream_call_uuids:json
    target_group_id:integer target_group_name:text number:text number_name:text converted:boolean payable:boolean
    receivable:boolean conversion_seconds:integer tid:text fired_pixels:json via:text rescued:boolean
    campaign_id:integer campaign_name:text number_id:integer target_id:integer affiliate_name:text connected:boolean
    profit_gross:decimal profit_net:decimal target_name:text time_to_call_in_seconds:integer
    time_to_connect_in_seconds:integer total_cost:decimal call_flow_events:json callpixels_target_id:integer
    affiliate_repeat:boolean target_repeat:boolean number_repeat:boolean network_sale_timer_fired:json
    affiliate_sale_timer_fired:json target_sale_timer_fired:json"""
_TAGS: dict[TagLayout, dict[str, Kind]] = {"map": {"tags": MAP}, "rows": {"tag_key": TEXT, "tag_value": TEXT}}
# Columns that no version of a call has as fields.
_PARTS_ONLY = frozenset({"target_group_id", "target_group_name", "number_name"})
OTHER = "other"
# Digits of amounts in files: money to the millionth.
PRECISION, SCALE = 18, 6
_SCALE = Decimal(1).scaleb(-SCALE)
# No amount and no count of a call has as many digits.
_MOST_DIGITS = 100


class NotOfKind(ValueError):
    """A value that is not of the kind of its field."""


def _table(text: str) -> dict[str, Kind]:
    pairs = (item.split(":") for item in text.split())
    return {name: cast("Kind", kind) for name, kind in pairs}


_COLUMNS = _table(f"{_V1} {_V2}")
# Every documented field of a call by name, in all versions.
FIELDS: Mapping[str, Kind] = {
    **{name: kind for name, kind in _COLUMNS.items() if name not in _PARTS_ONLY},
    "tags": MAP,
    "target_group": JSON,
    "campaign": JSON,
}


def columns(tags: TagLayout) -> dict[str, Kind]:
    """Return the columns of a file.

    :param tags: `map` for one column of all tags, `rows` for one row a tag.
    :return: the kind of every column by name, in order.
    """
    return {**_COLUMNS, **_TAGS[tags], OTHER: JSON}


def read_text(value: object) -> str:
    """Return a text as it is, a number or truth value as JSON writes it.

    :param value: as it came, not None.
    :return: the text.
    :raises NotOfKind: for an object or a list.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        raise NotOfKind("an object or a list is not a text")
    return format_json(value)


def format_json(value: object) -> str:
    """Return any value as compact JSON.

    :param value: as it came; amounts become numbers, or texts where no float holds them.
    :return: JSON without spaces between its parts.
    :raises NotOfKind: when it is nested too deeply.
    """
    with suppress(RecursionError):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json_number)
    raise NotOfKind("nested too deeply")


def _json_number(value: Decimal) -> float | str:
    number = float(value)
    return number if isfinite(number) else str(value)


def read_integer(value: object) -> int | None:
    """Return a whole number.

    :param value: a number, or its text.
    :return: the number; None for a blank text.
    :raises NotOfKind: for anything else, also a number with a fraction or a truth value.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = read_decimal(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise NotOfKind("not a whole number")
    return int(number)


def read_decimal(value: object) -> Decimal | None:
    """Return an amount with all its digits.

    :param value: a number, or its text.
    :return: the amount; None for a blank text.
    :raises NotOfKind: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise NotOfKind("not a number")
    text = str(value).strip()
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise NotOfKind("not a number") from None
    if not number.is_finite() or abs(number.adjusted()) >= _MOST_DIGITS:
        raise NotOfKind("not an amount")
    return number


def read_amount(value: object) -> Decimal | None:
    """Return an amount, rounded to the millionth.

    :param value: a number, or its text.
    :return: the amount; None for a blank text.
    :raises NotOfKind: for anything else.
    """
    number = read_decimal(value)
    try:
        return None if number is None else number.quantize(_SCALE)
    except InvalidOperation:
        raise NotOfKind("too many digits") from None


def read_boolean(value: object) -> bool | None:
    """Return a truth value.

    :param value: a truth value, `true` or `false` in any case of letters, 1 or 0, or the text of one of them.
    :return: the truth value; None for a blank text.
    :raises NotOfKind: for anything else.
    """
    text = str(value).strip().lower()
    if text in {"true", "1"}:
        return True
    if text in {"false", "0"}:
        return False
    if text:
        raise NotOfKind("not a truth value")
    return None


def read_time(value: object) -> datetime | None:
    """Return a time in UTC.

    :param value: RFC 3339 with an offset, as Retreaver sends all times of calls.
    :return: the time; None for a blank text.
    :raises NotOfKind: for anything else; a time without an offset could be any of 24.
    """
    if not isinstance(value, str):
        raise NotOfKind("not a text")
    if not value.strip():
        return None
    time = offset_time(value)
    if time is None:
        raise NotOfKind("not a time with an offset")
    return time


def read_tags(value: object) -> dict[str, str | None] | None:
    """Return tags as texts by key.

    :param value: an object.
    :return: a text for every tag, JSON where its value is none; None for a blank text.
    :raises NotOfKind: when it is not an object.
    """
    if isinstance(value, str) and not value.strip():
        return None
    if not isinstance(value, dict):
        raise NotOfKind("not an object")
    return {
        str(key): item if item is None or isinstance(item, str) else format_json(item) for key, item in value.items()
    }


# How a value of each kind is read; a reader raises NotOfKind for any other value.
READERS: Mapping[Kind, Callable[[object], Value]] = {
    TEXT: read_text,
    INTEGER: read_integer,
    DECIMAL: read_decimal,
    BOOLEAN: read_boolean,
    TIMESTAMP: read_time,
    JSON: format_json,
    MAP: read_tags,
}


def call_time(text: str, field: str, uuid: str = "") -> datetime:
    """Return a time of a call in UTC, where nothing can be done without it.

    :param text: as it came.
    :param field: its name, e.g. `created_at`.
    :param uuid: of the call, where it is known.
    :return: an aware datetime.
    :raises ProtocolError: naming call and field, when it is not a time with an offset.
    """
    time: datetime | None = None
    with suppress(NotOfKind):
        time = read_time(text)
    if time is None:
        raise ProtocolError(
            f"{f'Call {one_line(uuid)}' if uuid else 'A call'} has a {field} ({quoted(text)}) that is not a time "
            f"with an offset, as Retreaver documents it; report the call to Retreaver, or choose a window without it."
        )
    return time
