"""Tables by drivers' own connections: the portable way, versions within a batch, what databases say."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, TableNotWritten
from airflow_provider_retreaver.domain.calls.sql_catalog import MYSQL_UNIQUE
from airflow_provider_retreaver.domain.calls.sql_columns import mapped
from airflow_provider_retreaver.domain.calls.sql_dialects import SQLITE, dialect_of
from airflow_provider_retreaver.transfers.call_table import CallTable
from airflow_provider_retreaver.transfers.database_errors import Failure
from airflow_provider_retreaver.transfers.database_session import Database

COLUMNS = mapped({"id": "uuid", "changed": "updated_at", "caller": "caller", "seconds": "total_duration"})
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
CREATE = "CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, changed TIMESTAMP, caller VARCHAR(20), seconds INTEGER)"


@pytest.fixture
def file(tmp_path):
    """Give the path of a SQLite database."""
    return tmp_path / "calls.db"


@pytest.fixture
def connection(file):
    """Give a connection to it, for a look from outside."""
    with closing(sqlite3.connect(file, timeout=0)) as opened:
        yield opened


def table_in(file, dialect=SQLITE, columns=COLUMNS):
    """Return the table of a database, whose connections do not wait for locks."""
    return CallTable(Database(lambda: sqlite3.connect(file, timeout=0), dialect, "?"), "calls", columns)


def row(uuid, minutes=0, caller="+17195220377", seconds=1):
    """Return a call's values, updated so many minutes after noon."""
    return uuid, None if minutes is None else NOON + timedelta(minutes=minutes), caller, seconds


def held(connection):
    """Return what the table holds, by uuid."""
    return {found[0]: found[1:] for found in connection.execute("SELECT id, caller, seconds FROM calls")}


@pytest.fixture(params=["sqlite", "db2"])
def table(request, connection, file):
    """Give a table of a database that is known, and of one that is not."""
    connection.execute(CREATE)
    opened = table_in(file, dialect_of(request.param))
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
        assert table.write([row("a", seconds=3)]) == (1 if table._database.dialect.name == "sqlite" else None)
        assert held(connection)["a"][1] == 3
        assert table.write([row("a", seconds=3)]) == (0 if table._database.dialect.name == "sqlite" else None)

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


def test_a_version_that_is_no_time_is_named(connection, file):
    """A table whose times somebody else has written as something else is left alone."""
    connection.execute(CREATE)
    connection.execute("INSERT INTO calls VALUES ('a', 'yesterday', '', 1)")
    connection.commit()
    table = table_in(file, dialect_of("db2"))
    table.prepare(create=False)
    with pytest.raises(InvalidArgument, match="a version in the table is 'yesterday'"):
        table.write([row("a")])
    assert held(connection) == {"a": ("", 1)}


def test_a_table_is_created_once(connection, file):
    """A table that is not there is created, one that is there is left as it is."""
    opened = table_in(file)
    opened.prepare(create=True)
    opened.write([row("a")])
    table_in(file).prepare(create=True)
    assert held(connection) == {"a": ("+17195220377", 1)}


def test_tables_of_unknown_databases_are_not_made_up(file):
    """Where types are not known the table must be there; the sentence says what it needs."""
    opened = table_in(file, dialect_of("db2"))
    with pytest.raises(
        InvalidArgument, match=r"create it with id as its primary key and these columns: id \(text\), ch"
    ):
        opened.prepare(create=True)


def test_a_connection_of_no_driver_is_refused():
    """Something that is no PEP 249 connection is named by its module."""
    with pytest.raises(InvalidArgument, match="does not follow PEP 249"):
        CallTable(Database(object, SQLITE), "calls", COLUMNS).prepare(create=True)


class MySqlTalk:
    """Stands in for a driver of MySQL: notes statements, and answers what the server would."""

    Error = sqlite3.Error

    def __init__(self, keys):
        self.statements = []
        self._answers = {"information_schema.statistics": keys}
        self._answer = []
        self.description = [(name,) for name in COLUMNS.names]

    def cursor(self):
        """Return itself as a cursor."""
        return self

    def execute(self, statement, parameters=()):
        """Note a statement."""
        self.statements.append((statement, parameters))
        self._answer = next((rows for name, rows in self._answers.items() if name in statement), [])

    def executemany(self, statement, rows):
        """Note a statement and its rows."""
        self.statements.append((statement, rows))

    def fetchall(self):
        """Return the rows of the last statement."""
        return self._answer

    def commit(self):
        """Note it."""
        self.statements.append(("COMMIT", ()))

    def rollback(self):
        """Do nothing: nothing is kept."""

    def close(self):
        """Do nothing: nothing is open."""


def mysql_table(talk, name="calls"):
    """Return a table of MySQL."""
    return CallTable(Database(lambda: talk, dialect_of("mysql")), name, COLUMNS)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ([], "does not accept calls by id .*no unique key"),
        ([("PRIMARY", "seconds", None, 0)], "no unique key"),
        ([("PRIMARY", "id", 10, 0)], "no unique key"),
        ([("PRIMARY", "id", None, 0), ("by_caller", "caller", None, 0)], r"another unique key \(by_caller\)"),
        ([("PRIMARY", "id", None, 0), ("short", "id", 10, 0)], r"another unique key \(short\)"),
    ],
)
def test_mysql_tables_whose_keys_would_mix_calls_are_refused(keys, named):
    """MySQL's upsert acts on any unique key: the server is asked for all of them, and only the call's may be one."""
    talk = MySqlTalk(keys)
    with pytest.raises(InvalidArgument, match=named):
        mysql_table(talk, "reporting.calls").prepare(create=False)
    assert talk.statements[-1] == (MYSQL_UNIQUE, ("reporting", "calls"))


@pytest.mark.parametrize(
    "keys",
    [
        [("PRIMARY", "id", None, 0)],
        [("PRIMARY", "ID", None, 0), ("both", "id", None, 0), ("both", "caller", None, 0)],
        [("PRIMARY", "row_number", None, 1), (b"call", b"id", None, None)],
    ],
)
def test_mysql_tables_whose_keys_are_harmless_are_accepted(keys):
    """A key that contains the call's, or one that the server counts up, never acts for another call."""
    talk = MySqlTalk(keys)
    mysql_table(talk).prepare(create=False)
    assert talk.statements[-1][0].startswith("INSERT INTO `calls`")


def test_mysql_is_told_to_keep_the_newest():
    """One statement with an update that compares the old time before it replaces it; times are UTC without a zone."""
    talk = MySqlTalk([])
    assert mysql_table(talk).write([row("a")]) is None
    newer = "`changed` IS NULL OR VALUES(`changed`) >= `changed`"
    assert talk.statements[-2:] == [
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


AMOUNTS = mapped({"id": "uuid", "changed": "updated_at", "revenue": "revenue"})


@pytest.mark.filterwarnings("ignore:The default datetime adapter:DeprecationWarning")
class TestWhatTheTableCannotHold:
    """Calls that are refused by name, or left out where that is allowed, and never changed on the way."""

    def test_a_database_of_unknown_types_is_read_back(self, connection, file):
        """A column that rounds is found by comparing what was stored: call and column are named, nothing is there."""
        connection.execute("CREATE TABLE calls (id TEXT PRIMARY KEY, changed TEXT, revenue INTEGER)")
        connection.execute(
            "CREATE TRIGGER rounds AFTER INSERT ON calls BEGIN "
            "UPDATE calls SET revenue = round(NEW.revenue) WHERE id = NEW.id; END"
        )
        table = table_in(file, replace(dialect_of("db2"), stored=SQLITE.stored), AMOUNTS)
        table.prepare(create=False)
        assert table.write([("a", NOON, Decimal(7)), ("b", NOON, None)]) == 2
        with pytest.raises(TableNotWritten, match=r"call c, column revenue: .*would round 22\.5"):
            table.write([("c", NOON, Decimal("22.5")), ("d", NOON, Decimal(7))])
        assert connection.execute("SELECT count(*) FROM calls").fetchall() == [(2,)]

    @pytest.mark.parametrize(
        ("sent", "stored", "kept"),
        [("12.345", "12.345000267", True), ("12345.678", "12345.677734375", False), ("7", "NULL", False)],
    )
    def test_floats_of_unknown_databases(self, connection, file, sent, stored, kept):
        """A float of 4 bytes holds six digits, whatever the driver shows; a number that became NULL is lost."""
        connection.execute("CREATE TABLE calls (id TEXT PRIMARY KEY, changed TEXT, revenue REAL)")
        connection.execute(
            f"CREATE TRIGGER single AFTER INSERT ON calls BEGIN UPDATE calls SET revenue = {stored}; END"
        )
        table = table_in(file, replace(dialect_of("db2"), stored=SQLITE.stored), AMOUNTS)
        if kept:
            assert table.write([("a", NOON, Decimal(sent))]) == 1
            return
        with pytest.raises(TableNotWritten, match="call a, column revenue"):
            table.write([("a", NOON, Decimal(sent))])

    def test_an_amount_with_more_digits_than_a_float_is_refused(self, connection, file):
        """SQLite keeps numbers in numeric columns as floats of 15 digits; a text column keeps them all."""
        amount = ("a", NOON, Decimal("1234567890123.4567"))
        connection.execute("CREATE TABLE calls (id TEXT PRIMARY KEY, changed TEXT, revenue DECIMAL(10, 2))")
        connection.commit()
        table = table_in(file, columns=AMOUNTS)
        table.prepare(create=False)
        with pytest.raises(
            TableNotWritten, match=r"call a, column revenue: decimal\(10, 2\) with 15 digits would not"
        ):
            table.write([amount])
        assert table.write([("b", NOON, Decimal("12.345"))]) == 1
        connection.execute("DROP TABLE calls")
        connection.execute("CREATE TABLE calls (id TEXT PRIMARY KEY, changed TEXT, revenue TEXT)")
        connection.commit()
        table.prepare(create=False)
        assert table.write([amount]) == 1
        assert connection.execute("SELECT revenue FROM calls").fetchall() == [("1234567890123.4567",)]

    def test_calls_are_left_out_and_named(self, connection, file):
        """Those that the database refuses are found one by one; the others of the batch are written."""
        connection.execute(CREATE.replace("INTEGER)", "INTEGER CHECK (seconds < 99))"))
        table = table_in(file)
        table.prepare(create=False)
        found = []
        calls = [row(f"call-{number}", seconds=100 if number in {7, 71} else 1) for number in range(100)]
        assert table.write(calls, lambda rejected: found.append(rejected) is None) == 98
        assert {(rejected.uuid, rejected.column) for rejected in found} == {
            ("call-7", "seconds"), ("call-71", "seconds"),
        }  # fmt: skip
        assert len(held(connection)) == 98

    def test_a_call_whose_columns_fit_one_by_one(self, connection, file):
        """A rule about several columns names the call and the first of them; one about the key names no column."""
        connection.execute(CREATE.replace("INTEGER)", "INTEGER, CHECK (seconds < 9 OR caller <> 'x'))"))
        table = table_in(file)
        table.prepare(create=False)
        with pytest.raises(TableNotWritten, match="call a, column caller: CHECK"):
            table.write([row("a", caller="x", seconds=10)])
        connection.execute("DROP TABLE calls")
        connection.execute(CREATE.replace("KEY,", "KEY CHECK (id <> 'b'),"))
        with pytest.raises(TableNotWritten, match=r"accept call b: CHECK") as failed:
            table.write([row("a"), row("b")])
        assert (failed.value.uuid, failed.value.column) == ("b", None)

    def test_a_batch_without_any_call_that_fits(self, connection, file):
        """When all calls are left out nothing is written, and nothing fails."""
        connection.execute(CREATE.replace("INTEGER)", "INTEGER CHECK (seconds < 0))"))
        table = table_in(file)
        assert table.write([row("a"), row("b")], lambda _: True) == 0
        assert held(connection) == {}


class TestConnections:
    """Connections are short, and what ends them is said as what it is."""

    def test_none_is_open_between_batches(self, connection, file):
        """Each check and each batch has its own connection, which is closed before the next page is read."""
        opened = []

        class Watched(sqlite3.Connection):
            is_open = True

            def close(self):
                self.is_open = False
                super().close()

        def connect():
            opened.append(sqlite3.connect(file, factory=Watched))
            return opened[-1]

        table = CallTable(Database(connect, SQLITE, "?"), "calls", COLUMNS)
        table.prepare(create=True)
        for uuid in "abc":
            table.write([row(uuid)])
        assert [one.is_open for one in opened] == [False] * 4
        assert set(held(connection)) == {"a", "b", "c"}

    def test_a_database_that_cannot_be_reached(self, tmp_path):
        """A connection that is refused is no wrong parameter: a retry may mend it."""
        table = table_in(tmp_path / "no folder" / "calls.db")
        with pytest.raises(
            TableNotWritten, match=r"could not be reached: unable to open database file.* a retry"
        ) as one:
            table.prepare(create=True)
        assert one.value.__context__ is None

    def test_an_error_that_is_not_the_drivers_is_not_hidden(self):
        """A fault of the code that connects is raised as it is."""

        def connect():
            raise KeyError("host")

        with pytest.raises(KeyError, match="host"):
            CallTable(Database(connect, SQLITE), "calls", COLUMNS).prepare(create=True)

    def test_a_lock_at_the_check_is_mended_by_a_retry(self, connection, file):
        """A table that is locked now is not called unfit."""
        connection.execute(CREATE)
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TableNotWritten, match=r"could not be checked: database is locked.* a retry starts anew"):
            table_in(file).prepare(create=True)

    def test_a_table_that_goes_away_is_no_fault_of_a_call(self, connection, file):
        """A table dropped between two batches is named itself, no call is searched for."""
        table = table_in(file)
        table.prepare(create=True)
        connection.execute("DROP TABLE calls")
        with pytest.raises(
            TableNotWritten, match=r"was not written: no such table: calls\. The batch of 2"
        ) as failed:
            table.write([row("a"), row("b")])
        assert failed.value.uuid is None


def test_a_column_that_needs_a_value_is_found_first(connection, file):
    """A column that must not be NULL and that nothing is mapped to is named before any call is read."""
    connection.execute(CREATE.replace("seconds", "must TEXT NOT NULL, may TEXT NOT NULL DEFAULT '', seconds"))
    with pytest.raises(InvalidArgument, match="needs a value in must, which no field"):
        table_in(file).prepare(create=False)


@pytest.mark.parametrize(
    ("error", "about_data", "passing", "denied"),
    [
        ({"sqlstate": "22P02"}, True, False, False), ({"sqlstate": "23505"}, True, False, False),
        ({"pgcode": "P0001"}, True, False, False), ({"sqlstate": "42501"}, False, False, True),
        ({"sqlstate": "57P01"}, False, True, False), ({"pgcode": "40001"}, False, True, False),
        ({"sqlstate": "55P03"}, False, True, False), ({"sqlstate": "42P01"}, False, False, False),
        ({"args": (1406, "Data too long")}, True, False, False), ({"args": (2013, "Lost")}, False, True, False),
        ({"args": (1142, "denied")}, False, False, True), ({}, False, False, False),
    ],
)  # fmt: skip
def test_what_an_error_is_about(error, about_data, passing, denied):
    """SQLSTATE and MySQL's numbers tell bad values from privileges and from what passes."""
    raised = type("OperationalError", (Exception,), {})("message")
    for name, value in error.items():
        setattr(raised, name, value)
    failure = Failure(raised)
    assert (failure.about_data, failure.passing, failure.denied) == (about_data, passing, denied)
