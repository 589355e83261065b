"""What a run reports: a log line for each object, and rows for its result."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from airflow_provider_retreaver.core.errors import RetreaverError, is_final
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import message_line
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.changes.differences import FieldChange
from airflow_provider_retreaver.domain.objects.key import ObjectKey
from airflow_provider_retreaver.domain.objects.naming import describe, safe_field

log = logging.getLogger(__name__)


class ObjectRow(TypedDict):
    """An object in a result; one whose ID is not known has `named`, such as `tid A7`."""

    kind: str
    id: int | None
    name: NotRequired[object]
    named: NotRequired[str]


class ChangedRow(ObjectRow):
    """A field that was changed."""

    field: str
    before: object
    after: object


class FailedRow(ObjectRow):
    """An object that could not be changed, or not provably."""

    error: str


class ChangeResult(TypedDict):
    """The result of a run of changes; a dry run has `would_change`, and `refused` when a guard would refuse it."""

    changed: list[ChangedRow]
    unchanged: list[ObjectRow]
    failed: list[FailedRow]
    would_change: NotRequired[list[ChangedRow]]
    dry_run: NotRequired[bool]
    refused: NotRequired[str]


class ChangeReport:
    """Collects what was changed, unchanged and failed, and logs it as it happens.

    :param rows: the objects as read last, by key.
    """

    def __init__(self, rows: Mapping[ObjectKey, Row]) -> None:
        self._rows = rows
        self._result: ChangeResult = {"changed": [], "unchanged": [], "failed": []}
        # Whether no retry mends any of the failures.
        self.failed_for_good = True

    def as_json(self) -> ChangeResult:
        """Return the result.

        :return: what was reported until now.
        """
        result = self._result.copy()
        result["changed"], result["unchanged"] = [*result["changed"]], [*result["unchanged"]]
        result["failed"] = [*result["failed"]]
        return result

    def changed(self, key: ObjectKey, changes: Sequence[FieldChange]) -> None:
        """Report fields that were changed.

        :param key: of the object.
        :param changes: made by this attempt or an earlier one.
        """
        log.info("Changed %s: %s", self.label(key), format_changes(changes))
        self._result["changed"].extend(self._changed_rows(key, changes))

    def would_change(self, key: ObjectKey, changes: Sequence[FieldChange]) -> None:
        """Report fields that a dry run does not change.

        :param key: of the object.
        :param changes: that would be made.
        """
        log.info("Would change %s: %s", self.label(key), format_changes(changes))
        self._result.setdefault("would_change", []).extend(self._changed_rows(key, changes))

    def unchanged(self, key: ObjectKey) -> None:
        """Report an object that was already as it should be.

        :param key: of the object.
        """
        log.info("Unchanged: %s", self.label(key))
        self._result["unchanged"].append(self._object_row(key))

    def fail(self, key: ObjectKey, cause: RetreaverError | str) -> None:
        """Report an object that is not as it should be, or not provably.

        :param key: of the object.
        :param cause: an error, or a sentence about one that a retry may mend.
        """
        error = message_line(str(cause))
        self.failed_for_good &= isinstance(cause, RetreaverError) and is_final(cause)
        log.error("Failed: %s: %s", self.label(key), error)
        self._result["failed"].append({**self._object_row(key), "error": error})

    def label(self, key: ObjectKey) -> str:
        """Return the name of an object in a log line.

        :param key: of the object.
        :return: e.g. `target 3 (tid A7, "Acme Roofing")`.
        """
        return describe(key, self._rows.get(key, {}))

    def _changed_rows(self, key: ObjectKey, changes: Sequence[FieldChange]) -> list[ChangedRow]:
        return [
            {
                **self._object_row(key),
                "field": one.field,
                "before": without_secrets(one.before),
                "after": without_secrets(one.after),
            }
            for one in changes
        ]

    def _object_row(self, key: ObjectKey) -> ObjectRow:
        if key.id is None:
            return {"kind": key.kind, "id": None, "named": key.label}
        row = self._rows.get(key, {})
        if row.get("name"):
            return {"kind": key.kind, "id": key.id, "name": safe_field(row, "name")}
        return {"kind": key.kind, "id": key.id}


def format_changes(changes: Sequence[FieldChange]) -> str:
    """Return changes of an object as a log line has them.

    :param changes: of fields.
    :return: e.g. `hard_cap 100 -> 110; paused no -> yes`.
    """
    return message_line("; ".join(map(str, changes)))
