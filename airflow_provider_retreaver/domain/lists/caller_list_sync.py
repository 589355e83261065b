"""Synchronizing a caller list with a source by uploads, which Retreaver processes after its response.

The outcome of an upload is not reported, so the list is polled afterwards until it has the expected numbers: by its
`Total` where the key may list, and by checking some of the numbers. Sending an upload twice has the same effect as
sending it once, so an upload whose response was lost is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
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
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.lists.caller_list_change import CallerListRequest, ListChange
from airflow_provider_retreaver.domain.lists.caller_list_numbers import ListedNumbers, count_numbers, read_numbers
from airflow_provider_retreaver.domain.lists.caller_list_verification import Verification
from airflow_provider_retreaver.domain.lists.number_set import NumberSet
from airflow_provider_retreaver.domain.lists.phones import e164
from airflow_provider_retreaver.domain.lists.suppression_plan import NONE_UNREADABLE, limits
from airflow_provider_retreaver.domain.lists.unreadable import Unreadable
from airflow_provider_retreaver.resources import caller_lists
from airflow_provider_retreaver.resources.caller_lists import UploadAction

log = logging.getLogger(__name__)

# Numbers of one upload: about 130 KB.
BATCH = 10_000
# How often an upload is sent when its responses are lost.
TRIES = 3


def _nothing() -> None:
    """Do nothing."""


@dataclass(slots=True)
class CallerListSync:
    """One sync: `plan()` compares, `carry_out()` uploads and verifies.

    :param request: the list to synchronize.
    :param source: the numbers.
    :param unreadable: values of the source that cannot be read.
    :param look_again: read the list again before a mirror removes numbers.
    :param before_upload: called before each upload; may raise to stop.
    :param lease_renewed: called for each number that is read.
    """

    request: CallerListRequest
    source: NumberSet
    unreadable: Unreadable = NONE_UNREADABLE
    look_again: bool = True
    before_upload: Callable[[], None] = _nothing
    lease_renewed: Callable[[], None] = _nothing

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
        known = yield from count_numbers(self.request.owner, self.request.name)
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
        denied: PermissionDenied | None = None
        try:
            listed: ListedNumbers = yield from self._read(lambda number: number not in self.source)
        except PermissionDenied as error:
            denied = error
        if denied is not None:
            return self._clearing(denied)
        if listed.others:
            log.warning("%d numbers on the list are not in E.164 and are not changed.", listed.others)
        there = listed.numbers
        self._tell_not_added(there)
        add = self.source.minus(there)
        remove, kept = self.unreadable.divide(there.minus(self.source), self.source)
        self.unreadable.tell_kept(len(kept), "numbers on the caller list")
        self._guard(len(remove), len(there))
        change = ListChange(add, remove, len(self.source) - len(add), kept, len(there) + listed.others, exact=True)
        change.created_at = listed.created
        return change

    def _read(self, watched: Callable[[int], bool]) -> Procedure[ListedNumbers]:
        return (yield from read_numbers(self.request.owner, self.request.name, watched, self.lease_renewed))

    def _look_again(self, change: ListChange) -> Procedure[None]:
        """Read the list again before numbers are removed, and leave alone those that someone else has changed."""
        listed = yield from self._read(change.remove.__contains__)
        gone = change.remove.minus(listed.numbers)
        still = NumberSet(
            number for number in change.remove if listed.created.get(number) == change.created_at.get(number, "")
        )
        change.changed_by_others = len(change.remove) - len(still)
        change.remove = still
        if change.known is not None:
            change.known -= len(gone)
        if change.changed_by_others:
            log.warning(
                "Someone else was at work on the caller list: %d numbers were changed while this run was, and are "
                "not removed.",
                change.changed_by_others,
            )

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

    # -- uploading

    def carry_out(self, change: ListChange) -> Procedure[dict[str, Any]]:
        """Upload a change, and wait until the list shows it.

        :param change: the change.
        :return: `{"added", "removed", "unchanged", "changed_by_others", "created", "verified"}`.
        :raises InvalidRequest: when Retreaver reports errors of an upload.
        :raises OutcomeUnknown: when the list does not show the change in time.
        """
        if change.created:
            yield from self._create()
        # A list that is cleared first is filled by one upload, since the order of several is not documented.
        size = max(1, len(change.add)) if change.clear else BATCH
        yield from self._upload_all(change.add, "create", size, clear=change.clear)
        if self.look_again and change.exact and change.remove:
            yield from self._look_again(change)
        yield from self._upload_all(change.remove, "delete", size, clear=False)
        verified, total = "nothing to verify", change.known
        if change.add or change.remove:
            verified, total = yield from Verification(self.request, change).wait()
        return {
            **self._counted(change, total),
            "changed_by_others": change.changed_by_others,
            "created": change.created,
            "verified": verified,
        }

    def _upload_all(self, numbers: NumberSet, action: UploadAction, size: int, *, clear: bool) -> Procedure[None]:
        for start in range(0, len(numbers), size):
            self.before_upload()
            yield from self._upload(numbers.part(start, start + size), action, clear=clear)
            log.info("Uploaded %d of %d numbers (%s).", min(start + size, len(numbers)), len(numbers), action)

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
