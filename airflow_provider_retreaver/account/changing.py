"""Making one change: the object is compared right before, and read back after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.account.kinds import KINDS, PAID
from airflow_provider_retreaver.account.nested_parts import Groups
from airflow_provider_retreaver.account.ordering import creation_attributes
from airflow_provider_retreaver.account.parts import Secret, World
from airflow_provider_retreaver.account.plan import Change
from airflow_provider_retreaver.core.errors import ChangeRefused, Gone, NotFound, OutcomeUnknown, RetreaverError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.changes.differences import format_value
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.resources.create_once import Creation
from airflow_provider_retreaver.domain.resources.lookup import is_missing, read_object, read_object_or_none
from airflow_provider_retreaver.resources.entry import ObjectReference
from airflow_provider_retreaver.resources.target_groups import update_target_group


@dataclass(slots=True)
class ObjectChanges:
    """Makes the changes of a plan, one by one.

    :param world: what is known of the account.
    :param record: what earlier attempts did; creates add to it before they send.
    :param save: saves the record.
    """

    world: World
    record: Record
    save: Callable[[], None]

    def make(self, change: Change) -> Procedure[None]:
        """Make a change, or what is left of it.

        :param change: of the plan.
        :raises ChangeRefused: when others have changed, deleted or created the object; nothing was sent.
        :raises RetreaverError: when Retreaver does not make it.
        """
        if change.action == "create":
            yield from self._create(change)
        elif change.action == "update":
            yield from self._update(change)
        else:
            yield from self._delete(change)

    def _update(self, change: Change) -> Procedure[None]:
        kind = KINDS[change.kind]
        reference = kind.reference(change.id if change.id is not None else change.key)
        row = yield from self._read(change, reference)
        left = self._left(change, row)
        if not left:
            return
        attributes = kind.attributes(left, row, self.world)
        if attributes:
            yield kind.entry.update(reference, attributes)
        if "groups" in left:
            yield from self._join(left, row)
        after = yield from read_object(kind.entry, self._after_move(change, reference))
        self._verify(change, left, after)

    def _read(self, change: Change, reference: ObjectReference) -> Procedure[Row]:
        """Read an object, under its new customer ID where an earlier attempt has given it that one."""
        kind = KINDS[change.kind]
        row = yield from read_object_or_none(kind.entry, reference)
        moved = self._after_move(change, reference)
        if row is None and moved != reference:
            row = yield from read_object_or_none(kind.entry, moved)
        if row is None:
            raise ChangeRefused("It was deleted after the plan was made; make a new plan.")
        return row

    def _after_move(self, change: Change, reference: ObjectReference) -> ObjectReference:
        kind = KINDS[change.kind]
        key = kind.key_names[0] if kind.key_names else ""
        moves = kind.by_customer_id and change.action == "update" and key in change.fields
        return ObjectReference(customer_id=change.fields[key].after) if moves else reference

    def _left(self, change: Change, row: Row) -> dict[str, Any]:
        """Return the fields that are still to be changed.

        :raises ChangeRefused: when others have changed one of them.
        """
        current = KINDS[change.kind].current(row, self.world)
        left: dict[str, Any] = {}
        others: list[str] = []
        for name, diff in change.fields.items():
            now = current.get(name)
            if now == diff.after or self._is_secret_set(change, name, row):
                continue
            left[name] = diff.after
            if now != diff.before:
                others.append(f"{name} was {format_value(_line(diff.before))} and is {format_value(_line(now))}")
        if others:
            raise ChangeRefused(f"Others changed it after the plan was made: {'; '.join(others)}. Make a new plan.")
        return left

    def _is_secret_set(self, change: Change, name: str, row: Row) -> bool:
        part = KINDS[change.kind].part(name)
        wanted = change.fields[name].after
        if not isinstance(part, Secret) or not isinstance(wanted, Mapping):
            return False
        return bool(part.attributes({name: wanted}, row, self.world)[name] == row.get(name))

    def _join(self, left: Mapping[str, Any], row: Row) -> Procedure[None]:
        part = next(part for part in KINDS["targets"].parts if isinstance(part, Groups))
        joined, parted = part.group_changes(left, row, self.world)
        for group in joined:
            yield update_target_group({"add_targets_by_id": [row["id"]]}, id=group)
        for group in parted:
            yield update_target_group({"remove_targets_by_id": [row["id"]]}, id=group)

    def _verify(self, change: Change, sent: Mapping[str, Any], after: Row) -> None:
        current = KINDS[change.kind].current(after, self.world)
        wrong = [
            f"{name} is {format_value(_line(current.get(name)))}, expected {format_value(_line(value))}"
            for name, value in sent.items()
            if current.get(name) != value and not self._is_secret_set(change, name, after)
        ]
        if wrong:
            raise RetreaverError(f"Retreaver accepted the change and did not make all of it: {'; '.join(wrong)}.")

    # -- creating

    def _create(self, change: Change) -> Procedure[None]:
        kind = KINDS[change.kind]
        after = {name: diff.after for name, diff in change.fields.items()}
        attributes = creation_attributes(change, kind.attributes(after, None, self.world))
        record = Record.load(self.record.plan.get(change.address))
        if not record.plan and not record.done:
            yield from self._refuse_existing(change, attributes)

        def save(one: Record) -> None:
            # The object itself, which may be large, is not needed again.
            done = {"result": {"id": one.done["result"]["id"]}} if one.done else {}
            self.record.plan[change.address] = {"plan": dict(one.plan), "done": done}
            self.save()

        creation = Creation(kind.entry, attributes, record=record, save=save)
        try:
            result = yield from creation.procedure()
        except OutcomeUnknown as error:
            raise OutcomeUnknown(f"{error.message} Apply the plan again: it looks before it sends.") from None
        if change.kind == "target_groups":
            self.world.groups[int(str(result["id"]))] = change.key
        reference = kind.reference(change.key if kind.by_customer_id else result["id"] or "")
        row = yield from read_object(kind.entry, reference)
        if "groups" in after:
            yield from self._join(after, row)
            row = yield from read_object(kind.entry, reference)
        self._verify(change, after, row)

    def _refuse_existing(self, change: Change, attributes: Row) -> Procedure[None]:
        """Refuse to create what others have created since the plan was made."""
        kind = KINDS[change.kind]
        exists: Any = False
        if change.kind == "target_groups":
            exists = change.key in self.world.groups.values()
        elif change.kind in PAID:
            filters = {name: attributes[name] for name in ("cid", "afid") if attributes.get(name)}
            rows: list[Row] = yield kind.entry.list(filters)
            found = [(row, kind.current(row, self.world)) for row in rows]
            names = ("sid",) if change.kind == "numbers" else ("campaign", "affiliate")
            wanted = {name: change.fields[name].after if name in change.fields else None for name in names}
            exists = any(wanted == {name: now.get(name) for name in names} for _, now in found)
        else:
            exists = (yield from read_object_or_none(kind.entry, ObjectReference(customer_id=change.key))) is not None
        if exists:
            raise ChangeRefused("Others created it after the plan was made; make a new plan. Nothing was sent.")

    # -- deleting

    def _delete(self, change: Change) -> Procedure[None]:
        kind = KINDS[change.kind]
        reference = kind.reference(change.id or change.key)
        row = yield from read_object_or_none(kind.entry, reference)
        if row is None:
            return
        current = kind.current(row, self.world)
        others = [
            f"{name} was {format_value(_line(diff.before))} and is {format_value(_line(current.get(name)))}"
            for name, diff in change.fields.items()
            if current.get(name) != diff.before
        ]
        if others:
            raise ChangeRefused(f"Others changed it after the plan was made: {'; '.join(others)}. Make a new plan.")
        operation = kind.entry.delete(reference)
        try:
            yield operation
        except (NotFound, Gone) as error:
            if not is_missing(error, operation):
                raise
        if (yield from read_object_or_none(kind.entry, reference)) is not None:
            raise RetreaverError("Retreaver accepted the deletion, and the object is still there.")


def _line(value: Any) -> Any:
    """Return a value that a sentence can hold."""
    return [str(item) for item in value] if isinstance(value, list) else value
