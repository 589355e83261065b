"""Reading the package's own source as trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.paths import PROJECT

NAME = "airflow_provider_retreaver"
PACKAGE = PROJECT / NAME


def modules(folder: str = "") -> dict[str, ast.Module]:
    """Return the parsed modules below a folder of the package, by dotted name."""
    found = {}
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        dotted = ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        found[dotted] = parsed(path)
    return found


@cache
def parsed(path: Path) -> ast.Module:
    """Return a module as a tree, parsed once for all tests of a file; `conftest.py` forgets it afterwards."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.AST, *, at_run_time_only: bool = False, at_import_only: bool = False) -> Iterator[str]:
    """Yield the dotted names that a module imports.

    `at_run_time_only` leaves out what only type checkers see, `at_import_only` also what functions import later.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif at_import_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from ()
        elif not ((at_run_time_only or at_import_only) and _for_type_checkers(node)):
            yield from imports(node, at_run_time_only=at_run_time_only, at_import_only=at_import_only)


def _for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
