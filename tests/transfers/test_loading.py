"""Putting pages into a table, and saying how far it is."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, TableNotWritten
from airflow_provider_retreaver.domain.calls.caller_privacy import phone_transform
from airflow_provider_retreaver.domain.calls.export import CallPage, Completeness
from airflow_provider_retreaver.domain.calls.export_progress import ExportProgress, export_progress_logger
from airflow_provider_retreaver.domain.calls.page import CallKeys
from airflow_provider_retreaver.domain.calls.sql_columns import Column, mapped
from airflow_provider_retreaver.domain.calls.sql_dialects import SQLITE
from airflow_provider_retreaver.transfers.call_loading import Loading
from airflow_provider_retreaver.transfers.call_table import CallTable
from airflow_provider_retreaver.transfers.database_session import Database

COLUMNS = mapped({"id": "uuid", "changed": "updated_at", "seconds": "total_duration"})


class Pages(list):
    """An export that has been read: its pages."""

    completeness = Completeness(proved=True, rows=3, counted=3, readings=2)


def page(*uuids, minute=0, restart=False, **fields):
    """Return a page of calls that were updated in a minute of an hour."""
    rows = [{"uuid": uuid, "updated_at": f"2026-01-05T12:{minute:02}:00Z", **fields} for uuid in uuids]
    return raw_page(*(json.dumps(row).encode() for row in rows), uuids=uuids, restart=restart)


def raw_page(*raws, uuids, restart=False):
    """Return a page of calls as they were sent."""
    return CallPage(keys=[CallKeys(uuid) for uuid in uuids], rows=raws, restart=restart)


@pytest.fixture
def connection(tmp_path):
    """Give a connection to an empty database."""
    with closing(sqlite3.connect(tmp_path / "calls.db")) as opened:
        yield opened


@pytest.fixture
def table(connection, tmp_path):
    """Give a table in it, which opens connections of its own."""
    made = CallTable(Database(lambda: sqlite3.connect(tmp_path / "calls.db"), SQLITE, "?"), "calls", COLUMNS)
    made.prepare(create=True)
    return made


def held(connection):
    """Return what the table holds."""
    return dict(connection.execute("SELECT id, changed FROM calls"))


def test_a_call_log_that_moved_is_counted_once(table, connection):
    """After a restart calls come again: rows are counted anew, and the newest versions stay."""
    pages = Pages([page("a", "b"), page("b", "c", "a", minute=5, restart=True), page("d")])
    result = Loading(table, COLUMNS, None, 2).all_of(pages)
    assert result["rows"] == 4
    assert held(connection) == {
        "a": "2026-01-05 12:05:00.000000+00:00",
        "b": "2026-01-05 12:05:00.000000+00:00",
        "c": "2026-01-05 12:05:00.000000+00:00",
        "d": "2026-01-05 12:00:00.000000+00:00",
    }


def test_batches_are_of_the_size_that_was_asked_for(table, connection):
    """Batches are filled across pages; nothing to load is no batch."""
    assert Loading(table, COLUMNS, None, 3).all_of(Pages([page("a", "b"), page("c", "d"), page("e", "f", "g")])) == {
        "rows": 7, "changed": 7, "batches": 3, "replaced": 0, "rejected": 0,
    }  # fmt: skip
    assert Loading(table, COLUMNS, None, 3).all_of(Pages([]))["batches"] == 0


def test_the_next_page_is_read_while_a_batch_is_written(table, tmp_path, connection):
    """A batch is committed after the next page was asked for, and both are there in the end."""
    asked = threading.Event()

    class Waits(sqlite3.Connection):
        def commit(self):
            assert not self.total_changes or asked.wait(60)
            super().commit()

    class Asks(Pages):
        def __iter__(self):
            yield page("a", "b")
            asked.set()
            yield page("c")

    overlapping = CallTable(
        Database(lambda: sqlite3.connect(tmp_path / "calls.db", factory=Waits), SQLITE, "?"), "calls", COLUMNS
    )
    assert Loading(overlapping, COLUMNS, None, 2).all_of(Asks())["batches"] == 2
    assert set(held(connection)) == {"a", "b", "c"}


def test_a_failed_reading_leaves_the_batch_before_it(table, connection):
    """What was being written is completed; if that fails, its error is the one that is raised."""

    class Fails(Pages):
        def __iter__(self):
            yield from super().__iter__()
            raise InvalidArgument("the next page")

    with pytest.raises(InvalidArgument, match="the next page"):
        Loading(table, COLUMNS, None, 2).all_of(Fails([page("a", "b")]))
    assert set(held(connection)) == {"a", "b"}
    connection.execute("CREATE TRIGGER no BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'not this one'); END")
    with pytest.raises(TableNotWritten, match="not this one") as failed:
        Loading(table, COLUMNS, None, 2).all_of(Fails([page("c", "d")]))
    assert failed.value.__context__ is None


def test_a_clash_leaves_the_batches_before_it(table, connection):
    """What was written stays; the batch with the call that clashes is not begun."""
    pages = Pages([page("a", "b"), page("c"), page("d", total_duration="long")])
    with pytest.raises(TableNotWritten, match=r"Call d: column seconds \(integer\) cannot hold 'long'"):
        Loading(table, COLUMNS, None, 2).all_of(pages)
    assert set(held(connection)) == {"a", "b"}


DEEP = b'{"uuid": "deep", "updated_at": "2026-01-05T12:00:00Z", "tags": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def test_a_call_that_cannot_be_parsed_is_named_or_left_out(table, connection):
    """Thousands of levels are no bare error: the call is named, or the others are there without it."""
    pages = Pages([raw_page(b'{"uuid": "a"}', DEEP, b'{"uuid": "b"}', uuids=["a", "deep", "b"])])
    with pytest.raises(TableNotWritten, match=r"Call deep: it is nested too deeply\. .*max_rejects") as failed:
        Loading(table, COLUMNS, None, 2).all_of(pages)
    assert (failed.value.uuid, failed.value.__context__) == ("deep", None)
    for hide in (None, phone_transform("mask")):
        assert Loading(table, COLUMNS, hide, 2, 1).all_of(pages)["rejected"] == 1
    assert set(held(connection)) == {"a", "b"}


def test_an_error_of_a_request_is_no_odd_call(table):
    """What fails while a column is read, such as the list of targets, is raised as it is."""

    def fails(_call):
        raise InvalidArgument("the list of targets")

    columns = replace(COLUMNS, columns=(*COLUMNS.columns[:2], Column("seconds", "integer", fails)))
    with pytest.raises(InvalidArgument, match="the list of targets"):
        Loading(table, columns, None, 2, 1).all_of(Pages([page("a")]))


def test_calls_that_come_again_are_rejected_once(table, connection, caplog):
    """After a restart only the calls of the second reading count, those left out as well."""
    pages = Pages([page("a", total_duration="odd"), page("b"), page("a", "b", minute=5, restart=True)])
    loading = Loading(table, COLUMNS, None, 2, 1)
    assert loading.all_of(pages)["rejected"] == 0
    assert set(held(connection)) == {"a", "b"}
    pages = Pages([page("c", total_duration="odd"), page("c", total_duration="odd"), page("d")])
    assert (loading.all_of(pages)["rejected"], caplog.text.count("Left out: call c")) == (1, 1)


def test_progress_is_logged_every_ten_seconds(caplog):
    """Rows, pages, speed and time left; no line in between."""
    caplog.set_level(logging.INFO, "airflow_provider_retreaver")
    now = iter([0.0, 4.0, 10.0, 12.0, 19.0, 20.0])
    progress = export_progress_logger(clock=lambda: next(now))
    for pages in range(1, 6):
        progress(ExportProgress(rows=100 * pages, pages=pages, of_pages=10 if pages > 2 else None))
    assert [record.getMessage() for record in caplog.records] == [
        "Calls: 200 so far, 20.0 a second; page 2 of ?",
        "Calls: 500 of 1,000 (50%), 25.0 a second, about 20 s left; page 5 of 10",
    ]
