"""Nested objects of a request, as Rails saves them: by ``id`` changed or deleted, without one added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import Column, identity, read_columns, truth
from airflow_provider_retreaver.sandbox.http.wire import validation_error
from airflow_provider_retreaver.sandbox.state.store import Row, Store


def nested_rows(attributes: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Read a list of nested objects; Rails' form of it, an object with numbered keys, is accepted too.

    :param attributes: Attributes from the request.
    :param name: Name of the list, for example ``timers_attributes``.
    :return: The objects; empty if there is no such list.
    :raises ApiError: With status 422, if it is not a list of objects.
    """
    rows = attributes.get(name)
    if rows is None:
        return []
    if isinstance(rows, dict):
        rows = list(rows.values())
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise validation_error({name.removesuffix("_attributes"): ["is invalid"]})
    return rows


def _accept_all(_values: Row, _errors: dict[str, list[str]]) -> None:
    """Add no errors."""


@dataclass(frozen=True, slots=True)
class NestedTable:
    """A table of nested objects.

    :param name: Name of the table.
    :param columns: Attributes that requests can set.
    :param defaults: Values by column of a new row.
    """

    name: str
    columns: Sequence[Column]
    defaults: Row

    def save(
        self,
        store: Store,
        attributes: dict[str, Any],
        parent: Row,
        *,
        owner: str = "target",
        initial: Row | None = None,
        stamps: Row | None = None,
        check: Callable[[Row, dict[str, list[str]]], None] = _accept_all,
    ) -> int | None:
        """Add, change or delete one row.

        :param store: The sandbox's database.
        :param attributes: Attributes of the nested object, with ``id`` and ``_destroy``.
        :param parent: Columns that hold the ID of the object it belongs to, with their values.
        :param owner: Kind of that object, for error messages.
        :param initial: Other values by column of a new row.
        :param stamps: Other values by column to save with every change.
        :param check: Adds errors of the values that were read.
        :return: ID of the row; None if it was deleted.
        :raises ApiError: With status 422, if the row belongs to another object or an attribute is invalid.
        """
        row_id = identity(attributes.get("id"))
        if row_id is not None:
            condition = " AND ".join(f"{name} = ?" for name in parent)
            sql = f"SELECT id FROM {self.name} WHERE id = ? AND {condition}"
            if store.row(sql, (row_id, *parent.values())) is None:
                raise validation_error({f"{self.name}.id": [f"{row_id} is not one of this {owner}'s"]})
            if truth(attributes.get("_destroy")):
                store.run(f"DELETE FROM {self.name} WHERE id = ?", (row_id,))
                return None
        errors: dict[str, list[str]] = {}
        values = read_columns(self.columns, attributes, creating=row_id is None, errors=errors)
        check(values, errors)
        if errors:
            raise validation_error({f"{self.name}.{name}": texts for name, texts in errors.items()})
        values |= stamps or {}
        if row_id is None:
            return store.insert(self.name, {**self.defaults, **(initial or {}), **values, **parent})
        store.update(self.name, row_id, values)
        return row_id
