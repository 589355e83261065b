"""Reading phone numbers from files and rows: completely, before anything is done with them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.parameters import items
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.secrets import mask_number
from airflow_provider_retreaver.domain.lists.number_set import Collector, NumberSet
from airflow_provider_retreaver.domain.lists.phones import BLANK, Normalizer
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit

FORMATS = ("csv", "jsonl", "txt")
_ENDINGS = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "txt": "txt"}

# A value with the number of the line or row it stands in, counted from 1.
Numbered = tuple[int, object]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A value that is not a phone number.

    :param line: its line or row, counted from 1.
    :param value: as it was written.
    :param reason: why it is rejected.
    :param could_mean: every number that it could stand for nevertheless.
    """

    line: int
    value: str
    reason: str
    could_mean: frozenset[int] = frozenset()

    @property
    def unreadable(self) -> bool:
        """Whether something is written there; a blank is an absent number."""
        return self.reason != BLANK

    def __str__(self) -> str:
        """Write it as a log may show it."""
        return f"line {self.line} ({mask_number(self.value)}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Collected:
    """A source that was read completely.

    :param numbers: its phone numbers.
    :param rows: count of values, rejected ones and duplicates included.
    :param rejected: count of rejected values.
    :param unreadable: count of those that are not blank: each may be a number, so none of them is an absent number.
    :param could_mean: numbers that the unreadable values could stand for; some of them may be in `numbers` as well.
    """

    numbers: NumberSet
    rows: int
    rejected: int
    unreadable: int = 0
    could_mean: NumberSet = field(default_factory=NumberSet)

    @property
    def duplicates(self) -> int:
        """Count of repeated numbers."""
        return self.rows - self.rejected - len(self.numbers)


def collect(values: Iterable[Numbered], normalizer: Normalizer, reject: Callable[[Rejected], None]) -> Collected:
    """Read a source completely.

    :param values: values with their line or row.
    :param normalizer: reads single numbers.
    :param reject: called for every value that is not a phone number.
    :return: the numbers, with counts.
    """
    collector, meant, rejected, unreadable = Collector(), Collector(), 0, 0
    for line, value in values:
        found = normalizer.read(value)
        if isinstance(found, int):
            collector.add(found)
            continue
        one = Rejected(line, "" if value is None else str(value), found, normalizer.could_mean(value))
        rejected += 1
        unreadable += one.unreadable
        for number in one.could_mean:
            meant.add(number)
        reject(one)
    return Collected(collector.finish(), collector.taken + rejected, rejected, unreadable, meant.finish())


def check_source(
    collected: Collected, max_rejects: object, *, allow_empty: bool, where: str, first: list[str]
) -> None:
    """Refuse a source that is probably wrong.

    :param collected: the source.
    :param max_rejects: how many values may be rejected, as `ChangeLimit.parse` takes it.
    :param allow_empty: whether it may be empty.
    :param where: name of the source.
    :param first: some of the rejected values, masked.
    :raises ChangeRefused: when it is empty, or too many values are rejected.
    """
    limit = ChangeLimit.parse(max_rejects, "max_rejects")
    if limit.exceeded(collected.rejected, collected.rows):
        raise ChangeRefused(
            f"{collected.rejected} of {collected.rows} values of {where} are not phone numbers, and max_rejects "
            f"allows {limit.describe(collected.rows)}; nothing was sent. The first: {'; '.join(first)}. Check the "
            f"column and default_region."
        )
    if not collected.numbers and not allow_empty:
        raise ChangeRefused(
            f"{where} has no phone numbers ({collected.rows} values read); nothing was sent, since an empty source "
            f"is more often a mistake than intended. Set allow_empty=True if it is intended."
        )


def format_of(path: str, given: str | None) -> str:
    """Return the format of a file.

    :param path: of the file.
    :param given: the format if it is known, else None for that of the file's ending.
    :return: `csv`, `jsonl` or `txt`.
    :raises InvalidArgument: when neither is known.
    """
    if given is not None:
        if given not in FORMATS:
            raise InvalidArgument(f"source_format must be one of {', '.join(FORMATS)}, not {quoted(given)}.")
        return given
    name = path.rsplit("/", 1)[-1].lower().removesuffix(".gz")
    found = _ENDINGS.get(name.rpartition(".")[2])
    if found is None:
        raise InvalidArgument(f"{path} has no known ending; set source_format to csv, jsonl or txt.")
    return found


def read_file(
    stream: BinaryIO, where: str, kind: str, *, column: str | None = None, encoding: str = "utf-8"
) -> Iterator[Numbered]:
    """Yield the values of a file; gzip is recognized by its content.

    :param stream: buffered, at its beginning.
    :param where: name of the file.
    :param kind: csv (with a header), jsonl (an object or a text in each line) or txt (a number in each line).
    :param column: column of a csv file, or field of the objects of a jsonl file; may be left out where there is only
        one.
    :param encoding: of the file.
    :return: values with their line.
    :raises InvalidArgument: when the file is damaged, in another encoding, or has no such column.
    """
    with _readable(where, encoding):
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        content: BinaryIO = gzip.GzipFile(fileobj=stream) if packed else stream  # type: ignore[assignment]
        # A byte order mark at the beginning is not a part of the first column's name.
        name = "utf-8-sig" if re.fullmatch(r"utf[-_]?8", encoding.strip(), re.IGNORECASE) else encoding
        lines = io.TextIOWrapper(content, encoding=name, newline="")
        try:
            yield from _READERS[kind](lines, where, column)
        finally:
            # The caller closes the file.
            lines.detach()


@contextmanager
def _readable(where: str, encoding: str) -> Iterator[None]:
    """Raise one sentence for a file that cannot be read completely."""
    problem = ""
    try:
        yield
    except UnicodeError:
        problem = f"is not {encoding}; set encoding to the one it is written in (cp1252, utf-16 …)"
    except LookupError:
        problem = f"was to be read in encoding {quoted(encoding)}, which is unknown"
    except (EOFError, gzip.BadGzipFile, zlib.error):
        problem = "is a gzip file that is damaged or cut off"
    except csv.Error as error:
        problem = f"is not valid csv ({error})"
    if problem:
        raise InvalidArgument(f"{where} {problem}; nothing was sent.")


def _read_csv(lines: io.TextIOWrapper, where: str, column: str | None) -> Iterator[Numbered]:
    rows = csv.reader(lines, strict=True)
    header = [name.strip() for name in next(rows, [])]
    if not header:
        return
    at = column_at(header, column, where)
    if column is None and re.fullmatch(r"[+\d\s().-]+", header[at]):
        raise InvalidArgument(f"The first line of {where} is not a header; add one, or set source_format to txt.")
    for row in rows:
        if row:
            yield rows.line_num, row[at] if at < len(row) else None


def column_at(names: list[str], column: str | None, where: str) -> int:
    """Return the place of a column.

    :param names: of all columns.
    :param column: the column, None for the only one.
    :param where: name of the source.
    :return: the index.
    :raises InvalidArgument: when it does not exist, or there are several and none was named.
    """
    if column is None and len(names) == 1:
        return 0
    if column is None or names.count(column) != 1:
        columns = "several columns" if column is None else f"no column {quoted(column)}, or more than one"
        raise InvalidArgument(f"{where} has {columns}; set column to one of {', '.join(names)}. Nothing was sent.")
    return names.index(column)


def _read_jsonl(lines: io.TextIOWrapper, where: str, column: str | None) -> Iterator[Numbered]:
    for line, text in enumerate(lines, 1):
        if text.strip():
            yield line, _of_json(text, f"{where}, line {line},", column)


def _of_json(text: str, where: str, column: str | None) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = ...
    if value is ...:
        raise InvalidArgument(f"{where} is not JSON, so the file is damaged or cut off; nothing was sent.")
    if not isinstance(value, dict):
        return value
    return value[list(value)[column_at(list(value), column, where)]]


def _read_txt(lines: io.TextIOWrapper, _where: str, column: str | None) -> Iterator[Numbered]:
    if column is not None:
        raise InvalidArgument(
            f"A txt file has no column {quoted(column)}; leave column out, or set source_format to csv."
        )
    for line, text in enumerate(lines, 1):
        if text.strip():
            yield line, text.strip()


_READERS = {"csv": _read_csv, "jsonl": _read_jsonl, "txt": _read_txt}


def listed(given: object) -> Iterator[Numbered]:
    """Return the values of a list, of another task's result, or of a text with commas or lines, each with its place.

    :param given: see `items` of `core/parameters.py`; a text may have commas, semicolons or line ends.
    :return: pairs of the place, counted from 1, and the value as it was given.
    :raises InvalidArgument: when it is not a list; None is refused, since an upstream task that returns nothing must
        not be read as "no numbers".
    """
    found = items(given, "numbers", ",;\n")
    if found is None:
        raise InvalidArgument("numbers must be a list of phone numbers or a text, not None.")
    return enumerate(found, 1)
