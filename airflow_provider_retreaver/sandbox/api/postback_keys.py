"""Postback keys of the type "Caller List Management": which object they are for, and their permissions."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.http.wire import api_error
from airflow_provider_retreaver.sandbox.state.store import Row, Store

SHOW = "caller_list__show"
PERMISSIONS = (
    SHOW,
    "caller_list__index",
    "caller_list__create",
    "caller_list__update",
    "caller_list__delete",
    "caller_list_number__index",
    "caller_list_number__show",
    "caller_list_number__create",
    "caller_list_number__delete",
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
    """Add a key, or replace it.

    :param store: The sandbox's database.
    :param key: The key.
    :param secret: Its secret.
    :param company_id: ID of its company.
    :param owner: One of ``OWNERS``: a key of the company works for all its targets and campaigns.
    :param owner_id: ID of the target or campaign.
    :param permissions: Permissions out of ``PERMISSIONS``.
    """
    values = (key, secret, company_id, owner, owner_id, ",".join(permissions))
    store.run("INSERT OR REPLACE INTO postback_keys VALUES (?, ?, ?, ?, ?, ?)", values)


def authorize(context: RequestContext, owner: str, owner_id: str, permission: str) -> Row:
    """Check a postback key, its secret and its permissions, and return the target or campaign.

    Retreaver's reference: "Caller Lists".

    :param context: The request and the sandbox's state.
    :param owner: ``target`` or ``campaign``.
    :param owner_id: ID in the path.
    :param permission: The permission that is needed, besides ``SHOW``.
    :return: Row of the target or campaign.
    :raises ApiError: With status 401 for a wrong key or secret, 403 for a missing permission, 404 for an unknown
        object.
    """
    store, request = context.store, context.request
    row_of_key = store.row("SELECT * FROM postback_keys WHERE key = ?", (request.param("key") or "",))
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    is_secret_right = row_of_key is not None and hmac.compare_digest(
        row_of_key["secret"].encode(), secret.strip().encode()
    )
    if row_of_key is None or not is_secret_right or scheme.lower() != "bearer":
        raise api_error(401, "The postback key or its secret is wrong or missing.")
    context.company_id = row_of_key["company_id"]
    if row_of_key["owner"] != "company" and (row_of_key["owner"], str(row_of_key["owner_id"])) != (owner, owner_id):
        raise api_error(403, f"This postback key was issued on another {row_of_key['owner']}.")
    if not {SHOW, permission} <= set(row_of_key["permissions"].split(",")):
        raise api_error(403, "This postback key lacks a permission that the action needs.")
    sql = f"SELECT * FROM {owner}s WHERE company_id = ? AND id = ? AND deleted = 0"
    row = store.row(sql, (context.company_id, owner_id))
    if row is None:
        raise api_error(404, f"{owner} not found")
    return row
