"""The project speaks of itself alone: no path of a machine, no host of a package registry."""

from __future__ import annotations

import pytest

from tests.paths import PROJECT

FOLDERS = (
    "airflow_provider_retreaver",
    "benchmarks",
    "constraints",
    "docs",
    "example_dags",
    "scripts",
    "tests",
    ".ci",
    ".github",
)
FILES = [
    path
    for path in (*PROJECT.glob("*"), *(path for folder in FOLDERS for path in (PROJECT / folder).rglob("*")))
    if path.is_file()
    and "__pycache__" not in path.parts
    and not path.name.startswith((".coverage", ".git"))
    and path.suffix != ".png"
]
# Joined here, so that this file does not hold them itself.
WORDS = [
    "/" + "work/",
    "../" + "shared",
    "/" + "root/",
    "pypi" + ".org",
    "python" + "hosted",
    "T" + "ODO",
    "F" + "IXME",
]


@pytest.mark.parametrize("word", WORDS)
def test_no_file_holds_the_word(word):
    """No file of the project holds a word that has no place in it."""
    holders = [str(path.relative_to(PROJECT)) for path in FILES if word in path.read_text(encoding="utf-8")]
    assert holders == []


def test_files_are_looked_at():
    """The search covers the package, the tests and the documents."""
    looked_at = {str(path.relative_to(PROJECT)) for path in FILES}
    assert {"README.md", "Makefile", "airflow_provider_retreaver/provider_info.py", "scripts/demo.py"} <= looked_at


@pytest.mark.parametrize("path", sorted((PROJECT / "airflow_provider_retreaver").rglob("*.py")), ids=lambda p: p.stem)
def test_modules_are_short(path):
    """A module that grows beyond a few screens is split."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 330
