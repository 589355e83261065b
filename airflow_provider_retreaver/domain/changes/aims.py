"""What a run of changes may want of one object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.changes.differences import Change, View


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
