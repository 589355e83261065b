"""Calls as rows of a table, of each of which only the fields that have a column are parsed.

A column that takes a whole call as JSON gets the bytes that Retreaver sent: PostgreSQL parses them anyway, and makes
the column's value of them (`Column.of_json`). So nothing is parsed to be written again. A call that a database cannot
store as it is, or that has fields with names of ours, is left to `Columns.values_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import msgspec

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.calls.plain_json import plain_float
from airflow_provider_retreaver.domain.calls.sql_columns import Columns, RawValue

# What no JSON of PostgreSQL has, and the beginnings of halves of characters.
_ODD = (b"\\u0000", b"\\ud", b"\\uD")


class RawCalls:
    """Makes rows of calls.

    :param columns: of the table.
    :param as_json: names of the columns whose values the database makes of a call's JSON.
    """

    def __init__(self, columns: Columns, as_json: frozenset[str]) -> None:
        self._columns = columns
        self._raw = [place for place, column in enumerate(columns.columns) if column.name in as_json]
        self._parsed = [place for place in range(len(columns.columns)) if place not in self._raw]
        names: set[str] = set(columns.own)
        hook = None
        for place in self._parsed:
            column = columns.columns[place]
            names |= column.fields or frozenset()
            hook = plain_float if column.kind == "json" else hook
        # A dictionary of these fields only; it is made as fast as an object.
        kind: Any = TypedDict("Fields", dict.fromkeys(sorted(names), Any), total=False)  # type: ignore[misc]
        self._decoder: msgspec.json.Decoder[Row] = msgspec.json.Decoder(kind, float_hook=hook)

    def values_of(self, raws: Sequence[Any]) -> list[tuple[RawValue, ...]] | None:
        """Return the values of calls in the order of the columns.

        :param raws: JSON objects without line breaks.
        :return: the values of each call; None when one of them must be read as a whole.
        :raises ValueError: when a value is not of its column's kind, or a call is no JSON object.
        """
        together = b"\n".join(raws)
        if _has_odd_escape(together):
            return None
        decode, own = self._decoder.decode, self._columns.own
        calls = [decode(raw) for raw in raws]
        if own and any(not own.isdisjoint(call) for call in calls):
            return None
        values: list[Sequence[RawValue]] = [raws] * len(self._columns.columns)
        for place in self._parsed:
            values[place] = self._columns.column_of(place, calls)
        return list(zip(*values, strict=True))


def _has_odd_escape(data: bytes) -> bool:
    """Return whether JSON has one of `_ODD`; looking for single characters takes a twentieth of the time."""
    at = data.find(b"\\")
    while at >= 0:
        if data.startswith(_ODD, at):
            return True
        at = data.find(b"\\", at + 1)
    return False


def is_readable(columns: Columns, as_json: frozenset[str]) -> bool:
    """Return whether calls can be read this way.

    :param columns: of the table.
    :param as_json: names of the columns whose values the database makes of a call's JSON.
    :return: False when another column looks at all fields of a call.
    """
    return all(column.fields is not None or column.name in as_json for column in columns.columns)
