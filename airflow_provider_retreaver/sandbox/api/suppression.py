"""Suppressed numbers, by the current and the legacy routes."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api.campaigns import CAMPAIGNS
from airflow_provider_retreaver.sandbox.api.columns import Column, InvalidValue, phone, read_columns, text, truth
from airflow_provider_retreaver.sandbox.api.contacts import path_number
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Attributes, Errors, Resource, Route
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error, validation_error
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row

_COLUMNS = (Column("can_resubscribe", truth, optional=False),)


def _render(context: RequestContext, row: Row) -> dict[str, Any]:
    rendered = {
        "id": row["id"],
        "number": row["number"],
        "created_at": format_milliseconds(row["created_at"], context.zone()),
        "can_resubscribe": bool(row["can_resubscribe"]),
        "company_id": row["company_id"],
    }
    # Documented as an integer, which is there only with a campaign.
    return rendered if row["campaign_id"] is None else {**rendered, "cid": row["campaign_id"]}


_LIST = Resource(table="suppressed_numbers", envelope="suppressed_number", columns=_COLUMNS, render=_render)


def _find(context: RequestContext) -> Row:
    row = _LIST.lookup(context, "number", path_number(context))
    if row is None:
        raise api_error(404, "suppressed_number not found")
    return row


def _attributes(context: RequestContext) -> Attributes:
    """Return the attributes of the body: wrapped, bare or empty."""
    content = context.request.content
    inner = content.get("suppressed_number", content)
    if not isinstance(inner, dict):
        raise api_error(400, "param is missing or the value is empty: suppressed_number")
    return inner


def _values(context: RequestContext) -> dict[str, Any]:
    attributes, errors = _attributes(context), Errors()
    values = read_columns(_COLUMNS, attributes, creating=False, errors=errors)
    if "campaign_id" in attributes:
        campaign_key = (
            attributes["campaign_id"]
            if isinstance(attributes["campaign_id"], int)
            else text(attributes["campaign_id"])
        )
        # The documented campaign_id ("116dc0f6") is the customer's own ID.
        column = "id" if isinstance(campaign_key, int) else "cid"
        campaign = CAMPAIGNS.lookup(context, column, campaign_key) if campaign_key else None
        if campaign_key and campaign is None:
            errors["campaign_id"] = [f"there is no campaign {campaign_key}"]
        values["campaign_id"] = campaign["id"] if campaign else None
    if errors:
        raise validation_error(errors)
    return values


def _suppress(context: RequestContext) -> Row:
    """Suppress the number in the path; it may be suppressed already."""
    try:
        number = phone(context.args["number"])
    except InvalidValue as error:
        raise validation_error({"number": [str(error)]}) from error
    values, now, store = _values(context), context.now, context.store
    row = _LIST.lookup(context, "number", number)
    if row is None:
        stamp = {"company_id": context.company_id, "created_at": now, "updated_at": now, "number": number}
        store.insert("suppressed_numbers", {**stamp, **values})
    else:
        store.update("suppressed_numbers", row["id"], {**values, "updated_at": now})
    return _find(context)


def _add(context: RequestContext) -> Reply:
    """Return the number without an envelope, as documented."""
    row = _suppress(context)
    names = ("id", "company_id", "affiliate_id", "campaign_id", "number")
    times = {name: format_milliseconds(row[name], context.zone()) for name in ("created_at", "updated_at")}
    return Reply({name: row[name] for name in names} | {"can_resubscribe": bool(row["can_resubscribe"])} | times)


def _change(context: RequestContext) -> Reply:
    row = _find(context)
    context.store.update("suppressed_numbers", row["id"], {**_values(context), "updated_at": context.now})
    return _get(context)


def _get(context: RequestContext) -> Reply:
    return Reply(_LIST.wrap(context, _find(context)))


def _remove(context: RequestContext) -> Reply:
    context.store.run("DELETE FROM suppressed_numbers WHERE id = ?", (_find(context)["id"],))
    return Reply(status=204)


def _has_numbers(context: RequestContext) -> bool:
    sql = "SELECT EXISTS (SELECT 1 FROM suppressed_numbers WHERE company_id = ?)"
    return bool(context.store.value(sql, (context.company_id,)))


def _check(context: RequestContext) -> Reply:
    return Reply({"suppressed_numbers_exist": _has_numbers(context)})


def _legacy_check(context: RequestContext) -> Reply:
    return Reply({"suppression_list": _has_numbers(context)})


def _legacy_add(context: RequestContext) -> Reply:
    row = _LIST.render(context, _suppress(context))
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
