"""One run that changes several objects: what it keeps, what it reports, and how its guards refuse."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_retreaver.core.errors import ChangeRefused
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.changes.report import ChangeReport, ChangeResult
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit, warn_of_refusal
from airflow_provider_retreaver.domain.objects.key import ObjectKey


class ChangeRun:
    """What every run of changes has; `result()` returns at any time what was done.

    :param limit: how much may be changed; None for no limit.
    :param record: what earlier attempts of the same run did; None for nothing.
    :param save: saves the record; called before anything is sent and after.
    :param reload: reads the record again, after another attempt was at work.
    :param dry_run: only report what would be changed.
    """

    def __init__(
        self,
        *,
        limit: ChangeLimit | None = None,
        record: Record | None = None,
        save: Callable[[Record], None] | None = None,
        reload: Callable[[], Record] | None = None,
        dry_run: bool = False,
    ) -> None:
        self._limit = limit or ChangeLimit()
        self._record = record or Record()
        self._save = save
        self._reload = reload
        self._dry_run = dry_run
        self._refusal: str | None = None
        self._rows: dict[ObjectKey, Row] = {}
        self._report = ChangeReport(self._rows)

    def result(self) -> ChangeResult:
        """Return what was done until now.

        :return: plain JSON.
        """
        result = self._report.as_json()
        if self._dry_run:
            result["dry_run"] = True
        if self._refusal:
            result["refused"] = self._refusal
        return result

    @property
    def failed_for_good(self) -> bool:
        """Whether no retry mends any of the failures."""
        return self._report.failed_for_good

    def save_record(self) -> None:
        """Save what was planned and done until now."""
        if self._save is not None:
            self._save(self._record)

    def refuse(self, error: ChangeRefused) -> None:
        """End the run for a guard; a dry run goes on, and its result says why a real one would be refused.

        :param error: of the guard.
        :raises ChangeRefused: the same, unless it is a dry run.
        """
        if not self._dry_run:
            raise error
        self._refusal = str(error)
        warn_of_refusal(error)
