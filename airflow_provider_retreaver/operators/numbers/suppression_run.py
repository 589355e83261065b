"""One run of a suppression sync: compare, guard, save the plan, send, save the outcome."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import ChangeRefused
from airflow_provider_retreaver.domain.lists.number_sources import Collected
from airflow_provider_retreaver.domain.lists.phones import e164
from airflow_provider_retreaver.domain.lists.suppression_list import read_list
from airflow_provider_retreaver.domain.lists.suppression_plan import (
    Known,
    Ours,
    Plan,
    SuppressionRequest,
    check_removals,
    compare,
    owned,
)
from airflow_provider_retreaver.domain.lists.suppression_sync import Checkpoint, SuppressionSync
from airflow_provider_retreaver.domain.lists.unreadable import Unreadable
from airflow_provider_retreaver.domain.objects.change_limit import warn_of_refusal
from airflow_provider_retreaver.domain.objects.suppression_scope import WantedScope
from airflow_provider_retreaver.operators.numbers.suppression_state import PLAN
from airflow_provider_retreaver.operators.source_rows import REJECTS
from airflow_provider_retreaver.storage.csv_cells import escape_formulas

if TYPE_CHECKING:
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.operators.numbers.suppression_state import SyncState
    from airflow_provider_retreaver.storage.attempt_lease import NoLease
    from airflow_provider_retreaver.storage.line_files import Folder

log = logging.getLogger(__name__)

PLANNED, FAILURES = "planned.csv.gz", "failures.csv"


class SuppressionRun:
    """One run of `RetreaverSuppressionSyncOperator`.

    :param hook: of the connection.
    :param wanted: what the parameters request.
    :param collected: the source, read completely.
    :param unreadable: its values that cannot be read.
    :param max_removals: see the operator.
    :param max_failures: see the operator.
    :param folder: for the files of this run, None for none.
    :param state: the sync's saved state, None for none.
    :param lease: that this run holds.
    """

    def __init__(
        self,
        hook: RetreaverHook,
        wanted: SuppressionRequest,
        collected: Collected,
        unreadable: Unreadable,
        *,
        max_removals: Any,
        max_failures: int,
        folder: Folder | None,
        state: SyncState | None,
        lease: NoLease,
    ) -> None:
        self._hook = hook
        self._wanted = wanted
        self._scope = WantedScope(wanted.campaign)
        self._collected = collected
        self._unreadable = unreadable
        self._max_removals = max_removals
        self._max_failures = max_failures
        self._folder = folder
        self._state = state
        self._lease = lease
        self._fingerprint = wanted.fingerprint(collected.numbers, unreadable)
        self._sync: SuppressionSync | None = None
        self._plan = Plan()

    @property
    def begun(self) -> bool:
        """Whether there is a plan that the guards have allowed."""
        return self._sync is not None

    def look(self) -> dict[str, Any]:
        """Return what would be done; nothing is sent.

        :return: counts and paths as plain JSON.
        """
        self._hook.run(self._scope.check())
        plan, known, ours = self._compare()
        try:
            self._guard(plan, known, ours)
        except ChangeRefused as refusal:
            warn_of_refusal(refusal)
        self._unreadable.tell_kept(len(plan.keep), "suppressed numbers")
        would = {"would_add": len(plan.add), "would_change": len(plan.change), "would_remove": len(plan.remove)}
        log.info(
            "Dry run: %d would be added, %d changed, %d removed, %d unchanged; nothing was sent.",
            *would.values(),
            plan.unchanged,
        )
        paths = {}
        if self._folder is not None:
            paths = {"plan": self._folder.write(PLANNED, plan.lines())} | self._rejects()
        self._plan = plan
        return {**would, **self._read(), "failed": len(plan.conflict), "dry_run": True, **paths}

    def carry_out(self) -> dict[str, Any]:
        """Send what differs.

        :return: counts and paths as plain JSON.
        :raises RetreaverError: see `RetreaverSuppressionSyncOperator`; `result()` then has what was done.
        """
        self._hook.run(self._scope.check())
        sync = self._resumed() or self._planned()
        try:
            self._hook.run(sync.procedure())
        finally:
            if self._folder is not None:
                self._folder.write(FAILURES, _failure_lines(sync))
        if self._state is not None:
            self._state.close(self._state.ours())
        result = self.result()
        log.info("Suppression: %s.", ", ".join(f"{name} {n}" for name, n in result.items() if isinstance(n, int)))
        if result["changed_by_others"]:
            log.warning(
                "Someone else was at work on the same list: %d numbers were changed while this run was.",
                result["changed_by_others"],
            )
        if result["failed"]:
            log.warning("%d numbers could not be suppressed or removed; see the failures.", result["failed"])
        return result

    def result(self) -> dict[str, Any]:
        """Return what was done.

        :return: counts and paths as plain JSON.
        """
        counts, others = _NOTHING, 0
        if self._sync is not None:
            counts, others = self._sync.counts(), self._sync.checkpoint.changed_by_others
        paths = {}
        if self._folder is not None:
            paths = {"plan": str(self._folder.path / PLAN), "failures": str(self._folder.path / FAILURES)}
            paths |= self._rejects()
        return {**counts, **self._read(), "changed_by_others": others, **(paths if self._sync is not None else {})}

    def _read(self) -> dict[str, int]:
        read, plan = self._collected, self._plan
        return {
            "unchanged": plan.unchanged,
            "kept": len(plan.keep),
            "rejected": read.rejected,
            "unreadable": read.unreadable,
            "duplicates": read.duplicates,
        }

    def _rejects(self) -> dict[str, str]:
        return {"rejects": str(self._folder.path / REJECTS)} if self._folder is not None else {}

    def _resumed(self) -> SuppressionSync | None:
        """Return the plan of an earlier attempt of this run, None without one."""
        found = self._state.resume(self._fingerprint) if self._state is not None else None
        if found is None:
            return None
        plan, checkpoint = found
        log.info("An earlier attempt has sent %d of %d numbers; continuing from there.", checkpoint.done, len(plan))
        return self._make(plan, checkpoint, None)

    def _planned(self) -> SuppressionSync:
        """Return a new plan, which was saved.

        :raises ChangeRefused: when a guard refuses it.
        """
        plan, known, ours = self._compare()
        self._guard(plan, known, ours)
        self._lease.confirm()
        log.info(
            "Plan: add %d, change %d, remove %d; %d unchanged.",
            len(plan.add), len(plan.change), len(plan.remove), plan.unchanged,
        )  # fmt: skip
        if self._state is not None:
            self._state.begin(plan, self._fingerprint, ours)
        return self._make(plan, None, known.seen)

    def _note(self, checkpoint: Checkpoint) -> None:
        """Save the progress; called before every batch."""
        self._lease.confirm()
        if self._state is not None:
            self._state.note(checkpoint)

    def _make(self, plan: Plan, checkpoint: Checkpoint | None, seen: Mapping[int, int] | None) -> SuppressionSync:
        self._plan = plan
        self._unreadable.tell_kept(len(plan.keep), "suppressed numbers")
        self._sync = SuppressionSync(
            plan,
            self._wanted,
            self._scope,
            at_once=self._hook.settings.max_concurrency,
            max_failures=self._max_failures,
            checkpoint=checkpoint,
            note=self._note,
            seen=seen,
        )
        return self._sync

    def _compare(self) -> tuple[Plan, Known, Ours]:
        ours = self._state.ours() if self._state is not None else Ours()
        if self._wanted.legacy:
            known = Known.recorded(ours)
        else:
            known = self._hook.run(
                read_list(self._wanted, self._scope, watched=self._watched(), each=self._lease.renew)
            )
            # Someone else may have removed numbers of this sync.
            ours = Ours(ours.sure.common(known.there), ours.unsure.common(known.there))
        plan = compare(self._wanted, self._collected.numbers, known, ours, self._unreadable)
        if self._wanted.mode != "remove":
            # The record of the legacy routes is not the whole list.
            listed = None if self._wanted.legacy else known.there.plus(known.covered)
            self._unreadable.tell_not_added(listed, "can still call")
        return plan, known, ours

    def _watched(self) -> Callable[[int], bool] | None:
        """Return which listed numbers are read again before they are removed: without a lease all that may be."""
        source, mode = self._collected.numbers, self._wanted.mode
        if self._lease.is_exclusive or mode == "add":
            return None
        return source.__contains__ if mode == "remove" else lambda number: number not in source

    def _guard(self, plan: Plan, known: Known, ours: Ours) -> None:
        concerned = len(owned(known.removable, self._wanted, ours))
        check_removals(plan, concerned, len(self._collected.numbers), self._max_removals)
        if len(plan.conflict) > self._max_failures:
            raise ChangeRefused(
                f"{len(plan.conflict)} numbers are suppressed for another campaign or affiliate, and Retreaver has "
                f"one record for each number; max_failures allows {self._max_failures}. Nothing was sent."
            )


_NOTHING = {"added": 0, "changed": 0, "removed": 0, "failed": 0}


def _failure_lines(sync: SuppressionSync) -> Iterator[str]:
    yield "action,number,reason"
    for action, number, reason in sync.failures():
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(escape_formulas([action, e164(number), reason]))
        yield line.getvalue()
