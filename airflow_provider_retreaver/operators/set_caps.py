"""The operator that sets caps; import it from `operators.caps`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.operators.change_base import RetreaverSnapshotOperator
from airflow_provider_retreaver.operators.target_choice import Ids

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.domain.changes.edit import Task
    from airflow_provider_retreaver.domain.objects.reading import FoundObjects
    from airflow_provider_retreaver.domain.objects.selection import Chosen
    from airflow_provider_retreaver.domain.routing.cap_change import NewCaps

Cap = int | str | None
CapRows = str | Sequence[Mapping[str, Any]] | Mapping[Any, Mapping[str, Any]]


class RetreaverSetCapsOperator(RetreaverSnapshotOperator):
    """Set hard, hourly, daily, monthly and concurrency caps of targets and of target groups.

    Vendor's reference: "Changing a Target's Caps", "Changing a Target Group's Caps". Counts stay as they are. A cap
    is

    * a number of calls: `100`;
    * a change of what it is now: `"+10%"`, `"-10%"` (rounded to whole calls, halves up), `"+5"`, `-5`;
    * None (or `"none"`) for no cap;
    * `"keep"`, the default, to leave it alone.

    The same for all targets and groups named, or of its own for each in `rows`. See `RetreaverChangeOperator` for the
    result and what a retry does: a relative change is worked out once a run, and refused when somebody changed the
    cap between two attempts.

    :param hard: cap that counts until it is reset.
    :param hourly: cap that the vendor resets.
    :param daily: cap that the vendor resets.
    :param monthly: cap that the vendor resets.
    :param concurrency: cap of calls at once.
    :param target_ids: Retreaver's own IDs of targets.
    :param tids: the customer's IDs of targets.
    :param tag: targets that carry this tag, as `"key:value"` or `{"key": "value"}`.
    :param target_group_ids: target groups, whose own caps are set (not their members').
    :param rows: instead of all of the above: a list of mappings with one of `target_id`, `tid`, `target_group_id`
        and the caps to set (what is missing is kept, None is no cap), or a mapping of target IDs to caps.
    :param snapshot_path: see `RetreaverSnapshotOperator`; of targets only.
    :raises InvalidArgument: naming the parameter that cannot be right; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when some could not be changed.
    """

    template_fields = (
        *RetreaverSnapshotOperator.template_fields,
        *("hard", "hourly", "daily", "monthly", "concurrency"),
        *("target_ids", "tids", "tag", "target_group_ids", "rows"),
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
        tag: str | Mapping[str, str] | None = None,
        target_group_ids: Ids | None = None,
        rows: CapRows | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.hard = hard
        self.hourly = hourly
        self.daily = daily
        self.monthly = monthly
        self.concurrency = concurrency
        self.target_ids = target_ids
        self.tids = tids
        self.tag = tag
        self.target_group_ids = target_group_ids
        self.rows = rows

    def change_task(self, context: Context) -> Task:
        """Return what is meant."""
        from airflow_provider_retreaver.domain.changes.edit import Task
        from airflow_provider_retreaver.domain.objects.selection import Chosen
        from airflow_provider_retreaver.domain.routing.cap_change import CapsAim, parse_rows
        from airflow_provider_retreaver.domain.routing.snapshot import NEEDED

        if self.rows is None:
            chosen, caps = self._one_for_many()
            each: dict[str, NewCaps] = {}
        else:
            if self._named() or self._caps():
                raise InvalidArgument("rows says whose caps and which: give it alone, without caps and IDs.")
            each = dict(parse_rows(self.rows))
            caps = {}
            chosen = Chosen(
                ids=[int(key[7:]) for key in each if key.startswith("target ") and key[7:].isdecimal()],
                tids=[key[11:] for key in each if key.startswith("target tid ")],
                groups=[int(key[6:]) for key in each if key.startswith("group ")],
            )
        file = self.snapshot_file(context)
        if file is not None and chosen.groups:
            raise InvalidArgument("snapshot_path keeps targets, not target groups; set the groups' caps without it.")
        relative = any(cap.by is not None for new in (caps, *each.values()) for cap in new.values())
        return Task(
            find=lambda: _find(chosen, (*(NEEDED if file else ("caps",)), "concurrency_cap")),
            aim=lambda key, row: CapsAim(caps if self.rows is None else _own(each, key, row)),
            counted="targets and groups",
            prepare=file.take if file else None,
            relative=relative,
        )

    def _one_for_many(self) -> tuple[Chosen, NewCaps]:
        from airflow_provider_retreaver.core.parameters import ids, texts
        from airflow_provider_retreaver.domain.objects.selection import Chosen, Tag

        caps = self._caps()
        if not caps:
            raise InvalidArgument("No cap is given: give hard, hourly, daily, monthly or concurrency, or rows.")
        if not self._named():
            raise InvalidArgument(
                "Nothing says whose caps to set; give target_ids, tids, tag, target_group_ids or rows."
            )
        chosen = Chosen(
            # An empty list, since None would stand for everybody.
            ids=ids(self.target_ids, "target_ids") or [],
            tids=texts(self.tids, "tids"),
            groups=ids(self.target_group_ids, "target_group_ids"),
            tag=Tag.parse(self.tag),
        )
        return chosen, caps

    def _caps(self) -> NewCaps:
        from airflow_provider_retreaver.domain.routing.cap_change import NAMES, parse_caps

        return parse_caps({name: getattr(self, name) for name in NAMES}, "")

    def _named(self) -> bool:
        return any(given is not None for given in (self.target_ids, self.tids, self.tag, self.target_group_ids))


def _own(each: Mapping[str, NewCaps], key: str, row: Mapping[str, Any]) -> NewCaps:
    """Return the caps that `rows` gives an object, which it may name by the customer's ID."""
    from airflow_provider_retreaver.core.errors import ChangeRefused

    by_tid = f"target tid {row.get('tid') or row.get('client_tid')}"
    found = [each[name] for name in (key, by_tid) if name in each]
    if len(found) > 1:
        raise ChangeRefused("rows names it twice, by its id and by its tid; nothing was sent to it.")
    return found[0]


def _find(chosen: Chosen, needed: Sequence[str]) -> Procedure[FoundObjects]:
    """Read targets and groups, where a group stands for itself."""
    from dataclasses import replace

    from airflow_provider_retreaver.domain.objects.reading import find_groups, find_targets

    found = yield from find_targets(replace(chosen, groups=None), needed)
    groups = yield from find_groups(chosen.groups or ())
    found.rows.update(groups.rows)
    found.errors.update(groups.errors)
    return found
