"""Differences between the fields of an object as they are and as they should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import ChangeRefused
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.row_secrets import without_secrets

# Fields of an object as comparable JSON values, e.g. `hard_cap`, `monday`, `paused`.
Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of an object that is to change, or has changed.

    :param field: e.g. `hard_cap`, `monday`, `paused`.
    :param before: JSON value.
    :param after: JSON value.
    """

    field: str
    before: object
    after: object

    def as_json(self) -> list[object]:
        """Return the change as a state file keeps it.

        :return: `[field, before, after]`.
        """
        return [self.field, self.before, self.after]

    def __str__(self) -> str:
        """Return the form of log lines: `hard_cap 100 -> 110`."""
        return f"{self.field} {format_value(self.before)} -> {format_value(self.after)}"


def format_value(value: object) -> str:
    """Return a value as log lines and errors have it.

    :param value: JSON value.
    :return: e.g. `none`, `yes`, `100`, or the items of a list.
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_item, value)) or "none"
    return _item(value)


def _item(value: object) -> str:
    return one_line(value, numbers=isinstance(value, str))


def refuse_secrets(changes: Sequence[FieldChange]) -> None:
    """Refuse to change a field that holds a secret: state files, results and logs keep what was there before.

    :param changes: of an object.
    :raises ChangeRefused: naming the field.
    """
    for one in changes:
        if without_secrets(one.before) != one.before or without_secrets(one.after) != one.after:
            raise ChangeRefused(
                f"The field {one.field} holds a secret, such as the API key; remove it in the portal, or from the "
                f"value that was given. Nothing was sent to it."
            )


def differences(current: Fields, desired: Fields) -> list[FieldChange]:
    """Return what has to change.

    :param current: fields as they are.
    :param desired: some of the fields as they should be.
    :return: a change for each field that is not as it should be.
    """
    return [
        FieldChange(name, current.get(name), after) for name, after in desired.items() if current.get(name) != after
    ]


def changed_by_others(before: Fields, after: Fields, current: Fields) -> list[str]:
    """Return what others have changed since a change of this package (a three-way difference).

    :param before: fields before our change.
    :param after: fields after our change.
    :param current: fields as they are now.
    :return: a line for each field that is neither as it was before our change nor as it was after it.
    """
    return [
        f"{name}: {format_value(value)} before, {format_value(after.get(name))} by us, "
        f"{format_value(current.get(name))} now"
        for name, value in before.items()
        if current.get(name) not in (value, after.get(name))
    ]
