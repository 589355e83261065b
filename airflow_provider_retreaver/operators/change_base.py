"""Bases of the operators that change targets, groups or contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.parameters import flag, is_given
from airflow_provider_retreaver.operators.base import RetreaverWriteOperator
from airflow_provider_retreaver.operators.run_base import ChangesRuns, ResumableRuns

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.storage.snapshot_file import SnapshotFile


class RetreaverResumableOperator(ResumableRuns, RetreaverWriteOperator):
    """Base of the operators whose retries continue after what an earlier attempt of the same run has done.

    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store, which
        Airflow before 3.3 does not have.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    """

    template_fields: tuple[str, ...] = (*RetreaverWriteOperator.template_fields, "state_path")

    def __init__(
        self,
        *,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.state_path = state_path


class RetreaverChangeOperator(ChangesRuns, RetreaverResumableOperator):
    """Base of the operators that change targets, groups or contacts.

    Reads first, sends only what differs, reads back, and returns::

        {"changed": [{"kind", "id", "name", "field", "before", "after"}, …],
         "unchanged": [{"kind", "id", "name"}, …],
         "failed": [{"kind", "id", "name", "error"}, …]}

    (`kind` is target, group or contact; a dry run has `would_change` instead of changes). When some fail, the others
    are still done, the result is still pushed, and the task fails naming those that failed. What an attempt has done
    is kept in Airflow's task state store (3.3 and later) or under `state_path`, so that a retry of the same run
    reports it and changes only what is left. Assets among the outlets get the counts, the fields and the IDs of what
    changed as their event's `extra`.

    :param max_changes: a number of objects, or a share of the selected ones (`0.1`, `"10%"`), above which nothing is
        sent; None for no limit.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    """

    template_fields: tuple[str, ...] = (*RetreaverResumableOperator.template_fields, "max_changes")

    def __init__(
        self,
        *,
        max_changes: float | str | None = None,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(state_path=state_path, dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.max_changes = max_changes


class RetreaverSnapshotOperator(RetreaverChangeOperator):
    """Base of the operators whose changes `RetreaverRestoreOperator` can undo.

    :param snapshot_path: file on object storage, e.g. `s3://conn@bucket/holidays/{{ ds }}.json`, that keeps hours,
        pause and caps of the targets that change, as they were; written before the first change. A retry of the same
        run adds to it. None for no snapshot.
    :param overwrite_snapshot: also write it where another run has left its snapshot, which is refused otherwise.
    :param max_changes: a number of objects, or a share of the selected ones (`0.1`, `"10%"`), above which nothing is
        sent; None for no limit.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    """

    template_fields: tuple[str, ...] = (
        *RetreaverChangeOperator.template_fields,
        "snapshot_path",
        "overwrite_snapshot",
    )

    def __init__(
        self,
        *,
        snapshot_path: str | None = None,
        overwrite_snapshot: bool | str = False,
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
        self.overwrite_snapshot = overwrite_snapshot

    def snapshot_file(self, context: Context) -> SnapshotFile | None:
        """Return where this run keeps its snapshot.

        :param context: of the task.
        :return: the file; None for no snapshot.
        :raises ChangeRefused: when another run's snapshot is there and may not be overwritten; nothing was sent.
        """
        if self.snapshot_path is None or not is_given(self.snapshot_path):
            return None
        from airflow_provider_retreaver.storage.snapshot_file import SnapshotFile

        return SnapshotFile.claim(
            self.snapshot_path, context, overwrite=flag(self.overwrite_snapshot, "overwrite_snapshot")
        )
