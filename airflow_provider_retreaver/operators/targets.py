"""Operators for when targets are open: pause, business hours, and restoring what was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.operators.change_base import RetreaverChangeOperator, RetreaverSnapshotOperator
from airflow_provider_retreaver.operators.target_choice import (
    NOT_GIVEN,
    SELECTION_FIELDS,
    Ids,
    Names,
    NotGiven,
    TagFilter,
    given_names,
    given_value,
    select_targets,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
    from airflow_provider_retreaver.domain.objects.reading import FoundObjects
    from airflow_provider_retreaver.domain.routing.snapshot import Snapshot

HoursOfDay = str | Iterable[str]
Part = Literal["hours", "paused", "caps"]


class RetreaverSetPausedOperator(RetreaverSnapshotOperator):
    """Pause targets, or resume them.

    Retreaver's reference: "Update a Target", parameter `paused`. See `RetreaverChangeOperator` for the result.

    :param paused: True pauses, False resumes.
    :param target_ids: Retreaver's own IDs of targets.
    :param tids: the customer's IDs of targets.
    :param target_names: targets by name, as written at Retreaver; one that is not there, or not unique, is refused.
    :param target_group_ids: target groups, which stand for their members.
    :param target_group_names: the same by name.
    :param tag: targets with this tag, as `"key:value"` or `{"key": "value"}`.
    :param only_filled: only targets of which a cap (hard, hourly, daily or monthly) is full; may stand alone.
    :param keep_open: refuse to pause when that would leave fewer open targets in any group of a target that is
        paused. A target is open when it is neither paused nor stopped by a full cap; business hours are not
        considered. None for no such limit.
    :param snapshot_path: file on object storage, e.g. `s3://conn@bucket/holidays/{{ ds }}.json`, that keeps hours,
        pause and caps of the targets that change, as they were, for `RetreaverRestoreOperator`; None for no snapshot.
    :param overwrite_snapshot: also write it where another run has left its snapshot, which is refused otherwise.
    :param max_changes: a number of targets, or a share of the selected ones (`0.1`, `"10%"`), above which nothing
        is sent; None for no limit.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is invalid; nothing was sent.
    :raises ChangeRefused: when `keep_open` or `max_changes` does not allow it; nothing was sent.
    :raises PartialFailure: when some could not be changed.
    """

    template_fields = (
        *RetreaverSnapshotOperator.template_fields,
        "paused",
        *SELECTION_FIELDS,
        *("only_filled", "keep_open"),
    )

    def __init__(
        self,
        *,
        paused: bool | str,
        target_ids: Ids | NotGiven | None = NOT_GIVEN,
        tids: Ids | NotGiven | None = NOT_GIVEN,
        target_names: Names | NotGiven | None = NOT_GIVEN,
        target_group_ids: Ids | NotGiven | None = NOT_GIVEN,
        target_group_names: Names | NotGiven | None = NOT_GIVEN,
        tag: TagFilter | NotGiven | None = NOT_GIVEN,
        only_filled: bool | str = False,
        keep_open: int | str | None = None,
        snapshot_path: str | None = None,
        overwrite_snapshot: bool | str = False,
        max_changes: float | str | None = None,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            snapshot_path=snapshot_path,
            overwrite_snapshot=overwrite_snapshot,
            max_changes=max_changes,
            state_path=state_path,
            dry_run=dry_run,
            retreaver_conn_id=retreaver_conn_id,
            **kwargs,
        )
        self.paused = paused
        self.selection_given = given_names(
            target_ids=target_ids,
            tids=tids,
            target_names=target_names,
            target_group_ids=target_group_ids,
            target_group_names=target_group_names,
            tag=tag,
        )
        self.target_ids = given_value(target_ids)
        self.tids = given_value(tids)
        self.target_names = given_value(target_names)
        self.target_group_ids = given_value(target_group_ids)
        self.target_group_names = given_value(target_group_names)
        self.tag = given_value(tag)
        self.only_filled = only_filled
        self.keep_open = keep_open

    def change_spec(self, context: Context) -> ChangeSpec:
        """Return what is to be changed."""
        from airflow_provider_retreaver.core.parameters import number
        from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
        from airflow_provider_retreaver.domain.objects.reading import find_targets
        from airflow_provider_retreaver.domain.routing.caps import any_full
        from airflow_provider_retreaver.domain.routing.pause import PAUSED, DesiredPause, keep_open
        from airflow_provider_retreaver.domain.routing.snapshot import NEEDED

        paused = flag(self.paused, "paused")
        only_filled = flag(self.only_filled, "only_filled")
        selection = select_targets(self, only_filled=only_filled, given=self.selection_given)
        least = number(self.keep_open, "keep_open")
        file = self.snapshot_file(context)
        needed = NEEDED if file else ("caps", PAUSED)
        return ChangeSpec(
            find=lambda names: find_targets(selection, needed, any_full if only_filled else None, names),
            state=lambda _key, _row: DesiredPause(paused=paused),
            guard=(lambda edits: keep_open(least, edits)) if paused and least else None,
            prepare=file.take if file else None,
        )


class RetreaverUpdateBusinessHoursOperator(RetreaverSnapshotOperator):
    """Set business hours of targets, as `{"mon-fri": "09:00-17:30", "sat": "closed"}`.

    Retreaver's reference: "Nested Attribute: Business Hours". Hours are a mapping of days (`mon`, `mon-fri`,
    `sat, sun`, `weekdays`, `weekend`, `daily`) to `"09:00-17:30"`, several spans (`"08:00-12:00, 13:00-17:00"` or a
    list), `"closed"` or `"24h"`; hours without days hold for every day.

    A span over midnight continues on the next day: `{"mon": "22:00-06:00"}` is open Monday 22:00–24:00 and Tuesday
    00:00–06:00. The hours of a named day are replaced completely; a day that is not named keeps its hours, and a span
    of the day before is added to them. Only rows that change are sent, each with its ID. The number of a day's rows
    is given by the account: hours that they cannot express are refused with the day and the reason, for that target.
    Hours are local time all year. See `RetreaverChangeOperator` for the result, whose fields are `sunday` to
    `saturday` and `time_zone`.

    :param hours: see above; may be JSON in a text.
    :param target_ids: Retreaver's own IDs of targets.
    :param tids: the customer's IDs of targets.
    :param target_names: targets by name, as written at Retreaver; one that is not there, or not unique, is refused.
    :param target_group_ids: target groups, which stand for their members.
    :param target_group_names: the same by name.
    :param tag: targets with this tag, as `"key:value"` or `{"key": "value"}`.
    :param time_zone: zone of the hours, of the tz database (`America/New_York`) or one of Retreaver's names; None for
        each target's own. For a target in another zone they are moved by the difference of the two, and refused where
        that changes in the next five years.
    :param change_time_zone: give the targets that zone, in which the hours then are; days that are not named keep
        their numbers.
    :param snapshot_path: file on object storage, e.g. `s3://conn@bucket/holidays/{{ ds }}.json`, that keeps hours,
        pause and caps of the targets that change, as they were, for `RetreaverRestoreOperator`; None for no snapshot.
    :param overwrite_snapshot: also write it where another run has left its snapshot, which is refused otherwise.
    :param max_changes: a number of targets, or a share of the selected ones (`0.1`, `"10%"`), above which nothing
        is sent; None for no limit.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: for invalid hours or an unknown zone, naming the day; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when some could not be changed.
    """

    template_fields = (
        *RetreaverSnapshotOperator.template_fields,
        "hours",
        *SELECTION_FIELDS,
        *("time_zone", "change_time_zone"),
    )

    def __init__(
        self,
        *,
        hours: str | Mapping[str, HoursOfDay],
        target_ids: Ids | None = None,
        tids: Ids | None = None,
        target_names: Names | None = None,
        target_group_ids: Ids | None = None,
        target_group_names: Names | None = None,
        tag: TagFilter | None = None,
        time_zone: str | None = None,
        change_time_zone: bool | str = False,
        snapshot_path: str | None = None,
        overwrite_snapshot: bool | str = False,
        max_changes: float | str | None = None,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            snapshot_path=snapshot_path,
            overwrite_snapshot=overwrite_snapshot,
            max_changes=max_changes,
            state_path=state_path,
            dry_run=dry_run,
            retreaver_conn_id=retreaver_conn_id,
            **kwargs,
        )
        self.hours = hours
        self.target_ids = target_ids
        self.tids = tids
        self.target_names = target_names
        self.target_group_ids = target_group_ids
        self.target_group_names = target_group_names
        self.tag = tag
        self.time_zone = time_zone
        self.change_time_zone = change_time_zone

    def change_spec(self, context: Context) -> ChangeSpec:
        """Return what is to be changed."""
        from airflow_provider_retreaver.core.rendered import read_rendered
        from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
        from airflow_provider_retreaver.domain.objects.reading import find_targets
        from airflow_provider_retreaver.domain.routing.hours_change import DesiredHours
        from airflow_provider_retreaver.domain.routing.snapshot import NEEDED
        from airflow_provider_retreaver.domain.routing.time_zones import rails_name
        from airflow_provider_retreaver.domain.routing.weekly_hours import WeeklyHours

        hours = WeeklyHours.parse(self.hours)
        today = datetime.now(UTC).date()
        given = read_rendered(self.time_zone, "time_zone")
        zone = rails_name(given, today) if given is not None else None
        move = flag(self.change_time_zone, "change_time_zone")
        if move and zone is None:
            raise InvalidArgument("change_time_zone is set and time_zone is not: give the zone of the targets.")
        selection = select_targets(self)
        file = self.snapshot_file(context)
        needed = (*(NEEDED if file else ("business_hours",)), "time_zone")
        return ChangeSpec(
            find=lambda names: find_targets(selection, needed, names=names),
            state=lambda _key, _row: DesiredHours(hours, zone=zone, move=move, today=today),
            prepare=file.take if file else None,
        )


class RetreaverRestoreOperator(RetreaverChangeOperator):
    """Restore targets to exactly what a snapshot has.

    A snapshot is taken by the operators that have `snapshot_path`. A target that is neither as our change left it nor
    as it was before was changed by others: it stays as it is and is named with the three-way difference, unless
    `overwrite` is set. Safe to repeat: what is already as it was stays unchanged. See `RetreaverChangeOperator` for
    the result.

    :param snapshot_path: file on object storage.
    :param parts: what to restore, and to compare for changes of others: some of `hours` (with the time zone),
        `paused`, `caps`.
    :param overwrite: restore it even where others have changed it since.
    :param max_changes: a number of targets, or a share of those in the snapshot (`0.1`, `"10%"`), above which nothing
        is sent; None for no limit.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: when there is no snapshot, or it is another company's; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when some could not be restored, or others have changed them.
    """

    template_fields = (*RetreaverChangeOperator.template_fields, "snapshot_path", "parts", "overwrite")

    def __init__(
        self,
        *,
        snapshot_path: str,
        parts: Part | str | Iterable[Part] = ("hours", "paused", "caps"),
        overwrite: bool | str = False,
        max_changes: float | str | None = None,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            max_changes=max_changes,
            state_path=state_path,
            dry_run=dry_run,
            retreaver_conn_id=retreaver_conn_id,
            **kwargs,
        )
        self.snapshot_path = snapshot_path
        self.parts = parts
        self.overwrite = overwrite

    def change_spec(self, context: Context) -> ChangeSpec:  # noqa: ARG002
        """Return what is to be changed."""
        from airflow_provider_retreaver.core.parameters import one_of, texts
        from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
        from airflow_provider_retreaver.domain.routing.snapshot import PARTS, RestoredState
        from airflow_provider_retreaver.storage.snapshot_file import read_snapshot

        parts = [one_of(part, PARTS, "parts") for part in texts(self.parts, "parts") or ()]
        if not parts:
            raise InvalidArgument(f"parts is empty: give what to restore, some of {', '.join(PARTS)}.")
        overwrite = flag(self.overwrite, "overwrite")
        path, snapshot = self.snapshot_path, read_snapshot(self.snapshot_path)
        return ChangeSpec(
            find=lambda _names: _find(snapshot, path),
            state=lambda key, _row: RestoredState(snapshot.targets[key.id or 0], parts, overwrite=overwrite),
        )


def _find(snapshot: Snapshot, path: str) -> Procedure[FoundObjects]:
    from airflow_provider_retreaver.domain.objects.reading import find_targets
    from airflow_provider_retreaver.domain.objects.selection import TargetSelection
    from airflow_provider_retreaver.domain.routing.snapshot import NEEDED
    from airflow_provider_retreaver.resources.companies import get_active_company

    company = yield get_active_company()
    snapshot.check_company(company, path)
    found: FoundObjects = yield from find_targets(TargetSelection(ids=list(snapshot.targets)), NEEDED)
    return found
