"""Operators for when targets are open: pause, business hours, and putting back what was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.operators.change_base import RetreaverChangeOperator, RetreaverSnapshotOperator
from airflow_provider_retreaver.operators.target_choice import NOT_GIVEN, Ids, chosen_targets

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.domain.changes.edit import Task
    from airflow_provider_retreaver.domain.objects.reading import FoundObjects
    from airflow_provider_retreaver.domain.routing.snapshot import Snapshot

SaidDay = str | Iterable[str]


class RetreaverSetPausedOperator(RetreaverSnapshotOperator):
    """Pause targets, or resume them.

    Vendor's reference: "Update a Target", parameter `paused`. See `RetreaverChangeOperator` for the result.

    :param paused: True pauses, False resumes.
    :param target_ids: Retreaver's own IDs of targets.
    :param tids: the customer's IDs of targets.
    :param target_group_ids: target groups, which stand for their members.
    :param tag: targets that carry this tag, as `"key:value"` or `{"key": "value"}`.
    :param only_filled: only targets of which a cap (hard, hourly, daily or monthly) is full; may stand alone.
    :param keep_open: refuse to pause when that would leave fewer open targets in any group of a target that is
        paused. Open is a target that is neither paused nor stopped by a full cap; hours are not looked at. None for
        no such limit.
    :raises InvalidArgument: naming the parameter that cannot be right; nothing was sent.
    :raises ChangeRefused: when `keep_open` or `max_changes` forbids it; nothing was sent.
    :raises PartialFailure: when some could not be changed.
    """

    template_fields = (
        *RetreaverSnapshotOperator.template_fields,
        *("paused", "target_ids", "tids", "target_group_ids", "tag", "only_filled", "keep_open"),
    )

    def __init__(
        self,
        *,
        paused: bool | str,
        target_ids: Ids | None = NOT_GIVEN,
        tids: Ids | None = NOT_GIVEN,
        target_group_ids: Ids | None = NOT_GIVEN,
        tag: str | Mapping[str, str] | None = NOT_GIVEN,
        only_filled: bool | str = False,
        keep_open: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.paused = paused
        self.target_ids = target_ids
        self.tids = tids
        self.target_group_ids = target_group_ids
        self.tag = tag
        self.only_filled = only_filled
        self.keep_open = keep_open

    def change_task(self, context: Context) -> Task:
        """Return what is meant."""
        from airflow_provider_retreaver.core.parameters import whole
        from airflow_provider_retreaver.domain.changes.edit import Task
        from airflow_provider_retreaver.domain.objects.reading import find_targets
        from airflow_provider_retreaver.domain.routing.caps import any_full
        from airflow_provider_retreaver.domain.routing.pause import PAUSED, PausedAim, keep_open
        from airflow_provider_retreaver.domain.routing.snapshot import NEEDED

        paused = flag(self.paused, "paused")
        only_filled = flag(self.only_filled, "only_filled")
        chosen = chosen_targets(self.target_ids, self.tids, self.target_group_ids, self.tag, only_filled=only_filled)
        least = None if self.keep_open in {None, "None", ""} else whole(self.keep_open, "keep_open")
        file = self.snapshot_file(context)
        needed = NEEDED if file else ("caps", PAUSED)
        return Task(
            find=lambda: find_targets(chosen, needed, any_full if only_filled else None),
            aim=lambda _key, _row: PausedAim(paused=paused),
            guard=(lambda edits: keep_open(least, edits)) if paused and least else None,
            prepare=file.take if file else None,
        )


class RetreaverUpdateBusinessHoursOperator(RetreaverSnapshotOperator):
    """Set business hours of targets, said the way people say them.

    Vendor's reference: "Nested Attribute: Business Hours". Hours are a mapping of days (`mon`, `mon-fri`, `sat, sun`,
    `weekdays`, `weekend`, `daily`) to `"09:00-17:30"`, several spans (`"08:00-12:00, 13:00-17:00"` or a list),
    `"closed"` or `"24h"`; hours alone hold for every day.

    A span over midnight runs into the next day: `{"mon": "22:00-06:00"}` is open Monday 22:00–24:00 and Tuesday
    00:00–06:00. A day that is named is described completely; one that is not keeps its hours, and a span of the day
    before adds its small hours to them. Only rows that change are sent, each with its ID. A day's rows are as many
    as the account has: hours that they cannot say are refused with the day and the reason, for that target. Hours are
    wall-clock time all year. See `RetreaverChangeOperator` for the result, whose fields are `sunday` to `saturday`
    and `time_zone`.

    :param hours: see above; may be JSON in a text.
    :param target_ids: Retreaver's own IDs of targets.
    :param tids: the customer's IDs of targets.
    :param target_group_ids: target groups, which stand for their members.
    :param tag: targets that carry this tag, as `"key:value"` or `{"key": "value"}`.
    :param time_zone: zone in which the hours are said, of the tz database (`America/New_York`) or one of the vendor's
        names; None for each target's own. For a target in another zone they are moved by the distance of the two, and
        refused where that changes within the next year.
    :param change_time_zone: give the targets that zone, in which the hours then are; days not named keep their
        numbers.
    :raises InvalidArgument: for hours or a zone that cannot be, naming the day; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when some could not be changed.
    """

    template_fields = (
        *RetreaverSnapshotOperator.template_fields,
        *("hours", "target_ids", "tids", "target_group_ids", "tag", "time_zone", "change_time_zone"),
    )

    def __init__(
        self,
        *,
        hours: str | Mapping[str, SaidDay],
        target_ids: Ids | None = None,
        tids: Ids | None = None,
        target_group_ids: Ids | None = None,
        tag: str | Mapping[str, str] | None = None,
        time_zone: str | None = None,
        change_time_zone: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.hours = hours
        self.target_ids = target_ids
        self.tids = tids
        self.target_group_ids = target_group_ids
        self.tag = tag
        self.time_zone = time_zone
        self.change_time_zone = change_time_zone

    def change_task(self, context: Context) -> Task:
        """Return what is meant."""
        from airflow_provider_retreaver.domain.changes.edit import Task
        from airflow_provider_retreaver.domain.objects.reading import find_targets
        from airflow_provider_retreaver.domain.routing.hours_change import HoursAim
        from airflow_provider_retreaver.domain.routing.snapshot import NEEDED
        from airflow_provider_retreaver.domain.routing.time_zones import rails_name
        from airflow_provider_retreaver.domain.routing.weekly_hours import SaidHours

        said = SaidHours.parse(self.hours)
        zone = rails_name(self.time_zone) if self.time_zone is not None else None
        move = flag(self.change_time_zone, "change_time_zone")
        if move and zone is None:
            raise InvalidArgument("change_time_zone is set and time_zone is not: say which zone the targets get.")
        chosen = chosen_targets(self.target_ids, self.tids, self.target_group_ids, self.tag)
        file = self.snapshot_file(context)
        needed = (*(NEEDED if file else ("business_hours",)), "time_zone")
        today = datetime.now(UTC).date()
        return Task(
            find=lambda: find_targets(chosen, needed),
            aim=lambda _key, _row: HoursAim(said, zone=zone, move=move, today=today),
            prepare=file.take if file else None,
        )


class RetreaverRestoreOperator(RetreaverChangeOperator):
    """Put targets back to how a snapshot says they were, exactly.

    A snapshot is taken by the operators that have `snapshot_path`. A target that is neither as our change left it nor
    as it was before is left alone and named with the three-way difference, unless `overwrite` is set: somebody else
    has changed it. Safe to repeat: what is already as it was is left alone. See `RetreaverChangeOperator` for the
    result.

    :param snapshot_path: file on object storage.
    :param parts: what to put back, and to look at for changes of others: some of `hours` (with the time zone),
        `paused`, `caps`.
    :param overwrite: put it back whatever was changed since.
    :raises InvalidArgument: when there is no snapshot, or it is another company's; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when some could not be put back, or somebody else has changed them.
    """

    template_fields = (*RetreaverChangeOperator.template_fields, "snapshot_path", "parts", "overwrite")

    def __init__(
        self,
        *,
        snapshot_path: str,
        parts: str | Iterable[str] = ("hours", "paused", "caps"),
        overwrite: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot_path = snapshot_path
        self.parts = parts
        self.overwrite = overwrite

    def change_task(self, context: Context) -> Task:  # noqa: ARG002
        """Return what is meant."""
        from airflow_provider_retreaver.core.parameters import one_of, texts
        from airflow_provider_retreaver.domain.changes.edit import Task
        from airflow_provider_retreaver.domain.routing.snapshot import PARTS, RestoreAim
        from airflow_provider_retreaver.storage.snapshot_file import read_snapshot

        parts = [one_of(part, PARTS, "parts") for part in texts(self.parts, "parts") or ()]
        if not parts:
            raise InvalidArgument(f"parts is empty: say what to put back, some of {', '.join(PARTS)}.")
        overwrite = flag(self.overwrite, "overwrite")
        path, snapshot = self.snapshot_path, read_snapshot(self.snapshot_path)
        return Task(
            find=lambda: _find(snapshot, path),
            aim=lambda key, _row: RestoreAim(snapshot.targets[key[7:]], parts, overwrite=overwrite),
        )


def _find(snapshot: Snapshot, path: str) -> Procedure[FoundObjects]:
    from airflow_provider_retreaver.domain.objects.reading import find_targets
    from airflow_provider_retreaver.domain.objects.selection import Chosen
    from airflow_provider_retreaver.domain.routing.snapshot import NEEDED
    from airflow_provider_retreaver.resources.companies import get_active_company

    company = yield get_active_company()
    snapshot.check_company(company, path)
    found: FoundObjects = yield from find_targets(Chosen(ids=[int(id_) for id_ in snapshot.targets]), NEEDED)
    return found
