"""Reading Retreaver's list of suppressed numbers."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from airflow_provider_retreaver.core.operations import Each, Procedure, Row
from airflow_provider_retreaver.domain.lists.number_set import Collector
from airflow_provider_retreaver.domain.lists.phones import from_e164
from airflow_provider_retreaver.domain.lists.suppression_plan import Known, SuppressionRequest
from airflow_provider_retreaver.domain.progress import ProgressLogger
from airflow_provider_retreaver.resources import suppression

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Reading:
    """Retreaver's list, sorted by scope as its rows come."""

    wanted: SuppressionRequest
    there: Collector = field(default_factory=Collector)
    differing: Collector = field(default_factory=Collector)
    covered: Collector = field(default_factory=Collector)
    conflicting: Collector = field(default_factory=Collector)
    unreadable: int = 0
    progress: ProgressLogger = field(
        default_factory=lambda: ProgressLogger(lambda line: log.info("Suppressed numbers read: %s.", line))
    )
    rows: int = 0

    def visit(self, row: Row) -> None:
        """Add one row."""
        self.rows += 1
        self.progress.update(self.rows)
        number = from_e164(str(row.get("number", "")).strip())
        if number is None:
            self.unreadable += 1
            return
        collector = self._collector(scope_of(row))
        collector.add(number)
        if collector is self.there and row.get("can_resubscribe") is not self.wanted.can_resubscribe:
            self.differing.add(number)

    def _collector(self, scope: str | None) -> Collector:
        if scope == self.wanted.campaign:
            return self.there
        return self.covered if scope is None else self.conflicting


def scope_of(row: Row) -> str | None:
    """Return the campaign for which a number is suppressed.

    :param row: a suppressed number.
    :return: customer's ID of the campaign, None for the whole company.
    """
    campaign = row.get("cid") or row.get("campaign_id")
    return None if campaign in (None, "") else str(campaign)


def read_list(wanted: SuppressionRequest) -> Procedure[Known]:
    """Read Retreaver's list completely (current routes).

    :param wanted: what the sync has to achieve.
    :return: the known numbers.
    :raises ListingIncomplete: when it cannot be read completely.
    """
    reading = _Reading(wanted)
    yield Each(suppression.list_suppressed_numbers(), reading.visit)
    if reading.unreadable:
        log.warning(
            "%d of %d suppressed numbers are not in E.164 and are not changed.",
            reading.unreadable,
            reading.rows,
        )
    there = reading.there.finish()
    return Known(there, there, reading.differing.finish(), reading.covered.finish(), reading.conflicting.finish())
