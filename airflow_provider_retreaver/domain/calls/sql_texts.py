"""Characters of a call that databases cannot store.

A visitor can put any character into a URL or a tag, such as `%00`, and must not stop the load of a table by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_provider_retreaver.domain.calls.sql_columns import Columns, SqlValue

# Stands in place of a character that cannot be stored.
REPLACEMENT = "\ufffd"
_ESCAPED_NULL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_NULL = re.compile("\0")
_HALVES = re.compile("[\ud800-\udfff]")


def storable(
    row: tuple[SqlValue, ...], columns: Columns, *, null_characters: bool
) -> tuple[tuple[SqlValue, ...], int]:
    """Return a row without characters that its database cannot store.

    No database stores half of a character (a lone surrogate). PostgreSQL refuses U+0000 in every text and in JSONB.

    :param row: values in the order of the columns; JSON as texts.
    :param columns: of the row.
    :param null_characters: whether the database stores U+0000.
    :return: the row with U+FFFD in their places, and how many characters were replaced.
    """
    if not any(isinstance(value, str) and _may_be_odd(value, null_characters) for value in row):
        return row, 0
    stored: list[SqlValue] = []
    replaced = 0
    for value, column in zip(row, columns.columns, strict=True):
        found, count = value, 0
        if isinstance(value, str):
            found, count = _without(value, is_json=column.kind == "json", null_characters=null_characters)
        stored.append(found)
        replaced += count
    return tuple(stored), replaced


def all_storable(rows: Sequence[tuple[SqlValue, ...]], *, null_characters: bool) -> bool:
    """Return whether rows have no character that their database cannot store, by one look at all of them.

    :param rows: values in the order of the columns; JSON as texts.
    :param null_characters: whether the database stores U+0000.
    :return: False when `storable` has to look at each.
    """
    together = "".join([value for row in rows for value in row if isinstance(value, str)])
    if not null_characters and ("\0" in together or "\\u0000" in together):
        return False
    try:
        together.encode()
    except UnicodeEncodeError:
        return False
    return True


def _may_be_odd(text: str, null_characters: bool) -> bool:  # noqa: FBT001 - called for every text of every row
    if not null_characters and ("\0" in text or "\\u0000" in text):
        return True
    return not text.isascii() and _HALVES.search(text) is not None


def _without(text: str, *, is_json: bool, null_characters: bool) -> tuple[str, int]:
    text, halves = _HALVES.subn(REPLACEMENT, text)
    if null_characters:
        return text, halves
    text, nulls = _without_nulls(text, is_json=is_json)
    return text, halves + nulls


def without_null_characters(text: str, *, is_json: bool) -> str:
    """Return a text that PostgreSQL stores.

    :param text: without half characters.
    :param is_json: whether it is JSON, which has the character escaped.
    :return: the text with U+FFFD in the places of U+0000.
    """
    return _without_nulls(text, is_json=is_json)[0]


def _without_nulls(text: str, *, is_json: bool) -> tuple[str, int]:
    # JSON has it escaped, and a backslash that was sent is doubled there.
    pattern, replacement = (_ESCAPED_NULL, rf"\g<1>{REPLACEMENT}") if is_json else (_NULL, REPLACEMENT)
    return pattern.subn(replacement, text)
