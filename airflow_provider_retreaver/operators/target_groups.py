"""The operator for who belongs to a target group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.operators.change_base import RetreaverChangeOperator
from airflow_provider_retreaver.operators.target_choice import Ids

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.changes.edit import Aim, Task


class RetreaverUpdateTargetGroupOperator(RetreaverChangeOperator):
    """Put targets into a target group and take them out of it.

    Vendor's reference: "Target Groups", `add_targets_by_id`, `remove_targets_by_id`, `target_ids`. Adding and
    removing go through the vendor's helpers, which leave alone what others add and remove meanwhile; `replace` sends
    the whole list and does not. `max_changes` counts memberships that begin or end, a share is one of all those
    before and after. See `RetreaverChangeOperator` for the result, whose fields are `target 3` and so on (or
    `target_ids`).

    :param target_group_id: Retreaver's own ID of the group.
    :param add: IDs of targets to put in.
    :param remove: IDs of targets to take out.
    :param replace: IDs of the targets to have instead of all others; not beside the other two. An empty list empties
        the group.
    :raises InvalidArgument: naming the parameter that cannot be right; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when the group could not be changed as wanted.
    """

    template_fields = (*RetreaverChangeOperator.template_fields, "target_group_id", "add", "remove", "replace")

    def __init__(
        self,
        *,
        target_group_id: int | str,
        add: Ids | None = None,
        remove: Ids | None = None,
        replace: Ids | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target_group_id = target_group_id
        self.add = add
        self.remove = remove
        self.replace = replace

    def change_task(self, context: Context) -> Task:  # noqa: ARG002
        """Return what is meant."""
        from airflow_provider_retreaver.core.parameters import ids
        from airflow_provider_retreaver.domain.changes.edit import Task
        from airflow_provider_retreaver.domain.objects.reading import find_groups

        groups = ids(self.target_group_id, "target_group_id") or []
        if len(groups) != 1:
            raise InvalidArgument(f"target_group_id must be one ID, not {self.target_group_id!r}; map over several.")
        aim = self._aim()
        return Task(find=lambda: find_groups(groups), aim=lambda _key, _row: aim, counted="memberships")

    def _aim(self) -> Aim:
        from airflow_provider_retreaver.core.parameters import ids
        from airflow_provider_retreaver.domain.routing.group_members import AllMembersAim, MembersAim

        add, remove = ids(self.add, "add"), ids(self.remove, "remove")
        replace = ids(self.replace, "replace")
        if replace is None:
            if add is None and remove is None:
                raise InvalidArgument(
                    "Nothing says which targets to put in or take out: give add, remove or replace."
                )
            return MembersAim(add or (), remove or ())
        if add is not None or remove is not None:
            raise InvalidArgument("replace says all the members there are to be: give it alone, or add and remove.")
        return AllMembersAim(replace)
