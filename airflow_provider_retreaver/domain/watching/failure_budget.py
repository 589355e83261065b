"""Bad weather while waiting: which failures may pass, and for how long a wait puts up with them."""

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

# No waiting mends these, and repeating them looks like an attack.
NEVER_FORGIVEN = (AuthenticationError, PermissionDenied, InvalidArgument)


def may_pass(error: RetreaverError) -> bool:
    """Whether a failure is of the kind that goes away by itself.

    An answer that is no JSON (a proxy's or a maintenance page) is; one that is, and lacks what is documented, is not.
    """
    if isinstance(error, ConnectionFailed):
        return not error.final
    if isinstance(error, ProtocolError):
        return error.status is not None
    return isinstance(error, (Unavailable, RateLimited, ListingIncomplete))


class FailureBudget:
    """For how long failures in a row are put up with.

    :param most: None for as long as the wait lasts.
    :param failing_since: when the failures began, where they began before this object did.
    :param forgive_all: also go on after failures that do not go away by themselves (`silent_fail`).
    """

    def __init__(
        self, most: timedelta | None, failing_since: datetime | None = None, *, forgive_all: bool = False
    ) -> None:
        self._most = most
        self._forgive_all = forgive_all
        self.failing_since = failing_since

    def answered(self) -> None:
        """Take note that the weather is fine."""
        self.failing_since = None

    def failed(self, error: RetreaverError, now: datetime) -> None:
        """Take note of a failure; it is raised when it will not pass, or when it has lasted too long.

        :param now: this machine's time, aware.
        """
        if isinstance(error, NEVER_FORGIVEN) or not (may_pass(error) or self._forgive_all):
            raise _own(error)
        self.failing_since = self.failing_since or now
        lasted = now - self.failing_since
        if self._most is not None and lasted >= self._most and not self._forgive_all:
            tired = _own(error)
            tired.message = (
                f"{error.message} It has failed for {format_duration(round(lasted.total_seconds()))} without a "
                f"success, which is all that failure_budget allows."
            )
            raise tired


def _own(error: RetreaverError) -> RetreaverError:
    """Return a copy: one error is told to everybody who shares a poll, and each adds to it and raises it alone."""
    return copy(error)
