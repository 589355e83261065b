"""Operators for caps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.operators.base import event_ids
from airflow_provider_retreaver.operators.change_base import RetreaverResumableOperator
from airflow_provider_retreaver.operators.run_base import Result, load_record, save_record
from airflow_provider_retreaver.operators.set_caps import RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.target_choice import (
    NOT_GIVEN,
    SELECTION_FIELDS,
    Ids,
    Names,
    NotGiven,
    TagFilter,
    given_names,
    given_value,
    select_targets,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.routing.cap_reset import ResetCaps

__all__ = ["RetreaverResetCapOperator", "RetreaverSetCapsOperator"]

# A nightly reset that is late by a night's outage still runs; one that would lose most of a day's counts does not.
MAX_STALENESS = timedelta(hours=12)
MAX_SECONDS = timedelta.max.total_seconds() // 2


class RetreaverResetCapOperator(RetreaverResumableOperator):
    """Set the counts of hard caps to 0, so that targets take calls again.

    Reads the targets first, resets those that have counted something, and reads them back. Targets without a hard cap
    are skipped, and those that others have reset since they were read; runs with the same `state_path` take turns.
    Retreaver's reference: "Resetting a Hard
    Cap", "Resetting all Hard Caps on Targets in a Target Group".

    Safe to retry and to clear: what an earlier attempt of the same run has reset is reported and not reset again,
    since that would lose the calls counted since then; trigger a new run to reset it again. That state is kept in
    Airflow's task state store (3.3 and later) or under `state_path`. A reset whose response was lost is verified
    before it is sent again. Returns::

        {"reset": [{"id", "tid", "name", "filled_before", "filled_after", "cap"}, …],
         "skipped": [{"id", "tid", "name", "reason"}, …],
         "failed": [{"id", "tid", "name", "error"}, …]}

    (rows of targets reset through a group also have `target_group_id`; `filled_after` is None where the reset was
    accepted and could not be read back; a dry run adds `would_reset`). When some fail, the others are still done, the
    result is still pushed, and the task fails naming those that failed.

    Assets among the outlets get the number of resets and the targets' IDs as their event's `extra`.

    IDs may be numbers, texts, comma-separated texts, lists, templates or another task's result; so may names, except
    that one which has a comma itself needs a list. An empty list selects no targets; giving none of the parameters
    selects all targets, which needs `only_filled`; None alone is refused.

    :param target_ids: Retreaver's own IDs of targets.
    :param tids: the customer's IDs of targets.
    :param target_names: targets by name, as written at Retreaver; one that is not there, or not unique, is refused.
    :param target_group_ids: target groups, reset through their own route, which resets all their targets.
    :param target_group_names: the same by name.
    :param tag: targets with this tag, as `"key:value"` or `{"key": "value"}`.
    :param only_filled: only hard caps that are full. With groups: a group whose own hard cap is full is reset through
        its route; of other groups only the full targets are reset, one by one.
    :param max_staleness: a run whose data interval (or logical date) ended longer ago is skipped, so that a backfill
        or an old run that is cleared does not lose today's counts; a timedelta or seconds, None for no limit.
    :param force: reset although the run is stale.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would be reset; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: when no targets are selected and `only_filled` is not set, or an ID is invalid; nothing
        was sent.
    :raises PartialFailure: when some could not be reset.
    :raises RunUnderWay: when another run holds the lease below `state_path` for long, or has taken over.
    """

    template_fields = (*RetreaverResumableOperator.template_fields, *SELECTION_FIELDS, "only_filled", "force")

    action = "reset"
    summary = "Hard caps"

    def __init__(
        self,
        *,
        target_ids: Ids | NotGiven | None = NOT_GIVEN,
        tids: Ids | NotGiven | None = NOT_GIVEN,
        target_names: Names | NotGiven | None = NOT_GIVEN,
        target_group_ids: Ids | NotGiven | None = NOT_GIVEN,
        target_group_names: Names | NotGiven | None = NOT_GIVEN,
        tag: TagFilter | NotGiven | None = NOT_GIVEN,
        only_filled: bool | str = False,
        max_staleness: timedelta | float | None = MAX_STALENESS,
        force: bool | str = False,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(state_path=state_path, dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.selection_given = given_names(
            target_ids=target_ids,
            tids=tids,
            target_names=target_names,
            target_group_ids=target_group_ids,
            target_group_names=target_group_names,
            tag=tag,
        )
        self.target_ids = given_value(target_ids)
        self.tids = given_value(tids)
        self.target_names = given_value(target_names)
        self.target_group_ids = given_value(target_group_ids)
        self.target_group_names = given_value(target_group_names)
        self.tag = given_value(tag)
        self.only_filled = only_filled
        self.max_staleness = max_staleness
        self.force = force

    def create_run(self, context: Context) -> ResetCaps:
        """Return the run of resets; a stale one is skipped."""
        from airflow_provider_retreaver.domain.routing.cap_reset import ResetCaps

        only_filled = flag(self.only_filled, "only_filled")
        selection = select_targets(self, only_filled=only_filled, given=self.selection_given)
        dry_run = self.is_dry_run()
        if not (flag(self.force, "force") or dry_run):
            skip_if_stale(context, self.max_staleness)
        warning = (
            "a retry after a lost worker could reset a target twice and lose the calls counted in between; set "
            "state_path, or use only_filled."
        )
        state = self.run_state(context, "reset_caps", warning=None if only_filled else warning)
        load, save = load_record(state), save_record(state)
        return ResetCaps(selection, record=load(), save=save, reload=load, dry_run=dry_run)

    def done_objects(self, result: Result) -> int:
        """Return how many hard caps were reset."""
        return len(result["reset"])

    def event_extra(self, result: Result) -> dict[str, object]:
        """Return the number of resets and the targets' IDs."""
        return {"caps_reset": len(result["reset"]), "target_ids": event_ids(result["reset"])}


def skip_if_stale(context: Context, max_staleness: timedelta | float | None) -> None:
    """Skip a run that comes too late.

    A run without data interval and logical date (asset-triggered, plain `execute({})`) is judged by when it was
    created, and is never stale where that is not known either.

    :param context: of the task.
    :param max_staleness: a timedelta or seconds; None for no limit.
    :raises AirflowSkipException: with the reason.
    :raises InvalidArgument: when the limit is not a length of time.
    """
    limit = _limit(max_staleness)
    ended = _end_of_run(context)
    if limit is None or ended is None:
        return
    age = datetime.now(UTC) - ended
    if age > limit:
        raise AirflowSkipException(
            f"This run was due at {ended.isoformat(timespec='seconds')}, {_hours(age)} ago, which is more than "
            f"max_staleness ({_hours(limit)}): resetting caps now would lose calls that were counted since. Nothing "
            f"was sent; set force=True to reset them anyway."
        )


def _limit(given: timedelta | float | None) -> timedelta | None:
    if given is None:
        return None
    if isinstance(given, (int, float)) and not isinstance(given, bool) and 0 <= given <= MAX_SECONDS:
        return timedelta(seconds=given)
    if isinstance(given, timedelta) and given >= timedelta(0):
        return given
    raise InvalidArgument(
        f"max_staleness must be a timedelta or seconds, 0 or more, or None for no limit, not {quoted(given)}."
    )


def _end_of_run(context: Context) -> datetime | None:
    dates = (context.get("data_interval_end"), context.get("logical_date"))
    times: list[datetime] = [time for time in dates if isinstance(time, datetime)]
    if not times:
        run_after = getattr(context.get("dag_run"), "run_after", None)
        times = [run_after] if isinstance(run_after, datetime) else []
    return max(times) if times else None


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:.1f} h"
