"""The plugin: nothing is served unless it is switched on, and an application is imported by its first request."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import entry_points
from types import ModuleType

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_retreaver.plugins.retreaver_plugin import APPS, LazyApp, RetreaverPlugin, Served

pytestmark = pytest.mark.airflow


def test_airflow_finds_the_plugin():
    """The entry point leads to the plugin, which has a name and, with nothing switched on, nothing else."""
    found = [one.load() for one in entry_points(group="airflow.plugins") if one.name == "retreaver"]
    assert found == [RetreaverPlugin]
    assert RetreaverPlugin.name == "retreaver"
    assert (RetreaverPlugin.fastapi_apps, RetreaverPlugin.external_views) == ([], [])


@pytest.mark.parametrize(("value", "on"), [(None, False), ("False", False), ("True", AIRFLOW_V_3_0_PLUS)])
def test_an_application_is_switched_on(monkeypatch, value, on):
    """An application is served on Airflow 3 when its option says so."""
    if value is not None:
        monkeypatch.setenv("AIRFLOW__RETREAVER__SOMETHING", value)
    assert Served("something", "/retreaver/something", "no.such.module").is_on is on


def test_prefixes_differ():
    """No application hides another, and Airflow's own paths are left alone."""
    prefixes = [app.prefix for app in APPS]
    assert all(one.startswith("/retreaver/") for one in prefixes)
    assert not [(a, b) for a in prefixes for b in prefixes if a != b and b.startswith(a)]


def test_an_application_is_made_by_its_first_request(monkeypatch):
    """Its module is imported once, and gets each request."""
    made, asked = [], []
    module = ModuleType("tests_lazy_app")

    def create_app():
        async def app(scope, receive, send):
            asked.append(scope)

        made.append(app)
        return app

    module.create_app = create_app
    lazy = LazyApp("tests_lazy_app")
    monkeypatch.setitem(sys.modules, "tests_lazy_app", module)

    async def twice():
        await lazy({"path": "/a"}, None, None)
        await lazy({"path": "/b"}, None, None)

    asyncio.run(twice())
    assert (len(made), asked) == (1, [{"path": "/a"}, {"path": "/b"}])
