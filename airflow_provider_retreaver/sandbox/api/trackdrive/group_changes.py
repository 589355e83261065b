"""What a request sets of a TrackDrive buyer group: attributes, limits, buyers, the team."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import InvalidValue
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.trackdrive import buyers, usage, values
from airflow_provider_retreaver.sandbox.api.trackdrive.names import WRITABLE_LIMITS
from airflow_provider_retreaver.sandbox.http.wire import validation_error
from airflow_provider_retreaver.sandbox.state.store import Row, Store

Reader = Callable[[Any], Any]
_PLAIN: dict[str, Reader] = {
    "name": values.text,
    "paused": values.boolean,
    "dial_buyers_type": values.one_of("sequentially", "simultaneously"),
    "tier": values.decimal,
    "weight": values.decimal,
    "generate_team": values.boolean,
    "reset_total_caps": values.boolean,
}
_LISTS: dict[str, Reader] = {
    "buyer_ids": values.integers,
    "team_users_emails": values.emails,
    "team_offer_ids": values.integers,
}
# Only an update has these; those by user_buyer_id take no blank.
_ADDITIONS: dict[str, Reader] = {"add_buyer_ids": values.integers, "remove_buyer_ids": values.integers}
_BY_OWN_ID: dict[str, Reader] = {"add_user_buyer_ids": values.texts, "remove_user_buyer_ids": values.texts}
_BLANKS = (None, "")


def read_changes(context: RequestContext, *, creating: bool) -> dict[str, Any]:
    """Read the body of a request; unknown attributes are ignored, and blanks around names, as the examples have them.

    :param context: The request and the sandbox's state.
    :param creating: Whether the group is new, so that it needs a name and cannot add to its buyers.
    :return: Values by attribute: None for a limit that is cleared.
    :raises ApiError: With status 422, if an attribute is invalid.
    """
    readers = {**_PLAIN, **_LISTS, **dict.fromkeys(WRITABLE_LIMITS, values.decimal)}
    if not creating:
        readers |= {**_ADDITIONS, **_BY_OWN_ID}
    given = {name.strip(): value for name, value in context.request.content.items()}
    errors: dict[str, list[str]] = {}
    found: dict[str, Any] = {}
    for name in [name for name in readers if name in given]:
        try:
            found[name] = _read(name, readers[name], given[name])
        except InvalidValue as error:
            errors[name] = [str(error)]
    if creating and "name" not in given:
        errors["name"] = ["can't be blank"]
    _check_references(context.store, found, errors)
    if errors:
        raise validation_error(errors)
    return found


def _read(name: str, reader: Reader, value: Any) -> Any:
    if value not in _BLANKS:
        return reader(value)
    if name in WRITABLE_LIMITS:
        return None
    if name in _LISTS or name in _ADDITIONS:
        return []
    raise InvalidValue("can't be blank")


def _check_references(store: Store, found: dict[str, Any], errors: dict[str, list[str]]) -> None:
    """Check that buyers and offers exist, and that buyers are either replaced, or added and removed."""
    tables = {
        "buyer_ids": "buyers",
        "add_buyer_ids": "buyers",
        "remove_buyer_ids": "buyers",
        "team_offer_ids": "offers",
    }
    for name, table in tables.items():
        sql = f"SELECT count(*) FROM trackdrive_{table} WHERE id = ?"
        unknown = [str(id_) for id_ in found.get(name, []) if not store.value(sql, (id_,))]
        if unknown:
            errors[name] = [f"must be valid foreign key references: {', '.join(unknown)}"]
    for name in _BY_OWN_ID:
        _, missing = buyers.ids_of(store, found.get(name, []))
        if missing:
            errors[name] = [f"must be the user_buyer_id of a buyer: {', '.join(missing)}"]
    others = [name for name in (*_ADDITIONS, *_BY_OWN_ID) if name in found]
    if others and "buyer_ids" in found:
        errors["buyer_ids"] = [f"cannot be sent together with {', '.join(others)}"]


def save(context: RequestContext, group: Row, changes: dict[str, Any]) -> None:
    """Save what :func:`read_changes` returned.

    :param context: The request and the sandbox's state.
    :param group: Row of the group before the change.
    :param changes: Values by attribute.
    """
    store, now = context.store, context.now
    columns = {name: changes[name] for name in (*_PLAIN, *WRITABLE_LIMITS) if name in changes}
    if columns.pop("reset_total_caps", 0):
        usage.reset_totals(store, group, now)
    if "paused" in columns and columns["paused"] != group["paused"]:
        columns["paused_at" if columns["paused"] else "unpaused_at"] = now
    if "team_offer_ids" in changes:
        columns["team_offer_ids"] = json.dumps(changes["team_offer_ids"])
    store.update("trackdrive_groups", group["id"], {**columns, "updated_at": now, "user_updated_at": now})
    _save_buyers(store, group["id"], changes)
    for email in changes.get("team_users_emails", []):
        store.insert("trackdrive_invitations", {"group_id": group["id"], "email": email, "sent_at": now})


def _save_buyers(store: Store, group_id: int, changes: dict[str, Any]) -> None:
    """Replace the buyers of a group, or add some and then remove some."""
    added = changes.get("add_buyer_ids", []) + buyers.ids_of(store, changes.get("add_user_buyer_ids", []))[0]
    removed = changes.get("remove_buyer_ids", []) + buyers.ids_of(store, changes.get("remove_user_buyer_ids", []))[0]
    if "buyer_ids" in changes:
        store.run("DELETE FROM trackdrive_members WHERE group_id = ?", (group_id,))
        added = changes["buyer_ids"]
    for buyer_id in added:
        sql = "INSERT OR IGNORE INTO trackdrive_members (group_id, buyer_id) VALUES (?, ?)"
        store.run(sql, (group_id, buyer_id))
    for buyer_id in removed:
        store.run("DELETE FROM trackdrive_members WHERE group_id = ? AND buyer_id = ?", (group_id, buyer_id))
