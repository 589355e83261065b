"""The objects that filters of calls name: a campaign that does not exist has no calls, which is no quiet line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_provider_retreaver.core.errors import Gone, InvalidArgument, NotFound
from airflow_provider_retreaver.core.operations import Operation, Procedure
from airflow_provider_retreaver.core.parameters import text
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.objects.names import (
    AFFILIATE,
    CAMPAIGN,
    TARGET,
    FoundNames,
    NamedKind,
    find_customer_id,
)
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

# Filters whose value is the name of an object: the filter that its customer's ID stands for, and what it is.
NAMES: dict[str, tuple[str, NamedKind]] = {
    "affiliate_name": ("client_afid", AFFILIATE),
    "campaign_name": ("client_cid", CAMPAIGN),
    "target_name": ("client_tid", TARGET),
}


def names_of_filters(filters: Mapping[str, object]) -> dict[str, str]:
    """Return the filters that are names of objects.

    :param filters: filters of calls by name.
    :return: those of `NAMES` that are given; None is none.
    :raises InvalidArgument: naming the filter that is no text, or stands beside that of the ID.
    """
    names: dict[str, str] = {}
    for name, (of_id, kind) in NAMES.items():
        value = filters.get(name)
        if value is None or (isinstance(value, str) and value.strip() == "None"):
            continue
        if filters.get(of_id) is not None:
            raise InvalidArgument(f"filters: {name} and {of_id} each choose the {kind.title}; give one of them.")
        names[name] = text(value, f"filters: {name}")
    return names


def find_filter_objects(names: Mapping[str, str], known: FoundNames) -> Procedure[dict[str, str]]:
    """Find the objects that filters name, by one list of each kind.

    Retreaver's reference: "Calls", which filters by the customer's IDs; "Get all Campaigns", "Get all Affiliates",
    "Get all Targets".

    :param names: what `names_of_filters` returned.
    :param known: what was found before, which is not looked up again; what is found is added.
    :return: values of the filters that Retreaver has.
    :raises NotFound: when no object has one of the names.
    :raises InvalidArgument: when several have one of the names, or one has no customer's ID.
    """
    found: dict[str, str] = {}
    for name, value in names.items():
        of_id, kind = NAMES[name]
        found[of_id] = yield from find_customer_id(kind, value, f"filters: {name}", known)
    return found


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
