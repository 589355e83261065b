"""What a run of resetting caps reports: a log line and a row for each object."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NotRequired, TypedDict

from airflow_provider_retreaver.core.errors import RetreaverError, is_final
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.objects.key import ObjectKey
from airflow_provider_retreaver.domain.objects.naming import customer_id, describe, safe_field
from airflow_provider_retreaver.domain.routing.caps import hard_cap

log = logging.getLogger(__name__)


class CapOwnerRow(TypedDict, total=False):
    """An object in the result: a target has `id` and `tid`, a group `target_group_id`."""

    id: int | None
    tid: object
    name: object
    target_group_id: int | None


class ResetRow(CapOwnerRow):
    """A hard cap that was reset; `filled_after` is None when it was not read back."""

    filled_before: int | None
    filled_after: int | None
    cap: int | None


class SkippedRow(CapOwnerRow):
    """An object that needs no reset."""

    reason: str


class FailedResetRow(CapOwnerRow):
    """An object that was not reset, or not provably."""

    error: str


class CapResetResult(TypedDict):
    """The result of a run of resetting caps; a dry run has `would_reset`."""

    reset: list[ResetRow]
    skipped: list[SkippedRow]
    failed: list[FailedResetRow]
    would_reset: NotRequired[list[ResetRow]]
    dry_run: NotRequired[bool]


def owner_row(key: ObjectKey, row: Mapping[str, object]) -> CapOwnerRow:
    """Return the fields of a result's row that name its object.

    :param key: of the object.
    :param row: the object as read; empty when it could not be read.
    :return: ID, customer ID and name.
    """
    if key.kind == "group":
        return {"target_group_id": key.id, "name": safe_field(row, "name")}
    if key.id is None:
        return {"id": None, "tid": key.customer_id, "name": None}
    return {"id": key.id, "tid": customer_id(row), "name": safe_field(row, "name")}


class CapResetReport:
    """Collects what was reset, skipped and failed, and logs it as it happens.

    :param rows: the objects as read last, by key.
    :param group_of: ID of the group through which a target was selected, by key of the target.
    """

    def __init__(self, rows: Mapping[ObjectKey, Row], group_of: Mapping[ObjectKey, int]) -> None:
        self._rows = rows
        self._group_of = group_of
        # By key, since an object that is reported again takes the place of its earlier row.
        self._reset: dict[ObjectKey, ResetRow] = {}
        self._skipped: dict[ObjectKey, SkippedRow] = {}
        self._failed: dict[ObjectKey, FailedResetRow] = {}
        self._final: set[ObjectKey] = set()
        self._would_reset: dict[ObjectKey, ResetRow] = {}

    def as_json(self) -> CapResetResult:
        """Return the result.

        :return: what was reported until now.
        """
        result: CapResetResult = {
            "reset": [*self._reset.values()],
            "skipped": [*self._skipped.values()],
            "failed": [*self._failed.values()],
        }
        if self._would_reset:
            result["would_reset"] = [*self._would_reset.values()]
        return result

    def failed(self, key: ObjectKey) -> bool:
        """Return whether an object was reported as failed.

        :param key: of the object.
        :return: True when it was.
        """
        return key in self._failed

    def done(self, key: ObjectKey, before: int | None, after: int | None, *, earlier: bool = False) -> None:
        """Report a reset.

        :param key: of the object.
        :param before: count before the reset.
        :param after: count after the reset; None when it was not read back.
        :param earlier: whether an earlier attempt of the run made it.
        """
        action = "Unchanged, an earlier attempt reset" if earlier else "Reset"
        after_text = "not read back" if after is None else after
        log.info("%s %s: %s -> %s, %s", action, self._label(key), before, after_text, self._cap(key))
        self._reset[key] = self._reset_row(key, before, after)

    def would_reset(self, key: ObjectKey) -> None:
        """Report a hard cap that a dry run does not reset.

        :param key: of the object.
        """
        filled = hard_cap(self._rows[key]).filled
        log.info("Dry run: would reset %s, which counts %s, %s", self._label(key), filled, self._cap(key))
        self._would_reset[key] = self._reset_row(key, filled, None)

    def skip(self, key: ObjectKey, reason: str) -> None:
        """Report an object that needs no reset.

        :param key: of the object.
        :param reason: as the end of a sentence.
        """
        log.info("Skipped %s: %s", self._label(key), reason)
        self._skipped[key] = {**owner_row(key, self._rows[key]), "reason": reason}

    def done_by_others(self, key: ObjectKey, before: int, after: int, at_work: str) -> None:
        """Report an object that needs no reset, since others have reset it while this run was at work.

        :param key: of the object.
        :param before: count when it was read.
        :param after: count right before the reset would have been sent.
        :param at_work: who was at work, in brackets; empty when that is not known.
        """
        reason = (
            f"others{at_work} reset it while this run was at work: it counted {before} when it was read, {after} now"
        )
        log.warning("Not reset, so that no call is lost: %s: %s", self._label(key), reason)
        self._skipped[key] = {**owner_row(key, self._rows[key]), "reason": reason}

    @property
    def failed_for_good(self) -> bool:
        """Whether no retry mends any of the failures."""
        return self._final >= self._failed.keys()

    def fail(self, key: ObjectKey, cause: RetreaverError | str) -> None:
        """Report an object that was not reset, or not provably.

        :param key: of the object.
        :param cause: an error, or a sentence about one that a retry may mend.
        """
        error = str(cause)
        final = isinstance(cause, RetreaverError) and is_final(cause)
        (self._final.add if final else self._final.discard)(key)
        log.error("Failed: %s: %s", self._label(key), error)
        self._failed[key] = {**owner_row(key, self._rows.get(key, {})), "error": error}

    def _label(self, key: ObjectKey) -> str:
        return describe(key, self._rows.get(key, {}))

    def _cap(self, key: ObjectKey) -> str:
        cap = hard_cap(self._rows[key]).cap
        return "no hard cap" if cap is None else f"hard cap {cap}"

    def _reset_row(self, key: ObjectKey, before: int | None, after: int | None) -> ResetRow:
        row = self._rows[key]
        reset: ResetRow = {
            **owner_row(key, row),
            "filled_before": before,
            "filled_after": after,
            "cap": hard_cap(row).cap,
        }
        if key in self._group_of:
            reset["target_group_id"] = self._group_of[key]
        return reset
