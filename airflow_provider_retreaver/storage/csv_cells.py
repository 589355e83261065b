"""Cells of CSV files that people open in a spreadsheet, which runs a cell that begins like a formula."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag

# What a spreadsheet runs, at the beginning of a cell; elsewhere only where it may take the character before for the
# end of a cell, as it does with semicolons in many countries. The last four are those of East Asian keyboards.
_FORMULA = re.compile(r"""(^|[;\t\r\n])(?=[\s"\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])""")
# What a cell begins with that it may match, unless a character before a formula is within it.
_BEGINNING = re.compile(r"""[\s"\u200b\ufeff=+\-@\uff1d\uff0b\uff0d\uff20]""")
# A phone number or an amount is a number for a spreadsheet, too.
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def escape_formula(cell: str) -> str:
    """Return the text of a cell that no spreadsheet runs.

    :param cell: text of a cell.
    :return: the text, with an apostrophe before everything that would be run; numbers such as `+19195550123` and
        `-1.50` stay.
    """
    # Most cells are decided by their first character, in a tenth of the time.
    if not _BEGINNING.match(cell) and not (";" in cell or "\t" in cell or "\r" in cell or "\n" in cell):
        return cell
    return cell if _NUMBER.fullmatch(cell) else _FORMULA.sub(r"\1'", cell)


def escape_formulas(cells: Iterable[object]) -> list[object]:
    """Return the cells of a row that no spreadsheet runs.

    :param cells: of a row; those that are no texts stay.
    :return: the cells.
    """
    return [escape_formula(cell) if isinstance(cell, str) else cell for cell in cells]


def escapes_formulas(given: object, format_: object) -> bool:
    """Return whether cells that a spreadsheet would run are escaped.

    :param given: the parameter `csv_escape_formulas`.
    :param format_: the parameter `format`.
    :return: True when they are.
    :raises InvalidArgument: when it is no truth value, or set for another format than csv.
    """
    escape = flag(given, "csv_escape_formulas")
    if escape and format_ != "csv":
        raise InvalidArgument("csv_escape_formulas belongs to format='csv'; set the format, or leave it out.")
    return escape
