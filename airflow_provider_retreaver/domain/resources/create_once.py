"""Creating an object once, also when an answer is lost or the task is killed in the middle.

Where Retreaver knows a value that no two objects share (a customer's ID, a phone number), the object is looked up by
it. Where it does not (numbers, pools, groups, companies), the list before is compared with the list after. The plan
is saved before anything is sent, so that a later attempt of the same run checks before it sends.

Others may create the same at the same time. Retreaver has no create that fails for the second of two, so runs take
turns where there is a place for that, and there is a second look right before a create, and, where only lists tell,
one after it: what others have created is refused where it has the same key, or where this run waited for the one that
may have created it, and named in the result where it may be wanted twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import (
    RUN_ENDING,
    ChangeRefused,
    InvalidRequest,
    OutcomeUnknown,
    RetreaverError,
)
from airflow_provider_retreaver.core.operations import Listing, Operation, Procedure, Row
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.changes.turn import TakesTurns
from airflow_provider_retreaver.domain.resources.comparison import compare_attributes
from airflow_provider_retreaver.domain.resources.created import result_of_create, result_of_dry_create
from airflow_provider_retreaver.domain.resources.lookup import find_object, natural_key_value
from airflow_provider_retreaver.domain.resources.result import ObjectResult
from airflow_provider_retreaver.resources.entry import Entry, ObjectReference
from airflow_provider_retreaver.resources.resource import Id

log = logging.getLogger(__name__)

# How often a create that is proved not to have happened is sent in one attempt.
TRIES = 3


def create_or_find(
    entry: Entry, operation: Operation[Row], find: Callable[[], Procedure[Row | None]]
) -> Procedure[Row]:
    """Create an object that can be found again, by its natural key or its name; after a lost answer it is looked up.

    :param entry: the resource.
    :param operation: that creates the object.
    :param find: returns the procedure that looks it up.
    :return: the object as Retreaver returns it.
    :raises OutcomeUnknown: when the answer was lost every time, and the object does not exist.
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
            # After a lost answer, it may be refused because it exists already.
            if lost is None:
                raise
            failure = error
        else:
            if not entry.has_owner:
                require(row, entry.row_key, operation.request)
            return row
        found = yield from find()
        if found is not None:
            return found
        if failure is not lost:
            break
    raise failure


@dataclass
class Creation(TakesTurns):
    """One create of one run.

    :param entry: the resource.
    :param attributes: of the object.
    :param owner: of a caller list or its numbers.
    :param record: what earlier attempts of the same run did.
    :param save: saves the record; called before anything is created and after.
    :param reload: reads the record again, after another attempt was at work.
    :param dry_run: only check whether it could be created.
    """

    entry: Entry
    attributes: Mapping[str, object]
    owner: Mapping[str, object] = field(default_factory=dict)
    record: Record = field(default_factory=Record)
    save: Callable[[Record], None] | None = None
    reload: Callable[[], Record] | None = None
    dry_run: bool = False
    # The list, and the IDs in it before anything was created, where only lists tell what is new.
    _listed: tuple[Listing, Sequence[Id]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Let creates of one resource exclude each other."""
        self.turn_name = f"create-{self.entry.name}"

    def procedure(self) -> Procedure[ObjectResult]:
        """Create the object.

        :return: the object with its IDs, as `ObjectResult`.
        :raises ChangeRefused: when an object with that natural key exists already.
        :raises OutcomeUnknown: when the answer was lost, and a check did not find out either.
        :raises RunUnderWay: when another run is at work and does not end, or has taken over.
        """
        operation = self.entry.create(self.attributes, self.owner)
        row = None if self._is_done() else (yield from self._create(operation))
        if self._is_done():
            log.info("An earlier attempt of this run created it; nothing is sent.")
            return cast("ObjectResult", dict(self.record.done["result"]))
        if row is None:
            key = natural_key_value(self.entry, self.attributes)
            return result_of_dry_create(self.entry, key, self.attributes)
        result = result_of_create(self.entry, row, self.attributes)
        self.record.done["result"] = result
        self._save_plan()
        if self._listed is not None:
            yield from self._read_back(*self._listed, result)
            if "not_taken" in result or "created_meanwhile" in result:
                self._save_plan()
        return result

    def _create(self, operation: Operation[Row]) -> Procedure[Row | None]:
        value = natural_key_value(self.entry, self.attributes)
        if self.entry.create_is_repeatable:
            return None if self.dry_run else (yield from _create_repeatedly(operation))
        if value is not None:
            return (yield from self._create_by_key(operation, value))
        if self.entry.natural_key is None:
            return (yield from self._create_by_list(operation))
        return (yield from self._create_unfindable(operation))

    def _create_by_key(self, operation: Operation[Row], value: Id) -> Procedure[Row | None]:
        first = not self.record.plan
        found = yield from find_object(self.entry, value, self.owner)
        if found is not None and first:
            raise self._exists(found, value, "exists already")
        if found is not None or self.dry_run or (yield from self._is_done_meanwhile()):
            return found
        planned = bool(self.record.plan)
        self._save_plan(sent=True)
        if first or self.others:
            found = yield from find_object(self.entry, value, self.owner)
        if found is not None and planned:
            return found
        if found is not None:
            self._forget_plan()
            raise self._exists(found, value, f"was created by others{self.at_work()} while this run was at work")
        self.confirm_turn()
        try:
            find = partial(find_object, self.entry, value, self.owner)
            return (yield from create_or_find(self.entry, operation, find))
        except InvalidRequest:
            found = yield from find_object(self.entry, value, self.owner)
            if found is None or not first:
                raise
            self._forget_plan()
            raise self._exists(found, value, "was created by others at the same moment") from None

    def _exists(self, found: Row, value: Id, what: str) -> ChangeRefused:
        known = f" (id {found['id']})" if "id" in found else ""
        description = self.entry.describe(ObjectReference(customer_id=value))
        return ChangeRefused(f"The {description} {what}{known}; use the upsert to change it. Nothing was sent.")

    def _create_by_list(self, operation: Operation[Row]) -> Procedure[Row | None]:
        filters = {name: self.attributes[name] for name in self.entry.filter_attributes if self.attributes.get(name)}
        listing = self.entry.list(filters)
        rows: list[Row] = yield listing
        ids = [require(row, "id", listing.request) for row in rows]
        before = self.record.plan.get("before")
        created = self._find_new(rows, before) if before is not None else None
        if created is not None or self.dry_run or (yield from self._is_done_meanwhile()):
            return created
        if self.others and (before := self.record.plan.get("before")) is not None:
            created = self._find_new((yield listing), before)
            if created is not None:
                return created
        self._listed = listing, (ids if before is None else before)
        if before is None:
            self._save_plan(before=ids)
            # A second look right before the create: what others have created meanwhile is not taken for ours.
            rows = yield listing
            self._refuse_equal(rows, ids)
            before = list(dict.fromkeys([*ids, *(require(row, "id", listing.request) for row in rows)]))
            if before != ids:
                self._save_plan(before=before)
        self.confirm_turn()
        try:
            row: Row = yield operation
        except OutcomeUnknown as error:
            log.warning("%s Comparing the list with the one before.", error)
            rows = yield listing
            created = self._find_new(rows, before)
            if created is None:
                raise
            return created
        require(row, "id", operation.request)
        return row

    def _refuse_equal(self, rows: Sequence[Row], before: Sequence[Id]) -> None:
        """Refuse an object that equals one which the run that this one waited for has created."""
        equal = self._equal_new(rows, before) if self.others else []
        if equal:
            self._forget_plan()
            raise ChangeRefused(
                f"An equal {self.entry.title} was created by others{self.at_work()} while this run waited (ids "
                f"{', '.join(str(row.get('id')) for row in equal)}); nothing was sent. Where both are wanted, let "
                f"them differ (numbers by sid), or let the tasks not overlap."
            )

    def _read_back(self, listing: Listing, before: Sequence[Id], result: ObjectResult) -> Procedure[None]:
        """Add to the result what the list shows: attributes that were not taken over, equal objects of others."""
        try:
            rows: list[Row] = yield listing
        except RUN_ENDING:
            raise
        except RetreaverError as error:
            log.warning("It was created, but the list could not be read for what others created: %s", error)
            return
        title = self.entry.title
        for row in rows:
            if str(row.get("id")) == str(result["id"]):
                different = compare_attributes(self.attributes, row, title).changed
                if different:
                    names = ", ".join(different)
                    log.warning("The %s was created, but %s was not taken over as requested.", title, names)
                    result["not_taken"] = sorted(different)
                for name, change in different.items():
                    result["changed"][name]["after"] = change["before"]
        ids = [row["id"] for row in self._equal_new(rows, before) if str(row.get("id")) != str(result["id"])]
        if ids:
            log.warning(
                "Others created an equal %s while this run was at work (ids %s): check whether both are wanted.",
                title,
                ", ".join(map(str, ids)),
            )
            result["created_meanwhile"] = ids

    def _equal_new(self, rows: Sequence[Row], before: Sequence[Id]) -> list[Row]:
        title, known = self.entry.title, set(before)
        new = [row for row in rows if row.get("id") not in known]
        return [row for row in new if not compare_attributes(self.attributes, row, title).changed]

    def _find_new(self, rows: Sequence[Row], before: Sequence[Id]) -> Row | None:
        """Return the object that was not there before and equals the one sent, None when there is none.

        :raises OutcomeUnknown: when there are several.
        """
        title = self.entry.title
        equal = self._equal_new(rows, before)
        if len(equal) > 1:
            ids = ", ".join(str(row.get("id")) for row in equal)
            raise OutcomeUnknown(
                f"The answer to creating a {title} was lost, and {len(equal)} that fit were created since (ids "
                f"{ids}): check them, and give each its own sid when several are created at once."
            )
        return equal[0] if equal else None

    def _create_unfindable(self, operation: Operation[Row]) -> Procedure[Row | None]:
        """Create an object that could not be found again, and never send it twice."""
        if self.dry_run:
            return None
        self._check_unfindable()
        log.info("Without a %s nothing tells it from one that others create now.", self.entry.natural_key)
        if (yield from self._is_done_meanwhile()):
            return None
        self._check_unfindable()
        self._save_plan(sent=True)
        self.confirm_turn()
        try:
            row: Row = yield operation
        except OutcomeUnknown:
            raise
        except RetreaverError:
            self._forget_plan()
            raise
        require(row, self.entry.row_key, operation.request)
        return row

    def _check_unfindable(self) -> None:
        if self.record.plan:
            raise OutcomeUnknown(
                f"An earlier attempt of this run may have created the {self.entry.title}, and without a "
                f"{self.entry.natural_key} it cannot be looked up: check in Retreaver, then start a new run with a "
                f"{self.entry.natural_key}."
            )

    def _is_done(self) -> bool:
        return "result" in self.record.done

    def _is_done_meanwhile(self) -> Procedure[bool]:
        """Wait for others who are at work; return whether an attempt of this run among them has created it."""
        if (yield from self.wait_for_turn()) and self.reload is not None:
            self.record = self.reload()
        return self._is_done()

    def _forget_plan(self) -> None:
        self.record.plan.clear()
        self._save_plan()

    def _save_plan(self, **plan: object) -> None:
        self.record.plan.update(plan)
        if self.save is not None:
            self.save(self.record)


def _create_repeatedly(operation: Operation[Row]) -> Procedure[Row]:
    """Send a create that is safe to send again until its answer comes."""
    for _ in range(TRIES - 1):
        try:
            row: Row = yield operation
        except OutcomeUnknown as error:
            log.warning("%s Sending it again, which is safe.", error)
        else:
            return row
    last: Row = yield operation
    return last
