"""One limiter for each account in this process."""

from __future__ import annotations

import threading

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.transport.limiter import Limiter

_limiters: dict[tuple[str, str, int], Limiter] = {}
_guard = threading.Lock()


def limiter_for(settings: ClientSettings) -> Limiter:
    """Return the limiter that all clients of an account share in this process.

    :param settings: of the connection.
    :return: the limiter.
    """
    with _guard:
        return _limiters.setdefault(settings.account, Limiter(settings.max_concurrency))
