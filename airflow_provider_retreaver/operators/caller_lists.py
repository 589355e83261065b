"""The operator for caller lists of targets and campaigns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.core.quoting import one_line, quoted
from airflow_provider_retreaver.links import note_objects
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
from airflow_provider_retreaver.operators.source_rows import REJECTS
from airflow_provider_retreaver.operators.target_choice import object_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.lists.caller_list_change import CallerListRequest, ListChange
    from airflow_provider_retreaver.domain.lists.number_sources import Collected
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.storage.line_files import Folder

OWN_FIELDS = ("list_name", "target_id", "campaign_id", "target_name", "campaign_name")
PLANNED = "planned.csv.gz"
DAY = 24 * 3600


class RetreaverCallerListSyncOperator(RetreaverNumbersOperator):
    """Synchronize a caller list with a file, a query or a list, by bulk uploads.

    Retreaver's reference: "Caller Lists". A list whose name begins with `suppressed` blocks its callers for that
    target or
    campaign; one that begins with `accepted` blocks all others. A missing list is created. A mirror uploads the
    difference if
    the key may read the list; otherwise it must clear the list and fill it again, which `allow_gap` allows. After the
    uploads
    the operator waits until the list shows them. It needs the connection's `caller_list_key` and
    `caller_list_secret`; the error
    of a missing permission names it. Returns::

        {"added", "removed", "unchanged", "kept", "rejected", "unreadable", "duplicates", "created", "verified"}

    (`kept` are numbers that a mirror did not remove since the source has values that cannot be read; counts are
    None where the key may not count; `verified` has what was checked; a dry run has `would_add`,
    `would_remove` and
    `would_create`). A retry compares and uploads again, which has the same effect as one upload.

    :param mode: `add` (never removes), `mirror` (also removes numbers that the source does not have) or `remove`
        (removes the
        numbers of the source).
    :param list_name: of the caller list; its beginning decides what the list does.
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
    :param state_path: folder on object storage for files that people read (rejected and planned numbers).
    :param target_id: Retreaver's ID of the target that has the list; exactly one of this and the next three.
    :param campaign_id: Retreaver's ID of the campaign that has the list.
    :param target_name: name of the target, as written at Retreaver; one that is missing or not unique is refused.
    :param campaign_name: name of the campaign.
    :param allow_gap: a mirror may clear a list that the key cannot read: for a short time it is empty.
    :param allow_accept_list: a list whose name begins with `accepted` may be created.
    :param verify_wait: seconds to wait at most until the list shows the uploads.
    :param dry_run: compare and return what would be done (written below `state_path` if it is given); nothing is
        sent.
    :param retreaver_conn_id: ID of a connection of type `retreaver`.
    :raises InvalidArgument: naming the parameter or the problem of the source; nothing was sent.
    :raises ChangeRefused: when a guard refuses the sync; nothing was sent.
    :raises RunUnderWay: when another run holds the lease below `state_path`; a retry starts when it has ended.
    :raises PermissionDenied: naming the permission that the key lacks.
    :raises OutcomeUnknown: when uploads were accepted and the list does not show them in time.
    """

    template_fields = (*RetreaverNumbersOperator.template_fields, *OWN_FIELDS)

    def __init__(
        self,
        *,
        mode: Mode,
        list_name: str,
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
        target_id: int | str | None = None,
        campaign_id: int | str | None = None,
        target_name: str | None = None,
        campaign_name: str | None = None,
        allow_gap: bool | str = False,
        allow_accept_list: bool | str = False,
        verify_wait: float = 600.0,
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
        self.list_name = list_name
        self.target_id = target_id
        self.campaign_id = campaign_id
        self.target_name = target_name
        self.campaign_name = campaign_name
        self.allow_gap = allow_gap
        self.allow_accept_list = allow_accept_list
        self.verify_wait = verify_wait

    def execute(self, context: Context) -> dict[str, Any]:
        """Synchronize the list and return the counts."""
        from airflow_provider_retreaver.domain.lists.caller_list_sync import CallerListSync

        with self.connected() as hook:
            request = self._request()
            dry_run = self.is_dry_run()
            request = self._with_owner(request, context, hook, dry_run=dry_run)
            files = self.files_of(context, "caller_list")
            folder = files[0] if files else None
            target, campaign = request.owner.target_id, request.owner.campaign_id
            if target is not None:
                note_objects(self, context, hook, "targets", (target,))
            elif campaign is not None:
                note_objects(self, context, hook, "campaigns", (campaign,))
            place = quote(f"caller-list{request.owner.path}/{request.name}", safe="")
            with self.lease(context, hook, place, dry_run=dry_run) as lease:
                collected = self.collect_numbers(folder, lease.renew)
                sync = CallerListSync(
                    request,
                    collected.numbers,
                    self.unreadable_of(collected),
                    look_again=not lease.is_exclusive,
                    before_upload=lease.confirm,
                    lease_renewed=lease.renew,
                )
                change = hook.run(sync.plan())
                self._announce(change)
                done = _would(change) if dry_run else hook.run(sync.carry_out(change))
        self.log.info(
            "Caller list %s: %s.",
            one_line(request.name),
            ", ".join(f"{name} {value}" for name, value in done.items()),
        )
        result = {**done, **_read(collected, folder, change, dry_run=dry_run)}
        self.tell_sync(
            context,
            result,
            list_name=request.name,
            target_id=request.owner.target_id,
            campaign_id=request.owner.campaign_id,
        )
        return result

    def _request(self) -> CallerListRequest:
        """Return what is meant.

        :raises InvalidArgument: naming the parameter that cannot be right.
        """
        from airflow_provider_retreaver.domain.lists.caller_list_change import CallerListRequest
        from airflow_provider_retreaver.domain.lists.suppression_plan import MODES, limits
        from airflow_provider_retreaver.resources.caller_lists import Owner

        # A name counts as the ID that it stands for, until it was looked up.
        target, campaign = (self._id_or_name(kind) for kind in ("target", "campaign"))
        owner = Owner(target, campaign)
        name = str(self.list_name).strip()
        owner.list_path(name)
        limits(self.max_removals)
        wait: Any = self.verify_wait
        if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait <= DAY:
            raise InvalidArgument(f"verify_wait must be seconds from 0 to {DAY}, not {quoted(wait)}.")
        return CallerListRequest(
            owner,
            name,
            mode=parameters.one_of(self.mode, MODES, "mode"),
            allow_gap=flag(self.allow_gap, "allow_gap"),
            allow_accept_list=flag(self.allow_accept_list, "allow_accept_list"),
            max_removals=self.max_removals,
            verify_wait=float(wait),
        )

    def _id_or_name(self, kind: str) -> int | str | None:
        name = object_name(self, f"{kind}_id", f"{kind}_name")
        id_: int | str | None = getattr(self, f"{kind}_id")
        return id_ if name is None else name

    def _with_owner(
        self, request: CallerListRequest, context: Context, hook: RetreaverHook, *, dry_run: bool
    ) -> CallerListRequest:
        """Return the request with the ID of the target or campaign that was chosen by name."""
        from airflow_provider_retreaver.domain.objects.names import CAMPAIGN, TARGET, find_ids
        from airflow_provider_retreaver.operators.name_choice import find_for_run
        from airflow_provider_retreaver.resources.caller_lists import Owner

        kind, parameter = (TARGET, "target_name") if self.target_name is not None else (CAMPAIGN, "campaign_name")
        if getattr(self, parameter) is None:
            return request
        name = str(request.owner.target_id if kind is TARGET else request.owner.campaign_id)
        (id_,) = find_for_run(
            hook.run,
            context,
            self.state_path,
            lambda known: find_ids(kind, [name], parameter, known),
            dry_run=dry_run,
        )
        return replace(request, owner=Owner(target_id=id_) if kind is TARGET else Owner(campaign_id=id_))

    def _announce(self, change: ListChange) -> None:
        if change.clear:
            self.log.warning("The list cannot be read, so it is emptied and filled again with %d.", len(change.add))
        else:
            self.log.info("To upload: add %d, remove %d.", len(change.add), len(change.remove))


def _would(change: ListChange) -> dict[str, Any]:
    return {
        "would_add": len(change.add),
        "would_remove": None if change.clear else len(change.remove),
        "would_create": change.created,
        "dry_run": True,
    }


def _read(collected: Collected, folder: Folder | None, change: ListChange, *, dry_run: bool) -> dict[str, Any]:
    """Return what the source was like, and where the files are; the plan of a dry run is written."""
    found: dict[str, Any] = {
        "kept": len(change.keep),
        "rejected": collected.rejected,
        "unreadable": collected.unreadable,
        "duplicates": collected.duplicates,
    }
    if folder is not None:
        found["rejects"] = str(folder.path / REJECTS)
        if dry_run:
            found["plan"] = folder.write(PLANNED, change.lines())
    return found
