"""Contacts and their numbers, by id and by phone number."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api import tags
from airflow_provider_retreaver.sandbox.api.columns import (
    Column,
    InvalidValue,
    identity,
    phone_or_sip,
    read_columns,
    truth,
)
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Attributes, Errors, Resource, Route, routes
from airflow_provider_retreaver.sandbox.api.nested import nested_rows
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error, validation_error
from airflow_provider_retreaver.sandbox.state.store import Row

_NUMBER = (Column("number", phone_or_sip, required=True), Column("description"))
_NAMES = ("number", "description", "id")


def _prepare(
    _context: RequestContext, attributes: Attributes, _values: dict[str, Any], errors: Errors, row: Row | None
) -> None:
    if row is None and not nested_rows(attributes, "contact_numbers_attributes"):
        errors["contact_numbers"] = ["can't be blank"]


def _save_nested(context: RequestContext, contact_id: int, attributes: Attributes) -> None:
    for row in nested_rows(attributes, "contact_numbers_attributes"):
        existing = None
        row_id = identity(row.get("id"))
        if row_id is not None:
            sql = "SELECT * FROM contact_numbers WHERE id = ? AND contact_id = ?"
            existing = context.store.row(sql, (row_id, contact_id))
            if existing is None:
                raise validation_error({"contact_numbers.id": [f"{row_id} is not one of this contact's"]})
        if existing is not None and truth(row.get("_destroy")):
            _remove(context, existing)
        else:
            _save(context, contact_id, row, existing)
    tags.change(context, "contact", contact_id, attributes)


def _save(context: RequestContext, contact_id: int, attributes: Attributes, existing: Row | None) -> None:
    """Add or change one number; no two contacts of a company share one."""
    errors: Errors = {}
    values = read_columns(_NUMBER, attributes, creating=existing is None, errors=errors)
    sql = "SELECT id FROM contact_numbers WHERE company_id = ? AND number = ?"
    other = context.store.row(sql, (context.company_id, values.get("number")))
    if other is not None and (existing is None or other["id"] != existing["id"]):
        errors["number"] = ["has already been taken"]
    if errors:
        raise validation_error({f"contact_numbers.{name}": texts for name, texts in errors.items()})
    if existing is None:
        context.store.insert(
            "contact_numbers", {"company_id": context.company_id, "contact_id": contact_id, **values}
        )
    else:
        context.store.update("contact_numbers", existing["id"], values)


def _remove(context: RequestContext, number: Row) -> None:
    """Remove a number, unless it is the contact's only one."""
    if len(_of(context, number["contact_id"])) < 2:
        raise validation_error({"base": ["This is the contact's only number: delete the contact instead."]})
    context.store.run("DELETE FROM contact_numbers WHERE id = ?", (number["id"],))


def _of(context: RequestContext, contact_id: int) -> list[Row]:
    sql = f"SELECT {', '.join(_NAMES)} FROM contact_numbers WHERE contact_id = ? ORDER BY id"
    return context.store.rows(sql, (contact_id,))


def _render(context: RequestContext, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "contact_numbers": _of(context, row["id"]),
        "tag_values": tags.get_tags(context, "contact", row["id"]),
    }


def _cleanup(context: RequestContext, row: Row) -> None:
    context.store.run("DELETE FROM contact_numbers WHERE contact_id = ?", (row["id"],))


CONTACTS = Resource(
    table="contacts",
    envelope="contact",
    columns=(),
    render=_render,
    prepare=_prepare,
    save_nested=_save_nested,
    cleanup=_cleanup,
)


def path_number(context: RequestContext) -> str:
    """Read the phone number in the path.

    :param context: The request and the sandbox's state.
    :return: The number in E.164, or a SIP address.
    :raises ApiError: With status 404, if it is not a phone number.
    """
    try:
        return phone_or_sip(context.args["number"])
    except InvalidValue as error:
        raise api_error(404, f"{context.args['number']} {error}") from error


def _number(context: RequestContext) -> Row:
    sql = "SELECT * FROM contact_numbers WHERE company_id = ? AND number = ?"
    row = context.store.row(sql, (context.company_id, path_number(context)))
    if row is None:
        raise api_error(404, "contact_number not found")
    return row


def _by_number(context: RequestContext) -> Reply:
    """Get, change or delete the contact behind a phone number."""
    context.args = {"id": str(_number(context)["contact_id"])}
    verbs = {"GET": CONTACTS.get, "DELETE": CONTACTS.delete}
    return verbs.get(context.request.method, CONTACTS.update)(context)


def _change_number(context: RequestContext) -> Reply:
    row = _number(context)
    _save(context, row["contact_id"], context.request.envelope("contact_number"), row)
    sql = f"SELECT {', '.join(_NAMES)} FROM contact_numbers WHERE id = ?"
    return Reply({"contact_number": context.store.row(sql, (row["id"],))})


def _delete_number(context: RequestContext) -> Reply:
    _remove(context, _number(context))
    return Reply(status=204)


ROUTES = [
    *routes(CONTACTS, "contacts"),
    *(Route(method, "contact_numbers/{number}/contact", _by_number) for method in ("GET", "PUT", "PATCH", "DELETE")),
    *(Route(method, "contact_numbers/{number}", _change_number) for method in ("PUT", "PATCH")),
    Route("DELETE", "contact_numbers/{number}", _delete_number),
]
