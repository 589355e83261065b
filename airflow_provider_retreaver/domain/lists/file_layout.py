"""How the numbers stand in a text file: what is told by parameters, and what the first lines show by themselves."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.visible_text import column_name, visible
from airflow_provider_retreaver.domain.lists.columns import (
    Column,
    find_columns,
    listing,
    parse_columns,
    place,
    places_by_name,
)

# Lists of the Federal Trade Commission's National Do Not Call Registry: all numbers of an area code, or its changes.
FTC_FULL, FTC_CHANGE = "ftc_full", "ftc_change"
LAYOUTS = (FTC_FULL, FTC_CHANGE)
DELIMITERS = (",", "\t", ";", "|")
_DELIMITERS = {"comma": ",", "tab": "\t", "\\t": "\t", "semicolon": ";", "pipe": "|"}
# First lines of a file that are looked at, and those among them that may be titles above a header.
LOOKED_AT, TITLES = 60, 20
# The letters of a header that names a column of phone numbers, where no row below it shows that it is one.
_NUMBERS = re.compile(
    r"(?=.{1,30}$)(?:.*(?:phone|number|nummer|numero|msisdn|caller|mobile|telefon).*|tel|cell|ani|did|dnis|e)"
)
# A header hardly has more digits (an area code has three), and a phone number always has more than the second.
_HEADER_DIGITS = 2
_PHONE_DIGITS = 6
_DATE = re.compile(r"(?<!\d)(?:\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4})(?!\d)")
_SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?\s*', re.IGNORECASE)
_FTC = {
    FTC_FULL: re.compile(r'"?[2-9]\d\d"?(?P<between>[,;|\t])"?[2-9]\d{6}"?(?P=between)*'),
    FTC_CHANGE: re.compile(
        r'"?[2-9]\d\d"?(?P<between>[,;|\t])"?[2-9]\d{6}"?(?P=between)"?\d{4}-?\d\d-?\d\d"?(?P=between)"?[AD]"?(?P=between)*'
    ),
}
_AREA_CODES = {"areacode", "area", "npa"}
_LOCAL_NUMBERS = {"phone", "phonenumber", "number", "telephone", "telephonenumber", "localnumber", "subscribernumber"}


@dataclass(frozen=True, slots=True)
class Layout:
    """What the parameters of an operator say about a file; what they leave out is found in its first lines.

    :param columns: names or places of the columns whose values are joined; empty for the only one.
    :param delimiter: between columns.
    :param skip_lines: lines before the header, or before the first number.
    :param name: of a layout in `LAYOUTS`.
    """

    columns: tuple[Column, ...] = ()
    delimiter: str | None = None
    skip_lines: int = 0
    name: str | None = None

    @classmethod
    def parse(
        cls, column: object = None, delimiter: object = None, skip_lines: object = 0, name: object = None
    ) -> Layout:
        """Read the parameters.

        :param column: see `parse_columns`.
        :param delimiter: one character, or `tab`, `comma`, `semicolon` or `pipe`.
        :param skip_lines: a whole number.
        :param name: of a layout, None for none.
        :return: the layout.
        :raises InvalidArgument: naming the parameter that cannot be right.
        """
        columns = parse_columns(column)
        # A blank is a delimiter too, so `is_given` does not tell.
        between = None if delimiter is None or delimiter in ("", "None") else str(delimiter)
        between = _DELIMITERS.get(between.lower(), between) if between else None
        if between is not None and (len(between) != 1 or between in '"\r\n'):
            raise InvalidArgument(f"delimiter must be one character, or tab, not {quoted(delimiter)}.")
        skipped = parameters.number(skip_lines, "skip_lines") or 0
        layout = parameters.one_of(str(name), LAYOUTS, "layout") if parameters.is_given(name) else None
        if layout is not None and columns:
            raise InvalidArgument(f"layout {layout!r} knows its columns; leave column out.")
        return cls(columns, between, skipped, layout)


@dataclass(frozen=True, slots=True)
class Found:
    """How a file is read.

    :param start: index of the first line with a row, among the lines that were looked at.
    :param delimiter: between columns.
    :param places: see `find_columns`.
    :param width: count of columns.
    :param name: of a layout in `LAYOUTS`, None for any other.
    :param header: names of the columns that were found by a header, for the log.
    """

    start: int
    delimiter: str
    places: Sequence[Sequence[int]] = ()
    width: int = 0
    name: str | None = None
    header: tuple[str, ...] = ()

    @property
    def only_place(self) -> int | None:
        """The place of the only column, None where several are joined or share a name."""
        return self.places[0][0] if len(self.places) == 1 and len(self.places[0]) == 1 else None

    def __str__(self) -> str:
        """Write it as a log may show it."""
        between = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "pipes"}.get(self.delimiter, self.delimiter)
        if self.name is not None:
            return f"layout {self.name}"
        what = (
            listing(self.header) if self.header else "place " + " and ".join(str(one[0] + 1) for one in self.places)
        )
        return f"column {what}, separated by {between}"


def find_layout(lines: Sequence[str], wanted: Layout, where: str) -> Found | None:
    """Find out how a csv file is read.

    :param lines: its first lines after those that are skipped.
    :param wanted: what the parameters say.
    :param where: name of the file.
    :return: how to read it; None when it has no lines at all.
    :raises InvalidArgument: when its header cannot be found, or it is not clear what is meant.
    """
    if not lines:
        return None
    first = next((at for at, line in enumerate(lines) if visible(line).strip()), None)
    if first is None:
        raise InvalidArgument(f"{where} has no header: its lines are blank; nothing was sent.")
    delimiters: Sequence[str] = DELIMITERS if wanted.delimiter is None else (wanted.delimiter,)
    separator = _SEPARATOR_LINE.fullmatch(lines[first].rstrip("\r\n"))
    if separator is not None:
        if wanted.delimiter is None:
            delimiters = (separator[1],)
        first = next((at for at in range(first + 1, len(lines)) if visible(lines[at]).strip()), len(lines))
        if first == len(lines):
            raise InvalidArgument(f"{where} has no header after its line of the separator; nothing was sent.")
    ftc = _ftc(lines, first, wanted, where)
    if ftc is not None:
        return ftc
    if not wanted.columns:
        return _only_column(lines, first, delimiters, where)
    named = _named_columns(lines, first, delimiters, wanted.columns)
    if named is not None:
        return named
    if all(place(column) is not None for column in wanted.columns):
        return _by_place(lines, first, delimiters, wanted.columns, where)
    raise _header_error(lines[first:], delimiters, wanted.columns, where)


def ftc_layout(lines: Iterable[str]) -> tuple[str, str] | None:
    """Recognize a list of the National Do Not Call Registry by its lines.

    :param lines: first lines of a file.
    :return: the name of the layout and the delimiter, None for any other file.
    """
    written = [line.strip() for line in lines if line.strip()]
    for name, pattern in _FTC.items():
        matches = [pattern.fullmatch(line) for line in written]
        between = {match["between"] if match else None for match in matches}
        if len(between) == 1 and None not in between:
            return name, str(between.pop())
    return None


def _ftc(lines: Sequence[str], first: int, wanted: Layout, where: str) -> Found | None:
    """Return the layout that was named, or is recognized where nothing else was said."""
    if wanted.name is None:
        recognized = ftc_layout(lines[first:]) if not wanted.columns else None
        if recognized is None or wanted.delimiter not in {None, recognized[1]}:
            return None
        return Found(first, recognized[1], name=recognized[0])
    start = first if _digits(lines[first]) > _HEADER_DIGITS else first + 1
    body = [line for line in lines[start:] if line.strip()]
    match = next((found for line in body if (found := _FTC[wanted.name].fullmatch(line.strip()))), None)
    if match is None and body:
        raise InvalidArgument(
            f"{where} is not in layout {wanted.name}: its first lines are not area code, number"
            f"{', date and A or D' if wanted.name == FTC_CHANGE else ''}; nothing was sent."
        )
    return Found(start, wanted.delimiter or (match["between"] if match else ","), name=wanted.name)


def _named_columns(
    lines: Sequence[str], first: int, delimiters: Sequence[str], columns: Sequence[Column]
) -> Found | None:
    """Return the first line that has all names: titles may be above a header."""
    if all(isinstance(column, int) for column in columns):
        return None
    candidates = [at for at in range(first, len(lines)) if visible(lines[at]).strip()][:TITLES]
    # A place that a template has rendered may also be a number in any row.
    for at in candidates[:1] if all(place(column) is not None for column in columns) else candidates:
        if any(_holds_number(cell) for delimiter in delimiters for cell in _row(lines[at:], delimiter)[0]):
            # The rows have begun: this is no header, and what was before is no title.
            return None
        for delimiter in delimiters:
            row, used = _row(lines[at:], delimiter)
            names = [column_name(name) for name in row]
            if not any(column in names for column in columns):
                continue
            places = places_by_name(names, columns)
            if places is not None:
                header = tuple(names[several[0]] for several in places)
                return Found(at + used, delimiter, places, len(names), header=header)
    return None


def _holds_number(cell: str) -> bool:
    """Return whether a cell is a phone number rather than a part of a title; titles have dates."""
    return _digits(cell) > _PHONE_DIGITS and not re.search(r"[^\W\d_]", cell) and not _DATE.search(cell)


def _by_place(
    lines: Sequence[str], first: int, delimiters: Sequence[str], columns: Sequence[Column], where: str
) -> Found:
    """Return the columns of a file that may have no header: a first line with hardly any digits is one."""
    places = [[number - 1] for number in map(place, columns) if number is not None]
    between = _delimiter(lines[first:], delimiters, where)
    row, used = _row(lines[first:], between)
    last = max(several[0] for several in places)
    if last >= len(row):
        raise InvalidArgument(
            f"{where} has {len(row)} columns in its first line, and column is {last + 1}; set delimiter, or "
            f"skip_lines where titles are above. Nothing was sent."
        )
    header = _digits("".join(row[several[0]] for several in places)) <= _HEADER_DIGITS
    return Found(first + used if header else first, between, places, len(row))


def _only_column(lines: Sequence[str], first: int, delimiters: Sequence[str], where: str) -> Found:
    """Return the only column that the header names, or area code and number where both are named so."""
    between = _delimiter(lines[first : first + 1], delimiters, where)
    row, used = _row(lines[first:], between)
    if _digits(lines[first]) > _HEADER_DIGITS:
        raise _header_error(lines[first:], delimiters, (), where)
    names = [column_name(name) for name in row]
    plain = [re.sub(r"[^a-z]", "", name.lower()) for name in names]
    if len(names) == 2 and plain[0] in _AREA_CODES and plain[1] in _LOCAL_NUMBERS:
        following = [line for line in lines[first + used :] if line.strip()]
        if following and ftc_layout(following) == (FTC_FULL, between):
            return Found(first + used, between, [[0], [1]], 2, header=tuple(names))
    places = find_columns(names, (), where)
    if not (any(visible(line).strip() for line in lines[first + used :]) or _NUMBERS.fullmatch(plain[0])):
        # The only line of an error page, or of an error of the source's own, would be a header without rows.
        raise InvalidArgument(
            f"{where} has one line only, which may be a header or a message; set column to the header's name if the "
            f"list is meant to be empty. Nothing was sent."
        )
    return Found(first + used, between, places, len(names), header=tuple(names[one[0]] for one in places))


def _delimiter(lines: Iterable[str], delimiters: Sequence[str], where: str) -> str:
    """Return the one delimiter that lines have; commas where they have none, so that there is one column."""
    written = [line for line in lines if visible(line).strip()]
    splits = [{one for one in delimiters if len(_row([line], one)[0]) > 1} for line in written]
    found = set.intersection(*splits) or set.union(*splits)
    if len(found) > 1:
        raise InvalidArgument(
            f"{where} may be separated by {' or '.join(quoted(one) for one in sorted(found))}; set delimiter. "
            f"Nothing was sent."
        )
    return found.pop() if found else delimiters[0]


def _row(lines: Iterable[str], delimiter: str) -> tuple[list[str], int]:
    """Return the first row of lines, and how many lines it has; a row that is not valid csv is empty."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        return next(reader, []), reader.line_num
    except csv.Error:
        return [], 1


def _digits(line: str) -> int:
    return len(re.findall(r"\d", line))


def _header_error(
    lines: Sequence[str], delimiters: Sequence[str], columns: Sequence[Column], where: str
) -> InvalidArgument:
    """Return what is wrong with the first line, which is not quoted when it may hold a phone number."""
    registry = ftc_layout(lines)
    if registry is not None:
        return InvalidArgument(
            f"{where} has no header, and area code and number in two columns; leave column out, or set it to [1, 2], "
            f"or set layout to {registry[0]}. Nothing was sent."
        )
    if _digits(lines[0]) > (_PHONE_DIGITS if columns else _HEADER_DIGITS):
        return InvalidArgument(
            f"The first line of {where} is not a header; set column to the place of the numbers (1 for the first "
            f"column), skip_lines where titles are above the header, or source_format to txt. Nothing was sent."
        )
    widest: list[str] = []
    for delimiter in delimiters:
        row = _row(lines, delimiter)[0]
        widest = row if len(row) > len(widest) else widest
    find_columns(widest, columns, where)
    return InvalidArgument(f"{where} has no header that can be told from its rows; set skip_lines. Nothing was sent.")
