"""Changing objects: only what differs is sent, and what was sent is verified by reading it back.

Every operator that changes targets, groups or contacts runs the same procedure: read, compute the differences, ask
the guards, save the plan, send, read back. The saved plan keeps a retry from applying a relative change twice, and
from losing what an earlier attempt has done. Each operator provides a `ChangeSpec` and a `DesiredState`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from airflow_provider_retreaver.core.errors import (
    RUN_ENDING,
    ChangeRefused,
    Gone,
    NotFound,
    RetreaverError,
)
from airflow_provider_retreaver.core.operations import Outcome, Procedure, Row, Together
from airflow_provider_retreaver.domain.changes.change_run import ChangeRun
from airflow_provider_retreaver.domain.changes.differences import (
    FieldChange,
    Fields,
    differences,
    format_value,
    refuse_secrets,
)
from airflow_provider_retreaver.domain.changes.edit import ChangeSpec, Edit
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.changes.report import ChangeResult, format_changes
from airflow_provider_retreaver.domain.objects.at_once import together
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from airflow_provider_retreaver.domain.objects.key import ObjectKey
from airflow_provider_retreaver.domain.objects.reading import get_object, update_object

log = logging.getLogger(__name__)

# Changes after which the record is saved.
BATCH = 20


class ChangeObjects(ChangeRun):
    """One run of changes: `procedure()` makes them, `result()` returns at any time what was done.

    :param spec: what is to be changed.
    :param limit: how much may be changed; None for no limit.
    :param record: what earlier attempts of the same run did; None for nothing.
    :param save: saves the record; called before the first change and after every batch.
    :param dry_run: only report what would be changed.
    """

    def __init__(
        self,
        spec: ChangeSpec,
        *,
        limit: ChangeLimit | None = None,
        record: Record | None = None,
        save: Callable[[Record], None] | None = None,
        dry_run: bool = False,
    ) -> None:
        super().__init__(limit=limit, record=record, save=save, dry_run=dry_run)
        self._spec = spec

    def procedure(self) -> Procedure[ChangeResult]:
        """Read, change, read back.

        :return: the result.
        :raises ChangeRefused: when a guard refuses the whole run; nothing was sent.
        :raises NotFound: when no object has a name by which one is chosen; nothing was sent.
        :raises InvalidArgument: when several objects have such a name; nothing was sent.
        :raises AuthenticationError: and other errors that concern the whole account; `result()` still returns what
            was done.
        """
        found = yield from self._spec.find(self._record.names)
        self._rows.update(found.rows)
        for key, error in found.errors.items():
            self._report.fail(key, error)
        edits = list(self._edits())
        yield from self._ask_guards(edits)
        if self._dry_run:
            for edit in edits:
                self._report.would_change(edit.key, edit.changes)
            return self.result()
        if self._spec.prepare is not None:
            yield from self._spec.prepare(edits)
        self._record.plan.update({str(edit.key): self._merged_plan(edit) for edit in edits})
        self.save_record()
        for first in range(0, len(edits), BATCH):
            batch = edits[first : first + BATCH]
            # The first batch was read just now, the last perhaps minutes ago.
            yield from self._send((yield from self._still_valid(batch)) if first else batch)
            self.save_record()
        return self.result()

    # -- computing edits

    def _edits(self) -> Iterator[Edit]:
        for key, row in list(self._rows.items()):
            try:
                edit = self._edit(key, row)
            except RetreaverError as error:
                self._report.fail(key, error)
                continue
            if edit is not None:
                yield edit

    def _edit(self, key: ObjectKey, row: Row) -> Edit | None:
        """Return what is to be sent to an object; None when there is nothing to send, which is reported."""
        if str(key) in self._record.done:
            self._report.changed(key, [FieldChange(*one) for one in self._record.done[str(key)]])
            return None
        state = self._spec.state(key, row)
        planned = self._planned(key)
        current = state.current(row)
        if state.relative:
            _refuse_changed_by_others(planned, current)
        desired = {one.field: one.after for one in planned} if state.relative and planned else state.desired(row)
        changes = differences(current, desired)
        if changes:
            refuse_secrets(changes)
            attributes = state.attributes(row, {one.field: one.after for one in changes})
            return Edit(key, row, state, current, changes, attributes)
        made = [one for one in planned if current.get(one.field) == one.after]
        if made:
            self._done(key, made)
        else:
            self._report.unchanged(key)
        return None

    def _planned(self, key: ObjectKey) -> list[FieldChange]:
        return [FieldChange(*one) for one in self._record.plan.get(str(key), ())]

    def _merged_plan(self, edit: Edit) -> list[list[object]]:
        """Return the plan for an object: the changes of earlier attempts, and those that this attempt adds."""
        plan = {one.field: one for one in self._planned(edit.key)}
        for one in edit.changes:
            before = plan[one.field].before if one.field in plan else one.before
            plan[one.field] = FieldChange(one.field, before, one.after)
        return [one.as_json() for one in plan.values()]

    def _ask_guards(self, edits: Sequence[Edit]) -> Procedure[None]:
        try:
            counts = [edit.state.count_changes(edit.row, edit.changes) for edit in edits]
            possible = sum(of for _, of in counts) + len(self._rows) - len(edits)
            self._limit.check(sum(changes for changes, _ in counts), possible, self._spec.counted)
            if self._spec.guard is not None:
                yield from self._spec.guard(edits)
        except ChangeRefused as error:
            if not self._dry_run:
                for edit in edits:
                    log.info("Not changed: %s: %s", self._report.label(edit.key), format_changes(edit.changes))
            self.refuse(error)

    # -- sending

    def _still_valid(self, batch: Sequence[Edit]) -> Procedure[list[Edit]]:
        """Return the edits that overwrite no change made since the objects were read; report the others as failed."""
        replacing = [edit for edit in batch if edit.state.replaces]
        outcomes = yield from together([get_object(edit.key) for edit in replacing])
        refused: set[ObjectKey] = set()
        for edit, outcome in zip(replacing, outcomes, strict=True):
            try:
                # If the object cannot be read now, Retreaver decides whether it can be changed.
                now = edit.current if outcome.error is not None else edit.state.current(outcome.value or {})
            except RetreaverError as error:
                refused.add(edit.key)
                self._report.fail(edit.key, f"{error} Nothing was sent to it.")
                continue
            if others := differences(edit.current, now):
                refused.add(edit.key)
                self._report.fail(
                    edit.key,
                    f"It was changed by others after it was read: {format_changes(others)}. Nothing was sent to it.",
                )
        return [edit for edit in batch if edit.key not in refused]

    def _send(self, batch: Sequence[Edit]) -> Procedure[None]:
        outcomes: list[Outcome[Row]] = yield Together([update_object(edit.key, edit.attributes) for edit in batch])
        self._raise_account_error(batch, outcomes)
        sent: list[tuple[Edit, RetreaverError | None]] = []
        for edit, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome.error, (NotFound, Gone)):
                self._report.fail(edit.key, outcome.error)
            else:
                sent.append((edit, outcome.error))
        try:
            read_back = yield from together([get_object(edit.key) for edit, _ in sent])
        except RUN_ENDING:
            self._note_accepted(edit for edit, error in sent if error is None)
            raise
        for (edit, error), outcome in zip(sent, read_back, strict=True):
            if outcome.error is not None:
                lead = f"{error} It" if error else "The change was accepted, but it"
                self._report.fail(edit.key, f"{lead} could not be read back: {outcome.error}")
            else:
                self._verify(edit, error, outcome.value or {})

    def _raise_account_error(self, batch: Sequence[Edit], outcomes: Sequence[Outcome[Row]]) -> None:
        errors = [o.error for o in outcomes if isinstance(o.error, RUN_ENDING)]
        if errors:
            self._note_accepted(edit for edit, outcome in zip(batch, outcomes, strict=True) if outcome.error is None)
            raise errors[0]

    def _note_accepted(self, edits: Iterable[Edit]) -> None:
        """Report changes that are not read back, since the run ends here."""
        for edit in edits:
            self._done(edit.key, self._planned(edit.key))
        self.save_record()

    def _verify(self, edit: Edit, error: RetreaverError | None, row: Row) -> None:
        """Report by what was read back whether an object is as it should be."""
        try:
            current = edit.state.current(row)
        except RetreaverError as unreadable:
            self._report.fail(edit.key, f"The change was sent, but what was read back is invalid: {unreadable}")
            return
        self._warn_of_others(edit, current)
        planned = {one.field: one for one in self._planned(edit.key)}
        made = [planned[one.field] for one in edit.changes if current.get(one.field) == one.after]
        missing = [one for one in edit.changes if current.get(one.field) != one.after]
        if not missing:
            self._done(edit.key, list(planned.values()))
            return
        if made:
            self._report.changed(edit.key, made)
        lead = str(error) if error else "The change was accepted, but not all of it is read back."
        fields = " ".join(_describe_missing(one, current.get(one.field)) for one in missing)
        done = f"Changed: {', '.join(one.field for one in made)}." if made else "No field was changed."
        reason = edit.state.explain_failure(edit.row, row)
        self._report.fail(edit.key, " ".join(part for part in (lead, fields, reason, done) if part))

    def _warn_of_others(self, edit: Edit, current: Fields) -> None:
        requested = {one.field for one in edit.changes}
        for other in differences(edit.current, current):
            if other.field not in requested:
                log.warning(
                    "%s was also changed by others, which stays: %s",
                    self._report.label(edit.key),
                    format_changes([other]),
                )

    def _done(self, key: ObjectKey, changes: Sequence[FieldChange]) -> None:
        self._record.done[str(key)] = [one.as_json() for one in changes]
        self._report.changed(key, changes)


def _describe_missing(change: FieldChange, now: object) -> str:
    expected = f"expected {format_value(change.after)}"
    if now == change.before:
        return f"{change.field} is still {format_value(now)}, {expected}."
    return (
        f"{change.field} is {format_value(now)}, was {format_value(change.before)}, {expected}: others changed it at "
        f"the same time."
    )


def _refuse_changed_by_others(planned: Sequence[FieldChange], current: Fields) -> None:
    for one in planned:
        now = current.get(one.field)
        if now not in (one.before, one.after):
            raise ChangeRefused(
                f"{one.field} was {format_value(one.before)} when this run began, was to become "
                f"{format_value(one.after)}, and is {format_value(now)} now: others changed it, so a relative change "
                f"has no base any more. Nothing was sent; start a new run to change it from there."
            )
