"""The files of an export: written one at a time, divided by time and size, each with its digest."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import StorageFailed
from airflow_provider_retreaver.core.time_parameters import extremes
from airflow_provider_retreaver.domain.calls.fields import TagLayout, call_time
from airflow_provider_retreaver.storage.paths import storage_errors
from airflow_provider_retreaver.transfers import file_formats
from airflow_provider_retreaver.transfers.csv_calls import CommaSeparated
from airflow_provider_retreaver.transfers.digested import Digested
from airflow_provider_retreaver.transfers.parquet_calls import Parquet
from airflow_provider_retreaver.transfers.publication import NOTHING_HALF

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.calls.caller_privacy import Transform
    from airflow_provider_retreaver.domain.calls.export import CallPage
    from airflow_provider_retreaver.transfers.publication import Publication

PARTITIONS = {"day": "day=%Y-%m-%d", "hour": "day=%Y-%m-%d/hour=%H"}
ENDINGS = {"none": "", "gzip": ".gz", "zstd": ".zst"}


@dataclass(frozen=True, slots=True)
class Shape:
    """The format and division of an export's files.

    :param format: of the files.
    :param compression: of the files.
    :param tags: one column of all tags, or one row a tag.
    :param partition_by: `day` or `hour` of `created_at` in UTC, None for none.
    :param max_bytes: size from which on the next calls go to another file, None for no limit.
    :param change: changes every call before it is written, None for no change.
    :param escape: whether cells of csv files that a spreadsheet would run are escaped.
    """

    format: file_formats.Format = "jsonl"
    compression: file_formats.Compression = "none"
    tags: TagLayout = "map"
    partition_by: str | None = None
    max_bytes: int | None = None
    change: Transform | None = None
    escape: bool = False

    @property
    def ending(self) -> str:
        """End of the files' names."""
        return f".{self.format}" + ("" if self.format == "parquet" else ENDINGS[self.compression])

    @property
    def takes_columns(self) -> bool:
        """Whether the files are written by columns of whole calls, as they came."""
        return self.format != "jsonl" and self.change is None


@dataclass(slots=True)
class Extent:
    """The earliest and latest times of calls, as RFC 3339 in UTC.

    :param created: of `created_at`; None before the first call.
    :param updated: of `updated_at`; the same.
    """

    created: tuple[str, str] | None = None
    updated: tuple[str, str] | None = None

    def add(self, page: CallPage) -> None:
        """Extend it by a page.

        :param page: of calls.
        """
        self.created = _extended(self.created, page, "created_at")
        self.updated = _extended(self.updated, page, "updated_at")

    def include(self, other: Extent) -> None:
        """Extend it by another extent.

        :param other: the other one.
        """
        self.created = _union(self.created, other.created)
        self.updated = _union(self.updated, other.updated)

    def as_dict(self) -> dict[str, str | None]:
        """Return it as the manifest has it.

        :return: `{"min_created_at", "max_created_at", "min_updated_at", "max_updated_at"}`.
        """
        created, updated = self.created or (None, None), self.updated or (None, None)
        return {
            "min_created_at": created[0],
            "max_created_at": created[1],
            "min_updated_at": updated[0],
            "max_updated_at": updated[1],
        }


def _extended(known: tuple[str, str] | None, page: CallPage, field: str) -> tuple[str, str] | None:
    """Return a span of times extended by a page of calls."""
    texts: list[str | None] = list(map(attrgetter(field), page.keys))
    found = extremes([text for text in texts if text])
    times = sorted(call_time(text, field, page.keys[texts.index(text)].uuid).isoformat() for text in found)
    return _union(known, (times[0], times[-1])) if times else known


def _union(known: tuple[str, str] | None, found: tuple[str, str] | None) -> tuple[str, str] | None:
    if known is None or found is None:
        return known or found
    return min(known[0], found[0]), max(known[1], found[1])


@dataclass(slots=True)
class _Part:
    """The file that is being written."""

    folder: str
    draft: Any
    sink: Digested
    packed: Any
    writer: file_formats.Writer
    rows: int = 0
    calls: int = 0
    extent: Extent = field(default_factory=Extent)

    def close(self) -> None:
        """Close writer, compressor and file, in this order."""
        self.writer.close()
        if self.packed is not self.sink:
            self.packed.close()
        self.sink.close()


class Parts:
    """Writes pages of calls into files.

    :param publication: where files are written before they are moved into place.
    :param shape: how they are laid out.
    """

    def __init__(self, publication: Publication, shape: Shape) -> None:
        self._publication = publication
        self._shape = shape
        self._part: _Part | None = None
        self.extent = Extent()
        self.files: list[dict[str, Any]] = []

    def add(self, page: CallPage) -> None:
        """Write a page.

        :param page: with `restart`, all earlier pages are dropped first.
        """
        if page.restart:
            self.discard()
            self.files, self.extent = [], Extent()
            self._publication.remove_finished()
        for folder, places in self._divided(page):
            part = self._open(folder)
            calls = page if len(places) == len(page.keys) else _some(page, places)
            part.rows += part.writer.write(calls.rows)
            part.calls += len(calls.keys)
            part.extent.add(calls)
            if self._shape.max_bytes is not None and part.sink.length >= self._shape.max_bytes:
                self._end()

    def _divided(self, page: CallPage) -> list[tuple[str, Sequence[int]]]:
        everything = range(len(page.keys))
        if self._shape.partition_by is None:
            return [("", everything)] if everything else []
        pattern = PARTITIONS[self._shape.partition_by]

        def folder(place: int) -> str:
            key = page.keys[place]
            # Calls without created_at have a folder of their own.
            if not key.created_at:
                return "day=unknown"
            return call_time(key.created_at, "created_at", key.uuid).strftime(pattern)

        return [(name, list(places)) for name, places in groupby(everything, key=folder)]

    def _open(self, folder: str) -> _Part:
        if self._part is not None and self._part.folder != folder:
            self._end()
        if self._part is None:
            draft, file = self._publication.draft()
            sink = Digested(file)
            target = packed(sink, "none" if self._shape.format == "parquet" else self._shape.compression)
            writer = _writer(target, self._shape)
            self._part = _Part(folder, draft, sink, target, writer)
        return self._part

    def _end(self) -> None:
        part = self._part
        if part is None:
            return
        part.close()
        self._part = None
        self.extent.include(part.extent)
        digest = part.sink.hexdigest()
        name = f"{len(self.files):05}-{digest[:12]}{self._shape.ending}"
        path = self._publication.finished(part.draft, part.folder, name)
        self.files.append(
            {
                "path": path,
                "rows": part.rows,
                "calls": part.calls,
                "bytes": part.sink.length,
                "sha256": digest,
                **part.extent.as_dict(),
            }
        )

    def finish(self) -> None:
        """Close the last file; an export without calls has one, so that a reader finds its columns."""
        if self._part is None and not self.files and self._shape.partition_by is None:
            self._open("")
        self._end()

    def discard(self) -> None:
        """Close the open file without finishing it."""
        part, self._part = self._part, None
        if part is not None:
            # On close, libraries write the end of a file; the file may be what failed, so these bytes are dropped.
            part.sink.discarding = True
            with suppress(StorageFailed), storage_errors("Closing a temporary file", NOTHING_HALF):
                part.writer.drop()
                part.close()


def _some(page: CallPage, places: Sequence[int]) -> CallPage:
    from airflow_provider_retreaver.domain.calls.export import CallPage

    return CallPage([page.keys[place] for place in places], [page.rows[place] for place in places])


def packed(sink: Digested, compression: file_formats.Compression) -> Any:
    """Return a file to write to that compresses what is written.

    :param sink: the file below, which stays open when the result is closed.
    :param compression: `none`, `gzip` or `zstd`.
    :return: the file; `sink` itself for none.
    """
    if compression == "none":
        return sink
    if compression == "gzip":
        # Without name and time, the same calls make the same bytes.
        return gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=sink, mtime=0)
    import pyarrow as pa

    return pa.CompressedOutputStream(pa.PythonFile(sink, mode="w"), "zstd")


def _writer(packed: Any, shape: Shape) -> file_formats.Writer:
    if shape.format == "jsonl":
        return file_formats.JsonLines(packed, tags=shape.tags, change=shape.change)
    if shape.format == "csv":
        return CommaSeparated(packed, tags=shape.tags, change=shape.change, escape=shape.escape)
    exact = shape.max_bytes is not None
    return Parquet(packed, tags=shape.tags, change=shape.change, codec=shape.compression, exact=exact)


def utc_name(time: datetime) -> str:
    """Return a time as a part of a file's name.

    :param time: aware.
    :return: e.g. `20260105T000000Z`.
    """
    text = time.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
    return f"{text}.{time.microsecond:06}Z" if time.microsecond else f"{text}Z"
