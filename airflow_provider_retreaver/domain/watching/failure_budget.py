"""Failures while waiting: which of them are temporary, and for how long a wait continues despite them."""

from __future__ import annotations

from copy import copy
from datetime import datetime, timedelta

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ConnectionFailed,
    InvalidArgument,
    ListingIncomplete,
    PermissionDenied,
    ProtocolError,
    RateLimited,
    RetreaverError,
    Unavailable,
)
from airflow_provider_retreaver.core.time_parameters import format_duration

# Waiting does not fix these, and repeating them looks like an attack.
NEVER_TOLERATED = (AuthenticationError, PermissionDenied, InvalidArgument)


def is_temporary(error: RetreaverError) -> bool:
    """Return whether a failure is of the kind that ends by itself.

    A response that is not JSON (the page of a proxy, or of maintenance) is; JSON without a documented field is not.

    :param error: the failure.
    :return: True when the same request may succeed later.
    """
    if isinstance(error, ConnectionFailed):
        return not error.final
    if isinstance(error, ProtocolError):
        return error.status is not None
    return isinstance(error, (Unavailable, RateLimited, ListingIncomplete))


class FailureBudget:
    """The time for which a wait continues although every request fails.

    :param limit: how long failures may last without a success; None for as long as the wait lasts.
    :param failing_since: when the failures began, aware, where they began before this object was made.
    :param tolerate_all: also continue after failures that are not temporary (Airflow's `silent_fail`).
    """

    def __init__(
        self, limit: timedelta | None, failing_since: datetime | None = None, *, tolerate_all: bool = False
    ) -> None:
        self._limit = limit
        self._tolerate_all = tolerate_all
        self.failing_since = failing_since

    def record_success(self) -> None:
        """Note a success: the next failure starts a new budget."""
        self.failing_since = None

    def record_failure(self, error: RetreaverError, now: datetime) -> None:
        """Note a failure, and raise it when the wait must end.

        :param error: the failure.
        :param now: this machine's time, aware.
        :raises RetreaverError: a copy of the failure, when it is not temporary or the budget is spent.
        """
        # A copy, since one error is passed to all who share a poll, and each of them raises and extends its own.
        if isinstance(error, NEVER_TOLERATED) or not (is_temporary(error) or self._tolerate_all):
            raise copy(error)
        self.failing_since = self.failing_since or now
        lasted = now - self.failing_since
        if self._limit is not None and lasted >= self._limit and not self._tolerate_all:
            final = copy(error)
            final.message = (
                f"{error.message} Every request has failed for {format_duration(round(lasted.total_seconds()))}, "
                f"which is longer than failure_budget allows."
            )
            raise final
