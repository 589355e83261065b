"""The operator that sets caps; import it from `operators.caps`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.operators.change_base import RetreaverSnapshotOperator
from airflow_provider_retreaver.operators.target_choice import SELECTION_FIELDS, Ids, Names, TagFilter, read_selection

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
    from airflow_provider_retreaver.domain.objects.key import ObjectKey
    from airflow_provider_retreaver.domain.objects.names import FoundNames
    from airflow_provider_retreaver.domain.objects.reading import FoundObjects
    from airflow_provider_retreaver.domain.objects.selection import TargetSelection
    from airflow_provider_retreaver.domain.routing.cap_change import NewCaps

Cap = int | str | None
CapRows = str | Sequence[Mapping[str, object]] | Mapping[Any, Mapping[str, object]]


class RetreaverSetCapsOperator(RetreaverSnapshotOperator):
    """Set hard, hourly, daily, monthly and concurrency caps of targets and of target groups.

    Retreaver's reference: "Changing a Target's Caps", "Changing a Target Group's Caps". Counts stay as they are. A
    cap is

    * a number of calls: `100`;
    * a change of the current cap: `"+10%"`, `"-10%"` (rounded to whole calls, halves up), `"+5"`, `-5`;
    * None (or `"none"`) for no cap;
    * `"keep"`, the default, to leave it unchanged.

    Caps are the same for all selected targets and groups, or given for each in `rows`. See `RetreaverChangeOperator`
    for the result and what a retry does: a relative change is computed once a run, and refused when others changed
    the cap between two attempts.

    :param hard: cap that counts until it is reset.
    :param hourly: cap that Retreaver resets.
    :param daily: cap that Retreaver resets.
    :param monthly: cap that Retreaver resets.
    :param concurrency: cap of simultaneous calls.
    :param target_ids: Retreaver's own IDs of targets.
    :param tids: the customer's IDs of targets.
    :param target_names: targets by name, as written at Retreaver; one that is not there, or not unique, is refused.
    :param tag: targets with this tag, as `"key:value"` or `{"key": "value"}`.
    :param target_group_ids: target groups, whose own caps are set (not their members').
    :param target_group_names: the same by name.
    :param rows: instead of all of the above: a list of mappings with one of `target_id`, `tid`, `target_name`,
        `target_group_id`, `target_group_name` and the caps to set (what is missing is kept, None is no cap), or a
        mapping of target IDs to caps. A change is a text here (`"-5"`): a negative number of a table may as well
        stand for no cap, and is refused.
    :param snapshot_path: file on object storage, e.g. `s3://conn@bucket/holidays/{{ ds }}.json`, that keeps hours,
        pause and caps of the targets that change, as they were, for `RetreaverRestoreOperator`; of targets only. None
        for no snapshot.
    :param overwrite_snapshot: also write it where another run has left its snapshot, which is refused otherwise.
    :param max_changes: a number of targets and groups, or a share of the selected ones (`0.1`, `"10%"`), above
        which nothing is sent; None for no limit.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is invalid; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when some could not be changed.
    """

    template_fields = (
        *RetreaverSnapshotOperator.template_fields,
        *("hard", "hourly", "daily", "monthly", "concurrency"),
        *SELECTION_FIELDS,
        "rows",
    )

    def __init__(
        self,
        *,
        hard: Cap = "keep",
        hourly: Cap = "keep",
        daily: Cap = "keep",
        monthly: Cap = "keep",
        concurrency: Cap = "keep",
        target_ids: Ids | None = None,
        tids: Ids | None = None,
        target_names: Names | None = None,
        tag: TagFilter | None = None,
        target_group_ids: Ids | None = None,
        target_group_names: Names | None = None,
        rows: CapRows | None = None,
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
        self.hard = hard
        self.hourly = hourly
        self.daily = daily
        self.monthly = monthly
        self.concurrency = concurrency
        self.target_ids = target_ids
        self.tids = tids
        self.target_names = target_names
        self.tag = tag
        self.target_group_ids = target_group_ids
        self.target_group_names = target_group_names
        self.rows = rows

    def change_spec(self, context: Context) -> ChangeSpec:
        """Return what is to be changed."""
        from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
        from airflow_provider_retreaver.domain.routing.cap_change import DesiredCaps
        from airflow_provider_retreaver.domain.routing.snapshot import NEEDED

        selection, common, caps_of = self._common_caps() if self.rows is None else self._caps_of_rows()
        file = self.snapshot_file(context)
        if file is not None and (selection.groups or selection.group_names):
            raise InvalidArgument("snapshot_path keeps targets, not target groups; set the groups' caps without it.")
        relative = any(cap.by is not None for caps in (common, *caps_of.values()) for cap in caps.values())
        needed = (*(NEEDED if file else ("caps",)), "concurrency_cap")
        found: FoundNames = {}
        return ChangeSpec(
            find=lambda names: _find(selection, needed, names, found),
            state=lambda key, row: DesiredCaps(
                common if self.rows is None else _caps_of_object(caps_of, found, key, row)
            ),
            counted="targets and groups",
            prepare=file.take if file else None,
            relative=relative,
        )

    def _common_caps(self) -> tuple[TargetSelection, NewCaps, Mapping[ObjectKey, NewCaps]]:
        from dataclasses import replace

        caps = self._caps()
        if not caps:
            raise InvalidArgument("No cap is given: give hard, hourly, daily, monthly or concurrency, or rows.")
        if not self._selects():
            raise InvalidArgument(f"No targets or groups are selected; give {', '.join(SELECTION_FIELDS)} or rows.")
        selection = read_selection(self)
        # An empty list, since None would select all targets.
        return replace(selection, ids=selection.ids or []), caps, {}

    def _caps_of_rows(self) -> tuple[TargetSelection, NewCaps, Mapping[ObjectKey, NewCaps]]:
        from airflow_provider_retreaver.domain.objects.selection import TargetSelection
        from airflow_provider_retreaver.domain.routing.cap_change import parse_rows

        if self._selects() or self._caps():
            raise InvalidArgument("rows has the objects and their caps: give it alone, without caps and IDs.")
        caps_of = parse_rows(self.rows)
        selection = TargetSelection(
            ids=[key.id for key in caps_of if key.kind == "target" and key.id is not None],
            tids=[key.customer_id for key in caps_of if key.customer_id is not None],
            groups=[key.id for key in caps_of if key.kind == "group" and key.id is not None],
            names=[key.name for key in caps_of if key.kind == "target" and key.name is not None],
            group_names=[key.name for key in caps_of if key.kind == "group" and key.name is not None],
        )
        return selection, {}, caps_of

    def _caps(self) -> NewCaps:
        from airflow_provider_retreaver.domain.routing.cap_change import NAMES, parse_caps

        return parse_caps({name: getattr(self, name) for name in NAMES}, "")

    def _selects(self) -> bool:
        return any(getattr(self, name) is not None for name in SELECTION_FIELDS)


def _caps_of_object(
    caps_of: Mapping[ObjectKey, NewCaps], names: FoundNames, key: ObjectKey, row: Mapping[str, object]
) -> NewCaps:
    """Return the caps that `rows` gives an object, which it may name by the customer's ID or by its name."""
    from airflow_provider_retreaver.core.errors import ChangeRefused
    from airflow_provider_retreaver.domain.objects.key import ObjectKey
    from airflow_provider_retreaver.domain.objects.names import TARGET, TARGET_GROUP

    by_tid = ObjectKey("target", customer_id=str(row.get("tid") or row.get("client_tid")))
    kind = TARGET if key.kind == "target" else TARGET_GROUP
    by_name = [ObjectKey(key.kind, name=name) for name, id_ in names.get(kind.title, {}).items() if id_ == key.id]
    found = [caps_of[name] for name in (key, by_tid, *by_name) if name in caps_of]
    if len(found) > 1:
        raise ChangeRefused(
            "rows has it several times, by its id, tid or name; give one row for it. Nothing was sent to it."
        )
    return found[0]


def _find(
    selection: TargetSelection, needed: Sequence[str], names: FoundNames, found_names: FoundNames
) -> Procedure[FoundObjects]:
    """Read targets and groups, where a group stands for itself; note what the run has found by name."""
    from dataclasses import replace

    from airflow_provider_retreaver.domain.objects.reading import find_groups, find_targets

    found = yield from find_targets(replace(selection, groups=None, group_names=None), needed, names=names)
    found.update((yield from find_groups(selection.groups or (), selection.group_names or (), names)))
    found_names.update(names)
    return found
