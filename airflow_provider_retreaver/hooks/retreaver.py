"""The hooks: from an Airflow connection of type `retreaver` to a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_retreaver.hooks.client_hook import ApiHook, AsyncClientHook, ClientHook

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.core.settings import Settings


class _RetreaverConnection(ApiHook["Settings"]):
    """The connection type `retreaver`."""

    conn_name_attr = "retreaver_conn_id"
    default_conn_name = "retreaver_default"
    conn_type = "retreaver"
    hook_name = "Retreaver"

    @classmethod
    def settings_class(cls) -> type[Settings]:
        """Import and return the class of the connection's settings.

        :return: the class.
        """
        from airflow_provider_retreaver.core.settings import Settings

        return Settings

    @staticmethod
    def connection_check() -> Procedure[str]:
        """Read the active company.

        :return: a procedure whose result names the company.
        """
        from airflow_provider_retreaver.core.envelopes import require
        from airflow_provider_retreaver.core.quoting import one_line
        from airflow_provider_retreaver.resources.companies import get_active_company

        operation = get_active_company()
        company = yield operation
        number = require(company, "id", operation.request)
        return f"Connected to company {one_line(number, numbers=False)} ({one_line(company.get('name'))})."


class RetreaverHook(_RetreaverConnection, ClientHook["Settings"]):
    """Calls Retreaver through an Airflow connection.

    :param retreaver_conn_id: id of a connection of type `retreaver`: its password is the API key, its login the
        Company ID,
        its host and port a base URL other than Retreaver's; README lists the extras.
    """

    def __init__(self, retreaver_conn_id: str = _RetreaverConnection.default_conn_name) -> None:
        super().__init__()
        self.retreaver_conn_id = retreaver_conn_id


class RetreaverAsyncHook(_RetreaverConnection, AsyncClientHook["Settings"]):
    """Calls Retreaver from a coroutine, in a trigger or an async task; a client belongs to one event loop.

    :param retreaver_conn_id: see `RetreaverHook`.
    """

    def __init__(self, retreaver_conn_id: str = _RetreaverConnection.default_conn_name) -> None:
        super().__init__()
        self.retreaver_conn_id = retreaver_conn_id
