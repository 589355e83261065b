"""Resetting hard caps so that no call is lost from a count by resetting twice.

A reset sets a count to 0, so the procedure reads first, resets, and reads back. The plan (which objects, and their
counts before) is saved before the first reset, and what was done as it is done, so that an attempt after a killed one
resets only what is left. A hard cap never falls by itself: a count below the planned one proves that a reset
happened, even when its response was lost. Of two runs at once the second does not clear what was counted since the
first: they take turns where there is a place for that, and counts are read again right before a reset is sent.

Retreaver's reference: "Resetting a Hard Cap", "Resetting all Hard Caps on Targets in a Target Group".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from airflow_provider_retreaver.core.errors import RUN_ENDING, OutcomeUnknown, ProtocolError, is_final
from airflow_provider_retreaver.core.operations import Outcome, Procedure, Row, Together
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.changes.reset_limits import BATCH, MAX_ATTEMPTS, NEW_CALLS, OTHERS
from airflow_provider_retreaver.domain.changes.turn import TakesTurns
from airflow_provider_retreaver.domain.objects.at_once import together
from airflow_provider_retreaver.domain.objects.key import ObjectKey
from airflow_provider_retreaver.domain.objects.reading import find_groups, find_selected, get_object
from airflow_provider_retreaver.domain.objects.selection import TargetSelection
from airflow_provider_retreaver.domain.routing.cap_reset_report import CapResetReport, CapResetResult
from airflow_provider_retreaver.domain.routing.cap_reset_request import ResetRequest, members_of, split_if_covered
from airflow_provider_retreaver.domain.routing.caps import Cap, hard_cap

log = logging.getLogger(__name__)


class ResetCaps(TakesTurns):
    """One run of resetting caps: `procedure()` makes the resets, `result()` returns at any time what was done.

    :param selection: whose caps are reset.
    :param record: what earlier attempts of the same run did; None for nothing.
    :param save: saves the record; called before the first reset and after every batch.
    :param reload: reads the record again, after another attempt was at work.
    :param dry_run: only report what would be reset.
    :raises InvalidArgument: when the selection is all targets, full or not.
    """

    turn_name = "reset_caps"

    def __init__(
        self,
        selection: TargetSelection,
        *,
        record: Record | None = None,
        save: Callable[[Record], None] | None = None,
        reload: Callable[[], Record] | None = None,
        dry_run: bool = False,
    ) -> None:
        selection.check()
        self._selection = selection
        self._record = record or Record()
        self._save = save
        self._reload = reload
        self._dry_run = dry_run
        self._rows: dict[ObjectKey, Row] = {}
        self._group_of: dict[ObjectKey, int] = {}
        self._report = CapResetReport(self._rows, self._group_of)

    def result(self) -> CapResetResult:
        """Return what was done until now.

        :return: plain JSON.
        """
        result = self._report.as_json()
        if self._dry_run:
            result["dry_run"] = True
        return result

    @property
    def failed_for_good(self) -> bool:
        """Whether no retry mends any of the failures."""
        return self._report.failed_for_good

    def procedure(self) -> Procedure[CapResetResult]:
        """Read, reset, read back.

        :return: the result.
        :raises AuthenticationError: and other errors that concern the whole account; `result()` still returns what
            was done.
        :raises RunUnderWay: when another run is at work and does not end, or has taken over.
        """
        groups = yield from self._read()
        remaining = [rest for reset in self._resets(groups) for rest in self._not_yet_done(reset)]
        if self._dry_run:
            for key in (key for reset in remaining for key in reset.before):
                self._report.would_reset(key)
            return self.result()
        if remaining and (yield from self.wait_for_turn()) and self._reload is not None:
            self._record = self._reload().with_names(self._record.names)
            remaining = [rest for reset in remaining for rest in self._not_yet_done(reset)]
        self._record.plan.update({str(key): count for reset in remaining for key, count in reset.before.items()})
        self._save_record()
        while remaining:
            batch, remaining = remaining[:BATCH], remaining[BATCH:]
            still = yield from self._look_again(batch)
            self.confirm_turn()
            remaining = (yield from self._send(still)) + remaining
            self._save_record()
        return self.result()

    def _save_record(self) -> None:
        if self._save is not None:
            self._save(self._record)

    def _planned(self, key: ObjectKey) -> int | None:
        """Return the count before that an earlier attempt saved for an object; None when it saved none."""
        count: int | None = self._record.plan.get(str(key))
        return count

    # -- selecting

    def _read(self) -> Procedure[Mapping[ObjectKey, Row]]:
        """Read the selected objects; return the groups."""
        names = self._record.names
        found = yield from find_groups(self._selection.groups or (), self._selection.group_names or (), names)
        groups = {key: row for key, row in found.rows.items() if self._keep(key, row)}
        for key, group in groups.items():
            self._group_of.update(dict.fromkeys(members_of(group), key.id or 0))
        selected = yield from find_selected(self._selection, groups.values(), ("caps",), names)
        for key, error in (found.errors | selected.errors).items():
            self._report.fail(key, error)
        for key, row in selected.rows.items():
            # What an earlier attempt of this run has reset is no longer full, and still belongs to the result.
            needed = not self._selection.everything or self._planned(key) is not None
            if self._keep(key, row) and not (needed or hard_cap(row).full):
                del self._rows[key]
        return groups

    def _keep(self, key: ObjectKey, row: Row, lead: str = "") -> bool:
        """Keep an object as read; one whose caps cannot be read fails alone."""
        try:
            hard_cap(row)
        except ProtocolError as error:
            self._report.fail(key, f"{lead}{error}")
            return False
        self._rows[key] = row
        return True

    def _resets(self, groups: Mapping[ObjectKey, Row]) -> list[ResetRequest]:
        resets: list[ResetRequest] = []
        for key, group in groups.items():
            covered = {member for reset in resets for member in reset.before}
            resets.extend(split_if_covered(self._reset_of_group(key, group), covered))
        covered = {key for reset in resets for key in reset.before}
        if not self._selection.only_filled:
            covered |= self._group_of.keys()
        for key in self._rows:
            if key.kind == "target" and key not in covered:
                resets.extend(self._reset_of_target(key))
        return resets

    def _reset_of_group(self, key: ObjectKey, group: Row) -> Iterator[ResetRequest]:
        """Yield the group's own reset, which covers its targets, where there is something to reset.

        With `only_filled` the group's route is used only when the group's own cap is full: it also resets members
        that are not, so full members of a group that is not full are reset one by one.
        """
        own, planned = hard_cap(group), self._planned(key)
        if self._selection.only_filled and not own.full and planned is None:
            return
        members = [member for member in members_of(group) if member in self._rows]
        # What is planned goes first, so that it is reported first.
        before = {member: count for member in members if (count := self._planned(member)) is not None}
        for member in members:
            if member not in before and (cap := self._resettable(member)) is not None:
                before[member] = cap.filled
        if planned is not None or (own.cap is not None and own.filled > 0):
            before[key] = own.filled if planned is None else planned
        if before:
            yield ResetRequest(key, before)
        else:
            self._report.skip(key, "no hard cap of the group or of its targets has counted anything")

    def _reset_of_target(self, key: ObjectKey) -> Iterator[ResetRequest]:
        planned = self._planned(key)
        if planned is not None:
            yield ResetRequest(key, {key: planned})
            return
        cap = self._resettable(key)
        if cap is not None and self._selection.only_filled and not cap.full:
            self._report.skip(key, f"its hard cap is not full ({cap.filled} of {cap.cap})")
        elif cap is not None:
            yield ResetRequest(key, {key: cap.filled})

    def _resettable(self, key: ObjectKey) -> Cap | None:
        cap = hard_cap(self._rows[key])
        if cap.cap is None:
            self._report.skip(key, "it has no hard cap")
        elif cap.filled == 0:
            self._report.skip(key, "its hard cap has counted nothing")
        else:
            return cap
        return None

    def _not_yet_done(self, reset: ResetRequest) -> list[ResetRequest]:
        """Return what is left of a reset after the attempts before this one."""
        done = self._record.done
        over = [
            key
            for key in reset.before
            if str(key) in done or hard_cap(self._rows[key]).filled < (self._planned(key) or 0)
        ]
        if not over:
            return [reset]
        for key in over:
            before, after, *others = done.get(str(key), [self._planned(key), hard_cap(self._rows[key]).filled])
            if others:
                self._done_by_others(key, before, after)
            else:
                self._done(key, before, after, earlier=True)
        return [ResetRequest(key, {key: count}) for key, count in reset.before.items() if key not in over]

    # -- resetting

    def _look_again(self, batch: list[ResetRequest]) -> Procedure[list[ResetRequest]]:
        """Return what is left to reset right before it is sent: others may have reset some since it was read."""
        # What is sent again was read back just now.
        keys = [key for reset in batch if not reset.attempts for key in reset.before]
        outcomes = yield from together([get_object(key) for key in keys])
        for key, outcome in zip(keys, outcomes, strict=True):
            lead = "It could not be read again right before its reset, so nothing was sent to it: "
            if outcome.error is None:
                self._keep(key, outcome.value or {}, lead)
            else:
                self._report.fail(key, outcome.error if is_final(outcome.error) else f"{lead}{outcome.error}")
        return [left for reset in batch for left in ([reset] if reset.attempts else self._not_done_by_others(reset))]

    def _not_done_by_others(self, reset: ResetRequest) -> list[ResetRequest]:
        now = {key: hard_cap(self._rows[key]).filled for key in reset.before if not self._report.failed(key)}
        for key, before in reset.before.items():
            if key in now and now[key] < before:
                self._done_by_others(key, before, now.pop(key))
        self._record.plan.update({str(key): count for key, count in now.items()})
        if len(now) == len(reset.before):
            return [ResetRequest(reset.key, now)]
        return [ResetRequest(key, {key: count}) for key, count in now.items()]

    def _send(self, batch: list[ResetRequest]) -> Procedure[list[ResetRequest]]:
        """Reset a batch and read it back; return what is proved not to have happened and is to be sent again."""
        outcomes: list[Outcome[None]] = yield Together([reset.operation() for reset in batch])
        accepted = [reset for reset, outcome in zip(batch, outcomes, strict=True) if outcome.error is None]
        self._raise_account_error(outcomes, accepted)
        lost = []
        for reset, outcome in zip(batch, outcomes, strict=True):
            reset.attempts += 1
            if isinstance(outcome.error, OutcomeUnknown):
                log.warning("%s Reading it back.", outcome.error)
                lost.append(reset)
            elif outcome.error is not None:
                self._report.fail(reset.key, outcome.error)
        try:
            yield from self._read_back([*accepted, *lost])
        except RUN_ENDING:
            self._note_accepted(accepted)
            raise
        for reset in accepted:
            self._verify_accepted(reset)
        return [again for reset in lost for again in self._verify_lost(reset)]

    def _raise_account_error(self, outcomes: Iterable[Outcome[None]], accepted: Iterable[ResetRequest]) -> None:
        errors = [o.error for o in outcomes if isinstance(o.error, RUN_ENDING)]
        if errors:
            self._note_accepted(accepted)
            raise errors[0]

    def _note_accepted(self, accepted: Iterable[ResetRequest]) -> None:
        """Report resets that are not read back, since the run ends here."""
        for reset in accepted:
            for key, before in reset.before.items():
                self._done(key, before, None)
        self._save_record()

    def _read_back(self, resets: Iterable[ResetRequest]) -> Procedure[None]:
        keys = [key for reset in resets for key in reset.before]
        outcomes = yield from together([get_object(key) for key in keys])
        for key, outcome in zip(keys, outcomes, strict=True):
            lead = "It was sent a reset, but could not be read back: "
            if outcome.error is not None:
                self._report.fail(key, f"{lead}{outcome.error}")
            else:
                self._keep(key, outcome.value or {}, lead)

    def _verify_accepted(self, reset: ResetRequest) -> None:
        for key, before in reset.before.items():
            if self._report.failed(key):
                # It was accepted: a retry must not reset what was counted since.
                self._record.done[str(key)] = [before, None]
                continue
            after = hard_cap(self._rows[key]).filled
            if after < before or after <= NEW_CALLS:
                self._done(key, before, after)
            else:
                self._report.fail(
                    key, f"Its reset was accepted, but its hard cap still counts {after} ({before} before)."
                )

    def _verify_lost(self, reset: ResetRequest) -> list[ResetRequest]:
        """Report a reset whose response was lost, if it happened; return what is to be sent again."""
        readable = {key: count for key, count in reset.before.items() if not self._report.failed(key)}
        fallen = [key for key, before in readable.items() if hard_cap(self._rows[key]).filled < before]
        for key in fallen:
            self._done(key, readable[key], hard_cap(self._rows[key]).filled)
        unchanged = {key: count for key, count in readable.items() if key not in fallen}
        if reset.attempts < MAX_ATTEMPTS:
            if unchanged and not fallen:
                return [reset]
            # A group's reset happened, but not for these: sending it again would reset the others' new calls.
            return [ResetRequest(key, {key: count}, reset.attempts) for key, count in unchanged.items()]
        for key, before in unchanged.items():
            filled = hard_cap(self._rows[key]).filled
            self._report.fail(
                key,
                f"The response to its reset was lost {MAX_ATTEMPTS} times; it counts {filled} ({before} before).",
            )
        return []

    def _done_by_others(self, key: ObjectKey, before: int, after: int) -> None:
        self._record.done[str(key)] = [before, after, OTHERS]
        self._report.done_by_others(key, before, after, self.at_work())

    def _done(self, key: ObjectKey, before: int | None, after: int | None, *, earlier: bool = False) -> None:
        self._record.done[str(key)] = [before, after]
        self._report.done(key, before, after, earlier=earlier)
