"""Snapshots as files on object storage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.domain.routing.snapshot import Snapshot
from airflow_provider_retreaver.resources.companies import get_active_company
from airflow_provider_retreaver.storage.paths import destination_errors, storage_errors, storage_path
from airflow_provider_retreaver.storage.whole_files import replace_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_retreaver.domain.changes.edit import Edit


class SnapshotFile:
    """A snapshot that a run takes.

    :param path: of the file on object storage.
    :param run: `dag_id`, `run_id`, `task_id` and `map_index` of the task that takes it; empty without a task
        instance.
    :param snapshot: what an earlier attempt of the same run saved, None for nothing.
    """

    def __init__(self, path: ObjectStoragePath, run: Mapping[str, Any], snapshot: Snapshot | None) -> None:
        self._path = path
        self._run = run
        self._snapshot = snapshot

    @classmethod
    def claim(cls, path: str, context: Context, *, overwrite: bool) -> SnapshotFile:
        """Return the file for the snapshot of a run.

        :param path: of the file on object storage.
        :param context: the task's context.
        :param overwrite: whether a snapshot of another run may be replaced.
        :return: the file; nothing is written yet.
        :raises ChangeRefused: when another run's snapshot exists and may not be overwritten.
        :raises InvalidArgument: when the file exists and is no snapshot.
        """
        file, run = storage_path(path, "snapshot_path"), _run(context)
        with destination_errors(f"snapshot_path: {one_line(file)} cannot be read"):
            there = file.is_file()
        snapshot = read_snapshot(path) if there else None
        if snapshot is not None and (snapshot.run != run or not run):
            if not overwrite:
                raise ChangeRefused(
                    f"{path} already holds the snapshot of another run ({_run_label(snapshot.run)}, taken "
                    f"{snapshot.taken_at}), which may still be needed to restore it. If that run has made this "
                    f"change, as before a run that is triggered by hand, there is nothing to do; otherwise "
                    f"put a date into snapshot_path (and the map index of a mapped task), or set "
                    f"overwrite_snapshot=True. Nothing was sent."
                )
            snapshot = None
        return cls(file, run, snapshot)

    def take(self, edits: Sequence[Edit]) -> Procedure[None]:
        """Save the state of the targets that edits are about to change.

        :param edits: before they are sent.
        :raises InvalidArgument: when an earlier attempt's snapshot is of another company.
        :raises StorageFailed: when it cannot be written.
        """
        company = yield get_active_company()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        snapshot = self._snapshot or Snapshot(company["id"], self._run, now)
        snapshot.check_company(company, str(self._path))
        snapshot.add(edits)
        with storage_errors(f"Writing the snapshot {one_line(self._path)}", "nothing was changed without it."):
            replace_text(self._path, json.dumps(snapshot.dump(), indent=1))


def read_snapshot(path: str) -> Snapshot:
    """Read a snapshot.

    :param path: of the file on object storage.
    :return: the snapshot.
    :raises InvalidArgument: when the file does not exist or is no snapshot.
    """
    file = storage_path(path, "snapshot_path")
    with destination_errors(f"snapshot_path: {one_line(file)} cannot be read"):
        if not file.is_file():
            raise InvalidArgument(
                f"There is no snapshot at {path}: the change was never made with this snapshot_path, or the path "
                f"differs."
            )
        text = file.read_bytes()
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return Snapshot.load(value, path)


def _run(context: Context) -> dict[str, Any]:
    instance = context.get("ti")
    if instance is None:
        return {}
    return {name: getattr(instance, name) for name in ("dag_id", "run_id", "task_id", "map_index")}


def _run_label(run: Mapping[str, Any]) -> str:
    return f"task {run.get('task_id')} of {run.get('dag_id')}, run {run.get('run_id')}" if run else "run unknown"
