"""Resetting the total caps of buyer groups so that no call is lost from a count by resetting twice.

A reset sets what the total caps have counted to 0. As at Retreaver (`domain/routing/cap_reset.py`), the counts are
read first and once more right before the reset, the plan is saved, and the counts are read back. A count of attempts
never falls by itself: one below the planned one proves a reset, even when its answer was lost.

TrackDrive's reference: "PUT /api/v1/buyer_groups/:id", `reset_total_caps`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import RUN_ENDING, OutcomeUnknown, ProtocolError, is_final
from airflow_provider_retreaver.core.operations import Outcome, Procedure, Row, Together
from airflow_provider_retreaver.domain.changes.differences import FieldChange, format_value
from airflow_provider_retreaver.domain.changes.reset_limits import BATCH, MAX_ATTEMPTS, NEW_CALLS
from airflow_provider_retreaver.domain.objects.at_once import together
from airflow_provider_retreaver.domain.objects.key import ObjectKey
from airflow_provider_retreaver.domain.objects.reading import get_object, update_object
from airflow_provider_retreaver.domain.trackdrive.group_fields import total_counts
from airflow_provider_retreaver.domain.trackdrive.once import DoOnce, Planned
from airflow_provider_retreaver.resources.trackdrive.fields import RESET, TOTAL_COUNTS

log = logging.getLogger(__name__)

# Counts of events, which nothing takes back; money and conversions may be corrected.
_EVENTS = ("attempt_total_used", "connection_total_used")

Counts = Mapping[str, int | float]


@dataclass(slots=True)
class _Reset:
    """One reset to send.

    :param key: of the group.
    :param before: its counts.
    :param attempts: how often it was sent.
    """

    key: ObjectKey
    before: Counts
    attempts: int = 0


class ResetTotalCaps(DoOnce):
    """One run of resets; a group whose total caps have counted nothing is unchanged."""

    turn_name = "reset_total_caps"

    def plan(self, key: ObjectKey, row: Row) -> Sequence[FieldChange]:
        """Return the counts that become 0."""
        now = total_counts(row)
        planned: Counts | None = self._record.plan.get(str(key))
        if planned is not None and was_reset(planned, now):
            self.done(key, _changes(planned, now))
            return []
        counted = [FieldChange(name, count, 0) for name, count in now.items() if count]
        if not counted:
            self._report.unchanged(key)
        return counted

    def send(self, planned: Planned) -> Procedure[None]:
        """Reset in batches."""
        resets = [_Reset(key, total_counts(self._rows[key])) for key in planned]
        while resets:
            batch, resets = resets[:BATCH], resets[BATCH:]
            yield from self._look_again([reset for reset in batch if not reset.attempts])
            left = [reset for reset in batch if str(reset.key) not in self._record.done and reset.before]
            self._record.plan.update({str(reset.key): dict(reset.before) for reset in left})
            self.save_record()
            self.confirm_turn()
            resets = (yield from self._send(left)) + resets
            self.save_record()

    def _look_again(self, resets: Sequence[_Reset]) -> Procedure[None]:
        """Take over the counts as they are right before the resets, and leave out what others have reset."""
        outcomes = yield from together([get_object(reset.key) for reset in resets])
        for reset, outcome in zip(resets, outcomes, strict=True):
            lead = "It could not be read again right before its reset, so nothing was sent to it: "
            now = self._counts(reset.key, outcome, lead)
            if now is not None and was_reset(reset.before, now):
                log.warning(
                    "Not reset, so that no call is lost: %s was reset by others%s since it was read: %s",
                    self._report.label(reset.key),
                    self.at_work(),
                    "; ".join(map(str, _changes(reset.before, now))),
                )
                self.done(reset.key, [])
            reset.before = now or {}

    def _counts(self, key: ObjectKey, outcome: Outcome[Row], lead: str) -> Counts | None:
        """Return the counts of a group that was read again; None when they cannot be read, which is reported."""
        if outcome.error is not None:
            self._report.fail(key, outcome.error if is_final(outcome.error) else f"{lead}{outcome.error}")
            return None
        try:
            counts = total_counts(outcome.value or {})
        except ProtocolError as error:
            self._report.fail(key, f"{lead}{error}")
            return None
        self._rows[key] = outcome.value or {}
        return counts

    def _send(self, batch: Sequence[_Reset]) -> Procedure[list[_Reset]]:
        """Reset a batch and read it back; return what is proved not to have happened and is to be sent again."""
        outcomes: list[Outcome[Row]] = yield Together([update_object(reset.key, {RESET: True}) for reset in batch])
        errors = {reset.key: outcome.error for reset, outcome in zip(batch, outcomes, strict=True)}
        self._end_run(batch, errors.values(), [reset for reset in batch if errors[reset.key] is None])
        sent = []
        for reset in batch:
            reset.attempts += 1
            error = errors[reset.key]
            if error is None or isinstance(error, (OutcomeUnknown, ProtocolError)):
                sent.append(reset)
            else:
                self._report.fail(reset.key, error)
        try:
            outcomes = yield from together([get_object(reset.key) for reset in sent])
        except RUN_ENDING:
            self._note_accepted([reset for reset in sent if errors[reset.key] is None])
            raise
        again = []
        for reset, outcome in zip(sent, outcomes, strict=True):
            now = self._counts(reset.key, outcome, "It was sent a reset, but could not be read back: ")
            lost = errors[reset.key]
            if now is None:
                if lost is None:
                    # It was accepted: a retry must not reset what was counted since.
                    self._record.done[str(reset.key)] = _json(_changes(reset.before, None))
            elif was_reset(reset.before, now) or (lost is None and max(now.values()) <= NEW_CALLS):
                self.done(reset.key, _changes(reset.before, now))
            elif lost is None:
                self._report.fail(reset.key, f"Its reset was accepted, but it still counts: {_texts(now)}.")
            elif reset.attempts < MAX_ATTEMPTS:
                log.warning("%s It has not happened; sending it again.", lost)
                again.append(reset)
            else:
                self._report.fail(
                    reset.key, f"The response to its reset was lost {MAX_ATTEMPTS} times; it counts {_texts(now)}."
                )
        return again

    def _end_run(self, batch: Sequence[_Reset], errors: Iterable[object], accepted: Sequence[_Reset]) -> None:
        for error in errors:
            if isinstance(error, RUN_ENDING):
                self._note_accepted(accepted)
                log.info("%d of %d resets were accepted before the run ended.", len(accepted), len(batch))
                raise error

    def _note_accepted(self, accepted: Iterable[_Reset]) -> None:
        """Report resets that are not read back, since the run ends here."""
        for reset in accepted:
            self.done(reset.key, _changes(reset.before, None))
        self.save_record()


def was_reset(before: Counts, now: Counts) -> bool:
    """Return whether counts prove a reset.

    :param before: counts before it may have happened.
    :param now: counts afterwards.
    :return: whether the attempts or connections have fallen; where there were none, any other count.
    """
    counted = [name for name in TOTAL_COUNTS if before.get(name) and name in now]
    decisive = [name for name in counted if name in _EVENTS] or counted
    return any(now[name] < before[name] for name in decisive)


def _changes(before: Counts, now: Counts | None) -> list[FieldChange]:
    return [
        FieldChange(name, count, None if now is None else now.get(name)) for name, count in before.items() if count
    ]


def _json(changes: Sequence[FieldChange]) -> list[list[object]]:
    return [one.as_json() for one in changes]


def _texts(counts: Counts) -> str:
    return ", ".join(f"{name} {format_value(count)}" for name, count in counts.items() if count) or "nothing"
