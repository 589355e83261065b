"""Calls as columns.

A call that is as documented becomes a row of values at once. Any other one (with fields that are not documented, or
changed before it is written) is read as a dictionary, and its values are put among those of the others: the columns
are the same either way. Values are as they came, so that what is written decides what it takes. Arrow's own reader of
JSON takes as long for the plain fields alone, and has neither maps nor JSON as a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.file_rows import OBJECTS, flat
from airflow_provider_retreaver.domain.calls.json_shapes import CompactColumn
from airflow_provider_retreaver.domain.calls.odd_calls import ODD, as_rows
from airflow_provider_retreaver.domain.calls.page import DecodedCalls
from airflow_provider_retreaver.domain.calls.plain_json import plain_values
from airflow_provider_retreaver.domain.calls.typed_calls import (
    COMMON,
    KINDS,
    NAMES,
    PARTS,
    CallDecoder,
    Column,
    columns_of,
)

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.calls.caller_privacy import Transform

_PLACES = {name: place for place, name in enumerate(NAMES)}
# Decoded to a text when the others are known to be as documented.
_JSON = [place for place, name in enumerate(COMMON) if KINDS[name] == fields.JSON]
_TAGS = _PLACES["tags"]


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
        self._decoder = CallDecoder()
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
            found, odd = self._of_typed(raws)
            _insert(found, odd, _of_rows(as_rows([raws[place] for place in odd]), self._tags))
        return _split(found) if self._tags == "rows" else found

    def _of_typed(self, raws: Sequence[Any]) -> tuple[list[Column], list[int]]:
        """Return the columns of calls as documented (common ones, `tags`, the last one), and the places of others."""
        calls = dict(enumerate(raws.calls)) if isinstance(raws, DecodedCalls) else self._decoder.calls(raws)
        while True:
            columns = columns_of(calls.values())
            try:
                for name, parts in OBJECTS.items():
                    _spread(columns, name, parts)
                for place, read in self._json.items():
                    columns[place] = _each(read, columns[place])
            except _OddAt as error:
                calls = {place: call for at, (place, call) in enumerate(calls.items()) if at not in error.places}
            else:
                odd = [place for place in range(len(raws)) if place not in calls]
                return [*columns[: _TAGS + 1], [None] * len(columns[0])], odd


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
    kind, objects = PARTS[name], columns[_PLACES[name]]
    if kind not in set(map(type, objects)):
        return
    if name in COMMON:
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
    names = [*COMMON, "tags", fields.OTHER]
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
