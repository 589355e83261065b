"""A table of rows as one file on object storage: JSON lines, CSV or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.optional_packages import require_package
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.storage.csv_cells import escape_formulas
from airflow_provider_retreaver.storage.line_files import WrittenFile, write_jsonl
from airflow_provider_retreaver.storage.paths import storage_path
from airflow_provider_retreaver.storage.whole_files import replacing

if TYPE_CHECKING:
    import pyarrow as pa

TableFormat: TypeAlias = Literal["jsonl", "csv", "parquet"]
TABLE_FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
# Fields without a column of their own, as one JSON object.
OTHER = "other"
# Rows in memory at once.
CHUNK = 5_000

# Columns of a table: name and type of the values.
Columns: TypeAlias = Mapping[str, type[str | int | float]]
Row: TypeAlias = Mapping[str, Any]


def check_table_format(format_: object) -> TableFormat:
    """Return the format of a table's file, before anything is read.

    :param format_: `jsonl`, `csv` or `parquet`.
    :return: the format.
    :raises InvalidArgument: when it is another one, or pyarrow is not installed for Parquet.
    """
    found: TableFormat = parameters.one_of(format_, TABLE_FORMATS, "format")
    if found == "parquet":
        require_package("pyarrow", "format='parquet'")
    return found


def write_table(
    destination: str, rows: Iterable[Row], columns: Columns, format_: TableFormat, *, escape: bool = False
) -> WrittenFile:
    """Write rows to a file; one that is there is replaced when all rows are written.

    JSON lines are the rows as they came. CSV and Parquet have the given columns and `other` for the rest.

    :param destination: object-storage path of a file.
    :param rows: read one after the other.
    :param columns: of CSV and Parquet.
    :param format_: of the file.
    :param escape: whether cells of CSV that a spreadsheet would run are escaped.
    :return: path, number of rows and size in bytes.
    :raises InvalidArgument: when the destination is a folder, or no installed provider knows the storage.
    :raises ProtocolError: when a value is not of its column's type.
    """
    if format_ == "jsonl":
        return write_jsonl(destination, rows)
    if destination.endswith("/"):
        raise InvalidArgument(f"destination must be a file, like {destination}rows.{format_}, not a folder.")
    write = _write_csv if format_ == "csv" else _write_parquet
    with replacing(storage_path(destination, "destination")) as draft:
        with draft.fs.open(draft.path, "wb") as file:
            chunks = _chunks(rows, columns)
            count = write(file, map(_escaped, chunks) if escape else chunks, columns)
        size = int(draft.fs.size(draft.path))
    return {"path": destination, "rows": count, "bytes": size}


def _chunks(rows: Iterable[Row], columns: Columns) -> Iterator[list[dict[str, Any]]]:
    source = iter(rows)
    while chunk := [_converted(row, columns) for row in islice(source, CHUNK)]:
        yield chunk


def _escaped(chunk: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(zip(row, escape_formulas(row.values()), strict=True)) for row in chunk]


def _converted(row: Row, columns: Columns) -> dict[str, Any]:
    found = {name: _READERS[kind](row.get(name), name) for name, kind in columns.items()}
    other = {name: value for name, value in row.items() if name not in columns}
    return {**found, OTHER: json.dumps(other, ensure_ascii=False, separators=(",", ":")) if other else None}


def _text(value: object, _name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _number(value: object, name: str) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found):
            return found
    raise _not_of_type(value, name, "a number")


def _whole(value: object, name: str) -> int | None:
    # Counts come as floats such as 2.0.
    found = _number(value, name)
    if found is None:
        return None
    if not found.is_integer():
        raise _not_of_type(value, name, "a whole number")
    return int(found)


_READERS: dict[type, Callable[[object, str], Any]] = {str: _text, int: _whole, float: _number}


def _not_of_type(value: object, name: str, expected: str) -> ProtocolError:
    return ProtocolError(
        f"A row has {quoted(value)} in {name}, which is not {expected}; write jsonl, which takes every value."
    )


def _write_csv(file: IO[bytes], chunks: Iterator[list[dict[str, Any]]], columns: Columns) -> int:
    names, count = [*columns, OTHER], 0
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    file.write(text.getvalue().encode())
    for chunk in chunks:
        text.seek(0)
        text.truncate()
        writer.writerows(chunk)
        file.write(text.getvalue().encode())
        count += len(chunk)
    return count


def _write_parquet(file: IO[bytes], chunks: Iterator[list[dict[str, Any]]], columns: Columns) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    types: dict[type, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([*((name, types[kind]) for name, kind in columns.items()), (OTHER, pa.string())])
    count = 0
    with parquet.ParquetWriter(pa.PythonFile(file, mode="w"), schema) as writer:
        for chunk in chunks:
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema))
            count += len(chunk)
    return count
