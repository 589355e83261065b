"""Sources of payout tables: CSV as text, files, and lists of rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import text
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.domain.lists.number_sources import readable
from airflow_provider_retreaver.domain.lists.packed_files import damage_refused, unpacked
from airflow_provider_retreaver.domain.payout_tables.conditions import ANY
from airflow_provider_retreaver.domain.payout_tables.rules import MAX_BYTES, RESERVED, NumberedCells

# Bytes of a character in the encodings that are read, at most.
WIDEST = 4
_BYTE_ORDER_MARK = "\ufeff"


def read_file(stream: BinaryIO, where: str, encoding: str = "utf-8") -> str:
    """Read the text of a CSV file; gzip, bzip2, xz and zip are recognized by the content.

    :param stream: buffered, at its beginning.
    :param where: name of the file.
    :param encoding: of the file; a byte order mark is taken away.
    :return: the text.
    :raises InvalidArgument: when it is too large, damaged, or in another encoding.
    """
    with damage_refused(where), readable(where, encoding):
        content, _ = unpacked(stream, where)
        data = content.read(WIDEST * MAX_BYTES + 1)
        if len(data) > WIDEST * MAX_BYTES:
            raise InvalidArgument(
                f"{where} is larger than {MAX_BYTES} bytes, which Retreaver takes; nothing was sent."
            )
        # A mark in another encoding than UTF-8 is one that decoding removes by itself.
        name = "utf-8-sig" if re.fullmatch(r"utf[-_]?8", encoding.strip(), re.IGNORECASE) else encoding
        return data.decode(name)


def csv_cells(content: str, where: str) -> Iterator[NumberedCells]:
    """Yield the rows of a CSV with their lines; lines without any text are left out.

    :param content: the CSV.
    :param where: name of the source, for errors.
    :return: rows with their line.
    :raises InvalidArgument: when it is no valid CSV.
    """
    content = content.removeprefix(_BYTE_ORDER_MARK)
    if len(content) > WIDEST * MAX_BYTES:
        raise InvalidArgument(f"{where} is larger than {MAX_BYTES} bytes, which Retreaver takes; nothing was sent.")
    rows = csv.reader(io.StringIO(content, newline=""), strict=True)
    with readable(where, "csv"):
        for row in rows:
            if row:
                yield rows.line_num, row


def given_cells(given: object) -> Iterator[NumberedCells]:
    """Yield the rows of the parameter `rows`, the header first.

    :param given: a list of lists, the first of which is the header; or a list of mappings, in which a list of values
        means that all of them must hold, and a key that a row does not have any value. As rendered text too.
    :return: rows with their number, counted from 1; the header of mappings is row 0.
    :raises InvalidArgument: when it is neither, or a value is none that a cell can hold.
    """
    rows = read_rendered(given, "rows")
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
        raise InvalidArgument(f"rows must be a list of rows, not {type(rows).__name__}.")
    found = list(rows)
    if found and all(isinstance(row, Mapping) for row in found):
        yield from enumerate(_cells_of_mappings(found))
    elif all(isinstance(row, (list, tuple)) for row in found):
        for number, row in enumerate(found, 1):
            yield number, [_cell(value, f"rows, row {number}") for value in row]
    else:
        raise InvalidArgument("rows must be a list of mappings, or a list of lists that begins with the header.")


def _cells_of_mappings(rows: Sequence[Mapping[str, object]]) -> Iterator[list[str]]:
    """Yield a header with as many columns of a key as a row has values of it, then the rows."""
    values = [
        {str(name): _values(value, f"rows, row {number}: {quoted(name)}") for name, value in row.items()}
        for number, row in enumerate(rows, 1)
    ]
    widths: dict[str, int] = dict.fromkeys(RESERVED[:1], 1)
    for row in values:
        for name, cells in row.items():
            widths[name] = max(widths.get(name, 1), len(cells))
    # The percentage is the last column, as in Retreaver's examples.
    widths = {name: width for name, width in widths.items() if name not in RESERVED[1:]} | dict.fromkeys(
        RESERVED[1:], 1
    )
    yield [name for name, width in widths.items() for _ in range(width)]
    for row in values:
        cells = []
        for name, width in widths.items():
            given = row.get(name, [])
            cells += [*given, *[ANY] * (width - len(given))]
        yield cells


def _values(value: object, name: str) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [_cell(one, name) for one in value]
    return [_cell(value, name)]


def _cell(value: object, name: str) -> str:
    # A blank text is a cell that the rules refuse with its line.
    return value if isinstance(value, str) else text(value, name, decimals=True)
