"""The calls to export: a window of time by creation or by update, and Retreaver's own filters."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias, get_args

from airflow_provider_retreaver.core import parameters, time_parameters
from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import ClockReading, Listing, Procedure, ServerTime, Wait
from airflow_provider_retreaver.core.paging import paged_request
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.calls.first_pages import calls_of
from airflow_provider_retreaver.domain.calls.page import RawPage
from airflow_provider_retreaver.domain.calls.page_scan import page_operation
from airflow_provider_retreaver.domain.calls.time_window import SETTLE_TIME, is_settled
from airflow_provider_retreaver.resources.calls import list_calls

log = logging.getLogger(__name__)

# What the versioned call log filters by, and what it adds on request. Retreaver's reference: "Calls".
FILTERS = ("caller", "client_afid", "client_cid", "client_tid", "sub_id", "call_flow_events")
CallTime: TypeAlias = Literal["created_at", "updated_at"]
BY: tuple[CallTime, ...] = get_args(CallTime)
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
    by: CallTime = "created_at"
    filters: Mapping[str, object] = field(default_factory=dict)
    version: str | None = None

    def check(self, now: datetime) -> None:
        """Check the parameters before anything is sent.

        :param now: the time by Retreaver's clock.
        :raises InvalidArgument: naming the parameter that is wrong.
        """
        parameters.one_of(self.by, BY, "by")
        parameters.known(self.filters, FILTERS, "filter of calls by Retreaver")
        for name in ("start", "end"):
            value = getattr(self, name)
            if not isinstance(value, datetime) and not (name == "end" and value is None):
                raise InvalidArgument(f"{name} must be an aware datetime, not {quoted(value)}.")
        time_parameters.time_span(self.start, self.end, ("start", "end"))
        if self.start >= now:
            raise InvalidArgument(f"start ({self.start.isoformat()}) is in the future; give a start in the past.")
        # Reads the filters.
        self.listing()

    def as_dict(self) -> dict[str, str | None]:
        """Return the window as plain JSON.

        :return: `{"by", "start", "end"}`, times as RFC 3339 in UTC; `end` is None for a window without one.
        """
        return {
            "by": self.by,
            "start": self.start.astimezone(UTC).isoformat(),
            "end": self.end.astimezone(UTC).isoformat() if self.end else None,
        }

    def is_settled(self, now: datetime) -> bool:
        """Whether no further call can enter it.

        :param now: the time by Retreaver's clock.
        :return: what the function `is_settled` decides.
        """
        return is_settled(self.end, now)

    def listing(self, created: tuple[datetime | None, datetime | None] = (None, None)) -> Listing:
        """Return the listing of its calls, oldest first.

        :param created: start and end of a span of creation time that narrows it further; None for no limit.
        :return: the listing.
        """
        bounds = _intersection(self.start, self.end, created) if self.by == "created_at" else created
        times: dict[str, Any] = {"created_at_start": _rfc3339(bounds[0]), "created_at_end": _rfc3339(bounds[1])}
        if self.by == "updated_at":
            times |= {"updated_at_start": _rfc3339(self.start), "updated_at_end": _rfc3339(self.end)}
        filters: dict[str, Any] = {name: value for name, value in self.filters.items() if value is not None}
        return list_calls(order="asc", version=self.version, **times, **filters)

    def request(
        self, settings: ClientSettings, created: tuple[datetime | None, datetime | None] = (None, None)
    ) -> tuple[Request, int]:
        """Return the request for its pages.

        :param settings: of the connection, whose routes and page size are used.
        :param created: start and end of a span of creation time that narrows it further; None for no limit.
        :return: the request without a page number, and the calls of a full page.
        """
        return paged_request(self.listing(created), settings)

    def newest_change(self, settings: ClientSettings) -> Request | None:
        """Return the request for the call that was updated last, where calls can both enter the window and leave it.

        A call that is listed late enters, and a call that is updated leaves a window by update. Only in a window by
        creation with filters both can happen, since the fields that are filtered by can change.

        :param settings: of the connection.
        :return: the request, None where calls can only enter or only leave.
        """
        if self.by == "updated_at" or not self.is_filtered:
            return None
        everything = replace(self, filters={}).listing().request_for(settings.routes)
        return everything.with_query(sort_by="updated_at", order=None, per_page="1")

    @property
    def is_filtered(self) -> bool:
        """Whether it has only some of the account's calls of its time."""
        return any(self.filters.get(name) for name in FILTERS[:-1])

    def before(self, lookback: timedelta) -> CallWindow:
        """Return the window with an earlier start.

        :param lookback: by how much.
        :return: another window with the same end.
        """
        return replace(self, start=self.start - lookback)


@dataclass(frozen=True, slots=True)
class Settled:
    """What is known of a window before it is read.

    :param settled: whether no further call can enter it.
    :param calls: about how many it has, None where no request has shown that.
    """

    settled: bool
    calls: int | None = None


def wait_until_settled(window: CallWindow, settings: ClientSettings) -> Procedure[Settled]:
    """Wait until no further call can enter a window, where that is at most 90 seconds away.

    Those are the minute after a window that has just ended, and some seconds for clocks that differ. One small
    request before the wait finds out by its `Date` what time it is at Retreaver, and how many calls there are.

    :param window: which calls.
    :param settings: of the connection.
    :return: whether the window is settled now.
    """
    now: ClockReading = yield ServerTime()
    calls: int | None = None
    if window.end is not None and _waiting_time(window.end, now):
        request, _ = window.request(settings)
        page: RawPage = yield page_operation(request.with_query(per_page="1"), 1)
        calls = calls_of(page)
        now = yield ServerTime()
        if wait := _waiting_time(window.end, now):
            log.info("The window ended at %s; waiting %.0f s until no further call can enter it", window.end, wait)
            yield Wait(wait + CLOCK_MARGIN)
            return Settled(settled=True, calls=calls)
    return Settled(window.is_settled(now.server_time), calls)


def _waiting_time(end: datetime, now: ClockReading) -> float:
    """Return the seconds until a window is settled, 0 where it is or where that is too far away."""
    left = end + SETTLE_TIME - now.server_time
    return left.total_seconds() if timedelta(0) < left <= LONGEST_WAIT else 0.0


def _intersection(
    start: datetime, end: datetime | None, created: tuple[datetime | None, datetime | None]
) -> tuple[datetime, datetime | None]:
    first = max(start, created[0]) if created[0] else start
    ends = [time for time in (end, created[1]) if time is not None]
    return first, min(ends) if ends else None


def _rfc3339(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")
