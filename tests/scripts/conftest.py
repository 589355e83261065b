"""Loads the scripts, which are not a package, as modules."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import pytest


@pytest.fixture
def script(project, monkeypatch):
    """Return a function that loads a script by name."""
    monkeypatch.syspath_prepend(str(project / "scripts"))
    loaded: list[str] = []

    def load(name: str) -> ModuleType:
        loaded.append(name)
        return import_module(name)

    yield load
    for name in {*loaded, "local_airflow", "tour"}:
        sys.modules.pop(name, None)
