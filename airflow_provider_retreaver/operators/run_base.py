"""What operators of every API share whose retries continue after what an earlier attempt has done."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from airflow_provider_retreaver.core.errors import PartialFailure
from airflow_provider_retreaver.core.parameters import is_given
from airflow_provider_retreaver.core.quoting import first_of, one_line
from airflow_provider_retreaver.links import note_rows
from airflow_provider_retreaver.operators.base import (
    DryRuns,
    event_ids,
    partial_result,
    publish_partial,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
    from airflow_provider_retreaver.domain.changes.record import Record
    from airflow_provider_retreaver.domain.changes.turn import TakesTurns
    from airflow_provider_retreaver.hooks.client_hook import ClientHook
    from airflow_provider_retreaver.storage.run_state import RunState

# Failed objects that an error names at most.
MAX_NAMED = 10
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


class ResumableRuns(DryRuns):
    """Runs what the parameters say, and continues after what an earlier attempt of the same run has done."""

    state_path: str | None

    # What should have been done to objects, for errors, e.g. "reset".
    action = "changed"
    # What the log's summary counts.
    summary = "Rows of the result"

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
            counted = partial_result(context, lambda: self._counted(context, hook, run))
            with counted, self._turn_of(context, hook, run):
                result: dict[str, Any] = hook.run(run.procedure())
            self.note_result(context, hook, result)
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

    def _turn_of(self, context: Context, hook: ClientHook[Any], run: Run) -> AbstractContextManager[object]:
        from airflow_provider_retreaver.domain.changes.turn import TakesTurns

        if self.is_dry_run() or not isinstance(run, TakesTurns):
            return nullcontext()
        return turn_of(context, hook, run, self.state_path)

    def note_result(self, context: Context, hook: ClientHook[Any], result: Result) -> None:
        """Note for the task's link where the objects of a result are shown.

        :param context: of the task.
        :param hook: of the account.
        :param result: of the run, which may have failed.
        """
        lists = (rows for rows in result.values() if isinstance(rows, list))
        note_rows(self, context, hook, chain.from_iterable(lists))

    def _counted(self, context: Context, hook: ClientHook[Any], run: Run) -> Result:
        result: Result = run.result()
        # A connection that could not be read is not asked for again.
        if hook.has_settings:
            self.note_result(context, hook, result)
        self._log_counts(result, done=False)
        return result

    def _log_counts(self, result: Result, *, done: bool) -> None:
        # Of a task that did nothing and fails, the error says everything.
        counts = {name: len(rows) for name, rows in result.items() if isinstance(rows, list)}
        if done or any(count for name, count in counts.items() if name != "failed"):
            texts = (f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
            self.log.info("%s: %s", self.summary, ", ".join(texts))


class ChangesRuns(ResumableRuns):
    """Runs a change of objects: read, compare, send what differs, read back."""

    max_changes: float | str | None

    action = "changed as requested"
    summary = "Fields changed, objects unchanged and failed"

    @abstractmethod
    def change_spec(self, context: Context) -> ChangeSpec:
        """Return what is to be changed, from the operator's rendered parameters.

        :param context: of the task.
        :return: what is to be changed.
        :raises InvalidArgument: naming the parameter that is invalid; nothing is sent.
        """

    def create_run(self, context: Context) -> Run:
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
            f"{kind.replace(' ', '_')}_ids": event_ids(row for row in changed if row["kind"] == kind)
            for kind in sorted({row["kind"] for row in changed})
        }
        return {
            "changed": len({(row["kind"], row["id"]) for row in changed}),
            "unchanged": len(result["unchanged"]),
            "fields": sorted({row["field"] for row in changed}),
            **ids,
        }


def partial_failure(
    action: str, result: dict[str, Any], done: int, failed: Sequence[Mapping[str, Any]], *, final: bool
) -> PartialFailure:
    """Return the error that names what was not done.

    :param action: what should have been done, e.g. "reset".
    :param result: of the task.
    :param done: how many objects were done.
    :param failed: rows of the result with an `error` each.
    :param final: whether no retry mends any of these errors.
    :return: the error.
    """
    named = first_of([f"{_object_of(row)}: {row['error']}" for row in failed], MAX_NAMED, "; ")
    retry = "no retry mends this" if final else "a retry changes only what is left"
    return PartialFailure(
        f"{len(failed)} of {len(failed) + done} were not {action}: {named} The other {done} were; {retry}.",
        result=result,
        final=final,
    )


def _object_of(row: Mapping[str, Any]) -> str:
    if "kind" in row:
        return f"{row['kind']} {row['named'] if row['id'] is None else row['id']}"
    if row.get("target_group_id") is not None and "id" not in row:
        return f"group {row['target_group_id']}"
    return (
        f"target {row['id']}"
        if row.get("id") is not None
        else f"target with tid {one_line(row.get('tid'), numbers=False)}"
    )


def save_record(state: RunState) -> Callable[[Record], None]:
    """Return the function with which a run saves its record.

    :param state: of the run.
    :return: a function that takes a `Record`.
    """

    def save(record: Record) -> None:
        state.save(record.dump())

    return save


def load_record(state: RunState) -> Callable[[], Record]:
    """Return the function with which a run reads its record again.

    :param state: of the run.
    :return: a function that returns a `Record`.
    """
    from airflow_provider_retreaver.domain.changes.record import Record

    return lambda: Record.load(state.load())


def turn_of(
    context: Context, hook: ClientHook[Any], run: TakesTurns, state_path: str | None
) -> AbstractContextManager[object]:
    """Let a run take turns with others of its kind in the same account, where there is a place for that.

    :param context: of the task.
    :param hook: of the account.
    :param run: that waits for its turn before it sends.
    :param state_path: folder on object storage, the same for all runs that exclude each other.
    :return: a context manager, which ends the turn.
    """
    from airflow_provider_retreaver.storage.attempt_lease import PATIENCE, Turn
    from airflow_provider_retreaver.storage.lease import lease_for

    account = getattr(hook.settings, "company_id", None) or hook.settings.connection
    path = state_path if context.get("ti") is not None and is_given(state_path) else None
    name = quote(f"{account}-{run.turn_name}", safe="-_")
    turn = Turn(lease_for(context, path, name, "what is reset or created is", patience=PATIENCE))
    run.turn = turn
    return turn
