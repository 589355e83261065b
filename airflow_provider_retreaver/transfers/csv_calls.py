"""Writing calls as CSV (RFC 4180), a column at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.call_columns import CallColumns
from airflow_provider_retreaver.domain.calls.odd_calls import converted
from airflow_provider_retreaver.domain.calls.typed_calls import Column
from airflow_provider_retreaver.storage.csv_cells import escape_formula

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.calls.caller_privacy import Transform
    from airflow_provider_retreaver.transfers.file_formats import Sink

# Times keep the offset that they came with.
_AS_SENT = frozenset({fields.TEXT, fields.TIMESTAMP})
# Values of each kind and type that are remembered with their cells; calls share most of them.
_MOST_KNOWN = 10_000
_FLAGS = {None: "", True: "true", False: "false"}
# A cell with one of these is put into quotation marks.
_QUOTED = re.compile('[,"\r\n]')


class CommaSeparated:
    """A header and one row a call (RFC 4180); no value is empty, objects are JSON.

    :param sink: the file.
    :param tags: `map`, or `rows` for one row a tag.
    :param change: changes every call before it is written, None for no change.
    :param escape: whether cells that a spreadsheet would run are escaped.
    """

    def __init__(self, sink: Sink, *, tags: fields.TagLayout, change: Transform | None, escape: bool = False) -> None:
        self._sink = sink
        self._columns = CallColumns(tags, change, tag_texts=tags == "map")
        self._kinds = fields.columns(tags)
        self._cells = {kind: _Cells(kind, escape=escape) for kind in set(self._kinds.values())}
        self._has_header = False

    def write(self, raws: Sequence[Any]) -> int:
        """Write calls.

        :param raws: JSON objects as Retreaver sent them.
        :return: the number of rows written.
        """
        rows = converted(raws, self._rows)
        lines = rows if self._has_header else [",".join(self._kinds).encode(), *rows]
        self._has_header = True
        self._sink.write(b"\r\n".join([*lines, b""]))
        return len(rows)

    def _rows(self, raws: Sequence[Any]) -> list[bytes]:
        columns = self._columns.of(raws)
        cells = [self._cells[kind].of(column) for kind, column in zip(self._kinds.values(), columns, strict=True)]
        # JSON, which is most of a row, stays bytes.
        parts: list[Iterable[bytes]] = []
        for kind, run in groupby(cells, key=_kind_of):
            parts += run if kind is bytes else [[line.encode() for line in map(",".join, zip(*run, strict=True))]]
        return list(map(b",".join, zip(*parts, strict=True)))

    def close(self) -> None:
        """Write the header of an empty file."""
        if not self._has_header:
            self.write([])

    def drop(self) -> None:
        """Do nothing: calls are written at once."""


class _Cells:
    """The cells of columns of one kind, in quotation marks where they need them.

    :param kind: of the columns.
    :param escape: whether cells that a spreadsheet would run are escaped.
    """

    def __init__(self, kind: fields.Kind, *, escape: bool) -> None:
        self._kind = kind
        self._escape = escape
        whole = str if int in _NUMBERS.get(kind, ()) and not escape else self._cell
        self._known: dict[type, Mapping[Any, str]] = {str: _Known(self._cell), int: _Known(whole), bool: _FLAGS}

    def of(self, column: Column) -> list[Any]:
        """Return the cells of a column, converted at once where all values are of one type.

        :param column: values as they came.
        :return: a text for each; in bytes for all of them, or for none.
        """
        if column[:1] == [None] and column.count(None) == len(column):
            return [""] * len(column)
        if self._kind in _AS_SENT and (found := _only_texts(column)):
            return self._texts(*found)
        types = set(map(type, column))
        types.discard(type(None))
        known = self._known.get(next(iter(types))) if len(types) == 1 else None
        if known is not None:
            return list(map(known.__getitem__, column))
        if types == {bytes} and not self._escape:
            return list(map(_quoted_json, column))
        if types <= _NUMBERS.get(self._kind, frozenset()) and not self._escape:
            cells = ["" if value is None else str(value) for value in column]
            # A number with an exponent is written in another way.
            if float not in types or "e" not in "".join(cells):
                return cells
        return list(map(self._cell, column))

    def _texts(self, texts: list[str], together: str) -> list[str]:
        if self._kind == fields.TIMESTAMP:
            texts = ["" if text.isspace() else text for text in texts]
        if self._escape:
            texts = list(map(escape_formula, texts))
        if "," in together or '"' in together or "\n" in together or "\r" in together:
            return list(map(_quoted, texts))
        return texts

    def _cell(self, value: object) -> str:
        text = cell_text(value, self._kind)
        return _quoted(escape_formula(text) if self._escape else text)


class _Known(dict[Any, str]):
    """Cells by the values of one type that they are made of; None has an empty one.

    :param cell: makes a cell.
    """

    def __init__(self, cell: Callable[[object], str]) -> None:
        super().__init__()
        self._cell = cell

    def __missing__(self, value: object) -> str:
        cell = "" if value is None else self._cell(value)
        if len(self) < _MOST_KNOWN:
            self[value] = cell
        return cell


# Kinds whose numbers of these types are written as Python writes them.
_NUMBERS: dict[fields.Kind, frozenset[type]] = {
    fields.TEXT: frozenset({int}),
    fields.INTEGER: frozenset({int}),
    fields.DECIMAL: frozenset({int, float}),
}


def _only_texts(column: Column) -> tuple[list[str], str] | None:
    """Return the texts of a column, empty where a row has none, and all of them as one; None for other values."""
    with suppress(TypeError):
        return column, "".join(column)
    with suppress(TypeError):
        texts = ["" if value is None else value for value in column]
        return texts, "".join(texts)
    return None


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _quoted_json(value: bytes | None) -> bytes:
    if value is None:
        return b""
    return b'"' + value.replace(b'"', b'""') + b'"' if b'"' in value or b"," in value else value


def _kind_of(cells: Sequence[str | bytes]) -> type:
    return type(cells[0]) if cells else str


def cell_text(value: object, kind: fields.Kind) -> str:
    """Return a value as the other formats read it; what is not of its column's kind is written as it came.

    :param value: of a call; bytes are JSON.
    :param kind: of the column.
    :return: the text of the cell, before it is put into quotation marks.
    """
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str) and kind in _AS_SENT:
        return value if value.strip() or kind == fields.TEXT else ""
    found = value
    with suppress(fields.NotOfKind):
        found = fields.READERS[kind](value)
    if found is None:
        return ""
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, (str, int, Decimal)) else fields.format_json(value)
