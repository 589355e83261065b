"""What the operators share that change targets, groups or contacts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.operators.base import (
    RetreaverWriteOperator,
    partial_failure,
    publish_partial,
    told_ids,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.changes.change import ChangeObjects
    from airflow_provider_retreaver.domain.changes.edit import Task
    from airflow_provider_retreaver.storage.snapshot_file import SnapshotFile


class RetreaverChangeOperator(RetreaverWriteOperator):
    """Base of the operators that change targets, groups or contacts.

    Reads first, sends only what differs, reads back, and returns::

        {"changed": [{"kind", "id", "name", "field", "before", "after"}, …],
         "unchanged": [{"kind", "id", "name"}, …],
         "failed": [{"kind", "id", "name", "error"}, …]}

    (`kind` is target, group or contact; a dry run has `would_change` instead of changes). When some fail, the others
    are still done, the result is still pushed, and the task fails naming those that failed. What an attempt has done
    is kept in Airflow's task state store (3.3 and later) or under `state_path`, so that a retry of the same run
    reports it and touches only what is still to do. Assets among the outlets get the counts, the fields and the IDs
    of what changed as their event's `extra`.

    :param max_changes: a number of objects, or a share of those chosen (`0.1`, `"10%"`), above which nothing is sent;
        None for no limit.
    :param state_path: folder on object storage for what a run has done, where Airflow has no task state store.
    :param dry_run: read and say what would change; nothing is sent.
    :param retreaver_conn_id: the connection.
    """

    template_fields: tuple[str, ...] = (*RetreaverWriteOperator.template_fields, "max_changes", "state_path")

    def __init__(
        self, *, max_changes: float | str | None = None, state_path: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_changes = max_changes
        self.state_path = state_path

    @abstractmethod
    def change_task(self, context: Context) -> Task:
        """Return what is meant, from the operator's rendered parameters.

        :raises InvalidArgument: naming the parameter that cannot be right; nothing is sent.
        """

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the changes and return what was done."""
        with self.connected() as hook:
            work = self._work(context)
            try:
                result = hook.run(work.procedure())
            except RetreaverError:
                self._summarise(work.result())
                publish_partial(context, work.result())
                raise
        self._summarise(result)
        if result["failed"]:
            publish_partial(context, result)
            done = len({(row["kind"], row["id"]) for row in (*result["changed"], *result["unchanged"])})
            raise partial_failure("changed as wanted", result, done, result["failed"])
        self.tell_outlets(context, **_told(result), dry_run=self.is_dry_run())
        return result

    def _work(self, context: Context) -> ChangeObjects:
        from airflow_provider_retreaver.domain.changes.change import ChangeObjects
        from airflow_provider_retreaver.domain.changes.record import Record
        from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
        from airflow_provider_retreaver.storage.run_state import RunState

        limit = ChangeLimit.parse(self.max_changes)
        dry_run = self.is_dry_run()
        task = self.change_task(context)
        memory = RunState(context, "changes", self.state_path)
        if task.relative and self.retries and not (memory.lasting or dry_run):
            self.log.warning(
                "This Airflow keeps nothing between attempts: a retry would apply a relative change twice; set "
                "state_path, or say absolute values."
            )
        return ChangeObjects(
            task,
            limit=limit,
            record=Record.load(memory.load()),
            remember=lambda record: memory.save(record.dump()),
            dry_run=dry_run,
        )

    def _summarise(self, result: Mapping[str, Any]) -> None:
        counts = (f"{name.replace('_', ' ')} {len(rows)}" for name, rows in result.items() if isinstance(rows, list))
        self.log.info("Fields changed, objects unchanged and failed: %s", ", ".join(counts))


class RetreaverSnapshotOperator(RetreaverChangeOperator):
    """Base of the operators whose changes `RetreaverRestoreOperator` can take back.

    :param snapshot_path: file on object storage, e.g. `s3://conn@bucket/holidays/{{ ds }}.json`, that keeps hours,
        pause and caps of the targets that change, as they were; written before the first change. A retry of the same
        run adds to it. None for no snapshot.
    :param overwrite_snapshot: also write it where another run has left its snapshot, which is refused otherwise.
    """

    template_fields: tuple[str, ...] = (
        *RetreaverChangeOperator.template_fields,
        "snapshot_path",
        "overwrite_snapshot",
    )

    def __init__(
        self, *, snapshot_path: str | None = None, overwrite_snapshot: bool | str = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot_path = snapshot_path
        self.overwrite_snapshot = overwrite_snapshot

    def snapshot_file(self, context: Context) -> SnapshotFile | None:
        """Return where this run keeps its snapshot.

        :raises ChangeRefused: when another run's is there and may not be overwritten; nothing was sent.
        """
        if not self.snapshot_path:
            return None
        from airflow_provider_retreaver.storage.snapshot_file import SnapshotFile

        return SnapshotFile.claim(
            self.snapshot_path, context, overwrite=flag(self.overwrite_snapshot, "overwrite_snapshot")
        )


def _told(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the events of the outlets say: nothing of the values, which may be about people."""
    changed = result["changed"]
    ids = {
        f"{kind}_ids": told_ids(row for row in changed if row["kind"] == kind)
        for kind in sorted({row["kind"] for row in changed})
    }
    return {
        "changed": len({(row["kind"], row["id"]) for row in changed}),
        "unchanged": len(result["unchanged"]),
        "fields": sorted({row["field"] for row in changed}),
        **ids,
    }
