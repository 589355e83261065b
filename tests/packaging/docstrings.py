"""What a docstring of the package has to say, judged by the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from tests.packaging.source import modules

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Methods that Airflow calls: its own documentation says what they take and return.
AIRFLOW = {
    "cleanup", "execute", "execute_complete", "get_conn", "get_connection_form_widgets",
    "get_openlineage_facets_on_complete", "get_ui_field_behaviour", "on_kill", "poke", "run", "serialize",
}  # fmt: skip
PROPERTIES = {"property", "cached_property", "functools.cached_property"}
NOTHING = ("None", "NoReturn", "Never", "Procedure[None]", "Generator[None", "Iterator[None")


class Docstrings:
    """Checks the docstrings of modules.

    :param trees: parsed modules by dotted name, also those that base classes are looked up in.
    """

    def __init__(self, trees: dict[str, ast.Module]) -> None:
        self._trees = trees
        self._classes: dict[str, list[ast.ClassDef]] = {}
        for tree in trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    self._classes.setdefault(node.name, []).append(node)

    def missing(self, module: str) -> list[str]:
        """Return what the docstrings of a module lack, a line for each function or class."""
        found: list[str] = []
        for node in self._trees[module].body:
            if isinstance(node, Function) and _is_public(node):
                found += self._of_function(node)
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found += self._of_class(node)
        return found

    def _of_class(self, node: ast.ClassDef) -> Iterator[str]:
        yield from _line(node.name, ast.get_docstring(node), _fields(node))
        for method in node.body:
            if isinstance(method, Function) and _is_public(method) and not self._inherits(node, method.name):
                yield from self._of_function(method, f"{node.name}.")

    def _of_function(self, node: Function, prefix: str = "") -> Iterator[str]:
        needed = [f":param {name}:" for name in _parameters(node)]
        if _returns(node):
            needed.append(
                ":yield:" if {"contextmanager", "contextlib.contextmanager"} & _decorators(node) else ":return:"
            )
        needed += [f":raises {name}:" for name in dict.fromkeys(_raised(node.body))]
        yield from _line(f"{prefix}{node.name}", ast.get_docstring(node), needed)

    def _inherits(self, node: ast.ClassDef, method: str) -> bool:
        """Return whether a base class documents a method, or Airflow does."""
        if method in AIRFLOW:
            return True
        bases = [base for name in _bases(node) for base in self._classes.get(name, ()) if base is not node]
        return any(
            any(isinstance(one, Function) and one.name == method for one in base.body) or self._inherits(base, method)
            for base in bases
        )


def package() -> Docstrings:
    """Return the check of the whole package."""
    return Docstrings(modules())


def _line(name: str, text: str | None, needed: Iterable[str]) -> Iterator[str]:
    lacking = ["a docstring"] if text is None else [field for field in needed if field not in text]
    if lacking:
        yield f"{name}: {', '.join(lacking)}"


def _is_public(node: Function) -> bool:
    overload = {"overload", "typing.overload"} & _decorators(node)
    return not (node.name.startswith("_") or overload or any(one.endswith(".setter") for one in _decorators(node)))


def _decorators(node: Function | ast.ClassDef) -> set[str]:
    return {ast.unparse(one).split("(")[0] for one in node.decorator_list}


def _bases(node: ast.ClassDef) -> Iterator[str]:
    for base in node.bases:
        plain = base.value if isinstance(base, ast.Subscript) else base
        yield plain.attr if isinstance(plain, ast.Attribute) else getattr(plain, "id", "")


def _parameters(node: Function) -> list[str]:
    arguments = node.args
    named = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    more = [arguments.vararg.arg] if arguments.vararg else []
    return [name for name in (*named, *more) if name not in {"self", "cls"} and not name.startswith("_")]


def _fields(node: ast.ClassDef) -> list[str]:
    """Return the fields that a class docstring needs: parameters of `__init__`, or fields of a dataclass."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return [f":param {name}:" for name in _parameters(part)]
    if not any("dataclass" in one for one in _decorators(node)):
        return []
    return [
        f":param {part.target.id}:"
        for part in node.body
        if isinstance(part, ast.AnnAssign)
        and isinstance(part.target, ast.Name)
        and not part.target.id.startswith("_")
        and "ClassVar" not in ast.unparse(part.annotation)
    ]


def _returns(node: Function) -> bool:
    if node.returns is None or PROPERTIES & _decorators(node):
        return False
    return not ast.unparse(node.returns).startswith(NOTHING)


def _raised(body: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the classes of errors that a function raises by name, not those of functions inside it."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func).rpartition(".")[2]
            if name[:1].isupper():
                yield name
        yield from _raised(ast.iter_child_nodes(node))
