"""Pausing and resuming targets, with a guard that keeps groups open (vendor's reference: "Targets", `paused`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import ChangeRefused, ProtocolError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.changes.differences import View
from airflow_provider_retreaver.domain.changes.edit import Aim, Edit, owner
from airflow_provider_retreaver.domain.objects.reading import read_targets
from airflow_provider_retreaver.domain.routing.caps import any_full
from airflow_provider_retreaver.resources import target_groups

PAUSED = "paused"


def is_paused(row: Row) -> bool:
    """Return whether a target is paused.

    :raises ProtocolError: when it does not say.
    """
    if isinstance(row.get(PAUSED), bool):
        return bool(row[PAUSED])
    if "paused_at" in row:
        return row["paused_at"] is not None
    raise ProtocolError(f"{owner(row)} came without 'paused', which the vendor documents for it.")


class PausedAim(Aim):
    """A target paused, or not.

    :param paused: which.
    """

    def __init__(self, *, paused: bool) -> None:
        self._paused = paused

    def view(self, row: Row) -> View:
        """Return whether it is paused."""
        return {PAUSED: is_paused(row)}

    def want(self, _row: Row) -> View:
        """Return whether it is to be."""
        return {PAUSED: self._paused}

    def body(self, _row: Row, wanted: View) -> dict[str, Any]:
        """Return the attribute."""
        return dict(wanted)


def keep_open(least: int, edits: Sequence[Edit]) -> Procedure[None]:
    """Refuse to pause targets when fewer than `least` open ones would be left in a group of theirs.

    Open is a target that is neither paused nor stopped by a full cap; hours are not looked at, since they pass.

    :raises ChangeRefused: naming the groups, and who would be left.
    """
    pausing = {int(edit.key.removeprefix("target ")) for edit in edits}
    if not pausing:
        return
    listing = target_groups.list_target_groups()
    groups: list[Row] = yield listing
    members = {require(group, "id", listing.request): list(group.get("target_ids") or ()) for group in groups}
    concerned = [group for group in groups if pausing.intersection(members[group["id"]])]
    others = {member for group in concerned for member in members[group["id"]]} - pausing
    rows, errors = yield from read_targets(sorted(others), ("caps", "paused"))
    if errors:
        raise next(iter(errors.values()))
    opened = {id_ for id_, row in rows.items() if not is_paused(row) and not any_full(row)}
    short = [
        f'group {group["id"]} ("{group.get("name")}") would have {len(left)} open ({_listed(left)})'
        for group in concerned
        if len(left := sorted(opened.intersection(members[group["id"]]))) < least
    ]
    if short:
        raise ChangeRefused(f"keep_open={least} forbids this change: {'; '.join(short)}. Nothing was sent.")


def _listed(ids: Sequence[int]) -> str:
    shown = ", ".join(f"target {id_}" for id_ in ids[:5])
    return f"{shown} …" if len(ids) > 5 else shown or "none"
