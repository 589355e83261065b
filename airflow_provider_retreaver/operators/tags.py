"""The operator for tags of targets and contacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.operators.change_base import RetreaverChangeOperator
from airflow_provider_retreaver.operators.target_choice import Ids, chosen_targets

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.changes.edit import Task

Tags = str | Iterable[str] | Mapping[str, Any]


class RetreaverUpdateTagsOperator(RetreaverChangeOperator):
    """Add, remove or replace tags of targets or of contacts.

    Vendor's reference: "Tagging a Target", "Create a Contact". The vendor takes the whole list of tags at once, so it
    is read, changed and sent; tags that are not named stay. That list says only `==`: an object with a tag of another
    operator, or with one that the list cannot carry (a comma, `<<<`, `>>>`), or with more than 100 tags, is refused
    and named rather than damaged. Somebody else's tags put on between reading and sending are lost, as the vendor
    has no way around that. See `RetreaverChangeOperator` for the result.

    Tags are a mapping of keys to a value or a list of values, a list of `"key:value"`, or such texts with commas
    between them.

    :param add: tags to put on.
    :param remove: tags to take off; `"key"` without a value takes off whatever value it has.
    :param replace: the tags to have instead of all others, an empty list for none; not beside the other two.
    :param target_ids: Retreaver's own IDs of targets.
    :param tids: the customer's IDs of targets.
    :param target_group_ids: target groups, which stand for their members.
    :param tag: targets that carry this tag, as `"key:value"` or `{"key": "value"}`.
    :param contact_ids: Retreaver's own IDs of contacts; contacts and targets are not changed in one task.
    :param contact_numbers: phone numbers of contacts, E.164.
    :raises InvalidArgument: naming the parameter that cannot be right; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when some could not be changed.
    """

    template_fields = (
        *RetreaverChangeOperator.template_fields,
        *("add", "remove", "replace", "target_ids", "tids", "target_group_ids", "tag"),
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
        target_group_ids: Ids | None = None,
        tag: str | Mapping[str, str] | None = None,
        contact_ids: Ids | None = None,
        contact_numbers: Ids | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.add = add
        self.remove = remove
        self.replace = replace
        self.target_ids = target_ids
        self.tids = tids
        self.target_group_ids = target_group_ids
        self.tag = tag
        self.contact_ids = contact_ids
        self.contact_numbers = contact_numbers

    def change_task(self, context: Context) -> Task:  # noqa: ARG002
        """Return what is meant."""
        from airflow_provider_retreaver.core.parameters import ids, phone, texts
        from airflow_provider_retreaver.domain.changes.edit import Task
        from airflow_provider_retreaver.domain.objects.reading import find_contacts, find_targets
        from airflow_provider_retreaver.domain.routing.tag_change import TagEdit, TagsAim

        edit = TagEdit.parse(self.add, self.remove, self.replace)
        contacts = ids(self.contact_ids, "contact_ids")
        numbers = texts(self.contact_numbers, "contact_numbers")
        by_target = (self.target_ids, self.tids, self.target_group_ids, self.tag)
        if contacts is None and numbers is None:
            chosen = chosen_targets(*by_target)
            return Task(
                find=lambda: find_targets(chosen, ("tag_values",)), aim=lambda _key, _row: TagsAim(edit, "target")
            )
        if any(given is not None for given in by_target):
            raise InvalidArgument("Targets and contacts are both named; change each in a task of its own.")
        phones = [phone(number, "contact_numbers") for number in numbers or ()]
        return Task(
            find=lambda: find_contacts(contacts or (), phones),
            aim=lambda _key, _row: TagsAim(edit, "contact"),
            counted="contacts",
        )
