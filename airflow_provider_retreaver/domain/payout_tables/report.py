"""What a run that changes payout tables reports: rows as those of the routing operators, and the table itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

from airflow_provider_retreaver.core.quoting import message_line, one_line
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.changes.differences import FieldChange
from airflow_provider_retreaver.domain.changes.report import ChangedRow, FailedRow, ObjectRow
from airflow_provider_retreaver.domain.payout_tables.content import TableDifference

log = logging.getLogger(__name__)

CAMPAIGN, TABLE = "campaign", "payout_table"
ACTIVE = "active_payout_table"


class TableState(TypedDict):
    """Which table a run was about, and which one was and is active; None stands for no table."""

    campaign_id: int
    id: int | None
    table_version: str | None
    rules: int | None
    active_before: int | None
    active: int | None


class PayoutTableResult(TypedDict):
    """The result of a run; a dry run has `would_change`, and an upload the `difference` to the active table."""

    changed: list[ChangedRow]
    unchanged: list[ObjectRow]
    failed: list[FailedRow]
    changed_by_others: int
    warnings: list[str]
    table: TableState
    difference: NotRequired[TableDifference]
    would_change: NotRequired[list[ChangedRow]]
    dry_run: NotRequired[bool]


@dataclass(slots=True)
class TableReport:
    """Collects what a run does, and logs it as it happens.

    :param campaign_id: Retreaver's own ID of the campaign.
    :param dry_run: whether changes are only reported.
    :param campaign_name: by which it was chosen; None where it was chosen by ID.
    :param id: of the table that the run is about; None while it is not uploaded.
    :param version: its label.
    :param rules: how many it has.
    :param active_before: ID of the table that was active when the run began; None for none.
    :param active: ID of the table that is active.
    :param changed_by_others: how often others have changed which one is active.
    :param difference: between the rules that were active and those that are uploaded.
    """

    campaign_id: int
    dry_run: bool = False
    campaign_name: str | None = None
    id: int | None = None
    version: str | None = None
    rules: int | None = None
    active_before: int | None = None
    active: int | None = None
    changed_by_others: int = 0
    difference: TableDifference | None = None
    _changed: list[ChangedRow] = field(default_factory=list)
    _unchanged: list[ObjectRow] = field(default_factory=list)
    _failed: list[FailedRow] = field(default_factory=list)
    _warnings: list[str] = field(default_factory=list)

    def as_json(self) -> PayoutTableResult:
        """Return the result.

        :return: what was reported until now; plain JSON.
        """
        result: PayoutTableResult = {
            "changed": [] if self.dry_run else [*self._changed],
            "unchanged": [*self._unchanged],
            "failed": [*self._failed],
            "changed_by_others": self.changed_by_others,
            "warnings": [*self._warnings],
            "table": {
                "campaign_id": self.campaign_id,
                "id": self.id,
                "table_version": without_secrets(self.version),
                "rules": self.rules,
                "active_before": self.active_before,
                "active": self.active,
            },
        }
        if self.difference is not None:
            result["difference"] = self.difference
        if self.dry_run:
            result["would_change"], result["dry_run"] = [*self._changed], True
        return result

    def changed(self, kind: str, change: FieldChange) -> None:
        """Report a field that was changed, or would be in a dry run.

        :param kind: `CAMPAIGN` or `TABLE`.
        :param change: of the field.
        """
        log.info(
            "%s %s: %s", "Would change" if self.dry_run else "Changed", self._label(kind), message_line(str(change))
        )
        values = {"field": change.field, "before": change.before, "after": without_secrets(change.after)}
        self._changed.append({**self._row(kind), **values})  # type: ignore[typeddict-item]

    def unchanged(self, kind: str) -> None:
        """Report an object that was already as it should be.

        :param kind: `CAMPAIGN` or `TABLE`.
        """
        log.info("Unchanged: %s", self._label(kind))
        self._unchanged.append(self._row(kind))

    def fail(self, kind: str, message: str) -> None:
        """Report an object that is not as it should be.

        :param kind: `CAMPAIGN` or `TABLE`.
        :param message: what is wrong, as a sentence.
        """
        error = message_line(message)
        log.error("Failed: %s: %s", self._label(kind), error)
        self._failed.append({**self._row(kind), "error": error})

    def warn(self, message: str) -> None:
        """Report what may not be meant.

        :param message: a sentence.
        """
        line = message_line(message)
        log.warning("%s", line)
        self._warnings.append(line)

    def _row(self, kind: str) -> ObjectRow:
        if kind == CAMPAIGN:
            name = {} if self.campaign_name is None else {"name": without_secrets(self.campaign_name)}
            return {"kind": kind, "id": self.campaign_id, **name}  # type: ignore[typeddict-item]
        if self.version is None:
            return {"kind": kind, "id": self.id}
        return {"kind": kind, "id": self.id, "name": without_secrets(self.version)}

    def _label(self, kind: str) -> str:
        if kind == CAMPAIGN:
            name = "" if self.campaign_name is None else f' ("{one_line(self.campaign_name)}")'
            return f"campaign {self.campaign_id}{name}"
        version = "" if self.version is None else f" (version {one_line(self.version, numbers=False)})"
        return f"payout table {'not uploaded yet' if self.id is None else self.id}{version}"
