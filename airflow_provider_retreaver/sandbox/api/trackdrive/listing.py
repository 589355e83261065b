"""Lists of TrackDrive: pages, columns, order, with a root or without, as JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.sandbox.api.columns import InvalidValue
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.paging import PAGE_SIZE, Page
from airflow_provider_retreaver.sandbox.api.trackdrive import values
from airflow_provider_retreaver.sandbox.http.wire import Reply, validation_error

FORMATS = ("json", "csv")
# What is known to be requested; TrackDrive documents no limit.
MAX_PAGE_SIZE = 250
T = TypeVar("T")


class Parameters:
    """Reads the query of a request and collects what is wrong with it.

    :param context: The request and the sandbox's state.
    """

    def __init__(self, context: RequestContext) -> None:
        self._request = context.request
        self.errors: dict[str, list[str]] = {}

    def read(self, name: str, reader: Callable[[Any], T], default: T) -> T:
        """Read one parameter.

        :param name: Its name.
        :param reader: Reads its text, or raises :class:`InvalidValue`.
        :param default: Returned where it is absent, blank or wrong.
        :return: Its value.
        """
        given = self._request.param(name)
        if given is None or not given.strip():
            return default
        try:
            return reader(given)
        except InvalidValue as error:
            self.errors[name] = [str(error)]
            return default

    def check(self) -> None:
        """Refuse the request if a parameter was wrong.

        :raises ApiError: With status 422.
        """
        if self.errors:
            raise validation_error(self.errors)


def read_page(parameters: Parameters) -> Page:
    """Read which page is requested.

    :param parameters: Of the request.
    :return: The page; 25 rows by default.
    """
    size = parameters.read("per_page", values.number, PAGE_SIZE)
    return Page(parameters.read("page", values.number, 1), min(size, MAX_PAGE_SIZE))


def read_span(parameters: Parameters, zone: ZoneInfo) -> tuple[str, list[int]]:
    """Read the times of creation that are requested.

    :param parameters: Of the request.
    :param zone: The time zone of times without an offset.
    :return: SQL and the values of its placeholders.
    """
    sql, bounds = "", []
    for name, comparison in (("created_at_from", ">="), ("created_at_to", "<=")):
        at = parameters.read(name, lambda given: values.time(given, zone), None)
        if at is not None:
            sql += f" AND created_at {comparison} ?"
            bounds.append(at)
    return sql, bounds


@dataclass(frozen=True, slots=True)
class Shape:
    """How a list is answered.

    :param root: Name of the list.
    :param columns: Names of the columns.
    :param has_root: Whether JSON has a root and metadata.
    """

    root: str
    columns: tuple[str, ...]
    has_root: bool = True


def read_shape(parameters: Parameters, root: str, columns: tuple[str, ...]) -> Shape:
    """Read which columns of a list are requested, and whether with its root.

    :param parameters: Of the request.
    :param root: Name of the list.
    :param columns: The columns that there are.
    :return: The shape; all columns with the root by default.
    """
    chosen = parameters.read("columns", values.names(columns), columns)
    return Shape(root, chosen, bool(parameters.read("root", values.boolean, 1)))


def answer_list(context: RequestContext, shape: Shape, rows: Sequence[Mapping[str, Any]], total: int) -> Reply:
    """Write a page of a list in the format of the request.

    :param context: The request and the sandbox's state.
    :param shape: How the list is answered.
    :param rows: Rows of the page, with all columns or more.
    :param total: How many rows all pages have.
    :return: The reply.
    """
    listed = [{name: row[name] for name in shape.columns} for row in rows]
    if context.request.format == "csv":
        return Reply(content=_csv(shape.columns, listed), content_type="text/csv; charset=utf-8")
    return Reply({shape.root: listed, "metadata": {"total_count": total}} if shape.has_root else listed)


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Write rows as CSV with a header; an array is JSON in one cell."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return file.getvalue().encode()


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool | list) else value
