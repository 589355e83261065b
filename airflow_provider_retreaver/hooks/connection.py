"""From an Airflow connection to settings, masked secrets and an asynchronous client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_retreaver.core.client_settings import ClientSettings
    from airflow_provider_retreaver.core.secrets import Secret
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient


SettingsT = TypeVar("SettingsT", bound="ClientSettings")


class _Parts:
    """The fields of an Airflow connection, with nothing in its own text.

    :param connection: an Airflow `Connection`, whose text shows its password.
    """

    def __init__(self, connection: Connection) -> None:
        self._id = connection.conn_id
        self._port = connection.port
        self._texts = {name: getattr(connection, name) for name in ("login", "password", "host", "extra")}
        self._schema = connection.schema

    def secrets(self, kind: type[ClientSettings]) -> tuple[Secret, ...]:
        """Return what must be masked before anything of the connection is quoted."""
        from airflow_provider_retreaver.core.connection_secrets import connection_secrets

        return connection_secrets(**self._texts, login_is_key=kind.login_is_key)

    def settings(self, kind: type[SettingsT]) -> SettingsT:
        """Return the settings."""
        return kind.parse(self._id, port=self._port, schema=self._schema, **self._texts)


def settings_of(connection: Connection, kind: type[SettingsT]) -> SettingsT:
    """Return the settings of an Airflow connection; its secrets are registered in every mask before it is read.

    :param connection: an Airflow `Connection`.
    :param kind: the settings of its type.
    :return: the settings.
    :raises InvalidConnection: naming the field that is invalid.
    """
    parts = _Parts(connection)
    # Its text would be in a traceback with local variables.
    del connection
    mask_secrets(parts.secrets(kind))
    settings = parts.settings(kind)
    mask_secrets(settings.secrets)
    return settings


def parse_settings(connection: Connection, kind: type[SettingsT]) -> SettingsT:
    """Return the settings of an Airflow connection; its secrets are registered in the package's own mask only.

    `async_client` registers them with Airflow's.

    :param connection: an Airflow `Connection`.
    :param kind: the settings of its type.
    :return: the settings.
    :raises InvalidConnection: naming the field that is invalid.
    """
    from airflow_provider_retreaver.core.secrets import register_secrets

    parts = _Parts(connection)
    del connection
    register_secrets(parts.secrets(kind))
    return parts.settings(kind)


def mask_secrets(secrets: Iterable[Secret]) -> None:
    """Register secrets in every mask; on Airflow 3 this waits for the supervisor.

    :param secrets: of a connection.
    """
    from airflow.providers.common.compat.sdk import mask_secret

    from airflow_provider_retreaver.core.secrets import MIN_LENGTH, register_secrets, spellings

    # Airflow 2.11 would mask a placeholder of one letter in every message.
    known = [secret for secret in secrets if len(secret.reveal()) >= MIN_LENGTH]
    register_secrets(known)
    for secret in known:
        for form in spellings(secret.reveal()):
            mask_secret(form)


async def async_client(settings: ClientSettings, *, in_task: bool = False) -> AsyncRetreaverClient:
    """Return an asynchronous client, with the secrets of its connection registered in every mask.

    It is made in a thread: importing the client libraries, reading certificates and waiting for the supervisor would
    block the event loop. The thread comes from asgiref, which knows its loop: on Airflow 3.1 and 3.2, messages to the
    supervisor from another thread overtake those of the loop, and the triggerer ends with "out of order".

    :param settings: of the connection.
    :param in_task: whether its calls end when a task gets SIGTERM.
    :return: the client.
    :raises InvalidConnection: when the extra `verify` names certificates that cannot be read.
    """
    from asgiref.sync import sync_to_async

    return await sync_to_async(_async_client, thread_sensitive=False)(settings, in_task=in_task)


def _async_client(settings: ClientSettings, *, in_task: bool) -> AsyncRetreaverClient:
    from airflow_provider_retreaver.hooks.task_clients import AsyncTaskClient
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient

    mask_secrets(settings.secrets)
    return AsyncTaskClient(settings) if in_task else AsyncRetreaverClient(settings)
