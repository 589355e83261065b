"""Characters that a database cannot store are replaced, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.domain.calls.sql_columns import mapped
from airflow_provider_retreaver.domain.calls.sql_texts import storable

COLUMNS = mapped({"id": "uuid", "changed": "updated_at", "tags": "tags", "note": "caller_city"})
ANY = st.text(st.characters(exclude_categories=()))


def row_of(tags, note):
    """Return the values of a call."""
    return COLUMNS.values({"uuid": "u-1", "tags": tags, "caller_city": note})


@pytest.mark.parametrize(
    ("sent", "stored"),
    [("a\0b", "a\ufffdb"), ("\\u0000", "\\u0000"), ("\\\0", "\\\ufffd"), ("\ud83d!", "\ufffd!"), ("😀 é", "😀 é")],
)
def test_texts_and_json(sent, stored):
    """U+0000 and half a character are replaced in texts, values and names; a backslash that was typed stays."""
    row = row_of({"t": sent, sent: [sent]}, sent)
    found, replaced = storable(row, COLUMNS, null_characters=False)
    assert (json.loads(found[2]), found[3]) == ({"t": stored, stored: [stored]}, stored)
    assert replaced == (0 if sent == stored else 4)


def test_a_database_that_stores_null_characters():
    """Only half a character is replaced there."""
    row = row_of({"t": "a\0b"}, "a\0b")
    assert storable(row, COLUMNS, null_characters=True) == (row, 0)
    found, replaced = storable(row_of({"t": "\udc00\0"}, "\0"), COLUMNS, null_characters=True)
    assert (json.loads(found[2]), found[3], replaced) == ({"t": "\ufffd\0"}, "\0", 1)


@given(ANY, ANY)
def test_whatever_is_sent_can_be_stored(tag, note):
    """Any text becomes UTF-8 without U+0000, escaped or not, and keeps its length."""
    found, _ = storable(row_of({"t": tag}, note), COLUMNS, null_characters=False)
    "".join(value for value in found if isinstance(value, str)).encode()
    stored = json.loads(found[2])["t"]
    assert "\0" not in stored + found[3]
    assert (len(stored), len(found[3])) == (len(tag), len(note))
