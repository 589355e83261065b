"""Calls into a SQLite table: complete, idempotent, the newest version of each, clashes named, nothing half done."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError, TableNotWritten
from tests.airflow.support.account import KEY
from tests.airflow.support.call_tables import END, MAPPING, START, add_calls, change_call, to_sql

pytestmark = pytest.mark.airflow

WAREHOUSE = [
    "call_id", "caller_phone", "tracking_number", "destination_number", "campaign_id", "publisher_id",
    "call_duration", "call_status", "call_start_time", "call_answer_time", "call_end_time", "recording_url",
    "call_metadata", "call_updated_at",
]  # fmt: skip


class Warehouse:
    """A SQLite file, read and changed behind the operator's back."""

    def __init__(self, path):
        self.path = path

    def rows(self, sql="SELECT * FROM calls", *parameters):
        """Return rows as dictionaries; statements that change something are committed."""
        with closing(sqlite3.connect(self.path)) as database:
            database.row_factory = sqlite3.Row
            found = [dict(row) for row in database.execute(sql, parameters)]
            database.commit()
        return found


@pytest.fixture
def warehouse(tmp_path, monkeypatch):
    """Give an empty SQLite database, and the connection `warehouse` to it."""
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    return Warehouse(path)


def test_the_warehouse_schema_is_filled(account, warehouse):
    """Without a mapping the guide's columns come into being, each filled from what a call really says."""
    target = account.target("Acme", number="+19195550123")
    [uuid] = add_calls(
        account, target_id=target, caller="+17195220377", dialed_number="+18668987878", status="finished",
        connected=True, total_duration=204, tags={"source": "tv"}, revenue=22.5,
    )  # fmt: skip
    result = to_sql()
    [row] = warehouse.rows()
    assert list(row) == WAREHOUSE
    metadata = json.loads(row.pop("call_metadata"))
    assert {name: row[name] for name in WAREHOUSE[:4]} == {
        "call_id": uuid,
        "caller_phone": "+17195220377",
        "tracking_number": "+18668987878",
        "destination_number": "+19195550123",
    }
    assert (row["call_duration"], row["call_status"]) == (204, "completed")
    assert row["call_start_time"] == "2026-01-05 12:00:00.000000+00:00"
    assert metadata["retreaver_tags"] == {"source": "tv"}
    assert (metadata["status"], metadata["revenue"], metadata["target_id"]) == ("finished", 22.5, target)
    assert result == {
        "table": "calls", "rows": 1, "changed": 1, "batches": 1, "replaced": 0, "rejected": 0, "complete": True,
        "counted": 1, "reason": "", "start": START, "end": END, "by": "created_at",
    }  # fmt: skip


def test_every_call_comes_once_and_a_repeated_run_changes_nothing(account, warehouse):
    """Several pages and batches: as many rows as calls, and the same rows after a second run."""
    add_calls(account, 730)
    first = to_sql(batch_size=200)
    before = warehouse.rows("SELECT * FROM calls ORDER BY call_id")
    second = to_sql(batch_size="150")
    assert (first["rows"], first["changed"], first["batches"], first["complete"]) == (730, 730, 4, True)
    assert (second["rows"], second["changed"], second["batches"]) == (730, 0, 5)
    assert len(before) == 730
    assert warehouse.rows("SELECT * FROM calls ORDER BY call_id") == before


def test_targets_are_asked_for_only_when_a_column_needs_them(account, warehouse):
    """A mapping of one's own costs no request for targets; the warehouse schema costs one listing."""
    add_calls(account, 3, target_id=account.target())
    to_sql(mapping=MAPPING)
    assert not [path for path in account.sent() if "targets" in path]
    to_sql(table="other")
    assert len([path for path in account.sent() if "targets" in path]) == 1


def test_the_newest_version_wins(account, warehouse):
    """A call that changed replaces its row; an older version that comes late does not."""
    one, two = add_calls(account, 2, status="finished")
    to_sql(mapping=MAPPING)
    change_call(account, one, revenue=99.5, converted=True)
    warehouse.rows("UPDATE calls SET changed = '2099-01-01 00:00:00.000000+00:00', revenue = 1 WHERE id = ?", two)
    result = to_sql(mapping=MAPPING)
    rows = {row["id"]: row for row in warehouse.rows()}
    assert (rows[one]["revenue"], rows[one]["converted"]) == (99.5, 1)
    assert rows[two]["revenue"] == 1
    assert result["changed"] == 1


def test_of_two_versions_of_one_time_the_later_read_one_wins(account, warehouse):
    """A change that only JSON shows, with the same `updated_at`, is written once and counted."""
    [one, _] = add_calls(account, 2, tags={"source": "tv"}, updated_at="2026-01-05T20:00:00Z")
    to_sql(mapping=MAPPING)
    change_call(account, one, tags={"source": "radio"}, updated_at="2026-01-05T20:00:00Z")
    assert [to_sql(mapping=MAPPING)["changed"] for _ in range(2)] == [1, 0]
    [row] = warehouse.rows("SELECT tags FROM calls WHERE id = ?", one)
    assert json.loads(row["tags"]) == {"source": "radio"}


def test_calls_by_the_time_of_their_update(account, warehouse):
    """`by="updated_at"` finds a call of long ago that was changed in the window; `lookback` widens it."""
    [uuid] = add_calls(account)
    add_calls(account, 5)
    change_call(account, uuid, revenue=7, updated_at="2026-01-06T10:00:00Z")
    to_sql(mapping=MAPPING, by="updated_at", start="2026-01-06T09:00:00Z", end="2026-01-06T11:00:00Z")
    assert [row["id"] for row in warehouse.rows()] == [uuid]
    narrow = {"start": "2026-01-06T10:30:00Z", "end": "2026-01-06T11:00:00Z", "by": "updated_at", "mapping": MAPPING}
    assert to_sql(table="narrow", **narrow)["rows"] == 0
    assert to_sql(table="narrow", lookback="1h", **narrow)["rows"] == 1


def test_the_data_interval_is_the_default(account, warehouse):
    """Without start and end the run's data interval is meant."""
    import pendulum

    add_calls(account, 4)
    context = {
        "data_interval_start": pendulum.datetime(2026, 1, 5), "data_interval_end": pendulum.datetime(2026, 1, 5, 12),
    }  # fmt: skip
    assert to_sql(context, mapping=MAPPING, start=None, end=None)["rows"] == 2


def test_callers_are_hidden(account, warehouse, monkeypatch):
    """With `hash` no digit of a caller reaches the table or the result, metadata included."""
    secret = "a pepper of sufficient length"
    monkeypatch.setenv("AIRFLOW_CONN_PEPPER", json.dumps({"conn_type": "generic", "password": secret}))
    add_calls(account, caller="+17195220377", tags={"phone": "719-522-0377"})
    to_sql(phone_numbers="hash", phone_numbers_conn_id="pepper")
    [row] = warehouse.rows()
    assert len(row["caller_phone"]) == 64
    assert json.loads(row["call_metadata"])["retreaver_tags"] == {"phone": row["caller_phone"]}
    assert "5220377" not in json.dumps(row)


def test_no_number_and_no_key_is_logged(account, warehouse, caplog, capsys):
    """Neither a caller's number nor the key stands in any log, also when the load fails."""
    caplog.set_level(logging.DEBUG)
    add_calls(account, caller="+17195220377")
    to_sql()
    with pytest.raises(TableNotWritten) as failed:
        to_sql(table="wrong", mapping={**MAPPING, "caller": {"field": "caller", "type": "boolean"}})
    # The sandbox, which runs in this process, is the server: its own log does not count.
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn"))
    assert "calls were read" in ours
    ours += "\n".join(line for line in capsys.readouterr().out.splitlines() if "uvicorn" not in line)
    assert "5220377" not in ours + str(failed.value)
    assert KEY not in ours


def test_a_clash_of_types_names_call_and_column(account, warehouse):
    """A value that its column cannot hold is named with the call; the batch is not written, those before it are."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    uuids = add_calls(account, 250)
    change_call(account, uuids[220], tags={"zip": "80920"}, updated_at="2026-01-05T13:00:00Z")
    mapping = {**MAPPING, "tags": {"field": "tags.zip", "type": "timestamp"}}
    with pytest.raises(
        TableNotWritten, match=f"Call {uuids[220]}: column tags \\(timestamp\\) cannot hold '80920'"
    ) as failed:
        to_sql(mapping=mapping, batch_size=100)
    assert (failed.value.uuid, failed.value.column) == (uuids[220], "tags")
    assert isinstance(failed.value, AirflowFailException)
    assert failed.value.__context__ is None
    assert len(warehouse.rows()) == 200


def test_calls_that_the_table_cannot_hold_are_left_out(account, warehouse, caplog):
    """Up to `max_rejects` calls are named in the log and counted; the others are there, and `complete` is false."""
    uuids = add_calls(account, 250)
    for uuid in uuids[100:102]:
        change_call(account, uuid, tags={"zip": "80920"})
    mapping = {**MAPPING, "tags": {"field": "tags.zip", "type": "timestamp"}}
    with pytest.raises(TableNotWritten, match="column tags"):
        to_sql(mapping=mapping, max_rejects=1)
    result = to_sql(mapping=mapping, max_rejects="2")
    assert (result["rows"], result["rejected"], result["complete"]) == (250, 2, False)
    assert result["reason"].startswith(f"the table cannot hold 2 calls, first call {uuids[100]}, column tags: ")
    assert f"Left out: call {uuids[101]}, column tags: (timestamp) cannot hold" in caplog.text
    assert {row["id"] for row in warehouse.rows()} == set(uuids) - set(uuids[100:102])


def test_the_number_of_a_deleted_target_stays(account, warehouse):
    """A window that is loaded again keeps the number that a call was sent to; another target's is not taken."""
    targets = [account.target("Acme", number="+19195550123"), account.target("Bolt", number="+19195550124")]
    uuids = add_calls(account, 3, target_id=targets[0])
    to_sql()
    change_call(account, uuids[1], revenue=7)
    change_call(account, uuids[2], target_id=targets[1])
    for target in targets:
        account.delete_target(target)
    assert to_sql()["changed"] == 2
    assert {row["call_id"]: row["destination_number"] for row in warehouse.rows()} == {
        uuids[0]: "+19195550123", uuids[1]: "+19195550123", uuids[2]: None,
    }  # fmt: skip


@pytest.mark.parametrize("number", ["(919) 555-0123", "919·555·0123", "%28919%29+555-0123"])
def test_a_number_in_a_wrong_column_is_masked(account, warehouse, number):
    """A phone number, however it is written, is not quoted by the error about its column, ours or the database's."""
    add_calls(account, tags={"phone": number})
    mapping = {"id": "uuid", "changed": "updated_at", "phone": {"field": "tags.phone", "type": "integer"}}
    with pytest.raises(TableNotWritten, match="column phone") as ours:
        to_sql(mapping=mapping)
    warehouse.rows("DROP TABLE calls")
    warehouse.rows("CREATE TABLE calls (id TEXT PRIMARY KEY, changed TEXT, phone TEXT)")
    warehouse.rows("CREATE TRIGGER quotes BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, '" + number + "'); END")
    mapping["phone"]["type"] = "text"
    with pytest.raises(TableNotWritten, match="does not accept call") as theirs:
        to_sql(mapping=mapping)
    for error in (ours, theirs):
        assert "0123" not in str(error.value)
        assert "…23" in str(error.value)


def test_what_the_database_refuses_is_named_too(account, warehouse):
    """A constraint of a table that was there already: call and column are found, the batch is rolled back."""
    uuids = add_calls(account, 40, total_duration=50)
    change_call(account, uuids[33], total_duration=5000)
    names = ", ".join(f"{name} TEXT" for name in MAPPING if name not in {"id", "seconds"})
    warehouse.rows(f"CREATE TABLE calls (id TEXT PRIMARY KEY, seconds INTEGER CHECK (seconds < 4000), {names})")
    with pytest.raises(TableNotWritten, match=f"does not accept call {uuids[33]}, column seconds: CHECK constraint"):
        to_sql(mapping=MAPPING)
    assert warehouse.rows() == []


def test_a_database_that_cannot_be_written_now_is_tried_again(account, warehouse, monkeypatch):
    """A lock is neither a wrong parameter nor a bad call: Airflow retries the task."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    connection = {"conn_type": "sqlite", "host": str(warehouse.path), "extra": {"timeout": 0}}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    add_calls(account, 3)
    with closing(sqlite3.connect(warehouse.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TableNotWritten, match="database is locked") as failed:
            to_sql(mapping=MAPPING)
    assert not isinstance(failed.value, AirflowFailException)
    assert account.sent() == []
    assert to_sql(mapping=MAPPING)["changed"] == 3


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"start": END, "end": START}, "end .* must be after start"),
        ({"start": "2026-01-05T00:00:00"}, "start must be RFC 3339 with an offset"),
        ({"start": "2099-01-01", "end": "2099-01-02"}, "start .* is in the future"),
        ({"filters": {"buyer": "A7"}}, "'buyer' is not a documented filter"),
        ({"by": "ended_at"}, "by must be one of"),
        ({"version": "v9"}, "version must be one of"),
        ({"table": "calls; DROP TABLE x"}, "table must be a name"),
        ({"batch_size": 0}, "batch_size must be a whole number"),
        ({"max_rejects": -1}, "max_rejects must be a whole number"),
        ({"mapping": {"id": "uuid"}}, "no column for the field 'updated_at'"),
        ({"phone_numbers": "hash"}, "needs phone_numbers_conn_id"),
        ({"create_table": "perhaps"}, "create_table must be true or false"),
        ({"create_table": False}, "Table calls does not exist or cannot be read .*no such table"),
        ({"sql_conn_id": "web"}, "is not a SQL connection"),
    ],
)
def test_bad_input_is_refused_before_the_first_request(account, warehouse, monkeypatch, parameters, named):
    """Wrong input is named, and nothing is sent."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    monkeypatch.setenv("AIRFLOW_CONN_WEB", json.dumps({"conn_type": "http", "host": "127.0.0.1"}))
    with pytest.raises(InvalidArgument, match=named) as refused:
        to_sql(**parameters)
    assert isinstance(refused.value, AirflowFailException)
    assert account.sent() == []


@pytest.mark.parametrize(
    ("create", "named"),
    [
        ("CREATE TABLE calls (id TEXT PRIMARY KEY, changed TEXT)", "has no column caller, seconds"),
        (
            "CREATE TABLE calls (id TEXT, changed, caller, seconds, revenue, converted, tags)",
            "does not accept calls by id .*make id its primary key",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused_before_the_first_request(account, warehouse, create, named):
    """A missing column or key is named, and nothing is sent."""
    warehouse.rows(create)
    with pytest.raises(InvalidArgument, match=named):
        to_sql(mapping=MAPPING)
    assert account.sent() == []


def test_a_table_of_ones_own_with_more_columns_is_filled(account, warehouse):
    """Columns that the mapping does not know keep what they hold."""
    [uuid] = add_calls(account)
    warehouse.rows("CREATE TABLE calls (id TEXT PRIMARY KEY, note TEXT DEFAULT 'new', changed TEXT)")
    mapping = {"id": "uuid", "changed": "updated_at"}
    to_sql(mapping=mapping, create_table=False)
    warehouse.rows("UPDATE calls SET note = 'seen'")
    change_call(account, uuid, revenue=3)
    to_sql(mapping=mapping)
    assert [(row["id"], row["note"]) for row in warehouse.rows()] == [(uuid, "seen")]


def test_a_broken_listing_fails_the_task(account, warehouse):
    """When a page cannot be had the task fails; what was put in stays, and a retry completes it."""
    add_calls(account, 400)
    account.fault("/calls.json", method="GET", times=1, status=200, body="[]")
    account.fault("/calls.json", method="GET", times=200, status=500)
    with pytest.raises(RetreaverError, match="answered 500"):
        to_sql(mapping=MAPPING)
    account.clear_faults()
    assert to_sql(mapping=MAPPING)["complete"]
    assert len(warehouse.rows()) == 400


def test_a_database_that_cannot_be_written_is_found_before_the_first_request(account, warehouse, monkeypatch):
    """A read-only database is named, and nothing is sent."""
    warehouse.rows(f"CREATE TABLE calls (id TEXT PRIMARY KEY, {', '.join(list(MAPPING)[1:])})")
    connection = {"conn_type": "sqlite", "host": str(warehouse.path), "extra": {"mode": "ro"}}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    with pytest.raises(InvalidArgument, match=r"does not accept calls by id .*readonly database"):
        to_sql(mapping=MAPPING)
    assert account.sent() == []


def test_half_a_character_stops_no_load(account, warehouse):
    """A tag that was cut amid an emoji, with a healthy call beside it: both are there, and the result counts it."""
    one, two = add_calls(account, 2)
    times = '"created_at": "2026-01-05T12:00:00Z", "updated_at": "2026-01-05T12:00:00Z"'
    body = f'[{{"uuid": "{one}", "tags": {{"a": "cut \\ud83d"}}, {times}}}, {{"uuid": "{two}", {times}}}]'
    account.fault("/calls.json", method="GET", times=50, status=200, body=body)
    result = to_sql(start="2026-01-05T11:50:00Z", end="2026-01-05T12:10:00Z")
    assert (result["rows"], result["replaced"], result["rejected"], result["complete"]) == (2, 1, 0, True)
    metadata = {row["call_id"]: json.loads(row["call_metadata"]) for row in warehouse.rows()}
    assert (set(metadata), metadata[one]["retreaver_tags"]) == ({one, two}, {"a": "cut \ufffd"})


def test_a_window_that_has_not_ended_is_reported_as_incomplete(account, warehouse):
    """A window that ends in the future is loaded and reported as incomplete."""
    account._control("POST", "calls", {"count": 3})
    result = to_sql(mapping=MAPPING, start="2026-01-01", end="2099-01-01")
    assert (result["rows"], result["complete"], result["counted"]) == (3, False, None)
    assert "not settled" in result["reason"]
