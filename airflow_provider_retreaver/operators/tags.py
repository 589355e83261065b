"""The operator for tags of targets and contacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.operators.change_base import RetreaverChangeOperator
from airflow_provider_retreaver.operators.target_choice import SELECTION_FIELDS, Ids, Names, TagFilter, select_targets

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.changes.edit import ChangeSpec

Tags = str | Iterable[str] | Mapping[str, object]


class RetreaverUpdateTagsOperator(RetreaverChangeOperator):
    """Add, remove or replace tags of targets or of contacts.

    Retreaver's reference: "Tagging a Target", "Create a Contact". Retreaver takes the whole list of tags at once, so
    it is read, changed and sent; tags that are not named stay. That list has no operators but `==`: an object with a
    tag of another operator, or with one that the list cannot hold (a comma, `<<<`, `>>>`), or with more than 100
    tags, is refused and named rather than damaged. Tags that others add between reading and sending are lost, which
    Retreaver has no way to prevent. See `RetreaverChangeOperator` for the result.

    Tags are a mapping of keys to a value or a list of values, a list of `"key:value"`, or such texts with commas
    between them.

    :param add: tags to add.
    :param remove: tags to remove; `"key"` without a value removes any value of the key.
    :param replace: the tags to have instead of all others, an empty list for none; not beside the other two.
    :param target_ids: Retreaver's own IDs of targets.
    :param tids: the customer's IDs of targets.
    :param target_names: targets by name, as written at Retreaver; one that is not there, or not unique, is refused.
    :param target_group_ids: target groups, which stand for their members.
    :param target_group_names: the same by name.
    :param tag: targets with this tag, as `"key:value"` or `{"key": "value"}`.
    :param contact_ids: Retreaver's own IDs of contacts; contacts and targets are not changed in one task.
    :param contact_numbers: phone numbers of contacts, E.164.
    :param max_changes: a number of objects, or a share of the selected ones (`0.1`, `"10%"`), above which nothing
        is sent; None for no limit.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is invalid; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when some could not be changed.
    """

    template_fields = (
        *RetreaverChangeOperator.template_fields,
        *("add", "remove", "replace"),
        *SELECTION_FIELDS,
        *("contact_ids", "contact_numbers"),
    )

    def __init__(
        self,
        *,
        add: Tags | None = None,
        remove: Tags | None = None,
        replace: Tags | None = None,
        target_ids: Ids | None = None,
        tids: Ids | None = None,
        target_names: Names | None = None,
        target_group_ids: Ids | None = None,
        target_group_names: Names | None = None,
        tag: TagFilter | None = None,
        contact_ids: Ids | None = None,
        contact_numbers: Ids | None = None,
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
        self.add = add
        self.remove = remove
        self.replace = replace
        self.target_ids = target_ids
        self.tids = tids
        self.target_names = target_names
        self.target_group_ids = target_group_ids
        self.target_group_names = target_group_names
        self.tag = tag
        self.contact_ids = contact_ids
        self.contact_numbers = contact_numbers

    def change_spec(self, context: Context) -> ChangeSpec:  # noqa: ARG002
        """Return what is to be changed."""
        from airflow_provider_retreaver.core.parameters import ids, texts
        from airflow_provider_retreaver.core.phone_parameters import phone
        from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
        from airflow_provider_retreaver.domain.objects.reading import find_contacts, find_targets
        from airflow_provider_retreaver.domain.routing.tag_change import DesiredTags, TagEdit

        edit = TagEdit.parse(self.add, self.remove, self.replace)
        contacts = ids(self.contact_ids, "contact_ids")
        numbers = texts(self.contact_numbers, "contact_numbers")
        if contacts is None and numbers is None:
            selection = select_targets(self)
            return ChangeSpec(
                find=lambda names: find_targets(selection, ("tag_values",), names=names),
                state=lambda _key, _row: DesiredTags(edit, "target"),
            )
        if any(getattr(self, name) is not None for name in SELECTION_FIELDS):
            raise InvalidArgument("Targets and contacts are both selected; change each in its own task.")
        phones = [phone(number, "contact_numbers") for number in numbers or ()]
        return ChangeSpec(
            find=lambda _names: find_contacts(contacts or (), phones),
            state=lambda _key, _row: DesiredTags(edit, "contact"),
            counted="contacts",
        )
