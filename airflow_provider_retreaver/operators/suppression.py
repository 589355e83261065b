"""Operators for suppressed numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.operators.base import publish_partial
from airflow_provider_retreaver.operators.numbers.base import RetreaverNumbersOperator
from airflow_provider_retreaver.resources.companies import get_active_company

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.lists.suppression_plan import Wanted
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.operators.numbers.suppression_state import SyncState

# Failures are part of every checkpoint, which must stay small.
MOST_FAILURES = 10_000


class RetreaverSuppressionSyncOperator(RetreaverNumbersOperator):
    """Keep the company's suppressed numbers in step with a file, a query or a list.

    With the current routes the source is compared with the vendor's list; with the legacy routes, which cannot list,
    with the sync's own record under `state_path`. One request is sent for a number that differs ("Suppress a Contact
    Number by phone number", "Delete a Contact Number from the Suppression List …"): additions first, removals last.
    Returns::

        {"added", "changed", "removed", "unchanged", "rejected", "failed", "duplicates"}   (counts)

    with `plan`, `rejects` and `failures` (paths of files with whole numbers) when `state_path` is given; `changed`
    are numbers that had the other `can_resubscribe`. A dry run has `would_add`, `would_change` and `would_remove`.

    A retry goes on where the attempt before was broken off: with `state_path` from its checkpoint, without it by
    comparing again. Numbers that the vendor refuses are reported and leave the task successful as long as they are no
    more than `max_failures`; when others failed, the task fails, and its retry sends those only.

    :param can_resubscribe: whether callers may unblock themselves by pressing 7; no default, since the vendor's
        (True) is wrong for a do-not-call list.
    :param campaign_id: customer's ID of the campaign (`cid`) whose calls alone are suppressed; None for the whole
        company. Current routes only.
    :param only_ours: change and remove only numbers that this sync has put there itself; needs `state_path`.
    :param max_failures: numbers that may fail before the rest is left undone, 0 to 10,000.
    :raises InvalidArgument: naming the parameter or the fault in the source; nothing was sent.
    :raises ChangeRefused: when a guard stops it, with the counts; nothing was sent.
    :raises PartialFailure: when some numbers could not be sent, or too many failed.

    Source, guards and `state_path` are parameters of `RetreaverNumbersOperator`.
    """

    template_fields = (
        *RetreaverNumbersOperator.template_fields,
        "can_resubscribe",
        "campaign_id",
        "only_ours",
        "max_failures",
    )

    def __init__(
        self,
        *,
        can_resubscribe: bool | str,
        campaign_id: str | None = None,
        only_ours: bool | str = False,
        max_failures: int | str = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.can_resubscribe = can_resubscribe
        self.campaign_id = campaign_id
        self.only_ours = only_ours
        self.max_failures = max_failures

    def execute(self, context: Context) -> dict[str, Any]:
        """Bring the vendor's list into step and return the counts."""
        from airflow_provider_retreaver.domain.lists.suppression_plan import limits
        from airflow_provider_retreaver.operators.numbers.suppression_run import SuppressionRun

        with self.connected() as hook:
            wanted = self._wanted(legacy=hook.settings.routes.legacy)
            max_failures = parameters.whole(self.max_failures, "max_failures", 0, MOST_FAILURES)
            dry_run = self.is_dry_run()
            limits(self.max_removals)
            files = self.files_of(context, "suppression")
            collected = self.collect_numbers(files[0] if files else None)
            run = SuppressionRun(
                hook,
                wanted,
                collected,
                max_removals=self.max_removals,
                max_failures=max_failures,
                folder=files[0] if files else None,
                state=self._state(context, hook, files[1], wanted) if files else None,
            )
            try:
                result = run.look() if dry_run else run.carry_out()
            except RetreaverError:
                if run.begun:
                    publish_partial(context, run.result())
                raise
        self.tell_sync(context, result, campaign_id=wanted.campaign)
        return result

    def _wanted(self, *, legacy: bool) -> Wanted:
        """Return what is asked for.

        :raises InvalidArgument: naming the parameter that cannot be right.
        """
        from airflow_provider_retreaver.domain.lists.suppression_plan import MODES, Wanted

        if str(self.can_resubscribe).strip() in {"", "None"}:
            raise InvalidArgument("can_resubscribe must be chosen: may callers unblock themselves by pressing 7?")
        campaign = str(self.campaign_id).strip() if self.campaign_id is not None else None
        wanted = Wanted(
            mode=parameters.one_of(self.mode, MODES, "mode"),
            can_resubscribe=flag(self.can_resubscribe, "can_resubscribe"),
            campaign=campaign,
            only_ours=flag(self.only_ours, "only_ours"),
            legacy=legacy,
        )
        if campaign == "":
            raise InvalidArgument("campaign_id is blank; leave it out for the whole company.")
        if legacy and campaign is not None:
            raise InvalidArgument(
                "campaign_id cannot be said under the legacy routes; set the connection's extra api_routes to "
                "current."
            )
        if not self.state_path and (legacy or wanted.only_ours):
            why = "the legacy routes cannot list suppressed numbers" if legacy else "only_ours compares with it"
            raise InvalidArgument(f"state_path must be given, for the sync's own record: {why}.")
        return wanted

    def _state(self, context: Context, hook: RetreaverHook, place: str, wanted: Wanted) -> SyncState:
        from airflow_provider_retreaver.operators.numbers.suppression_state import SyncState

        # A record belongs to a company, and a connection may come to name another one.
        company = _company(hook)
        scope = f"company-{company}" + (f"-campaign-{wanted.campaign}" if wanted.campaign is not None else "")
        return SyncState(context, str(self.state_path), place, scope)


def _company(hook: RetreaverHook) -> Any:
    active = get_active_company()
    row = hook.run(active)
    return require(row, "id", active.request)
