"""The values of a csv file: its rows by the layout that was found."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.phone_text import LEAST_DIGITS
from airflow_provider_retreaver.core.visible_text import shown_in_cell, visible
from airflow_provider_retreaver.domain.lists.change_files import Change
from airflow_provider_retreaver.domain.lists.columns import UnreadableValue, joined
from airflow_provider_retreaver.domain.lists.file_layout import FTC_CHANGE, LOOKED_AT, Found, Layout, find_layout

log = logging.getLogger(__name__)

_DAY = re.compile(r"(\d{4})-?([01]\d)-?([0-3]\d)")


def csv_values(lines: Iterator[str], where: str, wanted: Layout) -> Iterator[tuple[int, object]]:
    """Yield the values of a csv file.

    :param lines: all lines of the file.
    :param where: name of the file.
    :param wanted: what the parameters say about the file.
    :return: values with their line.
    :raises InvalidArgument: when it is not clear how the file is to be read.
    :raises csv.Error: when a row is not valid csv.
    """
    skip_titles(lines, wanted.skip_lines, where)
    seen = list(islice(lines, LOOKED_AT))
    found = find_layout(seen, wanted, where)
    if found is None:
        return
    log.info("%s: %s, first row in line %d.", where, found, wanted.skip_lines + found.start + 1)
    rows = csv.reader(chain(seen[found.start :], lines), delimiter=found.delimiter, strict=True)
    # Only the layout by its name says that numbers are North American; what looks like it belongs to default_region.
    country = "+1" if wanted.name is not None else ""
    before, only = wanted.skip_lines + found.start, found.only_place
    for row in rows:
        # Nearly all rows are like the first.
        if only is not None and len(row) == found.width and row[only].isascii() and row[only].strip():
            yield before + rows.line_num, row[only]
        elif any(visible(cell).strip() for cell in row):
            yield (
                before + rows.line_num,
                _value(row, found, where) if found.name is None else _of_registry(row, found.name, country),
            )


def skip_titles(lines: Iterator[str], count: int, where: str) -> None:
    """Pass over the lines above a header.

    :param lines: of a file.
    :param count: how many.
    :param where: name of the file.
    :raises InvalidArgument: when the file has no line after them.
    """
    if sum(1 for _ in islice(lines, count)) < count:
        raise InvalidArgument(f"{where} has fewer lines than skip_lines, which is {count}; nothing was sent.")


def _value(row: Sequence[str], found: Found, where: str) -> object:
    if any(visible(cell).strip() for cell in row[found.width :]):
        return UnreadableValue(" ".join(row), "in a row of more columns than the first has")
    value = joined(row, found.places, where)
    if value is None and len(row) < found.width and len(re.findall(r"\d", "".join(row))) >= LEAST_DIGITS:
        return UnreadableValue(" ".join(row), "in a row of fewer columns than the first has")
    return value


def _of_registry(row: Sequence[str], name: str, country: str) -> object:
    """Return the value of a row of the National Do Not Call Registry."""
    cells = [shown_in_cell(cell) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    if [len(cell) for cell in cells[:2]] != [3, 7] or not all(cell.isdecimal() for cell in cells[:2]):
        return UnreadableValue(" ".join(row), "not an area code and a number of seven digits")
    number = f"{country}{cells[0]}{cells[1]}"
    if name != FTC_CHANGE:
        return number if len(cells) == 2 else UnreadableValue(" ".join(row), "in a row of more columns than two")
    day = _DAY.fullmatch(cells[2]) if len(cells) == 4 else None
    if day is None or cells[3] not in {"A", "D"}:
        return UnreadableValue(" ".join(row), "without a date and A (added) or D (deleted)")
    return Change(number, int("".join(day.groups())), cells[3] == "A")
