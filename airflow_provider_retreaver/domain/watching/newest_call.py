"""The call that was updated last: whether there is anything new to export (Retreaver's reference: "Calls")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypedDict

from airflow_provider_retreaver.core.envelopes import read_array, require
from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import CurrentOnly, Operation, Procedure, Row
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.time_parameters import instant, read_instant
from airflow_provider_retreaver.domain.watching.call_filters import CallFilters
from airflow_provider_retreaver.domain.watching.condition import Query, QueryState
from airflow_provider_retreaver.resources import calls

# Retreaver excludes the end of a window, and may truncate times in responses to whole seconds.
AFTER_NEWEST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class NewestCallQuery(Query[str | None]):
    """The latest `updated_at` of all calls: RFC 3339, None when there is no call.

    :param filters: only calls that match; filters that Retreaver applies.
    :param allow_unknown: poll also when an object that the filters name does not exist.
    """

    filters: CallFilters
    allow_unknown: bool = False

    @classmethod
    def from_filters(cls, filters: object, *, allow_unknown: object = False) -> NewestCallQuery:
        """Build the query from an event trigger's filters.

        :param filters: see `CallFilters.from_mapping`.
        :param allow_unknown: poll also when an object that the filters name does not exist.
        :return: the query.
        :raises InvalidArgument: when Retreaver does not have one of the filters: all calls would have to be read.
        """
        call_filters = CallFilters.from_mapping(filters)
        if call_filters.local:
            raise InvalidArgument(
                f"filters: {', '.join(call_filters.local)} is not a filter of Retreaver's call log; leave it out and "
                f"filter the calls when they are read."
            )
        return cls(call_filters, flag(allow_unknown, "allow_unknown"))

    def run(self, state: QueryState, /) -> Procedure[str | None]:
        """Read the newest call; see `Query.run`."""
        filters = yield from self.filters.find_objects(state, allow_unknown=self.allow_unknown)
        listing = calls.list_calls(sort_by="updated_at", **filters.sent)
        request = listing.request.with_query(per_page="1", page="1")
        legacy = CurrentOnly() if isinstance(listing.legacy, CurrentOnly) else listing.legacy
        rows: list[Row] = yield Operation(
            request, lambda request, response: read_array(request, response, listing.envelope)[0], legacy=legacy
        )
        if not rows:
            return None
        newest = str(require(rows[0], "updated_at", request))
        if read_instant(newest) is None:
            raise ProtocolError(
                f"The newest call of {request.label} has the updated_at {quoted(newest)}, which is no time."
            )
        return newest

    @property
    def by_name(self) -> bool:
        """Whether a filter chooses an object by name."""
        return bool(self.filters.names)

    def with_found(self, state: QueryState) -> NewestCallQuery:
        """Return the query with the IDs of what was found by name; see `Query.with_found`."""
        return replace(self, filters=self.filters.with_found(state.get("names", {})))


class UpdateWindow(TypedDict):
    """A window of calls by `updated_at`, RFC 3339.

    :param updated_at_start: None for a window without a beginning.
    :param updated_at_end: not part of the window.
    """

    updated_at_start: str | None
    updated_at_end: str


def new_calls_window(newest: str | None, announced: str | None, overlap: timedelta) -> UpdateWindow | None:
    """Return the window that holds the calls which were updated since the last announcement.

    :param newest: the latest `updated_at` of all calls, RFC 3339; None when there is no call.
    :param announced: the latest `updated_at` that was announced; None when there was no call.
    :param overlap: how far the window reaches back before it, for calls that become visible late.
    :return: the window; None when no call was updated since.
    """
    if newest is None or (announced is not None and instant(newest) <= instant(announced)):
        return None
    return {
        "updated_at_start": None if announced is None else (instant(announced) - overlap).isoformat(),
        "updated_at_end": (instant(newest) + AFTER_NEWEST).isoformat(),
    }
