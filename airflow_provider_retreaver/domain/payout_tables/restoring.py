"""Putting a payout table back: the one that was active before an earlier run, or one by its ID.

What the earlier run has left is compared with what is active now, which tells its change from those of others.
Retreaver's reference: "Activate or roll back a table".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.domain.changes.differences import changed_by_others
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.payout_tables.change import TableRun
from airflow_provider_retreaver.domain.payout_tables.history import History
from airflow_provider_retreaver.domain.payout_tables.report import ACTIVE, PayoutTableResult
from airflow_provider_retreaver.resources.payout_tables import own_id


@dataclass(frozen=True, slots=True)
class Restoration:
    """Which table becomes active.

    :param target: ID of the table; None for none.
    :param expected: ID of the table that the run which is undone left active; None for none.
    :param has_expectation: whether that is known.
    :param overwrite: whether a table that others have activated since is replaced too.
    """

    target: int | None
    expected: int | None = None
    has_expectation: bool = False
    overwrite: bool = False

    @classmethod
    def parse(cls, value: object, campaign_id: int | None, *, overwrite: bool) -> Restoration:
        """Read the parameter `restore`.

        :param value: the result of an earlier task, as a mapping or rendered text, or the ID of a table.
        :param campaign_id: Retreaver's own ID of the campaign; None while it is not known.
        :param overwrite: see `Restoration`.
        :return: what is to be restored.
        :raises InvalidArgument: when it is neither, or the result is of another campaign or of a dry run.
        """
        given = read_rendered(value, "restore")
        if not isinstance(given, Mapping):
            return cls(own_id(given, "restore"), overwrite=overwrite)
        table = given.get("table")
        if not isinstance(table, Mapping) or not {"campaign_id", "active_before", "active"} <= table.keys():
            raise InvalidArgument(
                f"restore must be the result of a RetreaverPayoutTableOperator or the ID of a table, not "
                f"{quoted(given)}."
            )
        if given.get("dry_run"):
            raise InvalidArgument(
                "restore is the result of a dry run, which changed nothing; give that of a real one."
            )
        if own_id(table["campaign_id"], "restore: campaign_id") != campaign_id is not None:
            raise InvalidArgument(
                f"restore is a result of campaign {quoted(table['campaign_id'])}, and not of {campaign_id}, which is "
                f"chosen."
            )
        before, after = (_id_or_none(table[name], f"restore: {name}") for name in ("active_before", "active"))
        return cls(before, after, has_expectation=True, overwrite=overwrite)


def _id_or_none(value: object, name: str) -> int | None:
    return None if value is None else own_id(value, name)


class RestoreTable(TableRun):
    """Activate the table that was active before another run, or deactivate what that run activated.

    :param campaign_id: Retreaver's own ID of the campaign.
    :param restoration: which table becomes active, and which one is expected to be.
    :param record: what earlier attempts of the same run did; None for nothing.
    :param save: saves the record; called before anything is changed.
    :param dry_run: only report what would be changed.
    """

    def __init__(
        self,
        campaign_id: int,
        restoration: Restoration,
        *,
        record: Record | None = None,
        save: Callable[[Record], None] | None = None,
        dry_run: bool = False,
    ) -> None:
        super().__init__(campaign_id, record=record, save=save, dry_run=dry_run)
        self._restoration = restoration

    def procedure(self) -> Procedure[PayoutTableResult]:
        """Compare with what the other run left, activate, read back."""
        target = self._restoration.target
        history = yield from self.begin(activates=True)
        table = history.find(target)
        if target is not None and table is None:
            raise ChangeRefused(f"There is no payout table {target} in campaign {self.campaign_id}: it was deleted.")
        if table is not None:
            self.report.id, self.report.version = table.id, table.version
        self._refuse_others(history)
        yield from self.activate(target)
        return self.result()

    def _refuse_others(self, history: History) -> None:
        """Refuse to restore where neither the other run's table nor the former one is active."""
        restoration = self._restoration
        if not restoration.has_expectation:
            return
        states = ({ACTIVE: one} for one in (restoration.target, restoration.expected, history.active_id))
        others = changed_by_others(*states)
        if not others:
            return
        self.report.changed_by_others += 1
        if not restoration.overwrite:
            raise ChangeRefused(
                f"Others changed campaign {self.campaign_id} after the run that is undone: {'; '.join(others)}. "
                f"Nothing was sent; set overwrite=True to restore it anyway."
            )
