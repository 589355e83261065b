"""Making one change: the object is compared right before, and read back after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_retreaver.account.kinds import KINDS
from airflow_provider_retreaver.account.parts import World
from airflow_provider_retreaver.account.plan import Change, FieldDiff
from airflow_provider_retreaver.core.errors import ChangeRefused, OutcomeUnknown, RetreaverError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.changes.differences import Fields, differences, format_value
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.resources.create_once import Creation
from airflow_provider_retreaver.domain.resources.lookup import read_object, read_object_or_none
from airflow_provider_retreaver.domain.resources.procedures import delete
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
    save: Callable[[Record], None]

    def make(self, change: Change) -> Procedure[None]:
        """Make a change, or what is left of it.

        :param change: of the plan.
        :raises ChangeRefused: when others have changed, deleted or created the object; nothing was sent.
        :raises RetreaverError: when Retreaver does not make it.
        """
        yield from {"create": self._create, "update": self._update, "delete": self._delete}[change.action](change)

    def exists(self, address: str) -> Procedure[bool]:
        """Return whether an object is there that references name by its address.

        :param address: in the files.
        :return: False for one that was not made yet.
        """
        kind, _, key = address.partition("/")
        if kind == "target_groups":
            return key in self.world.groups.values()
        row = yield from read_object_or_none(KINDS[kind].entry, ObjectReference(customer_id=key))
        return row is not None

    def _update(self, change: Change) -> Procedure[None]:
        kind = KINDS[change.kind]
        reference = moved = kind.reference(change.id or change.key)
        if kind.by_customer_id and kind.key_name in change.fields:
            moved = kind.reference(change.after[kind.key_name])
        row = yield from read_object_or_none(kind.entry, reference)
        if row is None and moved != reference:
            # An earlier attempt may have given it the new customer ID.
            row = yield from read_object_or_none(kind.entry, moved)
        if row is None:
            raise ChangeRefused("It was deleted after the plan was made; make a new plan.")
        current = self._current(change, row)
        left = {name: diff for name, diff in change.fields.items() if current.get(name) != diff.after}
        _refuse_foreign(left, current)
        if not left:
            return
        after = {name: diff.after for name, diff in left.items()}
        if attributes := kind.attributes(after, row, self.world):
            yield kind.entry.update(reference, attributes)
        if "groups" in after:
            yield from self._join(after["groups"], row)
        self._verify(change, after, (yield from read_object(kind.entry, moved)))

    def _current(self, change: Change, row: Row) -> Fields:
        """Return the fields as they are; a secret that is the one that is wanted is shown as that."""
        kind = KINDS[change.kind]
        current, name = kind.current(row, self.world), "sip_password"
        wanted = change.after.get(name)
        if isinstance(wanted, Mapping) and kind.attributes({name: wanted}, row, self.world)[name] == row.get(name):
            current[name] = wanted
        return current

    def _join(self, groups: Sequence[str], row: Row) -> Procedure[None]:
        """Change the groups of a target; the groups are changed, not the target."""
        wanted, present = set(map(self.world.group_id, groups)), set(row.get("target_group_ids") or ())
        for verb, ids in (("add", wanted - present), ("remove", present - wanted)):
            for group in sorted(ids):
                yield update_target_group({f"{verb}_targets_by_id": [row["id"]]}, id=group)

    def _verify(self, change: Change, sent: Fields, row: Row) -> None:
        wrong = [
            f"{one.field} is {_text(one.before)}, expected {_text(one.after)}"
            for one in differences(self._current(change, row), sent)
        ]
        if wrong:
            raise RetreaverError(f"Retreaver accepted the change and did not make all of it: {'; '.join(wrong)}.")

    def _create(self, change: Change) -> Procedure[None]:
        kind = KINDS[change.kind]
        attributes = {**kind.attributes(change.after, None, self.world), **change.bought}
        record = Record.load(self.record.plan.get(change.address))
        if not record.plan and not record.done and (yield from self._is_there(change, attributes)):
            raise ChangeRefused("Others created it after the plan was made; make a new plan. Nothing was sent.")

        def save(one: Record) -> None:
            # The object itself, which may be large, is not needed again.
            done = {"result": {"id": one.done["result"]["id"]}} if one.done else {}
            self.record.plan[change.address] = {"plan": dict(one.plan), "done": done}
            self.save(self.record)

        creation = Creation(kind.entry, attributes, record=record, save=save)
        try:
            result = yield from creation.procedure()
        except OutcomeUnknown as error:
            raise OutcomeUnknown(f"{error.message} Apply the plan again: it looks before it sends.") from None
        if change.kind == "target_groups":
            self.world.groups[int(str(result["id"]))] = change.key
        reference = kind.reference(change.key if kind.by_customer_id else result["id"] or "")
        row = yield from read_object(kind.entry, reference)
        if "groups" in change.after:
            yield from self._join(change.after["groups"], row)
            row = yield from read_object(kind.entry, reference)
        self._verify(change, change.after, row)

    def _is_there(self, change: Change, attributes: Row) -> Procedure[bool]:
        """Return whether others have created an object since the plan was made."""
        kind = KINDS[change.kind]
        if not kind.entry.costs_money:
            return (yield from self.exists(change.address))
        filters = {name: attributes[name] for name in ("cid", "afid") if attributes.get(name)}
        rows: list[Row] = yield kind.entry.list(filters)
        names = ("sid",) if change.kind == "numbers" else ("campaign", "affiliate")
        found = [kind.current(row, self.world) for row in rows]
        return any(all(change.after.get(name) == one.get(name) for name in names) for one in found)

    def _delete(self, change: Change) -> Procedure[None]:
        kind = KINDS[change.kind]
        reference = kind.reference(change.id or change.key)

        def check(row: Row) -> None:
            _refuse_foreign(change.fields, kind.current(row, self.world))

        result = yield from delete(kind.entry, reference, check=check)
        if result["action"] == "deleted" and (yield from read_object_or_none(kind.entry, reference)) is not None:
            raise RetreaverError("Retreaver accepted the deletion, and the object is still there.")


def _refuse_foreign(fields: Mapping[str, FieldDiff], current: Fields) -> None:
    """Refuse to change fields that are no longer as the plan found them."""
    others = [
        f"{name} was {_text(diff.before)} and is {_text(current.get(name))}"
        for name, diff in fields.items()
        if current.get(name) != diff.before
    ]
    if others:
        raise ChangeRefused(f"Others changed it after the plan was made: {'; '.join(others)}. Make a new plan.")


def _text(value: object) -> str:
    """Return a value as a sentence holds it."""
    return format_value([str(item) for item in value] if isinstance(value, list) else value)
