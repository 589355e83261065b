"""The operator that deletes a buyer group of TrackDrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.operators.generic.parameters import require_confirmation
from airflow_provider_retreaver.operators.run_base import Result, ResumableRuns, Run, load_record, save_record
from airflow_provider_retreaver.operators.trackdrive_base import TrackDriveWriteOperator, one_group_id

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.hooks.client_hook import ClientHook


class TrackDriveBuyerGroupDeleteOperator(ResumableRuns, TrackDriveWriteOperator):
    """Delete a buyer group: read it, delete it, and read that it is gone.

    Returns the rows `changed`, `unchanged` and `failed` of the routing operators, where a group that was deleted has
    the field `deleted` (a dry run has `would_change`), and `{"id", "customer_id", "action": "deleted" | "missing",
    "gone", "already_gone"}`; a dry run has the action `would_delete`. `gone` is true where TrackDrive was asked and
    has the group no more, `already_gone` where that was so before anything was sent: a retry after a lost worker
    finds it so, and succeeds. TrackDrive's reference: "DELETE /api/v1/buyer_groups/:id"; see docs/trackdrive.md.

    :param buyer_group_id: TrackDrive's own ID.
    :param confirm: needed, except in a dry run: calls are no longer sent to the group's buyers, and its counts are
        lost.
    :param missing_ok: a group that does not exist is success. Without it, one that an earlier attempt of the same
        run has deleted is success still, where the state of a run is kept.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read the group and return what would be deleted; nothing is sent.
    :param trackdrive_conn_id: ID of the connection.
    :raises InvalidArgument: when a parameter is wrong or the confirmation is missing; nothing was sent.
    :raises NotFound: when there is no such group and `missing_ok` is false; nothing was sent.
    :raises PartialFailure: when the delete was accepted, and the group is there still or could not be read back.
    """

    template_fields = (
        *TrackDriveWriteOperator.template_fields,
        "buyer_group_id",
        "confirm",
        "missing_ok",
        "state_path",
    )
    operator_extra_links = ()
    action = "deleted"
    summary = "Groups deleted (changed), gone before (unchanged) and failed"

    def __init__(
        self,
        *,
        buyer_group_id: int | str,
        confirm: bool | str = False,
        missing_ok: bool | str = True,
        state_path: str | None = None,
        dry_run: bool | str = False,
        trackdrive_conn_id: str = "trackdrive_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, trackdrive_conn_id=trackdrive_conn_id, **kwargs)
        self.buyer_group_id = buyer_group_id
        self.confirm = confirm
        self.missing_ok = missing_ok
        self.state_path = state_path

    def create_run(self, context: Context) -> Run:
        """Return the run that deletes the group."""
        from airflow_provider_retreaver.domain.trackdrive.deletion import DeleteGroup
        from airflow_provider_retreaver.resources.trackdrive.entry import BUYER_GROUPS

        group_id, dry_run = one_group_id(self.buyer_group_id), self.is_dry_run()
        require_confirmation(None if dry_run else BUYER_GROUPS.delete_warning, self.confirm)
        missing_ok = flag(self.missing_ok, "missing_ok")
        warning = "a retry after a lost worker would fail where the group is deleted already; set state_path."
        state = self.run_state(context, "delete_buyer_groups", warning=None if missing_ok else warning)
        record, save = load_record(state)(), save_record(state)
        return DeleteGroup(group_id, missing_ok=missing_ok, record=record, save=save, dry_run=dry_run)

    def done_objects(self, result: Result) -> int:
        """Return how many groups are gone."""
        return len(result["changed"]) + len(result["unchanged"])

    def event_extra(self, result: Result) -> dict[str, object]:
        """Return the group and what became of it."""
        fields = sorted({row["field"] for row in result["changed"]})
        return {"resource": "buyer_groups", "action": result["action"], "id": result["id"], "fields": fields}

    def note_result(self, context: Context, hook: ClientHook[Any], result: Result) -> None:
        """Note nothing: a group that is gone has no page."""
