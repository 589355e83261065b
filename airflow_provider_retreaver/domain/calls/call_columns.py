"""Calls as columns, decoded by their types, without a dictionary and the names of all its fields for each call.

A call that is as documented becomes a row of values at once. Any other one (with fields that are not documented, or
changed before it is written) is read as a dictionary, and its values are put among those of the others: the columns
are the same either way. Values are as they came, so that what is written decides what it takes. Arrow's own reader of
JSON takes as long for the plain fields alone, and has neither maps nor JSON as a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.file_rows import OBJECTS, flat
from airflow_provider_retreaver.domain.calls.json_shapes import CompactColumn
from airflow_provider_retreaver.domain.calls.odd_calls import ODD, as_rows
from airflow_provider_retreaver.domain.calls.plain_json import plain_values

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
_RAWS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Decoder:
    """Reads calls as documented, in less time when their fields come in the order of its own.

    :param names: of all fields, in the order in which they are expected.
    """

    def __init__(self, names: Sequence[str]) -> None:
        nested = {fields.JSON: msgspec.Raw, fields.MAP: msgspec.Raw}
        found = [(name, _TYPES.get(name) or nested.get(_KINDS[name], object), None) for name in names]
        kind = msgspec.defstruct("_Call", found, gc=False, forbid_unknown_fields=True)
        self._calls: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)
        self._order = [names.index(name) for name in _NAMES]

    @classmethod
    def like(cls, raw: Any) -> _Decoder:
        """Return a decoder that expects the order of a call.

        :param raw: its JSON object; anything else has no order.
        """
        try:
            given = [name for name in _RAWS.decode(raw) if name in _PLACES]
        except ODD:
            given = []
        return cls([*given, *(name for name in _NAMES if name not in given)])

    def columns(self, raws: Sequence[Any], odd: set[int]) -> list[Column]:
        """Return the values of the calls that are as documented as columns of `_NAMES`.

        :param raws: JSON objects.
        :param odd: places of calls to leave out; those that are not as documented are added.
        """
        astuple, decode = msgspec.structs.astuple, self._calls.decode
        calls = []
        for place, raw in enumerate(raws):
            if place not in odd:
                try:
                    calls.append(astuple(decode(raw)))
                except ODD:
                    odd.add(place)
        columns = [list(column) for column in zip(*calls, strict=True)]
        return [columns[place] for place in self._order] if columns else [[] for _ in _NAMES]


class _OddAt(Exception):
    """Calls that are not as documented after all.

    :param places: of the calls, among those that were decoded.
    """

    def __init__(self, places: Iterable[int]) -> None:
        super().__init__()
        self.places = set(places)


class CallColumns:
    """Calls as the columns of a file, page after page.

    :param tags: `map` for one column of all tags, `rows` for one row a tag.
    :param change: changes every call first, None for no change.
    :param tag_texts: whether the tags of a call as documented are compact JSON too, and no dictionary.
    """

    def __init__(self, tags: fields.TagLayout, change: Transform | None = None, *, tag_texts: bool = False) -> None:
        self._tags = tags
        self._change = change
        self._decoder: _Decoder | None = None
        self._json: dict[int, Callable[[Sequence[Any]], Column]] = {place: CompactColumn().texts for place in _JSON}
        self._json[_TAGS] = CompactColumn(objects=True).texts if tag_texts else partial(plain_values, objects=True)

    def of(self, raws: Sequence[Any]) -> list[Column]:
        """Return calls as columns.

        :param raws: JSON objects.
        :return: the columns of `fields.columns(tags)` in order, all equally long. Values are as they came, None for
            no value; of calls as documented JSON is its compact text in bytes.
        """
        if self._change is not None:
            found = _of_rows([self._change(row) for row in as_rows(raws)], self._tags)
        else:
            odd: set[int] = set()
            found = self._of_typed(raws, odd)
            if odd:
                places = sorted(odd)
                _insert(found, places, _of_rows(as_rows([raws[place] for place in places]), self._tags))
        return _split(found) if self._tags == "rows" else found

    def _of_typed(self, raws: Sequence[Any], odd: set[int]) -> list[Column]:
        """Return the columns of calls as documented (common ones, `tags`, the last one); add the places of others."""
        if self._decoder is None and raws:
            self._decoder = _Decoder.like(raws[0])
        while True:
            columns = self._decoder.columns(raws, odd) if self._decoder else [[] for _ in _NAMES]
            try:
                for name, parts in OBJECTS.items():
                    _spread(columns, name, parts)
                for place, read in self._json.items():
                    columns[place] = _each(read, columns[place])
            except _OddAt as error:
                places = [place for place in range(len(raws)) if place not in odd]
                odd.update(places[at] for at in error.places)
            else:
                return [*columns[: _TAGS + 1], [None] * len(columns[0])]


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
