"""Suppressed numbers, by the current and the legacy routes."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api.campaigns import CAMPAIGNS
from airflow_provider_retreaver.sandbox.api.columns import Column, Wrong, phone, read_columns, text, truth
from airflow_provider_retreaver.sandbox.api.contacts import path_number
from airflow_provider_retreaver.sandbox.api.crud import Errors, Given, Resource, Route
from airflow_provider_retreaver.sandbox.api.exchange import Exchange
from airflow_provider_retreaver.sandbox.http.wire import Reply, invalid, refused
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row

_COLUMNS = (Column("can_resubscribe", truth, optional=False),)


def _render(exchange: Exchange, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "number": row["number"],
        "created_at": format_milliseconds(row["created_at"], exchange.zone()),
        "can_resubscribe": bool(row["can_resubscribe"]),
        "company_id": row["company_id"],
        "cid": exchange.store.value("SELECT cid FROM campaigns WHERE id = ?", (row["campaign_id"],)),
    }


_LIST = Resource(table="suppressed_numbers", envelope="suppressed_number", columns=_COLUMNS, render=_render)


def _find(exchange: Exchange) -> Row:
    row = _LIST.lookup(exchange, "number", path_number(exchange))
    if row is None:
        raise refused(404, "suppressed_number not found")
    return row


def _given(exchange: Exchange) -> Given:
    """Return the attributes of the body: wrapped, bare or empty."""
    content = exchange.request.content
    inner = content.get("suppressed_number", content)
    if not isinstance(inner, dict):
        raise refused(400, "param is missing or the value is empty: suppressed_number")
    return inner


def _values(exchange: Exchange) -> dict[str, Any]:
    given, errors = _given(exchange), Errors()
    values = read_columns(_COLUMNS, given, creating=False, errors=errors)
    if "campaign_id" in given:
        wanted = given["campaign_id"] if isinstance(given["campaign_id"], int) else text(given["campaign_id"])
        # The documented campaign_id ("116dc0f6") is the customer's own ID.
        column = "id" if isinstance(wanted, int) else "cid"
        campaign = CAMPAIGNS.lookup(exchange, column, wanted) if wanted else None
        if wanted and campaign is None:
            errors["campaign_id"] = [f"there is no campaign {wanted}"]
        values["campaign_id"] = campaign["id"] if campaign else None
    if errors:
        raise invalid(errors)
    return values


def _suppress(exchange: Exchange) -> Row:
    """Suppress the number in the path; it may be suppressed already."""
    try:
        number = phone(exchange.args["number"])
    except Wrong as wrong:
        raise invalid({"number": [str(wrong)]}) from wrong
    values, now, store = _values(exchange), exchange.now, exchange.store
    row = _LIST.lookup(exchange, "number", number)
    if row is None:
        stamp = {"company_id": exchange.company_id, "created_at": now, "updated_at": now, "number": number}
        store.insert("suppressed_numbers", {**stamp, **values})
    else:
        store.update("suppressed_numbers", row["id"], {**values, "updated_at": now})
    return _find(exchange)


def _add(exchange: Exchange) -> Reply:
    """Return the number without an envelope, as documented."""
    row = _suppress(exchange)
    names = ("id", "company_id", "affiliate_id", "campaign_id", "number")
    times = {name: format_milliseconds(row[name], exchange.zone()) for name in ("created_at", "updated_at")}
    return Reply({name: row[name] for name in names} | {"can_resubscribe": bool(row["can_resubscribe"])} | times)


def _change(exchange: Exchange) -> Reply:
    row = _find(exchange)
    exchange.store.update("suppressed_numbers", row["id"], {**_values(exchange), "updated_at": exchange.now})
    return _get(exchange)


def _get(exchange: Exchange) -> Reply:
    return Reply(_LIST.wrap(exchange, _find(exchange)))


def _remove(exchange: Exchange) -> Reply:
    exchange.store.run("DELETE FROM suppressed_numbers WHERE id = ?", (_find(exchange)["id"],))
    return Reply(status=204)


def _has_numbers(exchange: Exchange) -> bool:
    sql = "SELECT EXISTS (SELECT 1 FROM suppressed_numbers WHERE company_id = ?)"
    return bool(exchange.store.value(sql, (exchange.company_id,)))


def _check(exchange: Exchange) -> Reply:
    return Reply({"suppressed_numbers_exist": _has_numbers(exchange)})


def _legacy_check(exchange: Exchange) -> Reply:
    return Reply({"suppression_list": _has_numbers(exchange)})


def _legacy_add(exchange: Exchange) -> Reply:
    row = _LIST.render(exchange, _suppress(exchange))
    return Reply(
        {"suppressed_number": {name: row[name] for name in ("id", "number", "can_resubscribe", "created_at")}}
    )


ROUTES = [
    Route("GET", "suppressed_numbers", _LIST.list),
    Route("GET", "suppressed_numbers/check", _check),
    Route("GET", "suppressed_numbers/{number}", _get),
    Route("POST", "suppressed_numbers/{number}", _add),
    Route("PUT", "suppressed_numbers/{number}", _change),
    Route("PATCH", "suppressed_numbers/{number}", _change),
    Route("DELETE", "suppressed_numbers/{number}", _remove),
    Route("GET", "suppression_list/check", _legacy_check, legacy=True),
    Route("POST", "contact_numbers/{number}/suppressed_number", _legacy_add, legacy=True),
    Route("DELETE", "contact_numbers/{number}/suppressed_number", _remove, legacy=True),
]
