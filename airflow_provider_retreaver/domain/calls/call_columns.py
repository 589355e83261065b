"""Calls as columns, decoded by their types, without a dictionary and the names of all its fields for each call.

A call that is as documented becomes a row of values at once. Any other one (with fields that are not documented, or
changed before it is written) is read as a dictionary, and its values are put among those of the others: the columns
are the same either way. Values are as they came, so that what is written decides what it takes. Arrow's own reader of
JSON takes as long for the plain fields alone, and has neither maps nor JSON as a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.file_rows import OBJECTS, flat
from airflow_provider_retreaver.domain.calls.odd_calls import ODD, as_rows
from airflow_provider_retreaver.domain.calls.plain_json import compact_texts, plain_objects

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.calls.caller_privacy import Transform

Column: TypeAlias = list[Any]


class _Group(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    id: object = None
    name: object = None


class _Number(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    number: object = None
    name: object = None


# What the objects of versions 3 and 4 are decoded to; null is not one of them.
_TYPES: dict[str, Any] = {"target_group": _Group, "campaign": _Group, "number": str | _Number | None}
_PARTS = {"target_group": _Group, "campaign": _Group, "number": _Number}
# All columns but those of tags and the last one, which every layout of tags has.
_COMMON = [name for name in fields.columns("map") if name not in ("tags", fields.OTHER)]
_NAMES = [*_COMMON, "tags", *(name for name in OBJECTS if name not in _COMMON)]
_PLACES = {name: place for place, name in enumerate(_NAMES)}
_KINDS = {**fields.columns("map"), **fields.FIELDS}
# Decoded to a text when the others are known to be as documented.
_JSON = [place for place, name in enumerate(_COMMON) if _KINDS[name] == fields.JSON]
_TAGS = _PLACES["tags"]


def _typed() -> Any:
    nested = {fields.JSON: msgspec.Raw, fields.MAP: msgspec.Raw}
    found = [(name, _TYPES.get(name) or nested.get(_KINDS[name], object), None) for name in _NAMES]
    return msgspec.defstruct("_Call", found, gc=False, forbid_unknown_fields=True)


_CALLS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_typed())


class _OddAt(Exception):
    """Calls that are not as documented after all.

    :param places: of the calls, among those that were decoded.
    """

    def __init__(self, places: Iterable[int]) -> None:
        super().__init__()
        self.places = set(places)


def columns_of(raws: Sequence[Any], tags: fields.TagLayout, change: Transform | None = None) -> list[Column]:
    """Return calls as the columns of a file.

    :param raws: JSON objects.
    :param tags: `map` for one column of all tags, `rows` for one row a tag.
    :param change: changes every call first, None for no change.
    :return: the columns of `fields.columns(tags)` in order, all equally long. Values are as they came, None for no
        value; of calls as documented JSON is its compact text in bytes.
    """
    if change is not None:
        found = _of_rows([change(row) for row in as_rows(raws)], tags)
    else:
        calls, odd = _decoded(raws)
        found = _of_typed(calls, odd, tags)
        if odd:
            places = sorted(odd)
            _insert(found, places, _of_rows(as_rows([raws[place] for place in places]), tags))
    return _split(found) if tags == "rows" else found


def _decoded(raws: Sequence[Any]) -> tuple[list[tuple[Any, ...]], set[int]]:
    """Return the values of the calls that are as documented, and the places of the others."""
    astuple, decode = msgspec.structs.astuple, _CALLS.decode
    calls, odd = [], set()
    for place, raw in enumerate(raws):
        try:
            calls.append(astuple(decode(raw)))
        except ODD:
            odd.add(place)
    return calls, odd


def _of_typed(calls: list[tuple[Any, ...]], odd: set[int], tags: fields.TagLayout) -> list[Column]:
    """Return the columns of calls as documented: the common ones, `tags` and the last one; add those that are not."""
    while True:
        columns: list[Column] = [list(column) for column in zip(*calls, strict=True)] or [[] for _ in _NAMES]
        try:
            for name, parts in OBJECTS.items():
                _spread(columns, name, parts)
            for place in _JSON:
                columns[place] = _each(compact_texts, columns[place])
            columns[_TAGS] = _each(plain_objects if tags == "rows" else _object_texts, columns[_TAGS])
        except _OddAt as error:
            places = [place for place in range(len(calls) + len(odd)) if place not in odd]
            odd.update(places[at] for at in error.places)
            calls = [call for at, call in enumerate(calls) if at not in error.places]
        else:
            return [*columns[: _TAGS + 1], [None] * len(calls)]


def _each(read: Callable[[Sequence[Any]], Column], column: Column) -> Column:
    """Read the JSON of a column; a call whose JSON cannot be read so is odd."""
    if column.count(None) == len(column):
        return column
    try:
        return read(column)
    except ODD:
        # Where each can be read by itself all are odd.
        raise _OddAt(_failing(read, column) or range(len(column))) from None


def _failing(read: Callable[[Sequence[Any]], Column], column: Column) -> list[int]:
    places = []
    for place, value in enumerate(column):
        try:
            read([value])
        except ODD:
            places.append(place)
    return places


def _spread(columns: list[Column], name: str, parts: Mapping[str, str]) -> None:
    """Put the parts of an object into their columns; a call whose column says otherwise is odd."""
    kind, objects = _PARTS[name], columns[_PLACES[name]]
    if kind not in set(map(type, objects)):
        return
    if name in _COMMON:
        columns[_PLACES[name]] = [None if type(value) is kind else value for value in objects]
    for part, column in parts.items():
        given = columns[_PLACES[column]]
        found = [getattr(value, part) if type(value) is kind else None for value in objects]
        if given.count(None) != len(given):
            both = list(zip(given, found, strict=True))
            clashes = [place for place, (one, other) in enumerate(both) if None not in (one, other) and one != other]
            if clashes:
                raise _OddAt(clashes)
            found = [other if one is None else one for one, other in both]
        columns[_PLACES[column]] = found


def _object_texts(values: Sequence[Any]) -> Column:
    return compact_texts(values, objects=True)


def _of_rows(rows: Iterable[Row], tags: fields.TagLayout) -> list[Column]:
    """Return the same columns of calls that were read as dictionaries."""
    names = [*_COMMON, "tags", fields.OTHER]
    calls = [[row.get(name) for name in names] for row in flat(rows, frozenset(fields.columns(tags)))]
    return [list(column) for column in zip(*calls, strict=True)] or [[] for _ in names]


def _insert(columns: list[Column], places: Sequence[int], values: list[Column]) -> None:
    """Put values into columns, at places in ascending order."""
    for column, found in zip(columns, values, strict=True):
        for place, value in zip(places, found, strict=True):
            column.insert(place, value)


def _split(columns: list[Column]) -> list[Column]:
    """Return a row for every tag, as `file_rows.split_tags`."""
    *common, tags, other = columns
    items = [tuple(found.items()) if found else ((None, None),) for found in tags]
    keys, values = ([item[place] for found in items for item in found] for place in (0, 1))
    counts = [len(found) for found in items]
    if len(keys) != len(items):
        common, other = [_repeated(column, counts) for column in common], _repeated(other, counts)
    return [*common, keys, values, other]


def _repeated(column: Column, counts: Sequence[int]) -> Column:
    return list(chain.from_iterable(map(repeat, column, counts)))
