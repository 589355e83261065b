"""Habits that every operator keeps."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from tests.packaging.source import modules

OPERATORS = [
    pytest.param(node, id=node.name)
    for folder in ("operators", "sensors", "transfers")
    for tree in modules(folder).values()
    for node in ast.walk(tree)
    if isinstance(node, ast.ClassDef)
    and any(isinstance(part, ast.FunctionDef) and part.name == "__init__" for part in node.body)
    and any(isinstance(base, ast.Name) and base.id.endswith(("Operator", "Sensor")) for base in node.bases)
]


def stored_names(statement: ast.stmt) -> set[str]:
    """Return the parameters that a statement of `__init__` stores as they came.

    Allowed are `self.name = parameter`, `setattr(self, NAME, parameter)`, and the two functions that tell a parameter
    that was not given from one that is None.
    """
    match statement:
        case ast.Assign([ast.Attribute(ast.Name("self"))], ast.Name(name)):
            return {name}
        case ast.Assign([ast.Attribute(ast.Name("self"))], ast.Call(ast.Name("given_value"), [ast.Name(name)])):
            return {name}
        case ast.Expr(ast.Call(ast.Name("setattr"), [ast.Name("self"), ast.Name(), ast.Name(name)])):
            return {name}
        case ast.Assign([ast.Attribute(ast.Name("self"))], ast.Call(ast.Name("given_names"), [], keywords)):
            assert all(keyword.arg == getattr(keyword.value, "id", None) for keyword in keywords)
            return set()
    raise AssertionError(ast.unparse(statement))


def constructor(node: ast.ClassDef) -> ast.FunctionDef:
    """Return the class's `__init__`."""
    return next(part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__")


def test_operators_are_found():
    """The tests below have something to look at."""
    assert {"RetreaverOperator", "RetreaverWriteOperator", "RetreaverResetCapOperator"} <= {
        parameter.id for parameter in OPERATORS
    }


@pytest.mark.parametrize("node", OPERATORS)
def test_init_only_assigns(node):
    """`__init__` calls its parent and stores parameters as they came: templates are not rendered yet."""
    function = constructor(node)
    parameters = {argument.arg for argument in function.args.kwonlyargs}
    first, *rest = function.body
    assert isinstance(first, ast.Expr)
    assert ast.unparse(first).startswith("super().__init__(")
    assert set().union(*map(stored_names, rest)) <= parameters


@pytest.mark.parametrize("node", OPERATORS)
def test_every_parameter_is_used(node):
    """Each parameter is stored, or passed to the parent class under its own name."""
    function = constructor(node)
    stored = set().union(*map(stored_names, function.body[1:]))
    passed = {
        keyword.arg
        for keyword in function.body[0].value.keywords
        if keyword.arg == getattr(keyword.value, "id", None)
    }
    assert not stored & passed
    assert stored | passed == {argument.arg for argument in function.args.kwonlyargs}


@pytest.mark.parametrize("node", OPERATORS)
def test_parameters_are_keyword_only(node):
    """Parameters are given by name."""
    function = constructor(node)
    assert [argument.arg for argument in function.args.args] == ["self"]
    assert function.args.vararg is None


BASES = """
import inspect, json
from airflow.providers.common.compat.sdk import BaseOperator
from importlib import import_module
from pkgutil import walk_packages
import airflow_provider_retreaver as package

for folder in ("operators", "transfers", "sensors"):
    for found in walk_packages([f"{package.__path__[0]}/{folder}"], f"{package.__name__}.{folder}."):
        import_module(found.name)

def below(kind):
    for one in kind.__subclasses__():
        yield one
        yield from below(one)

ours = {one for one in below(BaseOperator) if one.__module__.startswith(package.__name__)}
foreign = [
    one.__qualname__ for one in ours
    if inspect.unwrap(one.__init__).__module__.partition(".")[0] != package.__name__
]
print("FOREIGN " + json.dumps([len(ours), sorted(foreign)]))
"""


@pytest.mark.airflow
def test_no_class_has_the_init_of_airflow():
    """Airflow wraps each class's `__init__`; its own, with its defaults, would overrule what mapped tasks get."""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", BASES], capture_output=True, text=True, check=True)
    line = next(line for line in run.stdout.splitlines() if line.startswith("FOREIGN "))
    count, foreign = json.loads(line.removeprefix("FOREIGN "))
    assert count > 20
    assert foreign == []
