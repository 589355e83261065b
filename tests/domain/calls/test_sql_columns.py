"""What of a call goes into which column, and what a column cannot hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.calls.copy_format import copy_lines
from airflow_provider_retreaver.domain.calls.sql_columns import ColumnMisfit, mapped
from airflow_provider_retreaver.domain.calls.sql_dialects import POSTGRESQL, dialect_of, table_name
from airflow_provider_retreaver.domain.calls.warehouse import warehouse_columns

NEEDED = {"id": "uuid", "changed": "updated_at"}
# The call of Retreaver's reference ("Calls"), and what later versions add to one.
FIRST = {
    "uuid": "addcf985-017e-4962-be34-cf5d55e74afc", "caller": "+17195220377", "caller_zip": "80920",
    "dialed_call_duration": 193, "total_duration": 204, "status": "finished", "start_time": "2012-04-29T12:29:40Z",
    "forwarded_time": "2012-04-29T12:29:51Z", "end_time": "2012-04-29T12:32:46Z", "cid": "0003", "afid": "03994",
    "dialed_number": "+18668987878", "updated_at": "2012-04-29T12:29:46Z", "created_at": "2012-04-29T12:29:40Z",
    "recording_url": "http://recordings.test/1.mp3",
}  # fmt: skip
SECOND = {
    **FIRST, "connected": True, "system_target_id": 7, "target_id": 7, "system_campaign_id": 31, "campaign_id": 31,
    "system_affiliate_id": 44, "revenue": 22.5, "charge_total": "0.20", "tags": {"source": "tv"},
    "start_time": "2012-04-29T08:29:40.125-04:00",
}  # fmt: skip


def warehouse_row(call, numbers=None):
    """Return a call's row of the warehouse schema."""
    columns = warehouse_columns((numbers or {}).get)
    return dict(zip(columns.names, columns.values(call), strict=True))


def test_a_call_of_the_first_version():
    """The customer's IDs are used where Retreaver's own are missing; the destination is unknown."""
    row = warehouse_row(FIRST)
    assert (row["call_id"], row["campaign_id"], row["publisher_id"]) == (FIRST["uuid"], "0003", "03994")
    assert row["destination_number"] is None
    assert (row["call_status"], row["call_duration"]) == ("completed", 204)
    assert row["call_answer_time"] == datetime(2012, 4, 29, 12, 29, 51, tzinfo=UTC)


def test_a_call_of_a_later_version():
    """Retreaver's own IDs as texts, the target's number, times in UTC, everything else as metadata."""
    row = warehouse_row(SECOND, {7: "+19195550123"})
    assert (row["campaign_id"], row["publisher_id"], row["destination_number"]) == ("31", "44", "+19195550123")
    assert row["call_start_time"] == datetime(2012, 4, 29, 12, 29, 40, 125_000, tzinfo=UTC)
    assert '"retreaver_tags":{"source":"tv"}' in row["call_metadata"]
    assert '"revenue":22.5' in row["call_metadata"]
    assert 'caller"' not in row["call_metadata"]


@pytest.mark.parametrize("placeholder", ["[number]", " [retreaver_number] ", "[]"])
def test_a_placeholder_is_no_destination(placeholder):
    """A target whose number comes with a bid has none that a call went to."""
    assert warehouse_row(SECOND, {7: placeholder})["destination_number"] is None


def test_a_campaign_that_is_an_object():
    """Version 4 puts the campaign into an object."""
    fourth = {name: value for name, value in FIRST.items() if name != "cid"} | {
        "campaign": {"id": 5, "name": "Roofs"}
    }
    assert warehouse_row(fourth)["campaign_id"] == "5"


@pytest.mark.parametrize(
    ("status", "connected", "meant"),
    [
        ("finished", True, "completed"), ("finished", False, "no_answer"), ("completed", None, "completed"),
        ("no-answer", False, "no_answer"), ("busy", False, "busy"), ("failed", False, "failed"),
        ("in-progress", None, "unknown"), (None, None, "unknown"),
    ],
)  # fmt: skip
def test_statuses(status, connected, meant):
    """The guide's statuses, and the one that calls really have; undocumented ones are unknown."""
    row = warehouse_row({**FIRST, "status": status, "connected": connected})
    assert row["call_status"] == meant


def test_an_unanswered_call_has_no_answer_time():
    """A call that was put through and not connected was not answered."""
    assert warehouse_row({**SECOND, "connected": False})["call_answer_time"] is None


def test_fields_within_fields_and_the_whole_call():
    """A mapping reaches into objects, names types of its own, and can keep everything."""
    columns = mapped(
        {
            **NEEDED,
            "group_name": {"field": "target_group.name", "type": "text"},
            "everything": "*",
            "cost": "charge_total",
        }
    )
    call = {**SECOND, "target_group": {"id": 3, "name": "Roofers"}}
    row = dict(zip(columns.names, columns.values(call), strict=True))
    assert (row["group_name"], row["cost"]) == ("Roofers", Decimal("0.20"))
    assert row["everything"].startswith('{"uuid":"addcf985')
    assert columns.values({**SECOND, "target_group": {}})[2] is None


def test_metadata_loses_nothing():
    """Fields called like a key of ours, and a time that its column cannot show, are in the metadata."""
    ours = {"retreaver_tags": "theirs", "other": [1]}
    row = warehouse_row({**SECOND, **ours, "connected": False, "campaign": {"name": "Roofs"}})
    metadata = json.loads(row["call_metadata"])
    assert (metadata["retreaver_tags"], metadata["other"]) == ({"source": "tv"}, ours)
    assert (row["call_answer_time"], metadata["forwarded_time"]) == (None, SECOND["forwarded_time"])
    assert (metadata["campaign"], metadata["campaign_id"], row["campaign_id"]) == ({"name": "Roofs"}, 31, "31")
    assert "forwarded_time" not in json.loads(warehouse_row(SECOND)["call_metadata"])


@pytest.mark.parametrize(
    ("field", "value"), [("tags.utm.source", "a"), ("tags.deep.er", "b"), ("tags.deep.er.x", None), ("tags.no", None)]
)
def test_names_of_tags_may_have_dots(field, value):
    """A dot selects a part of an object, unless there is a part of the whole name."""
    columns = mapped({**NEEDED, "x": {"field": field, "type": "text"}})
    assert columns.values({"tags": {"utm.source": "a", "deep": {"er": "b"}}})[2] == value


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        ("integer", "7", 7), ("integer", 7.0, 7), ("decimal", 22.5, Decimal("22.5")),
        ("decimal", "0.10", Decimal("0.10")),
        ("boolean", "true", True), ("boolean", 0, False), ("text", 12, "12"), ("text", True, "true"),
        ("json", {"a": "é"}, '{"a":"é"}'),
        ("timestamp", "2026-01-05T07:00:00-05:00", datetime(2026, 1, 5, 12, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_what_a_column_holds(kind, value, held):
    """Values are brought into the column's type without losing anything."""
    columns = mapped({**NEEDED, "x": {"field": "postback_value", "type": kind}})
    found = columns.values({"postback_value": value})[2]
    assert (found, type(found)) == (held, type(held))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "seven"), ("integer", 7.5), ("integer", True), ("decimal", "NaN"), ("decimal", "1e400"),
        ("boolean", "perhaps"), ("text", {"number": "+1"}), ("timestamp", "2026-01-05T07:00:00"),
        ("timestamp", 1767600000),
    ],
)  # fmt: skip
def test_what_a_column_cannot_hold(kind, value):
    """The column is named, and the value quoted without phone numbers; a time needs an offset."""
    columns = mapped({**NEEDED, "x": {"field": "postback_value", "type": kind}})
    with pytest.raises(ColumnMisfit, match=rf"column x \({kind}\) cannot hold") as clash:
        columns.values({"postback_value": value})
    assert clash.value.column == "x"


def test_a_clash_does_not_show_a_number():
    """A caller's number in the wrong column is masked."""
    with pytest.raises(ColumnMisfit, match="…77"):
        mapped({**NEEDED, "x": {"field": "caller", "type": "timestamp"}}).values({"caller": "+17195220377"})


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        ([], "mapping must map"),
        ({}, "mapping must map"),
        ({"id": "uuid"}, "no column for the field 'updated_at'"),
        ({"changed": "updated_at"}, "no column for the field 'uuid'"),
        ({**NEEDED, "drop table": "caller"}, "'drop table' is not a column name"),
        ({**NEEDED, "x": "callr"}, "type of the field 'callr' is not known"),
        ({**NEEDED, "x": {"field": "caller", "kind": "text"}}, "'kind' is not a documented part"),
        ({**NEEDED, "x": {"field": "caller", "type": "blob"}}, "type must be one of"),
        ({**NEEDED, "x": 5}, "must be the name of a field"),
        ({**NEEDED, "ID": "caller"}, "names a column twice"),
        ({"id": {"field": "uuid", "type": "integer"}, "changed": "updated_at"}, "'uuid' is kept as text"),
    ],
)
def test_mappings_that_cannot_be_right(mapping, named):
    """Each is refused with the column named."""
    with pytest.raises(InvalidArgument, match=named):
        mapped(mapping)


@pytest.mark.parametrize("table", ["", "a b", "calls;", 'x"y', "a.b.c.d", "1calls", None])
def test_names_of_tables(table):
    """Nothing but a name gets into a statement."""
    with pytest.raises(InvalidArgument, match="table must be a name"):
        table_name(table)


def test_statements_for_postgresql():
    """Staged in a table of the transaction's own, upserted from there, the newer version winning."""
    columns = mapped(NEEDED)
    assert POSTGRESQL.create_table("reporting.calls", columns) == (
        'CREATE TABLE IF NOT EXISTS "reporting"."calls" ("id" TEXT NOT NULL PRIMARY KEY, "changed" TIMESTAMPTZ)'
    )
    assert POSTGRESQL.from_stage("reporting.calls", columns) == (
        'INSERT INTO "reporting"."calls" ("id", "changed") SELECT "id", "changed" FROM retreaver_stage '
        'ON CONFLICT ("id") DO UPDATE SET "changed" = excluded."changed" '
        'WHERE ("calls"."changed" IS NULL OR excluded."changed" >= "calls"."changed") '
        'AND (excluded."changed" IS DISTINCT FROM "calls"."changed")'
    )


def test_mysql_tables_have_a_key_of_limited_length():
    """A text without a length cannot be a key in MySQL."""
    assert dialect_of("mysql").create_table("calls", mapped(NEEDED)) == (
        "CREATE TABLE IF NOT EXISTS `calls` (`id` VARCHAR(64) NOT NULL PRIMARY KEY, `changed` DATETIME(6)) "
        "DEFAULT CHARACTER SET utf8mb4"
    )


@given(st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\0"))), min_size=1))
def test_rows_survive_the_copy_format(values):
    """Whatever a text holds that a database stores, a row is one line whose fields can be separated and read back."""
    line = b"".join(copy_lines([values])).decode()
    assert line.count("\n") == 1
    back = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}
    read = []
    for part in line[:-1].split("\t"):
        text, rest = "", part
        while rest:
            step = 2 if rest[0] == "\\" else 1
            text, rest = text + (back[rest[:2]] if step == 2 and rest != "\\N" else rest[:step]), rest[step:]
        read.append(None if part == "\\N" else text)
    assert read == values
