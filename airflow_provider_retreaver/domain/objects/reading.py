"""Reading the objects that a task selects: one by one, or by a list where that takes fewer requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import Gone, RetreaverError
from airflow_provider_retreaver.core.operations import Operation, Outcome, Procedure, Row
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.domain.objects.at_once import complete, together
from airflow_provider_retreaver.domain.objects.key import ObjectKey, buyer_group_key, group_key, target_key
from airflow_provider_retreaver.domain.objects.names import (
    TARGET,
    TARGET_GROUP,
    FoundNames,
    NamedKind,
    known_ids,
    select_ids,
)
from airflow_provider_retreaver.domain.objects.selection import TargetSelection
from airflow_provider_retreaver.resources import contacts, target_groups, targets
from airflow_provider_retreaver.resources.trackdrive import buyer_groups

# More targets than a page of the list are read by listing them.
MAX_SINGLE_READS = 25


@dataclass(slots=True)
class FoundObjects:
    """The objects that a task selects.

    :param rows: objects as read, by key.
    :param errors: of those that could not be read, by key.
    """

    rows: dict[ObjectKey, Row] = field(default_factory=dict)
    errors: dict[ObjectKey, RetreaverError] = field(default_factory=dict)

    def add(self, key: ObjectKey, outcome: Outcome[Any]) -> None:
        """Add what a read returned.

        :param key: of the object.
        :param outcome: the object as read, or the error.
        """
        if outcome.error is not None:
            self.errors[key] = outcome.error
        else:
            self.rows[key] = outcome.value or {}

    def update(self, other: FoundObjects) -> None:
        """Add other objects, which take the place of those with the same key.

        :param other: is not changed.
        """
        self.rows.update(other.rows)
        self.errors.update(other.errors)


def read_targets(
    ids: Iterable[int], needed: Sequence[str] = ("caps",)
) -> Procedure[tuple[dict[int, Row], dict[int, RetreaverError]]]:
    """Read targets by Retreaver's own IDs.

    :param ids: of the targets; an ID that is there twice is read once.
    :param needed: fields that rows of the list must have, see `all_targets`.
    :return: the targets found, and the errors of those that could not be read, both by ID.
    """
    selected = list(dict.fromkeys(ids))
    listed = (yield from _list_rows(TARGET)) if len(selected) > MAX_SINGLE_READS else {}
    return (yield from _read_targets(selected, needed, listed))


def _list_rows(kind: NamedKind) -> Procedure[dict[int, Row]]:
    listing = kind.listing()
    rows: list[Row] = yield listing
    return {require(row, "id", listing.request): row for row in rows}


def _get_target(id_: int) -> Operation[Mapping[str, Any]]:
    return targets.get_target(id=id_)


def _read_targets(
    ids: Sequence[int], needed: Sequence[str], listed: dict[int, Row]
) -> Procedure[tuple[dict[int, Row], dict[int, RetreaverError]]]:
    """Return targets from a list that was read, and read those that are not on it."""
    yield from complete(listed, [id_ for id_ in ids if id_ in listed], needed, _get_target)
    missing = [id_ for id_ in ids if id_ not in listed]
    outcomes = yield from together(list(map(_get_target, missing)))
    rows = {id_: listed[id_] for id_ in ids if id_ in listed}
    errors: dict[int, RetreaverError] = {}
    for id_, outcome in zip(missing, outcomes, strict=True):
        if outcome.error is not None:
            errors[id_] = outcome.error
        else:
            rows[id_] = outcome.value or {}
    return {id_: rows[id_] for id_ in ids if id_ in rows}, errors


def read_by_tid(tids: Sequence[str]) -> Procedure[tuple[list[Row], dict[str, RetreaverError]]]:
    """Read targets by the customer's IDs.

    :param tids: of the targets.
    :return: the targets found, each with an integer `id`, and the errors of the others by tid.
    :raises ProtocolError: when a target came without ID.
    """
    operations = [targets.get_target(tid=tid) for tid in tids]
    outcomes = yield from together(operations)
    rows: list[Row] = []
    errors: dict[str, RetreaverError] = {}
    for tid, operation, outcome in zip(tids, operations, outcomes, strict=True):
        if outcome.error is not None:
            errors[tid] = outcome.error
        elif outcome.value is not None:
            require(outcome.value, "id", operation.request)
            rows.append(outcome.value)
    return rows, errors


def all_targets(needed: Sequence[str] = ("caps",)) -> Procedure[list[Row]]:
    """Read all targets of the company.

    :param needed: fields that every row must have; Retreaver's list may leave out nested ones, and such a target is
        then read by its ID.
    :return: rows with an integer `id`.
    :raises ProtocolError: when a target came without ID.
    """
    listed = yield from _list_rows(TARGET)
    yield from complete(listed, listed, needed, _get_target)
    return list(listed.values())


def find_targets(
    selection: TargetSelection,
    needed: Sequence[str],
    only: Callable[[Row], bool] | None = None,
    names: FoundNames | None = None,
) -> Procedure[FoundObjects]:
    """Read the selected targets; a group stands for its members.

    :param selection: of targets.
    :param needed: fields that rows must have.
    :param only: returns whether a target that was read belongs to the selection; None for all. A target that it
        raises an error for counts as one that could not be read.
    :param names: see `find_selected`.
    :return: the targets, and the errors of targets and groups.
    :raises NotFound: when no object has one of the names.
    :raises InvalidArgument: when several objects have one of the names.
    """
    groups = yield from find_groups(selection.groups or (), selection.group_names or (), names)
    found = yield from find_selected(selection, groups.rows.values(), needed, names)
    found.errors.update(groups.errors)
    if only is None:
        return found
    filtered = FoundObjects(errors=found.errors)
    for key, row in found.rows.items():
        try:
            if only(row):
                filtered.rows[key] = row
        except RetreaverError as error:
            filtered.errors[key] = error
    return filtered


def find_selected(
    selection: TargetSelection,
    groups: Iterable[Mapping[str, Any]],
    needed: Sequence[str],
    names: FoundNames | None = None,
) -> Procedure[FoundObjects]:
    """Read the selected targets, where the selected groups are known.

    The list of targets is read once at most: where a target is chosen by name, by tag or as one of all, or where that
    takes fewer requests; whatever else is chosen is then taken from it.

    :param selection: of targets; its groups are not read.
    :param groups: the selected groups as read, which stand for their members.
    :param needed: fields that rows must have.
    :param names: what the run has found by name before, which is read by its ID; what is found is added.
    :return: the targets: first those by ID and by name, then members of groups, by tid, and by tag or all.
    :raises NotFound: when no target has one of the names.
    :raises InvalidArgument: when several targets have one of the names.
    """
    known = {} if names is None else names
    pinned, new = known_ids(TARGET, selection.names or (), known)
    members = [member for group in groups for member in group.get("target_ids") or ()]
    ids = list(dict.fromkeys([*(selection.ids or ()), *pinned, *members]))
    several = selection.tag is not None or selection.everything
    listed: dict[int, Row] = {}
    if new or several or len(ids) > MAX_SINGLE_READS:
        listed = yield from _list_rows(TARGET)
    named = [id_ for id_ in select_ids(TARGET, listed, new, "target_names", known) if id_ not in ids]
    rows, errors = yield from _read_targets([*named, *ids], needed, listed)
    id_of = {TARGET.customer_id(row): id_ for id_, row in listed.items()}
    tids = [tid for tid in selection.tids or () if tid not in id_of]
    rows_by_tid, tid_errors = yield from read_by_tid(tids)
    listed_tids = [id_of[tid] for tid in selection.tids or () if tid in id_of]
    yield from complete(listed, listed_tids, needed, _get_target)
    found = FoundObjects({target_key(id_): row for id_, row in rows.items()})
    found.rows.update({target_key(id_): listed[id_] for id_ in listed_tids})
    found.rows.update({target_key(row["id"]): row for row in rows_by_tid})
    found.errors.update({target_key(id_): error for id_, error in errors.items()})
    found.errors.update({ObjectKey("target", customer_id=tid): error for tid, error in tid_errors.items()})
    if several:
        yield from complete(listed, listed, (*needed, "tag_values") if selection.tag else needed, _get_target)
        for id_, row in listed.items():
            if selection.tag is None or selection.tag.matches(row):
                found.rows.setdefault(target_key(id_), row)
    return found


def find_groups(
    ids: Sequence[int], names: Sequence[str] = (), known: FoundNames | None = None
) -> Procedure[FoundObjects]:
    """Read target groups.

    :param ids: of the groups.
    :param names: of the groups, for which the list is read once.
    :param known: see `find_selected`.
    :return: the groups and the errors.
    :raises NotFound: when no group has one of the names.
    :raises InvalidArgument: when several groups have one of the names.
    """
    known = {} if known is None else known
    pinned, new = known_ids(TARGET_GROUP, names, known)
    selected = list(dict.fromkeys([*ids, *pinned]))
    listed = (yield from _list_rows(TARGET_GROUP)) if new else {}
    named = [id_ for id_ in select_ids(TARGET_GROUP, listed, new, "target_group_names", known) if id_ not in selected]
    chosen = [*named, *(id_ for id_ in selected if id_ in listed)]
    yield from complete(listed, chosen, ("caps", "target_ids"), lambda id_: get_object(group_key(id_)))
    found = FoundObjects({group_key(id_): listed[id_] for id_ in chosen})
    found.update((yield from _find([group_key(id_) for id_ in selected if id_ not in listed])))
    return found


def find_buyer_groups(ids: Sequence[int]) -> Procedure[FoundObjects]:
    """Read buyer groups of TrackDrive.

    :param ids: of the groups.
    :return: the groups and the errors; a group that was deleted and is still returned counts as one that is gone.
    """
    found = yield from _find([buyer_group_key(id_) for id_ in ids])
    for key in [key for key, row in found.rows.items() if row.get("deleted_at")]:
        deleted = one_line(found.rows.pop(key)["deleted_at"], numbers=False)
        found.errors[key] = Gone(f"The {key} was deleted at {deleted}; give the ID of another one.")
    return found


def _find(keys: Sequence[ObjectKey]) -> Procedure[FoundObjects]:
    outcomes = yield from together([get_object(key) for key in keys])
    found = FoundObjects()
    for key, outcome in zip(keys, outcomes, strict=True):
        found.add(key, outcome)
    return found


def find_contacts(ids: Sequence[int], numbers: Sequence[str]) -> Procedure[FoundObjects]:
    """Read contacts.

    :param ids: Retreaver's own IDs.
    :param numbers: phone numbers.
    :return: the contacts by ID, and the errors.
    :raises ProtocolError: when a contact came without ID.
    """
    keys = [ObjectKey("contact", id_) for id_ in ids] + [ObjectKey("contact", customer_id=one) for one in numbers]
    operations: list[Operation[Any]] = [contacts.get_contact(id=id_) for id_ in ids]
    operations += [contacts.get_contact(number=one) for one in numbers]
    outcomes = yield from together(operations)
    found = FoundObjects()
    for key, operation, outcome in zip(keys, operations, outcomes, strict=True):
        known = key
        if outcome.value is not None:
            known = ObjectKey("contact", int(require(outcome.value, "id", operation.request)))
        found.add(known, outcome)
    return found


def get_object(key: ObjectKey) -> Operation[Mapping[str, object]]:
    """Return the operation that reads an object.

    :param key: with an ID.
    :return: the operation.
    """
    if key.kind == "buyer group":
        return buyer_groups.get_buyer_group(key.label)
    if key.kind == "group":
        return target_groups.get_target_group(key.label)
    return contacts.get_contact(id=key.label) if key.kind == "contact" else targets.get_target(id=key.label)


def update_object(key: ObjectKey, attributes: Mapping[str, object]) -> Operation[Mapping[str, object]]:
    """Return the operation that changes an object.

    :param key: with an ID.
    :param attributes: as Retreaver takes them.
    :return: the operation.
    """
    if key.kind == "buyer group":
        return buyer_groups.update_buyer_group(attributes, key.label)
    if key.kind == "group":
        return target_groups.update_target_group(attributes, id=key.label)
    if key.kind == "contact":
        return contacts.update_contact(attributes, id=key.label)
    return targets.update_target(attributes, id=key.label)
