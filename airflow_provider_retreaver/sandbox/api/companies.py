"""Companies, and the API keys that have access to them."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import Column, read_columns
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.api.exchange import Exchange
from airflow_provider_retreaver.sandbox.api.paging import link_headers, window
from airflow_provider_retreaver.sandbox.http.wire import Reply, invalid, refused
from airflow_provider_retreaver.sandbox.state.clock import format_seconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store

_COLUMNS = (Column("name", required=True), Column("default_click_url"), Column("default_sale_url"))


def reachable(store: Store, key: str) -> list[Row]:
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


def authorize(exchange: Exchange, *, needs_company: bool) -> None:
    """Check the API key and set the company of the request. Retreaver's reference: "Authentication".

    :param exchange: The request and the sandbox's state.
    :param needs_company: Whether a key with several companies must name one.
    :raises Refusal: With status 401 for a wrong key, or 403 for a company that is missing or not one of the key's.
    """
    key = exchange.request.param("api_key") or ""
    store = exchange.store
    if not store.value("SELECT count(*) FROM api_keys WHERE key = ?", (key,)):
        raise refused(401, "Your API key is wrong or missing.")
    exchange.key = key
    ids = [row["id"] for row in reachable(store, key)]
    asked = exchange.request.param("company_id")
    if asked is not None and asked not in map(str, ids):
        raise refused(403, "The company ID is not one this API key has access to.")
    if asked is not None:
        exchange.company_id = int(asked)
    elif len(ids) == 1 or (ids and not needs_company):
        exchange.company_id = ids[0]
    else:
        many = "several companies: pass company_id" if ids else "no company"
        raise refused(403, f"This API key has access to {many}.")


def render(row: Row) -> dict[str, Any]:
    """Write a company in its envelope.

    :param row: Row of the company.
    :return: The company.
    """
    names = ("id", "name", "default_click_url", "default_sale_url")
    times = {name: format_seconds(row[name]) for name in ("created_at", "updated_at")}
    return {"company": {name: row[name] for name in names} | times}


def _find(exchange: Exchange) -> Row:
    for row in reachable(exchange.store, exchange.key):
        if str(row["id"]) == exchange.args["id"]:
            return row
    raise refused(404, "company not found")


def _active(exchange: Exchange) -> Reply:
    return Reply(render(exchange.store.one("SELECT * FROM companies WHERE id = ?", (exchange.company_id,))))


def _get(exchange: Exchange) -> Reply:
    return Reply(render(_find(exchange)))


def _list(exchange: Exchange) -> Reply:
    rows = sorted(reachable(exchange.store, exchange.key), key=lambda row: int(row["id"]))
    at = window(exchange.request, sizable=False)
    page = rows[at.offset : at.offset + at.size]
    return Reply([render(row) for row in page], headers=link_headers(exchange.request, at, len(rows)))


def _values(exchange: Exchange, *, creating: bool) -> dict[str, Any]:
    errors: dict[str, list[str]] = {}
    values = read_columns(_COLUMNS, exchange.request.envelope("company"), creating=creating, errors=errors)
    if errors:
        raise invalid(errors)
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


def _create(exchange: Exchange) -> Reply:
    exchange.args["id"] = str(
        add(exchange.store, _values(exchange, creating=True), exchange.now, {exchange.key: False})
    )
    return _get(exchange)


def _update(exchange: Exchange) -> Reply:
    values = _values(exchange, creating=False)
    exchange.store.update("companies", _find(exchange)["id"], {**values, "updated_at": exchange.now})
    return _get(exchange)


def _delete(exchange: Exchange) -> Reply:
    company = _find(exchange)
    for table, words in (("numbers", "Numbers"), ("number_pools", "Number Pools")):
        sql = f"SELECT count(*) FROM {table} WHERE company_id = ? AND deleted = 0"
        if exchange.store.value(sql, (company["id"],)):
            raise invalid({"base": [f"The company still has {words}: delete them first."]})
    exchange.store.update("companies", company["id"], {"deleted": 1})
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
