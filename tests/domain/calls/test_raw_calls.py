"""Rows of which the database makes a part: what is parsed here is what reading whole calls gives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.domain.calls.copy_format import AT_ONCE, copy_lines
from airflow_provider_retreaver.domain.calls.fields import FIELDS
from airflow_provider_retreaver.domain.calls.odd_calls import ODD
from airflow_provider_retreaver.domain.calls.raw_calls import RawCalls, is_readable
from airflow_provider_retreaver.domain.calls.sql_columns import Columns, mapped
from airflow_provider_retreaver.domain.calls.warehouse import warehouse_columns

NUMBERS = {"31": "+14155550031", "7": "+1555-000-FAKE"}
WAREHOUSE = warehouse_columns(lambda target: NUMBERS.get(str(target)))
MAPPED = mapped(
    {
        "id": "uuid", "changed": "updated_at", "revenue": "revenue", "whole": "*",
        "pixels": "fired_pixels", "sure": "converted", "seconds": "total_duration",
        "source": {"field": "tags.source", "type": "text"}, "group": {"field": "target_group.name", "type": "text"},
    }
)  # fmt: skip
NOON = "2026-01-05T12:00:00.500-08:00"
TIMES = st.sampled_from([NOON, "2026-01-05T12:00:00Z", "2026-01-05T12:00:00.123+00:00", "", None, "soon"])
ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8), st.sampled_from([31, "31", 7, "finished", "Busy", 1e-7, 1e22, "\0", "\\u0000", "\t\n"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["id", "name", "source", "x"]), inner, max_size=2),
    ),
    max_leaves=4,
)  # fmt: skip
CALLS = st.builds(
    lambda fields, extra: {"uuid": "a", "updated_at": NOON, **fields, **extra},
    st.fixed_dictionaries(
        {},
        optional={
            name: TIMES if kind == "timestamp" else st.one_of(ANYTHING, st.just("x"))
            for name, kind in FIELDS.items()
            if name != "uuid"
        },
    ),
    st.dictionaries(st.sampled_from(["new", "retreaver_tags", "other"]), ANYTHING, max_size=1),
)


def raw(call: object) -> msgspec.Raw:
    """Return a call as it is sent."""
    return msgspec.Raw(json.dumps(call).encode())


@settings(max_examples=150, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=3), st.sampled_from([(WAREHOUSE, "call_metadata"), (MAPPED, "whole")]))
def test_what_is_parsed_is_what_whole_calls_give(calls, table):
    """Every value is that of the call read as a whole, and the row is complete again once its JSON is parsed."""
    columns, name = table
    raws = [raw(call) for call in calls]
    try:
        found = RawCalls(columns, frozenset({name})).values_of(raws)
    except ODD:
        found = None
    if found is None:
        return
    place = columns.names.index(name)
    for row, sent, call in zip(found, raws, calls, strict=True):
        whole = columns.values(json.loads(json.dumps(call)))
        assert row[place] is sent
        assert [(type(value), value) for value in row[:place] + row[place + 1 :]] == [
            (type(value), value) for value in whole[:place] + whole[place + 1 :]
        ]
        assert columns.parsed(row) == whole


@pytest.mark.parametrize("odd", ["\0", "\ud800", "\U0001f600"])
def test_characters_that_are_looked_at(odd):
    """A call with a character that PostgreSQL may not store is read as a whole."""
    reader = RawCalls(MAPPED, frozenset({"whole"}))
    assert reader.values_of([raw({"uuid": "a", "updated_at": NOON, "new": {"x": odd}})]) is None
    assert reader.values_of([raw({"uuid": "a", "updated_at": NOON, "new": "é"})]) is not None


@pytest.mark.parametrize("name", ["retreaver_tags", "other"])
def test_fields_with_names_of_ours(name):
    """A call with a field that has the name of one of ours is read as a whole."""
    reader = RawCalls(WAREHOUSE, frozenset({"call_metadata"}))
    assert reader.values_of([raw({"uuid": "a", "updated_at": NOON, name: None})]) is None
    assert reader.values_of([raw({"uuid": "a", "updated_at": NOON, "new": {name: 1}})]) is not None


def test_which_tables_can_be_read_this_way():
    """Every column must take known fields only, or be one whose value the database makes."""
    assert is_readable(WAREHOUSE, frozenset({"call_metadata"}))
    assert not is_readable(WAREHOUSE, frozenset())
    text = mapped({"id": "uuid", "changed": "updated_at", "whole": {"field": "*", "type": "text"}})
    assert text.columns[2].of_json is None
    assert is_readable(mapped({"id": "uuid", "changed": "updated_at"}), frozenset())


def as_sent(columns: Columns, count: int) -> list[tuple[object, ...]]:
    """Return rows with a call's JSON in their last column."""
    call = {"uuid": "a\\b", "updated_at": NOON, "text": 'tab\tand "quotes"'}
    body = json.dumps(call).encode().replace(b", ", b",\t")
    return list(RawCalls(columns, frozenset({"whole"})).values_of([msgspec.Raw(body)] * count) or [])


def test_lines_for_copy():
    """Texts are escaped, values are as PostgreSQL reads them, JSON is escaped as a whole and comes last."""
    columns = mapped({"whole": "*", "id": "uuid", "changed": "updated_at"})
    time = b"2026-01-05T20:00:00.500000Z"
    line = b"a\\\\b\t" + time + b'\t{"uuid": "a\\\\\\\\b",\\t"updated_at": "' + NOON.encode()
    found = b"".join(copy_lines(as_sent(columns, AT_ONCE + 1), [0]))
    assert found.count(b"\n") == AT_ONCE + 1
    assert found.startswith(line)
    rows = [("a", None, 1, True, Decimal("1.50"), datetime(2026, 1, 5, tzinfo=UTC)), (None,) * 6]
    assert copy_lines(rows) == [b"a\t\\N\t1\ttrue\t1.50\t2026-01-05T00:00:00Z\n" + b"\t".join([b"\\N"] * 6) + b"\n"]
    # A row that was read as a whole among those that were not.
    mixed = [*as_sent(columns, 1), ('{"a":"b\\t"}', "x", None)]
    assert copy_lines(mixed, [0])[0].splitlines()[1] == b'x\t\\N\t{"a":"b\\\\t"}'
    assert copy_lines([]) == []


@given(
    st.lists(st.none() | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))])), min_size=1)
)
def test_times_for_copy(times):
    """Each is the same moment, written in one way, and what is not known stays so."""
    lines = b"".join(copy_lines([(time,) for time in times])).decode().splitlines()
    assert [None if line == "\\N" else datetime.fromisoformat(line) for line in lines] == times
