"""Reading phone numbers from files and rows: completely, before anything is done with them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import BinaryIO

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.parameters import items
from airflow_provider_retreaver.core.quoting import mask_number, one_line, quoted
from airflow_provider_retreaver.core.visible_text import visible
from airflow_provider_retreaver.domain.lists.columns import UnreadableValue, find_columns, joined
from airflow_provider_retreaver.domain.lists.csv_values import csv_values, skip_titles
from airflow_provider_retreaver.domain.lists.driver_values import BLANK
from airflow_provider_retreaver.domain.lists.file_layout import LOOKED_AT, Layout, ftc_layout
from airflow_provider_retreaver.domain.lists.number_set import Collector, NumberSet
from airflow_provider_retreaver.domain.lists.packed_files import PACKED_ENDINGS, damage_refused, unpacked
from airflow_provider_retreaver.domain.lists.phones import Normalizer
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit

FORMATS = ("csv", "jsonl", "txt")
_ENDINGS = {"csv": "csv", "tsv": "csv", "tab": "csv", "psv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "txt": "txt"}
# A file without line ends would be read into memory as one line.
LONGEST_LINE = 1_000_000

# UnreadableValue values that are kept for the log.
SHOWN = 20

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
        return f"line {self.line} ({one_line(mask_number(self.value))}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Collected:
    """A source that was read completely.

    :param numbers: its phone numbers.
    :param rows: count of values, rejected ones and duplicates included.
    :param rejected: count of rejected values.
    :param unreadable: count of those that are not blank: each may be a number, so none of them is an absent number.
    :param could_mean: numbers that the unreadable values could stand for; some of them may be in `numbers` as well.
    :param first_unreadable: some of the unreadable values.
    """

    numbers: NumberSet
    rows: int
    rejected: int
    unreadable: int = 0
    could_mean: NumberSet = field(default_factory=NumberSet)
    first_unreadable: tuple[Rejected, ...] = ()

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
    first: list[Rejected] = []
    for line, value in values:
        found = value.reason if isinstance(value, UnreadableValue) else normalizer.read(value)
        if isinstance(found, int):
            collector.add(found)
            continue
        one = Rejected(line, "" if value is None else str(value), found, normalizer.could_mean(value))
        rejected += 1
        unreadable += one.unreadable
        if one.unreadable and len(first) < SHOWN:
            first.append(one)
        for number in one.could_mean:
            meant.add(number)
        reject(one)
    rows = collector.taken + rejected
    return Collected(collector.finish(), rows, rejected, unreadable, meant.finish(), tuple(first))


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
            f"column (a list of columns, such as area code and number, is joined) and default_region."
        )
    if not collected.numbers and not allow_empty:
        raise ChangeRefused(
            f"{where} has no phone numbers ({collected.rows} values read); nothing was sent, since an empty source "
            f"is more often a mistake than intended. Set allow_empty=True if it is intended."
        )


def format_of(path: str, given: str | None) -> str | None:
    """Return the format of a file.

    :param path: of the file.
    :param given: the format if it is known, else None for that of the file's ending.
    :return: `csv`, `jsonl` or `txt`; None for a zip file whose name does not show it.
    :raises InvalidArgument: when neither is known.
    """
    if given is not None:
        if given not in FORMATS:
            raise InvalidArgument(f"source_format must be one of {', '.join(FORMATS)}, not {quoted(given)}.")
        return given
    name = path.rsplit("/", 1)[-1].lower()
    packed = next((ending for ending in PACKED_ENDINGS if name.endswith(ending)), "")
    found = _ENDINGS.get(name.removesuffix(packed).rpartition(".")[2])
    if found is None and packed != ".zip":
        raise InvalidArgument(f"{one_line(path)} has no known ending; set source_format to csv, jsonl or txt.")
    return found


def read_file(
    stream: BinaryIO,
    where: str,
    kind: str | None,
    *,
    column: object = None,
    encoding: str = "utf-8",
    delimiter: object = None,
    skip_lines: object = 0,
    layout: object = None,
) -> Iterator[Numbered]:
    """Yield the values of a file; gzip, bzip2, xz and zip are recognized by the content.

    :param stream: buffered, at its beginning.
    :param where: name of the file.
    :param kind: csv (with a header), jsonl (an object or a text in each line) or txt (a number in each line); None
        for that of the name inside a zip file.
    :param column: column of a csv file, or field of the objects of a jsonl file; several whose values are joined; may
        be left out where there is only one. A place, counted from 1, is a column of a csv file without a header.
    :param encoding: of the file.
    :param delimiter: between the columns of a csv file; found by the header when it is left out.
    :param skip_lines: lines before the header, or before the first value.
    :param layout: a layout by its name, see `LAYOUTS`.
    :return: values with their line.
    :raises InvalidArgument: when the file is damaged, in another encoding, or has no such column or no header.
    """
    wanted = Layout.parse(column, delimiter, skip_lines, layout)
    with damage_refused(where), readable(where, encoding):
        content, member = unpacked(stream, where)
        kind = kind or format_of(f"{where}/{member}", None) or "txt"
        # A byte order mark at the beginning is not a part of the first column's name.
        name = "utf-8-sig" if re.fullmatch(r"utf[-_]?8", encoding.strip(), re.IGNORECASE) else encoding
        text = io.TextIOWrapper(content, encoding=name, newline="")
        try:
            yield from _READERS[kind](text_lines(text, where), where, wanted)
        finally:
            # The caller closes the file.
            text.detach()


@contextmanager
def readable(where: str, encoding: str) -> Iterator[None]:
    """Raise one sentence for a text that cannot be read completely.

    :param where: name of the file.
    :param encoding: that it is read in.
    :yield: a context manager.
    :raises InvalidArgument: when it is in another encoding, or no valid csv.
    """
    problem = ""
    try:
        yield
    except UnicodeError:
        problem = f"is not {encoding}; set encoding to the one it is written in (cp1252, utf-16 …)"
    except LookupError:
        problem = f"was to be read in encoding {quoted(encoding)}, which is unknown"
    except csv.Error as error:
        problem = f"is not valid csv ({error})"
    if problem:
        raise InvalidArgument(f"{where} {problem}; nothing was sent.")


def text_lines(text: io.TextIOWrapper, where: str) -> Iterator[str]:
    """Yield the lines of a text, each of bounded length.

    :param text: the open file.
    :param where: name of the file.
    :return: the lines with their ends.
    :raises InvalidArgument: when a line is far too long.
    """
    count = 0
    while line := text.readline(LONGEST_LINE):
        count += 1
        if len(line) == LONGEST_LINE:
            raise InvalidArgument(
                f"{where} has {LONGEST_LINE} characters or more in line {count}, so it is no list of rows; "
                f"nothing was sent."
            )
        yield line


def _read_jsonl(lines: Iterator[str], where: str, wanted: Layout) -> Iterator[Numbered]:
    if wanted.delimiter is not None or wanted.name is not None or any(isinstance(one, int) for one in wanted.columns):
        raise InvalidArgument(
            f"{where} is jsonl and has fields with names; delimiter, layout and places are for csv."
        )
    skip_titles(lines, wanted.skip_lines, where)
    names: list[str] | None = None
    places: list[list[int]] = []
    for line, text in enumerate(lines, wanted.skip_lines + 1):
        if not visible(text).strip():
            continue
        place = f"{where}, line {line},"
        value = of_json(text, place)
        if isinstance(value, dict):
            if list(value) != names:
                names = list(value)
                places = find_columns(names, wanted.columns, place)
            value = joined(list(value.values()), places, place)
        yield line, value


def of_json(text: str, where: str) -> object:
    """Return the value of a line of a jsonl file.

    :param text: the line.
    :param where: name of the file, with the line.
    :return: the value; numbers with a fraction or an exponent as they are written.
    :raises InvalidArgument: when it is not JSON, or an object has a field twice.
    """
    try:
        # A number with a fraction or an exponent is kept as it is written, which shows whether it was rounded.
        return json.loads(text, parse_float=str, object_pairs_hook=_object)
    except _RepeatedFieldError as error:
        problem = f"has the field {quoted(error.args[0])} twice"
    except (ValueError, RecursionError):
        problem = "is not JSON, so the file is damaged or cut off"
    raise InvalidArgument(f"{where} {problem}; nothing was sent.")


class _RepeatedFieldError(ValueError):
    """A field that an object has twice."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedFieldError(next(name for name in names if names.count(name) > 1))
    return found


def _read_txt(lines: Iterator[str], where: str, wanted: Layout) -> Iterator[Numbered]:
    if wanted.columns:
        raise InvalidArgument(
            f"A txt file has no column {', '.join(map(quoted, wanted.columns))}; leave column out, or set "
            f"source_format to csv."
        )
    skip_titles(lines, wanted.skip_lines, where)
    first = list(islice(lines, LOOKED_AT))
    everything = chain(first, lines)
    if wanted.name is not None or wanted.delimiter is not None or ftc_layout(first) is not None:
        shifted = replace(wanted, skip_lines=0)
        for line, value in csv_values(everything, where, shifted):
            yield line + wanted.skip_lines, value
        return
    for line, text in enumerate(everything, wanted.skip_lines + 1):
        if visible(text).strip():
            yield line, text.strip()


_READERS = {"csv": csv_values, "jsonl": _read_jsonl, "txt": _read_txt}


def listed(given: object) -> Iterator[Numbered]:
    """Return the values of a list, of another task's result, or of a text with commas or lines, each with its place.

    :param given: see `items` of `core/parameters.py`; a text may have commas, semicolons or line ends.
    :return: pairs of the place, counted from 1, and the value as it was given.
    :raises InvalidArgument: when it is not a list; None is refused, since an upstream task that returns nothing must
        not be read as "no numbers".
    """
    found = items(given, "numbers", ",;\n", as_given=True)
    if found is None:
        raise InvalidArgument("numbers must be a list of phone numbers or a text, not None.")
    return enumerate(found, 1)
