"""Generic operators that change and delete existing objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.links import note_objects
from airflow_provider_retreaver.operators.base import RetreaverWriteOperator
from airflow_provider_retreaver.operators.generic.creating import unremembered
from airflow_provider_retreaver.operators.generic.parameters import (
    entry_with,
    event_extra,
    find_reference,
    find_values,
    note_entry,
    read_named,
    read_named_attributes,
    read_owner,
    read_reference,
    report_change,
    require_confirmation,
)
from airflow_provider_retreaver.operators.name_choice import find_for_run

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.resources.result import ObjectResult
    from airflow_provider_retreaver.resources.caller_list_verbs import ListOwner
    from airflow_provider_retreaver.resources.resource import Id
    from airflow_provider_retreaver.resources.resource_names import ResourceToDelete, ResourceToUpdate


class RetreaverUpdateOperator(RetreaverWriteOperator):
    """Change attributes of one object: read it, send what differs, and read it back.

    Attributes are compared in the form in which Retreaver returns them (`hard_cap_attributes` with `caps`,
    `tag_list` with `tag_values`). Rows of business hours, timers, menu options, contact numbers and conversion groups
    that have no `id` are matched by day, seconds, key, number and name, since Retreaver would add a row otherwise;
    rows that are not mentioned stay. What Retreaver does not return (an uploaded file) is sent every time and named
    in `not_compared`. Retreaver's reference: the section "Update a …" of each resource.

    Returns `{"id", "customer_id", "action": "updated" | "unchanged", "changed": {attribute: {"before", "after"}},
    "not_compared": […]}`, with `not_taken` for attributes that Retreaver did not take over. A dry run has the
    action `would_update`.

    :param resource: affiliates, campaigns, companies, contacts, contact_numbers, numbers, number_pools,
        suppressed_numbers, target_groups or targets.
    :param attributes: attributes as they should be, e.g. `{"weight": 5}`; others stay as they are. Where one takes
        IDs, names may be given: `campaign_name` and `affiliate_name` of numbers and number_pools, `campaign_name` of
        suppressed_numbers, `target_names`, `add_targets_by_name` and `remove_targets_by_name` of target_groups.
    :param resource_id: Retreaver's own ID; of contact_numbers and suppressed_numbers the phone number.
    :param customer_id: instead of `resource_id`: the afid, cid or tid of affiliates, campaigns and targets; of
        contacts a phone number.
    :param object_name: instead of both: the name of a target, target group, campaign or affiliate, as written at
        Retreaver; one that is missing or not unique is refused.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :raises InvalidArgument: when a parameter is wrong; nothing was sent.
    :raises NotFound: when there is no such object.
    :raises ChangeRefused: when the change would lose a tag's operator, or a row without an `id` fits several.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        "resource",
        "resource_id",
        "customer_id",
        "object_name",
        "attributes",
    )

    def __init__(
        self,
        *,
        resource: ResourceToUpdate,
        attributes: Mapping[str, object] | str,
        resource_id: Id | None = None,
        customer_id: Id | None = None,
        object_name: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.resource = resource
        self.attributes = attributes
        self.resource_id = resource_id
        self.customer_id = customer_id
        self.object_name = object_name

    def execute(self, context: Context) -> ObjectResult:
        """Change the object."""
        from airflow_provider_retreaver.domain.objects.named_values import STAND_IN
        from airflow_provider_retreaver.domain.resources import procedures

        with self.connected() as hook:
            entry = entry_with("update", self.resource)
            reference = read_reference(self.resource_id, self.customer_id)
            wanted = read_named_attributes(self.attributes, entry)
            dry_run = self.is_dry_run()
            named = read_named(self.object_name, entry, reference)
            entry.update(reference if named is None else replace(reference, id=STAND_IN), wanted.with_stand_ins())
            if named is not None:
                find = partial(find_reference, named)
                reference = find_for_run(hook.run, context, None, find, dry_run=dry_run)
            attributes = find_values(hook.run, context, None, wanted, dry_run=dry_run)
            result = hook.run(procedures.update(entry, reference, attributes, dry_run=dry_run))
            report_change(self, context, hook, entry, result, entry.describe(reference))
        return result


class RetreaverDeleteOperator(RetreaverWriteOperator):
    """Delete one object of a resource.

    The numbers of affiliates and campaigns must be deleted first, and the numbers and number pools of companies.
    Retreaver's reference: the section "Remove a …" or "Delete a …" of each resource.

    An object that is chosen by name is looked up once in a run, and read again right before it is deleted: one that
    has another name then is left alone. Retries have the ID that was found, so that no other object which got the
    name meanwhile is deleted; without Airflow's task state store (3.3) or `state_path` a task with retries is refused
    for that reason. A name that no object has is refused, also with `missing_ok`, unless an earlier attempt of the
    same run found the object.

    Returns `{"id", "customer_id", "action": "deleted" | "missing"}`; a dry run has the action `would_delete`.

    :param resource: affiliates, campaigns, companies, contacts, contact_numbers, numbers, number_pools,
        payout_tables, static_caller_numbers, suppressed_numbers, target_groups, targets, caller_lists or
        caller_list_numbers.
    :param resource_id: Retreaver's own ID; of contact_numbers, suppressed_numbers and caller_list_numbers the phone
        number, of caller_lists the name.
    :param customer_id: instead of `resource_id`: the afid, cid or tid of affiliates, campaigns and targets; of
        contacts a phone number.
    :param object_name: instead of both: the name of a target, target group, campaign or affiliate, as written at
        Retreaver; one that is missing or not unique is refused.
    :param list_owner: of caller_lists `{"target_id": 3}` or `{"campaign_id": 5}`; of caller_list_numbers also
        `"caller_list"`, the list's name; of payout_tables `{"campaign_id": 5}`, Retreaver's own ID. `target_name` and
        `campaign_name` take names.
    :param confirm: needed for numbers and number_pools, which cannot be bought again, for companies, whose contents
        are deleted with them, and for payout_tables, which change payouts.
    :param missing_ok: an object that does not exist is success; see above for names.
    :param state_path: folder on object storage for what was found by name, where Airflow has no task state store.
    :param dry_run: check whether it exists; nothing else is sent.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :raises InvalidArgument: when a parameter is wrong or a confirmation is missing; nothing was sent.
    :raises NotFound: when there is no such object and `missing_ok` is false.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        "resource",
        "resource_id",
        "customer_id",
        "object_name",
        "list_owner",
        "confirm",
        "missing_ok",
        "state_path",
    )

    def __init__(
        self,
        *,
        resource: ResourceToDelete,
        resource_id: Id | None = None,
        customer_id: Id | None = None,
        object_name: str | None = None,
        list_owner: ListOwner | str | None = None,
        confirm: bool | str = False,
        missing_ok: bool | str = True,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.resource = resource
        self.resource_id = resource_id
        self.customer_id = customer_id
        self.object_name = object_name
        self.list_owner = list_owner
        self.confirm = confirm
        self.missing_ok = missing_ok
        self.state_path = state_path

    def execute(self, context: Context) -> ObjectResult:
        """Delete the object."""
        from airflow_provider_retreaver.domain.objects.named_values import STAND_IN
        from airflow_provider_retreaver.domain.objects.own_name import require_name
        from airflow_provider_retreaver.domain.resources import procedures

        with self.connected() as hook:
            entry = entry_with("delete", self.resource)
            owner = read_owner(self.list_owner)
            reference = read_reference(self.resource_id, self.customer_id, owner.with_stand_ins())
            require_confirmation(entry.delete_warning, self.confirm)
            missing_ok, dry_run = flag(self.missing_ok, "missing_ok"), self.is_dry_run()
            named = read_named(self.object_name, entry, reference)
            entry.delete(reference if named is None else replace(reference, id=STAND_IN))
            if (named is not None or owner.names) and not dry_run:
                self._check_retries(context)
            check = None
            if named is not None:
                find = partial(find_reference, named)
                reference = find_for_run(hook.run, context, self.state_path, find, dry_run=dry_run)
                kind, name = named
                check = partial(require_name, kind, name=name)
            elif owner.names:
                found = find_values(hook.run, context, self.state_path, owner, dry_run=dry_run)
                reference = replace(reference, owner=found)
            procedure = procedures.delete(entry, reference, missing_ok=missing_ok, dry_run=dry_run, check=check)
            result = hook.run(procedure)
            if result["action"] == "would_delete":
                note_entry(self, context, hook, entry, result["id"])
            else:
                # A deleted object has no page.
                note_objects(self, context, hook, entry.name)
        self.log.info("%s: %s", result["action"], entry.describe(reference))
        self.update_outlet_events(context, **event_extra(entry, result))
        return result

    def _check_retries(self, context: Context) -> None:
        """Refuse to delete by name what a retry could look up anew."""
        from airflow_provider_retreaver.storage.run_state import RunState

        if self.retries and not RunState(context, "names", self.state_path).lasting:
            raise unremembered("delete another object, if one has got the name meanwhile")
