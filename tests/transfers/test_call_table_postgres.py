"""What PostgreSQL is asked and told, with a driver that answers as the server would."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, TableNotWritten
from airflow_provider_retreaver.domain.calls.sql_columns import mapped
from airflow_provider_retreaver.domain.calls.sql_dialects import POSTGRESQL
from airflow_provider_retreaver.transfers.call_table import CallTable
from airflow_provider_retreaver.transfers.database_session import Database

COLUMNS = mapped({"id": "uuid", "changed": "updated_at", "revenue": "revenue", "converted": "converted"})
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TYPES = [("id", "text", None, False), ("changed", "timestamp with time zone", None, False),
         ("revenue", "integer", 0, False), ("converted", "boolean", None, False)]  # fmt: skip


class ServerError(Exception):
    """An error of the server, with its SQLSTATE."""

    def __init__(self, sqlstate, message):
        super().__init__(message)
        self.sqlstate = sqlstate


class Talk:
    """Stands in for a driver of PostgreSQL: notes statements, and answers or fails by what they contain."""

    Error = ServerError

    def __init__(self, fails=(), policies=False, types=TYPES):
        self.statements = []
        self.copied = b""
        self.rowcount = 1
        self.description = [(name,) for name in COLUMNS.names]
        self._fails = dict(fails)
        self._answers = {"information_schema.columns": types, "row_security_active": [(policies,)]}
        self._answer = []

    def cursor(self):
        """Return itself as a cursor."""
        return self

    def execute(self, statement, parameters=()):
        """Note a statement; fail if it is one that fails."""
        self.statements.append(statement)
        for part, (state, message) in self._fails.items():
            if part in statement:
                raise ServerError(state, message)
        self._answer = next((rows for part, rows in self._answers.items() if part in statement), [])

    def fetchall(self):
        """Return the rows of the last statement."""
        return self._answer

    @contextmanager
    def copy(self, statement):
        """Take what is copied, as the newer driver does."""
        self.execute(statement)
        yield self

    def write(self, data):
        """Take a part of what is copied."""
        self.copied += data

    def commit(self):
        """Note it."""
        self.statements.append("COMMIT")

    def rollback(self):
        """Note it."""
        self.statements.append("ROLLBACK")

    def close(self):
        """Note it."""
        self.statements.append("CLOSE")


class OlderTalk(Talk):
    """The older driver: it copies by a method of the cursor, and encodes by what it was told."""

    encoding = "LATIN1"

    def copy_expert(self, statement, file):
        """Take what is copied."""
        self.execute(statement)
        self.copied += file.read()

    def set_client_encoding(self, encoding):
        """Take the encoding."""
        self.encoding = encoding


def table_of(talk):
    """Return a table whose connections are all this one."""
    return CallTable(Database(lambda: talk, POSTGRESQL), "calls", COLUMNS)


@pytest.mark.parametrize("kind", [Talk, OlderTalk])
def test_a_batch_is_copied_as_utf_8_over_a_connection_of_its_own(kind):
    """The encoding is set first, the batch is one transaction, and the connection is closed after it."""
    talk = kind()
    table = table_of(talk)
    table.prepare(create=False)
    talk.statements.clear()
    talk.copied = b""
    assert table.write([("é", NOON, Decimal("22.0"), True), ("b", NOON, None, False)]) == 1
    assert talk.copied.decode() == ("b\t2026-01-05T12:00:00Z\t\\N\tfalse\né\t2026-01-05T12:00:00Z\t22\ttrue\n")
    assert talk.statements[-1] == "CLOSE"
    # Cursors, which are closed as well, are the same object here.
    said = [statement.split(" (")[0] for statement in talk.statements if statement != "CLOSE"]
    first, committed, *batch = said
    assert (first, committed) == ("SET client_encoding TO 'UTF8'", "COMMIT")
    assert batch[0].startswith("CREATE TEMPORARY TABLE retreaver_stage ON COMMIT DROP")
    assert [statement.split('"')[0] for statement in batch[1:]] == [
        "COPY retreaver_stage", "INSERT INTO ", "COMMIT",
    ]  # fmt: skip
    assert getattr(talk, "encoding", "UTF8") == "UTF8"


@pytest.mark.parametrize(
    ("talk", "named"),
    [
        (
            Talk({"CREATE TEMPORARY": ("42501", "permission denied to create temporary tables")}),
            r"may not load calls into table calls \(permission denied to create temporary .*\); .* temporary tables",
        ),
        (Talk({"INSERT INTO": ("42P10", "no unique constraint")}), "does not accept calls by id .*its primary key"),
        (Talk({"INSERT INTO": ("428C9", "id is generated")}), r"calls does not accept calls: id is generated\."),
        (Talk({"information_schema": ("42501", "no catalog")}), "catalog .* of table calls cannot be read"),
        (Talk(policies=True), "Row-level security of table calls applies"),
        (Talk(types=[*TYPES, ("must", "text", None, True)]), "needs a value in must"),
        (Talk(types=[("changed", "date", None, False)]), "column changed is a date"),
        (
            Talk({"WHERE 1 = 0": ("42501", "denied"), "CREATE TABLE": ("42501", "not you")}),
            r"cannot be read \(not you\)",
        ),
    ],
)  # fmt: skip
def test_a_table_that_cannot_take_calls_is_told_as_what_it_is(talk, named):
    """Privileges, keys, policies and types, each by its own sentence; nothing is committed."""
    with pytest.raises(InvalidArgument, match=named):
        table_of(talk).prepare(create=True)
    assert talk.statements[-1] == "CLOSE"
    assert talk.statements.count("COMMIT") == 1  # the session's settings


@pytest.mark.parametrize(
    ("part", "state"), [("row_security_active", "57P01"), ("CREATE TEMPORARY", "53300"), ("WHERE 1 = 0", "55P03")]
)
def test_a_check_that_the_server_cannot_make_now_is_tried_again(part, state):
    """A shutdown, a lack of resources and a lock say nothing about the table."""
    with pytest.raises(TableNotWritten, match=r"could not be checked: not now\. .*a retry starts anew") as failed:
        table_of(Talk({part: (state, "not now")})).prepare(create=True)
    assert not failed.value.final


def test_a_session_that_cannot_be_prepared():
    """A server that ends the connection at once could not be reached."""
    with pytest.raises(TableNotWritten, match="could not be reached: shutting down"):
        table_of(Talk({"client_encoding": ("57P03", "shutting down")})).prepare(create=True)


def test_a_refusal_without_a_call_is_not_blamed_on_one():
    """An error about the table itself, in the middle of a load, names no call."""
    talk = Talk()
    table = table_of(talk)
    table.prepare(create=False)
    talk._fails["INSERT INTO"] = ("23505", "clash")
    with pytest.raises(TableNotWritten, match=r"was not written: clash\. The batch of 2 calls") as failed:
        table.write([("a", NOON, None, None), ("b", NOON, None, None)])
    assert failed.value.uuid is None
