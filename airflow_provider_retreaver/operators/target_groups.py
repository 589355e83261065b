"""The operator for the members of target groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.operators.change_base import RetreaverChangeOperator
from airflow_provider_retreaver.operators.target_choice import Ids

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.changes.edit import ChangeSpec, DesiredState


class RetreaverUpdateTargetGroupOperator(RetreaverChangeOperator):
    """Add targets to a target group and remove them from it.

    Retreaver's reference: "Target Groups", `add_targets_by_id`, `remove_targets_by_id`, `target_ids`. Adding and
    removing go through Retreaver's helpers, which keep what others add and remove at the same time; `replace` sends
    the whole list and does not. `max_changes` counts memberships that begin or end, a share is one of all those
    before and after. See `RetreaverChangeOperator` for the result, whose fields are `target 3` and so on (or
    `target_ids`).

    :param target_group_id: Retreaver's own ID of the group.
    :param add: IDs of targets to add.
    :param remove: IDs of targets to remove.
    :param replace: IDs of the targets to have instead of all others; not beside the other two. An empty list empties
        the group.
    :param max_changes: a number of memberships, or a share of those before and after (`0.1`, `"10%"`), above
        which nothing is sent; None for no limit.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is invalid; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when the group could not be changed as requested.
    """

    template_fields = (*RetreaverChangeOperator.template_fields, "target_group_id", "add", "remove", "replace")

    def __init__(
        self,
        *,
        target_group_id: int | str,
        add: Ids | None = None,
        remove: Ids | None = None,
        replace: Ids | None = None,
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
        self.target_group_id = target_group_id
        self.add = add
        self.remove = remove
        self.replace = replace

    def change_spec(self, context: Context) -> ChangeSpec:  # noqa: ARG002
        """Return what is to be changed."""
        from airflow_provider_retreaver.core.parameters import ids
        from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
        from airflow_provider_retreaver.domain.objects.reading import find_groups

        groups = ids(self.target_group_id, "target_group_id") or []
        if len(groups) != 1:
            raise InvalidArgument(
                f"target_group_id must be one ID, not {quoted(self.target_group_id)}; map over several."
            )
        state = self._desired_state()
        return ChangeSpec(find=lambda: find_groups(groups), state=lambda _key, _row: state, counted="memberships")

    def _desired_state(self) -> DesiredState:
        from airflow_provider_retreaver.core.parameters import ids
        from airflow_provider_retreaver.domain.routing.group_members import DesiredMemberList, DesiredMembership

        add, remove = ids(self.add, "add"), ids(self.remove, "remove")
        replace = ids(self.replace, "replace")
        if replace is None:
            if add is None and remove is None:
                raise InvalidArgument("There are no targets to add or remove: give add, remove or replace.")
            return DesiredMembership(add or (), remove or ())
        if add is not None or remove is not None:
            raise InvalidArgument("replace sets all members: give it alone, or give add and remove.")
        return DesiredMemberList(replace)
