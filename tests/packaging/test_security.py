"""The table of threats in SECURITY.md: every test that it names exists."""

from __future__ import annotations

import ast
import re

import pytest

from tests.paths import PROJECT

TEXT = (PROJECT / "SECURITY.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| threat ")
]


def functions_of(place: str) -> set[str]:
    """Return the test functions of a file, as the table names it."""
    folder, _, name = place.rpartition("/")
    path = PROJECT / "tests" / folder / (name if name.endswith(".py") else f"test_{name}.py")
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_promise_is_held_by_a_test(row):
    """Each row has a threat, a promise, and tests that exist."""
    assert len(row) == 3
    assert all(row)
    named = re.findall(r"`([^`:]+)::(\w+)`", row[2])
    assert named
    assert re.sub(r"`[^`]+`|[,\s]", "", row[2]) == "", "only names of tests"
    for place, name in named:
        assert f"test_{name}" in functions_of(place), f"{place}::{name}"


def test_the_table_is_found():
    """The test above has rows to look at."""
    assert len(ROWS) > 20
