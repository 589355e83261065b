"""Generic operators that read: lists and single objects of any resource."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag, mapping
from airflow_provider_retreaver.links import FileLink, RetreaverLink, note_file, note_objects
from airflow_provider_retreaver.operators.base import RetreaverOperator
from airflow_provider_retreaver.operators.generic.parameters import (
    entry_with,
    find_reference,
    find_reference_or_none,
    note_entry,
    read_named,
    read_owner,
    read_reference,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Listing, Row
    from airflow_provider_retreaver.domain.objects.names import FoundNames
    from airflow_provider_retreaver.hooks.client_hook import ClientHook
    from airflow_provider_retreaver.resources.caller_list_verbs import ListOwner
    from airflow_provider_retreaver.resources.resource import Id
    from airflow_provider_retreaver.resources.resource_names import ResourceToGet, ResourceToList

log = logging.getLogger(__name__)

# More rows than this do not belong into XCom.
MAX_ROWS = 1000


class RetreaverListOperator(RetreaverOperator):
    """List the objects of a resource: return them, or write them to object storage.

    Set `limit` for a short list, and `destination` for a long one: rows are then written as they come, one JSON
    object a line, to a temporary file that is moved to the destination at the end. Secrets in the rows
    (`sip_password`) are masked in both cases. Returns the rows, or `{"resource", "path", "rows", "bytes"}`.

    Retreaver's reference: the section "Get all …" of each resource.

    :param resource: affiliates, calls, campaigns, companies, contacts, numbers, number_pools, payout_tables,
        reports, rtb_inbounds, static_caller_numbers, suppressed_numbers, target_groups, targets or
        caller_list_numbers.
    :param filters: filters that Retreaver documents for the resource, as the function of `resources` takes them,
        e.g. `{"cid": "0044"}` for numbers, `{"created_at_start": …, "sort_by": …}` for calls,
        `{"status": ["claimed"], "created_at": "last_7d"}` for rtb_inbounds. Where they take the ID of a campaign,
        affiliate or target, `campaign_name`, `affiliate_name` and `target_name` take its name.
    :param list_owner: of caller_list_numbers: `{"target_id": 3, "caller_list": "suppressed"}`, or `campaign_id`; of
        payout_tables `{"campaign_id": 5}`, Retreaver's own ID. `target_name` and `campaign_name` take names.
    :param limit: rows to return at most, up to 1,000. A longer list is an error, never cut silently.
    :param truncate: return the first `limit` rows of a longer list, and log that there are more.
    :param destination: object-storage path of a file, e.g. `s3://conn@bucket/targets.jsonl`; replaced when it exists.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :raises InvalidArgument: when the resource, a filter or the limit is wrong; nothing was sent.
    """

    template_fields = (
        *RetreaverOperator.template_fields,
        "resource",
        "filters",
        "list_owner",
        "limit",
        "truncate",
        "destination",
    )
    operator_extra_links = (RetreaverLink(), FileLink())

    def __init__(
        self,
        *,
        resource: ResourceToList,
        filters: Mapping[str, object] | str | None = None,
        list_owner: ListOwner | str | None = None,
        limit: int | str | None = None,
        truncate: bool | str = False,
        destination: str | None = None,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.resource = resource
        self.filters = filters
        self.list_owner = list_owner
        self.limit = limit
        self.truncate = truncate
        self.destination = destination

    def execute(self, context: Context) -> list[Row] | Row:
        """List the objects."""
        from airflow_provider_retreaver.domain.objects.named_values import FILTERS, NamedValues
        from airflow_provider_retreaver.storage.line_files import write_jsonl

        with self.connected() as hook:
            entry = entry_with("list", self.resource)
            limit = row_limit(self.limit, self.destination)
            truncate = flag(self.truncate, "truncate")
            filters = NamedValues.of(mapping(self.filters, "filters"), FILTERS.get(entry.name, {}), "filters")
            owner = read_owner(self.list_owner)
            entry.list(filters.with_stand_ins(), owner.with_stand_ins())
            known: FoundNames = {}
            listing = entry.list(hook.run(filters.find(known)), hook.run(owner.find(known)))
            note_objects(self, context, hook, entry.name)
            if limit is not None:
                with closing(masked_rows(hook, listing)) as masked:
                    rows = limited_rows(masked, limit, self.resource, truncate=truncate)
                self.log.info("Listed %d rows of %s", len(rows), self.resource)
                self.update_outlet_events(context, resource=entry.name, rows=len(rows))
                return rows
            with closing(masked_rows(hook, listing)) as masked:
                written = {"resource": entry.name, **write_jsonl(str(self.destination), masked)}
            note_file(context, hook, self.destination)
            self.update_outlet_events(context, **written)
        return written


class RetreaverGetOperator(RetreaverOperator):
    """Get one object of a resource, with its secrets (`sip_password`) masked.

    Returns the object as Retreaver returns it. Retreaver's reference: the section "Get a specific …" of each
    resource.

    :param resource: affiliates, calls, campaigns, company (the active one, without an ID), companies, contacts,
        numbers, number_pools, payout_tables, suppressed_numbers, target_groups, targets, caller_lists or
        caller_list_numbers.
    :param resource_id: Retreaver's own ID; of calls the UUID, of suppressed_numbers and caller_list_numbers the phone
        number, of caller_lists the name.
    :param customer_id: instead of `resource_id`: the afid, cid or tid of affiliates, campaigns and targets; of
        contacts a phone number.
    :param object_name: instead of both: the name of a target, target group, campaign or affiliate, as written at
        Retreaver; one that is missing or not unique is refused.
    :param list_owner: of caller_lists `{"target_id": 3}` or `{"campaign_id": 5}`; of caller_list_numbers also
        `"caller_list"`, the list's name; of payout_tables `{"campaign_id": 5}`, Retreaver's own ID. `target_name` and
        `campaign_name` take names.
    :param missing_ok: return None when there is no such object, instead of failing.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :raises InvalidArgument: when a parameter is wrong; nothing was sent.
    :raises NotFound: when there is no such object and `missing_ok` is false.
    """

    template_fields = (
        *RetreaverOperator.template_fields,
        "resource",
        "resource_id",
        "customer_id",
        "object_name",
        "list_owner",
        "missing_ok",
    )

    def __init__(
        self,
        *,
        resource: ResourceToGet,
        resource_id: Id | None = None,
        customer_id: Id | None = None,
        object_name: str | None = None,
        list_owner: ListOwner | str | None = None,
        missing_ok: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.resource = resource
        self.resource_id = resource_id
        self.customer_id = customer_id
        self.object_name = object_name
        self.list_owner = list_owner
        self.missing_ok = missing_ok

    def execute(self, context: Context) -> Row | None:
        """Get the object."""
        from airflow_provider_retreaver.domain.objects.named_values import STAND_IN
        from airflow_provider_retreaver.domain.resources import procedures

        with self.connected() as hook:
            entry = entry_with("get", self.resource)
            owner = read_owner(self.list_owner)
            reference = read_reference(self.resource_id, self.customer_id, owner.with_stand_ins())
            missing_ok = flag(self.missing_ok, "missing_ok")
            named = read_named(self.object_name, entry, reference)
            entry.get(reference if named is None else replace(reference, id=STAND_IN))
            if named is not None:
                find = find_reference_or_none if missing_ok else find_reference
                found = hook.run(find(named, {}))
                if found is None:
                    return None
                reference = found
            elif owner.names:
                reference = replace(reference, owner=hook.run(owner.find({})))
            row = hook.run(procedures.get(entry, reference, missing_ok=missing_ok))
            if row is not None:
                note_entry(self, context, hook, entry, row.get(str(entry.key)))
        self.log.info("Found no %s" if row is None else "Read the %s", entry.describe(reference))
        return row


def masked_rows(hook: ClientHook[Any], listing: Listing) -> Generator[Row]:
    """Read a listing row by row, with the secrets in the rows masked.

    :param hook: of the account.
    :param listing: what is read.
    :return: the rows.
    :raises RetreaverError: when a page cannot be read.
    """
    from airflow_provider_retreaver.domain.resources.comparison import mask_secrets

    for row in hook.iterate(listing):
        yield mask_secrets(row)


def row_limit(limit: int | str | None, destination: str | None) -> int | None:
    """Return how many rows an operator may return.

    :param limit: the parameter.
    :param destination: the parameter; one of the two is given.
    :return: the limit; None when the rows go to the destination.
    :raises InvalidArgument: when both or neither are given, or the limit is too large.
    """
    from airflow_provider_retreaver.core.parameters import whole

    if (limit is None) == (destination is None or not str(destination).strip()):
        raise InvalidArgument(
            f"Set either limit (at most {MAX_ROWS} rows, which are returned) or destination (an object-storage "
            f"path that takes any number of rows): a big listing belongs in storage."
        )
    if limit is None:
        return None
    most = whole(limit, "limit", 1)
    if most > MAX_ROWS:
        raise InvalidArgument(
            f"limit is {most}, and at most {MAX_ROWS} rows are returned: a big listing belongs in storage, so "
            f"set a destination instead."
        )
    return most


def limited_rows(rows: Iterator[Row], limit: int, what: str, *, truncate: bool = False) -> list[Row]:
    """Return a short list of rows.

    :param rows: read up to one beyond the limit.
    :param limit: rows to return at most.
    :param what: what the rows are, for the error.
    :param truncate: return the first rows of a longer list, and log that there are more.
    :return: the rows.
    :raises InvalidArgument: when there are more.
    """
    found = list(islice(rows, limit + 1))
    if len(found) <= limit:
        return found
    if not truncate:
        raise InvalidArgument(
            f"{what} has more than {limit} rows: raise limit (to {MAX_ROWS} at most), narrow it down, or write the "
            f"rows to a destination; RetreaverListOperator can return the first rows only (truncate=True)."
        )
    log.warning("%s has more rows than the first %d, which are returned.", what, limit)
    return found[:limit]
