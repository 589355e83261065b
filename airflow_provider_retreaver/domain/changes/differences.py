"""Differences between the fields of an object as they are and as they should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

View = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one object that is to change, or has.

    :param field: e.g. `hard_cap`, `monday`, `paused`.
    :param before: JSON value.
    :param after: JSON value.
    """

    field: str
    before: Any
    after: Any

    def __str__(self) -> str:
        """Write it as `hard_cap 100 -> 110`."""
        return f"{self.field} {shown(self.before)} -> {shown(self.after)}"


def shown(value: Any) -> str:
    """Return a value as a log line has it: lists with their items, None as `none`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)


def differences(before: View, wanted: View) -> list[Change]:
    """Return the fields wanted that are not yet so."""
    return [Change(name, before.get(name), after) for name, after in wanted.items() if before.get(name) != after]


def changed_by_others(base: View, ours: View, theirs: View) -> list[str]:
    """Return a line for every field that is neither as it was nor as we made it (a three-way difference).

    :param base: before our change.
    :param ours: after our change.
    :param theirs: now.
    """
    return [
        f"{name}: {shown(base[name])} before, {shown(ours.get(name))} by us, {shown(theirs.get(name))} now"
        for name in base
        if theirs.get(name) not in (base[name], ours.get(name))
    ]
