"""Caller lists on targets and campaigns: who may not call through, or who alone may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_retreaver.sandbox.api import postback_keys, uploads
from airflow_provider_retreaver.sandbox.api.columns import Wrong, phone
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.api.exchange import Exchange, Handler
from airflow_provider_retreaver.sandbox.api.paging import link_headers, window
from airflow_provider_retreaver.sandbox.http.wire import Reply, invalid, refused
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row

ListHandler = Callable[[Exchange, Row], Reply]


def _guarded(permission: str, handler: ListHandler, *, on_list: bool = True) -> Handler:
    """Check key and permission, find the list, and let finished uploads take effect first."""

    def answer(exchange: Exchange) -> Reply:
        owner = "target" if "target_id" in exchange.args else "campaign"
        row = postback_keys.authorize(exchange, owner, exchange.args[f"{owner}_id"], permission)
        uploads.finish(exchange.store, exchange.now)
        if on_list:
            sql = "SELECT * FROM caller_lists WHERE owner = ? AND owner_id = ? AND name = ?"
            found = exchange.store.row(sql, (owner, row["id"], exchange.args["name"]))
            if found is None:
                raise refused(404, "caller_list not found")
            row = found
        return handler(exchange, row)

    return answer


def _render(row: Row) -> dict[str, Any]:
    owner, owner_id = row["owner"].capitalize(), row["owner_id"]
    return {"caller_list": {"name": row["name"], "caller_listable_type": owner, "caller_listable_id": owner_id}}


def _create(exchange: Exchange, owner_row: Row) -> Reply:
    name = exchange.request.envelope("caller_list").get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid({"name": ["can't be blank"]})
    owner = "target" if "target_id" in exchange.args else "campaign"
    values = {"owner": owner, "owner_id": owner_row["id"], "name": name.strip()}
    sql = "SELECT count(*) FROM caller_lists WHERE owner = ? AND owner_id = ? AND name = ?"
    if exchange.store.value(sql, tuple(values.values())):
        raise invalid({"name": ["has already been taken"]})
    exchange.store.insert("caller_lists", {**values, "company_id": exchange.company_id, "created_at": exchange.now})
    return Reply(_render(values))


def _get(_exchange: Exchange, row: Row) -> Reply:
    return Reply(_render(row))


def _delete(exchange: Exchange, row: Row) -> Reply:
    for table in ("caller_list_numbers", "caller_list_uploads"):
        exchange.store.run(f"DELETE FROM {table} WHERE list_id = ?", (row["id"],))
    exchange.store.run("DELETE FROM caller_lists WHERE id = ?", (row["id"],))
    return Reply(_render(row))


def _shown(exchange: Exchange, number: Row) -> dict[str, Any]:
    moment = format_milliseconds(number["created_at"], exchange.zone())
    return {"caller_list_number": {"number": number["number"], "created_at": moment}}


def _numbers(exchange: Exchange, row: Row) -> Reply:
    store, at = exchange.store, window(exchange.request, sizable=True)
    total = store.value("SELECT count(*) FROM caller_list_numbers WHERE list_id = ?", (row["id"],))
    found = store.rows(
        "SELECT * FROM caller_list_numbers WHERE list_id = ? ORDER BY id DESC LIMIT ? OFFSET ?",
        (row["id"], at.size, at.offset),
    )
    headers = [("Total", str(total)), ("Per-Page", str(at.size)), *link_headers(exchange.request, at, total)]
    return Reply([_shown(exchange, number) for number in found], headers=headers)


def _phone(text: Any) -> str:
    try:
        return phone(text)
    except Wrong as wrong:
        raise invalid({"number": [str(wrong)]}) from wrong


def _add_number(exchange: Exchange, row: Row) -> Reply:
    number = _phone(exchange.request.envelope("caller_list_number").get("number"))
    uploads.put(exchange.store, row["id"], [number], exchange.now)
    return Reply(_shown(exchange, _on_list(exchange, row, number)))


def _on_list(exchange: Exchange, row: Row, number: str) -> Row:
    sql = "SELECT * FROM caller_list_numbers WHERE list_id = ? AND number = ?"
    found = exchange.store.row(sql, (row["id"], number))
    if found is None:
        raise refused(404, "caller_list_number not found")
    return found


def _in_path(exchange: Exchange, row: Row) -> Row:
    try:
        return _on_list(exchange, row, phone(exchange.args["number"]))
    except Wrong as wrong:
        raise refused(404, f"{exchange.args['number']} {wrong}") from wrong


def _get_number(exchange: Exchange, row: Row) -> Reply:
    return Reply(_shown(exchange, _in_path(exchange, row)))


def _delete_number(exchange: Exchange, row: Row) -> Reply:
    number = _in_path(exchange, row)
    exchange.store.run("DELETE FROM caller_list_numbers WHERE id = ?", (number["id"],))
    return Reply(_shown(exchange, number))


def _check(exchange: Exchange, row: Row) -> Reply:
    number = _phone(exchange.request.envelope("caller_list_check").get("number"))
    sql = "SELECT count(*) FROM caller_list_numbers WHERE list_id = ? AND number = ?"
    present = exchange.store.value(sql, (row["id"], number))
    return Reply({"caller_list_check": {"status": "present" if present else "not-present"}})


def _upload(exchange: Exchange, row: Row) -> Reply:
    return Reply(uploads.accept(exchange, row, exchange.request.envelope("caller_list_upload")))


_ONE = "/{name}"
_TABLE: tuple[tuple[str, str, str, ListHandler], ...] = (
    ("GET", _ONE, postback_keys.SHOW, _get),
    ("DELETE", _ONE, "caller_list__destroy", _delete),
    ("GET", f"{_ONE}/caller_list_numbers", "caller_list_number__index", _numbers),
    ("POST", f"{_ONE}/caller_list_numbers", "caller_list_number__create", _add_number),
    ("GET", f"{_ONE}/caller_list_numbers/{{number}}", "caller_list_number__show", _get_number),
    ("DELETE", f"{_ONE}/caller_list_numbers/{{number}}", "caller_list_number__destroy", _delete_number),
    ("POST", f"{_ONE}/caller_list_checks", "caller_list_check__create", _check),
    ("POST", f"{_ONE}/caller_list_uploads", "caller_list_upload__create", _upload),
)


def _routes() -> list[Route]:
    made = []
    for base in ("api/v2/targets/{target_id}/caller_lists", "api/v2/campaigns/{campaign_id}/caller_lists"):
        create = _guarded("caller_list__create", _create, on_list=False)
        made.append(Route("POST", base, create, access="open"))
        for method, path, permission, handler in _TABLE:
            made.append(Route(method, base + path, _guarded(permission, handler), access="open"))
    return made


ROUTES = _routes()
