"""Postback keys of the type "Caller List Management": whose they are and what they may do."""

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
    """Issue a key, or change what it may do."""
    values = (key, secret, company_id, owner, owner_id, ",".join(permissions))
    store.run("INSERT OR REPLACE INTO postback_keys VALUES (?, ?, ?, ?, ?, ?)", values)


def authorize(exchange: Exchange, owner: str, owner_id: str, permission: str) -> Row:
    """Find who asks and give the target or campaign: 401 for the key, 403 for what it may not do, 404."""
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
