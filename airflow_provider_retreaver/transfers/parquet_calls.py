"""Writing calls as Parquet: whole columns where all values are as documented, else value by value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.quoting import one_line, quoted
from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.call_columns import CallColumns
from airflow_provider_retreaver.domain.calls.odd_calls import converted
from airflow_provider_retreaver.domain.calls.typed_calls import Column
from airflow_provider_retreaver.transfers.row_groups import RowGroups

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_retreaver.domain.calls.caller_privacy import Transform
    from airflow_provider_retreaver.transfers.file_formats import Sink

# Rows of a row group; so many are in memory at once.
ROW_GROUP = 5_000
# Amounts that are remembered as whole numbers; calls share most of them.
_MOST_KNOWN = 10_000
# Lengths of times that Arrow reads as Python does: to the second or millisecond, with `Z` or `+00:00`.
_LENGTHS = frozenset({20, 24, 25, 29, None})
_YEARS = (datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
# Texts that are other ones in each call. A dictionary of these makes files larger, takes time, and is given up.
_UNIQUE = frozenset({"uuid", "upstream_call_uuid", "caller", "caller_number_sent", "recording_url", "visitor_url"})
_TEXTUAL_KINDS = frozenset({fields.TEXT, fields.JSON, fields.MAP})
_REPEATED_KINDS = frozenset({fields.TEXT, fields.INTEGER, fields.DECIMAL})


class Parquet:
    """A table with typed columns: tags are a map, amounts decimals, times in UTC.

    :param sink: the file.
    :param tags: `map`, or `rows` for one row a tag.
    :param change: changes every call before it is written, None for no change.
    :param codec: compression of the pages.
    :param exact: whether the file has all full row groups when `write` returns; else the last one may still be on its
        way.
    """

    def __init__(
        self, sink: Sink, *, tags: fields.TagLayout, change: Transform | None, codec: str, exact: bool = False
    ) -> None:
        import pyarrow as pa

        self._calls = CallColumns(tags, change)
        self._kinds = fields.columns(tags)
        types = _types(pa)
        self._schema = pa.schema([(name, types[kind]) for name, kind in self._kinds.items()])
        # Minima and maxima help a reader to skip calls by their time, for example; those of texts do not.
        measured = [name for name, kind in self._kinds.items() if kind not in _TEXTUAL_KINDS]
        repeated = [name for name, kind in self._kinds.items() if kind in _REPEATED_KINDS and name not in _UNIQUE]
        self._groups = RowGroups(
            sink,
            self._schema,
            compression=codec,
            use_dictionary=[*repeated, *(["tags.key_value.key"] if tags == "map" else [])],
            write_statistics=measured,
        )
        self._exact = exact
        self._amounts = _Amounts()
        self._columns: list[Column] = [[] for _ in self._kinds]

    def write(self, raws: Sequence[Any]) -> int:
        """Add calls, which are written in groups.

        :param raws: JSON objects as Retreaver sent them.
        :return: the number of rows added.
        """
        added = converted(raws, self._calls.of)
        for column, values in zip(self._columns, added, strict=True):
            column.extend(values)
        while len(self._columns[0]) >= ROW_GROUP:
            rest = [column[ROW_GROUP:] for column in self._columns]
            for column in self._columns:
                del column[ROW_GROUP:]
            self._groups.add(self._table(self._columns))
            self._columns = rest
        if self._exact:
            self._groups.wait()
        return len(added[0])

    def close(self) -> None:
        """Write the last calls and the file's end."""
        if self._columns[0]:
            self._groups.add(self._table(self._columns))
            self._columns = [[] for _ in self._kinds]
        self._groups.close()

    def drop(self) -> None:
        """Drop the calls that are not written yet.

        :raises StorageFailed: when the storage does not answer in the time that a stopped task has.
        """
        self._columns = [[] for _ in self._kinds]
        self._groups.drop()

    def _table(self, columns: list[Column]) -> pa.Table:
        import pyarrow as pa

        arrays = [
            self._array(pa, field, kind, column, columns[0])
            for field, kind, column in zip(self._schema, self._kinds.values(), columns, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=self._schema)

    def _array(self, pa: Any, field: Any, kind: fields.Kind, column: Column, uuids: Column) -> Any:
        if column[0] is None and column.count(None) == len(column):
            return pa.nulls(len(column), field.type)
        try:
            return self._at_once(pa, field.type, kind, column)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, fields.NotOfKind):
            return _converted(pa, field, kind, column, uuids)

    def _at_once(self, pa: Any, to: Any, kind: fields.Kind, column: Column) -> Any:
        """Return a column whose values are all as documented; raise an error for any other one."""
        # Arrow itself refuses what is no text, and no truth value.
        if kind in (fields.TEXT, fields.BOOLEAN):
            return pa.array(column, to)
        if kind == fields.TIMESTAMP:
            return _times(pa, column, to)
        if kind == fields.INTEGER:
            # Told to make whole numbers, it takes those with a point too.
            found = pa.array(column)
            if found.type == to:
                return found
        types = set(map(type, column)) - {type(None)}
        if kind == fields.MAP and types == {dict}:
            return _maps(pa, column)
        if kind == fields.JSON and types == {bytes}:
            return pa.array(column, to)
        if kind == fields.DECIMAL and types <= {str, int, float}:
            return _decimals(pa, list(map(self._amounts.__getitem__, column)), to)
        raise fields.NotOfKind


class _Amounts(dict[Any, int | None]):
    """Amounts in millionths, by the values that they are read from."""

    def __missing__(self, value: Any) -> int | None:
        amount = None if value is None else fields.read_amount(value)
        number = None if amount is None else int(amount.scaleb(fields.SCALE))
        if number is not None and abs(number) >= 10**fields.PRECISION:
            raise fields.NotOfKind("too many digits")
        if len(self) < _MOST_KNOWN:
            self[value] = number
        return number


def _types(pa: Any) -> dict[str, Any]:
    return {
        fields.TEXT: pa.string(),
        fields.INTEGER: pa.int64(),
        fields.DECIMAL: pa.decimal128(fields.PRECISION, fields.SCALE),
        fields.BOOLEAN: pa.bool_(),
        fields.TIMESTAMP: pa.timestamp("ms", tz="UTC"),
        fields.JSON: pa.string(),
        fields.MAP: pa.map_(pa.string(), pa.string()),
    }


def _decimals(pa: Any, millionths: list[int | None], kind: Any) -> Any:
    # Whole numbers of 64 bits as those of 128, which are then taken for millionths.
    whole = pa.array(millionths, pa.int64()).cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(kind, len(whole), whole.buffers(), whole.null_count)


def _times(pa: Any, column: Column, kind: Any) -> Any:
    import pyarrow.compute as pc

    texts = pa.array(column, pa.string())
    if not _LENGTHS.issuperset(pc.unique(pc.binary_length(texts)).to_pylist()):
        raise fields.NotOfKind
    times = texts.cast(kind)
    ends = pc.min_max(times).as_py()
    if ends["min"] < _YEARS[0] or ends["max"] > _YEARS[1]:
        raise fields.NotOfKind
    return times


def _maps(pa: Any, made: list[dict[str, str | None] | None]) -> Any:
    ends = list(accumulate(len(found) if found else 0 for found in made))
    starts = [None if found is None else start for found, start in zip(made, [0, *ends], strict=False)]
    offsets = pa.array([*starts, ends[-1]], pa.int32())
    keys = pa.array(list(chain.from_iterable(found for found in made if found)), pa.string())
    values = pa.array(list(chain.from_iterable(found.values() for found in made if found)), pa.string())
    return pa.MapArray.from_arrays(offsets, keys, values)


def _read(name: str, kind: fields.Kind, read: Callable[[Any], Any], column: Column, uuids: Column) -> list[Any]:
    """Read value by value; name the first one that is not of its kind."""
    made = []
    for place, value in enumerate(column):
        try:
            made.append(None if value is None else read(value))
        except fields.NotOfKind:
            raise _not_of_kind(uuids[place], name, kind, value) from None
    return made


def _converted(pa: Any, field: Any, kind: fields.Kind, column: Column, uuids: Column) -> Any:
    made = _read(field.name, kind, _READERS.get(kind, fields.READERS[kind]), column, uuids)
    if kind == fields.MAP:
        return _maps(pa, made)
    try:
        return pa.array(made, field.type)
    except (pa.ArrowInvalid, OverflowError):
        bad = next(place for place, value in enumerate(made) if not _fits(pa, value, field.type))
        raise _not_of_kind(uuids[bad], field.name, kind, column[bad]) from None


def _json_text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else fields.format_json(value)


# Where a file takes less than a reader of the kind returns, or more.
_READERS: dict[fields.Kind, Callable[[Any], Any]] = {fields.DECIMAL: fields.read_amount, fields.JSON: _json_text}


def _fits(pa: Any, value: Any, kind: Any) -> bool:
    try:
        pa.scalar(value, kind)
    except (pa.ArrowInvalid, OverflowError):
        return False
    return True


def _not_of_kind(uuid: object, name: str, kind: str, value: Any) -> ProtocolError:
    shown = "" if name.startswith("caller") else f" ({quoted(value)})"
    return ProtocolError(
        f"Call {one_line(uuid)} has a {name}{shown} that is not of the kind {kind} of its Parquet column; "
        f"export as jsonl or csv, which take every value."
    )
