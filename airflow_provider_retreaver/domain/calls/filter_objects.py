"""The objects that filters of calls name: a campaign that does not exist has no calls, which is no quiet line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_provider_retreaver.core.errors import Gone, NotFound
from airflow_provider_retreaver.core.operations import Operation, Procedure
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.objects.named_values import CALL_FILTERS, NamedValues
from airflow_provider_retreaver.domain.objects.names import FoundNames, NamedKind
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
NAMES: dict[str, tuple[str, NamedKind]] = {name: (value.of_id, value.kind) for name, value in CALL_FILTERS.items()}


def names_of_filters(filters: Mapping[str, object]) -> dict[str, str]:
    """Return the filters that are names of objects.

    :param filters: filters of calls by name.
    :return: those of `NAMES` that are given; None is none.
    :raises InvalidArgument: naming the filter that is no text, or stands beside that of the ID.
    """
    # A name that a template rendered for None is none.
    given = {name: value for name, value in filters.items() if not _rendered_none(value)}
    return {name: names[0] for name, names in NamedValues.of(given, CALL_FILTERS, "filters").names.items()}


def _rendered_none(value: object) -> bool:
    return isinstance(value, str) and value.strip() == "None"


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
    named = NamedValues({}, {name: [value] for name, value in names.items()}, CALL_FILTERS, "filters")
    return {name: str(value) for name, value in (yield from named.find(known)).items()}


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
