"""Companies, and the API keys that have access to them."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import Column, read_columns
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.api.paging import link_headers, requested_page
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error, validation_error
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store

_COLUMNS = (Column("name", required=True), Column("default_click_url"), Column("default_sale_url"))


def companies_of_key(store: Store, key: str) -> list[Row]:
    """Return the companies that an API key has access to.

    :param store: The sandbox's database.
    :param key: The API key.
    :return: Rows of companies, the active one first.
    """
    return store.rows(
        "SELECT c.* FROM companies c JOIN api_keys k ON k.company_id = c.id WHERE k.key = ? AND c.deleted = 0 "
        "ORDER BY k.active DESC, c.id",
        (key,),
    )


def authorize(context: RequestContext, *, needs_company: bool) -> None:
    """Check the API key and set the company of the request. Retreaver's reference: "Authentication".

    :param context: The request and the sandbox's state.
    :param needs_company: Whether a key with several companies must name one.
    :raises ApiError: With status 401 for a wrong key, or 403 for a company that is missing or not one of the key's.
    """
    key = context.request.param("api_key") or ""
    store = context.store
    if not store.value("SELECT count(*) FROM api_keys WHERE key = ?", (key,)):
        raise api_error(401, "Your API key is wrong or missing.")
    context.key = key
    ids = [row["id"] for row in companies_of_key(store, key)]
    requested_id = context.request.param("company_id")
    if requested_id is not None and requested_id not in map(str, ids):
        raise api_error(403, "The company ID is not one this API key has access to.")
    if requested_id is not None:
        context.company_id = int(requested_id)
    elif len(ids) == 1 or (ids and not needs_company):
        context.company_id = ids[0]
    else:
        many = "several companies: pass company_id" if ids else "no company"
        raise api_error(403, f"This API key has access to {many}.")


def render(row: Row) -> dict[str, Any]:
    """Write a company in its envelope.

    :param row: Row of the company.
    :return: The company.
    """
    names = ("id", "name", "default_click_url", "default_sale_url")
    times = {name: format_milliseconds(row[name]) for name in ("created_at", "updated_at")}
    fields = {
        "embedded_key": hashlib.sha256(f"embedded {row['id']}".encode()).hexdigest()[:32],
        "per_number": "1.0",
        "use_global_suppression_list": True,
        "balance": "100.0",
        "owner_user_name": "Sandbox Owner",
    }
    return {"company": {name: row[name] for name in names} | times | fields}


def _find(context: RequestContext) -> Row:
    for row in companies_of_key(context.store, context.key):
        if str(row["id"]) == context.args["id"]:
            return row
    raise api_error(404, "company not found")


def _active(context: RequestContext) -> Reply:
    return Reply(render(context.store.one("SELECT * FROM companies WHERE id = ?", (context.company_id,))))


def _get(context: RequestContext) -> Reply:
    return Reply(render(_find(context)))


def _list(context: RequestContext) -> Reply:
    rows = sorted(companies_of_key(context.store, context.key), key=lambda row: int(row["id"]))
    at = requested_page(context.request, accepts_per_page=False)
    page = rows[at.offset : at.offset + at.size]
    return Reply([render(row) for row in page], headers=link_headers(context.request, at, len(rows)))


def _values(context: RequestContext, *, creating: bool) -> dict[str, Any]:
    errors: dict[str, list[str]] = {}
    values = read_columns(_COLUMNS, context.request.envelope("company"), creating=creating, errors=errors)
    if errors:
        raise validation_error(errors)
    return values


def add(store: Store, values: dict[str, Any], now: int, keys: dict[str, bool]) -> int:
    """Add a company.

    :param store: The sandbox's database.
    :param values: Values by column.
    :param now: The sandbox's time in milliseconds since the epoch.
    :param keys: API keys that have access to it; True where it is the key's active company.
    :return: ID of the company.
    """
    company_id = store.insert("companies", {**values, "created_at": now, "updated_at": now})
    for key, active in keys.items():
        store.insert("api_keys", {"key": key, "company_id": company_id, "active": int(active)})
    return company_id


def _create(context: RequestContext) -> Reply:
    context.args["id"] = str(add(context.store, _values(context, creating=True), context.now, {context.key: False}))
    return _get(context)


def _update(context: RequestContext) -> Reply:
    values = _values(context, creating=False)
    context.store.update("companies", _find(context)["id"], {**values, "updated_at": context.now})
    return _get(context)


def _delete(context: RequestContext) -> Reply:
    company = _find(context)
    for table, words in (("numbers", "Numbers"), ("number_pools", "Number Pools")):
        sql = f"SELECT count(*) FROM {table} WHERE company_id = ? AND deleted = 0"
        if context.store.value(sql, (company["id"],)):
            raise validation_error({"base": [f"The company still has {words}: delete them first."]})
    context.store.update("companies", company["id"], {"deleted": 1})
    return Reply(status=204)


ROUTES = [
    Route(method, path, handler, access="key")
    for method, path, handler in (
        ("GET", "company", _active),
        ("GET", "companies", _list),
        ("POST", "companies", _create),
        ("GET", "companies/{id}", _get),
        ("PUT", "companies/{id}", _update),
        ("PATCH", "companies/{id}", _update),
        ("DELETE", "companies/{id}", _delete),
    )
]
