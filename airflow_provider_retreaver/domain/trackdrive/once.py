"""What is done once to each of several buyer groups, a reset or an invitation, also when answers are lost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from airflow_provider_retreaver.core.errors import ChangeRefused, RetreaverError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.changes.change_run import ChangeRun
from airflow_provider_retreaver.domain.changes.differences import FieldChange
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.changes.report import ChangeResult
from airflow_provider_retreaver.domain.changes.turn import TakesTurns
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from airflow_provider_retreaver.domain.objects.key import ObjectKey
from airflow_provider_retreaver.domain.objects.reading import find_buyer_groups

# By group: the fields that it changes.
Planned = Mapping[ObjectKey, Sequence[FieldChange]]


class DoOnce(ChangeRun, TakesTurns, ABC):
    """One run: `procedure()` does it, `result()` returns at any time what was done.

    :param group_ids: TrackDrive's IDs of the groups.
    :param limit: how many groups may be concerned; None for no limit.
    :param record: what earlier attempts of the same run did; None for nothing.
    :param save: saves the record; called before anything is sent and after.
    :param reload: reads the record again, after another attempt was at work.
    :param dry_run: only report what would be done.
    """

    def __init__(
        self,
        group_ids: Sequence[int],
        *,
        limit: ChangeLimit | None = None,
        record: Record | None = None,
        save: Callable[[Record], None] | None = None,
        reload: Callable[[], Record] | None = None,
        dry_run: bool = False,
    ) -> None:
        super().__init__(limit=limit, record=record, save=save, reload=reload, dry_run=dry_run)
        self._group_ids = group_ids

    def procedure(self) -> Procedure[ChangeResult]:
        """Read the groups, and do it to those that need it.

        :return: the result.
        :raises ChangeRefused: when it would be more groups than the limit; nothing was sent.
        :raises AuthenticationError: and other errors that concern the whole account; `result()` still returns what
            was done.
        :raises RunUnderWay: when another run is at work and does not end, or has taken over.
        """
        found = yield from find_buyer_groups(self._group_ids)
        self._rows.update(found.rows)
        for key, error in found.errors.items():
            self._report.fail(key, error)
        planned = self._planned(found.rows)
        self._ask_guard(len(planned))
        if self._dry_run:
            for key, changes in planned.items():
                self._report.would_change(key, changes)
            return self.result()
        if planned and (yield from self.wait_for_turn()) and self._reload is not None:
            self._record = self._reload()
            planned = self._planned({key: self._rows[key] for key in planned})
        yield from self.send(planned)
        return self.result()

    def _planned(self, rows: Mapping[ObjectKey, Row]) -> Planned:
        planned: dict[ObjectKey, Sequence[FieldChange]] = {}
        for key, row in rows.items():
            try:
                changes = None if self._is_reported(key) else self.plan(key, row)
            except RetreaverError as error:
                self._report.fail(key, error)
                continue
            if changes:
                planned[key] = changes
        return planned

    @abstractmethod
    def plan(self, key: ObjectKey, row: Row) -> Sequence[FieldChange]:
        """Return what is to be changed on a group; where it is nothing, report why.

        :param key: of the group.
        :param row: the group as read.
        :return: the changes.
        :raises RetreaverError: when the group cannot be changed.
        """

    @abstractmethod
    def send(self, planned: Planned) -> Procedure[None]:
        """Do it, and report each group.

        :param planned: the groups and what changes on them.
        :return: nothing.
        """

    def done(self, key: ObjectKey, changes: Sequence[FieldChange]) -> None:
        """Report a group that was changed, and note it for the next attempt.

        :param key: of the group.
        :param changes: that were made; none where others have made them.
        """
        self._record.done[str(key)] = [one.as_json() for one in changes]
        self._is_reported(key)

    def _is_reported(self, key: ObjectKey) -> bool:
        """Report a group that is done, by this attempt or an earlier one; return whether it is."""
        changes = self._record.done.get(str(key))
        if changes:
            self._report.changed(key, [FieldChange(*one) for one in changes])
        elif changes is not None:
            self._report.unchanged(key)
        return changes is not None

    def _ask_guard(self, count: int) -> None:
        try:
            self._limit.check(count, len(self._rows), "buyer groups")
        except ChangeRefused as error:
            self.refuse(error)
