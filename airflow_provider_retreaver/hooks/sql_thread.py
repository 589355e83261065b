"""What is done with one connection of a SQL database, on a thread of its own, so that a stopped task does not wait.

Drivers wait for the server in code that no signal interrupts: a task that is told to stop would hold until its
statement returns. Here the task's own thread waits in a way that ends at once, and the statement is then ended by
what the driver has for it: `interrupt` (SQLite), `cancel` (PostgreSQL, Oracle, SQL Server), `KILL` (MySQL), or by
closing the connection. Nothing is committed once the task was told to stop.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Generator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from airflow_provider_retreaver.core.stopping import is_stop
from airflow_provider_retreaver.transport.workers import Workers

log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds between two tries to end a statement: one that comes between two statements ends none.
AGAIN = 0.2


class DatabaseThread:
    """One connection of a driver (PEP 249) and the thread that uses it; both end with the `with` block.

    :param connect: returns a new connection; called on the thread, by the first work.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._connection: Any = None
        # Asked for before it is needed: mysqlclient answers no other thread while a statement runs.
        self._number: int | None = None
        self._cursor: Any = None
        self._committed = False
        self._closed = threading.Event()
        self._ender: threading.Thread | None = None
        self._workers = Workers(1, "retreaver-database", self._interrupt, self._close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        ended = self._workers.end()
        if not is_stop(error):
            return
        if not ended:
            log.warning(
                "The task was told to stop, and the database's driver does not return: its thread is left behind and "
                "commits nothing; the database rolls back when the connection ends."
            )
        elif self._committed:
            log.warning("The task was told to stop; the transaction had been committed already.")
        else:
            log.warning("The task was told to stop: its statement was ended, and its transaction rolled back.")

    def run(self, work: Callable[[Any], T]) -> T:
        """Do work on the thread, and wait for it.

        :param work: takes the connection.
        :return: its result.
        :raises BaseException: what the work or the connecting raises.
        """
        return self.start(work).result()

    def start(self, work: Callable[[Any], T]) -> Future[T]:
        """Do work on the thread, without waiting for it.

        :param work: takes the connection.
        :return: its result to come.
        """
        return self._workers.submit(lambda: work(self._opened()))

    @property
    def connection(self) -> Any:
        """The connection, once the first work has opened it; for work, on the thread."""
        return self._connection

    @contextmanager
    def cursor(self) -> Generator[Any]:
        """Open a cursor; called by work, on the thread.

        :yield: the cursor, which is closed at the end.
        """
        with closing(self._connection.cursor()) as cursor:
            self._cursor = cursor
            try:
                yield cursor
            finally:
                self._cursor = None

    def keep(self, cursor: Any) -> None:
        """Close a cursor right before the connection; called by work, on the thread.

        :param cursor: that later work uses again.
        """
        self._cursor = cursor

    def commit(self) -> bool:
        """Commit, unless the task was told to stop; called by work, on the thread.

        :return: whether it was committed.
        """
        if self._workers.stop.is_set():
            return False
        self._connection.commit()
        self._committed = True
        return True

    def begin(self) -> None:
        """Note that what follows is not committed; called by work, on the thread."""
        self._committed = False

    def _opened(self) -> Any:
        if self._connection is None:
            opened = self._connect()
            self._number = _session_number(opened)
            self._connection = opened
        return self._connection

    def _close(self) -> None:
        """Close the connection, by which the database rolls back; at the end of the thread."""
        self._closed.set()
        for opened in (self._cursor, self._connection):
            # Also one that has ended already; drivers have errors of their own for that.
            with suppress(Exception):
                if opened is not None:
                    opened.close()

    def _interrupt(self, _threads: Collection[int]) -> None:
        # On a thread: most drivers ask the server, which may not answer.
        if self._ender is None and self._connection is not None:
            self._ender = threading.Thread(target=self._end, name="retreaver-database-end", daemon=True)
            self._ender.start()

    def _end(self) -> None:
        while not self._closed.is_set():
            with suppress(Exception):
                self._end_statement()
            self._closed.wait(AGAIN)

    def _end_statement(self) -> None:
        """End the statement that the other thread waits for, by what its driver has for that."""
        connection, cursor = self._connection, self._cursor
        for owner, name in (
            (connection, "interrupt"),
            (connection, "cancel_safe"),
            (connection, "cancel"),
            (cursor, "cancel"),
        ):
            end = getattr(owner, name, None)
            if callable(end):
                end()
                return
        if self._number is None:
            connection.close()
            return
        with closing(self._connect()) as other, closing(other.cursor()) as killing:
            killing.execute(f"KILL {self._number}")


def _session_number(connection: Any) -> int | None:
    """Return the number that a server of MySQL's kind knows a connection by; None for other databases."""
    # Of mysqlclient and PyMySQL, and of mysql-connector-python.
    asked = getattr(connection, "thread_id", None)
    number = asked() if callable(asked) else getattr(connection, "connection_id", None)
    return number if isinstance(number, int) else None
