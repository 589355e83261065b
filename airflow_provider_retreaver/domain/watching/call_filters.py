"""Filters of calls: some are sent to Retreaver, the others are applied to the calls that it returns."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TypedDict, cast

from airflow_provider_retreaver.core import parameters, phone_parameters
from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.quoting import one_line, quoted
from airflow_provider_retreaver.domain.calls.fields import NotOfKind, read_boolean, read_decimal
from airflow_provider_retreaver.domain.calls.filter_objects import (
    NAMES,
    find_filter_objects,
    names_of_filters,
    require_filter_objects,
)
from airflow_provider_retreaver.domain.objects.names import FoundNames, known_customer_id
from airflow_provider_retreaver.domain.watching.condition import QueryState


class ApiFilters(TypedDict, total=False):
    """Filters that Retreaver applies, as parameters of `list_calls` (Retreaver's reference: "Calls")."""

    caller: str
    client_afid: str
    client_cid: str
    client_tid: str
    sub_id: str


API_FILTERS = tuple(ApiFilters.__annotations__)
# Filters that Retreaver does not have, with the field of a call that each of them reads.
LOCAL_FILTERS = {
    "status": "status",
    "converted": "converted",
    "state": "caller_state",
    "min_duration": "total_duration",
    "max_duration": "total_duration",
}

FilterValue = str | int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallFilters:
    """Filters that all must match a call.

    :param pairs: name and value of each filter, sorted by name.
    """

    pairs: tuple[tuple[str, FilterValue], ...] = ()

    @classmethod
    def from_mapping(cls, filters: object) -> CallFilters:
        """Read the parameter `filters` of a sensor or trigger.

        :param filters: a mapping, or one as rendered text; None for no filters. Retreaver applies `caller`,
            `client_afid`, `client_cid`, `client_tid` and `sub_id` (texts). `status`, `state` (one or several texts,
            in any case), `converted` (boolean), `min_duration` and `max_duration` (total seconds)
            are applied here. `campaign_name`, `affiliate_name` and `target_name` stand for the customer's ID of the
            object with that name. One whose value is None is not applied.
        :return: the filters.
        :raises InvalidArgument: naming the filter that is not valid.
        """
        values = parameters.mapping(filters, "filters")
        parameters.known(values, (*API_FILTERS, *LOCAL_FILTERS, *NAMES), "filter of calls")
        names_of_filters(values)
        pairs = [(name, _read_filter(name, value)) for name, value in values.items() if not _is_none(value)]
        return cls(tuple(sorted(pairs)))

    def as_dict(self) -> dict[str, object]:
        """Return the filters as plain JSON, from which `from_mapping` builds equal ones.

        :return: values by name; several texts are a list.
        """
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.pairs}

    @property
    def sent(self) -> ApiFilters:
        """The filters that Retreaver applies."""
        return cast("ApiFilters", {name: value for name, value in self.pairs if name in API_FILTERS})

    @property
    def local(self) -> dict[str, FilterValue]:
        """The filters that are applied here, by name."""
        return {name: value for name, value in self.pairs if name in LOCAL_FILTERS}

    @property
    def names(self) -> dict[str, str]:
        """The filters that are names of objects."""
        return {name: str(value) for name, value in self.pairs if name in NAMES}

    def find_objects(self, state: QueryState, *, allow_unknown: bool) -> Procedure[CallFilters]:
        """Find once, in the first run of a query, the objects that the filters choose by ID or by name.

        :param state: of the query; changed when all of them exist.
        :param allow_unknown: skip the check of IDs; a name must always be found.
        :return: the filters with IDs in place of names.
        :raises NotFound: naming the filter whose object does not exist.
        :raises InvalidArgument: when several objects have one of the names.
        """
        found: FoundNames = {kind: dict(ids) for kind, ids in state.get("names", {}).items()}
        yield from find_filter_objects(self.names, found)
        if not allow_unknown and not state.get("filters_known"):
            yield from require_filter_objects(self.sent)
            state["filters_known"] = True
        if found:
            state["names"] = found
        return self.with_found(found)

    def with_found(self, found: FoundNames) -> CallFilters:
        """Return the filters with the IDs of what was found by name, in place of the names.

        :param found: what was found.
        :return: the filters; those whose names were not found are as they were.
        """
        pairs: list[tuple[str, FilterValue]] = []
        for name, value in self.pairs:
            of_id, kind = NAMES.get(name, (name, None))
            known = None if kind is None else known_customer_id(kind, str(value), found)
            pairs.append((name, value) if known is None else (of_id, known))
        return CallFilters(tuple(sorted(pairs)))

    def match(self, call: Row) -> bool:
        """Return whether the filters that are applied here match a call.

        :param call: a call as Retreaver returns it.
        :return: True when all of them match.
        :raises ProtocolError: when the call lacks a field, as calls of old versions of the call log do.
        """
        return all(_matches(name, value, call) for name, value in self.local.items())


def _is_none(value: object) -> bool:
    # The text is what a template renders for None. Blank text is refused instead: leaving it out would count more.
    return value is None or (isinstance(value, str) and value.strip() == "None")


def _read_filter(name: str, value: object) -> FilterValue:
    label = f"filters: {name}"
    if name in ("min_duration", "max_duration"):
        return parameters.whole(value, label)
    if name == "converted":
        return parameters.flag(parameters.text(str(value), label), label)
    if name in ("status", "state"):
        return lower_case_texts(value, label)
    return phone_parameters.caller(value, label) if name == "caller" else parameters.text(value, label)


def lower_case_texts(value: object, name: str) -> tuple[str, ...]:
    """Return one or several texts in lower case, such as statuses of a call.

    :param value: see `items` of `core/parameters.py`.
    :param name: name of the parameter, for the error.
    :return: the distinct texts, sorted.
    :raises InvalidArgument: when one is blank, or there is none.
    """
    lower = tuple(sorted({text.lower() for text in parameters.texts(value, name) or ()}))
    if not lower:
        raise InvalidArgument(f"{name} must be one or several texts, not {quoted(value)}.")
    return lower


def _matches(name: str, expected: FilterValue, call: Row) -> bool:
    field = LOCAL_FILTERS[name]
    if field not in call:
        raise ProtocolError(
            f"Call {one_line(call.get('uuid'))} has no field {quoted(field)}, which the filter {quoted(name)} "
            f"needs; set the connection's extra calls_version to v2 or later."
        )
    value = call[field]
    if isinstance(expected, tuple):
        return str(value).lower() in expected
    with suppress(NotOfKind):
        if name == "converted":
            return bool(None if value is None else read_boolean(value)) is expected
        seconds = (None if value is None else read_decimal(value)) or Decimal(0)
        return seconds >= Decimal(expected) if name == "min_duration" else seconds <= Decimal(expected)
    raise ProtocolError(
        f"Call {one_line(call.get('uuid'))} has a {field} ({quoted(value)}) that the filter {quoted(name)} cannot be "
        f"compared with; report the call to Retreaver, or leave the filter out."
    )
