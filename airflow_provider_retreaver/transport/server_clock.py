"""The time on the server: this machine's time, corrected by the `Date` header of the latest response.

A window such as "the last hour" is measured by the server's clock, which sets the times of calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.messages import Host
from airflow_provider_retreaver.core.operations import ClockReading
from airflow_provider_retreaver.core.policy import http_date

# `Date` has whole seconds, and a response takes time: a smaller difference than this counts as none.
TOLERANCE = timedelta(seconds=2)
HALF_A_SECOND = timedelta(seconds=0.5)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ServerClock:
    """The clock of one host.

    :param local_time: returns this machine's time, in UTC.
    """

    def __init__(self, local_time: Callable[[], datetime] = _utc_now) -> None:
        self._local_time = local_time
        self._offset = timedelta(0)
        self._is_known = False

    def learn(self, headers: Mapping[str, str]) -> None:
        """Use a response to correct the clock.

        :param headers: header values by name in lower case; a response without a valid `Date` changes nothing.
        """
        date = http_date(headers.get("date", ""))
        if date is not None:
            offset = date + HALF_A_SECOND - self._local_time()
            self._offset = timedelta(0) if abs(offset) < TOLERANCE else offset
            self._is_known = True

    def now(self) -> ClockReading:
        """Return the time of this machine and of the server.

        :return: both times.
        """
        return ClockReading(self._local_time(), self._offset, self._is_known)


_clocks: dict[str, ServerClock] = {}
_guard = threading.Lock()


def clock_of(settings: ClientSettings) -> ServerClock:
    """Return the clock of a connection's API host, which all clients of this process share.

    :param settings: of the connection.
    :return: the clock.
    """
    with _guard:
        return _clocks.setdefault(settings.urls[Host.API], ServerClock())
