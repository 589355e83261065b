"""The formats of files of calls; writing calls as JSON lines into an open file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.optional_packages import require_package
from airflow_provider_retreaver.core.parameters import is_given
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.file_rows import tag_rows
from airflow_provider_retreaver.domain.calls.odd_calls import as_rows, converted
from airflow_provider_retreaver.domain.calls.page import as_bytes

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.operations import Row
    from airflow_provider_retreaver.domain.calls.caller_privacy import Transform

Format: TypeAlias = Literal["jsonl", "csv", "parquet"]
Compression: TypeAlias = Literal["none", "gzip", "zstd"]

FORMATS: tuple[Format, ...] = get_args(Format)
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
TAGS: tuple[fields.TagLayout, ...] = get_args(fields.TagLayout)


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


def _changed(raws: Sequence[Any], change: Transform | None) -> list[Row]:
    rows = as_rows(raws)
    return rows if change is None else [change(row) for row in rows]


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
    if format_ == "parquet" or compression == "zstd":
        require_package("pyarrow", f"format={format_!r} with compression={compression!r}")
    return next(known for known in COMPRESSIONS if known == compression)
