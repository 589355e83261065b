"""Changing the members of a target group.

Retreaver's reference: "Target Groups", its helpers `add_targets_by_id` and `remove_targets_by_id`, and `target_ids`.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.changes.differences import FieldChange, Fields
from airflow_provider_retreaver.domain.changes.edit import DesiredState
from airflow_provider_retreaver.domain.objects.key import target_key
from airflow_provider_retreaver.domain.objects.naming import object_name

MEMBERS = "target_ids"


def _members(row: Row) -> list[int]:
    members = row.get(MEMBERS)
    if not isinstance(members, list):
        raise ProtocolError(
            f"{object_name(row, 'group')} came without 'target_ids', which Retreaver documents for it."
        )
    return members


class DesiredMembership(DesiredState):
    """Targets that are added to a group and removed from it; its other members stay.

    Sent through Retreaver's helpers, so that members which other clients add at the same time are not lost.

    :param add: target IDs.
    :param remove: target IDs.
    :raises InvalidArgument: when a target is in both.
    """

    def __init__(self, add: Sequence[int], remove: Sequence[int]) -> None:
        both = sorted(set(add) & set(remove))
        if both:
            raise InvalidArgument(f"Target {both[0]} is in add and in remove; give it in one of them.")
        # By field, e.g. `target 3`.
        self._ids = {str(target_key(id_)): id_ for id_ in (*add, *remove)}
        self._is_member = {name: id_ in set(add) for name, id_ in self._ids.items()}

    def current(self, row: Row) -> Fields:
        """Return whether each of the targets is a member."""
        members = set(_members(row))
        return {name: id_ in members for name, id_ in self._ids.items()}

    def desired(self, row: Row) -> Fields:  # noqa: ARG002
        """Return whether each of the targets should be a member."""
        return self._is_member

    def attributes(self, row: Row, fields: Fields) -> dict[str, object]:  # noqa: ARG002
        """Return the attributes of the helpers."""
        added = [self._ids[name] for name, member in fields.items() if member]
        removed = [self._ids[name] for name, member in fields.items() if not member]
        helpers = {"add_targets_by_id": added, "remove_targets_by_id": removed}
        return {name: ids for name, ids in helpers.items() if ids}

    def count_changes(self, row: Row, changes: Sequence[FieldChange], /) -> tuple[int, int]:
        """Count memberships that begin or end, of all those before and after."""
        return len(changes), len(_members(row)) + sum(1 for one in changes if one.after)


class DesiredMemberList(DesiredState):
    """The whole list of a group's targets.

    :param members: target IDs.
    """

    replaces = True

    def __init__(self, members: Sequence[int]) -> None:
        self._desired = sorted(members)

    def current(self, row: Row) -> Fields:
        """Return the members in order of their IDs, since Retreaver documents none."""
        return {MEMBERS: sorted(_members(row))}

    def desired(self, row: Row) -> Fields:  # noqa: ARG002
        """Return the members that the group should have."""
        return {MEMBERS: self._desired}

    def attributes(self, row: Row, fields: Fields) -> dict[str, object]:  # noqa: ARG002
        """Return the whole list."""
        return dict(fields)

    def count_changes(self, row: Row, changes: Sequence[FieldChange], /) -> tuple[int, int]:  # noqa: ARG002
        """Count memberships that begin or end, of all those before and after."""
        before, after = set(_members(row)), set(self._desired)
        return len(before ^ after), len(before | after)
