"""Changing attributes and members of buyer groups (TrackDrive's reference: "PUT /api/v1/buyer_groups/:id")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.changes.differences import FieldChange, Fields
from airflow_provider_retreaver.domain.changes.edit import ChangeSpec, DesiredState
from airflow_provider_retreaver.domain.objects.reading import FoundObjects, find_buyer_groups
from airflow_provider_retreaver.domain.trackdrive.buyers import buyers_by_own_id
from airflow_provider_retreaver.domain.trackdrive.group_fields import BUYERS, buyers_of, field_of
from airflow_provider_retreaver.resources.trackdrive import checks
from airflow_provider_retreaver.resources.trackdrive.buyer_groups import update_buyer_group
from airflow_provider_retreaver.resources.trackdrive.fields import RESET, TEAM


@dataclass(frozen=True, slots=True)
class MemberChange:
    """Buyers that become members of a group, or are no longer members; the others stay.

    :param add: TrackDrive's IDs.
    :param remove: TrackDrive's IDs.
    :param add_own: the customer's IDs, `user_buyer_id`.
    :param remove_own: the customer's IDs, `user_buyer_id`.
    """

    add: Sequence[int] = ()
    remove: Sequence[int] = ()
    add_own: Sequence[str] = ()
    remove_own: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return any((self.add, self.remove, self.add_own, self.remove_own))


class DesiredBuyerGroup(DesiredState):
    """Attributes, and either single buyers or the whole list of them.

    :param attributes: as `update_buyer_group` sends them.
    :param members: by name of the field, e.g. `buyer 100123`: whether it should be a member, and the parameter and
        the value that make it so.
    :param buyers: the whole list; None to leave it.
    """

    def __init__(
        self,
        attributes: Mapping[str, object],
        members: Mapping[str, tuple[int, bool, str, int | str]],
        buyers: Sequence[int] | None,
    ) -> None:
        self._attributes = {name: None if value == checks.BLANK else value for name, value in attributes.items()}
        self._members = members
        self._buyers = None if buyers is None else sorted(buyers)
        self.replaces = buyers is not None

    def current(self, row: Row) -> Fields:
        """Return the attributes, and whether each buyer is a member."""
        found = {name: field_of(row, name) for name in self._attributes}
        if self._members or self._buyers is not None:
            present = buyers_of(row)
            found |= {name: buyer in present for name, (buyer, *_) in self._members.items()}
            if self._buyers is not None:
                found[BUYERS] = present
        return found

    def desired(self, row: Row) -> Fields:  # noqa: ARG002
        """Return the attributes and members as they should be."""
        members = {name: member for name, (_, member, *_) in self._members.items()}
        return {**self._attributes, **members, **({} if self._buyers is None else {BUYERS: self._buyers})}

    def attributes(self, row: Row, fields: Fields) -> dict[str, object]:  # noqa: ARG002
        """Return what is sent: blank for a limit that is cleared, and buyers by the parameters for single ones."""
        sent: dict[str, object] = {}
        lists: dict[str, list[int | str]] = {}
        for name, value in fields.items():
            if name in self._members:
                _, _, parameter, sent_value = self._members[name]
                lists.setdefault(parameter, []).append(sent_value)
            else:
                sent[name] = checks.BLANK if value is None else value
        return {**sent, **lists}

    def explain_failure(self, before: Row, after: Row, /) -> str:  # noqa: ARG002
        """Say what is assumed of a blank limit."""
        cleared = [
            name for name, value in self._attributes.items() if value is None and field_of(after, name) is not None
        ]
        if not cleared:
            return ""
        return f"A blank value was sent for {', '.join(cleared)}, which TrackDrive takes and is assumed to clear it."

    def count_changes(self, row: Row, changes: Sequence[FieldChange], /) -> tuple[int, int]:
        """Count memberships that begin or end where nothing else is changed, else groups."""
        if self._attributes:
            return (1 if changes else 0), 1
        before = set(buyers_of(row))
        if self._buyers is not None:
            return len(before ^ set(self._buyers)), len(before | set(self._buyers))
        return len(changes), len(before) + sum(1 for one in changes if one.after)


@dataclass(slots=True)
class BuyerGroupChange:
    """What is to be changed on buyer groups.

    :param group_ids: TrackDrive's IDs of the groups.
    :param attributes: attributes that can be compared, as `update_buyer_group` takes them.
    :param members: buyers to add and to remove.
    :param buyers: buyers to have instead of all others; None to leave them.
    :raises InvalidArgument: naming what is wrong.
    """

    group_ids: Sequence[int]
    attributes: Mapping[str, object] = field(default_factory=dict)
    members: MemberChange = field(default_factory=MemberChange)
    buyers: Sequence[int] | None = None
    _by_own_id: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for name in (RESET, *TEAM, BUYERS):
            if name in self.attributes:
                raise InvalidArgument(f"{name} has a parameter of its own; it is no attribute that is compared.")
        if self.buyers is not None and self.members:
            raise InvalidArgument("replace sets all buyers: give it alone, or add and remove buyers.")
        if not self.attributes and not self.members and self.buyers is None:
            raise InvalidArgument(
                "There is nothing to change: give attributes, buyers to add or remove, or buyers to replace."
            )
        if self.attributes:
            self.attributes = update_buyer_group(self.attributes, 1).request.body
        _refuse_both(self.members.add, self.members.remove, "buyer")
        _refuse_both(self.members.add_own, self.members.remove_own, "user_buyer_id")

    def spec(self) -> ChangeSpec:
        """Return what `ChangeObjects` runs.

        :return: the specification.
        """
        counted = "buyer groups" if self.attributes else "memberships"
        return ChangeSpec(find=lambda _names: self._find(), state=lambda _key, _row: self._state(), counted=counted)

    def _find(self) -> Procedure[FoundObjects]:
        own = [*self.members.add_own, *self.members.remove_own]
        if own:
            self._by_own_id = yield from buyers_by_own_id(own)
        self._state()
        return (yield from find_buyer_groups(self.group_ids))

    def _state(self) -> DesiredBuyerGroup:
        members = self.members
        wanted: dict[str, tuple[int, bool, str, int | str]] = {}
        for member, ids, own in ((True, members.add, members.add_own), (False, members.remove, members.remove_own)):
            verb = "add" if member else "remove"
            choices: list[tuple[int, str, int | str]] = [(id_, f"{verb}_buyer_ids", id_) for id_ in ids]
            choices += [(self._by_own_id[name], f"{verb}_user_buyer_ids", name) for name in own]
            for buyer, parameter, sent in choices:
                known = wanted.setdefault(f"buyer {buyer}", (buyer, member, parameter, sent))
                if known[1] is not member:
                    raise InvalidArgument(
                        f"Buyer {buyer} is to be added as {quoted(known[3])} and removed as {quoted(sent)}; give it "
                        f"in one of them."
                    )
        return DesiredBuyerGroup(self.attributes, wanted, self.buyers)


def _refuse_both(add: Sequence[object], remove: Sequence[object], what: str) -> None:
    both = [one for one in add if one in remove]
    if both:
        raise InvalidArgument(f"The {what} {quoted(both[0])} is to be added and removed; give it in one of them.")
