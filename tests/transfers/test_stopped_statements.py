"""Statements of a database that do not return, in a task that is told to stop."""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest

from airflow_provider_retreaver.domain.calls.export import CallPage
from airflow_provider_retreaver.domain.calls.page import CallKeys
from airflow_provider_retreaver.domain.calls.sql_columns import mapped
from airflow_provider_retreaver.domain.calls.sql_dialects import SQLITE, dialect_of
from airflow_provider_retreaver.hooks.sql_thread import DatabaseThread
from airflow_provider_retreaver.transfers.call_loading import Loading
from airflow_provider_retreaver.transfers.call_table import CallTable
from airflow_provider_retreaver.transfers.database_session import Database
from tests.stopping import threads_left, until_told_to_stop

COLUMNS = mapped({"id": "uuid", "changed": "updated_at", "seconds": "total_duration"})
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
# An insert of a call with this many seconds does not return.
SLOW = 99
SCHEMA = f"""
CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, changed TIMESTAMP, seconds INTEGER);
CREATE VIEW endless AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c;
CREATE TRIGGER slow AFTER INSERT ON calls WHEN new.seconds = {SLOW} BEGIN SELECT count(*) FROM endless; END;
"""


@pytest.fixture
def file(tmp_path):
    """Give a SQLite database with a table that takes calls of `SLOW` seconds for ever."""
    path = tmp_path / "calls.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA)
    return path


@pytest.mark.filterwarnings("ignore:The default datetime adapter:DeprecationWarning")
@pytest.mark.parametrize("dialect", ["sqlite", "db2"])
def test_a_statement_is_ended_and_rolled_back(file, caplog, dialect):
    """It ends when the task is told to, in whichever way calls are written; nothing of the batch is there."""
    database = Database(lambda: sqlite3.connect(file), SQLITE if dialect == "sqlite" else dialect_of(dialect), "?")
    table = CallTable(database, "calls", COLUMNS)
    table.prepare(create=False)
    table.write([("a", NOON, 1)])
    batch = [("b", NOON, 2), ("c", NOON, SLOW)]
    assert until_told_to_stop(0.5, lambda: table.write(batch)) is None
    assert "its statement was ended, and its transaction rolled back" in caplog.text
    with closing(sqlite3.connect(file, timeout=0)) as connection:
        assert connection.execute("SELECT id FROM calls").fetchall() == [("a",)]
        # No lock is left either.
        connection.execute("DELETE FROM calls")


def test_a_batch_is_ended_while_the_next_page_is_read(file, caplog):
    """A task that is told to stop while it waits for a page rolls back what it was writing."""
    table = CallTable(Database(lambda: sqlite3.connect(file), SQLITE, "?"), "calls", COLUMNS)
    table.prepare(create=False)

    def pages():
        raws = [b'{"uuid":"%s","total_duration":%d}' % pair for pair in ((b"b", 2), (b"c", SLOW))]
        yield CallPage([CallKeys("b"), CallKeys("c")], raws)
        threading.Event().wait(30)

    assert until_told_to_stop(0.5, lambda: Loading(table, COLUMNS, None, 2).all_of(pages())) is None
    assert "its statement was ended, and its transaction rolled back" in caplog.text
    with closing(sqlite3.connect(file, timeout=0)) as connection:
        assert connection.execute("SELECT id FROM calls").fetchall() == []


class Driver:
    """Stands in for a driver whose statements return when the server ends them, or never."""

    class Error(Exception):
        """Of the driver."""

    def __init__(self, calls, ended, returns=True, **own):
        self._calls, self._ended, self._returns = calls, ended, returns
        for name, value in own.items():
            setattr(self, name, value)

    def cursor(self):
        """Return itself as a cursor."""
        return self

    def execute(self, statement):
        """Wait for the end of the statement; `KILL` ends it."""
        self._calls.append(statement)
        if statement.startswith("KILL"):
            self._ended.set()
            return
        self._ended.wait(30)
        if self._returns:
            raise self.Error("ended")
        threading.Event().wait(30)

    def close(self):
        """Close it; that ends its statement too."""
        self._calls.append("close")
        self._ended.set()


def stopped(connect, library=None):
    """Execute a statement in a task that is told to stop."""

    def work():
        with DatabaseThread(connect) as thread:
            thread.run(lambda connection: connection.cursor().execute("INSERT"))

    return until_told_to_stop(0.3, work, library)


@pytest.mark.parametrize(
    "own",
    [{"thread_id": lambda: 7}, {"connection_id": 7}],
    ids=["mysqlclient and PyMySQL", "mysql-connector-python"],
)
def test_mysql_is_told_to_kill(own):
    """MySQL's drivers cannot end a statement of their own connection, nor name it meanwhile: another one ends it."""
    calls, ended = [], threading.Event()
    if "thread_id" in own:

        def thread_id():
            assert calls == [], "mysqlclient answers no other thread while a statement runs"
            return 7

        own = {"thread_id": thread_id}
    assert stopped(lambda: Driver(calls, ended, **own)) is None
    assert calls[:2] == ["INSERT", "KILL 7"]


def test_cancel_of_the_connection():
    """A driver's own `cancel` is called where there is one."""
    calls, ended = [], threading.Event()
    assert stopped(lambda: Driver(calls, ended, cancel=ended.set)) is None
    assert calls == ["INSERT", "close"]


def test_a_driver_that_can_do_nothing_else_is_closed():
    """Closing the connection ends the statement."""
    calls, ended = [], threading.Event()
    assert stopped(lambda: Driver(calls, ended)) is None
    assert calls[:2] == ["INSERT", "close"]


def test_a_driver_that_does_not_return_does_not_hold_the_task(caplog):
    """Its thread is a daemon, which keeps no process, and it commits nothing."""
    release, commits = threading.Event(), []

    class Deaf(Driver):
        def execute(self, statement):
            commits.clear()
            release.wait(300)

        def commit(self):
            commits.append("commit")

        def rollback(self):
            """Do nothing."""

    def work():
        database = Database(lambda: Deaf([], threading.Event(), cancel=lambda: None), dialect_of("db2"))
        with database.session() as session:
            session.attempt(lambda cursor: cursor.execute("INSERT"), commit=True)

    caplog.set_level(logging.WARNING)
    assert until_told_to_stop(0.3, work, "retreaver-database") is None
    assert "does not return: its thread is left behind and commits nothing" in caplog.text
    left = [thread for thread in threading.enumerate() if thread.name.startswith("retreaver-database")]
    assert left
    assert all(thread.daemon for thread in left)
    release.set()
    assert threads_left() == []
    assert commits == []


def test_a_server_that_does_not_answer_holds_no_task():
    """A connection that is not made holds the task as little as a statement."""
    release = threading.Event()
    assert stopped(lambda: release.wait(300), "retreaver-database") is None
    assert any(thread.name.startswith("retreaver-database") for thread in threading.enumerate())
    release.set()
    assert threads_left() == []
