"""Tables by drivers' own connections: the portable way, versions within a batch, what databases say."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, TableNotWritten
from airflow_provider_retreaver.domain.calls.sql_columns import mapped
from airflow_provider_retreaver.domain.calls.sql_dialects import MYSQL_UNIQUE, SQLITE, dialect_of
from airflow_provider_retreaver.transfers.call_table import CallTable

COLUMNS = mapped({"id": "uuid", "changed": "updated_at", "caller": "caller", "seconds": "total_duration"})
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
CREATE = "CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, changed TIMESTAMP, caller VARCHAR(20), seconds INTEGER)"


@pytest.fixture
def connection(tmp_path):
    """Give a SQLite connection that does not wait for locks."""
    with closing(sqlite3.connect(tmp_path / "calls.db", timeout=0)) as opened:
        yield opened


def row(uuid, minutes=0, caller="+17195220377", seconds=1):
    """Return a call's values, updated so many minutes after noon."""
    return uuid, None if minutes is None else NOON + timedelta(minutes=minutes), caller, seconds


def held(connection):
    """Return what the table holds, by uuid."""
    return {found[0]: found[1:] for found in connection.execute("SELECT id, caller, seconds FROM calls")}


@pytest.fixture(params=["sqlite", "db2"])
def table(request, connection):
    """Give a table of a database that is known, and of one that is not."""
    connection.execute(CREATE)
    opened = CallTable(connection, "calls", COLUMNS, dialect_of(request.param), "?")
    opened.prepare(create=False)
    return opened


@pytest.mark.filterwarnings("ignore:The default datetime adapter:DeprecationWarning")
class TestEverywhere:
    """What holds whichever way calls are put into the table."""

    def test_the_newest_of_several_versions_stays(self, table, connection):
        """Within a batch and between batches, whatever the order."""
        table.write([row("a", 5, seconds=5), row("a", 9, seconds=9), row("a", 7, seconds=7), row("b")])
        assert held(connection)["a"][1] == 9
        table.write([row("a", 8, seconds=8), row("b", 1, seconds=11)])
        table.write([row("a", None, seconds=0)])
        assert {uuid: values[1] for uuid, values in held(connection).items()} == {"a": 9, "b": 11}

    def test_of_one_time_the_version_that_was_read_later_stays(self, table, connection):
        """Within a batch and between batches; what is not known to have changed is not counted as changed."""
        assert table.write([row("a", seconds=1), row("a", seconds=2)]) == 1
        assert held(connection)["a"][1] == 2
        assert table.write([row("a", seconds=3)]) == (1 if table._dialect.name == "sqlite" else None)
        assert held(connection)["a"][1] == 3
        assert table.write([row("a", seconds=3)]) == (0 if table._dialect.name == "sqlite" else None)

    def test_a_version_of_unknown_time_gives_way(self, table, connection):
        """A row without a time is replaced by one that has one."""
        table.write([row("a", None, seconds=1)])
        table.write([row("a", 0, seconds=2)])
        assert held(connection)["a"][1] == 2

    def test_many_keys(self, table, connection):
        """More calls than keys in one statement are handled."""
        calls = [row(f"call-{number}") for number in range(1_203)]
        assert table.write(calls) == 1_203
        table.write([row(f"call-{number}", 1, seconds=2) for number in range(600, 1_203)])
        assert sum(values[1] for values in held(connection).values()) == 600 + 2 * 603

    def test_a_batch_that_fails_leaves_nothing(self, table, connection):
        """The call is found among many by its number and column, and no other of its batch is there."""
        connection.execute("CREATE TRIGGER odd BEFORE INSERT ON calls WHEN NEW.seconds > 99 "
                           "BEGIN SELECT RAISE(ABORT, 'too long for +17195220377'); END")  # fmt: skip
        calls = [row(f"call-{number}", seconds=100 if number == 71 else 1) for number in range(100)]
        with pytest.raises(TableNotWritten, match="call call-71, column seconds: too long for") as failed:
            table.write(calls)
        assert (failed.value.uuid, failed.value.column) == ("call-71", "seconds")
        assert "5220377" not in str(failed.value)
        assert held(connection) == {}

    def test_a_number_that_is_too_large_is_a_clash(self, table, connection):
        """What the driver itself cannot take is named as well."""
        with pytest.raises(TableNotWritten, match="call a, column seconds"):
            table.write([row("a", seconds=2**70), row("b")])
        assert held(connection) == {}

    def test_a_lock_is_no_clash(self, table, connection, tmp_path):
        """A database that cannot be written now is not searched for a bad call."""
        with closing(sqlite3.connect(tmp_path / "calls.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(
                TableNotWritten, match=r"database is locked\. The batch of 2 calls was rolled back"
            ) as failed:
                table.write([row("a"), row("b")])
        assert failed.value.uuid is None
        assert table.write([row("a"), row("b")]) == 2


def test_a_table_is_created_once(connection):
    """A table that is not there is created, one that is there is left as it is."""
    opened = CallTable(connection, "calls", COLUMNS, SQLITE, "?")
    opened.prepare(create=True)
    opened.write([row("a")])
    CallTable(connection, "calls", COLUMNS, SQLITE, "?").prepare(create=True)
    assert held(connection) == {"a": ("+17195220377", 1)}


def test_tables_of_unknown_databases_are_not_made_up(connection):
    """Where types are not known the table must be there; the sentence says what it needs."""
    opened = CallTable(connection, "calls", COLUMNS, dialect_of("db2"), "?")
    with pytest.raises(
        InvalidArgument, match=r"create it with id as its primary key and these columns: id \(text\), ch"
    ):
        opened.prepare(create=True)


def test_a_connection_of_no_driver_is_refused():
    """Something that is no PEP 249 connection is named by its module."""
    with pytest.raises(InvalidArgument, match="does not follow PEP 249"):
        CallTable(object(), "calls", COLUMNS, SQLITE)


class MySqlTalk:
    """Stands in for a driver of MySQL: notes statements, and answers what a server would."""

    Error = sqlite3.Error

    def __init__(self, unique):
        self.statements = []
        self._unique = unique
        self.description = [(name,) for name in COLUMNS.names]

    def cursor(self):
        """Return itself as a cursor."""
        return self

    def execute(self, statement, parameters=()):
        """Note a statement."""
        self.statements.append((statement, parameters))

    def executemany(self, statement, rows):
        """Note a statement and its rows."""
        self.statements.append((statement, rows))

    def fetchall(self):
        """RawPage how many unique keys there are."""
        return [(self._unique,)]

    def commit(self):
        """Note it."""
        self.statements.append(("COMMIT", ()))

    def rollback(self):
        """Do nothing: nothing is kept."""

    def close(self):
        """Do nothing: nothing is open."""


def test_mysql_is_asked_for_a_unique_key_first():
    """MySQL would insert calls twice into a table without a unique key: it is asked, and the table refused."""
    talk = MySqlTalk(unique=0)
    with pytest.raises(InvalidArgument, match="no unique key"):
        CallTable(talk, "reporting.calls", COLUMNS, dialect_of("mysql")).prepare(create=False)
    assert talk.statements[-1] == (MYSQL_UNIQUE, ("reporting", "calls", "id"))
    CallTable(MySqlTalk(unique=1), "calls", COLUMNS, dialect_of("mysql")).prepare(create=False)


def test_mysql_is_told_to_keep_the_newest():
    """One statement with an update that compares the old time before it replaces it; times are UTC without a zone."""
    talk = MySqlTalk(unique=1)
    table = CallTable(talk, "calls", COLUMNS, dialect_of("mysql"))
    assert table.write([row("a")]) is None
    newer = "`changed` IS NULL OR VALUES(`changed`) >= `changed`"
    assert talk.statements == [
        (
            (
                "INSERT INTO `calls` (`id`, `changed`, `caller`, `seconds`) VALUES (%s, %s, %s, %s) "
                f"ON DUPLICATE KEY UPDATE `caller` = IF({newer}, VALUES(`caller`), `caller`), "
                f"`seconds` = IF({newer}, VALUES(`seconds`), `seconds`), "
                f"`changed` = IF({newer}, VALUES(`changed`), `changed`)"
            ),
            [("a", datetime(2026, 1, 5, 12), "+17195220377", 1)],  # noqa: DTZ001 - as MySQL keeps it
        ),
        ("COMMIT", ()),
    ]
