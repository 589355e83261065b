"""From the id of an Airflow connection to the hook of a SQL database."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException, BaseHook

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook


def sql_hook(conn_id: str) -> DbApiHook:
    """Return the hook of a connection to a SQL database.

    :param conn_id: id of the Airflow connection.
    :return: the database's hook.
    :raises AirflowNotFoundException: when there is no such connection.
    :raises InvalidArgument: when it is not a SQL connection, or the provider of its type is not installed.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    connection = BaseHook.get_connection(conn_id)
    hook = None
    # Airflow knows no hook for a type whose provider is not installed.
    with suppress(AirflowException):
        hook = connection.get_hook()
    if not isinstance(hook, DbApiHook):
        raise InvalidArgument(
            f"sql_conn_id: connection {quoted(conn_id)} of type {quoted(connection.conn_type)} is not a SQL "
            f"connection, or the provider of its type is not installed."
        )
    return hook
