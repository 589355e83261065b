"""Pausing and resuming targets, with a guard that keeps groups open (Retreaver's reference: "Update a Target")."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import ChangeRefused, ProtocolError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.changes.differences import Fields
from airflow_provider_retreaver.domain.changes.edit import DesiredState, Edit
from airflow_provider_retreaver.domain.objects.naming import object_name
from airflow_provider_retreaver.domain.objects.reading import read_targets
from airflow_provider_retreaver.domain.routing.caps import any_full
from airflow_provider_retreaver.resources import target_groups

PAUSED = "paused"
# Targets that an error names at most.
MAX_NAMED = 5


def is_paused(row: Row) -> bool:
    """Return whether a target is paused.

    :param row: the target as read.
    :return: True when it is.
    :raises ProtocolError: when the target came without `paused`.
    """
    if isinstance(row.get(PAUSED), bool):
        return bool(row[PAUSED])
    if "paused_at" in row:
        return row["paused_at"] is not None
    raise ProtocolError(f"{object_name(row)} came without 'paused', which Retreaver documents for it.")


class DesiredPause(DesiredState):
    """A target that is paused, or not.

    :param paused: whether it should be paused.
    """

    def __init__(self, *, paused: bool) -> None:
        self._paused = paused

    def current(self, row: Row) -> Fields:
        """Return whether the target is paused."""
        return {PAUSED: is_paused(row)}

    def desired(self, row: Row) -> Fields:  # noqa: ARG002
        """Return whether the target should be paused."""
        return {PAUSED: self._paused}

    def attributes(self, row: Row, fields: Fields) -> dict[str, object]:  # noqa: ARG002
        """Return the attribute `paused`."""
        return dict(fields)


def keep_open(least: int, edits: Sequence[Edit]) -> Procedure[None]:
    """Refuse to pause targets when one of their groups would be left with too few open targets.

    A target is open when it is neither paused nor stopped by a full cap. Business hours are not considered.

    :param least: open targets that each group must keep.
    :param edits: of the targets to be paused.
    :raises ChangeRefused: naming the groups, and the targets that would be left open.
    """
    pausing = {edit.key.id for edit in edits}
    if not pausing:
        return
    listing = target_groups.list_target_groups()
    groups: list[Row] = yield listing
    members = {require(group, "id", listing.request): list(group.get("target_ids") or ()) for group in groups}
    affected = [group for group in groups if pausing.intersection(members[group["id"]])]
    others = {member for group in affected for member in members[group["id"]]} - pausing
    rows, errors = yield from read_targets(sorted(others), ("caps", "paused"))
    if errors:
        raise next(iter(errors.values()))
    still_open = {id_ for id_, row in rows.items() if not is_paused(row) and not any_full(row)}
    short = [
        f'group {group["id"]} ("{group.get("name")}") would have {len(left)} open ({_format_targets(left)})'
        for group in affected
        if len(left := sorted(still_open.intersection(members[group["id"]]))) < least
    ]
    if short:
        raise ChangeRefused(f"keep_open={least} does not allow this change: {'; '.join(short)}. Nothing was sent.")


def _format_targets(ids: Sequence[int]) -> str:
    names = ", ".join(f"target {id_}" for id_ in ids[:MAX_NAMED])
    return f"{names} …" if len(ids) > MAX_NAMED else names or "none"
