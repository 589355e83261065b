"""The layers inside the sandbox: which of its groups may import which."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest

from tests.packaging.source import NAME, imports, modules

SANDBOX = f"{NAME}.sandbox"

# What each folder or module of the sandbox may use of the others, type annotations included.
SANDBOX_MAY_USE = {
    "options": set(),
    "http": set(),
    "state": set(),
    "log": {"http", "state"},
    "faults": {"http", "options"},
    "api": {"http", "options", "state"},
    "demo": {"api", "http", "state"},
    "webhooks": {"http", "state"},
    "control": {"api", "demo", "faults", "http", "log", "options", "state", "webhooks"},
    "handle": {"api", "control", "demo", "faults", "http", "log", "options", "state", "webhooks"},
    "local_server": {"handle", "http", "options"},
    "__main__": {"handle", "http", "options"},
    "__init__": {"handle", "http", "options"},
}


def group_of(name: str) -> str:
    """Return the sandbox's folder or module that a dotted name belongs to."""
    if name == SANDBOX:
        return "__init__"
    return name.split(".")[2] if name.startswith(f"{SANDBOX}.") else ""


def sandbox_imports(names: set[str], tree: object) -> set[str]:
    """Return which of the sandbox's modules a module imports."""
    return {name for name in imports(tree) if name in names} - {SANDBOX}


@pytest.mark.parametrize("group", SANDBOX_MAY_USE)
def test_a_group_uses_only_the_groups_below(group):
    """No module imports a group that it may not use, not even for type checkers."""
    for module, tree in modules("sandbox").items():
        if group_of(module) != group:
            continue
        used = {group_of(name) for name in imports(tree) if name.startswith(f"{SANDBOX}.")} - {group}
        assert used <= SANDBOX_MAY_USE[group], f"{module} imports {sorted(used - SANDBOX_MAY_USE[group])}"


def test_every_group_is_in_the_table():
    """A new folder or module of the sandbox needs an entry in the table, and the table has no other."""
    assert {group_of(module) for module in modules("sandbox")} == set(SANDBOX_MAY_USE)


def test_the_table_has_no_cycle():
    """The groups can be put in an order in which each uses only those before it."""
    TopologicalSorter(SANDBOX_MAY_USE).prepare()


def test_modules_import_each_other_without_a_cycle():
    """The same holds for the single modules, inside a group as well."""
    trees = modules("sandbox")
    names = set(trees)
    TopologicalSorter({name: sandbox_imports(names, tree) - {name} for name, tree in trees.items()}).prepare()


def test_the_sandbox_imports_nothing_of_the_package():
    """The sandbox reads Retreaver's documents itself."""
    for module, tree in modules("sandbox").items():
        others = {name for name in imports(tree) if name.split(".")[0] == NAME and name != NAME}
        assert all(name == SANDBOX or name.startswith(f"{SANDBOX}.") for name in others), module
