"""Filters of the RTB log that choose campaigns, publishers and targets by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.parameters import ids, known, names
from airflow_provider_retreaver.domain.objects.names import AFFILIATE, CAMPAIGN, TARGET, FoundNames, find_ids
from airflow_provider_retreaver.resources.rtb_inbound_filters import FILTERS

# The filter by Retreaver's own IDs that each stands for, and what is chosen.
NAMES = {
    "campaign_name": ("campaign_id", CAMPAIGN),
    "affiliate_name": ("affiliate_id", AFFILIATE),
    "target_name": ("target_id", TARGET),
}


@dataclass(frozen=True, slots=True)
class NamedFilters:
    """Filters, of which some are names.

    :param others: filters that Retreaver has, by name.
    :param names: names of objects by name of the filter.
    """

    others: Mapping[str, object]
    names: Mapping[str, list[str]]

    @classmethod
    def of(cls, given: Mapping[str, object]) -> NamedFilters:
        """Read filters.

        :param given: those of `list_rtb_inbounds`, and `campaign_name`, `affiliate_name` and `target_name`, each one
            name or several.
        :return: the filters; those of Retreaver are not read yet.
        :raises InvalidArgument: naming the filter that is unknown, or has no names.
        """
        known(given, (*FILTERS, *NAMES), "filter of RTB inbounds")
        found = {name: names(given.get(name), f"filters: {name}") for name in NAMES}
        empty = next((name for name, texts in found.items() if texts == []), None)
        if empty is not None:
            raise InvalidArgument(f"filters: {empty} is empty; give a name, or leave it out for all.")
        others = {name: value for name, value in given.items() if name not in NAMES}
        return cls(others, {name: texts for name, texts in found.items() if texts})

    def find(self, found: FoundNames) -> Procedure[dict[str, object]]:
        """Find the objects, by one list of each kind; those that are chosen by ID are kept beside them.

        :param found: what the run has found before, which is not looked up again; what is found is added.
        :return: the filters that Retreaver has.
        :raises NotFound: when no object has one of the names.
        :raises InvalidArgument: when several have one of the names.
        """
        filters = dict(self.others)
        for name, texts in self.names.items():
            of_id, kind = NAMES[name]
            by_name = yield from find_ids(kind, texts, f"filters: {name}", found)
            filters[of_id] = list(dict.fromkeys([*(ids(filters.get(of_id), of_id) or ()), *by_name]))
        return filters
