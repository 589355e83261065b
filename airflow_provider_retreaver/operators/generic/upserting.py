"""The generic operator that creates an object where there is none yet, and changes it where there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import identifier
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.operators.base import RetreaverWriteOperator
from airflow_provider_retreaver.operators.generic.parameters import (
    entry_with,
    find_reference_or_none,
    find_values,
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

    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.domain.objects.named_values import NamedValues
    from airflow_provider_retreaver.domain.objects.names import NamedKind
    from airflow_provider_retreaver.domain.resources.result import ObjectResult
    from airflow_provider_retreaver.hooks.client_hook import ClientHook
    from airflow_provider_retreaver.resources.caller_list_verbs import ListOwner
    from airflow_provider_retreaver.resources.entry import Entry
    from airflow_provider_retreaver.resources.resource import Id
    from airflow_provider_retreaver.resources.resource_names import ResourceToUpsert


class RetreaverUpsertOperator(RetreaverWriteOperator):
    """Create an object where it does not exist, change only what differs where it does.

    Safe to retry and to clear. It is looked up by the customer ID (`afid`, `cid`, `tid`), of contacts by a phone
    number, of static_caller_numbers, suppressed_numbers and caller_list_numbers by their phone number, of
    caller_lists by name. Numbers, number pools and companies have no such ID and are refused; target groups are
    looked up by `object_name`, as targets, campaigns and affiliates may be. How attributes are compared, and what is
    returned, is as for `RetreaverUpdateOperator`; where it was created, as for
    `RetreaverCreateOperator`. Retreaver's reference: the sections "Create a …" and "Update a …" of each resource.

    Names are not unique at Retreaver: an object is created where none has the name, several that have it are refused,
    and two tasks that create the same name at the same moment may create two. What was found or created by name is
    kept for the retries of the run in Airflow's task state store (3.3); elsewhere a retry looks the name up again.

    :param resource: affiliates, campaigns, contacts, static_caller_numbers, suppressed_numbers, target_groups,
        targets, caller_lists or caller_list_numbers.
    :param attributes: attributes as they should be; others stay as they are. They take names as those of
        `RetreaverUpdateOperator` do.
    :param resource_id: instead of `customer_id`, where a phone number or a name takes the place of an ID.
    :param customer_id: by which it is looked up; may be left out where the attributes hold it.
    :param object_name: instead of both: the name by which a target, target group, campaign or affiliate is looked up,
        and which it has when it is created (`company_name` of an affiliate).
    :param list_owner: of caller_lists `{"target_id": 3}` or `{"campaign_id": 5}`; of caller_list_numbers also
        `"caller_list"`, the list's name. `target_name` and `campaign_name` take names.
    :param confirm: needed for a caller list whose name begins with `accepted`: it blocks every caller not on it.
    :param dry_run: look it up and return what would be done; nothing is sent.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :raises InvalidArgument: when a parameter is wrong or a confirmation is missing; nothing was sent.
    :raises ChangeRefused: when the change would lose a tag's operator, or a row without an `id` fits several.
    :raises OutcomeUnknown: when the answer to a create was lost, and the object is not found.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        "resource",
        "resource_id",
        "customer_id",
        "object_name",
        "attributes",
        "list_owner",
        "confirm",
    )

    def __init__(
        self,
        *,
        resource: ResourceToUpsert,
        attributes: Mapping[str, object] | str | None = None,
        resource_id: Id | None = None,
        customer_id: Id | None = None,
        object_name: str | None = None,
        list_owner: ListOwner | str | None = None,
        confirm: bool | str = False,
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
        self.list_owner = list_owner
        self.confirm = confirm

    def execute(self, context: Context) -> ObjectResult:
        """Create or change the object."""
        from airflow_provider_retreaver.domain.resources import procedures
        from airflow_provider_retreaver.domain.resources.lookup import with_natural_key
        from airflow_provider_retreaver.resources.entry import ObjectReference

        with self.connected() as hook:
            entry = entry_with("create", self.resource)
            wanted, owner = read_named_attributes(self.attributes, entry), read_owner(self.list_owner)
            dry_run = self.is_dry_run()
            named = self._named(entry, wanted, owner)
            if named is None:
                value = self._key_value(entry, wanted.others)
                attributes = wanted.with_stand_ins()
                warning = entry.warning_before_create(with_natural_key(entry, attributes, value))
                require_confirmation(warning, self.confirm)
                procedures.check_upsert(entry, value, attributes, owner.with_stand_ins())
            find = partial(find_values, hook.run, context, None, dry_run=dry_run)
            attributes = find(wanted)
            if named is None:
                result = hook.run(procedures.upsert(entry, value, attributes, find(owner), dry_run=dry_run))
                described = entry.describe(ObjectReference(customer_id=value))
            else:
                result = self._upsert_named(context, hook, entry, named, attributes, dry_run=dry_run)
                described = f"{entry.title} {quoted(named[1])}"
            report_change(self, context, hook, entry, result, described)
        return result

    def _named(self, entry: Entry, wanted: NamedValues, owner: NamedValues) -> tuple[NamedKind, str] | None:
        """Return by which name the object is meant, checked with the attributes; None where not by name."""
        from airflow_provider_retreaver.domain.objects.named_values import STAND_IN
        from airflow_provider_retreaver.domain.objects.own_name import with_name

        reference = read_reference(self.resource_id, self.customer_id, owner.with_stand_ins())
        named = read_named(self.object_name, entry, reference)
        if named is not None:
            kind, name = named
            entry.update(replace(reference, id=STAND_IN), with_name(kind, wanted.with_stand_ins(), name))
        return named

    def _upsert_named(
        self,
        context: Context,
        hook: ClientHook[Any],
        entry: Entry,
        named: tuple[NamedKind, str],
        attributes: Mapping[str, object],
        *,
        dry_run: bool,
    ) -> ObjectResult:
        from airflow_provider_retreaver.domain.resources import procedures

        run: Callable[[Procedure[Any]], Any] = hook.run
        reference = find_for_run(run, context, None, partial(find_reference_or_none, named), dry_run=dry_run)
        upsert = partial(procedures.upsert_named, entry, named, reference, attributes, dry_run=dry_run)
        result: ObjectResult = find_for_run(run, context, None, upsert, dry_run=dry_run)
        return result

    def _key_value(self, entry: Entry, attributes: Mapping[str, object]) -> Id:
        from airflow_provider_retreaver.domain.objects.names import KINDS
        from airflow_provider_retreaver.domain.resources.lookup import natural_key_value

        if entry.natural_key is None:
            by_name = "give its object_name, " if entry.name in KINDS else ""
            raise InvalidArgument(
                f"A {entry.title} has no customer ID by which an upsert could look it up; {by_name}create it with "
                f"the create operator, or change it by its resource_id with the update operator."
            )
        customer_id = identifier(self.customer_id, "customer_id")
        resource_id = identifier(self.resource_id, "resource_id")
        if resource_id is not None and not entry.key_is_natural:
            raise InvalidArgument(
                f"An upsert finds {entry.name} by customer_id, not by resource_id, under which none can be created; "
                f"use the update operator for an object that exists."
            )
        if customer_id is not None and resource_id is not None:
            raise InvalidArgument("Set customer_id or resource_id, not both.")
        from_attributes = identifier(natural_key_value(entry, attributes), f"{entry.natural_key} of the attributes")
        value = next((one for one in (customer_id, resource_id, from_attributes) if one is not None), None)
        if value is None:
            by_name = " or by object_name" if entry.name in KINDS else ""
            raise InvalidArgument(
                f"Name the {entry.title} by customer_id ({entry.customer_key or entry.natural_key}){by_name}."
            )
        return value
