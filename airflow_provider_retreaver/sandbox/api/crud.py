"""List, get, create, update and delete, for resources that follow the same rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import Column, read_columns
from airflow_provider_retreaver.sandbox.api.exchange import Exchange, Handler
from airflow_provider_retreaver.sandbox.api.paging import link_headers, window
from airflow_provider_retreaver.sandbox.http.wire import Reply, invalid, refused
from airflow_provider_retreaver.sandbox.state.store import Row

Errors = dict[str, list[str]]
Given = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, and the function that answers it.

    :param method: HTTP method.
    :param path: Path without its format; ``{name}`` is a variable segment.
    :param handler: Answers the request.
    :param legacy: Whether the route belongs to the older ones, which can be switched off.
    :param access: ``company`` (needs an API key and a company), ``key`` (needs an API key) or ``open`` (the handler
        checks access itself).
    """

    method: str
    path: str
    handler: Handler
    legacy: bool = False
    access: str = "company"


def _nothing(_exchange: Exchange, _row_id: int, _given: Given) -> None:
    """Save no nested objects."""


def _no_values(
    _exchange: Exchange, _given: Given, _values: dict[str, Any], _errors: Errors, _row: Row | None
) -> None:
    """Derive no values."""


def _no_objection(_exchange: Exchange, _row: Row) -> str | None:
    """Allow every row to be deleted."""
    return None


def _no_cleanup(_exchange: Exchange, _row: Row) -> None:
    """Delete nothing else."""


def _no_filters(_exchange: Exchange) -> tuple[str, list[Any]]:
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
    :param born: Adds to a new row what every new row has.
    :param nested: Saves the nested objects of a request.
    :param objection: Returns why a row cannot be deleted, or None.
    :param cleanup: Deletes what belongs to a deleted row.
    :param filters: Returns SQL and values that a list is filtered by.
    """

    table: str
    envelope: str
    columns: Sequence[Column]
    render: Callable[[Exchange, Row], Mapping[str, Any]]
    customer_id: str | None = None
    unique: str | None = None
    prepare: Callable[[Exchange, Given, dict[str, Any], Errors, Row | None], None] = _no_values
    born: Callable[[Exchange, int, Given], None] = _nothing
    nested: Callable[[Exchange, int, Given], None] = _nothing
    objection: Callable[[Exchange, Row], str | None] = _no_objection
    cleanup: Callable[[Exchange, Row], None] = _no_cleanup
    filters: Callable[[Exchange], tuple[str, list[Any]]] = _no_filters

    def find(self, exchange: Exchange) -> Row:
        """Return the row that the path names.

        :param exchange: The request and the sandbox's state.
        :return: The row.
        :raises Refusal: With status 404, if there is none.
        """
        name = next(iter(exchange.args))
        row = self.lookup(exchange, name, exchange.args[name])
        if row is None:
            raise refused(404, f"{self.envelope} not found")
        return row

    def lookup(self, exchange: Exchange, column: str, value: Any) -> Row | None:
        """Look up a row of the company.

        :param exchange: The request and the sandbox's state.
        :param column: Column to search by.
        :param value: Its value.
        :return: The row, or None.
        """
        if column == "id" and not re.fullmatch(r"[0-9]{1,18}", str(value)):
            return None
        return exchange.store.row(
            f"SELECT * FROM {self.table} WHERE company_id = ? AND {column} = ? AND deleted = 0",
            (exchange.company_id, int(value) if column == "id" else value),
        )

    def wrap(self, exchange: Exchange, row: Row) -> dict[str, Any]:
        """Write a row in its envelope.

        :param exchange: The request and the sandbox's state.
        :param row: The row.
        :return: For example ``{"target": {...}}``.
        """
        return {self.envelope: dict(self.render(exchange, row))}

    def get(self, exchange: Exchange) -> Reply:
        """Answer one object.

        :param exchange: The request and the sandbox's state.
        :return: The reply.
        """
        return Reply(self.wrap(exchange, self.find(exchange)))

    def list(self, exchange: Exchange) -> Reply:
        """Answer a page of 25 objects; versioned routes accept ``per_page``.

        :param exchange: The request and the sandbox's state.
        :return: Objects in their envelopes, with the ``Link`` header.
        """
        extra, values = self.filters(exchange)
        where = f"company_id = ? AND deleted = 0{extra}"
        total = exchange.store.value(
            f"SELECT count(*) FROM {self.table} WHERE {where}", (exchange.company_id, *values)
        )
        at = window(exchange.request, sizable=exchange.request.segments[:1] == ["api"])
        rows = exchange.store.rows(
            f"SELECT * FROM {self.table} WHERE {where} ORDER BY id LIMIT ? OFFSET ?",
            (exchange.company_id, *values, at.size, at.offset),
        )
        return Reply([self.wrap(exchange, row) for row in rows], headers=link_headers(exchange.request, at, total))

    def create(self, exchange: Exchange) -> Reply:
        """Create an object from the request's body.

        :param exchange: The request and the sandbox's state.
        :return: The new object in its envelope.
        """
        return Reply(self.wrap(exchange, self.make(exchange, exchange.request.envelope(self.envelope))))

    def make(self, exchange: Exchange, given: Given) -> Row:
        """Create an object.

        :param exchange: The request and the sandbox's state.
        :param given: Attributes from the request.
        :return: The new row.
        :raises Refusal: With status 422, if an attribute is invalid.
        """
        values = self._values(exchange, given, None)
        stamp = {"company_id": exchange.company_id, "created_at": exchange.now, "updated_at": exchange.now}
        row_id = exchange.store.insert(self.table, {**stamp, **values})
        self.born(exchange, row_id, given)
        self.nested(exchange, row_id, given)
        return self._reload(exchange, row_id)

    def update(self, exchange: Exchange) -> Reply:
        """Change the attributes that the request's body contains.

        :param exchange: The request and the sandbox's state.
        :return: The changed object in its envelope.
        """
        row = self.find(exchange)
        return Reply(self.wrap(exchange, self.change(exchange, row, exchange.request.envelope(self.envelope))))

    def change(self, exchange: Exchange, row: Row, given: Given) -> Row:
        """Change an object.

        :param exchange: The request and the sandbox's state.
        :param row: The existing row.
        :param given: Attributes from the request.
        :return: The changed row.
        :raises Refusal: With status 422, if an attribute is invalid.
        """
        values = self._values(exchange, given, row)
        exchange.store.update(self.table, row["id"], {**values, "updated_at": exchange.now})
        self.nested(exchange, row["id"], given)
        return self._reload(exchange, row["id"])

    def delete(self, exchange: Exchange) -> Reply:
        """Delete an object.

        :param exchange: The request and the sandbox's state.
        :return: A reply with status 204.
        :raises Refusal: With status 422, if other objects must be deleted first.
        """
        row = self.find(exchange)
        reason = self.objection(exchange, row)
        if reason is not None:
            raise invalid({"base": [reason]})
        exchange.store.update(self.table, row["id"], {"deleted": 1})
        self.cleanup(exchange, row)
        return Reply(status=204)

    def _reload(self, exchange: Exchange, row_id: int) -> Row:
        return exchange.store.one(f"SELECT * FROM {self.table} WHERE id = ?", (row_id,))

    def _values(self, exchange: Exchange, given: Given, row: Row | None) -> dict[str, Any]:
        errors: Errors = {}
        values = read_columns(self.columns, given, creating=row is None, errors=errors)
        self.prepare(exchange, given, values, errors, row)
        unique = self.customer_id or self.unique
        if unique and values.get(unique):
            other = self.lookup(exchange, unique, values[unique])
            if other is not None and (row is None or other["id"] != row["id"]):
                errors.setdefault(unique, []).append("has already been taken")
        if errors:
            raise invalid(errors)
        return values


def routes(resource: Resource, path: str, verbs: str = "lgcud", *, legacy: bool = False) -> list[Route]:
    """Return the routes of a resource: by ID, and by the customer's own ID if there is one.

    :param resource: The resource.
    :param path: Path of its list.
    :param verbs: The first letters of the routes to make: list, get, create, update, delete.
    :param legacy: Whether the routes belong to the older ones.
    :return: The routes.
    """
    made = []
    if "l" in verbs:
        made.append(Route("GET", path, resource.list, legacy))
    if "c" in verbs:
        made.append(Route("POST", path, resource.create, legacy))
    customer = resource.customer_id
    for one in ([f"{path}/{customer}/{{{customer}}}"] if customer else []) + [f"{path}/{{id}}"]:
        for letter, method, handler in (
            ("g", "GET", resource.get),
            ("u", "PUT", resource.update),
            ("u", "PATCH", resource.update),
            ("d", "DELETE", resource.delete),
        ):
            if letter in verbs:
                made.append(Route(method, one, handler, legacy))
    return made
