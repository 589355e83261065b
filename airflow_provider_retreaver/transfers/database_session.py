"""Short connections to a database: one for each check and each batch, none while pages are read.

A connection that is idle while Retreaver is slow may be ended by the server, by a proxy or by a firewall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar

from airflow_provider_retreaver.core.errors import TableNotWritten
from airflow_provider_retreaver.domain.calls.sql_dialects import Dialect
from airflow_provider_retreaver.transfers.database_errors import (
    BUILTIN_ERRORS,
    Failure,
    driver_error,
    is_driver_error,
)

T = TypeVar("T")


class Session:
    """One connection of a driver (PEP 249), not in autocommit.

    :param connection: of the driver.
    :raises InvalidArgument: when the driver does not follow PEP 249.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._errors = (*BUILTIN_ERRORS, driver_error(connection))

    def attempt(self, work: Callable[[Any], T], *, commit: bool) -> T | Failure:
        """Do work in a transaction.

        :param work: takes a cursor.
        :param commit: whether the transaction is committed; otherwise it is rolled back.
        :return: the result of the work, or the database's error; then the transaction was rolled back.
        """
        failure: Failure | None = None
        try:
            with closing(self._connection.cursor()) as cursor:
                result = work(cursor)
            if commit:
                self._connection.commit()
        except self._errors as error:
            failure = Failure(error)
        if failure is not None or not commit:
            # A connection that has ended cannot roll back: the database did so itself.
            with suppress(*self._errors):
                self._connection.rollback()
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
            # Drivers that decode and encode by the encoding that they have set themselves; some start with Latin-1.
            for setter, encoding in _ENCODING_SETTERS:
                if hasattr(self._connection, setter):
                    getattr(self._connection, setter)(encoding)
            for statement in statements:
                cursor.execute(statement)

        return self.attempt(prepare, commit=True)

    def close(self) -> None:
        """Close the connection; a transaction without a commit is rolled back."""
        with suppress(*self._errors):
            self._connection.close()


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
        session = self._opened()
        try:
            failure = session.begin(self.dialect.session)
            if failure is not None:
                raise _unreachable(failure)
            yield session
        finally:
            session.close()

    def _opened(self) -> Session:
        try:
            return Session(self._connect())
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
