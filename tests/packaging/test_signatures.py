"""Operators, sensors and triggers say all of their parameters where a reader, an IDE and a type checker look."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from tests.packaging.test_public_names import NAMES

pytestmark = pytest.mark.airflow

CLASSES = [
    pytest.param(getattr(import_module(f"airflow_provider_retreaver.{module}"), name), id=name)
    for module, names in NAMES.items()
    if module.split(".")[0] in {"operators", "sensors", "transfers", "triggers"}
    for name in sorted(names)
]


def parameters(kind: type) -> dict[str, inspect.Parameter]:
    """Return the parameters in a class's own signature; Airflow gives a class without `__init__` that of its own."""
    initializer = inspect.unwrap(kind.__dict__["__init__"]) if "__init__" in kind.__dict__ else None
    if initializer is None or not initializer.__module__.startswith("airflow_provider_retreaver."):
        return {}
    return dict(inspect.signature(initializer).parameters)


@pytest.mark.parametrize("kind", CLASSES)
def test_no_parameter_is_hidden(kind):
    """Every parameter of our own base classes stands in the class's own signature."""
    inherited = {
        name
        for base in kind.__mro__[1:]
        if base.__module__.startswith("airflow_provider_retreaver.")
        for name, parameter in parameters(base).items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    assert inherited - {"self"} - set(parameters(kind)) == set()


@pytest.mark.parametrize("kind", CLASSES)
def test_every_parameter_is_typed_and_documented(kind):
    """Each parameter has an annotation and a line in the class's docstring; only Airflow's own go by `**kwargs`."""
    own = {
        name: parameter
        for name, parameter in parameters(kind).items()
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    }
    assert own
    document = inspect.getdoc(kind) or ""
    assert [name for name in own if f":param {name}:" not in document] == []
    assert [name for name, parameter in own.items() if parameter.annotation in (parameter.empty, "Any")] == []
