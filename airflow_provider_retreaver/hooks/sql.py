"""From the id of an Airflow connection to the hook of a SQL database."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, BaseHook

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook


# Hooks that speak SQL where the one of the connection's type does not: class, parameter of the connection, others.
_OF_TYPES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "databricks": ("airflow.providers.databricks.hooks.databricks_sql.DatabricksSqlHook", "databricks_conn_id", {}),
    **dict.fromkeys(
        ("gcpbigquery", "google_cloud_platform"),
        (
            "airflow.providers.google.cloud.hooks.bigquery.BigQueryHook", "gcp_conn_id", {"use_legacy_sql": False},
        ),
    ),
}  # fmt: skip


def sql_hook(conn_id: str, parameters: Mapping[str, Any] | None = None) -> DbApiHook:
    """Return the hook of a connection to a SQL database.

    :param conn_id: id of the Airflow connection.
    :param parameters: of the hook; None for none.
    :return: the database's hook.
    :raises AirflowNotFoundException: when there is no such connection.
    :raises InvalidArgument: when it is not a SQL connection, or the provider of its type is not installed.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    connection = BaseHook.get_connection(conn_id)
    hook = None
    # Airflow knows no hook for a type whose provider is not installed.
    with suppress(AirflowException, ImportError):
        hook = _hook(connection, dict(parameters or {}))
    if not isinstance(hook, DbApiHook):
        raise InvalidArgument(
            f"sql_conn_id: connection {quoted(conn_id)} of type {quoted(connection.conn_type)} is not a SQL "
            f"connection, or the provider of its type is not installed."
        )
    return hook


def _hook(connection: Any, parameters: dict[str, Any]) -> Any:
    if connection.conn_type not in _OF_TYPES:
        return connection.get_hook(hook_params=parameters)
    path, name, others = _OF_TYPES[connection.conn_type]
    module, _, kind = path.rpartition(".")
    return getattr(import_module(module), kind)(**{name: connection.conn_id, **others, **parameters})
