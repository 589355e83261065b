"""The retry policy: what is tried again, when, and for how long.

The decisions are tenacity strategies, shared by the blocking and the asynchronous client:

* 429 and 503 refuse before doing anything, so they are always tried again;
* 500, 502, 504 (and a proxy's other 5xx) and broken connections only when the request may be repeated (GET, PUT,
  DELETE), since the vendor may have done it; a connection that was never made is tried again whatever the method;
* `Retry-After` (seconds or an HTTP date) is honoured, up to what is left of `max_wait`; without it the waits
  grow exponentially with full jitter;
* it ends after `max_attempts` requests or `max_wait` seconds of waiting, whichever comes first.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from tenacity import RetryCallState, retry_if_exception, wait_random_exponential

from airflow_provider_retreaver.core.errors import (
    ConnectionFailed,
    OutcomeUnknown,
    RateLimited,
    RetreaverError,
    Unavailable,
)
from airflow_provider_retreaver.core.messages import Request

log = logging.getLogger(__name__)

REFUSED_BEFORE_DOING = frozenset({429, 503})
NEVER_BETTER = frozenset({501, 505})
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0


def may_repeat(request: Request, error: BaseException) -> bool:
    """Return whether this request may be sent again after this error."""
    if isinstance(error, ConnectionFailed):
        return not error.final and (request.repeatable or not error.sent)
    if isinstance(error, (RateLimited, Unavailable)):
        return error.status in REFUSED_BEFORE_DOING or (request.repeatable and error.status not in NEVER_BETTER)
    return False


def outcome_unknown(request: Request, error: RetreaverError) -> OutcomeUnknown | None:
    """Return the `OutcomeUnknown` that this error means for a write that must not be repeated, if it does."""
    lost = (isinstance(error, ConnectionFailed) and error.sent) or (
        isinstance(error, Unavailable) and error.status not in REFUSED_BEFORE_DOING
    )
    if request.repeatable or not lost:
        return None
    return OutcomeUnknown(
        f"{request.label} may have been done or not, its answer was lost ({error.message.rstrip('.')}); "
        f"look at the object before it is sent again.",
        method=request.method,
        path=request.path,
    )


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that an answer asks to wait, or None when it does not say, or says nonsense.

    :param headers: names in lower case.
    :param now: this machine's time, used when a date is given and the answer has no `Date` of its own.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdecimal() and value.isascii():
        return float(value.lstrip("0")[:10] or 0)
    moment = http_date(value)
    if moment is None:
        return None
    # The vendor's own clock, since the two may differ.
    reference = http_date(headers.get("date", "")) or now
    return max(0.0, (moment - reference).total_seconds())


def http_date(value: str) -> datetime | None:
    """Return the moment that a header such as `Date` names, None when it names none."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Policy:
    """How long one request is tried.

    :param max_attempts: requests sent at most, the first one included.
    :param max_wait: seconds spent waiting at most, in all: between attempts, and held back with everybody else.
    """

    max_attempts: int = 8
    max_wait: float = 120.0


class Patience:
    """The policy applied to one request, with the waiting that it has done.

    :param policy: of the connection.
    :param request: what is tried.
    """

    def __init__(self, policy: Policy, request: Request) -> None:
        self._policy = policy
        self._request = request
        self.waited = 0.0

    def strategies(self) -> dict[str, Any]:
        """Return the arguments for tenacity's `Retrying` and `AsyncRetrying`, the same for both."""
        return {
            "retry": retry_if_exception(lambda error: may_repeat(self._request, error)),
            "wait": self.wait,
            "stop": self.stop,
            "before_sleep": self.announce,
            "retry_error_callback": self.give_up,
        }

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt (a tenacity wait strategy)."""
        asked = getattr(_error(state), "retry_after", None)
        return self._within(asked if asked is not None else _backoff(state))

    def stop(self, state: RetryCallState) -> bool:
        """Whether it is enough (a tenacity stop strategy)."""
        return state.attempt_number >= self._policy.max_attempts or self.waited >= self._policy.max_wait

    def announce(self, state: RetryCallState) -> None:
        """Log the wait before it begins (a tenacity before_sleep hook)."""
        self.waited += state.upcoming_sleep
        log.warning(
            "%s Waiting %.1f s before attempt %d of at most %d.",
            _error(state),
            state.upcoming_sleep,
            state.attempt_number + 1,
            self._policy.max_attempts,
        )

    def hold_back(self, asked: float) -> float:
        """Seconds to wait, before an attempt, for a pause that the vendor asked of another request."""
        seconds = self._within(asked)
        if seconds:
            self.waited += seconds
            log.info("%s is held back for %.1f s: the vendor asked to slow down.", self._request.label, seconds)
        return seconds

    def _within(self, seconds: float) -> float:
        return float(min(seconds, max(0.0, self._policy.max_wait - self.waited)))

    def give_up(self, state: RetryCallState) -> NoReturn:
        """Raise the last error with what was tried added to its sentence (a tenacity error callback)."""
        error = _error(state)
        if state.attempt_number > 1:
            error.message = (
                f"{error.message} Gave up after {state.attempt_number} attempts and {self.waited:.1f} s of waiting."
            )
        raise error


_backoff = wait_random_exponential(multiplier=FIRST_BACKOFF, max=LONGEST_BACKOFF)


def _error(state: RetryCallState) -> RetreaverError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, RetreaverError):
        raise TypeError("the policy decides on errors of this package only")
    return error
