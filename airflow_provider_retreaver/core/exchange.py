"""One request's whole life between asking and knowing, without I/O: what is sent, how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from airflow_provider_retreaver.core import policy
from airflow_provider_retreaver.core.answers import error_for
from airflow_provider_retreaver.core.errors import ConnectionFailed, NotFound, RetreaverError
from airflow_provider_retreaver.core.messages import HttpRequest, Request, Response
from airflow_provider_retreaver.core.settings import Settings


def _now() -> datetime:
    return datetime.now(UTC)


class Exchange:
    """A request on its way.

    :param settings: the connection's settings.
    :param request: what is asked.
    :param now: this machine's time, for `Retry-After` as a date.
    """

    def __init__(self, settings: Settings, request: Request, now: Callable[[], datetime] = _now) -> None:
        self.request = request
        self.wire: HttpRequest = settings.sign(request)
        self._settings = settings
        self._now = now
        self._maybe_done = False
        self._patience = policy.Patience(settings.policy, request)

    def strategies(self) -> dict[str, Any]:
        """Return tenacity's arguments for this request."""
        return self._patience.strategies()

    def hold_back(self, pause: float) -> float:
        """Return the seconds to wait before an attempt while everybody pauses."""
        return self._patience.hold_back(pause)

    def judge(self, response: Response) -> Response:
        """Return a successful answer, raise the error of any other.

        A DELETE answered 404 or 410 after an attempt whose outcome is unknown is success: the earlier attempt
        did it.
        """
        if response.status in range(200, 300):
            return response
        if self.request.method == "DELETE" and response.status in {404, 410} and self._maybe_done:
            return Response(204, {}, b"")
        wait = self.asked_to_wait(response)
        raise self._noted(error_for(self.request, response, connection=self._settings.connection, retry_after=wait))

    def asked_to_wait(self, response: Response) -> float | None:
        """Return the seconds that an answer asks to wait, None when it does not."""
        return policy.retry_after(response.headers, self._now())

    def failed(self, failure: ConnectionFailed) -> RetreaverError:
        """Return the error for an attempt that got no answer."""
        return self._noted(failure)

    def _noted(self, error: RetreaverError) -> RetreaverError:
        maybe_done = (isinstance(error, ConnectionFailed) and error.sent) or (
            getattr(error, "status", 0) or 0
        ) not in {0, 429, 503}
        self._maybe_done = self._maybe_done or (maybe_done and not isinstance(error, NotFound))
        return policy.outcome_unknown(self.request, error) or error
