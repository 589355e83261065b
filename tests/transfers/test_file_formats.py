"""A value of a call is read in one way, whatever it is written to."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.domain.calls.sql_columns import ColumnMisfit, mapped
from airflow_provider_retreaver.transfers.csv_calls import CommaSeparated
from airflow_provider_retreaver.transfers.file_formats import JsonLines
from airflow_provider_retreaver.transfers.parquet_calls import Parquet

REFUSED = "refused"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
CALL = {"uuid": "u-1", "created_at": "2026-01-05T12:00:00Z", "updated_at": "2026-01-05T12:00:00Z"}


def in_parquet(field, value):
    """Return the value that a Parquet file has in a column, or `REFUSED`."""
    from pyarrow import parquet

    file = io.BytesIO()
    writer = Parquet(file, tags="map", change=None, codec="none")
    try:
        writer.write([json.dumps({**CALL, field: value}).encode()])
        writer.close()
    except ProtocolError as error:
        writer.drop()
        writer.close()
        return REFUSED if f"Call u-1 has a {field}" in str(error) else error
    return parquet.read_table(io.BytesIO(file.getvalue())).to_pylist()[0][field]


def in_sql(field, value):
    """Return the value that a table gets, or `REFUSED`."""
    columns = mapped({"id": "uuid", "changed": "updated_at", "x": field})
    try:
        return columns.values({**CALL, field: value})[2]
    except ColumnMisfit as clash:
        return REFUSED if clash.column == "x" else clash


def in_csv(field, value):
    """Return the cell that a CSV file has in a column."""
    file = io.BytesIO()
    CommaSeparated(file, tags="map", change=None).write([json.dumps({**CALL, field: value}).encode()])
    [row] = csv.DictReader(io.StringIO(file.getvalue().decode(), newline=""))
    return row[field]


def test_what_a_parquet_file_has_of_its_columns():
    """Values that come again are in a dictionary; of times there are minima and maxima, and none of texts."""
    from pyarrow import parquet

    file = io.BytesIO()
    writer = Parquet(file, tags="map", change=None, codec="none")
    writer.write(
        [json.dumps({**CALL, "uuid": f"u-{n}", "status": "ok", "tags": {"a": "b"}}).encode() for n in range(9)]
    )
    writer.close()
    group = parquet.ParquetFile(io.BytesIO(file.getvalue())).metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    repeated = {name for name, one in columns.items() if "RLE_DICTIONARY" in one.encodings}
    assert {"status", "cid", "payout", "tags.key_value.key"} <= repeated
    assert repeated.isdisjoint(
        {"uuid", "caller", "recording_url", "created_at", "fired_pixels", "tags.key_value.value"}
    )
    assert columns["created_at"].statistics.min == columns["updated_at"].statistics.max == NOON
    assert columns["uuid"].statistics is None


@pytest.mark.parametrize(
    ("field", "value", "expected", "cell"),
    [
        ("end_time", "2026-01-05T07:00:00-05:00", NOON, "2026-01-05T07:00:00-05:00"),
        ("end_time", " 2026-01-05T12:00:00Z ", NOON, " 2026-01-05T12:00:00Z "),
        ("end_time", "2026-01-05T12:00:00", REFUSED, "2026-01-05T12:00:00"),
        ("end_time", "2026-01-05", REFUSED, "2026-01-05"),
        ("end_time", 20260105, REFUSED, "20260105"),
        ("end_time", "", None, ""),
        ("end_time", " ", None, ""),
        ("total_duration", 61, 61, "61"),
        ("total_duration", " 61 ", 61, "61"),
        ("total_duration", 61.0, 61, "61"),
        ("total_duration", 61.5, REFUSED, "61.5"),
        ("total_duration", True, REFUSED, "true"),
        ("total_duration", "", None, ""),
        ("total_duration", [], REFUSED, "[]"),
        ("revenue", "12.50", Decimal("12.5"), "12.50"),
        ("revenue", 12.5, Decimal("12.5"), "12.5"),
        ("revenue", False, REFUSED, "false"),
        ("revenue", "NaN", REFUSED, "NaN"),
        ("revenue", " ", None, ""),
        ("converted", " true", True, "true"),
        ("converted", "True", True, "true"),
        ("converted", 0, False, "false"),
        ("converted", "yes", REFUSED, "yes"),
        ("converted", "", None, ""),
        ("caller_zip", 80920, "80920", "80920"),
        ("caller_zip", True, "true", "true"),
        ("caller_zip", "", "", ""),
        ("caller_zip", " ", " ", " "),
        ("caller_zip", {"zip": "80920"}, REFUSED, '{"zip":"80920"}'),
        ("keys_pressed", ["1", "é"], '["1","é"]', '["1","é"]'),
        ("keys_pressed", "12", '"12"', '"12"'),
        ("keys_pressed", "", '""', '""'),
    ],
)
def test_all_formats_read_a_value_alike(field, value, expected, cell):
    """One table of conversions: Parquet and SQL refuse a value of another kind by name, CSV has it as it came."""
    assert (in_parquet(field, value), in_sql(field, value), in_csv(field, value)) == (expected, expected, cell)


@pytest.mark.parametrize("value", [True, 1, 1.5, "12.50", None])
def test_a_tag_is_the_same_text_in_all_formats(value):
    """With a row for each tag CSV and Parquet have one text; a table column of the tag has it as well."""
    call = json.dumps({**CALL, "tags": {"t": value}}).encode()
    text = {True: "true", None: ""}.get(value, str(value)) if value != 1 or value is True else "1"
    rows = rows_of(CommaSeparated, [call]), rows_of(Parquet, [call])
    assert [(row["tag_key"], row["tag_value"] or "") for found in rows for row in found] == [("t", text)] * 2
    columns = mapped({"id": "uuid", "changed": "updated_at", "x": {"field": "tags.t", "type": "text"}})
    assert (columns.values(json.loads(call))[2] or "") == text


def rows_of(kind, raws, tags="rows"):
    """Return the rows of a file as dictionaries, without columns that have no value."""
    file = io.BytesIO()
    more = {"codec": "none"} if kind is Parquet else {}
    writer = kind(file, tags=tags, change=None, **more)
    writer.write(raws)
    writer.close()
    if kind is Parquet:
        from pyarrow import parquet

        return parquet.read_table(io.BytesIO(file.getvalue())).to_pylist()
    if kind is JsonLines:
        return [json.loads(line) for line in file.getvalue().splitlines()]
    return list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))


class TestNamesOfOurs:
    """Fields of Retreaver's that are called like a column of ours are kept beside it."""

    RESERVED = {"tag_key": "theirs", "tag_value": 7, "other": {"deep": 1}, "odd": "x"}  # noqa: RUF012

    @pytest.mark.parametrize("kind", [CommaSeparated, Parquet])
    @pytest.mark.parametrize("tags", ["map", "rows"])
    def test_in_tables(self, kind, tags):
        """`other` has them, in both layouts of tags, and the tags are where they belong."""
        raws = [json.dumps({**CALL, **self.RESERVED, "tags": {"a": "1", "b": "2"}}).encode()]
        rows = rows_of(kind, raws, tags)
        assert [json.loads(row["other"]) for row in rows] == [self.RESERVED] * (2 if tags == "rows" else 1)
        if tags == "rows":
            assert [(row["tag_key"], row["tag_value"]) for row in rows] == [("a", "1"), ("b", "2")]
        else:
            assert "a" in str(rows[0]["tags"])

    def test_in_json_lines(self):
        """With a row for each tag such fields are below `other`; without, a call is as it came."""
        call = {**CALL, **self.RESERVED, "tags": {"a": "1"}}
        raws = [json.dumps(call).encode()]
        ours = {name: self.RESERVED[name] for name in ("tag_key", "tag_value", "other")}
        expected = {**CALL, "odd": "x", "other": ours, "tag_key": "a", "tag_value": "1"}
        assert rows_of(JsonLines, raws) == [expected]
        assert rows_of(JsonLines, raws, "map") == [call]

    @pytest.mark.parametrize("tags", ["map", "rows"])
    def test_tags_that_are_no_object(self, tags):
        """A CSV file has tags that are not as documented, too."""
        [row] = rows_of(CommaSeparated, [json.dumps({**CALL, "tags": ["a", "b"]}).encode()], tags)
        assert '["a","b"]' in (row["tags"] if tags == "map" else row["other"])

    @pytest.mark.parametrize(
        ("fields", "columns", "other"),
        [
            ({"campaign": {"name": "Roofs"}, "campaign_id": 5}, ("5", "Roofs"), ""),
            ({"campaign_id": 5, "campaign": {"name": "Roofs"}}, ("5", "Roofs"), ""),
            ({"campaign": {"id": 5, "name": "Roofs"}, "campaign_id": 5}, ("5", "Roofs"), ""),
            ({"campaign": {"id": None, "name": "Roofs"}, "campaign_id": 5}, ("5", "Roofs"), ""),
            ({"campaign": {"id": 6}, "campaign_id": 5}, ("5", ""), '{"campaign":{"id":6}}'),
            ({"campaign": {"id": 6, "name": "B"}, "campaign_name": "A"}, ("6", "A"), '{"campaign":{"name":"B"}}'),
            ({"campaign": {"id": 6, "zone": 1}, "campaign_id": None}, ("6", ""), '{"campaign":{"zone":1}}'),
        ],
    )
    def test_an_object_beside_a_field(self, fields, columns, other):
        """Version 4's `campaign` and version 2's `campaign_id` share a column; what differs is in `other`."""
        [row] = rows_of(CommaSeparated, [json.dumps({**CALL, **fields}).encode()], "map")
        assert ((row["campaign_id"], row["campaign_name"]), row["other"]) == (columns, other)
