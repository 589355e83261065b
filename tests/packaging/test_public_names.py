"""The public names and parameters: changing one breaks somebody's DAG, so it is done on purpose or not at all."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

pytestmark = pytest.mark.airflow

NAMES = {
    "core.errors": {
        "AuthenticationError", "ChangeRefused", "ConnectionFailed", "Gone", "InvalidArgument", "InvalidConnection",
        "InvalidRequest", "ListingIncomplete", "NotFound", "OutcomeUnknown", "PartialFailure", "PermissionDenied",
        "ProtocolError", "RateLimited", "RetreaverError", "Unavailable", "VendorError",
    },
    "hooks.retreaver": {"RetreaverAsyncHook", "RetreaverHook"},
    "operators.caps": {"RetreaverResetCapOperator", "RetreaverSetCapsOperator"},
    "sandbox": {"Answer", "Sandbox", "SandboxOptions"},
    "transport.client": {"AsyncRetreaverClient", "RetreaverClient"},
}  # fmt: skip

PARAMETERS = {
    ("operators.caps", "RetreaverResetCapOperator"): {
        "target_ids", "tids", "target_group_ids", "tag", "only_filled", "max_staleness", "force", "state_path",
    },
    ("hooks.retreaver", "RetreaverHook"): {"retreaver_conn_id"},
}  # fmt: skip

METHODS = {
    ("hooks.retreaver", "RetreaverHook"): {"run", "iterate", "count", "get_conn", "test_connection", "close"},
}


def public_classes(name: str) -> set[str]:
    """Return the classes that a module offers: those it lists, else those it defines."""
    module = import_module(f"airflow_provider_retreaver.{name}")
    if hasattr(module, "__all__"):
        return set(module.__all__)
    return {
        key
        for key, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and not key.startswith("_")
    }


@pytest.mark.parametrize("name", NAMES)
def test_public_classes(name):
    """A module offers exactly the classes that are promised."""
    assert public_classes(name) == NAMES[name]


@pytest.mark.parametrize(("module", "name"), PARAMETERS)
def test_parameters(module, name):
    """A class takes exactly the parameters that are promised."""
    initialiser = getattr(import_module(f"airflow_provider_retreaver.{module}"), name).__init__
    taken = inspect.signature(inspect.unwrap(initialiser)).parameters.values()
    assert {one.name for one in taken if one.kind is not one.VAR_KEYWORD} - {"self"} == PARAMETERS[module, name]


@pytest.mark.parametrize(("module", "name"), METHODS)
def test_methods(module, name):
    """A class has the methods that are promised."""
    assert METHODS[module, name] <= set(dir(getattr(import_module(f"airflow_provider_retreaver.{module}"), name)))


def test_the_package_offers_its_version_only():
    """The package's top level holds the version and imports nothing."""
    package = import_module("airflow_provider_retreaver")
    assert {
        key for key, value in vars(package).items() if not key.startswith("_") and not inspect.ismodule(value)
    } <= {"annotations"}
    assert package.__version__.count(".") == 2
