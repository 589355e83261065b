"""What the hooks of every API have in common: from an Airflow connection to a client."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_retreaver.hooks.connection import SettingsT, async_client, parse_settings, settings_of
from airflow_provider_retreaver.hooks.failed_test import failure_of_test
from airflow_provider_retreaver.hooks.stopping import note_sigterm
from airflow_provider_retreaver.provider_info import FORMS, HIDDEN_FIELDS

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.operations import Listing, Operation, Procedure, Row
    from airflow_provider_retreaver.transport.background import BackgroundClient
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient, RetreaverClient
    from airflow_provider_retreaver.transport.own_loop import OwnLoopClient

T = TypeVar("T")


class ApiHook(BaseHook, Generic[SettingsT]):
    """What the blocking and the asynchronous hook of one API share."""

    conn_name_attr: str
    conn_type: str

    @classmethod
    @abstractmethod
    def settings_class(cls) -> type[SettingsT]:
        """Import and return the class of the connection's settings.

        :return: the class.
        """

    @staticmethod
    @abstractmethod
    def connection_check() -> Procedure[str]:
        """Return the procedure that tests a connection.

        :return: a procedure whose result is the message of success.
        """


def conn_id(hook: ApiHook[Any]) -> str:
    """Return the id of the connection that a hook uses.

    :param hook: the hook.
    :return: the id.
    """
    return str(getattr(hook, hook.conn_name_attr))


class ClientHook(ApiHook[SettingsT]):
    """Calls an API through an Airflow connection."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Airflow 2.11 asks only a class that has these itself.
        for name in ("get_connection_form_widgets", "get_ui_field_behaviour"):
            setattr(cls, name, vars(ClientHook)[name])

    def __init__(self) -> None:
        super().__init__()
        note_sigterm()
        self._settings: SettingsT | None = None
        self._client: RetreaverClient | None = None

    @property
    def settings(self) -> SettingsT:
        """The connection's settings, read and checked at the first use; no client is made for them.

        :raises AirflowNotFoundException: when there is no such connection.
        :raises InvalidConnection: naming the field that is invalid; nothing was sent.
        """
        if self._settings is None:
            self._settings = settings_of(self.get_connection(conn_id(self)), self.settings_class())
        return self._settings

    @property
    def has_settings(self) -> bool:
        """Whether the connection was read."""
        return self._settings is not None

    def get_conn(self) -> RetreaverClient:
        """Return the client, made at the first use; its calls end when the task gets SIGTERM.

        :return: the blocking client.
        :raises AirflowNotFoundException: when there is no such connection.
        :raises InvalidConnection: naming the field that is invalid; nothing was sent.
        """
        if self._client is None:
            from airflow_provider_retreaver.hooks.task_clients import TaskClient

            self._client = TaskClient(self.settings)
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

    @overload
    def run(self, work: Listing) -> list[Row]: ...

    @overload
    def run(self, work: Operation[T] | Procedure[T]) -> T: ...

    def run(self, work: Any) -> Any:
        """Run one operation of `resources`, or a procedure of `domain`; of a listing, return all rows.

        :param work: the operation, procedure or listing.
        :return: its result; `iterate` yields the rows of a long listing without keeping them all.
        :raises RetreaverError: of a class of `core.errors`.
        """
        return self.get_conn().run(work)

    def iterate(self, listing: Listing) -> Iterator[Row]:
        """Yield the rows of a listing, each once, page by page.

        :param listing: e.g. `targets.list_targets()`.
        :return: rows.
        :raises RetreaverError: when a page cannot be read; the rows before it are then not the whole list.
        """
        return self.get_conn().iterate(listing)

    def count(self, listing: Listing) -> int:
        """Return the number of rows of a listing, in at most two requests.

        :param listing: e.g. `targets.list_targets()`.
        :return: the number of rows.
        """
        return self.get_conn().count(listing)

    def reading(self) -> BackgroundClient:
        """Return a client for reading long lists, which reads ahead on its own thread; use it in a `with` block.

        :return: the client.
        :raises InvalidConnection: naming the field that is invalid.
        """
        from airflow_provider_retreaver.hooks.task_clients import TaskBackgroundClient
        from airflow_provider_retreaver.transport.client import AsyncRetreaverClient

        return TaskBackgroundClient(AsyncRetreaverClient(self.settings))

    def read_in_thread(self, work: Callable[[OwnLoopClient], T]) -> T:
        """Do work that reads long lists and uses at once what was read, in a thread of its own, and wait for its end.

        :param work: what is done with the client, in the other thread. When the task is told to stop, its next
            request raises `asyncio.CancelledError`.
        :return: its result.
        :raises InvalidConnection: naming the field that is invalid.
        :raises Exception: of the work.
        """
        from airflow_provider_retreaver.hooks.stopping import EndsOnSigterm
        from airflow_provider_retreaver.transport.client import AsyncRetreaverClient
        from airflow_provider_retreaver.transport.own_loop import read_in_thread

        with EndsOnSigterm():
            return read_in_thread(AsyncRetreaverClient(self.settings), work)

    def test_connection(self) -> tuple[bool, str]:
        """Read something small, once; called by Airflow's Test button and `airflow connections test`.

        :return: whether it was read, and a message.
        """
        from airflow_provider_retreaver.core.errors import RetreaverError

        settings = None
        try:
            with self:
                self._settings = settings = self.settings.for_test()
                message = self.run(self.connection_check())
        except RetreaverError as error:
            return False, failure_of_test(error, conn_id(self), settings)
        return True, message

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
            for name, (label, description, schema) in FORMS[cls.conn_type].fields.items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels, placeholders and hidden fields for Airflow before 3.2."""
        form = FORMS[cls.conn_type]
        return {"hidden_fields": HIDDEN_FIELDS, "relabeling": form.relabeled, "placeholders": form.placeholders}


class AsyncClientHook(ApiHook[SettingsT]):
    """Calls an API from a coroutine, in a trigger or an async task; a client belongs to one event loop."""

    def __init__(self) -> None:
        super().__init__()
        note_sigterm()
        self._client: AsyncRetreaverClient | None = None
        self._making = asyncio.Lock()

    async def get_conn(self) -> AsyncRetreaverClient:
        """Return the client, made at the first use; errors as for `ClientHook.get_conn`.

        :return: the asynchronous client.
        """
        async with self._making:  # several coroutines may begin at once
            if self._client is None:
                self._client = await async_client(await self.settings(), in_task=True)
            return self._client

    async def settings(self) -> SettingsT:
        """Return the current settings of the connection; `async_client` registers their secrets.

        :return: the settings.
        :raises AirflowNotFoundException: when there is no such connection.
        :raises InvalidConnection: naming the field that is invalid.
        """
        from airflow.providers.common.compat.connection import get_async_connection

        return parse_settings(await get_async_connection(conn_id(self), hook=self), self.settings_class())

    async def close(self) -> None:
        """Close the client's connections; the next use opens them again."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @overload
    async def run(self, work: Listing) -> list[Row]: ...

    @overload
    async def run(self, work: Operation[T] | Procedure[T]) -> T: ...

    async def run(self, work: Any) -> Any:
        """Run one operation of `resources`, or a procedure of `domain`; of a listing, return all rows.

        :param work: the operation, procedure or listing.
        :return: its result; `iterate` yields the rows of a long listing without keeping them all.
        :raises RetreaverError: of a class of `core.errors`.
        """
        return await (await self.get_conn()).run(work)

    async def iterate(self, listing: Listing) -> AsyncGenerator[Row]:
        """Yield the rows of a listing, each once, page by page.

        :param listing: e.g. `targets.list_targets()`.
        :return: rows.
        :raises RetreaverError: when a page cannot be read; the rows before it are then not the whole list.
        """
        async with aclosing((await self.get_conn()).iterate(listing)) as rows:
            async for row in rows:
                yield row

    async def count(self, listing: Listing) -> int:
        """Return the number of rows of a listing, in at most two requests.

        :param listing: e.g. `targets.list_targets()`.
        :return: the number of rows.
        """
        return await (await self.get_conn()).count(listing)

    async def test_connection(self) -> tuple[bool, str]:
        """Read something small, once; called by Airflow's Test button and `airflow connections test`.

        :return: whether it was read, and a message.
        """
        from airflow_provider_retreaver.core.errors import RetreaverError

        settings = None
        try:
            settings = (await self.settings()).for_test()
            async with await async_client(settings) as client:
                message = await client.run(self.connection_check())
        except RetreaverError as error:
            return False, await asyncio.to_thread(failure_of_test, error, conn_id(self), settings)
        return True, message
