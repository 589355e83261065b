"""Writing calls as JSON lines, CSV or Parquet into an open file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.parameters import is_given
from airflow_provider_retreaver.core.quoting import one_line, quoted
from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.file_rows import flat, split_tags, tag_rows
from airflow_provider_retreaver.domain.calls.odd_calls import as_rows, converted
from airflow_provider_retreaver.domain.calls.page import as_bytes

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_retreaver.core.operations import Row
    from airflow_provider_retreaver.domain.calls.caller_privacy import Transform

Format: TypeAlias = Literal["jsonl", "csv", "parquet"]
Compression: TypeAlias = Literal["none", "gzip", "zstd"]

FORMATS: tuple[Format, ...] = get_args(Format)
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
TAGS: tuple[fields.TagLayout, ...] = get_args(fields.TagLayout)
# Calls of a row group; so many are in memory at once.
ROW_GROUP = 5_000


class Sink(Protocol):
    """A file that bytes are written to."""

    def write(self, data: bytes, /) -> Any:
        """Write bytes.

        :param data: the bytes.
        :return: anything.
        """


class Writer(Protocol):
    """Writes calls into one file."""

    def write(self, raws: Sequence[Any]) -> int:
        """Write calls.

        :param raws: JSON objects as Retreaver sent them.
        :return: the number of rows written.
        """

    def close(self) -> None:
        """Write the rest; the file itself stays open."""

    def drop(self) -> None:
        """Drop calls that are not written yet; `close` follows."""


class JsonLines:
    """One call a line, as Retreaver sent it unless it is changed.

    :param sink: the file.
    :param tags: `map`, or `rows` for one line a tag.
    :param change: changes every call before it is written, None for no change.
    """

    def __init__(self, sink: Sink, *, tags: fields.TagLayout, change: Transform | None) -> None:
        self._sink = sink
        self._tags = tags
        self._change = change

    def write(self, raws: Sequence[Any]) -> int:
        """Write calls.

        :param raws: JSON objects as Retreaver sent them.
        :return: the number of rows written.
        """
        if self._change is not None or self._tags == "rows":
            raws = converted(raws, self._lines)
        if raws:
            self._sink.write(b"\n".join([*raws, b""]))
        return len(raws)

    def _lines(self, raws: Sequence[Any]) -> list[bytes]:
        rows = _changed(raws, self._change)
        return [as_bytes(row) for row in (tag_rows(rows) if self._tags == "rows" else rows)]

    def close(self) -> None:
        """Do nothing: calls are written at once."""

    def drop(self) -> None:
        """Do nothing: calls are written at once."""


class Parquet:
    """A table with typed columns: tags are a map, amounts decimals, times in UTC.

    :param sink: the file.
    :param tags: `map`, or `rows` for one row a tag.
    :param change: changes every call before it is written, None for no change.
    :param codec: compression of the pages.
    """

    def __init__(self, sink: Sink, *, tags: fields.TagLayout, change: Transform | None, codec: str) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._tags = tags
        self._change = change
        self._kinds = fields.columns(tags)
        types = _types(pa)
        self._schema = pa.schema([(name, types[kind]) for name, kind in self._kinds.items()])
        self._writer = parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), self._schema, compression=codec)
        self._rows: list[Row] = []

    def write(self, raws: Sequence[Any]) -> int:
        """Add calls, which are written in groups.

        :param raws: JSON objects as Retreaver sent them.
        :return: the number of rows added.
        """
        rows = converted(raws, lambda raws: _table_rows(raws, self._tags, self._change, self._kinds))
        self._rows += rows
        while len(self._rows) >= ROW_GROUP:
            group, self._rows = self._rows[:ROW_GROUP], self._rows[ROW_GROUP:]
            self._writer.write_table(self._table(group))
        return len(rows)

    def close(self) -> None:
        """Write the last calls and the file's end."""
        if self._rows:
            self._writer.write_table(self._table(self._rows))
            self._rows = []
        self._writer.close()

    def drop(self) -> None:
        """Drop the calls that are not written yet."""
        self._rows = []

    def _table(self, rows: list[Row]) -> pa.Table:
        import pyarrow as pa

        arrays = [
            _array(pa, field, kind, rows) for field, kind in zip(self._schema, self._kinds.values(), strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=self._schema)


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


def _array(pa: Any, field: Any, kind: fields.Kind, rows: list[Row]) -> Any:
    values = [row.get(field.name) for row in rows]
    if values.count(None) == len(values):
        return pa.nulls(len(values), field.type)
    # A column is converted at once; value by value only where a value is not of its kind.
    if kind in {fields.TEXT, fields.INTEGER, fields.BOOLEAN}:
        try:
            # Without a type it finds one; with one it would cut the fraction off a number.
            array = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return _converted(pa, field, kind, values, rows)
        if array.type == field.type:
            return array
    return _converted(pa, field, kind, values, rows)


def _converted(pa: Any, field: Any, kind: fields.Kind, values: list[Any], rows: list[Row]) -> Any:
    is_map = kind == fields.MAP
    read: Callable[[object], Any] = fields.read_amount if kind == fields.DECIMAL else fields.READERS[kind]
    made = []
    for row, value in zip(rows, values, strict=True):
        try:
            found = None if value is None else read(value)
        except fields.NotOfKind:
            raise _not_of_kind(row, field.name, kind, value) from None
        made.append(list(found.items()) if is_map and found is not None else found)
    try:
        return pa.array(made, field.type)
    except (pa.ArrowInvalid, OverflowError):
        bad = next(place for place, value in enumerate(made) if not _fits(pa, value, field.type))
        raise _not_of_kind(rows[bad], field.name, kind, values[bad]) from None


def _fits(pa: Any, value: Any, kind: Any) -> bool:
    try:
        pa.scalar(value, kind)
    except (pa.ArrowInvalid, OverflowError):
        return False
    return True


def _not_of_kind(row: Row, name: str, kind: str, value: Any) -> ProtocolError:
    shown = "" if name.startswith("caller") else f" ({quoted(value)})"
    return ProtocolError(
        f"Call {one_line(row.get('uuid'))} has a {name}{shown} that is not of the kind {kind} of its Parquet column; "
        f"export as jsonl or csv, which take every value."
    )


def _changed(raws: Sequence[Any], change: Transform | None) -> list[Row]:
    rows = as_rows(raws)
    return rows if change is None else [change(row) for row in rows]


def _table_rows(
    raws: Sequence[Any], tags: fields.TagLayout, change: Transform | None, kinds: dict[str, fields.Kind]
) -> list[Row]:
    rows = _changed(raws, change)
    found = flat(rows, frozenset(kinds))
    return list(split_tags(found) if tags == "rows" else found)


def check_format(format_: object, compression: object, tags: object) -> Compression:
    """Check the parameters before anything is sent.

    :param format_: the parameter `format`.
    :param compression: the parameter; None for `zstd` in Parquet files and `none` in others.
    :param tags: the parameter.
    :return: the compression of the files.
    :raises InvalidArgument: naming the parameter.
    """
    if not is_given(compression):
        compression = "zstd" if format_ == "parquet" else "none"
    for name, value, allowed in (
        ("format", format_, FORMATS),
        ("compression", compression, COMPRESSIONS),
        ("tags", tags, TAGS),
    ):
        if value not in allowed:
            raise InvalidArgument(f"{name} must be one of {', '.join(allowed)}, not {quoted(value)}.")
    if (format_ == "parquet" or compression == "zstd") and find_spec("pyarrow") is None:
        raise InvalidArgument(
            f"format={format_!r} with compression={compression!r} needs pyarrow; install "
            f"airflow-provider-retreaver[parquet]."
        )
    return next(known for known in COMPRESSIONS if known == compression)
