"""Rows in the text format of PostgreSQL's COPY, made a column at a time.

https://www.postgresql.org/docs/current/sql-copy.html: "Text Format".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import NoneType
from typing import Any

import msgspec

from airflow_provider_retreaver.domain.calls.sql_columns import RAW, RawValue

# Rows that are made at once: as many as fit into the processor's cache.
AT_ONCE = 200
# Characters that must be escaped, the one that escapes first.
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
# Writes a list of times in one step, which is several times as fast as one after the other.
_ENCODER = msgspec.json.Encoder()
# What of them JSON without line breaks may have.
_ESCAPES_OF_JSON = ((b"\\", b"\\\\"), (b"\t", b"\\t"))


def copy_lines(rows: Sequence[Sequence[RawValue]], raw: Sequence[int] = ()) -> list[bytes]:
    """Return rows in the format, as UTF-8.

    :param rows: values in the order of the columns.
    :param raw: places of the columns that may have a call's JSON as bytes; they come last.
    :return: parts of some rows each, a line for each row.
    """
    return [_lines(rows[start : start + AT_ONCE], raw) for start in range(0, len(rows), AT_ONCE)]


def _lines(rows: Sequence[Sequence[RawValue]], raw: Sequence[int]) -> bytes:
    columns = list(zip(*rows, strict=True))
    texts = [column for place, column in enumerate(columns) if place not in raw]
    lines = _joined(list(map(_plain, texts)))
    # Hardly any text has a character that must be escaped: one look at all of them is enough.
    nulls = sum(column.count(None) for column in texts)
    expected = (len(rows) * (len(texts) - 1), len(rows) - 1, nulls, 0)
    if tuple(map(lines.count, ("\t", "\n", "\\", "\r"))) != expected:
        lines = _joined([list(map(_copied_value, column)) for column in texts])
    calls = [_copied_json(columns[place]) for place in raw]
    return b"\n".join([*map(b"\t".join, zip(lines.encode().split(b"\n"), *calls, strict=True)), b""])


def _joined(columns: Sequence[Sequence[str]]) -> str:
    return "\n".join(map("\t".join, zip(*columns, strict=True)))


def _plain(column: Sequence[Any]) -> Sequence[str]:
    """Return values as texts, without looking for characters that must be escaped."""
    types = set(map(type, column))
    if types == {str}:
        return column
    if types == {datetime}:
        return _times(column)
    if types == {int}:
        return list(map(str, column))
    if types <= {str, NoneType}:
        return ["\\N" if value is None else value for value in column]
    if types == {datetime, NoneType}:
        times = iter(_times([value for value in column if value is not None]))
        return ["\\N" if value is None else next(times) for value in column]
    return list(map(_copied_value, column))


def _times(column: Sequence[datetime]) -> list[str]:
    """Return times as ISO 8601 has them, of which none has a character that must be escaped."""
    return _ENCODER.encode(column)[2:-2].decode().split('","')


def _copied_json(column: Sequence[RawValue]) -> list[bytes]:
    if all(isinstance(value, RAW) for value in column):
        together = b"\n".join(column)  # type: ignore[arg-type]
        for sign, escape in _ESCAPES_OF_JSON:
            together = together.replace(sign, escape)
        return together.split(b"\n")
    return [_copied_json([value])[0] if isinstance(value, RAW) else _copied_value(value).encode() for value in column]


def _copied_value(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        for sign, escape in _ESCAPES:
            value = value.replace(sign, escape)
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _times([value])[0] if isinstance(value, datetime) else str(value)
