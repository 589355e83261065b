"""The layers: who may import whom, and what importing an operator costs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from tests.packaging.source import NAME, imports, modules

OUTSIDE_IO = {"aiohttp", "requests", "urllib3", "socket", "http", "sqlite3", "asyncio"}
HEAVY = {
    "aiohttp", "requests", "urllib3", "phonenumbers", "pyarrow", "pandas", "starlette", "uvicorn", "sqlite3",
    "openlineage",
}  # fmt: skip

# What each layer may use of the package at run time, besides itself.
MAY_USE = {
    "core": set(),
    "resources": {"core"},
    "domain": {"core", "resources"},
    "transport": {"core"},
    "sandbox": set(),
    "hooks": {"core", "resources", "domain", "transport", "provider_info"},
    "storage": {"core", "resources", "domain"},
    "account": {"core", "resources", "domain", "hooks", "transport", "storage"},
    "webhooks": {"core", "domain", "hooks", "storage"},
    "plugins": set(),
    "page": {"core", "resources", "domain", "transport", "hooks", "operators"},
    "operators": {
        *("core", "resources", "domain", "hooks", "storage", "account", "assets", "links", "triggers", "webhooks"),
    },
    "triggers": {"core", "resources", "domain", "transport", "hooks", "webhooks", "account"},
    "sensors": {"core", "domain", "storage", "operators", "hooks", "links", "triggers"},
    "transfers": {"core", "resources", "domain", "transport", "hooks", "storage", "operators", "links", "triggers"},
}

# What a DAG file imports begins with the refusal of an Airflow that is not supported.
for _glue in ("hooks", "operators", "sensors", "triggers", "transfers"):
    MAY_USE[_glue].add("supported_airflow")

# The same for the groups inside `domain/`; its modules without a group may be used by all of them.
DOMAIN_MAY_USE = {
    "objects": set(),
    "changes": {"objects"},
    "routing": {"objects", "changes"},
    "resources": {"objects", "changes", "routing"},
    "lists": {"objects"},
    "calls": {"objects", "lists", "resources"},
    "watching": {"objects", "routing", "calls"},
    "bidding": {"objects", "resources"},
    "trackdrive": {"objects", "changes", "resources"},
    "data_writing": {"lists", "objects"},
    "payout_tables": {"objects", "lists", "changes"},
}


def layer_of(name: str) -> str:
    """Return the layer of a dotted name inside the package."""
    return name.split(".")[1] if name.startswith(f"{NAME}.") else ""


@pytest.mark.parametrize("layer", MAY_USE)
def test_a_layer_uses_only_what_lies_below(layer):
    """No module imports a layer that it may not know."""
    for module, tree in modules(layer).items():
        used = {layer_of(name) for name in imports(tree, at_run_time_only=True)} - {"", layer}
        assert used <= MAY_USE[layer], f"{module} imports {sorted(used - MAY_USE[layer])}"


def test_every_layer_has_its_rule():
    """A new folder of the package must be given its place."""
    folders = {layer_of(name) for name, tree in modules().items() if name.count(".") > 1}
    assert folders - {""} <= set(MAY_USE)


@pytest.mark.parametrize("group", DOMAIN_MAY_USE)
def test_a_group_of_the_domain_uses_only_what_lies_below(group):
    """The groups of `domain/` import each other in one direction."""
    ungrouped = {name.split(".")[2] for name in modules("domain") if name.count(".") == 2} - set(DOMAIN_MAY_USE)
    for module, tree in modules(f"domain/{group}").items():
        names = {
            name.split(".")[2] for name in imports(tree, at_run_time_only=True) if name.startswith(f"{NAME}.domain.")
        }
        assert names <= DOMAIN_MAY_USE[group] | ungrouped | {group}, module


def test_every_group_of_the_domain_has_its_rule():
    """A new folder of `domain/` must be given its place."""
    assert {name.split(".")[2] for name in modules("domain") if name.count(".") > 2} == set(DOMAIN_MAY_USE)


def test_no_module_imports_itself():
    """No circle of imports, not even through functions that import later."""
    graph = {
        module: {name for name in imports(tree, at_run_time_only=True) if name in modules_of_package} - {module}
        for modules_of_package in [modules()]
        for module, tree in modules_of_package.items()
    }
    while leaves := {module for module, used in graph.items() if not used & set(graph)}:
        graph = {module: used for module, used in graph.items() if module not in leaves}
    circle = {module: sorted(used & set(graph)) for module, used in graph.items()}
    assert not circle


@pytest.mark.parametrize("layer", ["core", "resources", "domain", "transport", "sandbox"])
def test_what_lies_below_knows_no_airflow(layer):
    """Airflow is imported by the glue only."""
    for module, tree in modules(layer).items():
        assert not {name for name in imports(tree) if name.split(".")[0] == "airflow"}, module


@pytest.mark.parametrize("layer", ["core", "resources", "domain"])
def test_logic_does_no_io(layer):
    """The logic neither opens sockets nor knows a client library."""
    for module, tree in modules(layer).items():
        assert not {name.split(".")[0] for name in imports(tree)} & OUTSIDE_IO, module


def test_airflow_is_imported_in_one_way():
    """Airflow comes through the compatibility layer, so that both lines work."""
    ways = ("common.compat", "common.sql", "openlineage.extractors")
    allowed = (*(f"airflow.providers.{way}" for way in ways), "airflow.triggers.base")
    # What the api-server of Airflow 3 has for plugins, and its database, are in no compatibility layer.
    of_the_page = ("airflow.api_fastapi", "airflow.models", "airflow.utils.session")
    served = {f"{NAME}.page.{name}" for name in ("app", "database", "rights")}
    for module, tree in modules().items():
        for name in imports(tree):
            if name.split(".")[0] == "airflow":
                if module == f"{NAME}.supported_airflow":
                    # The compatibility layer of an old Airflow could not be imported itself.
                    assert name in {"airflow", "airflow.__version__"}
                    continue
                ways_of_module = (*allowed, *of_the_page) if module in served else allowed
                assert name.startswith(ways_of_module), f"{module} imports {name}"


def test_no_import_is_tried():
    """Versions are not detected by catching ImportError."""
    for module, tree in modules().items():
        caught = {
            name.id
            for handler in ast.walk(tree)
            if isinstance(handler, ast.ExceptHandler) and handler.type is not None
            for name in ast.walk(handler.type)
            if isinstance(name, ast.Name)
        }
        assert not caught & {"ImportError", "ModuleNotFoundError"}, module


@pytest.mark.airflow
@pytest.mark.parametrize("layer", ["operators", "hooks", "sensors", "transfers", "triggers"])
def test_importing_the_glue_loads_nothing_heavy(layer):
    """A DAG file that imports our classes loads no client library, no server, no database, nothing but names."""
    names = sorted(modules(layer))
    program = f"""
import json, sys
from importlib import import_module
import airflow.providers.common.compat.sdk as sdk
sdk.BaseOperator, sdk.BaseHook, sdk.AirflowFailException, sdk.AirflowSkipException
before = set(sys.modules)
for name in {names!r}:
    import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.strip().splitlines()[-1])
    assert set(names) <= {*loaded, f"{NAME}"}
    assert not {name.split(".")[0] for name in loaded} & HEAVY
    assert not {name for name in loaded if name.startswith(f"{NAME}.sandbox")}


def test_nothing_heavy_is_imported_at_the_top_of_the_glue():
    """Even what Airflow has loaded already is not imported at the top: another Airflow may not have."""
    for layer in ("operators", "hooks", "sensors", "transfers", "triggers"):
        for module, tree in modules(layer).items():
            assert not {name.split(".")[0] for name in imports(tree, at_import_only=True)} & HEAVY, module
