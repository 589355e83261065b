"""Short connections to a database: one for each check and each batch, none between two of them.

A connection that is idle while Retreaver is slow may be ended by the server, by a proxy or by a firewall. Each has
its own thread, so that its statements end when the task is told to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from airflow_provider_retreaver.core.errors import TableNotWritten
from airflow_provider_retreaver.core.stopping import stopped
from airflow_provider_retreaver.domain.calls.sql_dialects import Dialect
from airflow_provider_retreaver.hooks.sql_thread import DatabaseThread
from airflow_provider_retreaver.transfers.database_errors import (
    BUILTIN_ERRORS,
    Failure,
    driver_error,
    is_driver_error,
)

T = TypeVar("T")


class Session:
    """One connection of a driver (PEP 249), not in autocommit.

    :param thread: of the connection, which is opened here.
    :raises InvalidArgument: when the driver does not follow PEP 249.
    """

    def __init__(self, thread: DatabaseThread) -> None:
        self._thread = thread
        self._errors = (*BUILTIN_ERRORS, thread.run(driver_error))

    def attempt(self, work: Callable[[Any], T], *, commit: bool) -> T | Failure:
        """Do work in a transaction.

        :param work: takes a cursor.
        :param commit: whether the transaction is committed; otherwise it is rolled back.
        :return: the result of the work, or the database's error; then the transaction was rolled back.
        """
        return self.start(work, commit=commit).result()

    def start(self, work: Callable[[Any], T], *, commit: bool) -> Future[T | Failure]:
        """Do work in a transaction, as `attempt`, without waiting for it.

        :param work: takes a cursor.
        :param commit: whether the transaction is committed; otherwise it is rolled back.
        :return: what `attempt` returns, to come.
        """
        return self._thread.start(partial(self._attempted, work, commit=commit))

    def _attempted(self, work: Callable[[Any], T], connection: Any, *, commit: bool) -> T | Failure:
        failure: Failure | None = None
        committed = False
        self._thread.begin()
        try:
            with self._thread.cursor() as cursor:
                result = work(cursor)
            committed = commit and self._thread.commit()
        except self._errors as error:
            failure = Failure(error)
        if not committed:
            # A connection that has ended cannot roll back: the database did so itself.
            with suppress(*self._errors):
                connection.rollback()
        if failure is None and committed != commit:
            raise stopped(None)
        return result if failure is None else failure

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Sequence[Any]] | Failure:
        """Read rows.

        :param statement: a query.
        :param parameters: of the query.
        :return: all rows, or the database's error.
        """

        def read(cursor: Any) -> list[Sequence[Any]]:
            run(cursor, statement, parameters)
            return list(cursor.fetchall())

        return self.attempt(read, commit=False)

    def begin(self, statements: Sequence[str]) -> Failure | None:
        """Prepare the session, whatever the defaults of server, user and driver are.

        :param statements: to execute.
        :return: the database's error, if there was one.
        """

        def prepare(cursor: Any) -> None:
            connection = self._thread.connection
            # Drivers that decode and encode by the encoding that they have set themselves; some start with Latin-1.
            for setter, encoding in _ENCODING_SETTERS:
                if hasattr(connection, setter):
                    getattr(connection, setter)(encoding)
            for statement in statements:
                cursor.execute(statement)

        return self.attempt(prepare, commit=True)


# Of mysqlclient, mysql-connector-python and psycopg2.
_ENCODING_SETTERS = (
    ("set_character_set", "utf8mb4"),
    ("set_charset_collation", "utf8mb4"),
    ("set_client_encoding", "UTF8"),
)


class Database:
    """Opens the connections of a database.

    :param connect: returns a new connection of the driver, not in autocommit.
    :param dialect: of the database.
    :param placeholder: the driver's mark of a parameter, `%s` or `?`.
    """

    def __init__(self, connect: Callable[[], Any], dialect: Dialect, placeholder: str = "%s") -> None:
        self._connect = connect
        self.dialect = dialect
        self.placeholder = placeholder

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a connection, which is closed at the end.

        :yield: the connection.
        :raises TableNotWritten: when the database cannot be reached.
        """
        with DatabaseThread(self._connect) as thread:
            session = self._opened(thread)
            failure = session.begin(self.dialect.session)
            if failure is not None:
                raise _unreachable(failure)
            yield session

    def _opened(self, thread: DatabaseThread) -> Session:
        try:
            return Session(thread)
        except Exception as error:
            if not is_driver_error(error):
                raise
            failure = Failure(error)
        raise _unreachable(failure)


def _unreachable(failure: Failure) -> TableNotWritten:
    return TableNotWritten(
        f"The database could not be reached: {failure.message}. Nothing of this batch was written; a retry writes it."
    )


def run(cursor: Any, statement: str, parameters: Sequence[Any] = ()) -> None:
    """Execute a statement; without parameters a driver does not look for their marks.

    :param cursor: of a driver.
    :param statement: to execute.
    :param parameters: of the statement.
    """
    if parameters:
        cursor.execute(statement, parameters)
    else:
        cursor.execute(statement)
