"""Operators for caps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.operators.base import (
    RetreaverWriteOperator,
    partial_failure,
    publish_partial,
    told_ids,
)
from airflow_provider_retreaver.operators.set_caps import RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.target_choice import NOT_GIVEN, Ids, chosen_targets

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["RetreaverResetCapOperator", "RetreaverSetCapsOperator"]

# A nightly reset that is late by a night's outage still runs; one that would forget most of a day does not.
MAX_STALENESS = timedelta(hours=12)
MOST_SECONDS = timedelta.max.total_seconds() // 2


class RetreaverResetCapOperator(RetreaverWriteOperator):
    """Set the counts of hard caps to 0, so that targets take calls again.

    Reads the targets first, resets those that have counted something, and reads them back. Targets without a hard cap
    are skipped. Vendor's reference: "Resetting a Hard Cap", "Resetting all Hard Caps on Targets in a Target Group".

    Safe to retry and to clear: what an earlier attempt of the same run has reset is reported and not reset again,
    since that would forget the calls counted since then; trigger a new run to reset it again. That memory is
    Airflow's task state store (3.3 and later) or `state_path`. A reset whose answer was lost is looked up before it
    is sent again. Returns::

        {"reset": [{"id", "tid", "name", "filled_before", "filled_after", "cap"}, …],
         "skipped": [{"id", "tid", "name", "reason"}, …],
         "failed": [{"id", "tid", "name", "error"}, …]}

    (rows of targets reset through a group also have `target_group_id`; `filled_after` is None where the reset was
    accepted and could not be read back; a dry run adds `would_reset`). When some fail, the others are still done, the
    result is still pushed, and the task fails naming those that failed.

    Assets among the outlets get the number of resets and the targets' IDs as their event's `extra`.

    IDs may be numbers, texts, comma-separated texts, lists, templates or another task's result. An empty list means
    nobody; not giving any parameter means all targets, which needs `only_filled`; None alone is refused.

    :param target_ids: Retreaver's own IDs of targets.
    :param tids: the customer's IDs of targets.
    :param target_group_ids: target groups, reset through their own route, which resets all their targets.
    :param tag: targets that carry this tag, as `"key:value"` or `{"key": "value"}`.
    :param only_filled: only hard caps that are full. With groups: a group whose own hard cap is full is reset through
        its route; of other groups only the full targets are reset, one by one.
    :param max_staleness: a run whose data interval (or logical date) ended longer ago is skipped, so that a backfill
        or an old run that is cleared does not forget today's calls; a timedelta or seconds, None for no limit.
    :param force: do it although the run is stale.
    :param dry_run: read and say what would be reset; nothing is sent.
    :param state_path: folder on object storage for what a run has done, where Airflow has no task state store.
    :param retreaver_conn_id: the connection.
    :raises InvalidArgument: when nobody is named and `only_filled` is not set, or an ID is none; nothing was sent.
    :raises PartialFailure: when some could not be reset.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        "target_ids",
        "tids",
        "target_group_ids",
        "tag",
        "only_filled",
        "force",
        "state_path",
    )

    def __init__(
        self,
        *,
        target_ids: Ids | None = NOT_GIVEN,
        tids: Ids | None = NOT_GIVEN,
        target_group_ids: Ids | None = NOT_GIVEN,
        tag: str | Mapping[str, str] | None = NOT_GIVEN,
        only_filled: bool | str = False,
        max_staleness: timedelta | float | None = MAX_STALENESS,
        force: bool | str = False,
        state_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target_ids = target_ids
        self.tids = tids
        self.target_group_ids = target_group_ids
        self.tag = tag
        self.only_filled = only_filled
        self.max_staleness = max_staleness
        self.force = force
        self.state_path = state_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Reset the caps and return what was done."""
        from airflow_provider_retreaver.domain.changes.record import Record
        from airflow_provider_retreaver.domain.routing.cap_reset import ResetCaps
        from airflow_provider_retreaver.storage.run_state import RunState

        with self.connected() as hook:
            chosen = chosen_targets(
                self.target_ids,
                self.tids,
                self.target_group_ids,
                self.tag,
                only_filled=flag(self.only_filled, "only_filled"),
            )
            dry_run = self.is_dry_run()
            if not (flag(self.force, "force") or dry_run):
                skip_if_stale(context, self.max_staleness)
            memory = RunState(context, "reset_caps", self.state_path)
            if self.retries and not (memory.lasting or chosen.only_filled or dry_run):
                self.log.warning(
                    "This Airflow keeps nothing between attempts: a retry after a lost worker could reset a target "
                    "twice and forget the calls in between; set state_path, or use only_filled."
                )
            work = ResetCaps(
                chosen,
                record=Record.load(memory.load()),
                remember=lambda record: memory.save(record.dump()),
                dry_run=dry_run,
            )
            try:
                result = hook.run(work.procedure())
            except RetreaverError:
                self._summarise(work.result())
                publish_partial(context, work.result())
                raise
        self._summarise(result)
        if result["failed"]:
            publish_partial(context, result)
            raise partial_failure("reset", result, len(result["reset"]), result["failed"])
        self.tell_outlets(
            context, caps_reset=len(result["reset"]), target_ids=told_ids(result["reset"]), dry_run=dry_run
        )
        return result

    def _summarise(self, result: Mapping[str, Any]) -> None:
        counts = ", ".join(
            f"{name.replace('_', ' ')} {len(rows)}" for name, rows in result.items() if rows is not True
        )
        self.log.info("Hard caps: %s", counts)


def skip_if_stale(context: Context, max_staleness: timedelta | float | None) -> None:
    """Skip a run that comes too late to do what it was meant to do.

    A run without data interval and logical date (asset-triggered, plain `execute({})`) is judged by when it was
    created, and is never stale where that is not known either.

    :raises AirflowSkipException: with the reason.
    :raises InvalidArgument: when the limit is no length of time.
    """
    limit = _limit(max_staleness)
    ended = _end_of_run(context)
    if limit is None or ended is None:
        return
    age = datetime.now(UTC) - ended
    if age > limit:
        raise AirflowSkipException(
            f"This run was due at {ended.isoformat(timespec='seconds')}, {_hours(age)} ago, which is more than "
            f"max_staleness ({_hours(limit)}): resetting caps now would forget calls that came since. Nothing was "
            f"sent; set force=True to do it all the same."
        )


def _limit(given: timedelta | float | None) -> timedelta | None:
    if given is None:
        return None
    if isinstance(given, (int, float)) and not isinstance(given, bool) and 0 <= given <= MOST_SECONDS:
        return timedelta(seconds=given)
    if isinstance(given, timedelta) and given >= timedelta(0):
        return given
    raise InvalidArgument(
        f"max_staleness must be a timedelta or seconds, 0 or more, or None for no limit, not {given!r}."
    )


def _end_of_run(context: Context) -> datetime | None:
    known = (context.get("data_interval_end"), context.get("logical_date"))
    moments: list[datetime] = [moment for moment in known if isinstance(moment, datetime)]
    if not moments:
        run_after = getattr(context.get("dag_run"), "run_after", None)
        moments = [run_after] if isinstance(run_after, datetime) else []
    return max(moments) if moments else None


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:.1f} h"
