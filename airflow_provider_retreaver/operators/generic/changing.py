"""Generic operators that change and delete objects that are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.operators.base import RetreaverWriteOperator
from airflow_provider_retreaver.operators.generic.parameters import (
    attributes_of,
    confirmed,
    entry_for,
    told_of,
    which,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class RetreaverUpdateOperator(RetreaverWriteOperator):
    """Change attributes of one object: read it, send what differs, and read it back.

    Attributes are compared in the form in which the vendor returns them (`hard_cap_attributes` with `caps`,
    `tag_list` with `tag_values`). Rows of business hours, timers, menu options, contact numbers and conversion groups
    that are given without an `id` are matched by day, seconds, key, number and name, since the vendor would add a row
    otherwise; rows that are not mentioned stay. What the vendor does not return (an uploaded file) is sent every time
    and named in `not_compared`.

    Returns `{"id", "customer_id", "action": "updated" | "unchanged", "changed": {attribute: {"before", "after"}},
    "not_compared": […]}`, with `not_taken` where the vendor's object is not as it was told to be. A dry run has the
    action `would_update`.

    :param resource: affiliates, campaigns, companies, contacts, contact_numbers, numbers, number_pools,
        suppressed_numbers, target_groups or targets.
    :param resource_id: as for `RetreaverGetOperator`; of contact_numbers the phone number.
    :param customer_id: instead of `resource_id`, see `RetreaverGetOperator`.
    :param attributes: to be as given; others stay as they are.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: the connection.
    :raises NotFound: when there is no such object.
    :raises ChangeRefused: when the change would lose a tag's operator, or it is not clear which row is meant.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        "resource",
        "resource_id",
        "customer_id",
        "attributes",
    )

    def __init__(
        self,
        *,
        resource: str,
        attributes: Mapping[str, Any] | str,
        resource_id: int | str | None = None,
        customer_id: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.attributes = attributes
        self.resource_id = resource_id
        self.customer_id = customer_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Change the object."""
        from airflow_provider_retreaver.domain.resources import procedures as resource_changes

        with self.connected() as hook:
            entry = entry_for(self.resource, "update")
            wanted = which(self.resource_id, self.customer_id, None)
            attributes = attributes_of(self.attributes)
            dry_run = flag(self.dry_run_only, "dry_run")
            result = hook.run(resource_changes.update(entry, wanted, attributes, dry_run=dry_run))
        self.log.info(
            "%s: %s (%s)", result["action"], entry.called(wanted), ", ".join(result["changed"]) or "nothing"
        )
        self.tell_outlets(context, **told_of(entry, result))
        return result


class RetreaverDeleteOperator(RetreaverWriteOperator):
    """Delete one object of a resource.

    Affiliates and campaigns must lose their numbers first, companies their numbers and number pools. Returns `{"id",
    "customer_id", "action": "deleted" | "missing"}`; a dry run has the action `would_delete`.

    :param resource: affiliates, campaigns, companies, contacts, contact_numbers, numbers, number_pools,
        static_caller_numbers, suppressed_numbers, target_groups, targets, caller_lists or caller_list_numbers.
    :param resource_id: as for `RetreaverGetOperator`; of contact_numbers the phone number.
    :param customer_id: instead of `resource_id`, see `RetreaverGetOperator`.
    :param list_owner: of caller lists and their numbers, see `RetreaverGetOperator`.
    :param confirm: needed for numbers, number_pools and companies, which cannot be had again.
    :param missing_ok: an object that is gone already is success.
    :param dry_run: look whether it is there; nothing is sent.
    :param retreaver_conn_id: the connection.
    :raises InvalidArgument: when a confirmation is missing; nothing was sent.
    :raises NotFound: when there is no such object and `missing_ok` is false.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        "resource",
        "resource_id",
        "customer_id",
        "list_owner",
        "confirm",
        "missing_ok",
    )

    def __init__(
        self,
        *,
        resource: str,
        resource_id: int | str | None = None,
        customer_id: int | str | None = None,
        list_owner: Mapping[str, Any] | str | None = None,
        confirm: bool | str = False,
        missing_ok: bool | str = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.resource_id = resource_id
        self.customer_id = customer_id
        self.list_owner = list_owner
        self.confirm = confirm
        self.missing_ok = missing_ok

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete the object."""
        from airflow_provider_retreaver.domain.resources import procedures as resource_changes

        with self.connected() as hook:
            entry = entry_for(self.resource, "delete")
            wanted = which(self.resource_id, self.customer_id, self.list_owner)
            confirmed(entry.delete_warning, self.confirm)
            procedure = resource_changes.delete(
                entry,
                wanted,
                missing_ok=flag(self.missing_ok, "missing_ok"),
                dry_run=flag(self.dry_run_only, "dry_run"),
            )
            result = hook.run(procedure)
        self.log.info("%s: %s", result["action"], entry.called(wanted))
        self.tell_outlets(context, **told_of(entry, result))
        return result
