"""Changing who belongs to a target group (vendor's reference: "Target Groups", its two helpers and `target_ids`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.changes.differences import Change, View
from airflow_provider_retreaver.domain.changes.edit import Aim, owner

MEMBERS = "target_ids"


def _members(row: Row) -> list[int]:
    members = row.get(MEMBERS)
    if not isinstance(members, list):
        raise ProtocolError(f"{owner(row, 'group')} came without 'target_ids', which the vendor documents for it.")
    return members


class MembersAim(Aim):
    """Targets put into a group and taken out of it through the vendor's helpers, whoever else is in it.

    :param add: target IDs.
    :param remove: target IDs.
    :raises InvalidArgument: when a target is to be both.
    """

    def __init__(self, add: Sequence[int], remove: Sequence[int]) -> None:
        both = sorted(set(add) & set(remove))
        if both:
            raise InvalidArgument(f"Target {both[0]} is to be added and removed; say one of the two.")
        self._wanted = {f"target {id_}": True for id_ in add} | {f"target {id_}": False for id_ in remove}

    def view(self, row: Row) -> View:
        """Return whether each of the targets concerned belongs to it."""
        members = {f"target {id_}" for id_ in _members(row)}
        return {name: name in members for name in self._wanted}

    def want(self, _row: Row) -> View:
        """Return whether each of them is to."""
        return self._wanted

    def body(self, _row: Row, wanted: View) -> dict[str, Any]:
        """Return the helpers' attributes."""
        add, remove = ([int(name[7:]) for name, put in wanted.items() if put is which] for which in (True, False))
        return ({"add_targets_by_id": add} if add else {}) | ({"remove_targets_by_id": remove} if remove else {})

    def weight(self, row: Row, changes: Sequence[Change], /) -> tuple[int, int]:
        """Count memberships that begin or end, of those before and after."""
        added = sum(1 for one in changes if one.after)
        return len(changes), len(_members(row)) + added


class AllMembersAim(Aim):
    """The whole list of a group's targets.

    :param members: target IDs.
    """

    replaces = True

    def __init__(self, members: Sequence[int]) -> None:
        self._members = sorted(members)

    def view(self, row: Row) -> View:
        """Return the members in order; the vendor does not promise one."""
        return {MEMBERS: sorted(_members(row))}

    def want(self, _row: Row) -> View:
        """Return who they are to be."""
        return {MEMBERS: self._members}

    def body(self, _row: Row, wanted: View) -> dict[str, Any]:
        """Return the whole list."""
        return dict(wanted)

    def weight(self, row: Row, _changes: Sequence[Change], /) -> tuple[int, int]:
        """Count memberships that begin or end, of those before and after."""
        now, then = set(_members(row)), set(self._members)
        return len(now ^ then), len(now | then)
