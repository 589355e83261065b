"""Operators for caller lists of targets and campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.operators.numbers.base import REJECTS, RetreaverNumbersOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.lists.caller_list_sync import Aim, Change
    from airflow_provider_retreaver.domain.lists.number_sources import Collected
    from airflow_provider_retreaver.storage.line_files import Folder

PLANNED = "planned.csv.gz"
DAY = 24 * 3600


class RetreaverCallerListSyncOperator(RetreaverNumbersOperator):
    """Keep a caller list in step with a file, a query or a list, by bulk uploads.

    Vendor's reference: "Caller Lists". A list whose name begins with `suppressed` blocks its callers for that target
    or campaign; one that begins with `accepted` lets nobody else through. The list is created when it is missing. A
    mirror uploads the difference where the key may read the list; otherwise it has to empty the list and fill it
    again, which `allow_gap` allows. After the uploads the operator waits until the list shows them. Needs the
    connection's `caller_list_key` and `caller_list_secret`; a missing permission is named in the error. Returns::

        {"added", "removed", "unchanged", "rejected", "duplicates", "created", "verified"}

    (counts are None where the key may not count; `verified` says how; a dry run has `would_add`, `would_remove` and
    `would_create`). A retry compares and uploads again, which leaves the list as one upload does.

    Source, guards and `state_path` (here only for files that people read) are parameters of
    `RetreaverNumbersOperator`.

    :param list_name: of the caller list; its beginning is behaviour.
    :param target_id: Retreaver's ID of the target that has the list, or
    :param campaign_id: of the campaign; exactly one of the two.
    :param allow_gap: a mirror may empty a list that the key cannot read: for a moment nobody is on it.
    :param allow_accept_list: a list whose name begins with `accepted` may be created.
    :param verify_wait: seconds to wait at most until uploads show.
    :raises InvalidArgument: naming the parameter or the fault in the source; nothing was sent.
    :raises ChangeRefused: when a guard stops it; nothing was sent.
    :raises PermissionDenied: naming the permission that the key lacks.
    :raises OutcomeUnknown: when the uploads were taken and do not show in time.
    """

    template_fields = (*RetreaverNumbersOperator.template_fields, "list_name", "target_id", "campaign_id")

    def __init__(
        self,
        *,
        list_name: str,
        target_id: int | str | None = None,
        campaign_id: int | str | None = None,
        allow_gap: bool | str = False,
        allow_accept_list: bool | str = False,
        verify_wait: float = 600.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.list_name = list_name
        self.target_id = target_id
        self.campaign_id = campaign_id
        self.allow_gap = allow_gap
        self.allow_accept_list = allow_accept_list
        self.verify_wait = verify_wait

    def execute(self, context: Context) -> dict[str, Any]:
        """Bring the list into step and return the counts."""
        from airflow_provider_retreaver.domain.lists.caller_list_sync import CallerListSync

        with self.connected() as hook:
            aim = self._aim()
            dry_run = self.is_dry_run()
            files = self.files_of(context, "caller_list")
            folder = files[0] if files else None
            collected = self.collect_numbers(folder)
            sync = CallerListSync(aim, collected.numbers)
            change = hook.run(sync.plan())
            self._announce(change)
            done = _would(change) if dry_run else hook.run(sync.carry_out(change))
        self.log.info("Caller list %s: %s.", aim.name, ", ".join(f"{name} {value}" for name, value in done.items()))
        result = {**done, **_read(collected, folder, change if dry_run else None)}
        self.tell_sync(context, result, list_name=aim.name, target_id=self.target_id, campaign_id=self.campaign_id)
        return result

    def _aim(self) -> Aim:
        """Return what is meant.

        :raises InvalidArgument: naming the parameter that cannot be right.
        """
        from airflow_provider_retreaver.domain.lists.caller_list_sync import MODES, Aim
        from airflow_provider_retreaver.domain.lists.suppression_plan import limits
        from airflow_provider_retreaver.resources.caller_lists import Owner

        owner = Owner(self.target_id, self.campaign_id)
        name = str(self.list_name).strip()
        owner.list_path(name)
        limits(self.max_removals)
        wait: Any = self.verify_wait
        if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait <= DAY:
            raise InvalidArgument(f"verify_wait must be seconds from 0 to {DAY}, not {wait!r}.")
        return Aim(
            owner,
            name,
            mode=parameters.one_of(self.mode, MODES, "mode"),
            allow_gap=flag(self.allow_gap, "allow_gap"),
            allow_accept_list=flag(self.allow_accept_list, "allow_accept_list"),
            max_removals=self.max_removals,
            verify_wait=float(wait),
        )

    def _announce(self, change: Change) -> None:
        if change.clear:
            self.log.warning("The list cannot be read, so it is emptied and filled again with %d.", len(change.add))
        else:
            self.log.info("To upload: add %d, remove %d.", len(change.add), len(change.remove))


def _would(change: Change) -> dict[str, Any]:
    return {
        "would_add": len(change.add),
        "would_remove": None if change.clear else len(change.remove),
        "would_create": change.created,
        "dry_run": True,
    }


def _read(collected: Collected, folder: Folder | None, planned: Change | None) -> dict[str, Any]:
    """Return what the source was like, and where the files are; the plan of a dry run is written."""
    found: dict[str, Any] = {"rejected": collected.rejected, "duplicates": collected.duplicates}
    if folder is not None:
        found["rejects"] = str(folder.path / REJECTS)
        if planned is not None:
            found["plan"] = folder.write(PLANNED, planned.lines())
    return found
