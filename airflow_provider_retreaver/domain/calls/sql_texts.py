"""Characters of a call that databases cannot store.

A visitor can put any character into a URL or a tag, such as `%00`, and must not stop the load of a table by it.
"""

from __future__ import annotations

import re

from airflow_provider_retreaver.domain.calls.sql_columns import Columns, SqlValue

# Stands in place of a character that cannot be stored.
REPLACEMENT = "\ufffd"
_ESCAPED_NULL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_HALVES = re.compile("[\ud800-\udfff]")


def storable(row: tuple[SqlValue, ...], columns: Columns, *, null_characters: bool) -> tuple[SqlValue, ...]:
    """Return a row without characters that its database cannot store.

    No database stores half of a character (a lone surrogate). PostgreSQL refuses U+0000 in every text and in JSONB.

    :param row: values in the order of the columns; JSON as texts.
    :param columns: of the row.
    :param null_characters: whether the database stores U+0000.
    :return: the row with U+FFFD in their places; the same row where nothing has to be replaced.
    """
    if not any(isinstance(value, str) and _may_be_odd(value, null_characters) for value in row):
        return row
    stored = tuple(
        _without(value, is_json=column.kind == "json", null_characters=null_characters)
        if isinstance(value, str)
        else value
        for value, column in zip(row, columns.columns, strict=True)
    )
    return row if stored == row else stored


def _may_be_odd(text: str, null_characters: bool) -> bool:  # noqa: FBT001 - called for every text of every row
    if not null_characters and ("\0" in text or "\\u0000" in text):
        return True
    return not text.isascii() and _HALVES.search(text) is not None


def _without(text: str, *, is_json: bool, null_characters: bool) -> str:
    text = _HALVES.sub(REPLACEMENT, text)
    if null_characters:
        return text
    # JSON has it escaped, and a backslash that was sent is doubled there.
    return _ESCAPED_NULL.sub(rf"\g<1>{REPLACEMENT}", text) if is_json else text.replace("\0", REPLACEMENT)
