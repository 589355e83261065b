"""A run that changes which payout table is active, of a campaign that is chosen by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.names import CAMPAIGN, find_ids
from airflow_provider_retreaver.domain.payout_tables.change import TableRun
from airflow_provider_retreaver.domain.payout_tables.report import PayoutTableResult


class RunOfNamedCampaign:
    """Finds the campaign, and then runs the change.

    :param name: of the campaign.
    :param record: what earlier attempts of the same run did, and the ID that they have found.
    :param create: returns the run, by Retreaver's own ID of the campaign.
    """

    failed_for_good = False

    def __init__(self, name: str, record: Record, create: Callable[[int], TableRun]) -> None:
        self._name = name
        self._record = record
        self._create = create
        self._run: TableRun | None = None

    def procedure(self) -> Procedure[PayoutTableResult]:
        """Look the name up, unless an earlier attempt has, and make the change.

        :return: the result.
        :raises NotFound: when no campaign has the name; nothing was sent.
        :raises InvalidArgument: when several have it, or the run is not for this campaign; nothing was sent.
        :raises ChangeRefused: see `TableRun`.
        """
        (campaign_id,) = yield from find_ids(CAMPAIGN, [self._name], "campaign_name", self._record.names)
        self._run = self._create(campaign_id)
        self._run.report.campaign_name = self._name
        return (yield from self._run.procedure())

    def result(self) -> Any:
        """Return what was done until now.

        :return: plain JSON; empty lists while the campaign is not known.
        """
        return {"changed": [], "unchanged": [], "failed": []} if self._run is None else self._run.result()
