"""The operator for suppressed numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag, is_given
from airflow_provider_retreaver.links import note_objects
from airflow_provider_retreaver.operators.base import partial_result
from airflow_provider_retreaver.operators.numbers.base import (
    MAX_REMOVALS,
    Columns,
    Limit,
    Mode,
    NumberLayout,
    PhoneNumbers,
    RetreaverNumbersOperator,
    SourceFormat,
)
from airflow_provider_retreaver.operators.target_choice import object_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.lists.suppression_plan import SuppressionRequest
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.operators.numbers.suppression_state import SyncState

# Failures are part of every checkpoint, which must stay small.
MAX_FAILURES = 10_000


class RetreaverSuppressionSyncOperator(RetreaverNumbersOperator):
    """Synchronize the company's suppressed numbers with a file, a query or a list.

    With the current routes the source is compared with Retreaver's list; with the legacy routes, which cannot list,
    with the
    sync's own record below `state_path`. One request is sent for each number that differs (Retreaver's reference:
    "Suppress a
    Contact Number by phone number", "Delete a Contact Number from the Suppression List …"): additions first, removals
    last.
    Returns::

        {"added", "changed", "removed", "unchanged", "kept", "rejected", "unreadable", "failed", "duplicates"}

    (counts) with `plan`, `rejects` and `failures` (paths of files with whole numbers) when `state_path` is given;
    `changed` are numbers that had the other `can_resubscribe`, `kept` are numbers that a mirror did not remove since
    the source has values that cannot be read (`unreadable`). A dry run has `would_add`, `would_change` and
    `would_remove`.

    A retry continues where the attempt before ended: with `state_path` from its checkpoint, without it by comparing
    again.
    Numbers that Retreaver refuses are reported and leave the task successful as long as there are at most
    `max_failures`; when
    others failed, the task fails, and its retry sends only those.

    :param mode: `add` (never removes), `mirror` (also removes numbers that the source does not have) or `remove`
        (removes the
        numbers of the source).
    :param can_resubscribe: whether callers may unblock themselves by pressing 7; without a default, since Retreaver's
        (True) is
        wrong for a do-not-call list.
    :param source: file on object storage: csv, jsonl or txt, compressed with gzip, bzip2, xz or zip or not. Give
        exactly one of
        `source`, `sql` and `numbers`; it is read completely before anything is sent.
    :param source_format: `csv`, `jsonl` or `txt`, where the name of the file does not show it.
    :param column: column of the csv file, field of the jsonl objects or column of the query that contains the number;
        may be left out where there is only one. A list of columns, such as area code and number, is joined. In a file
        without a header, the place of the column, counted from 1.
    :param encoding: of the file; a byte order mark is handled.
    :param delimiter: between the columns of a csv file, e.g. `;` or `tab`; by default the one that its header has.
    :param skip_lines: lines above the header or the first number; titles are found by themselves when `column` is a
        name.
    :param layout: `ftc_full` or `ftc_change`, the files of the National Do Not Call Registry, which are recognized
        when `column` is left out. Of a file of changes `add` takes the numbers that were added, and `remove` those
        that were deleted; it cannot be mirrored.
    :param sql: query whose rows contain the numbers.
    :param sql_conn_id: connection of any SQL database that Airflow has a provider for.
    :param numbers: a list, another task's result, or a text with commas.
    :param default_region: country of numbers without a country code, e.g. `US`.
    :param max_removals: a number, a share of the list (`0.1`, `"10%"`), or several of them (the lowest applies); with
        more
        removals nothing is sent; None for no limit. By default 10 % and 10,000.
    :param max_rejects: how many values of the source may be invalid, as a number or a share; 5 % by default.
    :param max_unreadable: how many values of the source may be unreadable (invalid and not blank), as a number or a
        share, for a mirror to remove numbers; with more it only adds. By default 0; None for no limit. Numbers
        that an unreadable value could mean are never removed.
    :param allow_empty: continue with an empty source.
    :param state_path: folder on object storage for the record, plan and checkpoint of this sync; no other sync may
        use it.
    :param campaign_id: customer's ID (`cid`) of the only campaign whose calls are suppressed; None for the whole
        company.
        Current routes only.
    :param campaign_name: instead of `campaign_id`: the campaign's name, as written at Retreaver; one that is missing
        or not unique is refused.
    :param only_ours: change and remove only numbers that this sync has added; needs `state_path`.
    :param max_failures: how many numbers may fail before the sync stops, 0 to 10,000.
    :param dry_run: compare and return what would be done (written below `state_path` if it is given); nothing is
        sent.
    :param retreaver_conn_id: ID of a connection of type `retreaver`.
    :raises InvalidArgument: naming the parameter or the problem of the source; nothing was sent.
    :raises ChangeRefused: when a guard refuses the sync, with the counts; nothing was sent.
    :raises RunUnderWay: when another run holds the lease below `state_path`; a retry starts when it has ended.
    :raises PartialFailure: when some numbers could not be sent, or too many failed.
    """

    template_fields = (
        *RetreaverNumbersOperator.template_fields,
        "can_resubscribe",
        "campaign_id",
        "campaign_name",
        "only_ours",
        "max_failures",
    )

    def __init__(
        self,
        *,
        mode: Mode,
        can_resubscribe: bool | str,
        source: str | None = None,
        source_format: SourceFormat | None = None,
        column: Columns = None,
        encoding: str = "utf-8",
        delimiter: str | None = None,
        skip_lines: int | str = 0,
        layout: NumberLayout | None = None,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        numbers: PhoneNumbers | None = None,
        default_region: str = "US",
        max_removals: Limit = MAX_REMOVALS,
        max_rejects: float | str | None = "5%",
        max_unreadable: float | str | None = 0,
        allow_empty: bool | str = False,
        state_path: str | None = None,
        campaign_id: str | None = None,
        campaign_name: str | None = None,
        only_ours: bool | str = False,
        max_failures: int | str = 100,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mode=mode,
            source=source,
            source_format=source_format,
            column=column,
            encoding=encoding,
            delimiter=delimiter,
            skip_lines=skip_lines,
            layout=layout,
            sql=sql,
            sql_conn_id=sql_conn_id,
            numbers=numbers,
            default_region=default_region,
            max_removals=max_removals,
            max_rejects=max_rejects,
            max_unreadable=max_unreadable,
            allow_empty=allow_empty,
            state_path=state_path,
            dry_run=dry_run,
            retreaver_conn_id=retreaver_conn_id,
            **kwargs,
        )
        self.can_resubscribe = can_resubscribe
        self.campaign_id = campaign_id
        self.campaign_name = campaign_name
        self.only_ours = only_ours
        self.max_failures = max_failures

    def execute(self, context: Context) -> dict[str, Any]:
        """Synchronize Retreaver's list and return the counts."""
        from airflow_provider_retreaver.domain.lists.suppression_plan import limits
        from airflow_provider_retreaver.operators.numbers.suppression_run import SuppressionRun

        with self.connected() as hook:
            wanted = self._wanted(legacy=hook.settings.routes.legacy)
            max_failures = parameters.whole(self.max_failures, "max_failures", 0, MAX_FAILURES)
            dry_run = self.is_dry_run()
            limits(self.max_removals)
            note_objects(self, context, hook, "suppressed_numbers")
            wanted = self._with_campaign(wanted, context, hook, dry_run=dry_run)
            files = self.files_of(context, "suppression")
            with self.lease(context, hook, f"suppression{_of(wanted)}", dry_run=dry_run) as lease:
                collected = self.collect_numbers(files[0] if files else None, lease.renew)
                run = SuppressionRun(
                    hook,
                    wanted,
                    collected,
                    self.unreadable_of(collected),
                    max_removals=self.max_removals,
                    max_failures=max_failures,
                    folder=files[0] if files else None,
                    state=self._state(context, hook, files[1], wanted) if files else None,
                    lease=lease,
                )
                with partial_result(context, lambda: run.result() if run.begun else None):
                    result = run.look() if dry_run else run.carry_out()
        self.tell_sync(context, result, campaign_id=wanted.campaign)
        return result

    def _wanted(self, *, legacy: bool) -> SuppressionRequest:
        """Return what is asked for.

        :raises InvalidArgument: naming the parameter that cannot be right.
        """
        from airflow_provider_retreaver.domain.lists.suppression_plan import MODES, SuppressionRequest

        if str(self.can_resubscribe).strip() in {"", "None"}:
            raise InvalidArgument("can_resubscribe must be chosen: may callers unblock themselves by pressing 7?")
        # A name counts as the ID that it stands for, until it was looked up.
        campaign = object_name(self, "campaign_id", "campaign_name")
        if campaign is None and str(self.campaign_id).strip() == "":
            campaign = ""
        if self.campaign_id is not None and campaign is None:
            campaign = parameters.text(self.campaign_id, "campaign_id")
        wanted = SuppressionRequest(
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
                "campaign_id needs the current routes; set the connection's extra api_routes to current."
            )
        if not is_given(self.state_path) and (legacy or wanted.only_ours):
            why = "the legacy routes cannot list suppressed numbers" if legacy else "only_ours compares with it"
            raise InvalidArgument(f"state_path must be given, for the sync's own record: {why}.")
        return wanted

    def _with_campaign(
        self, wanted: SuppressionRequest, context: Context, hook: RetreaverHook, *, dry_run: bool
    ) -> SuppressionRequest:
        """Return what is asked for, with the ID of the campaign that was chosen by name."""
        from airflow_provider_retreaver.domain.objects.names import CAMPAIGN, find_customer_id
        from airflow_provider_retreaver.operators.name_choice import find_for_run

        if self.campaign_name is None:
            return wanted
        name = str(wanted.campaign)
        cid = find_for_run(
            hook.run,
            context,
            self.state_path,
            lambda known: find_customer_id(CAMPAIGN, name, "campaign_name", known),
            dry_run=dry_run,
        )
        return replace(wanted, campaign=cid)

    def _state(self, context: Context, hook: RetreaverHook, place: str, wanted: SuppressionRequest) -> SyncState:
        from airflow_provider_retreaver.operators.numbers.suppression_state import SyncState

        # A record belongs to a company, and a connection may later have another one.
        company = _company(hook)
        return SyncState(context, str(self.state_path), place, f"company-{company}{_of(wanted)}")


def _of(wanted: SuppressionRequest) -> str:
    """Return the end of the names of files of a sync."""
    return f"-campaign-{wanted.campaign}" if wanted.campaign is not None else ""


def _company(hook: RetreaverHook) -> Any:
    from airflow_provider_retreaver.core.envelopes import require
    from airflow_provider_retreaver.resources.companies import get_active_company

    active = get_active_company()
    row = hook.run(active)
    return require(row, "id", active.request)
