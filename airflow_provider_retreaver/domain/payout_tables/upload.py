"""Uploading a payout table once, and activating it.

A table is uploaded without being active and read back before it is activated. One with the same rules, and the same
label and salt where they are given, is not uploaded again: neither by a retry, nor by a later run. Retreaver's
reference: "Create a Payout Bid Modification table".
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import (
    ChangeRefused,
    Gone,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    RetreaverError,
)
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.changes.differences import FieldChange
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.payout_tables.change import BEFORE, UPLOADED, TableRun
from airflow_provider_retreaver.domain.payout_tables.content import fingerprint, table_difference
from airflow_provider_retreaver.domain.payout_tables.history import History, KnownTable, read_history
from airflow_provider_retreaver.domain.payout_tables.ids import doubtful_ids
from airflow_provider_retreaver.domain.payout_tables.report import ACTIVE, CAMPAIGN, TABLE, PayoutTableResult
from airflow_provider_retreaver.domain.payout_tables.rules import RuleTable
from airflow_provider_retreaver.resources.payout_tables import PayoutTable, create_payout_table, get_payout_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upload:
    """What is uploaded.

    :param table: the rules.
    :param table_version: label of the table; None for its ID.
    :param salt: of the assignment of calls to buckets; None for Retreaver's own.
    :param activate: whether it becomes the active one.
    :param check_ids: whether IDs in rules are looked up.
    """

    table: RuleTable
    table_version: str | None = None
    salt: str | None = None
    activate: bool = False
    check_ids: bool = True

    @cached_property
    def content(self) -> str:
        """What tables with the same cells have in common."""
        return fingerprint(self.table.csv_data)

    def find(self, history: History) -> KnownTable | None:
        """Return the table that was uploaded before: one with the same rules, and the label and salt if given.

        :param history: the tables of the campaign.
        :return: the active one or else the newest, None when there is none.
        :raises ChangeRefused: when the label is that of a table with other rules or another salt.
        """
        same = [table for table in history.tables if self.equals(table)]
        if self.table_version is None:
            return next((table for table in same if table.active), same[0] if same else None)
        holder = next((table for table in history.tables if table.version == self.table_version), None)
        if holder is not None and holder not in same:
            raise ChangeRefused(
                f"The table_version {quoted(self.table_version)} is payout table {holder.id} already, with other "
                f"rules or another salt, and a table is written once: give another table_version."
            )
        return holder

    def equals(self, table: KnownTable) -> bool:
        """Return whether a table has these rules, and this salt if one is given.

        :param table: of the campaign.
        :return: True when it has.
        """
        return table.content == self.content and self.salt in {None, table.salt}


class UploadTable(TableRun):
    """Upload a table unless it is there, and activate it if that is meant.

    :param campaign_id: Retreaver's own ID of the campaign.
    :param upload: what is uploaded.
    :param record: what earlier attempts of the same run did; None for nothing.
    :param save: saves the record; called before anything is changed.
    :param dry_run: only report what would be changed.
    """

    def __init__(
        self,
        campaign_id: int,
        upload: Upload,
        *,
        record: Record | None = None,
        save: Callable[[Record], None] | None = None,
        dry_run: bool = False,
    ) -> None:
        super().__init__(campaign_id, record=record, save=save, dry_run=dry_run)
        self._upload = upload

    def procedure(self) -> Procedure[PayoutTableResult]:
        """Upload, read back, activate, read back."""
        report, upload = self.report, self._upload
        report.version, report.rules = upload.table_version, len(upload.table.rules)
        for warning in upload.table.warnings:
            report.warn(warning)
        history = yield from self.begin(activates=upload.activate)
        found = history.find(self.plan.get(UPLOADED)) or upload.find(history)
        yield from self._compare(history)
        if upload.check_ids:
            for warning in (yield from doubtful_ids(upload.table)):
                report.warn(warning)
        if found is None and self.dry_run:
            self._report_upload(None)
            if upload.activate:
                report.changed(
                    CAMPAIGN, FieldChange(ACTIVE, report.active_before, upload.table_version or "new table")
                )
            return self.result()
        table = found or (yield from self._send())
        self._report_upload(table, is_new=found is None or table.id == self.plan.get(UPLOADED))
        if upload.activate:
            yield from self.activate(table.id)
        return self.result()

    def _compare(self, history: History) -> Procedure[None]:
        """Report how the rules differ from those that were active when the run began."""
        before = self.report.active_before
        rules = history.active.csv_data if history.active is not None else ""
        if before != history.active_id:
            # An earlier attempt has activated the new ones.
            try:
                former: PayoutTable = {} if before is None else (yield get_payout_table(self.campaign_id, before))
            except (NotFound, Gone):
                return
            rules = former.get("csv_data", "")
        self.report.difference = table_difference(rules, self._upload.table.csv_data)

    def _report_upload(self, table: KnownTable | None, *, is_new: bool = True) -> None:
        if table is not None:
            self.report.id, self.report.version = table.id, table.version
        if is_new:
            self.report.changed(TABLE, FieldChange("rules", None, self.report.rules))
        else:
            self.report.unchanged(TABLE)

    def _send(self) -> Procedure[KnownTable]:
        """Upload the table without activating it, and read it back."""
        upload = self._upload
        self.save_plan(**({BEFORE: self.report.active_before} if upload.activate else {}))
        operation = create_payout_table(
            self.campaign_id,
            csv_data=upload.table.csv_data,
            active=False,
            salt=upload.salt,
            table_version=upload.table_version,
        )
        try:
            row: Row = yield operation
        except (OutcomeUnknown, InvalidRequest) as error:
            # A label may be refused since another attempt, whose answer was lost, has it.
            return (yield from self._look_for_it(error))
        id_ = require(row, "id", operation.request)
        self.save_plan(**{UPLOADED: id_})
        self.report.id = id_
        reading = get_payout_table(self.campaign_id, id_)
        table = KnownTable.of((yield reading), reading.request)
        if not upload.equals(table):
            raise ChangeRefused(
                f"Payout table {id_} was uploaded, and Retreaver returns other rules or another salt for it: it was "
                f"not activated. Compare it with what was sent, and delete it if it is of no use."
            )
        return table

    def _look_for_it(self, error: RetreaverError) -> Procedure[KnownTable]:
        log.warning("%s Looking for the table.", error)
        found = self._upload.find((yield from read_history(self.campaign_id)))
        if found is None:
            raise error
        self.save_plan(**{UPLOADED: found.id})
        return found
