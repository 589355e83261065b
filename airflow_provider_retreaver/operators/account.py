"""Account as code: a plan of files, and the apply of the plan that was approved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, PartialFailure
from airflow_provider_retreaver.core.parameters import flag, is_given, mapping, text, texts
from airflow_provider_retreaver.core.quoting import first_of
from airflow_provider_retreaver.operators.base import (
    RetreaverOperator,
    RetreaverWriteOperator,
    partial_result,
    publish_partial,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.account.applying import ApplyResult
    from airflow_provider_retreaver.account.drifting import Applied
    from airflow_provider_retreaver.account.plan import Plan
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

# Changes that an error names at most.
MAX_NAMED = 10


class RetreaverAccountPlanOperator(RetreaverOperator):
    """Plan what the files of an account would change, and store the plan for `RetreaverAccountApplyOperator`.

    Returns::

        {"plan_path", "sha256", "company", "summary", "counts": {"create", "update", "delete"}, "cost", "warnings",
         "markdown"}

    `markdown` is the plan for people, for the body of an approval. Nothing is changed at Retreaver.

    :param paths: files and folders of the account, on the worker's disk, such as those of the DAG's bundle.
    :param plan_path: file on object storage for the plan, e.g. `s3://conn@bucket/plans/{{ run_id }}.json`.
    :param environment: lay `environments/<name>.yaml` over the files; None for none.
    :param variables: which override those of the files.
    :param skip_empty: skip the task, and what follows it, when there is nothing to change.
    :param applied_path: that of `RetreaverAccountApplyOperator`: files that change nothing count as applied.
    :param retreaver_conn_id: ID of a connection of type `retreaver`.
    :raises InvalidArgument: naming file, line and key of everything that is wrong.
    :raises StorageFailed: when the plan cannot be stored.
    """

    template_fields: tuple[str, ...] = (
        *RetreaverOperator.template_fields,
        "paths",
        "plan_path",
        "environment",
        "variables",
        "skip_empty",
        "applied_path",
    )

    def __init__(
        self,
        *,
        paths: str | Iterable[str],
        plan_path: str,
        environment: str | None = None,
        variables: Mapping[str, object] | None = None,
        skip_empty: bool | str = True,
        applied_path: str | None = None,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.paths = paths
        self.plan_path = plan_path
        self.environment = environment
        self.variables = variables
        self.skip_empty = skip_empty
        self.applied_path = applied_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Make and store the plan.

        :param context: of the task.
        :return: what the class describes.
        """
        with self.connected() as hook:
            from airflow_provider_retreaver.account.drifting import applied_by
            from airflow_provider_retreaver.account.rendering import markdown, summary
            from airflow_provider_retreaver.storage.paths import storage_errors, storage_path
            from airflow_provider_retreaver.storage.whole_files import replace_text

            file = storage_path(self.plan_path, "plan_path")
            applied, note = _applied(self.applied_path)
            plan = _plan_of_files(hook, self.paths, self.environment, self.variables)
            with storage_errors(f"Writing the plan {self.plan_path}", "nothing was changed at Retreaver."):
                replace_text(file, plan.dump().decode())
            self.log.info("Plan %s: %s", plan.sha256, summary(plan))
            if not plan.changes:
                note(applied_by(plan, applied))
            result = {
                "plan_path": str(self.plan_path),
                "sha256": plan.sha256,
                "company": plan.company,
                "summary": summary(plan),
                "counts": plan.counts,
                "cost": _builtins(plan.cost),
                "warnings": plan.warnings,
                "markdown": markdown(plan),
            }
            if not plan.changes and flag(self.skip_empty, "skip_empty"):
                publish_partial(context, result)
                raise AirflowSkipException("The account is as the files want it: there is nothing to apply.")
        self.update_outlet_events(context, plan=plan.sha256, **plan.counts)
        return result


class RetreaverAccountApplyOperator(RetreaverWriteOperator):
    """Apply the plan that was approved, by its hash, or refuse.

    Each object is compared right before it is changed: one that others have changed since the plan is refused and
    reported, the others are done. A retry continues where an attempt ended. Returns::

        {"plan", "company", "approved_by", "outcomes": [{"address", "action", "status", "fields", "error"}, …],
         "counts": {"done", "refused", "failed", "skipped"}}

    The task fails when an object was not changed as planned; the result is pushed before.

    :param plan_path: file of the plan on object storage.
    :param sha256: hash of the plan that was approved, its first 12 digits at least.
    :param approved_by: who approved it, which is noted in the result.
    :param paths: files and folders of the account. Where they are given the plan is made again before anything is
        sent, and one that would change something else now is refused as stale.
    :param environment: of that plan, see `RetreaverAccountPlanOperator`.
    :param variables: of that plan.
    :param max_changes: objects that may change: a number, a share (`"30%"`) from 10 objects on, or None for all.
    :param allow_destroy: release numbers and pools that are in `removed`.
    :param only: kinds of objects to change, such as `targets`; None for all.
    :param targets: addresses of objects to change; None for all.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param applied_path: file on object storage for what was applied last, one for each company, by which
        `RetreaverAccountDriftSensor` tells drift from what is not applied yet; None keeps nothing.
    :param dry_run: check the plan, its hash and the guards; nothing is sent.
    :param retreaver_conn_id: ID of a connection of type `retreaver`.
    :raises InvalidArgument: when the plan is not the approved one, or of another company; nothing was sent.
    :raises ChangeRefused: when the plan is stale or a guard refuses; nothing was sent.
    :raises PartialFailure: when some objects were not changed as planned.
    """

    template_fields: tuple[str, ...] = (
        *RetreaverWriteOperator.template_fields,
        "plan_path",
        "sha256",
        "approved_by",
        "paths",
        "environment",
        "variables",
        "max_changes",
        "allow_destroy",
        "only",
        "targets",
        "state_path",
        "applied_path",
    )

    def __init__(
        self,
        *,
        plan_path: str,
        sha256: str,
        approved_by: str | None = None,
        paths: str | Iterable[str] | None = None,
        environment: str | None = None,
        variables: Mapping[str, object] | None = None,
        max_changes: float | str | None = "30%",
        allow_destroy: bool | str = False,
        only: str | Iterable[str] | None = None,
        targets: str | Iterable[str] | None = None,
        state_path: str | None = None,
        applied_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.plan_path = plan_path
        self.sha256 = sha256
        self.approved_by = approved_by
        self.paths = paths
        self.environment = environment
        self.variables = variables
        self.max_changes = max_changes
        self.allow_destroy = allow_destroy
        self.only = only
        self.targets = targets
        self.state_path = state_path
        self.applied_path = applied_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Apply the plan.

        :param context: of the task.
        :return: what the class describes.
        """
        with self.connected() as hook:
            from airflow_provider_retreaver.account.applying import Apply
            from airflow_provider_retreaver.account.parts import World
            from airflow_provider_retreaver.account.sources import find_secret
            from airflow_provider_retreaver.domain.changes.record import Record
            from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
            from airflow_provider_retreaver.storage.run_state import RunState

            plan = self._read_plan()
            applied, note = _applied(self.applied_path)
            state = RunState(context, f"account_{plan.sha256[:12]}", self.state_path)
            apply = Apply(
                plan,
                World(secrets=find_secret),
                limit=ChangeLimit.parse(self.max_changes),
                allow_destroy=flag(self.allow_destroy, "allow_destroy"),
                only=texts(self.only, "only") or (),
                targets=texts(self.targets, "targets") or (),
                record=Record.load(state.load()),
                save=lambda record: state.save(record.dump()),
                applied=applied,
                note=note,
            )
            apply.check_guards()
            self._refuse_stale(hook, plan, begun=bool(apply.record.plan or apply.record.done))
            if self.is_dry_run():
                hook.run(apply.check_company())
                return {
                    **self._result(apply.result()),
                    "would_change": [one.address for one in apply.chosen()],
                    "dry_run": True,
                }
            with partial_result(context, lambda: self._result(apply.result())):
                hook.run(apply.procedure())
                result = self._result(apply.result())
                _raise_partial(result)
        self.update_outlet_events(context, plan=plan.sha256, **result["counts"])
        return result

    def _read_plan(self) -> Plan:
        from airflow_provider_retreaver.account.plan import load_plan
        from airflow_provider_retreaver.storage.paths import destination_errors, storage_path

        sha256 = text(self.sha256, "sha256")
        file = storage_path(self.plan_path, "plan_path")
        with destination_errors(f"plan_path: {self.plan_path} cannot be read"):
            if not file.is_file():
                raise InvalidArgument(f"There is no plan at {self.plan_path}: make one, or correct plan_path.")
            data = file.read_bytes()
        return load_plan(data, str(self.plan_path), sha256)

    def _refuse_stale(self, hook: RetreaverHook, plan: Plan, *, begun: bool) -> None:
        """Make the plan again where the files are known; an attempt that was begun has changed the account itself."""
        if begun or not is_given(self.paths):
            return
        from airflow_provider_retreaver.account.rendering import summary

        again = _plan_of_files(hook, self.paths, self.environment, self.variables)
        if again.changes != plan.changes:
            raise ChangeRefused(
                f"The plan {plan.sha256[:12]} is stale: it was to make {summary(plan)}, and now it would be "
                f"{summary(again)}, plan {again.sha256[:12]}. Nothing was sent; plan again, and approve that."
            )

    def _result(self, result: ApplyResult) -> dict[str, Any]:
        approved_by = str(self.approved_by) if is_given(self.approved_by) else None
        return {**result, "approved_by": approved_by}


def _plan_of_files(hook: RetreaverHook, paths: object, environment: object, variables: object) -> Plan:
    from airflow_provider_retreaver.account.sources import Sources, make_plan

    sources = Sources(
        texts(paths, "paths") or (),
        text(environment, "environment") if is_given(environment) else None,
        mapping(variables, "variables"),
    )
    return make_plan(sources, nullcontext(hook))


def _applied(url: object) -> tuple[Applied | None, Callable[[Applied], None]]:
    """Return what was applied last, and what keeps it; nothing does where it is not kept."""
    if not is_given(url):
        return None, lambda _: None
    from airflow_provider_retreaver.account.drifting import read_applied, write_applied

    return read_applied(url), lambda applied: write_applied(url, applied)


def _raise_partial(result: dict[str, Any]) -> None:
    wrong = [one for one in result["outcomes"] if one["status"] != "done"]
    if not wrong:
        return
    named = first_of([f"{one['address']}: {one['error'].rstrip('.')}" for one in wrong], MAX_NAMED, "; ")
    final = all(one["status"] == "refused" for one in wrong)
    rest = "make a new plan for them" if final else "a retry changes only what is left"
    raise PartialFailure(
        f"{len(wrong)} of {len(result['outcomes'])} objects were not changed as planned: {named}. The others "
        f"were; {rest}.",
        result=result,
        final=final,
    )


def _builtins(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)
