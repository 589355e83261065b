"""Reading many targets: one by one where they are few, by listing where that costs fewer requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import AuthenticationError, PermissionDenied, RetreaverError
from airflow_provider_retreaver.core.operations import Operation, Outcome, Procedure, Row, Together
from airflow_provider_retreaver.core.secrets import mask_number
from airflow_provider_retreaver.domain.objects.selection import Chosen
from airflow_provider_retreaver.resources import contacts, target_groups, targets

# More targets than a page of the list are read by listing them.
ONE_BY_ONE = 25

Found = tuple[dict[int, Row], dict[int, RetreaverError]]


@dataclass(slots=True)
class FoundObjects:
    """What is to be looked at.

    :param rows: objects by key (`target 3`, `group 5`, `contact 7`).
    :param errors: of those that could not be read, by key.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    errors: dict[str, RetreaverError] = field(default_factory=dict)


def together(operations: Sequence[Operation[Any]]) -> Procedure[list[Outcome[Any]]]:
    """Do operations at once; an error that all of them would meet is raised at once.

    :raises AuthenticationError: when the key is refused.
    :raises PermissionDenied: when the company is refused.
    """
    outcomes: list[Outcome[Any]] = (yield Together(operations)) if operations else []
    for outcome in outcomes:
        if isinstance(outcome.error, (AuthenticationError, PermissionDenied)):
            raise outcome.error
    return outcomes


def read_targets(ids: Iterable[int], needed: Sequence[str] = ("caps",)) -> Procedure[Found]:
    """Read targets by Retreaver's own IDs.

    :param needed: fields that rows of the vendor's list must have, see `all_targets`.
    :return: the targets found and the errors of those that could not be read, both by ID.
    """
    wanted = list(dict.fromkeys(ids))
    rows: dict[int, Row] = {}
    if len(wanted) > ONE_BY_ONE:
        listed = yield from all_targets(needed)
        rows = {row["id"]: row for row in listed if row["id"] in set(wanted)}
    missing = [id_ for id_ in wanted if id_ not in rows]
    outcomes = yield from together([targets.get_target(id=id_) for id_ in missing])
    errors: dict[int, RetreaverError] = {}
    for id_, outcome in zip(missing, outcomes, strict=True):
        if outcome.error is not None:
            errors[id_] = outcome.error
        else:
            rows[id_] = outcome.value or {}
    return {id_: rows[id_] for id_ in wanted if id_ in rows}, errors


def read_by_tid(tids: Sequence[str]) -> Procedure[tuple[list[Row], dict[str, RetreaverError]]]:
    """Read targets by the customer's IDs.

    :return: the targets found, each with an integer `id`, and the errors of the others by tid.
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

    :param needed: fields that every row must have; the vendor's list may leave nested ones out, and such a target is
        then read on its own.
    :return: rows with an integer `id`.
    """
    listing = targets.list_targets()
    rows: list[Row] = yield listing
    for row in rows:
        require(row, "id", listing.request)
    short = [row["id"] for row in rows if any(name not in row for name in needed)]
    outcomes = yield from together([targets.get_target(id=id_) for id_ in short])
    whole: dict[int, Row | None] = {}
    for id_, outcome in zip(short, outcomes, strict=True):
        if outcome.error is not None:
            raise outcome.error
        whole[id_] = outcome.value
    return [whole.get(row["id"]) or row for row in rows]


def find_targets(
    chosen: Chosen, needed: Sequence[str], only: Callable[[Row], bool] | None = None
) -> Procedure[FoundObjects]:
    """Read the targets chosen; a group stands for its members.

    :param needed: fields that rows must have.
    :param only: leaves out targets that were read and are not meant; one that it cannot judge counts as an error.
    """
    found = yield from _chosen(chosen, needed)
    if only is None:
        return found
    kept = FoundObjects(errors=found.errors)
    for key, row in found.rows.items():
        try:
            if only(row):
                kept.rows[key] = row
        except RetreaverError as error:
            kept.errors[key] = error
    return kept


def find_groups(ids: Sequence[int]) -> Procedure[FoundObjects]:
    """Read target groups."""
    outcomes = yield from together([target_groups.get_target_group(id_) for id_ in ids])
    found = FoundObjects()
    for id_, outcome in zip(ids, outcomes, strict=True):
        if outcome.error is not None:
            found.errors[f"group {id_}"] = outcome.error
        else:
            found.rows[f"group {id_}"] = outcome.value or {}
    return found


def find_contacts(ids: Sequence[int], numbers: Sequence[str]) -> Procedure[FoundObjects]:
    """Read contacts by Retreaver's own IDs and by their phone numbers."""
    named: list[tuple[str, Operation[Any]]] = [(f"contact {id_}", contacts.get_contact(id=id_)) for id_ in ids]
    named += [(f"contact with number {mask_number(one)}", contacts.get_contact(number=one)) for one in numbers]
    outcomes = yield from together([operation for _, operation in named])
    found = FoundObjects()
    for (key, operation), outcome in zip(named, outcomes, strict=True):
        if outcome.error is not None:
            found.errors[key] = outcome.error
        elif outcome.value is not None:
            found.rows[f"contact {require(outcome.value, 'id', operation.request)}"] = outcome.value
    return found


def _chosen(chosen: Chosen, needed: Sequence[str]) -> Procedure[FoundObjects]:
    groups = yield from find_groups(chosen.groups or ())
    members = [member for group in groups.rows.values() for member in group.get("target_ids") or ()]
    rows, errors = yield from read_targets([*(chosen.ids or ()), *members], needed)
    named, unread = yield from read_by_tid(chosen.tids or ())
    found = FoundObjects({f"target {id_}": row for id_, row in rows.items()}, dict(groups.errors))
    found.rows.update({f"target {row['id']}": row for row in named})
    found.errors.update({f"target {id_}": error for id_, error in errors.items()})
    found.errors.update({f"target tid {tid}": error for tid, error in unread.items()})
    if chosen.tag is not None or chosen.everything:
        listed = yield from all_targets((*needed, "tag_values") if chosen.tag else needed)
        for row in listed:
            if chosen.tag is None or chosen.tag.on(row):
                found.rows.setdefault(f"target {row['id']}", row)
    return found


def get_object(key: str) -> Operation[Mapping[str, object]]:
    """Return the operation that reads an object by its key."""
    kind, _, id_ = key.partition(" ")
    if kind == "group":
        return target_groups.get_target_group(id_)
    return contacts.get_contact(id=id_) if kind == "contact" else targets.get_target(id=id_)


def update_object(key: str, body: Mapping[str, Any]) -> Operation[Mapping[str, object]]:
    """Return the operation that changes an object by its key."""
    kind, _, id_ = key.partition(" ")
    if kind == "group":
        return target_groups.update_target_group(body, id=id_)
    return contacts.update_contact(body, id=id_) if kind == "contact" else targets.update_target(body, id=id_)
