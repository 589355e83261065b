"""Rows of object-storage files, queries and lists, as operators take them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.core.visible_text import column_name

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.data_writing.rows import NumberedRow
    from airflow_provider_retreaver.storage.line_files import Folder

# Rows that are read from a database at once.
ROWS = 10_000

REJECTS = "rejects.csv"

Check = Callable[[Iterable[str], str], None]


class Rejection(Protocol):
    """A value or row of a source that cannot be used: its line, what is written there, and why."""

    @property
    def line(self) -> int:
        """Its line or row, counted from 1."""

    @property
    def value(self) -> str:
        """As it is written there."""

    @property
    def reason(self) -> str:
        """Why it cannot be used."""


@contextmanager
def rejects_file(folder: Folder | None) -> Generator[Callable[[Rejection], None]]:
    """Write the rejected values of a source to a file.

    :param folder: of the run's files; None to write nothing.
    :yield: a function that writes one of them.
    """
    if folder is None:
        yield lambda _rejection: None
        return
    from airflow_provider_retreaver.storage.csv_cells import escape_formulas

    with folder.writing(REJECTS) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["line", "value", "reason"])
        yield lambda one: writer.writerow(escape_formulas([one.line, one.value, one.reason]))


def listed_rows(given: object, check: Check) -> Iterator[NumberedRow]:
    """Yield the rows of a list.

    :param given: a list of mappings, such as another task's result, or one as rendered text.
    :param check: called with the names of all columns and the name of the source.
    :return: rows with their place, counted from 1.
    :raises InvalidArgument: when it is not a list of mappings; None is refused, since an upstream task that returns
        nothing must not be read as "no rows".
    """
    found = read_rendered(given, "rows")
    if isinstance(found, (str, bytes, Mapping)) or not isinstance(found, Iterable):
        raise InvalidArgument(f"rows must be a list of mappings, not {type(found).__name__}.")
    rows = list(found)
    if not all(isinstance(row, Mapping) for row in rows):
        raise InvalidArgument("rows must be a list of mappings; one of its items is none.")
    named = [{column_name(name): value for name, value in row.items()} for row in rows]
    if named:
        check(dict.fromkeys(name for row in named for name in row), "The list of rows")
    yield from enumerate(named, 1)


def file_rows(
    path: str, source_format: str | None, check: Check, *, encoding: str, delimiter: str | None
) -> Iterator[NumberedRow]:
    """Yield the rows of a file on object storage.

    :param path: of the file.
    :param source_format: `csv` or `jsonl`; None for that of the file's name.
    :param check: called with the names of the columns and the name of the file.
    :param encoding: of the file.
    :param delimiter: between the columns of a csv file.
    :return: rows with their line.
    :raises InvalidArgument: when there is no such file, or it cannot be read.
    """
    from airflow_provider_retreaver.domain.data_writing.files import read_rows
    from airflow_provider_retreaver.domain.lists.number_sources import format_of
    from airflow_provider_retreaver.storage.paths import storage_path

    kind = format_of(path, source_format)
    file = storage_path(path, "source")
    if not file.is_file():
        raise InvalidArgument(f"There is no file {path} (source); nothing was sent.")
    with file.open("rb") as stream:
        yield from read_rows(stream, path, kind, check, encoding=encoding, delimiter=delimiter)


def query_rows(sql: str, conn_id: str, check: Check) -> Iterator[NumberedRow]:
    """Yield the rows of a query.

    :param sql: the query.
    :param conn_id: of the SQL connection.
    :param check: called with the names of the columns and the name of the query.
    :return: rows with their number, counted from 1.
    :raises InvalidArgument: when it is no query, or the connection is none to a SQL database.
    """
    where, names = f"The query on connection {quoted(conn_id)}", list[str]()

    def begin(described: Sequence[object]) -> None:
        names.extend(column_name(name) for name in described)
        check(names, where)

    for number, values in enumerate(sql_rows(sql, conn_id, where, begin), 1):
        yield number, dict(zip(names, values, strict=True))


def sql_rows(
    sql: str, conn_id: str, where: str, begin: Callable[[Sequence[object]], None]
) -> Iterator[Sequence[object]]:
    """Read a query's rows in chunks, so that memory does not grow with them.

    :param sql: the query.
    :param conn_id: of the SQL connection.
    :param where: name of the query.
    :param begin: called with the names of the columns before the first row, also when there is none.
    :return: the values of each row.
    :raises InvalidArgument: when it is no query, or the connection is none to a SQL database.
    """
    from airflow_provider_retreaver.hooks.sql import sql_hook
    from airflow_provider_retreaver.hooks.sql_thread import DatabaseThread

    def execute(connection: Any) -> tuple[Any, Any, list[Sequence[object]]]:
        cursor = _cursor(connection)
        thread.keep(cursor)
        cursor.execute(sql)
        rows = list(cursor.fetchmany(ROWS))
        return cursor, cursor.description, rows

    with DatabaseThread(sql_hook(conn_id).get_conn) as thread:
        cursor, description, rows = thread.run(execute)
        if not description:
            raise InvalidArgument(f"{where} has no columns, so it is no query; nothing was sent to Retreaver.")
        begin([described[0] for described in description])
        while rows:
            yield from rows
            rows = thread.run(lambda _: list(cursor.fetchmany(ROWS)))


def _cursor(connection: Any) -> Any:
    """Return a cursor that does not read all rows at once, where the driver has one."""
    if type(connection).__module__.partition(".")[0] in {"psycopg", "psycopg2"}:
        return connection.cursor("airflow_provider_retreaver")
    return connection.cursor()
