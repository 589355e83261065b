"""Postback keys of the type "Caller List Management": their owners and permissions."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from airflow_provider_retreaver.sandbox.api.exchange import Exchange
from airflow_provider_retreaver.sandbox.http.wire import refused
from airflow_provider_retreaver.sandbox.state.store import Row, Store

SHOW = "caller_list__show"
PERMISSIONS = (
    SHOW,
    "caller_list__create",
    "caller_list__destroy",
    "caller_list_number__index",
    "caller_list_number__show",
    "caller_list_number__create",
    "caller_list_number__destroy",
    "caller_list_check__create",
    "caller_list_upload__create",
)
OWNERS = ("company", "target", "campaign")


def issue(
    store: Store,
    key: str,
    secret: str,
    company_id: int,
    owner: str = "company",
    owner_id: int = 0,
    permissions: Iterable[str] = PERMISSIONS,
) -> None:
    """Create a key, or replace its permissions.

    :param store: the database.
    :param key: the key.
    :param secret: its secret.
    :param company_id: the company.
    :param owner: `company`, `target` or `campaign`.
    :param owner_id: ID of the target or campaign.
    :param permissions: names from `PERMISSIONS`.
    """
    values = (key, secret, company_id, owner, owner_id, ",".join(permissions))
    store.run("INSERT OR REPLACE INTO postback_keys VALUES (?, ?, ?, ?, ?, ?)", values)


def authorize(exchange: Exchange, owner: str, owner_id: str, permission: str) -> Row:
    """Check the key of a request, and return the target or campaign of the list.

    :param exchange: the request that is being handled.
    :param owner: `target` or `campaign`.
    :param owner_id: its ID, from the path.
    :param permission: the permission that the action needs.
    :return: row of the target or campaign.
    :raises Refusal: 401 for a wrong key, 403 for a missing permission, 404 for an unknown owner.
    """
    store, request = exchange.store, exchange.request
    held = store.row("SELECT * FROM postback_keys WHERE key = ?", (request.param("key") or "",))
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    right = held is not None and hmac.compare_digest(held["secret"].encode(), secret.strip().encode())
    if held is None or not right or scheme.lower() != "bearer":
        raise refused(401, "The postback key or its secret is wrong or missing.")
    exchange.company_id = held["company_id"]
    if held["owner"] != "company" and (held["owner"], str(held["owner_id"])) != (owner, owner_id):
        raise refused(403, f"This postback key was issued on another {held['owner']}.")
    if not {SHOW, permission} <= set(held["permissions"].split(",")):
        raise refused(403, "This postback key lacks a permission that the action needs.")
    sql = f"SELECT * FROM {owner}s WHERE company_id = ? AND id = ? AND deleted = 0"
    row = store.row(sql, (exchange.company_id, owner_id))
    if row is None:
        raise refused(404, f"{owner} not found")
    return row
