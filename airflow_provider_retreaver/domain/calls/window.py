"""Which calls are exported: a window of time by creation or by update, and the vendor's own filters."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_retreaver.core import parameters, time_parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import ClockReading, Listing, Procedure, ServerTime, Wait
from airflow_provider_retreaver.core.paging import paged_request
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.domain.calls.page_scan import page_operation
from airflow_provider_retreaver.domain.calls.time_window import SETTLE_TIME, is_settled
from airflow_provider_retreaver.resources.calls import list_calls

log = logging.getLogger(__name__)

# "Calls": what the versioned call log filters by, and what it adds on request.
FILTERS = ("caller", "client_afid", "client_cid", "client_tid", "sub_id", "call_flow_events")
BY = ("created_at", "updated_at")
# The longest wait for a window to settle.
LONGEST_WAIT = SETTLE_TIME + timedelta(seconds=30)
# Seconds: `Date` says to about two of them what time it is at Retreaver.
CLOCK_MARGIN = 3.0


@dataclass(frozen=True, slots=True)
class CallWindow:
    """Calls of a span of time.

    :param start: aware; calls from here on.
    :param end: aware; calls before. A window without an end, or one that is not settled (`is_settled`), cannot
        be proved complete.
    :param by: `created_at` or `updated_at`; the latter needs the current routes.
    :param filters: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id`, `call_flow_events`.
    :param version: `v1` … `v5` instead of the connection's `calls_version`.
    """

    start: datetime
    end: datetime | None = None
    by: str = "created_at"
    filters: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None

    def check(self, now: datetime) -> None:
        """Refuse what cannot be right, before anything is sent.

        :param now: the vendor's time.
        :raises InvalidArgument: naming the parameter.
        """
        parameters.one_of(self.by, BY, "by")
        parameters.known(self.filters, FILTERS, "filter of calls that the vendor applies")
        for name in ("start", "end"):
            value = getattr(self, name)
            if not isinstance(value, datetime) and not (name == "end" and value is None):
                raise InvalidArgument(f"{name} must be an aware datetime, not {value!r}.")
        time_parameters.time_span(self.start, self.end, ("start", "end"))
        if self.start >= now:
            raise InvalidArgument(
                f"start ({self.start.isoformat()}) has not come yet; a window of calls begins in the past."
            )

    def told(self) -> dict[str, str | None]:
        """Return `{"by", "start", "end"}` as plain JSON, times in UTC."""
        return {
            "by": self.by,
            "start": self.start.astimezone(UTC).isoformat(),
            "end": self.end.astimezone(UTC).isoformat() if self.end else None,
        }

    def is_settled(self, now: datetime) -> bool:
        """Whether no further call can enter it.

        :param now: the time by Retreaver's clock.
        """
        return is_settled(self.end, now)

    def listing(self, created: tuple[datetime | None, datetime | None] = (None, None)) -> Listing:
        """Return its calls, oldest first.

        :param created: narrows it further to calls created in this span.
        """
        bounds = _sooner(self.start, self.end, created) if self.by == "created_at" else created
        times: dict[str, Any] = {"created_at_start": _written(bounds[0]), "created_at_end": _written(bounds[1])}
        if self.by == "updated_at":
            times |= {"updated_at_start": _written(self.start), "updated_at_end": _written(self.end)}
        filters = {name: value for name, value in self.filters.items() if value is not None}
        return list_calls(order="asc", version=self.version, **times, **filters)

    def request(
        self, settings: Settings, created: tuple[datetime | None, datetime | None] = (None, None)
    ) -> tuple[Request, int]:
        """Return the request for its pages, in the edition of a connection, and the calls of a full page."""
        return paged_request(self.listing(created), settings)

    def newest_change(self, settings: Settings) -> Request | None:
        """Return the request for the call that was updated last, where calls can both come into the window and leave.

        A call that is created late comes in, one that is updated leaves a window by update; only with filters by
        creation can both happen, since what is filtered by may change.
        """
        if self.by == "updated_at" or not any(self.filters.get(name) for name in FILTERS[:-1]):
            return None
        everything = replace(self, filters={}).listing().request_for(settings.routes)
        return everything.with_query(sort_by="updated_at", order=None, per_page="1")

    def before(self, lookback: timedelta) -> CallWindow:
        """Return the window with a start that lies so much earlier."""
        return replace(self, start=self.start - lookback)


def wait_until_settled(window: CallWindow, settings: Settings) -> Procedure[bool]:
    """Wait until no further call can enter a window, where that is at most 90 seconds away.

    Those are the minute after a window that has just ended, and some seconds for clocks that differ. One small
    request before the wait finds out by its `Date` what time it is at Retreaver.

    :param window: which calls.
    :param settings: of the connection.
    :return: whether the window is settled now.
    """
    now: ClockReading = yield ServerTime()
    if window.end is not None and _waiting_time(window.end, now):
        request, _ = window.request(settings)
        yield page_operation(request.with_query(per_page="1"), 1)
        now = yield ServerTime()
        if wait := _waiting_time(window.end, now):
            log.info("The window ended at %s; waiting %.0f s until no further call can enter it", window.end, wait)
            yield Wait(wait + CLOCK_MARGIN)
            return True
    return window.is_settled(now.server_time)


def _waiting_time(end: datetime, now: ClockReading) -> float:
    """Return the seconds until a window is settled, 0 where it is or where that is too far away."""
    left = end + SETTLE_TIME - now.server_time
    return left.total_seconds() if timedelta(0) < left <= LONGEST_WAIT else 0.0


def _sooner(
    start: datetime, end: datetime | None, created: tuple[datetime | None, datetime | None]
) -> tuple[datetime, datetime | None]:
    first = max(start, created[0]) if created[0] else start
    ends = [moment for moment in (end, created[1]) if moment is not None]
    return first, min(ends) if ends else None


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
