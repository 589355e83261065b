"""Changing objects so that only what differs is sent, and what was sent is proved by reading it back.

Every operator that changes targets, groups or contacts runs the same procedure: read, work out the difference, ask
the guards, write down what is meant (so that a run that was killed and tried again neither applies a relative change
twice nor forgets what it has done), send, read back. What an operator brings of its own is a `Task` and its `Aim`s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    Gone,
    NotFound,
    PermissionDenied,
    RetreaverError,
)
from airflow_provider_retreaver.core.operations import Outcome, Procedure, Row, Together
from airflow_provider_retreaver.domain.changes.differences import Change, View, differences, shown
from airflow_provider_retreaver.domain.changes.edit import Edit, Task
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.changes.report import ChangeReport
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from airflow_provider_retreaver.domain.objects.reading import get_object, together, update_object

log = logging.getLogger(__name__)

# Changes between two notes of what was done.
BATCH = 20


class ChangeObjects:
    """One run of changes: `procedure()` does it, `result()` says at any time what was done.

    :param task: what is meant.
    :param limit: how much may be changed.
    :param record: what earlier attempts of the same run did.
    :param remember: writes the record down; called before the first change and after every batch.
    :param dry_run: only say what would be changed.
    """

    def __init__(
        self,
        task: Task,
        *,
        limit: ChangeLimit | None = None,
        record: Record | None = None,
        remember: Callable[[Record], None] | None = None,
        dry_run: bool = False,
    ) -> None:
        self._task = task
        self._limit = limit or ChangeLimit()
        self._record = record or Record()
        self._remember = remember
        self._dry_run = dry_run
        self._refusal: str | None = None
        self._rows: dict[str, Row] = {}
        self._report = ChangeReport(self._rows)

    def result(self) -> dict[str, Any]:
        """Return `{"changed", "unchanged", "failed"}` as plain JSON, with `would_change` of a dry run."""
        marks = {"dry_run": True} if self._dry_run else {}
        refused = {"refused": self._refusal} if self._refusal else {}
        return self._report.as_json() | marks | refused

    def procedure(self) -> Procedure[dict[str, Any]]:
        """Read, change, read back.

        :raises ChangeRefused: when a guard stops the run as a whole; nothing was sent.
        :raises AuthenticationError: and other errors that concern the whole account; `result()` then still says
            what was done.
        """
        found = yield from self._task.find()
        self._rows.update(found.rows)
        for key, error in found.errors.items():
            self._report.fail(key, str(error))
        edits = list(self._edits())
        yield from self._ask_guards(edits)
        if self._dry_run:
            for edit in edits:
                self._report.would(edit.key, edit.changes)
            return self.result()
        if self._task.prepare is not None:
            yield from self._task.prepare(edits)
        self._record.plan.update({edit.key: self._planned(edit) for edit in edits})
        self._note()
        for first in range(0, len(edits), BATCH):
            batch = edits[first : first + BATCH]
            # The first of many were read just now, the last of them perhaps minutes ago.
            yield from self._do((yield from self._still_so(batch)) if first else batch)
            self._note()
        return self.result()

    def _note(self) -> None:
        if self._remember is not None:
            self._remember(self._record)

    # -- working out

    def _edits(self) -> Iterator[Edit]:
        for key, row in list(self._rows.items()):
            try:
                edit = self._edit(key, row)
            except RetreaverError as error:
                self._report.fail(key, str(error))
                continue
            if edit is not None:
                yield edit

    def _edit(self, key: str, row: Row) -> Edit | None:
        """Return what is to be sent about an object; None when there is nothing, which is reported."""
        if key in self._record.done:
            self._report.changed(key, _changes(self._record.done[key]))
            return None
        aim = self._task.aim(key, row)
        planned = _changes(self._record.plan.get(key, ()))
        view = aim.view(row)
        wanted = {one.field: one.after for one in planned} if aim.relative and planned else aim.want(row)
        if aim.relative:
            _refuse_foreign(planned, view)
        changes = differences(view, wanted)
        if changes:
            body = aim.body(row, {one.field: one.after for one in changes})
            return Edit(key, row, aim, view, changes, body)
        held = [one for one in planned if view.get(one.field) == one.after]
        if held:
            self._done(key, held)
        else:
            self._report.unchanged(key)
        return None

    def _planned(self, edit: Edit) -> list[list[Any]]:
        """Return the plan for an object: what an earlier attempt meant, and what this one adds to it."""
        earlier = {one.field: one for one in _changes(self._record.plan.get(edit.key, ()))}
        now = {
            one.field: Change(one.field, earlier[one.field].before if one.field in earlier else one.before, one.after)
            for one in edit.changes
        }
        return [[one.field, one.before, one.after] for one in (earlier | now).values()]

    def _ask_guards(self, edits: Sequence[Edit]) -> Procedure[None]:
        try:
            weights = [edit.aim.weight(edit.row, edit.changes) for edit in edits]
            total = sum(of for _, of in weights) + len(self._rows) - len(edits)
            self._limit.check(sum(changes for changes, _ in weights), total, self._task.counted)
            if self._task.guard is not None:
                yield from self._task.guard(edits)
        except ChangeRefused as error:
            if not self._dry_run:
                for edit in edits:
                    log.info("Not changed: %s: %s", self._report.called(edit.key), "; ".join(map(str, edit.changes)))
                raise
            self._refusal = str(error)
            log.warning("Without dry_run this would be refused: %s", error)

    # -- doing

    def _still_so(self, batch: Sequence[Edit]) -> Procedure[list[Edit]]:
        """Return the edits that nobody's change since the reading has made wrong; the others fail."""
        asked = [edit for edit in batch if edit.aim.replaces]
        outcomes = yield from together([get_object(edit.key) for edit in asked])
        changed: set[str] = set()
        for edit, outcome in zip(asked, outcomes, strict=True):
            try:
                # One that cannot be read now is the vendor's to refuse.
                now = edit.view if outcome.error is not None else edit.aim.view(outcome.value or {})
            except RetreaverError as odd:
                changed.add(edit.key)
                self._report.fail(edit.key, f"{odd} Nothing was sent to it.")
                continue
            if others := differences(edit.view, now):
                changed.add(edit.key)
                told = "; ".join(map(str, others))
                self._report.fail(edit.key, f"Somebody changed it after it was read: {told}. Nothing was sent to it.")
        return [edit for edit in batch if edit.key not in changed]

    def _do(self, batch: Sequence[Edit]) -> Procedure[None]:
        outcomes: list[Outcome[Row]] = yield Together([update_object(edit.key, edit.body) for edit in batch])
        self._stop_if_refused(batch, outcomes)
        sent: list[tuple[Edit, RetreaverError | None]] = []
        for edit, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome.error, (NotFound, Gone)):
                self._report.fail(edit.key, str(outcome.error))
            else:
                sent.append((edit, outcome.error))
        read = yield from together([get_object(edit.key) for edit, _ in sent])
        for (edit, error), outcome in zip(sent, read, strict=True):
            if outcome.error is not None:
                lead = f"{error} It" if error else "The change was accepted, but it"
                self._report.fail(edit.key, f"{lead} could not be read back: {outcome.error}")
            else:
                self._conclude(edit, error, outcome.value or {})

    def _stop_if_refused(self, batch: Sequence[Edit], outcomes: Sequence[Outcome[Row]]) -> None:
        refused = [o.error for o in outcomes if isinstance(o.error, (AuthenticationError, PermissionDenied))]
        if not refused:
            return
        for edit, outcome in zip(batch, outcomes, strict=True):
            if outcome.error is None:
                self._done(edit.key, _changes(self._record.plan[edit.key]))
        self._note()
        raise refused[0]

    def _conclude(self, edit: Edit, error: RetreaverError | None, row: Row) -> None:
        """Judge by what was read back whether an object is as it was wanted."""
        try:
            view = edit.aim.view(row)
        except RetreaverError as odd:
            self._report.fail(edit.key, f"The change was sent, but what was read back is odd: {odd}")
            return
        self._notice_others(edit, view)
        planned = {one.field: one for one in _changes(self._record.plan[edit.key])}
        held = [planned[one.field] for one in edit.changes if view.get(one.field) == one.after]
        missing = [one for one in edit.changes if view.get(one.field) != one.after]
        if not missing:
            self._done(edit.key, list(planned.values()))
            return
        if held:
            self._report.changed(edit.key, held)
        lead = str(error) if error else "The change was accepted, but it is not what is read back."
        told = " ".join(_told(one, view.get(one.field)) for one in missing)
        done = f"Done: {', '.join(one.field for one in held)}." if held else "Nothing of it was done."
        why = edit.aim.explain(edit.row, row)
        self._report.fail(edit.key, " ".join(part for part in (lead, told, why, done) if part))

    def _notice_others(self, edit: Edit, view: View) -> None:
        asked = {one.field for one in edit.changes}
        for other in differences(edit.view, view):
            if other.field not in asked:
                log.warning(
                    "Somebody else changed %s meanwhile, which stays: %s", self._report.called(edit.key), other
                )

    def _done(self, key: str, changes: Sequence[Change]) -> None:
        self._record.done[key] = [[one.field, one.before, one.after] for one in changes]
        self._report.changed(key, changes)


def _changes(noted: Sequence[Sequence[Any]]) -> list[Change]:
    return [Change(*one) for one in noted]


def _told(change: Change, now: Any) -> str:
    wanted = f"wanted {shown(change.after)}"
    if now == change.before:
        return f"{change.field} still is {shown(now)}, {wanted}."
    return (
        f"{change.field} is {shown(now)}, was {shown(change.before)}, {wanted}: somebody else changed it meanwhile."
    )


def _refuse_foreign(planned: Sequence[Change], view: View) -> None:
    for one in planned:
        if view.get(one.field) not in (one.before, one.after):
            raise ChangeRefused(
                f"{one.field} was {shown(one.before)} when this run began, was to become {shown(one.after)}, and is "
                f"{shown(view.get(one.field))} now: somebody else changed it, so that a relative change has lost its "
                f"base. Nothing was sent; start a new run to change it from there."
            )
