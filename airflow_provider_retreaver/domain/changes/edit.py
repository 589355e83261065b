"""What an operator wants to change, and what is sent to each object for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.changes.differences import FieldChange, Fields
from airflow_provider_retreaver.domain.objects.key import ObjectKey
from airflow_provider_retreaver.domain.objects.names import FoundNames
from airflow_provider_retreaver.domain.objects.reading import FoundObjects


class DesiredState(ABC):
    """How an object should be: which of its fields are compared, their values, and the attributes that set them."""

    # Whether the desired values depend on the current ones: such a change must not be computed twice.
    relative = False
    # Whether sending it after a change of another client would overwrite that change.
    replaces = False

    @abstractmethod
    def current(self, row: Row) -> Fields:
        """Return the fields concerned as they are.

        :param row: the object as read.
        :return: comparable JSON values by name.
        :raises ProtocolError: when the object came without them.
        """

    @abstractmethod
    def desired(self, row: Row) -> Fields:
        """Return the fields as they should be.

        :param row: the object as read.
        :return: values by name; fields that are not there stay as they are.
        :raises ChangeRefused: when the object cannot be changed so, with the reason.
        """

    @abstractmethod
    def attributes(self, row: Row, fields: Fields) -> dict[str, object]:
        """Return the attributes that set fields.

        :param row: the object as read.
        :param fields: those that differ, as they should be.
        :return: attributes as Retreaver takes them.
        :raises ChangeRefused: when the attributes cannot express the values.
        """

    def explain_failure(self, before: Row, after: Row, /) -> str:  # noqa: ARG002
        """Return why a change may have failed.

        :param before: the object as read before the change.
        :param after: the object as read after the change.
        :return: a sentence, or nothing.
        """
        return ""

    def count_changes(self, row: Row, changes: Sequence[FieldChange], /) -> tuple[int, int]:  # noqa: ARG002
        """Return what `max_changes` counts.

        :param row: the object as read.
        :param changes: to be made.
        :return: how many changes are to be made, and how many could be made at most.
        """
        return (1 if changes else 0), 1


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be sent to one object.

    :param key: of the object.
    :param row: the object as read.
    :param state: how it should be.
    :param current: its fields as they are.
    :param changes: to be made.
    :param attributes: to be sent.
    """

    key: ObjectKey
    row: Row
    state: DesiredState
    current: Fields
    changes: list[FieldChange]
    attributes: dict[str, object]


@dataclass(frozen=True, slots=True)
class ChangeSpec:
    """What an operator wants to change.

    :param find: reads the objects; it gets what the run has found by name before, and adds to that.
    :param state: returns how an object should be, by its key and the object as read.
    :param counted: what `max_changes` counts, e.g. `targets`.
    :param guard: refuses edits that must not be made together.
    :param prepare: runs before the first edit is sent.
    :param relative: whether a change depends on the current values, so that a retry must not compute it again.
    """

    find: Callable[[FoundNames], Procedure[FoundObjects]]
    state: Callable[[ObjectKey, Row], DesiredState]
    counted: str = "targets"
    guard: Callable[[Sequence[Edit]], Procedure[None]] | None = None
    prepare: Callable[[Sequence[Edit]], Procedure[None]] | None = None
    relative: bool = False
