"""Synchronizing a caller list with a source by uploads, which Retreaver processes after its response.

The outcome of an upload is not reported, so the list is polled afterwards until it has the expected numbers: by its
`Total` where the key may list, and by checking some of the numbers. Sending an upload twice has the same effect as
sending it once, so an upload whose response was lost is sent again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.answers import join_messages
from airflow_provider_retreaver.core.errors import (
    ChangeRefused,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    ProtocolError,
)
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import Count, Each, Outcome, Procedure, Row, Together, Wait
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.lists.caller_list_change import CallerListRequest, ListChange
from airflow_provider_retreaver.domain.lists.number_set import Collector, NumberSet
from airflow_provider_retreaver.domain.lists.phones import e164, from_e164
from airflow_provider_retreaver.domain.lists.suppression_plan import NONE_UNREADABLE, limits
from airflow_provider_retreaver.domain.lists.unreadable import Unreadable
from airflow_provider_retreaver.resources import caller_lists
from airflow_provider_retreaver.resources.caller_lists import UploadAction

log = logging.getLogger(__name__)

# Numbers of one upload: about 130 KB.
BATCH = 10_000
# How often an upload is sent when its responses are lost.
TRIES = 3
# Numbers that are checked afterwards.
SAMPLE = 20
FIRST_WAIT, MAX_WAIT = 1.0, 60.0


@dataclass(slots=True)
class CallerListSync:
    """One sync: `plan()` compares, `carry_out()` uploads and verifies.

    :param request: the list to synchronize.
    :param source: the numbers.
    :param unreadable: values of the source that cannot be read.
    """

    request: CallerListRequest
    source: NumberSet
    unreadable: Unreadable = NONE_UNREADABLE
    _checkable: bool = field(default=True, init=False)

    def plan(self) -> Procedure[ListChange]:
        """Find out what has to be uploaded; nothing is changed.

        :return: the change.
        :raises ChangeRefused: when a guard refuses it.
        :raises PermissionDenied: when the key lacks a permission for the mode, naming it.
        """
        try:
            yield caller_lists.get_caller_list(self.request.owner, self.request.name)
        except NotFound:
            if self.request.mode != "remove":
                self._tell_not_added(NumberSet())
            return self._of_new_list()
        if self.request.mode == "mirror":
            return (yield from self._difference())
        known = yield from self._total()
        if self.request.mode == "add":
            self._tell_not_added(None)
            return ListChange(add=self.source, known=known)
        self._guard(len(self.source), known or 0)
        return ListChange(remove=self.source, known=known)

    def _of_new_list(self) -> ListChange:
        if self.request.mode == "remove":
            log.info("There is no caller list %s, so no numbers have to be removed.", quoted(self.request.name))
            return ListChange(known=0, exact=True)
        if caller_lists.blocks_unlisted_callers(self.request.name) and not self.request.allow_accept_list:
            raise ChangeRefused(
                f"The caller list {quoted(self.request.name)} does not exist, and creating it would block all "
                f"callers who are not on it; nothing was sent. Set allow_accept_list=True if that is intended."
            )
        return ListChange(add=self.source, known=0, exact=True, created=True)

    def _difference(self) -> Procedure[ListChange]:
        found, odd = Collector(), 0

        def visit(row: Row) -> None:
            nonlocal odd
            number = from_e164(str(row["number"]).strip())
            if number is None:
                odd += 1
            else:
                found.add(number)

        denied: PermissionDenied | None = None
        try:
            yield Each(caller_lists.list_caller_list_numbers(self.request.owner, self.request.name), visit)
        except PermissionDenied as error:
            denied = error
        if denied is not None:
            return self._clearing(denied)
        if odd:
            log.warning("%d numbers on the list are not in E.164 and are not changed.", odd)
        there = found.finish()
        self._tell_not_added(there)
        add = self.source.minus(there)
        remove, kept = self.unreadable.divide(there.minus(self.source), self.source)
        self.unreadable.tell_kept(len(kept), "numbers on the caller list")
        self._guard(len(remove), len(there))
        known = len(there) + odd
        return ListChange(add, remove, len(self.source) - len(add), len(kept), known, exact=True)

    def _tell_not_added(self, there: NumberSet | None) -> None:
        accepts = caller_lists.blocks_unlisted_callers(self.request.name)
        self.unreadable.tell_not_added(there, "stays blocked" if accepts else "can still call")

    def _clearing(self, denied: PermissionDenied) -> ListChange:
        """Return the change that replaces a list which cannot be read."""
        if not self.request.allow_gap:
            denied.message = (
                f"{denied.message} Without it a mirror can only clear the list and fill it again, so that it is "
                f"empty for a short time: set allow_gap=True to allow that."
            )
            raise denied
        if any(limit.number is not None or limit.share is not None for limit in limits(self.request.max_removals)):
            raise ChangeRefused(
                "The key may not read the list, so it is unknown how many numbers would be removed, and max_removals "
                "cannot be applied; nothing was sent. Grant the key the list, or set max_removals=None."
            )
        if self.unreadable.stops_removals:
            self._tell_not_added(None)
            log.warning(
                "Nothing is removed from the list, which the key may not read, since %d values of the source cannot "
                "be read and max_unreadable allows %s.", self.unreadable.count, self.unreadable.allowed,
            )  # fmt: skip
            return ListChange(add=self.source)
        if self.unreadable.could_mean:
            raise ChangeRefused(
                f"{self.unreadable.count} values of the source cannot be read, and the list, which the key may not "
                f"read, can only be emptied and filled again: numbers that they mean would be removed; nothing was "
                f"sent. Correct the values, or grant the key the list."
            )
        if not self.source:
            raise ChangeRefused("A list that the key may not read cannot be emptied by an upload; nothing was sent.")
        return ListChange(add=self.source, clear=True)

    def _guard(self, removals: int, known: int) -> None:
        for limit in limits(self.request.max_removals):
            limit.check(removals, known, "numbers on the caller list", verb="removed")

    def _total(self) -> Procedure[int | None]:
        """Return how many numbers the list has, None when the key may not list."""
        try:
            total: int = yield Count(caller_lists.list_caller_list_numbers(self.request.owner, self.request.name))
        except PermissionDenied:
            return None
        return total

    # -- uploading

    def carry_out(self, change: ListChange) -> Procedure[dict[str, Any]]:
        """Upload a change, and wait until the list shows it.

        :param change: the change.
        :return: `{"added", "removed", "unchanged", "created", "verified"}`.
        :raises InvalidRequest: when Retreaver reports errors of an upload.
        :raises OutcomeUnknown: when the list does not show the change in time.
        """
        if change.created:
            yield from self._create()
        # A list that is cleared first is filled by one upload, since the order of several is not documented.
        size = max(1, len(change.add)) if change.clear else BATCH
        uploads: tuple[tuple[UploadAction, NumberSet], ...] = (("create", change.add), ("delete", change.remove))
        for action, numbers in uploads:
            for start in range(0, len(numbers), size):
                part = numbers.part(start, start + size)
                yield from self._upload(part, action, clear=change.clear)
                log.info("Uploaded %d of %d numbers (%s).", min(start + size, len(numbers)), len(numbers), action)
        verified, total = "nothing to verify", change.known
        if change.add or change.remove:
            verified, total = yield from self._verify(change)
        return {**self._counted(change, total), "created": change.created, "verified": verified}

    def _counted(self, change: ListChange, total: int | None) -> dict[str, Any]:
        """Return how many numbers were added and removed; None where the key may not count."""
        added: int | None = len(change.add)
        removed: int | None = len(change.remove)
        if not change.exact:
            moved = None if total is None or change.known is None else abs(total - change.known)
            added, removed = (moved if change.add else 0), (moved if change.remove else 0)
        unchanged = change.unchanged
        if not change.exact:
            unchanged = len(self.source) - (added or removed or 0)
        known = added is not None and removed is not None
        return {
            "added": added,
            "removed": None if change.clear else removed,
            "unchanged": unchanged if known else None,
        }

    def _create(self) -> Procedure[None]:
        try:
            yield caller_lists.create_caller_list(self.request.owner, self.request.name)
        except OutcomeUnknown:
            # Raises when the list is missing: then a retry creates it.
            yield caller_lists.get_caller_list(self.request.owner, self.request.name)

    def _upload(self, numbers: list[int], action: UploadAction, *, clear: bool) -> Procedure[None]:
        operation = caller_lists.upload_caller_list(
            self.request.owner, self.request.name, map(e164, numbers), action=action, clear_before_upload=clear
        )
        for attempt in range(1, TRIES + 1):
            try:
                answer: Row = yield operation
            except (OutcomeUnknown, ProtocolError):
                if attempt == TRIES:
                    raise
            else:
                return _refuse_errors(operation.request, answer)

    # -- verifying

    def _verify(self, change: ListChange) -> Procedure[tuple[str, int | None]]:
        """Wait until the list has the expected numbers."""
        waited, pause = 0.0, FIRST_WAIT
        while True:
            total = (yield from self._total()) if change.known is not None else None
            wrong = self._wrong_total(change, total) or (yield from self._wrong_sample(change))
            if not wrong:
                ways = [way for way, used in (("total", total is not None), ("sample", self._checkable)) if used]
                if not ways:
                    log.warning("The key may neither list nor check numbers, so the upload is not verified.")
                return " and ".join(ways) or "not verified", total
            if waited >= self.request.verify_wait:
                raise OutcomeUnknown(
                    f"The uploads to caller list {quoted(self.request.name)} were accepted, but after {waited:.0f} s "
                    f"{wrong}; check the list in the portal. A retry compares and uploads again."
                )
            step = min(pause, self.request.verify_wait - waited)
            log.info("The list does not show the uploads yet (%s); next check in %.0f s.", wrong, step)
            yield Wait(step)
            waited, pause = waited + step, min(pause * 2, MAX_WAIT)

    def _wrong_total(self, change: ListChange, total: int | None) -> str:
        if total is None or change.known is None:
            return ""
        if change.exact:
            expected = change.known + len(change.add) - len(change.remove)
            return "" if total == expected else f"it has {total} numbers, and should have {expected}"
        least = len(change.add)
        return "" if total >= least else f"it has {total} numbers, and should have {least} at least"

    def _wrong_sample(self, change: ListChange) -> Procedure[str]:
        """Check some numbers, if the key may check."""
        checked = [(number, True) for number in _sample(change.add)] + [
            (number, False) for number in _sample(change.remove)
        ]
        if not self._checkable:
            return ""
        outcomes: list[Outcome[bool]] = yield Together(
            [
                caller_lists.check_caller_list(self.request.owner, self.request.name, e164(number))
                for number, _ in checked
            ]
        )
        wrong = 0
        for (_, expected), outcome in zip(checked, outcomes, strict=True):
            if isinstance(outcome.error, PermissionDenied):
                self._checkable = False
                return ""
            if outcome.error is not None and not isinstance(outcome.error, OutcomeUnknown):
                raise outcome.error
            wrong += outcome.value is not expected
        return f"{wrong} of {len(checked)} checked numbers are not as expected" if wrong else ""


def _refuse_errors(request: Request, answer: Row) -> None:
    """Raise the errors that Retreaver reports for an upload."""
    found = answer.get("error_messages")
    if found:
        raise InvalidRequest(
            f"{request.label} was accepted, with errors: {join_messages(found)}.",
            method=request.method,
            path=request.path,
            status=200,
            details=found,
        )


def _sample(numbers: NumberSet) -> list[int]:
    """Return some numbers, spread over all of them."""
    step = max(1, len(numbers) // SAMPLE)
    return [numbers[place] for place in range(0, len(numbers), step)][:SAMPLE]
