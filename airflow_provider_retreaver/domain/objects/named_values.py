"""Values of mappings (filters, the owner of a list, attributes) that choose objects by name in place of an ID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.parameters import ids, is_given, names, text
from airflow_provider_retreaver.domain.objects.names import (
    AFFILIATE,
    CAMPAIGN,
    TARGET,
    FoundNames,
    NamedKind,
    find_customer_id,
    find_ids,
)

# Takes the place of an ID that is not looked up yet, where a mapping is checked before anything is sent.
STAND_IN: Final = 1


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A value that is a name.

    :param of_id: the value that takes the ID.
    :param kind: of the objects.
    :param by_customer_id: whether that is the customer's ID, or Retreaver's own.
    :param several: whether it takes several; names and IDs are then put together.
    """

    of_id: str
    kind: NamedKind
    by_customer_id: bool = False
    several: bool = False


# By name of the value.
NameTable = Mapping[str, NamedValue]

LIST_OWNER: Final[NameTable] = {
    "target_name": NamedValue("target_id", TARGET),
    "campaign_name": NamedValue("campaign_id", CAMPAIGN),
}
CALL_FILTERS: Final[NameTable] = {
    "affiliate_name": NamedValue("client_afid", AFFILIATE, by_customer_id=True),
    "campaign_name": NamedValue("client_cid", CAMPAIGN, by_customer_id=True),
    "target_name": NamedValue("client_tid", TARGET, by_customer_id=True),
}
RTB_FILTERS: Final[NameTable] = {
    "campaign_name": NamedValue("campaign_id", CAMPAIGN, several=True),
    "affiliate_name": NamedValue("affiliate_id", AFFILIATE, several=True),
    "target_name": NamedValue("target_id", TARGET, several=True),
}
_OF_NUMBERS: Final[NameTable] = {
    "campaign_name": NamedValue("cid", CAMPAIGN, by_customer_id=True),
    "affiliate_name": NamedValue("afid", AFFILIATE, by_customer_id=True),
}
# By resource, as the generic operators take it.
FILTERS: Final[Mapping[str, NameTable]] = {
    "calls": CALL_FILTERS,
    "rtb_inbounds": RTB_FILTERS,
    "numbers": _OF_NUMBERS,
    "number_pools": _OF_NUMBERS,
}
ATTRIBUTES: Final[Mapping[str, NameTable]] = {
    "numbers": _OF_NUMBERS,
    "number_pools": _OF_NUMBERS,
    "suppressed_numbers": {"campaign_name": NamedValue("campaign_id", CAMPAIGN, by_customer_id=True)},
    "target_groups": {
        "target_names": NamedValue("target_ids", TARGET, several=True),
        "add_targets_by_name": NamedValue("add_targets_by_id", TARGET, several=True),
        "remove_targets_by_name": NamedValue("remove_targets_by_id", TARGET, several=True),
    },
}


@dataclass(frozen=True, slots=True)
class NamedValues:
    """A mapping, of which some values are names.

    :param others: what is no name.
    :param names: the names by name of the value.
    :param table: which values are names.
    :param parameter: that the mapping was given by, for errors.
    """

    others: Mapping[str, object]
    names: Mapping[str, Sequence[str]]
    table: NameTable
    parameter: str

    @classmethod
    def of(cls, given: Mapping[str, object], table: NameTable, parameter: str) -> NamedValues:
        """Read a mapping; a name that is None is left out.

        :param given: the mapping.
        :param table: which values are names.
        :param parameter: that the mapping was given by.
        :return: the mapping, in which nothing was looked up.
        :raises InvalidArgument: naming the value that is blank, no name, or stands beside that of the ID.
        """
        found: dict[str, Sequence[str]] = {}
        for name in table:
            value = given.get(name)
            if value is not None:
                found[name] = _read(table[name], given, name, parameter)
        others = {name: value for name, value in given.items() if name not in table}
        return cls(others, found, table, parameter)

    def with_stand_ins(self) -> dict[str, object]:
        """Return the mapping with an ID in the place of each name, to check the rest of it.

        :return: the mapping as Retreaver's functions take it.
        """
        values = dict(self.others)
        for name in self.names:
            value = self.table[name]
            values.setdefault(value.of_id, _given_as(value, [STAND_IN]))
        return values

    def find(self, known: FoundNames) -> Procedure[dict[str, object]]:
        """Find the objects, by one list of each kind.

        :param known: what the run has found before, which is not looked up again; what is found is added.
        :return: the mapping as Retreaver's functions take it.
        :raises NotFound: when no object has one of the names.
        :raises InvalidArgument: when several have one of the names, or one has no customer's ID.
        """
        values = dict(self.others)
        for name, wanted in self.names.items():
            value, where = self.table[name], f"{self.parameter}: {name}"
            if value.by_customer_id:
                values[value.of_id] = yield from find_customer_id(value.kind, wanted[0], where, known)
                continue
            found = yield from find_ids(value.kind, wanted, where, known)
            if value.several:
                found = list(dict.fromkeys([*(ids(values.get(value.of_id), value.of_id) or ()), *found]))
            values[value.of_id] = _given_as(value, found)
        return values


def _read(value: NamedValue, given: Mapping[str, object], name: str, parameter: str) -> Sequence[str]:
    where = f"{parameter}: {name}"
    if value.several:
        found = names(given[name], where)
        if not found:
            raise InvalidArgument(f"{where} is empty; give a name, or leave it out.")
        return found
    if given.get(value.of_id) is not None:
        raise InvalidArgument(f"{where} and {value.of_id} each choose the {value.kind.title}; give one of them.")
    if not is_given(given[name]):
        raise InvalidArgument(f"{where} is blank, or came out as None; give a name, or leave it out.")
    return [text(given[name], where)]


def _given_as(value: NamedValue, found: Sequence[int]) -> object:
    if value.several:
        return list(found)
    return str(found[0]) if value.by_customer_id else found[0]
