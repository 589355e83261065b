"""Which call was updated last: whether there is anything new to export (vendor's reference: "Calls")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_retreaver.core import time_parameters
from airflow_provider_retreaver.core.envelopes import read_array, require
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import CurrentOnly, Operation, Procedure, Row
from airflow_provider_retreaver.domain.watching.call_filters import CallFilters
from airflow_provider_retreaver.domain.watching.condition import Memory, Question
from airflow_provider_retreaver.resources import calls

# The end of a window is exclusive at the vendor's, and times in answers may be cut to whole seconds.
BEYOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class NewestCall(Question):
    """When the call that was updated last was updated: RFC 3339, None when there is no call."""

    filters: CallFilters

    @classmethod
    def of(cls, filters: Any) -> NewestCall:
        """Build it from an event trigger's filters.

        :raises InvalidArgument: when one is not a filter of the vendor's, since that would take reading all calls.
        """
        found = CallFilters.of(filters)
        if found.own:
            raise InvalidArgument(
                f"filters: {', '.join(found.own)} cannot be asked of the vendor; filter the calls when they are read."
            )
        return cls(found)

    def ask(self, _memory: Memory, /) -> Procedure[Any]:
        """Read the newest call; nothing is kept."""
        listing = calls.list_calls(sort_by="updated_at", **self.filters.sent)
        request = listing.request.with_query(per_page="1", page="1")
        old = CurrentOnly() if isinstance(listing.legacy, CurrentOnly) else listing.legacy
        rows: list[Row] = yield Operation(
            request, lambda request, response: read_array(request, response, listing.envelope)[0], legacy=old
        )
        return str(require(rows[0], "updated_at", request)) if rows else None


@dataclass(frozen=True, slots=True)
class Frontier:
    """How far calls were announced.

    :param newest: latest update seen, RFC 3339; None before any call was seen.
    """

    newest: str | None = None

    def passed(self, newest: str | None, overlap: timedelta) -> tuple[Frontier, dict[str, str | None] | None]:
        """Return the frontier after a look, and the window to read when there is something new.

        :param newest: what the look found.
        :param overlap: how far the window reaches back, for calls that became visible late.
        :return: the window as `updated_at_start` (None: from the beginning) and `updated_at_end`, RFC 3339.
        """
        if newest is None or (self.newest is not None and _moment(newest) <= _moment(self.newest)):
            return self, None
        start = None if self.newest is None else (_moment(self.newest) - overlap).isoformat()
        window = {"updated_at_start": start, "updated_at_end": (_moment(newest) + BEYOND).isoformat()}
        return replace(self, newest=newest), window


def _moment(text: str) -> datetime:
    return time_parameters.instant(text)
