"""Caller lists on targets and campaigns: who may not call through, or who alone may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_retreaver.sandbox.api import postback_keys, uploads
from airflow_provider_retreaver.sandbox.api.columns import InvalidValue, phone
from airflow_provider_retreaver.sandbox.api.context import Handler, RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.api.paging import link_headers, requested_page
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error, validation_error
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row

ListHandler = Callable[[RequestContext, Row], Reply]


def _guarded(permission: str, handler: ListHandler, *, on_list: bool = True) -> Handler:
    """Check key and permission, find the list, and let finished uploads take effect first."""

    def answer(context: RequestContext) -> Reply:
        owner = "target" if "target_id" in context.args else "campaign"
        row = postback_keys.authorize(context, owner, context.args[f"{owner}_id"], permission)
        uploads.execute_due(context.store, context.now)
        if on_list:
            sql = "SELECT * FROM caller_lists WHERE owner = ? AND owner_id = ? AND name = ?"
            found = context.store.row(sql, (owner, row["id"], context.args["name"]))
            if found is None:
                raise api_error(404, "caller_list not found")
            row = found
        return handler(context, row)

    return answer


def _render(row: Row) -> dict[str, Any]:
    owner, owner_id = row["owner"].capitalize(), row["owner_id"]
    return {"caller_list": {"name": row["name"], "caller_listable_type": owner, "caller_listable_id": owner_id}}


def _create(context: RequestContext, owner_row: Row) -> Reply:
    name = context.request.envelope("caller_list").get("name")
    if not isinstance(name, str) or not name.strip():
        raise validation_error({"name": ["can't be blank"]})
    owner = "target" if "target_id" in context.args else "campaign"
    values = {"owner": owner, "owner_id": owner_row["id"], "name": name.strip()}
    sql = "SELECT count(*) FROM caller_lists WHERE owner = ? AND owner_id = ? AND name = ?"
    if context.store.value(sql, tuple(values.values())):
        raise validation_error({"name": ["has already been taken"]})
    context.store.insert("caller_lists", {**values, "company_id": context.company_id, "created_at": context.now})
    return Reply(_render(values))


def _get(_context: RequestContext, row: Row) -> Reply:
    return Reply(_render(row))


def _delete(context: RequestContext, row: Row) -> Reply:
    for table in ("caller_list_numbers", "caller_list_uploads"):
        context.store.run(f"DELETE FROM {table} WHERE list_id = ?", (row["id"],))
    context.store.run("DELETE FROM caller_lists WHERE id = ?", (row["id"],))
    return Reply(_render(row))


def _render_number(context: RequestContext, number: Row) -> dict[str, Any]:
    created_at = format_milliseconds(number["created_at"], context.zone())
    return {"caller_list_number": {"number": number["number"], "created_at": created_at}}


def _numbers(context: RequestContext, row: Row) -> Reply:
    store, at = context.store, requested_page(context.request, accepts_per_page=True)
    total = store.value("SELECT count(*) FROM caller_list_numbers WHERE list_id = ?", (row["id"],))
    found = store.rows(
        "SELECT * FROM caller_list_numbers WHERE list_id = ? ORDER BY id DESC LIMIT ? OFFSET ?",
        (row["id"], at.size, at.offset),
    )
    headers = [("Total", str(total)), ("Per-Page", str(at.size)), *link_headers(context.request, at, total)]
    return Reply([_render_number(context, number) for number in found], headers=headers)


def _phone(text: Any) -> str:
    try:
        return phone(text)
    except InvalidValue as error:
        raise validation_error({"number": [str(error)]}) from error


def _add_number(context: RequestContext, row: Row) -> Reply:
    number = _phone(context.request.envelope("caller_list_number").get("number"))
    uploads.add_numbers(context.store, row["id"], [number], context.now)
    return Reply(_render_number(context, _find_number(context, row, number)))


def _find_number(context: RequestContext, row: Row, number: str) -> Row:
    sql = "SELECT * FROM caller_list_numbers WHERE list_id = ? AND number = ?"
    found = context.store.row(sql, (row["id"], number))
    if found is None:
        raise api_error(404, "caller_list_number not found")
    return found


def _number_in_path(context: RequestContext, row: Row) -> Row:
    try:
        return _find_number(context, row, phone(context.args["number"]))
    except InvalidValue as error:
        raise api_error(404, f"{context.args['number']} {error}") from error


def _get_number(context: RequestContext, row: Row) -> Reply:
    return Reply(_render_number(context, _number_in_path(context, row)))


def _delete_number(context: RequestContext, row: Row) -> Reply:
    number = _number_in_path(context, row)
    context.store.run("DELETE FROM caller_list_numbers WHERE id = ?", (number["id"],))
    return Reply(_render_number(context, number))


def _check(context: RequestContext, row: Row) -> Reply:
    number = _phone(context.request.envelope("caller_list_check").get("number"))
    sql = "SELECT count(*) FROM caller_list_numbers WHERE list_id = ? AND number = ?"
    present = context.store.value(sql, (row["id"], number))
    return Reply({"caller_list_check": {"status": "present" if present else "not-present"}})


def _upload(context: RequestContext, row: Row) -> Reply:
    return Reply(uploads.accept(context, row, context.request.envelope("caller_list_upload")))


_ONE = "/{name}"
_TABLE: tuple[tuple[str, str, str, ListHandler], ...] = (
    ("GET", _ONE, postback_keys.SHOW, _get),
    ("DELETE", _ONE, "caller_list__delete", _delete),
    ("GET", f"{_ONE}/caller_list_numbers", "caller_list_number__index", _numbers),
    ("POST", f"{_ONE}/caller_list_numbers", "caller_list_number__create", _add_number),
    ("GET", f"{_ONE}/caller_list_numbers/{{number}}", "caller_list_number__show", _get_number),
    ("DELETE", f"{_ONE}/caller_list_numbers/{{number}}", "caller_list_number__delete", _delete_number),
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
