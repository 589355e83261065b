"""The operator for the members of target groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.operators.change_base import RetreaverChangeOperator
from airflow_provider_retreaver.operators.target_choice import Ids, Names, one_object

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
    from airflow_provider_retreaver.domain.routing.group_members import ChosenTargets

FIELDS = (
    *("target_group_id", "target_group_name", "add", "remove", "replace"),
    *("add_names", "remove_names", "replace_names"),
)


class RetreaverUpdateTargetGroupOperator(RetreaverChangeOperator):
    """Add targets to a target group and remove them from it.

    Retreaver's reference: "Target Groups", `add_targets_by_id`, `remove_targets_by_id`, `target_ids`. Adding and
    removing go through Retreaver's helpers, which keep what others add and remove at the same time; `replace` sends
    the whole list and does not. `max_changes` counts memberships that begin or end, a share is one of all those
    before and after. See `RetreaverChangeOperator` for the result, whose fields are `target 3` and so on (or
    `target_ids`).

    :param target_group_id: Retreaver's own ID of the group, or
    :param target_group_name: its name; exactly one of the two is given.
    :param add: IDs of targets to add.
    :param remove: IDs of targets to remove.
    :param replace: IDs of the targets to have instead of all others; not beside those to add and remove. An empty
        list empties the group.
    :param add_names: targets to add, by name, as written at Retreaver; one that is not there, or not unique, is
        refused.
    :param remove_names: targets to remove, by name.
    :param replace_names: targets to have instead of all others, by name.
    :param max_changes: a number of memberships, or a share of those before and after (`0.1`, `"10%"`), above
        which nothing is sent; None for no limit.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is invalid; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when the group could not be changed as requested.
    """

    template_fields = (*RetreaverChangeOperator.template_fields, *FIELDS)

    def __init__(
        self,
        *,
        target_group_id: int | str | None = None,
        target_group_name: str | None = None,
        add: Ids | None = None,
        remove: Ids | None = None,
        replace: Ids | None = None,
        add_names: Names | None = None,
        remove_names: Names | None = None,
        replace_names: Names | None = None,
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
        self.target_group_name = target_group_name
        self.add = add
        self.remove = remove
        self.replace = replace
        self.add_names = add_names
        self.remove_names = remove_names
        self.replace_names = replace_names

    def change_spec(self, context: Context) -> ChangeSpec:  # noqa: ARG002
        """Return what is to be changed."""
        from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
        from airflow_provider_retreaver.domain.routing.group_members import MembersOfGroup

        group = one_object(self, "target_group_id", "target_group_name")
        members = MembersOfGroup(group, *(self._chosen(verb) for verb in ("add", "remove", "replace")))
        return ChangeSpec(find=members.find, state=lambda _key, _row: members.state, counted="memberships")

    def _chosen(self, verb: str) -> ChosenTargets | None:
        """Return the targets that a parameter and the one for names choose; None where neither is given."""
        from airflow_provider_retreaver.core.parameters import ids, names
        from airflow_provider_retreaver.domain.routing.group_members import ChosenTargets

        by_id = ids(getattr(self, verb), verb)
        by_name = names(getattr(self, f"{verb}_names"), f"{verb}_names")
        if by_id is None and by_name is None:
            return None
        return ChosenTargets(by_id or (), by_name or (), f"{verb}_names")
