"""Rows of csv and jsonl files with all of their columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.visible_text import column_name, visible
from airflow_provider_retreaver.domain.data_writing.rows import NumberedRow
from airflow_provider_retreaver.domain.lists.file_layout import DELIMITERS, Layout
from airflow_provider_retreaver.domain.lists.number_sources import format_of, of_json, readable, text_lines
from airflow_provider_retreaver.domain.lists.packed_files import damage_refused, unpacked

Check = Callable[[Iterable[str], str], None]


def read_rows(
    stream: BinaryIO, where: str, kind: str | None, check: Check, *, encoding: str = "utf-8", delimiter: object = None
) -> Iterator[NumberedRow]:
    """Yield the rows of a file; gzip, bzip2, xz and zip are recognized by the content.

    :param stream: buffered, at its beginning.
    :param where: name of the file.
    :param kind: csv (with a header) or jsonl (an object in each line); None for that of the name inside a zip file.
    :param check: called with the names of the columns; of a jsonl file with those of its first object.
    :param encoding: of the file.
    :param delimiter: between the columns of a csv file; the one that its header has most often when it is left out.
    :return: rows with their line.
    :raises InvalidArgument: when the file is damaged, in another encoding, of another format, or has no header.
    """
    between = Layout.parse(delimiter=delimiter).delimiter
    with damage_refused(where), readable(where, encoding):
        content, member = unpacked(stream, where)
        kind = kind or format_of(f"{where}/{member}", None)
        if kind not in _READERS:
            raise InvalidArgument(f"{where} is no csv or jsonl file, whose columns have names; nothing was sent.")
        # A byte order mark at the beginning is not a part of the first column's name.
        name = "utf-8-sig" if re.fullmatch(r"utf[-_]?8", encoding.strip(), re.IGNORECASE) else encoding
        text = io.TextIOWrapper(content, encoding=name, newline="")
        try:
            yield from _READERS[kind](text_lines(text, where), where, check, between)
        finally:
            # The caller closes the file.
            text.detach()


def _read_csv(lines: Iterator[str], where: str, check: Check, delimiter: str | None) -> Iterator[NumberedRow]:
    skipped = 0
    for header in lines:
        if visible(header).strip():
            break
        skipped += 1
    else:
        return
    between = delimiter or max(DELIMITERS, key=header.count)
    rows = csv.reader(chain([header], lines), delimiter=between, strict=True)
    names = [column_name(name) for name in next(rows)]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise InvalidArgument(f"{where} has the column {quoted(twice)} twice; nothing was sent.")
    check(names, where)
    for row in rows:
        line = skipped + rows.line_num
        if any(visible(cell).strip() for cell in row[len(names) :]):
            yield line, "it has more columns than the header."
        elif any(visible(cell).strip() for cell in row):
            yield line, dict(zip(names, row, strict=False))


def _read_jsonl(lines: Iterator[str], where: str, check: Check, delimiter: str | None) -> Iterator[NumberedRow]:
    if delimiter is not None:
        raise InvalidArgument(f"{where} is jsonl and has fields with names; delimiter is for csv.")
    first = True
    for line, text in enumerate(lines, 1):
        if not visible(text).strip():
            continue
        value = of_json(text, f"{where}, line {line},")
        if not isinstance(value, dict):
            yield line, "it is not an object."
            continue
        row = {column_name(name): item for name, item in value.items()}
        if first:
            check(row, where)
            first = False
        yield line, row


_READERS = {"csv": _read_csv, "jsonl": _read_jsonl}
