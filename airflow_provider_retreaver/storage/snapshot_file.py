"""Snapshots as files on object storage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.domain.routing.snapshot import Snapshot
from airflow_provider_retreaver.resources.companies import get_active_company
from airflow_provider_retreaver.storage.places import storage_place
from airflow_provider_retreaver.storage.whole_files import replace_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_retreaver.domain.changes.edit import Edit


class SnapshotFile:
    """A snapshot that a run takes.

    :param path: of the file.
    :param run: names the task of a run.
    :param taken: what an earlier attempt of the same run took.
    """

    def __init__(self, path: ObjectStoragePath, run: Mapping[str, Any], taken: Snapshot | None) -> None:
        self._path = path
        self._run = run
        self._taken = taken

    @classmethod
    def claim(cls, path: str, context: Context, *, overwrite: bool) -> SnapshotFile:
        """Return the file of a run.

        :raises ChangeRefused: when another run's snapshot is there and may not be overwritten.
        :raises InvalidArgument: when something else than a snapshot is there.
        """
        file, run = storage_place(path, "snapshot_path"), _run_of(context)
        taken = read_snapshot(path) if file.is_file() else None
        if taken is not None and (taken.run != run or not run):
            if not overwrite:
                raise ChangeRefused(
                    f"{path} already holds the snapshot of another run ({_told(taken.run)}, taken {taken.taken_at}), "
                    f"which may still be needed to restore it; put a date into snapshot_path (and the map index of a "
                    f"mapped task), or set overwrite_snapshot=True. Nothing was sent."
                )
            taken = None
        return cls(file, run, taken)

    def take(self, edits: Sequence[Edit]) -> Procedure[None]:
        """Remember what edits are about to change."""
        company = yield get_active_company()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        snapshot = self._taken or Snapshot(company["id"], self._run, now)
        snapshot.check_company(company, str(self._path))
        snapshot.add(edits)
        replace_text(self._path, json.dumps(snapshot.dump(), indent=1))


def read_snapshot(path: str) -> Snapshot:
    """Read a snapshot.

    :param path: of the file on object storage.
    :raises InvalidArgument: when there is none.
    """
    file = storage_place(path, "snapshot_path")
    if not file.is_file():
        raise InvalidArgument(
            f"There is no snapshot at {path}: the change was never made with this snapshot_path, or the path differs."
        )
    try:
        value = json.loads(file.read_text())
    except ValueError:
        value = None
    return Snapshot.load(value, path)


def _run_of(context: Context) -> dict[str, Any]:
    instance = context.get("ti")
    if instance is None:
        return {}
    return {name: getattr(instance, name) for name in ("dag_id", "run_id", "task_id", "map_index")}


def _told(run: Mapping[str, Any]) -> str:
    return f"task {run.get('task_id')} of {run.get('dag_id')}, run {run.get('run_id')}" if run else "run unknown"
