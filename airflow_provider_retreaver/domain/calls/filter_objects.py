"""The objects that filters of calls name: a campaign that does not exist has no calls, which is no quiet line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_provider_retreaver.core.errors import Gone, NotFound
from airflow_provider_retreaver.core.operations import Operation, Procedure
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.resources.lookup import is_missing
from airflow_provider_retreaver.resources.affiliates import get_affiliate
from airflow_provider_retreaver.resources.campaigns import get_campaign
from airflow_provider_retreaver.resources.targets import get_target

# Filters whose value is the customer's ID of an object: what it is, the name of the ID, and how the object is read.
OBJECTS: dict[str, tuple[str, str, Callable[[str], Operation[object]]]] = {
    "client_afid": ("affiliate", "afid", lambda value: get_affiliate(afid=value)),
    "client_cid": ("campaign", "cid", lambda value: get_campaign(cid=value)),
    "client_tid": ("target", "tid", lambda value: get_target(tid=value)),
}


def require_filter_objects(filters: Mapping[str, object]) -> Procedure[None]:
    """Check that the campaign, affiliate and target that filters name exist: one request for each.

    Retreaver returns no calls for an ID that it does not know, as for an object that had none. Retreaver's
    reference: "Calls", "Get a specific Campaign", "Get a specific Affiliate", "Get a specific Target".

    :param filters: filters of calls by name; those that do not name an object are not looked up.
    :return: a procedure without a result.
    :raises NotFound: naming the filter whose object does not exist.
    """
    for name, (title, key, read) in OBJECTS.items():
        value = filters.get(name)
        if value is None:
            continue
        operation = read(str(value))
        try:
            yield operation
        except (NotFound, Gone) as error:
            if not is_missing(error, operation):
                raise
            raise NotFound(
                f"filters: there is no {title} with {key} {quoted(value)} ({error.method} {error.path}: "
                f"{error.status}), so that no call can match {name}; correct it, or set allow_unknown to True to "
                f"count on.",
                method=error.method,
                path=error.path,
                status=error.status,
            ) from None
