"""Contacts and their numbers, by id and by phone number."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api import tags
from airflow_provider_retreaver.sandbox.api.columns import Column, Wrong, identity, phone_or_sip, read_columns, truth
from airflow_provider_retreaver.sandbox.api.crud import Errors, Given, Resource, Route, routes
from airflow_provider_retreaver.sandbox.api.exchange import Exchange
from airflow_provider_retreaver.sandbox.api.hours import nested_rows
from airflow_provider_retreaver.sandbox.http.wire import Reply, invalid, refused
from airflow_provider_retreaver.sandbox.state.store import Row

_NUMBER = (Column("number", phone_or_sip, required=True), Column("description"))
_NAMES = ("number", "description", "id")


def _prepare(_exchange: Exchange, given: Given, _values: dict[str, Any], errors: Errors, row: Row | None) -> None:
    if row is None and not nested_rows(given, "contact_numbers_attributes"):
        errors["contact_numbers"] = ["can't be blank"]


def _nested(exchange: Exchange, contact_id: int, given: Given) -> None:
    for row in nested_rows(given, "contact_numbers_attributes"):
        mine = None
        row_id = identity(row.get("id"))
        if row_id is not None:
            sql = "SELECT * FROM contact_numbers WHERE id = ? AND contact_id = ?"
            mine = exchange.store.row(sql, (row_id, contact_id))
            if mine is None:
                raise invalid({"contact_numbers.id": [f"{row_id} is not one of this contact's"]})
        if mine is not None and truth(row.get("_destroy")):
            _remove(exchange, mine)
        else:
            _save(exchange, contact_id, row, mine)
    tags.change(exchange, "contact", contact_id, given)


def _save(exchange: Exchange, contact_id: int, given: Given, mine: Row | None) -> None:
    """Add or change one number; no two contacts of a company share one."""
    errors: Errors = {}
    values = read_columns(_NUMBER, given, creating=mine is None, errors=errors)
    sql = "SELECT id FROM contact_numbers WHERE company_id = ? AND number = ?"
    other = exchange.store.row(sql, (exchange.company_id, values.get("number")))
    if other is not None and (mine is None or other["id"] != mine["id"]):
        errors["number"] = ["has already been taken"]
    if errors:
        raise invalid({f"contact_numbers.{name}": texts for name, texts in errors.items()})
    if mine is None:
        exchange.store.insert(
            "contact_numbers", {"company_id": exchange.company_id, "contact_id": contact_id, **values}
        )
    else:
        exchange.store.update("contact_numbers", mine["id"], values)


def _remove(exchange: Exchange, number: Row) -> None:
    """Remove a number, unless it is the contact's only one."""
    if len(_of(exchange, number["contact_id"])) < 2:
        raise invalid({"base": ["This is the contact's only number: delete the contact instead."]})
    exchange.store.run("DELETE FROM contact_numbers WHERE id = ?", (number["id"],))


def _of(exchange: Exchange, contact_id: int) -> list[Row]:
    sql = f"SELECT {', '.join(_NAMES)} FROM contact_numbers WHERE contact_id = ? ORDER BY id"
    return exchange.store.rows(sql, (contact_id,))


def _render(exchange: Exchange, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "contact_numbers": _of(exchange, row["id"]),
        "tag_values": tags.of(exchange, "contact", row["id"]),
    }


def _cleanup(exchange: Exchange, row: Row) -> None:
    exchange.store.run("DELETE FROM contact_numbers WHERE contact_id = ?", (row["id"],))


CONTACTS = Resource(
    table="contacts",
    envelope="contact",
    columns=(),
    render=_render,
    prepare=_prepare,
    nested=_nested,
    cleanup=_cleanup,
)


def path_number(exchange: Exchange) -> str:
    """Read the phone number in the path.

    :param exchange: The request and the sandbox's state.
    :return: The number in E.164, or a SIP address.
    :raises Refusal: With status 404, if it is not a phone number.
    """
    try:
        return phone_or_sip(exchange.args["number"])
    except Wrong as wrong:
        raise refused(404, f"{exchange.args['number']} {wrong}") from wrong


def _number(exchange: Exchange) -> Row:
    sql = "SELECT * FROM contact_numbers WHERE company_id = ? AND number = ?"
    row = exchange.store.row(sql, (exchange.company_id, path_number(exchange)))
    if row is None:
        raise refused(404, "contact_number not found")
    return row


def _by_number(exchange: Exchange) -> Reply:
    """Get, change or delete the contact behind a phone number."""
    exchange.args = {"id": str(_number(exchange)["contact_id"])}
    verbs = {"GET": CONTACTS.get, "DELETE": CONTACTS.delete}
    return verbs.get(exchange.request.method, CONTACTS.update)(exchange)


def _change_number(exchange: Exchange) -> Reply:
    row = _number(exchange)
    _save(exchange, row["contact_id"], exchange.request.envelope("contact_number"), row)
    sql = f"SELECT {', '.join(_NAMES)} FROM contact_numbers WHERE id = ?"
    return Reply({"contact_number": exchange.store.row(sql, (row["id"],))})


def _delete_number(exchange: Exchange) -> Reply:
    _remove(exchange, _number(exchange))
    return Reply(status=204)


ROUTES = [
    *routes(CONTACTS, "contacts"),
    *(Route(method, "contact_numbers/{number}/contact", _by_number) for method in ("GET", "PUT", "PATCH", "DELETE")),
    *(Route(method, "contact_numbers/{number}", _change_number) for method in ("PUT", "PATCH")),
    Route("DELETE", "contact_numbers/{number}", _delete_number),
]
