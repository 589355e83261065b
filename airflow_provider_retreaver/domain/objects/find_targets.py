"""Reading the objects that a task has chosen, by key."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.changes.edit import FoundObjects
from airflow_provider_retreaver.domain.objects.reading import all_targets, read_by_tid, read_targets, together
from airflow_provider_retreaver.domain.objects.selection import Chosen
from airflow_provider_retreaver.resources import target_groups


def find_targets(
    chosen: Chosen, needed: Sequence[str], only: Callable[[Row], bool] | None = None
) -> Procedure[FoundObjects]:
    """Read the targets chosen; a group stands for its members.

    :param needed: fields that rows must have.
    :param only: leaves out targets that were read and are not meant; one that it cannot judge counts as an error.
    """
    found = yield from _chosen(chosen, needed)
    if only is None:
        return found
    kept = FoundObjects(errors=found.errors)
    for key, row in found.rows.items():
        try:
            if only(row):
                kept.rows[key] = row
        except RetreaverError as error:
            kept.errors[key] = error
    return kept


def find_groups(ids: Sequence[int]) -> Procedure[FoundObjects]:
    """Read target groups."""
    outcomes = yield from together([target_groups.get_target_group(id_) for id_ in ids])
    found = FoundObjects()
    for id_, outcome in zip(ids, outcomes, strict=True):
        if outcome.error is not None:
            found.errors[f"group {id_}"] = outcome.error
        else:
            found.rows[f"group {id_}"] = outcome.value or {}
    return found


def _chosen(chosen: Chosen, needed: Sequence[str]) -> Procedure[FoundObjects]:
    groups = yield from find_groups(chosen.groups or ())
    members = [member for group in groups.rows.values() for member in group.get("target_ids") or ()]
    rows, errors = yield from read_targets([*(chosen.ids or ()), *members], needed)
    named, unread = yield from read_by_tid(chosen.tids or ())
    found = FoundObjects({f"target {id_}": row for id_, row in rows.items()}, dict(groups.errors))
    found.rows.update({f"target {row['id']}": row for row in named})
    found.errors.update({f"target {id_}": error for id_, error in errors.items()})
    found.errors.update({f"target tid {tid}": error for tid, error in unread.items()})
    if chosen.tag is not None or chosen.everything:
        listed = yield from all_targets((*needed, "tag_values") if chosen.tag else needed)
        for row in listed:
            if chosen.tag is None or chosen.tag.on(row):
                found.rows.setdefault(f"target {row['id']}", row)
    return found
