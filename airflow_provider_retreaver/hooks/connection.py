"""From an Airflow connection to settings, masked secrets and an asynchronous client."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_retreaver.core.settings import Settings
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient


def settings_of(connection: Connection) -> Settings:
    """Return the settings of an Airflow connection, with its secrets registered in every mask.

    :param connection: an Airflow `Connection`.
    :return: the settings.
    :raises InvalidConnection: naming the field that is invalid.
    """
    settings = parse_settings(connection)
    mask_secrets(settings)
    return settings


def parse_settings(connection: Connection) -> Settings:
    """Return the settings of an Airflow connection; `mask_secrets` must be called for its secrets.

    :param connection: an Airflow `Connection`.
    :return: the settings.
    :raises InvalidConnection: naming the field that is invalid.
    """
    from airflow_provider_retreaver.core.settings import Settings

    return Settings.parse(
        connection.conn_id,
        login=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        schema=connection.schema,
        extra=connection.extra,
    )


def mask_secrets(settings: Settings) -> None:
    """Register the secrets of a connection in every mask; on Airflow 3 this waits for the supervisor.

    :param settings: of the connection.
    """
    from airflow.providers.common.compat.sdk import mask_secret

    from airflow_provider_retreaver.core.secrets import register_secrets, spellings

    register_secrets(settings.secrets)
    for secret in settings.secrets:
        for form in spellings(secret.reveal()):
            mask_secret(form)


async def async_client(settings: Settings) -> AsyncRetreaverClient:
    """Return an asynchronous client, with the secrets of its connection registered in every mask.

    It is made in a thread: importing the client libraries, reading certificates and waiting for the supervisor would
    block the event loop. The thread comes from asgiref, which knows its loop: on Airflow 3.1 and 3.2, messages to the
    supervisor from another thread overtake those of the loop, and the triggerer ends with "out of order".

    :param settings: of the connection.
    :return: the client.
    :raises InvalidConnection: when the extra `verify` names certificates that cannot be read.
    """
    from asgiref.sync import sync_to_async

    return await sync_to_async(_async_client, thread_sensitive=False)(settings)


def _async_client(settings: Settings) -> AsyncRetreaverClient:
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient

    mask_secrets(settings)
    return AsyncRetreaverClient(settings)
