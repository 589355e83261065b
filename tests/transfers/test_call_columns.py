"""Calls that are read at once make the same files and rows as calls that are read value by value."""

from __future__ import annotations

import csv
import gc
import io
import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.call_columns import CallColumns
from airflow_provider_retreaver.domain.calls.file_rows import flat, split_tags
from airflow_provider_retreaver.domain.calls.odd_calls import ODD, as_rows
from airflow_provider_retreaver.domain.calls.page import read_page
from airflow_provider_retreaver.domain.calls.plain_json import plain_rows
from airflow_provider_retreaver.domain.calls.sql_columns import mapped
from airflow_provider_retreaver.domain.calls.sql_texts import all_storable, storable
from airflow_provider_retreaver.domain.calls.typed_calls import CallDecoder
from airflow_provider_retreaver.domain.calls.warehouse import warehouse_columns
from airflow_provider_retreaver.storage.csv_cells import escape_formula
from airflow_provider_retreaver.transfers.csv_calls import CommaSeparated, cell_text
from airflow_provider_retreaver.transfers.parquet_calls import Parquet

LAYOUTS = ("map", "rows")
# Values as JSON that are documented, and such as no field has.
LITERALS = [
    "null", "true", "false", "0", "1", "-1", "5", "5.0", "0.0", "-0.0", "12.50", "1e5", "1e-7", "1E22", "-0",
    "1e999", "18446744073709551616", '""', '" "', '"61"', '" 61 "', '"12.50"', '"-0"', '"1_000"', '"NaN"', '"yes"',
    '"True"', '"+14155550123"', '"=1+1"', '"a,b"', r'"a\"b"', r'"a\nb"', r'"\r"', r'"\u00e9"', '"é–😀"', r'"\/"',
    r'"\u0007"', r'"a\u0000"', r'"\\u0000"', '"2026-01-05T12:00:00Z"', '"2026-01-05T12:00:00.123-05:00"',
    '"2026-01-05T12:00:00.123456+00:00"', '"2026-01-05"', '"2026-01-05T12:00:00"', '"2026-01-05T12:00:00.123+0000"',
    '"2026-01-05T12:00:00.1234Z"', '"2026-02-30T12:00:00Z"', '"0001-01-01T00:00:00+14:00"',
    '"9999-12-31T23:59:59-05:00"', '"2026-01-05T12:00:60Z"', '" 2026-01-05T12:00:00Z "', '"2026-01-05 12:00:00Z"',
    "[]", '["1"]', '[ "1", 2.50 ]', '[{"a": 1e-7}]', "{}", '{"id": 5, "name": "Roofs"}',
    '{"id": null, "name": "N"}', '{"id": 6, "zone": 1}', '{"number": "+1", "name": "n"}',
    '{"a": "1", "a": "2", "b": null}', '{"a": 1.50}', '{"a": "x", "b": "y,z"}', '{"a": {"b": [1]}}',
]  # fmt: skip
# What columns of these kinds cannot hold.
MOST = {fields.INTEGER: 2**63, fields.DECIMAL: 10 ** (fields.PRECISION - fields.SCALE)}
NAMES = [*fields.FIELDS, *fields.columns("rows"), "brand_new", "newer", r"st\u0061tus"]


@st.composite
def calls(draw: st.DrawFn) -> bytes:
    """Draw a call: a few fields, also such as are not documented, and some of them twice."""
    pairs = draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(LITERALS)), max_size=6))
    gap = draw(st.sampled_from(["", " "]))
    ours = ("uuid", "other")
    texts = ['"uuid":"u-1"', *(f'"{name}":{gap}{value}' for name, value in pairs if name not in ours[:1])]
    return f"{{{','.join(texts)}}}".encode()


def in_csv(raws, tags, escape, pages=1):
    """Return what the writer makes of calls, each of which may be on several pages."""
    file = io.BytesIO()
    writer = CommaSeparated(file, tags=tags, change=None, escape=escape)
    rows = sum(writer.write(raws) for _ in range(pages))
    writer.close()
    assert rows == len(list(csv.reader(io.StringIO(file.getvalue().decode(), newline="")))) - 1
    return file.getvalue().decode()


def by_rows(raws, tags, escape):
    """Return what Python's writer of CSV makes of calls that are read as dictionaries, value by value."""
    kinds = fields.columns(tags)
    rows = flat(as_rows(raws), frozenset(kinds))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(kinds)
    for row in split_tags(rows) if tags == "rows" else rows:
        cells = [cell_text(row.get(name), kind) for name, kind in kinds.items()]
        writer.writerow([escape_formula(cell) for cell in cells] if escape else cells)
    return text.getvalue()


@given(raws=st.lists(calls(), max_size=4), tags=st.sampled_from(LAYOUTS), escape=st.booleans())
def test_csv_files(raws, tags, escape):
    """Every byte is the same as by Python's own writer of CSV, also on a page of calls that are known."""
    assert in_csv(raws, tags, escape, pages=2) == by_rows(raws * 2, tags, escape)


def in_parquet(raws, tags, pages=1):
    """Return the rows of a Parquet file, or the error."""
    from pyarrow import parquet

    file = io.BytesIO()
    writer = Parquet(file, tags=tags, change=None, codec="none")
    try:
        for _ in range(pages):
            writer.write(raws)
        writer.close()
    except ProtocolError as error:
        writer.drop()
        writer.close()
        return str(error)
    return parquet.read_table(io.BytesIO(file.getvalue())).to_pylist()


def read_by_rows(raws, tags):
    """Return the rows that a Parquet file has, each value read by the reader of its kind; or the error."""
    kinds = fields.columns(tags)
    found = flat(as_rows(raws), frozenset(kinds))
    rows = list(split_tags(found) if tags == "rows" else found)
    made = [{} for _ in rows]
    for name, kind in kinds.items():
        read = fields.read_amount if kind == fields.DECIMAL else fields.READERS[kind]
        for place, row in enumerate(rows):
            value = row.get(name)
            try:
                made[place][name] = None if value is None else read(value)
            except fields.NotOfKind:
                return error_of(row, name, kind)
        for place, row in enumerate(rows):
            result = made[place][name]
            if kind in MOST and abs(result or 0) >= MOST[kind]:
                return error_of(row, name, kind)
            if isinstance(result, datetime):
                made[place][name] = result.replace(microsecond=result.microsecond // 1000 * 1000)
            if kind == fields.MAP and result is not None:
                made[place][name] = list(result.items())
    return made


def error_of(row, name, kind):
    """Return the error that names a call and a field."""
    shown = "" if name.startswith("caller") else f" ({quoted(row[name])})"
    return (
        f"Call {row['uuid']} has a {name}{shown} that is not of the kind {kind} of its Parquet column; "
        f"export as jsonl or csv, which take every value."
    )


@given(raws=st.lists(calls(), max_size=3), tags=st.sampled_from(LAYOUTS))
def test_parquet_files(raws, tags):
    """Every value is the one that its reader returns, and an error names call, field and value in the same words."""
    assert in_parquet(raws, tags, pages=2) == read_by_rows(raws * 2, tags)


@given(raws=st.lists(calls(), max_size=4), tags=st.sampled_from(LAYOUTS), escape=st.booleans())
def test_pages_that_are_decoded_at_once(raws, tags, escape):
    """The files are the same, whether a page was decoded at once or each call by itself."""
    body = b"[" + b",".join(b'{"call":%s}' % raw for raw in raws) + b"]"
    try:
        page = read_page(1, Request("GET", "/api/v2/calls.json"), Response(200, {}, body), CallDecoder().page)
    except ProtocolError:
        return  # times that are no texts
    assert in_csv(page.raws, tags, escape) == by_rows(raws, tags, escape)
    assert in_parquet(page.raws, tags) == read_by_rows(raws, tags)


TABLES = [
    warehouse_columns(lambda target: {"5": "+18005550199"}.get(str(target))),
    mapped(
        {
            "id": "uuid", "changed": "updated_at", "revenue": "revenue",
            "amount": {"field": "revenue", "type": "text"},
            "converted": "converted", "seconds": "total_duration", "started": "start_time", "whole": "*",
            "tag": {"field": "tags.a", "type": "text"}, "group": {"field": "target_group.id", "type": "integer"},
        }
    ),
]  # fmt: skip


@given(raws=st.lists(calls(), min_size=1, max_size=3), columns=st.sampled_from(TABLES), null=st.booleans())
def test_rows_of_tables(raws, columns, null):
    """Values that are read a column at a time are those of each call by itself, and so is what cannot be stored."""
    try:
        found = columns.values_of(plain_rows(raws))
    except ODD:
        return
    assert repr(found) == repr([columns.values(call) for call in as_rows(raws)])
    if all_storable(found, null_characters=null):
        assert [storable(row, columns, null_characters=null) for row in found] == [(row, 0) for row in found]


@pytest.mark.parametrize("tags", LAYOUTS)
def test_an_odd_call_keeps_its_place(tags):
    """Calls that are read as dictionaries stand where they stood, whatever the others are."""
    odd = {"uuid": "odd", "brand_new": 1}
    raws = [json.dumps({"uuid": f"u-{place}", "tags": {"a": "1", "b": "2"}}).encode() for place in range(5)]
    for place in (0, 2, 5):
        raws.insert(place, json.dumps(odd).encode())
    found = CallColumns(tags).of(raws)
    uuids = [uuid for uuid in found[0] if uuid != "odd"]
    assert list(dict.fromkeys(uuids)) == [f"u-{place}" for place in range(5)]
    assert in_csv(raws, tags, escape=False) == by_rows(raws, tags, escape=False)
    assert [column.count("odd") for column in found[:1]] == [3]


@pytest.mark.parametrize("tags", LAYOUTS)
def test_the_garbage_collector_has_nothing_to_look_at(tags):
    """Values that wait for a row group are none of the objects that it walks again and again."""
    call = {
        "uuid": "u",
        "keys_pressed": ["1"],
        "fired_pixels": [{"fired_pixel": {"id": 1}}],
        "target_group": {"id": 4},
    }
    raws = [json.dumps({**call, "tags": {"a": "b"}, "revenue": 12.5, "converted": True}).encode()] * 3
    assert not any(gc.is_tracked(value) for column in CallColumns(tags).of(raws) for value in column)


@pytest.mark.parametrize("tags", LAYOUTS)
def test_long_json_among_texts(tags):
    """A column of long JSON is written where it belongs, quoted or not, beside texts of any characters."""
    pixels = [{"fired_pixel": {"url": "https://pixels.test/é", "note": 'a "quote"'}}] * 5
    raws = [
        json.dumps({"uuid": f"é{n}", "fired_pixels": pixels, "tags": {"b": "x" * 300}}).encode() for n in range(3)
    ]
    for calls_of_page in (raws, [*raws, b'{"uuid":"none"}'], [b'{"uuid":"u","keys_pressed":%s}' % (b"7" * 300)]):
        assert in_csv(calls_of_page, tags, escape=False) == by_rows(calls_of_page, tags, escape=False)


def test_a_call_that_cannot_be_read_is_named():
    """An error of one call among others names it."""
    raws = [b'{"uuid":"fine"}', b'{"uuid":"deep","keys_pressed":' + b"[" * 100_000 + b"]" * 100_000 + b"}"]
    with pytest.raises(ProtocolError, match="Call 'deep' is nested too deeply"):
        in_csv(raws, "map", escape=False)
