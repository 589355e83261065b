"""Bases of the operators that change targets, groups or contacts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_retreaver.core.parameters import flag, is_given
from airflow_provider_retreaver.operators.base import (
    RetreaverWriteOperator,
    event_ids,
    partial_failure,
    partial_result,
    publish_partial,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.domain.changes.change import ChangeObjects
    from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
    from airflow_provider_retreaver.domain.changes.record import Record
    from airflow_provider_retreaver.storage.run_state import RunState
    from airflow_provider_retreaver.storage.snapshot_file import SnapshotFile

# Lists of rows, one of them `failed`.
Result = Mapping[str, Any]


class Run(Protocol):
    """A run of changes, such as `ChangeObjects` and `ResetCaps`."""

    def procedure(self) -> Procedure[Any]:
        """Return the steps of the run.

        :return: a procedure that returns the result.
        """

    def result(self) -> Any:
        """Return what was done until now.

        :return: plain JSON.
        """

    @property
    def failed_for_good(self) -> bool:
        """Whether no retry mends any of the failures."""


class RetreaverResumableOperator(RetreaverWriteOperator):
    """Base of the operators whose retries continue after what an earlier attempt of the same run has done.

    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store, which
        Airflow before 3.3 does not have.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    """

    template_fields: tuple[str, ...] = (*RetreaverWriteOperator.template_fields, "state_path")

    # What should have been done to objects, for errors, e.g. "reset".
    action = "changed"
    # What the log's summary counts.
    summary = "Rows of the result"

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

    @abstractmethod
    def create_run(self, context: Context) -> Run:
        """Return the run, from the operator's rendered parameters.

        :param context: of the task.
        :return: the run; nothing is sent before its procedure is run.
        :raises InvalidArgument: naming the parameter that is invalid.
        """

    @abstractmethod
    def done_objects(self, result: Result) -> int:
        """Return how many objects are as they should be.

        :param result: of the run.
        :return: the number.
        """

    @abstractmethod
    def event_extra(self, result: Result) -> dict[str, object]:
        """Return what is added to the events of the outlets.

        :param result: of the run.
        :return: small plain JSON, without values that may be about people.
        """

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the changes.

        :param context: of the task.
        :return: the result, as the class describes it.
        :raises PartialFailure: when some objects failed; the result is pushed before.
        """
        with self.connected() as hook:
            run = self.create_run(context)
            with partial_result(context, lambda: self._counted(run)):
                result: dict[str, Any] = hook.run(run.procedure())
            self._log_counts(result, done=not result["failed"])
            if result["failed"]:
                publish_partial(context, result)
                raise partial_failure(
                    self.action, result, self.done_objects(result), result["failed"], final=run.failed_for_good
                )
        self.update_outlet_events(context, **self.event_extra(result), dry_run=self.is_dry_run())
        return result

    def run_state(self, context: Context, name: str, *, warning: str | None) -> RunState:
        """Return what is kept between the attempts of a run.

        :param context: of the task.
        :param name: of the state.
        :param warning: logged when nothing can be kept and the task has retries; None for no warning.
        :return: the state.
        """
        from airflow_provider_retreaver.storage.run_state import RunState

        state = RunState(context, name, self.state_path)
        if warning and self.retries and not (state.lasting or self.is_dry_run()):
            self.log.warning("This Airflow keeps no state between attempts: %s", warning)
        return state

    def _counted(self, run: Run) -> Result:
        result: Result = run.result()
        self._log_counts(result, done=False)
        return result

    def _log_counts(self, result: Result, *, done: bool) -> None:
        # Of a task that did nothing and fails, the error says everything.
        counts = {name: len(rows) for name, rows in result.items() if isinstance(rows, list)}
        if done or any(count for name, count in counts.items() if name != "failed"):
            texts = (f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
            self.log.info("%s: %s", self.summary, ", ".join(texts))


class RetreaverChangeOperator(RetreaverResumableOperator):
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

    action = "changed as requested"
    summary = "Fields changed, objects unchanged and failed"

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

    @abstractmethod
    def change_spec(self, context: Context) -> ChangeSpec:
        """Return what is to be changed, from the operator's rendered parameters.

        :param context: of the task.
        :return: what is to be changed.
        :raises InvalidArgument: naming the parameter that is invalid; nothing is sent.
        """

    def create_run(self, context: Context) -> ChangeObjects:
        """Return the run of changes."""
        from airflow_provider_retreaver.domain.changes.change import ChangeObjects
        from airflow_provider_retreaver.domain.changes.record import Record
        from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit

        limit = ChangeLimit.parse(self.max_changes)
        dry_run = self.is_dry_run()
        spec = self.change_spec(context)
        warning = "a retry would apply a relative change twice; set state_path, or give absolute values."
        state = self.run_state(context, "changes", warning=warning if spec.relative else None)
        return ChangeObjects(
            spec, limit=limit, record=Record.load(state.load()), save=save_record(state), dry_run=dry_run
        )

    def done_objects(self, result: Result) -> int:
        """Return how many objects are as they should be."""
        return len({(row["kind"], row["id"]) for row in (*result["changed"], *result["unchanged"])})

    def event_extra(self, result: Result) -> dict[str, object]:
        """Return counts, fields and IDs."""
        changed: Sequence[Mapping[str, Any]] = result["changed"]
        ids = {
            f"{kind}_ids": event_ids(row for row in changed if row["kind"] == kind)
            for kind in sorted({row["kind"] for row in changed})
        }
        return {
            "changed": len({(row["kind"], row["id"]) for row in changed}),
            "unchanged": len(result["unchanged"]),
            "fields": sorted({row["field"] for row in changed}),
            **ids,
        }


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


def save_record(state: RunState) -> Callable[[Record], None]:
    """Return the function with which a run saves its record.

    :param state: of the run.
    :return: a function that takes a `Record`.
    """

    def save(record: Record) -> None:
        state.save(record.dump())

    return save
