"""What time it is at the vendor's: this machine's time, corrected by the `Date` of the latest answer.

A window such as "the last hour" means the vendor's hour, since the vendor stamps the calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from airflow_provider_retreaver.core.messages import Host
from airflow_provider_retreaver.core.operations import ClockReading
from airflow_provider_retreaver.core.policy import http_date
from airflow_provider_retreaver.core.settings import Settings

# `Date` counts whole seconds, and an answer is under way for a while: less than this is no difference of clocks.
INDISTINCT = timedelta(seconds=2)
HALF_A_SECOND = timedelta(seconds=0.5)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ServerClock:
    """One vendor host's clock, as seen from here.

    :param here: this machine's time.
    """

    def __init__(self, here: Callable[[], datetime] = _utc_now) -> None:
        self._here = here
        self._ahead = timedelta(0)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take note of an answer that has just come.

        :param headers: names in lower case; an answer without a readable `Date` teaches nothing.
        """
        moment = http_date(headers.get("date", ""))
        if moment is not None:
            ahead = moment + HALF_A_SECOND - self._here()
            self._ahead = timedelta(0) if abs(ahead) < INDISTINCT else ahead

    def now(self) -> ClockReading:
        """Return the time here and there."""
        return ClockReading(self._here(), self._ahead)


_clocks: dict[str, ServerClock] = {}
_guard = threading.Lock()


def clock_of(settings: Settings) -> ServerClock:
    """Return the clock of the connection's API host, which all clients of this process share."""
    with _guard:
        return _clocks.setdefault(settings.urls[Host.API], ServerClock())
