"""Generic operators that read: lists and single objects of any resource."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag, mapping
from airflow_provider_retreaver.operators.base import RetreaverOperator
from airflow_provider_retreaver.operators.generic.parameters import entry_for, which

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Listing
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

# More rows than this do not belong into XCom.
MOST_ROWS = 1000


class RetreaverListOperator(RetreaverOperator):
    """List the objects of a resource: return them, or write them to object storage.

    Give `limit` for a list that is small, and `destination` for one that is not: rows are then written as they come,
    one JSON object a line, under a temporary name that is moved into place at the end. Secrets among the rows
    (`sip_password`) are masked either way. Returns the rows, or `{"resource", "path", "rows", "bytes"}`.

    :param resource: affiliates, calls, campaigns, companies, contacts, numbers, number_pools, reports,
        static_caller_numbers, suppressed_numbers, target_groups, targets or caller_list_numbers.
    :param filters: filters that the vendor documents for the resource, as the function of `resources` takes them,
        e.g. `{"cid": "0044"}` for numbers, `{"created_at_start": …, "sort_by": …}` for calls.
    :param list_owner: of caller_list_numbers: `{"target_id": 3, "caller_list": "suppressed"}`, or `campaign_id`.
    :param limit: rows to return at most, up to 1,000. A list that has more is an error, never a part of it.
    :param truncate: return the first `limit` rows of a longer list, and log that there are more.
    :param destination: object-storage path of a file, e.g. `s3://conn@bucket/targets.jsonl`; replaced when it exists.
    :param retreaver_conn_id: the connection.
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

    def __init__(
        self,
        *,
        resource: str,
        filters: Mapping[str, Any] | str | None = None,
        list_owner: Mapping[str, Any] | str | None = None,
        limit: int | str | None = None,
        truncate: bool | str = False,
        destination: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.filters = filters
        self.list_owner = list_owner
        self.limit = limit
        self.truncate = truncate
        self.destination = destination

    def execute(self, context: Context) -> list[dict[str, Any]] | dict[str, Any]:
        """List the objects."""
        from airflow_provider_retreaver.storage.places import write_jsonl

        with self.connected() as hook:
            entry = entry_for(self.resource, "list")
            limit = self._limit()
            truncate = flag(self.truncate, "truncate")
            listing = entry.list(mapping(self.filters, "filters"), mapping(self.list_owner, "list_owner"))
            if limit is not None:
                found = self._rows(hook, listing, limit, truncate=truncate)
                self.tell_outlets(context, resource=entry.name, rows=len(found))
                return found
            with closing(_masked(hook, listing)) as rows:
                written = {"resource": entry.name, **write_jsonl(str(self.destination), rows)}
            self.tell_outlets(context, **written)
        return written

    def _limit(self) -> int | None:
        from airflow_provider_retreaver.core.parameters import whole

        if (self.limit is None) == (self.destination is None or not str(self.destination).strip()):
            raise InvalidArgument(
                f"Choose limit (at most {MOST_ROWS} rows, which are returned) or destination (an object-storage path "
                f"that takes any number of rows), one of the two: a big listing belongs in storage."
            )
        if self.limit is None:
            return None
        limit = whole(self.limit, "limit", 1)
        if limit > MOST_ROWS:
            raise InvalidArgument(
                f"limit is {limit}, and at most {MOST_ROWS} rows are returned: a big listing belongs in storage, so "
                f"give a destination instead."
            )
        return limit

    def _rows(self, hook: RetreaverHook, listing: Listing, limit: int, *, truncate: bool) -> list[dict[str, Any]]:
        with closing(_masked(hook, listing)) as masked:
            rows = list(islice(masked, limit + 1))
        if len(rows) > limit:
            if not truncate:
                raise InvalidArgument(
                    f"{self.resource} has more than {limit} rows: raise limit (to {MOST_ROWS} at most), narrow the "
                    f"filters, write the rows to a destination, or set truncate=True for the first {limit} only."
                )
            self.log.warning("%s has more rows than the first %d, which are returned.", self.resource, limit)
        self.log.info("Listed %d rows of %s", min(limit, len(rows)), self.resource)
        return rows[:limit]


class RetreaverGetOperator(RetreaverOperator):
    """Get one object of a resource, with its secrets (`sip_password`) masked.

    :param resource: as for `RetreaverListOperator`, but reports; also `company` (the active one, without an ID) and
        caller_lists.
    :param resource_id: Retreaver's own ID; of calls the UUID, of suppressed_numbers and caller_list_numbers the phone
        number, of caller_lists the name.
    :param customer_id: instead: the afid, cid or tid of affiliates, campaigns and targets; of contacts a phone
        number.
    :param list_owner: of caller_lists `{"target_id": 3}` or `{"campaign_id": 5}`; of caller_list_numbers also
        `"caller_list"`, the list's name.
    :param missing_ok: return None when there is no such object, instead of failing.
    :param retreaver_conn_id: the connection.
    :raises NotFound: when there is no such object.
    """

    template_fields = (
        *RetreaverOperator.template_fields,
        "resource",
        "resource_id",
        "customer_id",
        "list_owner",
        "missing_ok",
    )

    def __init__(
        self,
        *,
        resource: str,
        resource_id: int | str | None = None,
        customer_id: int | str | None = None,
        list_owner: Mapping[str, Any] | str | None = None,
        missing_ok: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.resource_id = resource_id
        self.customer_id = customer_id
        self.list_owner = list_owner
        self.missing_ok = missing_ok

    def execute(self, context: Context) -> dict[str, Any] | None:  # noqa: ARG002 - Airflow's signature
        """Get the object."""
        from airflow_provider_retreaver.domain.resources import procedures as resource_changes

        with self.connected() as hook:
            entry = entry_for(self.resource, "get")
            wanted = which(self.resource_id, self.customer_id, self.list_owner)
            found = hook.run(resource_changes.get(entry, wanted, missing_ok=flag(self.missing_ok, "missing_ok")))
        self.log.info("%s the %s", "There is no" if found is None else "Read", entry.called(wanted))
        return found


def _masked(hook: RetreaverHook, listing: Listing) -> Generator[dict[str, Any]]:
    from airflow_provider_retreaver.domain.resources.comparison import shown

    for row in hook.iterate(listing):
        yield shown(row)
