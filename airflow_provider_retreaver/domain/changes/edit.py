"""What a run of changes is about: the objects found, what is to be sent about each, and what an operator means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.changes.differences import Change, View
from airflow_provider_retreaver.domain.objects.reading import FoundObjects


class Aim(ABC):
    """Which fields of an object are looked at, what they should be, and how that is said to the vendor."""

    # Whether what is wanted depends on what is: such a change must not be worked out twice.
    relative = False
    # Whether sending it over somebody else's change would lose that change unnoticed.
    replaces = False

    @abstractmethod
    def view(self, row: Row) -> View:
        """Return the fields concerned as comparable JSON values."""

    @abstractmethod
    def want(self, row: Row) -> View:
        """Return what fields should be.

        :raises ChangeRefused: when that cannot be, with the reason.
        """

    @abstractmethod
    def body(self, row: Row, wanted: View) -> dict[str, Any]:
        """Return the attributes that make fields so.

        :param wanted: those fields that differ.
        :raises ChangeRefused: when the vendor cannot be told.
        """

    def explain(self, _before: Row, _after: Row, /) -> str:
        """Return a sentence about why a change may have failed, or nothing."""
        return ""

    def weight(self, _row: Row, changes: Sequence[Change], /) -> tuple[int, int]:
        """Return how much `max_changes` counts: of the changes to be made, and of all that could be."""
        return (1 if changes else 0), 1


def owner(row: Row, kind: str = "target") -> str:
    """Return how an object is called in an error about its contents."""
    return f"{kind} {row.get('id')}"


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
