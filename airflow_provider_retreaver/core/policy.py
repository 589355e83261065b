"""The retry policy: which requests are sent again, when, and how often.

The decisions are tenacity strategies, shared by the blocking and the asynchronous client:

* 429 and 503 mean that nothing was done, so these requests are always sent again;
* after 500, 502, 504 (and other 5xx of a proxy) and broken connections, a request is sent again only when it may be
  repeated (GET, PUT, DELETE), since the server may have done it; a request whose connection was never made is sent
  again whatever its method;
* `Retry-After` (seconds or an HTTP date) is honored, up to what is left of `max_wait`; without it the waits grow
  exponentially with full jitter;
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

# Statuses of requests that were refused before anything was done.
REFUSED = frozenset({429, 503})
# Statuses that a retry cannot change.
PERMANENT = frozenset({501, 505})
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0


def may_repeat(request: Request, error: BaseException) -> bool:
    """Return whether a request may be sent again after an error.

    :param request: the request.
    :param error: its error.
    :return: True when it may.
    """
    if isinstance(error, ConnectionFailed):
        return not error.final and (request.repeatable or not error.sent)
    if isinstance(error, (RateLimited, Unavailable)):
        return error.status in REFUSED or (request.repeatable and error.status not in PERMANENT)
    return False


def outcome_unknown(request: Request, error: RetreaverError) -> OutcomeUnknown | None:
    """Return the error for a write that must not be repeated and whose response was lost.

    :param request: the request.
    :param error: its error.
    :return: the error to raise instead, None when the outcome is known.
    """
    lost = (isinstance(error, ConnectionFailed) and error.sent) or (
        isinstance(error, Unavailable) and error.status not in REFUSED
    )
    if request.repeatable or not lost:
        return None
    return OutcomeUnknown(
        f"{request.label} may have been done or not: its response was lost ({error.message.rstrip('.')}); "
        f"read the object before sending it again.",
        method=request.method,
        path=request.path,
    )


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that a response asks to wait.

    :param headers: header values by name in lower case.
    :param now: this machine's time, used for a date when the response has no `Date` header.
    :return: seconds, None when the response has no valid `Retry-After`.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdecimal() and value.isascii():
        return float(value.lstrip("0")[:10] or 0)
    date = http_date(value)
    if date is None:
        return None
    # The server's own clock, since the two may differ.
    reference = http_date(headers.get("date", "")) or now
    return max(0.0, (date - reference).total_seconds())


def http_date(value: str) -> datetime | None:
    """Return the time of a header such as `Date`.

    :param value: the header's value.
    :return: an aware datetime, None when the value is not a date.
    """
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Policy:
    """How long one request is tried.

    :param max_attempts: number of requests at most, including the first one.
    :param max_wait: seconds of waiting at most, in total: between attempts, and in pauses that other requests cause.
    """

    max_attempts: int = 8
    max_wait: float = 120.0


class RetryState:
    """The retry policy applied to one request, with the time that it has waited.

    :param policy: of the connection.
    :param request: the request.
    """

    def __init__(self, policy: Policy, request: Request) -> None:
        self._policy = policy
        self._request = request
        self.waited = 0.0

    def strategies(self) -> dict[str, Any]:
        """Return the arguments for tenacity's `Retrying` and `AsyncRetrying`, the same for both.

        :return: strategies by name of the argument.
        """
        return {
            "retry": retry_if_exception(lambda error: may_repeat(self._request, error)),
            "wait": self.wait,
            "stop": self.stop,
            "before_sleep": self.announce,
            "retry_error_callback": self.give_up,
        }

    def wait(self, state: RetryCallState) -> float:
        """Return the seconds until the next attempt (a tenacity wait strategy).

        :param state: tenacity's state of the request.
        :return: seconds.
        """
        seconds = getattr(_error(state), "retry_after", None)
        return self._within(seconds if seconds is not None else _backoff(state))

    def stop(self, state: RetryCallState) -> bool:
        """Return whether to give up (a tenacity stop strategy).

        :param state: tenacity's state of the request.
        :return: True when all attempts or all the waiting time are used.
        """
        attempts = self._request.attempts or self._policy.max_attempts
        return state.attempt_number >= attempts or self.waited >= self._policy.max_wait

    def announce(self, state: RetryCallState) -> None:
        """Log the wait before it begins (a tenacity `before_sleep` callback).

        :param state: tenacity's state of the request.
        """
        self.waited += state.upcoming_sleep
        log.warning(
            "%s Waiting %.1f s before attempt %d of at most %d.",
            _error(state),
            state.upcoming_sleep,
            state.attempt_number + 1,
            self._policy.max_attempts,
        )

    def pause(self, seconds: float) -> float:
        """Return the seconds to wait before an attempt, for a pause that the server asked of another request.

        :param seconds: length of the pause.
        :return: seconds within what is left of `max_wait`.
        """
        allowed = self._within(seconds)
        if allowed:
            self.waited += allowed
            level = logging.INFO if allowed >= 1 else logging.DEBUG
            log.log(level, "%s waits %.1f s: the server asked to slow down.", self._request.label, allowed)
        return allowed

    def _within(self, seconds: float) -> float:
        return float(min(seconds, max(0.0, self._policy.max_wait - self.waited)))

    def give_up(self, state: RetryCallState) -> NoReturn:
        """Raise the last error, with the number of attempts added to its message (a tenacity error callback).

        :param state: tenacity's state of the request.
        :raises RetreaverError: the last error.
        """
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
        raise TypeError("the policy handles errors of this package only")
    return error
