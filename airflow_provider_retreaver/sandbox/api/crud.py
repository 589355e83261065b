"""List, get, create, update and delete, for resources that follow the same rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_retreaver.sandbox.api.columns import Column, read_columns
from airflow_provider_retreaver.sandbox.api.context import Handler, RequestContext
from airflow_provider_retreaver.sandbox.api.paging import link_headers, requested_page
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error, validation_error
from airflow_provider_retreaver.sandbox.state.store import Row

Errors = dict[str, list[str]]
Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, and the function that answers it.

    :param method: HTTP method.
    :param path: Path without its format; ``{name}`` is a variable segment.
    :param handler: Answers the request.
    :param legacy: Whether the route belongs to the older ones, which can be switched off.
    :param access: ``company`` (needs an API key and a company), ``key`` (needs an API key), ``trackdrive`` (needs the
        two keys of TrackDrive) or ``open`` (the handler checks access itself).
    :param format: The only extension of the path, where that is neither ``.json`` nor ``.xml``; blank for a path
        without one, whose answer is JSON.
    :param formats: The extensions of a path that needs none, and whose handler writes its answer in them.
    """

    method: str
    path: str
    handler: Handler
    legacy: bool = False
    access: Literal["company", "key", "trackdrive", "open"] = "company"
    format: str | None = None
    formats: tuple[str, ...] = ()


def _save_nothing(_context: RequestContext, _row_id: int, _attributes: Attributes) -> None:
    """Save no nested objects."""


def _no_values(
    _context: RequestContext, _attributes: Attributes, _values: dict[str, Any], _errors: Errors, _row: Row | None
) -> None:
    """Derive no values."""


def _always_deletable(_context: RequestContext, _row: Row) -> str | None:
    """Allow every row to be deleted."""
    return None


def _no_cleanup(_context: RequestContext, _row: Row) -> None:
    """Delete nothing else."""


def _no_filters(_context: RequestContext) -> tuple[str, list[Any]]:
    """Filter by nothing."""
    return "", []


@dataclass(frozen=True, slots=True)
class Resource:
    """A table, how its rows are written, and Retreaver's rules for them.

    :param table: Name of the table.
    :param envelope: Name of the object around each row, for example ``target``.
    :param columns: Attributes that requests can set.
    :param render: Writes a row.
    :param customer_id: Column of the customer's own ID, which is unique in a company and has paths of its own, such
        as ``/targets/tid/{tid}``.
    :param unique: Another column that is unique in a company.
    :param prepare: Adds to or checks the column values before they are saved.
    :param initialize: Adds to a new row what every new row has.
    :param save_nested: Saves the nested objects of a request.
    :param deletion_error: Returns why a row cannot be deleted, or None.
    :param cleanup: Deletes what belongs to a deleted row.
    :param filters: Returns SQL and values that a list is filtered by.
    """

    table: str
    envelope: str
    columns: Sequence[Column]
    render: Callable[[RequestContext, Row], Mapping[str, Any]]
    customer_id: str | None = None
    unique: str | None = None
    prepare: Callable[[RequestContext, Attributes, dict[str, Any], Errors, Row | None], None] = _no_values
    initialize: Callable[[RequestContext, int, Attributes], None] = _save_nothing
    save_nested: Callable[[RequestContext, int, Attributes], None] = _save_nothing
    deletion_error: Callable[[RequestContext, Row], str | None] = _always_deletable
    cleanup: Callable[[RequestContext, Row], None] = _no_cleanup
    filters: Callable[[RequestContext], tuple[str, list[Any]]] = _no_filters

    def find(self, context: RequestContext) -> Row:
        """Return the row that the path names.

        :param context: The request and the sandbox's state.
        :return: The row.
        :raises ApiError: With status 404, if there is none.
        """
        name = next(iter(context.args))
        row = self.lookup(context, name, context.args[name])
        if row is None:
            raise api_error(404, f"{self.envelope} not found")
        return row

    def lookup(self, context: RequestContext, column: str, value: Any) -> Row | None:
        """Look up a row of the company.

        :param context: The request and the sandbox's state.
        :param column: Column to search by.
        :param value: Its value.
        :return: The row, or None.
        """
        if column == "id" and not re.fullmatch(r"[0-9]{1,18}", str(value)):
            return None
        return context.store.row(
            f"SELECT * FROM {self.table} WHERE company_id = ? AND {column} = ? AND deleted = 0",
            (context.company_id, int(value) if column == "id" else value),
        )

    def wrap(self, context: RequestContext, row: Row) -> dict[str, Any]:
        """Write a row in its envelope.

        :param context: The request and the sandbox's state.
        :param row: The row.
        :return: For example ``{"target": {...}}``.
        """
        return {self.envelope: dict(self.render(context, row))}

    def get(self, context: RequestContext) -> Reply:
        """Answer one object.

        :param context: The request and the sandbox's state.
        :return: The reply.
        """
        return Reply(self.wrap(context, self.find(context)))

    def list(self, context: RequestContext) -> Reply:
        """Answer a page of 25 objects; versioned routes accept ``per_page``.

        :param context: The request and the sandbox's state.
        :return: Objects in their envelopes, with the ``Link`` header.
        """
        extra, values = self.filters(context)
        where = f"company_id = ? AND deleted = 0{extra}"
        total = context.store.value(f"SELECT count(*) FROM {self.table} WHERE {where}", (context.company_id, *values))
        at = requested_page(context.request, accepts_per_page=context.request.segments[:1] == ["api"])
        rows = context.store.rows(
            f"SELECT * FROM {self.table} WHERE {where} ORDER BY id LIMIT ? OFFSET ?",
            (context.company_id, *values, at.size, at.offset),
        )
        return Reply([self.wrap(context, row) for row in rows], headers=link_headers(context.request, at, total))

    def create(self, context: RequestContext) -> Reply:
        """Create an object from the request's body.

        :param context: The request and the sandbox's state.
        :return: The new object in its envelope.
        """
        return Reply(self.wrap(context, self.create_row(context, context.request.envelope(self.envelope))))

    def create_row(self, context: RequestContext, attributes: Attributes) -> Row:
        """Create an object.

        :param context: The request and the sandbox's state.
        :param attributes: Attributes from the request.
        :return: The new row.
        :raises ApiError: With status 422, if an attribute is invalid.
        """
        values = self._values(context, attributes, None)
        stamp = {"company_id": context.company_id, "created_at": context.now, "updated_at": context.now}
        row_id = context.store.insert(self.table, {**stamp, **values})
        self.initialize(context, row_id, attributes)
        self.save_nested(context, row_id, attributes)
        return self._reload(context, row_id)

    def update(self, context: RequestContext) -> Reply:
        """Change the attributes that the request's body contains.

        :param context: The request and the sandbox's state.
        :return: The changed object in its envelope.
        """
        row = self.find(context)
        return Reply(self.wrap(context, self.update_row(context, row, context.request.envelope(self.envelope))))

    def update_row(self, context: RequestContext, row: Row, attributes: Attributes) -> Row:
        """Change an object.

        :param context: The request and the sandbox's state.
        :param row: The existing row.
        :param attributes: Attributes from the request.
        :return: The changed row.
        :raises ApiError: With status 422, if an attribute is invalid.
        """
        values = self._values(context, attributes, row)
        context.store.update(self.table, row["id"], {**values, "updated_at": context.now})
        self.save_nested(context, row["id"], attributes)
        return self._reload(context, row["id"])

    def delete(self, context: RequestContext) -> Reply:
        """Delete an object.

        :param context: The request and the sandbox's state.
        :return: A reply with status 204.
        :raises ApiError: With status 422, if other objects must be deleted first.
        """
        row = self.find(context)
        reason = self.deletion_error(context, row)
        if reason is not None:
            raise validation_error({"base": [reason]})
        context.store.update(self.table, row["id"], {"deleted": 1})
        self.cleanup(context, row)
        return Reply(status=204)

    def _reload(self, context: RequestContext, row_id: int) -> Row:
        return context.store.one(f"SELECT * FROM {self.table} WHERE id = ?", (row_id,))

    def _values(self, context: RequestContext, attributes: Attributes, row: Row | None) -> dict[str, Any]:
        errors: Errors = {}
        values = read_columns(self.columns, attributes, creating=row is None, errors=errors)
        self.prepare(context, attributes, values, errors, row)
        unique = self.customer_id or self.unique
        if unique and values.get(unique):
            other = self.lookup(context, unique, values[unique])
            if other is not None and (row is None or other["id"] != row["id"]):
                errors.setdefault(unique, []).append("has already been taken")
        if errors:
            raise validation_error(errors)
        return values


def routes(resource: Resource, path: str, verbs: str = "lgcud", *, legacy: bool = False) -> list[Route]:
    """Return the routes of a resource: by ID, and by the customer's own ID if there is one.

    :param resource: The resource.
    :param path: Path of its list.
    :param verbs: The first letters of the routes to make: list, get, create, update, delete.
    :param legacy: Whether the routes belong to the older ones.
    :return: The routes.
    """
    result = []
    if "l" in verbs:
        result.append(Route("GET", path, resource.list, legacy))
    if "c" in verbs:
        result.append(Route("POST", path, resource.create, legacy))
    customer = resource.customer_id
    for one in ([f"{path}/{customer}/{{{customer}}}"] if customer else []) + [f"{path}/{{id}}"]:
        for letter, method, handler in (
            ("g", "GET", resource.get),
            ("u", "PUT", resource.update),
            ("u", "PATCH", resource.update),
            ("d", "DELETE", resource.delete),
        ):
            if letter in verbs:
                result.append(Route(method, one, handler, legacy))
    return result
