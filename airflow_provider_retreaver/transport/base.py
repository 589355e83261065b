"""What the blocking and the asynchronous client have in common."""

from __future__ import annotations

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.exchange import Exchange
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.core.secrets import register_secrets
from airflow_provider_retreaver.transport.limiter import Limiter
from airflow_provider_retreaver.transport.limiter_state import Flight
from airflow_provider_retreaver.transport.limiters import limiter_for
from airflow_provider_retreaver.transport.server_clock import clock_of


class ClientBase:
    """Settings of a client, and the state that it shares with the other clients of the account.

    :param settings: of the connection; its secrets are registered, so that no log or error contains them.
    :param limiter: limits concurrent requests; None for the one of the account in this process.
    """

    def __init__(self, settings: ClientSettings, limiter: Limiter | None) -> None:
        self.settings = settings
        self._limiter = limiter or limiter_for(settings)
        self._clock = clock_of(settings)
        register_secrets(settings.secrets)

    def _learn(self, exchange: Exchange, flight: Flight, response: Response) -> None:
        """Pass a response on to the limiter and the clock."""
        self._limiter.learn(flight, response.status, exchange.retry_after(response))
        self._clock.learn(response.headers)
