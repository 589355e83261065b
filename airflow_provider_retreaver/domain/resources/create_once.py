"""Creating an object once, also when an answer is lost or the task is killed in the middle.

Where the vendor knows a value that no two objects share (a customer's ID, a phone number), the object is looked up by
it. Where it does not (numbers, pools, groups, companies), the list before is compared with the list after. What is
about to be done is written down before it is sent, so that a later attempt of the same run looks before it sends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidRequest, OutcomeUnknown, RetreaverError
from airflow_provider_retreaver.core.operations import Operation, Procedure, Row, require
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.resources.comparison import compare, shown
from airflow_provider_retreaver.domain.resources.lookup import find, natural_value
from airflow_provider_retreaver.resources.entry import Entry, Which

log = logging.getLogger(__name__)

# How often a create that is proved not to have happened is sent in one attempt.
TRIES = 3


def identity(entry: Entry, row: Mapping[str, Any]) -> Row:
    """Return an object's `id` and `customer_id`; either may be None."""
    natural = str(entry.natural)
    names = (natural, f"client_{natural}") if entry.named_by_customer else (entry.row_key,)
    customer = None if entry.row_key == "id" and not entry.named_by_customer else names
    return {"id": row.get("id"), "customer_id": next((row[name] for name in customer or () if name in row), None)}


def given(attributes: Mapping[str, Any]) -> Row:
    """Return the attributes of a new object as changes."""
    return {name: {"before": None, "after": shown(value, name)} for name, value in attributes.items()}


def created(entry: Entry, row: Row, attributes: Mapping[str, Any]) -> Row:
    """Return the result of a create: IDs, what was given, and the object as the vendor returned it."""
    changed = given(attributes)
    return {**identity(entry, row), "action": "created", "changed": changed, "not_compared": [], "object": shown(row)}


def send_once(entry: Entry, operation: Operation[Row], value: Any, owner: Mapping[str, Any]) -> Procedure[Row]:
    """Create an object that can be looked up by its natural value; after a lost answer it is.

    :raises OutcomeUnknown: when its answer was lost every time, and it is not there.
    """
    lost: OutcomeUnknown | None = None
    failure: RetreaverError
    for _ in range(TRIES):
        try:
            row: Row = yield operation
        except OutcomeUnknown as error:
            log.warning("%s Looking it up.", error)
            lost = failure = error
        except InvalidRequest as error:
            # What is refused after a lost answer may be refused because it is there already.
            if lost is None:
                raise
            failure = error
        else:
            if not entry.owned:
                require(row, entry.row_key, operation.request)
            return row
        found = yield from find(entry, value, owner)
        if found is not None:
            return found
        if failure is not lost:
            break
    raise failure


@dataclass(slots=True)
class Creation:
    """One create of one run.

    :param entry: the resource.
    :param attributes: of the object.
    :param owner: of a caller list or its numbers.
    :param record: what earlier attempts of the same run did.
    :param remember: writes the record down; called before anything is created and after.
    :param dry_run: only look whether it could be created.
    """

    entry: Entry
    attributes: Row
    owner: Mapping[str, Any] = field(default_factory=dict)
    record: Record = field(default_factory=Record)
    remember: Callable[[Record], None] | None = None
    dry_run: bool = False

    def procedure(self) -> Procedure[Row]:
        """Create the object and return it with its IDs.

        :raises ChangeRefused: when there is one with that customer ID already.
        :raises OutcomeUnknown: when the answer was lost, and looking did not tell either.
        """
        operation = self.entry.create(self.attributes, self.owner)
        if "result" in self.record.done:
            log.info("An earlier attempt of this run created it; nothing is sent.")
            return dict(self.record.done["result"])
        row = yield from self._row(operation)
        if row is None:
            would = {"id": None, "customer_id": natural_value(self.entry, self.attributes), "action": "would_create"}
            return {**would, "changed": given(self.attributes), "not_compared": [], "dry_run": True}
        result = created(self.entry, row, self.attributes)
        self.record.done["result"] = result
        self._note()
        return result

    def _row(self, operation: Operation[Row]) -> Procedure[Row | None]:
        value = natural_value(self.entry, self.attributes)
        if self.entry.harmless:
            return None if self.dry_run else (yield from _repeated(operation))
        if value is not None:
            return (yield from self._by_value(operation, value))
        if self.entry.natural is None:
            return (yield from self._by_list(operation))
        return (yield from self._blindly(operation))

    def _by_value(self, operation: Operation[Row], value: Any) -> Procedure[Row | None]:
        found = yield from find(self.entry, value, self.owner)
        if found is not None and not self.record.plan:
            known = f" (id {found['id']})" if "id" in found else ""
            raise ChangeRefused(
                f"There is a {self.entry.called(Which(customer_id=value))} already{known}; use the upsert to have it "
                f"as wanted, whether it is there or not. Nothing was sent."
            )
        if found is not None or self.dry_run:
            return found
        self._note(sent=True)
        return (yield from send_once(self.entry, operation, value, self.owner))

    def _by_list(self, operation: Operation[Row]) -> Procedure[Row | None]:
        narrowed = {name: self.attributes[name] for name in self.entry.narrowed_by if self.attributes.get(name)}
        listing = self.entry.list(narrowed)
        rows: list[Row] = yield listing
        ids = [require(row, "id", listing.request) for row in rows]
        before = self.record.plan.get("before")
        mine = self._new(rows, before) if before is not None else None
        if mine is not None or self.dry_run:
            return mine
        before = ids if before is None else before
        self._note(before=before)
        try:
            row: Row = yield operation
        except OutcomeUnknown as error:
            log.warning("%s Comparing the list with what it was.", error)
            rows = yield listing
            mine = self._new(rows, before)
            if mine is None:
                raise
            return mine
        require(row, "id", operation.request)
        return row

    def _new(self, rows: list[Row], before: list[Any]) -> Row | None:
        """Return the object that was not there before and is as the one sent, None when there is none.

        :raises OutcomeUnknown: when there are several.
        """
        title = self.entry.title
        fresh = [row for row in rows if row.get("id") not in before]
        mine = [row for row in fresh if not compare(self.attributes, row, title).changed]
        if len(mine) > 1:
            ids = ", ".join(str(row.get("id")) for row in mine)
            raise OutcomeUnknown(
                f"The answer to creating a {title} was lost, and {len(mine)} have come since (ids {ids}), any of "
                f"which may be this task's: look at them, and give each its own sid when several are created at once."
            )
        return mine[0] if mine else None

    def _blindly(self, operation: Operation[Row]) -> Procedure[Row | None]:
        """Create an object that could not be found again, and never send it twice."""
        if self.dry_run:
            return None
        if self.record.plan:
            raise OutcomeUnknown(
                f"An earlier attempt of this run may have created the {self.entry.title}, and without a "
                f"{self.entry.natural} it cannot be looked up: look for it, then run this anew with a "
                f"{self.entry.natural}."
            )
        self._note(sent=True)
        try:
            row: Row = yield operation
        except OutcomeUnknown:
            raise
        except RetreaverError:
            self.record.plan.clear()
            self._note()
            raise
        require(row, self.entry.row_key, operation.request)
        return row

    def _note(self, **plan: Any) -> None:
        self.record.plan.update(plan)
        if self.remember is not None:
            self.remember(self.record)


def _repeated(operation: Operation[Row]) -> Procedure[Row]:
    """Send what is harmless to send again until its answer comes."""
    for _ in range(TRIES - 1):
        try:
            row: Row = yield operation
        except OutcomeUnknown as error:
            log.warning("%s Sending it again, which is harmless.", error)
        else:
            return row
    last: Row = yield operation
    return last
