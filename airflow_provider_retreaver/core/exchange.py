"""One request from signing to its result, without I/O: what is sent, and how a response is judged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_retreaver.core import policy
from airflow_provider_retreaver.core.answers import error_for
from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.errors import ChangeRefused, ConnectionFailed, NotFound, RetreaverError
from airflow_provider_retreaver.core.messages import REDIRECTS, HttpRequest, Request, Response
from airflow_provider_retreaver.core.operations import ClockReading


def _now() -> datetime:
    return datetime.now(UTC)


class Exchange:
    """One request that is being sent.

    :param settings: the connection's settings.
    :param request: the request.
    :param now: returns this machine's time, for `Retry-After` as a date.
    """

    def __init__(self, settings: ClientSettings, request: Request, now: Callable[[], datetime] = _now) -> None:
        self.request = request
        self.wire: HttpRequest = settings.sign(request)
        self._settings = settings
        self._now = now
        self._may_be_done = False
        self._first: RetreaverError | None = None
        self._retries = policy.RetryState(settings.policy, request)

    def strategies(self, first: RetreaverError) -> dict[str, Any]:
        """Return tenacity's arguments for this request, whose first attempt is made without tenacity.

        Nearly all requests succeed at once, and tenacity's preparations take longer than signing a request.

        :param first: error of the first attempt, which `raise_first` makes tenacity's first one.
        :return: strategies by name of the argument.
        """
        self._first = first
        return self._retries.strategies()

    def raise_first(self) -> None:
        """Raise the error of the first attempt, once.

        :raises RetreaverError: at the first call after `strategies`.
        """
        first, self._first = self._first, None
        if first is not None:
            raise first

    def pause(self, seconds: float) -> float:
        """Return the seconds to wait before an attempt while all requests of the account pause.

        :param seconds: length of the pause.
        :return: seconds within what is left of `max_wait`.
        """
        return self._retries.pause(seconds)

    def check_time(self, clock: ClockReading, wait: float = 0.0) -> None:
        """Refuse an attempt that would come too late, before the wait for it begins and before it is sent.

        :param clock: the time on the server.
        :param wait: seconds until the attempt.
        :raises ChangeRefused: when the request may not be sent then any more.
        """
        until = self.request.until
        if until is not None and clock.server_time + timedelta(seconds=wait) >= until:
            raise ChangeRefused(
                f"{self.request.label} was not sent{' again' if wait else ''}: it may only be sent before "
                f"{until.isoformat()}, by the server's clock.",
                method=self.request.method,
                path=self.request.path,
            )

    def judge(self, response: Response) -> Response:
        """Return a successful response; raise the error of any other.

        A DELETE answered 404 or 410 after an attempt with unknown outcome is a success: the earlier attempt did it.

        :param response: the response.
        :return: the response.
        :raises VendorError: of the class for the status.
        :raises OutcomeUnknown: when a write may have been done.
        """
        if response.status in range(200, 300) or (self.request.redirects and response.status in REDIRECTS):
            return response
        if self.request.method == "DELETE" and response.status in {404, 410} and self._may_be_done:
            return Response(204, {}, b"")
        wait = self.retry_after(response)
        raise self._record(error_for(self.request, response, connection=self._settings.connection, retry_after=wait))

    def retry_after(self, response: Response) -> float | None:
        """Return the seconds that a response asks to wait.

        :param response: the response.
        :return: seconds, None when it does not ask.
        """
        return policy.retry_after(response.headers, self._now())

    def failed(self, failure: ConnectionFailed) -> RetreaverError:
        """Return the error for an attempt without a response.

        :param failure: why there is none.
        :return: the error to raise.
        """
        return self._record(failure)

    def _record(self, error: RetreaverError) -> RetreaverError:
        may_be_done = (isinstance(error, ConnectionFailed) and error.sent) or (
            getattr(error, "status", 0) or 0
        ) not in {0, *policy.REFUSED}
        self._may_be_done = self._may_be_done or (may_be_done and not isinstance(error, NotFound))
        return policy.outcome_unknown(self.request, error) or error
