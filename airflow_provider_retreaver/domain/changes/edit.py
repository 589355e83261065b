"""What a run of changes is about: the objects found, what is to be sent about each, and what an operator means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.operations import Operation, Procedure, Row
from airflow_provider_retreaver.domain.changes.aims import Aim
from airflow_provider_retreaver.domain.changes.differences import Change, View
from airflow_provider_retreaver.resources import contacts, target_groups, targets


@dataclass(slots=True)
class FoundObjects:
    """What is to be looked at.

    :param rows: objects by key (`target 3`, `group 5`, `contact 7`).
    :param errors: of those that could not be read, by key.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    errors: dict[str, RetreaverError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be sent about one object."""

    key: str
    row: Row
    aim: Aim
    view: View
    changes: list[Change]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """What an operator means to do.

    :param find: reads the objects.
    :param aim: what is wanted of an object, by key and row.
    :param counted: what `max_changes` counts, e.g. `targets`.
    :param guard: refuses edits that must not be made together.
    :param prepare: is done before the first of the edits is sent.
    :param relative: whether some change depends on what is, so that doing it twice would be wrong.
    """

    find: Callable[[], Procedure[FoundObjects]]
    aim: Callable[[str, Row], Aim]
    counted: str = "targets"
    guard: Callable[[Sequence[Edit]], Procedure[None]] | None = None
    prepare: Callable[[Sequence[Edit]], Procedure[None]] | None = None
    relative: bool = False


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
