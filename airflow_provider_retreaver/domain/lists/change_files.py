"""Files of changes: numbers that were added to a list and deleted from it, with the day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.lists.columns import UnreadableValue


@dataclass(frozen=True, slots=True)
class Change:
    """A line of a file of changes.

    :param number: the number as text.
    :param day: digits of the date, such as `20261101`.
    :param added: whether the number was added, else it was deleted.
    """

    number: str
    day: int
    added: bool

    def __str__(self) -> str:
        """Return the number."""
        return self.number


def newest_changes(values: Iterable[tuple[int, object]], mode: str, where: str) -> Iterator[tuple[int, object]]:
    """Yield the values of a source; of a file of changes the numbers whose newest change belongs to a mode.

    :param values: values with their line, of which all or none are a `Change`.
    :param mode: `add` takes the numbers that were added, `remove` those that were deleted.
    :param where: name of the source.
    :return: values with their line; `UnreadableValue` for a number that was added and deleted on its last day.
    :raises InvalidArgument: when a file of changes is to be mirrored, which would remove everything that did not
        change.
    """
    newest: dict[str, tuple[int, Change, bool]] = {}
    for line, value in values:
        if not isinstance(value, Change):
            yield line, value
            continue
        if mode == "mirror":
            raise InvalidArgument(
                f"{where} is a file of changes, and a mirror needs the whole list; nothing was sent. Take mode add "
                f"for the numbers that were added, and mode remove for those that were deleted."
            )
        last = newest.get(value.number)
        if last is None or value.day > last[1].day:
            newest[value.number] = line, value, False
        elif value.day == last[1].day:
            newest[value.number] = line, value, last[2] or value.added != last[1].added
    for line, change, unclear in newest.values():
        if unclear:
            yield line, UnreadableValue(change.number, "added and deleted on the same day")
        elif change.added == (mode == "add"):
            yield line, change.number
