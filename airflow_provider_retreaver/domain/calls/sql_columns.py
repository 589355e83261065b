"""The columns of a table of calls, and the values that a call has for them.

A table has the columns of the warehouse schema (`domain.calls.warehouse`), or those of a mapping.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, TypeAlias, cast, get_args

import msgspec

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.calls.fields import FIELDS, READERS, NotOfKind
from airflow_provider_retreaver.domain.calls.odd_calls import as_rows
from airflow_provider_retreaver.domain.calls.plain_json import encoded

SqlKind: TypeAlias = Literal["text", "integer", "decimal", "boolean", "timestamp", "json"]
SqlValue: TypeAlias = str | int | Decimal | bool | datetime | None
# A call's JSON in the place of the value that the database makes of it.
RAW = (msgspec.Raw, bytes)
RawValue: TypeAlias = SqlValue | msgspec.Raw | bytes

KINDS: tuple[SqlKind, ...] = get_args(SqlKind)
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# Stands for the whole call in a mapping.
WHOLE = "*"


class ColumnMisfit(ValueError):
    """A value that is not of its column's kind.

    :param column: name of the column.
    :param what: what is wrong with the value, as a clause without phone numbers.
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
    :param read: returns the field's value from a call.
    :param fields: of a call that `read` looks at; None for all.
    :param of_json: for a column of all fields, takes its name in SQL, and returns PostgreSQL's expression for its
        value where a stage has the call's JSON in its place; None where it can only be made by `read`.
    """

    name: str
    kind: SqlKind
    read: Callable[[Row], object]
    fields: frozenset[str] | None = None
    of_json: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class KeptColumn:
    """A column whose value stays when a call comes again and the value cannot be known any more.

    :param name: of the column.
    :param evidence: name of the column that says what the value belongs to.
    :param owner: returns what the value belongs to from the evidence, None for nothing; a value stays for the same
        owner only.
    """

    name: str
    evidence: str
    owner: Callable[[object], str | None]


@dataclass(frozen=True, slots=True)
class Columns:
    """All columns of a table.

    :param columns: in order.
    :param key: name of the column that holds the call's `uuid`.
    :param version: name of the column that holds the call's `updated_at`.
    :param kept: the column whose known values stay, if there is one.
    :param own: fields that a call hardly ever has, since they are names of ours; a call with one is read as a whole.
    """

    columns: tuple[Column, ...]
    key: str
    version: str
    kept: KeptColumn | None = None
    own: frozenset[str] = frozenset()

    @property
    def names(self) -> list[str]:
        """The columns' names in order."""
        return [column.name for column in self.columns]

    def values(self, call: Row) -> tuple[SqlValue, ...]:
        """Return the values of a call in the order of the columns.

        :param call: as a dictionary.
        :return: texts, integers, decimals, truth values, times in UTC, JSON as texts, None for no value.
        :raises ColumnMisfit: naming the column whose kind a value is not of.
        """
        return tuple(_column_value(column, column.read(call)) for column in self.columns)

    def values_of(self, calls: Sequence[Row]) -> list[tuple[SqlValue, ...]]:
        """Return the values of several calls, as `values` does of one, a column at a time.

        :param calls: as `plain_json.plain_rows` returns them.
        :return: the values of each call.
        :raises ColumnMisfit: naming the column whose kind a value is not of.
        """
        columns = [self.column_of(place, calls) for place in range(len(self.columns))]
        return list(zip(*columns, strict=True))

    def parsed(self, row: Sequence[RawValue]) -> tuple[SqlValue, ...]:
        """Return a row in which a call's JSON is replaced by the value that its column has of the call.

        :param row: values in the order of the columns.
        :return: values as `values` returns them.
        :raises ValueError: when the JSON cannot be read, or holds what the column cannot.
        """
        return tuple(
            _column_value(column, column.read(as_rows([value])[0])) if isinstance(value, RAW) else value
            for column, value in zip(self.columns, row, strict=True)
        )

    def column_of(self, place: int, calls: Sequence[Row]) -> Sequence[SqlValue]:
        """Return the values of one column.

        :param place: of the column.
        :param calls: with the fields that the column looks at.
        :return: its value of each call.
        :raises ColumnMisfit: when a value is not of the column's kind.
        """
        column = self.columns[place]
        return _column_values(column, list(map(column.read, calls)))


def mapped(mapping: object) -> Columns:
    """Return the columns of a mapping.

    :param mapping: column names to fields of a call: `"revenue"`, `"target_group.name"` (a field within a field),
        `"*"` (the whole call as JSON), or `{"field": …, "type": …}` with one of `KINDS` where another kind than the
        field's own is needed, or where the field is not documented.
    :return: the columns in the order of the mapping.
    :raises InvalidArgument: naming the column.
    """
    if not isinstance(mapping, Mapping) or not mapping:
        raise InvalidArgument(f"mapping must map column names to fields of a call, not {quoted(mapping)}.")
    columns: list[Column] = []
    of_field: dict[str, str] = {}
    for name, target in mapping.items():
        field, kind = _field_and_kind(name, target)
        columns.append(_column(name, kind, field))
        of_field.setdefault(field, name)
    lower = [column.name.lower() for column in columns]
    if len(set(lower)) != len(lower):
        raise InvalidArgument("mapping names a column twice; databases ignore the case of letters.")
    for field, why in (("uuid", "it is the key"), ("updated_at", "it says which version of a call is newer")):
        if field not in of_field:
            raise InvalidArgument(f"mapping has no column for the field {quoted(field)}; {why}.")
    return Columns(tuple(columns), of_field["uuid"], of_field["updated_at"])


def _field_and_kind(name: object, target: object) -> tuple[str, SqlKind]:
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
        raise InvalidArgument(
            f"mapping: {quoted(name)} is not a column name; use letters, digits and underscores, 63 at most."
        )
    parts = target if isinstance(target, Mapping) else {"field": target}
    parameters.known(parts, ("field", "type"), f"part of mapping[{quoted(name)}]")
    field = parts.get("field")
    if not isinstance(field, str) or not field.strip():
        raise InvalidArgument(f"mapping[{quoted(name)}] must be the name of a field of a call, not {quoted(field)}.")
    field = field.strip()
    kind = parts.get("type") or _kind(field)
    if kind is None:
        raise InvalidArgument(
            f"mapping[{quoted(name)}]: the type of the field {quoted(field)} is not known; give "
            f"{{'field': {quoted(field)}, 'type': …}} with one of {', '.join(KINDS)}."
        )
    fixed = {"uuid": "text", "updated_at": "timestamp"}.get(field)
    if fixed and kind != fixed:
        raise InvalidArgument(
            f"mapping[{quoted(name)}]: the field {quoted(field)} is kept as {fixed}, not as {quoted(kind)}."
        )
    return field, cast("SqlKind", parameters.one_of(kind, KINDS, f"mapping[{quoted(name)}]: type"))


def _kind(field: str) -> str | None:
    # A table keeps tags as JSON.
    kind = "json" if field == WHOLE else FIELDS.get(field)
    return "json" if kind == "map" else kind


def _column(name: str, kind: SqlKind, field: str) -> Column:
    if field == WHOLE:
        return Column(name, kind, lambda call: call, of_json=(lambda column: column) if kind == "json" else None)
    return Column(name, kind, _reader(field), frozenset({field.partition(".")[0]}))


def _reader(field: str) -> Callable[[Row], object]:
    first, *rest = field.split(".")

    def read(call: Row) -> object:
        value: object = call.get(first)
        for place, part in enumerate(rest):
            if not isinstance(value, dict):
                return None
            # Names of tags may have dots.
            whole = ".".join(rest[place:])
            if whole in value:
                return value[whole]
            value = value.get(part)
        return value

    return read


def _column_values(column: Column, values: list[object]) -> Sequence[SqlValue]:
    types = set(map(type, values))
    types.discard(type(None))
    if types <= _AS_THEY_ARE.get(column.kind, frozenset()):
        return cast("list[SqlValue]", values)
    if column.kind == "json" and types == {dict}:
        return [None if value is None else encoded(value) for value in values]
    if column.kind == "text" and types <= {str, int}:
        return [None if value is None else str(value) for value in values]
    if column.kind == "timestamp" and types == {str}:
        with suppress(ValueError, OverflowError):
            times = [None if value is None else datetime.fromisoformat(cast("str", value)) for value in values]
            zones = {time.tzinfo for time in times if time is not None}
            if None not in zones:
                in_utc = zones <= {UTC}
                return times if in_utc else [None if time is None else time.astimezone(UTC) for time in times]
    return [_column_value(column, value) for value in values]


# Types of values that a column takes as they are.
_AS_THEY_ARE: Mapping[SqlKind, frozenset[type]] = {
    "text": frozenset({str}),
    "integer": frozenset({int}),
    "boolean": frozenset({bool}),
}


def _column_value(column: Column, value: object) -> SqlValue:
    if value is None:
        return None
    try:
        return cast("SqlValue", READERS[column.kind](value))
    except NotOfKind:
        pass
    raise ColumnMisfit(column.name, f"({column.kind}) cannot hold {quoted(str(value), 40)}, a {type(value).__name__}")
