"""Changing the members of a target group.

Retreaver's reference: "Target Groups", its helpers `add_targets_by_id` and `remove_targets_by_id`, and `target_ids`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.changes.differences import FieldChange, Fields
from airflow_provider_retreaver.domain.changes.edit import DesiredState
from airflow_provider_retreaver.domain.objects.key import target_key
from airflow_provider_retreaver.domain.objects.names import TARGET, FoundNames, find_named, known_ids, remember
from airflow_provider_retreaver.domain.objects.naming import object_name
from airflow_provider_retreaver.domain.objects.reading import FoundObjects, find_groups

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


@dataclass(frozen=True, slots=True)
class ChosenTargets:
    """Targets that are chosen by ID and by name.

    :param ids: Retreaver's own IDs.
    :param names: names.
    :param parameter: that the names were given by, for the error.
    """

    ids: Sequence[int]
    names: Sequence[str]
    parameter: str


class MembersOfGroup:
    """Targets to add to a group and to remove, or to have instead of all others.

    :param group: ID of the group, or its name as a text.
    :param add: targets to add; None when not given.
    :param remove: targets to remove; None when not given.
    :param replace: targets to have; None when not given.
    :raises InvalidArgument: when nothing is given, or the last beside the others.
    """

    def __init__(
        self,
        group: int | str,
        add: ChosenTargets | None,
        remove: ChosenTargets | None,
        replace: ChosenTargets | None,
    ) -> None:
        if replace is None and add is None and remove is None:
            raise InvalidArgument(
                "There are no targets to add or remove: give add, remove or replace, or the same by name."
            )
        if replace is not None and (add is not None or remove is not None):
            raise InvalidArgument("replace sets all members: give it alone, or give add and remove.")
        self._group = group
        self._add, self._remove, self._replace = add, remove, replace
        # Refused before anything is sent where names have no part in it; `find` computes it with them.
        self.state = self._state({})

    def find(self, known: FoundNames) -> Procedure[FoundObjects]:
        """Read the group, and find the targets that are chosen by name: one list each.

        :param known: what the run has found before; what is found is added.
        :return: the group.
        :raises NotFound: when no group or target has one of the names.
        :raises InvalidArgument: when several have one of the names, or a target is to be added and removed.
        """
        by_name = isinstance(self._group, str)
        groups = yield from find_groups(
            () if by_name else [int(self._group)], [str(self._group)] if by_name else (), known
        )
        chosen = [one for one in (self._add, self._remove, self._replace) if one is not None]
        _, new = known_ids(TARGET, [name for one in chosen for name in one.names], known)
        parameter = " and ".join(one.parameter for one in chosen if one.names)
        remember(TARGET, (yield from find_named(TARGET, list(dict.fromkeys(new)), parameter)), known)
        self.state = self._state(known)
        return groups

    def _state(self, known: FoundNames) -> DesiredState:
        if self._replace is not None:
            return DesiredMemberList(_ids(self._replace, known))
        return DesiredMembership(_ids(self._add, known), _ids(self._remove, known))


def _ids(chosen: ChosenTargets | None, known: FoundNames) -> list[int]:
    return [] if chosen is None else list(dict.fromkeys([*chosen.ids, *known_ids(TARGET, chosen.names, known)[0]]))
