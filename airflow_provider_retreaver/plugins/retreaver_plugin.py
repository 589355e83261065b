"""The Airflow plugin: applications that the api-server of Airflow 3 serves below `/retreaver`, each off by default.

Airflow loads plugins in all of its processes, so an application is imported by the first request for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin, conf
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

SECTION = "retreaver"

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class LazyApp:
    """An ASGI application that is imported by its first request.

    :param module: full name of the module that has it.
    :param factory: name of the function there that returns it, without parameters.
    """

    def __init__(self, module: str, factory: str = "create_app") -> None:
        self._module = module
        self._factory = factory
        self._app: AsgiApp | None = None

    def _load(self) -> AsgiApp:
        app: AsgiApp = getattr(import_module(self._module), self._factory)()
        return app

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Pass a request on."""
        app = self._app
        if app is None:
            # Two first requests at the same time make two applications, of which the later one is kept.
            app = self._app = await asyncio.to_thread(self._load)
        await app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Served:
    """One application of the plugin.

    :param switch: its option in the section `[retreaver]` of Airflow's configuration, `False` by default.
    :param prefix: where it is served.
    :param module: full name of its module, which has a function `create_app`.
    :param views: what Airflow's menus show for it: `external_views` of Airflow's plugins.
    """

    switch: str
    prefix: str
    module: str
    views: tuple[dict[str, str], ...] = field(default=())

    @property
    def is_on(self) -> bool:
        """Whether this Airflow serves it: Airflow 3, and switched on."""
        return AIRFLOW_V_3_0_PLUS and conf.getboolean(SECTION, self.switch, fallback=False)


# Below Browse. The address is relative, since Airflow may be served below a path.
PAGE_VIEW = {
    "name": "Retreaver",
    "href": "retreaver/page/",
    "destination": "nav",
    "category": "browse",
    "url_route": "retreaver",
}
APPS: tuple[Served, ...] = (
    Served("page", "/retreaver/page", "airflow_provider_retreaver.page.app", (PAGE_VIEW,)),
    Served("webhooks", "/retreaver/webhooks", "airflow_provider_retreaver.webhooks.app"),
)


class RetreaverPlugin(AirflowPlugin):
    """The plugin: nothing but a name on Airflow 2.11, and where nothing is switched on."""

    name = "retreaver"
    fastapi_apps = [  # noqa: RUF012 - Airflow's attribute
        {"app": LazyApp(app.module), "url_prefix": app.prefix, "name": f"Retreaver {app.switch}"}
        for app in APPS
        if app.is_on
    ]
    external_views = [view for app in APPS if app.is_on for view in app.views]  # noqa: RUF012 - Airflow's attribute
