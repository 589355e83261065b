"""Which column of a table holds what of a call: the warehouse schema of the integration guide, or a mapping given.

The integration guide ("Field Mapping to DCE Schema") names fields that calls do not have under these names; what each
column is taken from instead stands beside it below, and in docs/sql.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.answers import excerpt
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.lists.phones import hide_numbers

KINDS = ("text", "integer", "decimal", "boolean", "timestamp", "json")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# Stands for the whole call in a mapping.
WHOLE = "*"

# "Calls": what the fields are; versions 2 and later.
_OF_KIND = {
    "text": """uuid caller caller_zip caller_state caller_city caller_country caller_number_sent status cid afid sid
        tid dialed_number number recording_url hung_up_by visitor_url via campaign_name affiliate_name target_name
        upstream_call_uuid""",
    "integer": """dialed_call_duration total_duration ivr_duration hold_duration billable_minutes conversion_seconds
        time_to_call_in_seconds time_to_connect_in_seconds fired_pixels_count company_id campaign_id number_id
        target_id system_target_id system_campaign_id system_affiliate_id""",
    "decimal": "revenue payout postback_value charge_total profit_gross profit_net total_cost",
    "boolean": """duplicate payable_duplicate receivable_duplicate repeat converted payable receivable rescued
        connected""",
    "timestamp": "start_time forwarded_time end_time created_at updated_at conversions_determined_at",
    "json": "tags target_group campaign keys_pressed downstream_call_uuids fired_pixels call_flow_events",
}
FIELDS = {field: kind for kind, fields in _OF_KIND.items() for field in fields.split()}


class Clash(ValueError):
    """A value that its column cannot hold.

    :param column: name of the column.
    :param what: the rest of the sentence, without phone numbers.
    """

    def __init__(self, column: str, what: str) -> None:
        super().__init__(f"column {column} {what}")
        self.column = column
        self.what = what


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    :param name: of the column.
    :param kind: one of `KINDS`.
    :param read: takes the value from a call.
    """

    name: str
    kind: str
    read: Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """All columns, one of which is the key and one tells which of two versions of a call is newer.

    :param key: name of the column that holds the call's `uuid`.
    :param version: name of the column that holds the call's `updated_at`.
    """

    columns: tuple[Column, ...]
    key: str
    version: str

    @property
    def names(self) -> list[str]:
        """The columns' names in order."""
        return [column.name for column in self.columns]

    def values(self, call: Row) -> tuple[Any, ...]:
        """Return what a call's row holds: texts, integers, decimals, truth values, times in UTC, JSON as texts.

        :raises Clash: naming the column.
        """
        return tuple(_held(column, column.read(call)) for column in self.columns)


def mapped(mapping: Any) -> Columns:
    """Return the columns of a mapping given by somebody.

    :param mapping: column names to fields of a call: `"revenue"`, `"target_group.name"` (a field within a field),
        `"*"` (the whole call as JSON), or `{"field": …, "type": …}` with one of `KINDS` where the field's own is not
        meant or not known.
    :raises InvalidArgument: naming the column.
    """
    if not isinstance(mapping, Mapping) or not mapping:
        raise InvalidArgument(f"mapping must map column names to fields of a call, not {mapping!r}.")
    columns: list[Column] = []
    of_field: dict[str, str] = {}
    for name, said in mapping.items():
        field, kind = _field_and_kind(name, said)
        columns.append(Column(name, kind, _reader(field)))
        of_field.setdefault(field, name)
    lower = [column.name.lower() for column in columns]
    if len(set(lower)) != len(lower):
        raise InvalidArgument("mapping names a column twice; databases do not tell capitals from small letters.")
    for field, why in (("uuid", "it is the key"), ("updated_at", "it tells which version of a call is newer")):
        if field not in of_field:
            raise InvalidArgument(f"mapping has no column for the field {field!r}; {why}.")
    return Columns(tuple(columns), of_field["uuid"], of_field["updated_at"])


def _field_and_kind(name: Any, said: Any) -> tuple[str, str]:
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
        raise InvalidArgument(
            f"mapping: {name!r} is no name of a column; give letters, digits and underscores, 63 at most."
        )
    given = said if isinstance(said, Mapping) else {"field": said}
    parameters.known(given, ("field", "type"), f"part of mapping[{name!r}]")
    field = given.get("field")
    if not isinstance(field, str) or not field.strip():
        raise InvalidArgument(f"mapping[{name!r}] must name a field of a call, not {field!r}.")
    field = field.strip()
    kind = given.get("type") or ("json" if field == WHOLE else FIELDS.get(field))
    if kind is None:
        raise InvalidArgument(
            f"mapping[{name!r}]: the type of the field {field!r} is not known; give "
            f"{{'field': {field!r}, 'type': …}} with one of {', '.join(KINDS)}."
        )
    fixed = {"uuid": "text", "updated_at": "timestamp"}.get(field)
    if fixed and kind != fixed:
        raise InvalidArgument(f"mapping[{name!r}]: the field {field!r} is kept as {fixed}, not as {kind!r}.")
    return field, str(parameters.one_of(kind, KINDS, f"mapping[{name!r}]: type"))


def _reader(field: str) -> Callable[[Row], Any]:
    if field == WHOLE:
        return lambda call: call
    first, *rest = field.split(".")

    def read(call: Row) -> Any:
        value = call.get(first)
        for part in rest:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    return read


def _held(column: Column, value: Any) -> Any:
    if value is None:
        return None
    held = _HOLDERS[column.kind](value)
    if held is None:
        shown = excerpt(hide_numbers(str(value)), 40)
        raise Clash(column.name, f"({column.kind}) cannot hold {shown!r}, a {type(value).__name__}")
    return held


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return None if isinstance(value, (dict, list)) else json.dumps(value)


def _integer(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _decimal(value)
    return int(number) if number is not None and number == number.to_integral_value() else None


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 100 else None


def _boolean(value: Any) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())


def _timestamp(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    # Without an offset it could be any of 24 moments.
    return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_HOLDERS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "json": _json,
}
