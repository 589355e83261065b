"""Which columns of a file or a query have the phone numbers: by name, by place, or the only one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import first_of, quoted
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.core.visible_text import column_name, shown_in_cell
from airflow_provider_retreaver.domain.lists.driver_values import BLANK, is_null, whole_number

# Names that an error lists.
NAMED = 20
_RENDERED_LIST = re.compile(r"""[\[(]\s*(?:["']|[0-9]+\s*[,\])])""")

Column = str | int


@dataclass(frozen=True, slots=True)
class UnreadableValue:
    """A value whose row or line is not as it should be.

    :param text: what is written there.
    :param reason: why it cannot be read.
    """

    text: str
    reason: str

    def __str__(self) -> str:
        """Return what is written there."""
        return self.text


def parse_columns(given: object) -> tuple[Column, ...]:
    """Read the parameter `column`.

    :param given: a name, a place counted from 1, or several of them, whose values are joined.
    :return: names as people read them, and places; empty when none was given.
    :raises InvalidArgument: when it is none of these.
    """
    if isinstance(given, str) and _RENDERED_LIST.match(given.strip()):
        given = read_rendered(given, "column")
    if given is None or given == "None":
        return ()
    several = [given] if isinstance(given, (str, int)) else given
    if not isinstance(several, Sequence) or isinstance(several, (bytes, bytearray)) or not several:
        raise InvalidArgument(f"column must be a name, a place, or a list of them, not {quoted(given)}.")
    for one in several:
        if isinstance(one, bool) or not isinstance(one, (str, int)) or one == 0 or not column_name(one):
            raise InvalidArgument(
                f"column must be a name, or a place counted from 1, or a list of them, not {quoted(given)}."
            )
    return tuple(one if isinstance(one, int) else column_name(one) for one in several)


def place(column: Column) -> int | None:
    """Return the place that a column without a header is meant by.

    :param column: a name or a place; a template renders a place as text.
    :return: the place, counted from 1; None for a name.
    """
    text = str(column)
    return int(text) if text.isdecimal() and text.isascii() and 0 < len(text) < 6 and int(text) else None


def places_by_name(names: Sequence[str], columns: Iterable[Column]) -> list[list[int]] | None:
    """Find columns in a header.

    :param names: of all columns, as people read them.
    :param columns: the columns.
    :return: for each column its places, counted from 0: several where columns share a name. None when one is not
        there.
    """
    found = []
    for column in columns:
        places = [at for at, name in enumerate(names) if name == column]
        by_place = place(column)
        if not places and by_place is not None and by_place <= len(names):
            places = [by_place - 1]
        if not places:
            return None
        found.append(places)
    return found


def find_columns(names: Iterable[object], columns: Sequence[Column], where: str) -> list[list[int]]:
    """Find columns in the header of a table.

    :param names: of all columns.
    :param columns: the columns; none for the only one that has a name.
    :param where: name of the source.
    :return: for each column its places, counted from 0: several where columns share a name.
    :raises InvalidArgument: when one does not exist, or there are several and none was named.
    """
    all_names = [column_name(name) for name in names]
    named = list(dict.fromkeys(name for name in all_names if name))
    if not columns and len(all_names) == 1:
        return [[0]]
    if not columns and len(named) == 1:
        columns = named
    if not columns:
        raise InvalidArgument(
            f"{where} has several columns; set column to one of {listing(named)}, or to several of them that are "
            f"joined. Nothing was sent."
        )
    found = places_by_name(all_names, columns)
    if found is None:
        missing = next(one for one in columns if places_by_name(all_names, [one]) is None)
        raise InvalidArgument(
            f"{where} has no column {quoted(missing)}; set column to one of {listing(named)}. Nothing was sent."
        )
    return found


def listing(names: Sequence[str]) -> str:
    """Return names of columns as an error has them.

    :param names: the names.
    :return: some of them, masked where they look like phone numbers.
    """
    return first_of([quoted(name)[1:-1] for name in names], NAMED) or "none"


def joined(row: Sequence[object], places: Sequence[Sequence[int]], where: str) -> object:
    """Return the value that a row has in the chosen columns.

    :param row: all values of the row.
    :param places: see `find_columns`.
    :param where: name of the source.
    :return: the value; texts and whole numbers of several columns joined to one text; `UnreadableValue` where one of
        several columns has none.
    :raises InvalidArgument: when columns of one name have different values.
    """
    values = [_of_one_name(row, several, where) for several in places]
    if len(values) == 1:
        return values[0]
    if all(_is_blank(value) for value in values):
        return None
    parts = []
    for value in values:
        found = (shown_in_cell(value),) if isinstance(value, str) else whole_number(value)
        if found in (("",), BLANK):
            found = "blank in one of the columns to join"
        if isinstance(found, str):
            return UnreadableValue(" ".join(str(one) for one in values if not _is_blank(one)), found)
        parts.append(str(found[0]))
    return "".join(parts)


def _of_one_name(row: Sequence[object], places: Sequence[int], where: str) -> object:
    if len(places) == 1:
        return row[places[0]] if places[0] < len(row) else None
    different = list(dict.fromkeys(str(row[at]).strip() for at in places if at < len(row) and not _is_blank(row[at])))
    if len(different) > 1:
        raise InvalidArgument(
            f"{where} has more than one column of that name, with different values in one row; set column to the "
            f"place of the one that is meant, counted from 1. Nothing was sent."
        )
    return next((row[at] for at in places if at < len(row) and not _is_blank(row[at])), None)


def _is_blank(value: object) -> bool:
    return is_null(value) or (isinstance(value, str) and not shown_in_cell(value))
