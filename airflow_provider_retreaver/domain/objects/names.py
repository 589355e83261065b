"""Objects that are chosen by the names that people know them by, as Retreaver's lists show them.

A name is compared as it is written, with capital letters and without the spaces around it. Nothing is guessed: a name
that no object has, or that several have, is refused with the candidates. What was found is kept as IDs for the rest
of a run, so that an object which is renamed meanwhile stays the one that is meant, and another one never takes its
place.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from unicodedata import normalize

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import InvalidArgument, NotFound
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import Listing, Procedure, Row
from airflow_provider_retreaver.core.quoting import first_of, one_line, quoted
from airflow_provider_retreaver.resources.affiliates import list_affiliates
from airflow_provider_retreaver.resources.campaigns import list_campaigns
from airflow_provider_retreaver.resources.target_groups import list_target_groups
from airflow_provider_retreaver.resources.targets import list_targets

log = logging.getLogger(__name__)

# Candidates that an error names for one name, and names that an error is about.
MAX_CANDIDATES = 5
MAX_NAMED = 5

# What was found in a run: IDs by name, by kind. Plain JSON, which is kept between attempts and polls.
FoundNames = dict[str, dict[str, int | str]]


def _own_name(row: Mapping[str, object]) -> Iterable[object]:
    return (row.get("name"),)


def _names_of_affiliate(row: Mapping[str, object]) -> Iterable[object]:
    parts = (str(row.get(part) or "").strip() for part in ("first_name", "last_name"))
    return (row.get("company_name"), " ".join(part for part in parts if part))


@dataclass(frozen=True, slots=True)
class NamedKind:
    """A kind of objects that people know by name.

    :param title: what an object is, e.g. `target group`.
    :param listing: returns the listing of all of them.
    :param customer_keys: fields of the customer's ID; none where there is no such ID.
    :param names: returns the names of an object; those that are blank or None are none.
    :param attribute: that gives a new object its name.
    """

    title: str
    listing: Callable[[], Listing]
    customer_keys: tuple[str, ...] = ()
    names: Callable[[Mapping[str, object]], Iterable[object]] = _own_name
    attribute: str = "name"

    def customer_id(self, row: Row) -> str | None:
        """Return the customer's ID of an object.

        :param row: the object as listed.
        :return: the ID; None when it has none.
        """
        return next((str(row[key]) for key in self.customer_keys if row.get(key)), None)

    def label(self, row: Row) -> str:
        """Return what identifies an object in an error or a log line.

        :param row: the object as listed.
        :return: e.g. `target 3 (tid A7)`.
        """
        # Not every list shows Retreaver's own IDs.
        title = self.title if row.get("id") is None else f"{self.title} {row['id']}"
        own = self.customer_id(row)
        return title if own is None else f"{title} ({self.customer_keys[0]} {one_line(own, numbers=False)})"


TARGET = NamedKind("target", list_targets, ("tid", "client_tid"))
TARGET_GROUP = NamedKind("target group", list_target_groups)
CAMPAIGN = NamedKind("campaign", list_campaigns, ("cid",))
# An affiliate is known by its company's name, and by its own.
AFFILIATE = NamedKind("affiliate", list_affiliates, ("afid",), _names_of_affiliate, "company_name")
# By name of the resource.
KINDS = {"targets": TARGET, "target_groups": TARGET_GROUP, "campaigns": CAMPAIGN, "affiliates": AFFILIATE}


def select_named(kind: NamedKind, rows: Iterable[Row], names: Sequence[str], parameter: str) -> dict[str, Row]:
    """Return the objects that have names.

    :param kind: of the objects.
    :param rows: all objects of the kind, as listed.
    :param names: that are looked for.
    :param parameter: that they were given by, for the error.
    :return: one object for each of the names.
    :raises NotFound: when no object has one of the names, with those that have similar ones.
    :raises InvalidArgument: when several objects have one of the names, with the ID of each.
    """
    named: dict[str, list[Row]] = {}
    for row in rows if names else ():
        for name in dict.fromkeys(map(comparable, kind.names(row))):
            if name:
                named.setdefault(name, []).append(row)
    matches = {name: named.get(comparable(name), []) for name in names}
    several = [name for name in names if len(matches[name]) > 1]
    problems = [_ambiguous(kind, name, matches[name]) for name in several]
    problems += [_missing(kind, name, named) for name in names if not matches[name]]
    if problems:
        text = f"{parameter}: {first_of(problems, MAX_NAMED, '; ')}."
        raise InvalidArgument(text) if several else NotFound(text)
    return {name: found[0] for name, found in matches.items()}


def select_ids(
    kind: NamedKind, listed: Mapping[int, Row], names: Sequence[str], parameter: str, known: FoundNames
) -> list[int]:
    """Return the IDs of the objects of a list that have names, which the run then knows.

    :param kind: of the objects.
    :param listed: all objects of the kind, by ID.
    :param names: that are looked for.
    :param parameter: that they were given by, for the error.
    :param known: what the run has found before; what is found is added.
    :return: the IDs, in the order of the names.
    :raises NotFound: see `select_named`.
    :raises InvalidArgument: see `select_named`.
    """
    found = select_named(kind, listed.values(), names, parameter)
    _log_found(kind, found)
    remember(kind, found, known)
    return known_ids(kind, names, known)[0]


def find_named(kind: NamedKind, names: Sequence[str], parameter: str) -> Procedure[dict[str, Row]]:
    """Find objects by their names: the requests of one list, and none without names.

    Retreaver's reference: "Get all Targets", "Get all Target Groups", "Get all Campaigns", "Get all Affiliates".

    :param kind: of the objects.
    :param names: that are looked for.
    :param parameter: that they were given by, for the error.
    :return: one object, as listed, for each of the names.
    :raises NotFound: see `select_named`.
    :raises InvalidArgument: see `select_named`.
    """
    rows: list[Row] = (yield kind.listing()) if names else []
    found = select_named(kind, rows, names, parameter)
    _log_found(kind, found)
    return found


def find_named_or_none(kind: NamedKind, name: str, parameter: str) -> Procedure[Row | None]:
    """Find an object by its name, where none may have it.

    :param kind: of the object.
    :param name: that is looked for.
    :param parameter: that it was given by, for the error.
    :return: the object as listed; None when no object has the name.
    :raises InvalidArgument: when several have it.
    """
    rows: list[Row] = yield kind.listing()
    try:
        return select_named(kind, rows, [name], parameter)[name]
    except NotFound:
        return None


def _log_found(kind: NamedKind, found: Mapping[str, Row]) -> None:
    if found:
        named = "; ".join(f"{quoted(name)} is {kind.label(row)}" for name, row in found.items())
        log.info("Found by name: %s", named)


def find_ids(kind: NamedKind, names: Sequence[str], parameter: str, known: FoundNames) -> Procedure[list[int]]:
    """Find Retreaver's own IDs of objects by their names.

    :param kind: of the objects.
    :param names: that are looked for.
    :param parameter: that they were given by, for the error.
    :param known: what the run has found before, which is not looked up again; what is found is added.
    :return: the IDs, in the order of the names.
    :raises NotFound: see `select_named`.
    :raises InvalidArgument: see `select_named`.
    :raises ProtocolError: when the list does not show the IDs.
    """
    ids, new = known_ids(kind, names, known)
    found = yield from find_named(kind, new, parameter)
    remember(kind, found, known)
    return list(dict.fromkeys([*ids, *known_ids(kind, new, known)[0]]))


def find_customer_id(kind: NamedKind, name: str, parameter: str, known: FoundNames) -> Procedure[str]:
    """Find the customer's ID of an object by its name.

    :param kind: of the object.
    :param name: that is looked for.
    :param parameter: that it was given by, for the error.
    :param known: what the run has found before, which is not looked up again; what is found is added.
    :return: the ID.
    :raises NotFound: see `select_named`.
    :raises InvalidArgument: see `select_named`; or when the object has no such ID.
    """
    found = known_customer_id(kind, name, known)
    if found is None:
        (row,) = (yield from find_named(kind, [name], parameter)).values()
        found = kind.customer_id(row)
        if found is None:
            raise InvalidArgument(
                f"{parameter}: {kind.label(row)} has no {kind.customer_keys[0]}, by which Retreaver chooses here; "
                f"give it one at Retreaver."
            )
        known.setdefault(_customer_ids(kind), {})[name] = found
    return found


def known_customer_id(kind: NamedKind, name: str, known: FoundNames) -> str | None:
    """Return the customer's ID of an object that was found before.

    :param kind: of the object.
    :param name: of the object.
    :param known: what the run has found before.
    :return: the ID; None when it was not found yet.
    """
    found = known.get(_customer_ids(kind), {}).get(name)
    return None if found is None else str(found)


def _customer_ids(kind: NamedKind) -> str:
    """Return where a run keeps the customer's IDs of a kind, apart from Retreaver's own."""
    return f"{kind.title} {kind.customer_keys[0]}"


def known_ids(kind: NamedKind, names: Iterable[str], known: FoundNames) -> tuple[list[int], list[str]]:
    """Return which of several names were found before.

    :param kind: of the objects.
    :param names: that are looked for.
    :param known: what the run has found before.
    :return: the IDs of those that were found, and the names that were not.
    """
    ids = known.get(kind.title, {})
    return [int(ids[name]) for name in names if name in ids], [name for name in names if name not in ids]


def remember(kind: NamedKind, found: Mapping[str, Row], known: FoundNames) -> None:
    """Add what was found to what the run knows.

    :param kind: of the objects.
    :param found: objects by name.
    :param known: is changed.
    :raises ProtocolError: when an object was listed without ID.
    """
    if found:
        request: Request = kind.listing().request
        ids = known.setdefault(kind.title, {})
        ids.update({name: int(require(row, "id", request)) for name, row in found.items()})


def remember_created(kind: NamedKind, name: str, row: Row, known: FoundNames) -> None:
    """Add an object that the run has created to what it knows.

    :param kind: of the object.
    :param name: by which it is found.
    :param row: as Retreaver returned it.
    :param known: is changed.
    """
    own = kind.customer_id(row)
    if own is not None:
        known.setdefault(_customer_ids(kind), {})[name] = own
    if row.get("id") is not None:
        known.setdefault(kind.title, {})[name] = int(row["id"])


def has_name(kind: NamedKind, row: Mapping[str, object], name: str) -> bool:
    """Return whether an object has a name.

    :param kind: of the object.
    :param row: the object, or attributes of one.
    :param name: as it was given.
    :return: whether one of its names is that.
    """
    return comparable(name) in map(comparable, kind.names(row))


def comparable(name: object) -> str:
    """Return a name as it is compared: an accent is the same as one character or as two, which look alike.

    :param name: as written.
    :return: without spaces around it; blank for None.
    """
    return normalize("NFC", str(name).strip()) if name is not None else ""


def _ambiguous(kind: NamedKind, name: str, rows: Sequence[Row]) -> str:
    labels = [kind.label(row) for row in rows[:MAX_CANDIDATES]]
    more = f" and {len(rows) - MAX_CANDIDATES} more" if len(rows) > MAX_CANDIDATES else ""
    return f"{quoted(name)} is the name of {' and '.join(labels)}{more}; give the ID of the one that is meant"


def _missing(kind: NamedKind, name: str, named: Mapping[str, Sequence[Row]]) -> str:
    folded: dict[str, list[str]] = {}
    for other in named:
        folded.setdefault(other.casefold(), []).append(other)
    wanted = comparable(name).casefold()
    near = difflib.get_close_matches(wanted, folded, n=MAX_CANDIDATES)
    candidates = [
        f"{quoted(other)} ({kind.label(row)})" for close in near for other in folded[close] for row in named[other]
    ]
    hint = f"; did you mean {' or '.join(candidates[:MAX_CANDIDATES])}?" if candidates else ""
    return f"there is no {kind.title} with the name {quoted(name)}{hint}"
