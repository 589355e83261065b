"""The hook: from an Airflow connection of type `retreaver` to a client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_retreaver.provider_info import CUSTOM_FIELDS, HIDDEN_FIELDS, PLACEHOLDERS, RELABELED

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.operations import Listing, Operation, Procedure, Row
    from airflow_provider_retreaver.core.settings import Settings
    from airflow_provider_retreaver.resources.companies import Company
    from airflow_provider_retreaver.transport.background import BackgroundClient
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient, RetreaverClient

T = TypeVar("T")


def settings_of(connection: Any) -> Settings:
    """Return the settings of an Airflow connection, with its secrets registered in every mask.

    :param connection: an Airflow `Connection`.
    :raises InvalidConnection: naming the field that cannot be right.
    """
    settings = parsed(connection)
    mask(settings)
    return settings


def parsed(connection: Any) -> Settings:
    """Return the settings of an Airflow connection whose secrets are still to be registered with `mask`.

    :param connection: an Airflow `Connection`.
    :raises InvalidConnection: naming the field that cannot be right.
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


def mask(settings: Settings) -> None:
    """Register the secrets of a connection in every mask; on Airflow 3 this waits for the supervisor."""
    from airflow.providers.common.compat.sdk import mask_secret

    from airflow_provider_retreaver.core.secrets import register_secrets, spellings

    register_secrets(settings.secrets)
    for secret in settings.secrets:
        for form in spellings(secret.reveal()):
            mask_secret(form)


async def async_client(settings: Settings) -> AsyncRetreaverClient:
    """Return an asynchronous client, with the secrets of its connection registered in every mask.

    It is made in a thread: the client libraries are imported, certificates read and the supervisor waited for, all of
    which would hold up the event loop. The thread is one that asgiref knows the loop of: what Airflow 3.1 and 3.2 say
    to the supervisor from any other goes past the loop's own words, and the triggerer ends with "out of order".

    :raises InvalidConnection: when the extra `verify` names certificates that cannot be read.
    """
    from asgiref.sync import sync_to_async

    return await sync_to_async(_async_client, thread_sensitive=False)(settings)


def _async_client(settings: Settings) -> AsyncRetreaverClient:
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient

    mask(settings)
    return AsyncRetreaverClient(settings)


class RetreaverHook(BaseHook):
    """Calls Retreaver through an Airflow connection.

    :param retreaver_conn_id: id of a connection of type `retreaver`: password is the API key, login the Company ID,
        host and port a base URL other than the vendor's; README lists the extras.
    """

    conn_name_attr = "retreaver_conn_id"
    default_conn_name = "retreaver_default"
    conn_type = "retreaver"
    hook_name = "Retreaver"

    def __init__(self, retreaver_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.retreaver_conn_id = retreaver_conn_id
        self._settings: Settings | None = None
        self._client: RetreaverClient | None = None

    @property
    def settings(self) -> Settings:
        """The connection's settings, read and checked at the first use; no client is made for them.

        :raises AirflowNotFoundException: when there is no such connection.
        :raises InvalidConnection: naming the field that is invalid; nothing was sent.
        """
        if self._settings is None:
            self._settings = settings_of(self.get_connection(self.retreaver_conn_id))
        return self._settings

    def get_conn(self) -> RetreaverClient:
        """Return the client, made from the connection the first time.

        :raises AirflowNotFoundException: when there is no such connection.
        :raises InvalidConnection: naming the field that cannot be right; nothing was sent.
        """
        if self._client is None:
            from airflow_provider_retreaver.transport.client import RetreaverClient

            self._client = RetreaverClient(self.settings)
        return self._client

    def close(self) -> None:
        """Close the client's connections; the next use reads the Airflow connection and opens them again."""
        self._settings = None
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Do one operation of `resources`, or a procedure of `domain`, and return its result.

        :raises RetreaverError: the tree in `core.errors` says which.
        """
        return self.get_conn().run(work)

    def iterate(self, listing: Listing) -> Iterator[Row]:
        """Yield the rows of a listing, each once, page by page as they are wanted.

        :raises RetreaverError: when a page cannot be had: what came before is then not the whole list.
        """
        return self.get_conn().iterate(listing)

    def count(self, listing: Listing) -> int:
        """Return the number of rows of a listing in at most two requests."""
        return self.get_conn().count(listing)

    def reading(self) -> BackgroundClient:
        """Return a client for reading much, which fetches ahead on a thread of its own; use it in a `with` block."""
        from airflow_provider_retreaver.transport.background import BackgroundClient
        from airflow_provider_retreaver.transport.client import AsyncRetreaverClient

        return BackgroundClient(AsyncRetreaverClient(self.settings))

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the active company; used by Airflow's Test button and `airflow connections test`."""
        from airflow_provider_retreaver.core.errors import RetreaverError
        from airflow_provider_retreaver.resources.companies import get_active_company

        try:
            with self:
                said = _connected(self.run(get_active_company()))
        except RetreaverError as error:
            return False, str(error)
        return True, said

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's own fields for Airflow before 3.2; later ones read the provider's metadata."""
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from wtforms import PasswordField, StringField
        from wtforms.validators import Optional

        return {
            name: (PasswordField if schema.get("format") == "password" else StringField)(
                label,
                description=description,
                validators=[Optional()],
                widget=BS3PasswordFieldWidget() if schema.get("format") == "password" else BS3TextFieldWidget(),
            )
            for name, (label, description, schema) in CUSTOM_FIELDS.items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels, placeholders and hidden fields for Airflow before 3.2."""
        return {"hidden_fields": HIDDEN_FIELDS, "relabeling": RELABELED, "placeholders": PLACEHOLDERS}


class RetreaverAsyncHook(BaseHook):
    """Calls Retreaver from a coroutine, in a trigger or an async task; a client belongs to one event loop.

    :param retreaver_conn_id: as for `RetreaverHook`.
    """

    conn_name_attr = RetreaverHook.conn_name_attr
    default_conn_name = RetreaverHook.default_conn_name
    conn_type = RetreaverHook.conn_type
    hook_name = RetreaverHook.hook_name

    def __init__(self, retreaver_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.retreaver_conn_id = retreaver_conn_id
        self._client: AsyncRetreaverClient | None = None

    async def get_conn(self) -> AsyncRetreaverClient:
        """Return the client, made from the connection the first time; errors as `RetreaverHook.get_conn`."""
        if self._client is None:
            self._client = await async_client(await self.settings())
        return self._client

    async def settings(self) -> Settings:
        """Return the connection's settings as they are now, with secrets that `async_client` is still to register.

        :raises AirflowNotFoundException: when there is no such connection.
        :raises InvalidConnection: naming the field that cannot be right.
        """
        from airflow.providers.common.compat.connection import get_async_connection

        return parsed(await get_async_connection(self.retreaver_conn_id, hook=self))

    async def close(self) -> None:
        """Close the client's connections; the next use opens them again."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Do one operation or a procedure; see `RetreaverHook.run`."""
        return await (await self.get_conn()).run(work)

    async def iterate(self, listing: Listing) -> AsyncGenerator[Row]:
        """Yield the rows of a listing; see `RetreaverHook.iterate`."""
        async with aclosing((await self.get_conn()).iterate(listing)) as rows:
            async for row in rows:
                yield row

    async def count(self, listing: Listing) -> int:
        """Return the number of rows of a listing in at most two requests."""
        return await (await self.get_conn()).count(listing)

    async def test_connection(self) -> tuple[bool, str]:
        """Ask for the active company."""
        from airflow_provider_retreaver.core.errors import RetreaverError
        from airflow_provider_retreaver.resources.companies import get_active_company

        try:
            async with self:
                said = _connected(await self.run(get_active_company()))
        except RetreaverError as error:
            return False, str(error)
        return True, said


def _connected(company: Company) -> str:
    from airflow_provider_retreaver.core.operations import require
    from airflow_provider_retreaver.resources.companies import get_active_company

    number = require(company, "id", get_active_company().request)
    return f"Connected to company {number} ({company.get('name')})."
