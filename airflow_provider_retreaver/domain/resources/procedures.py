"""Reading, changing, upserting and deleting an object, whatever its kind."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.core.errors import ChangeRefused, Gone, NotFound
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.resources.comparison import Difference, compare, shown
from airflow_provider_retreaver.domain.resources.create_once import created, given, identity, send_once
from airflow_provider_retreaver.domain.resources.lookup import (
    find,
    is_missing,
    natural_value,
    read,
    read_or_none,
    readable,
    with_natural,
)
from airflow_provider_retreaver.resources.entry import Entry, Which

log = logging.getLogger(__name__)


def get(entry: Entry, which: Which, *, missing_ok: bool = False) -> Procedure[Row | None]:
    """Read one object, with secrets masked.

    :return: the object; None when it is not there and that is fine.
    :raises NotFound: when it is not there.
    """
    row = yield from (read_or_none(entry, which) if missing_ok else read(entry, which))
    return None if row is None else dict(shown(row))


def update(entry: Entry, which: Which, attributes: Mapping[str, Any], *, dry_run: bool = False) -> Procedure[Row]:
    """Read an object, send what differs, and read it back.

    :return: `{"id", "customer_id", "action", "changed", "not_compared"}`, and `not_taken` where the
        vendor's object is not as it was told to be.
    :raises ChangeRefused: when the change would lose something, or it is not clear which nested row is meant.
    """
    entry.update(which, attributes)
    row = yield from read(entry, which)
    return (yield from _changed(entry, which, row, attributes, dry_run=dry_run))


def upsert(
    entry: Entry,
    value: Any,
    attributes: Mapping[str, Any],
    owner: Mapping[str, Any],
    *,
    dry_run: bool = False,
) -> Procedure[Row]:
    """Have an object as wanted: create it where it is not, change only what differs where it is.

    :param value: of the natural attribute, by which it is looked up.
    :return: as `update`; a created one also has `object`.
    """
    wanted = with_natural(entry, attributes, value)
    first = {name: item for name, item in wanted.items() if entry.on_create is None or name in entry.on_create}
    to_change = {name: item for name, item in attributes.items() if name != entry.key}
    if not entry.has("update"):
        entry.create(first, owner)
    elif to_change:
        entry.update(_same_object(entry, {}, value, owner), to_change)
    row = yield from find(entry, value, owner)
    if row is not None:
        return (yield from _changed(entry, _same_object(entry, row, value, owner), row, attributes, dry_run=dry_run))
    creation = entry.create(first, owner)
    if dry_run:
        would = {"id": None, "customer_id": value, "action": "would_create", "changed": given(wanted)}
        return {**would, "not_compared": [], "dry_run": True}
    row = yield from send_once(entry, creation, value, owner)
    if len(first) < len(wanted):
        rest = {name: item for name, item in wanted.items() if name not in first}
        yield entry.update(_same_object(entry, row, value, owner), rest)
        row = yield from read(entry, _same_object(entry, row, value, owner))
    return created(entry, row, wanted)


def delete(entry: Entry, which: Which, *, missing_ok: bool = True, dry_run: bool = False) -> Procedure[Row]:
    """Delete an object.

    :return: `{"id", "customer_id", "action"}` with the action `deleted`, `missing` (it was gone already) or, of a dry
        run, `would_delete`.
    :raises NotFound: when it is not there and that is not fine.
    """
    operation = entry.delete(which)
    named = {"id": which.id, "customer_id": which.customer_id}
    try:
        if dry_run:
            if readable(entry):
                yield from read(entry, which)
            return {**named, "action": "would_delete", "dry_run": True}
        yield operation
    except (NotFound, Gone) as error:
        if not (missing_ok and is_missing(error, operation)):
            raise
        log.info("The %s is gone already.", entry.called(which))
        return {**named, "action": "missing", **({"dry_run": True} if dry_run else {})}
    return {**named, "action": "deleted"}


def _changed(entry: Entry, which: Which, row: Row, attributes: Mapping[str, Any], *, dry_run: bool) -> Procedure[Row]:
    called = entry.called(which)
    difference = compare(attributes, row, called)
    if difference.refused:
        raise ChangeRefused(f"Nothing was sent for the {called}: {'; '.join(difference.refused)}.")
    result = {**identity(entry, row), "action": "unchanged", **_said(difference)}
    if not difference.send:
        return {**result, **({"dry_run": True} if dry_run else {})}
    operation = entry.update(which, difference.send)
    if dry_run:
        return {**result, "action": "would_update", "dry_run": True}
    yield operation
    after = yield from read(entry, _same_object(entry, row, natural_value(entry, attributes), which.owner, which))
    still = compare(attributes, after, called).changed
    for name in difference.changed:
        if name in still:
            difference.changed[name]["after"] = still[name]["before"]
    result = {**identity(entry, after), "action": "updated", **_said(difference)}
    if still:
        log.warning("The %s was changed, but the vendor did not take over %s.", called, ", ".join(still))
        result["not_taken"] = sorted(still)
    return result


def _said(difference: Difference) -> Row:
    return {"changed": shown(difference.changed), "not_compared": difference.not_compared}


def _same_object(
    entry: Entry, row: Mapping[str, Any], value: Any, owner: Mapping[str, Any], which: Which | None = None
) -> Which:
    """Return how an object is named that has been read, also when its customer ID was changed."""
    if entry.key == "id" and row.get("id") is not None:
        return Which(id=row["id"])
    if value is None and which is not None:
        return which
    if entry.customer_key is not None:
        return Which(customer_id=value)
    return Which(id=value, owner=owner)
