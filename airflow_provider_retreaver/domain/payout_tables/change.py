"""Changing which payout table of a campaign is active.

Activating moves money on live traffic. So a table is activated only when the same one is still active as when the run
began, and then it is read which one is. What a run means to do is saved before it is done, so that a retry still
knows which table was active before. Retreaver's reference: "Activate or roll back a table".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from airflow_provider_retreaver.core.errors import ChangeRefused
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.domain.changes.differences import FieldChange
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.payout_tables.history import History, read_history
from airflow_provider_retreaver.domain.payout_tables.report import ACTIVE, CAMPAIGN, PayoutTableResult, TableReport
from airflow_provider_retreaver.resources.payout_tables import activate_payout_table, deactivate_payout_table

# Of a record's plan: the table that was active when the run began, the one that it activates, and what it uploaded.
BEFORE, TARGET, UPLOADED = "active_before", "active_after", "uploaded"


class TableRun(ABC):
    """A run that changes which table of a campaign is active.

    :param campaign_id: Retreaver's own ID of the campaign.
    :param record: what earlier attempts of the same run did; None for nothing.
    :param save: saves the record; called before anything is changed.
    :param dry_run: only report what would be changed.
    """

    # Others may put back what they changed, so that a retry may succeed.
    failed_for_good = False

    def __init__(
        self,
        campaign_id: int,
        *,
        record: Record | None = None,
        save: Callable[[Record], None] | None = None,
        dry_run: bool = False,
    ) -> None:
        self.campaign_id = campaign_id
        self.dry_run = dry_run
        self.report = TableReport(campaign_id, dry_run)
        self._record = record or Record()
        self._save = save

    @abstractmethod
    def procedure(self) -> Procedure[PayoutTableResult]:
        """Read, change what differs, read back.

        :return: the result.
        :raises ChangeRefused: when others have changed which table is active, or something would be lost.
        """

    def result(self) -> PayoutTableResult:
        """Return what was done until now.

        :return: plain JSON.
        """
        return self.report.as_json()

    @property
    def plan(self) -> dict[str, int | None]:
        """What earlier attempts and this one mean to do."""
        return self._record.plan

    def save_plan(self, **plan: int | None) -> None:
        """Save what is about to be done.

        :param plan: IDs of tables.
        """
        self._record.plan.update(plan)
        if self._save is not None:
            self._save(self._record)

    def begin(self, *, activates: bool) -> Procedure[History]:
        """Read the tables of the campaign, and note which one was active when the run began.

        :param activates: whether the run changes which one is active.
        :return: the tables.
        :raises ChangeRefused: when others have activated another one since an earlier attempt of this run.
        """
        history: History = yield from read_history(self.campaign_id)
        before = self.plan.get(BEFORE, history.active_id) if activates else history.active_id
        self._refuse_change_of_others(history, {before, self.plan.get(TARGET, before)})
        self.report.active_before, self.report.active = before, history.active_id
        return history

    def activate(self, target: int | None) -> Procedure[None]:
        """Make a table the active one, if the one that was is still active.

        :param target: ID of the table; None to deactivate the active one.
        :raises ChangeRefused: when others have activated another one; nothing was changed.
        """
        before = self.report.active_before
        if self.dry_run:
            self._report_activation(before, target)
            return
        # A second look right before the change: uploading took time.
        history: History = yield from read_history(self.campaign_id)
        self._refuse_change_of_others(history, {before, target})
        if target is not None and history.find(target) is None:
            raise ChangeRefused(f"Payout table {target} is not there any more; nothing was activated.")
        self.save_plan(**{BEFORE: before, TARGET: target})
        if history.active_id != target:
            if target is not None:
                yield activate_payout_table(self.campaign_id, target)
            else:
                yield deactivate_payout_table(self.campaign_id, history.active_id or 0)
            history = yield from read_history(self.campaign_id)
        self.report.active = history.active_id
        if history.active_id == target:
            self._report_activation(before, target)
            return
        self.report.changed_by_others += 1
        self.report.fail(
            CAMPAIGN,
            f"Table {_name(target)} was to be active and {_name(history.active_id)} is: others changed it at the "
            f"same time, or Retreaver did not take it over. Table {_name(before)} was active before.",
        )

    def _report_activation(self, before: int | None, target: int | None) -> None:
        if before == target:
            self.report.unchanged(CAMPAIGN)
        else:
            self.report.changed(CAMPAIGN, FieldChange(ACTIVE, before, target))

    def _refuse_change_of_others(self, history: History, expected: set[int | None]) -> None:
        if history.active_id not in expected:
            self.report.changed_by_others += 1
            were = " or ".join(_name(one) for one in sorted(expected, key=str))
            raise ChangeRefused(
                f"Others have changed the active payout table of campaign {self.campaign_id} since this run began: "
                f"it is {_name(history.active_id)}, and was {were}. Nothing was activated; start a new run if it is "
                f"still meant."
            )


def _name(id_: int | None) -> str:
    return "none" if id_ is None else str(id_)
