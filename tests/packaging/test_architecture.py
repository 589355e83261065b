"""The architecture page names files that exist, and all the folders that there are."""

from __future__ import annotations

import re

from tests.paths import PROJECT

PAGE = (PROJECT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PACKAGE = PROJECT / "airflow_provider_retreaver"


def test_named_files_exist():
    """Every path on the page is a file or folder of the project or of the package."""
    paths = set(re.findall(r"`([\w./-]+(?:\.py|\.sh|\.md|/))`", PAGE))
    named = [path for path in paths if "/" in path.rstrip("/")]
    assert len(named) > 20
    assert [path for path in named if not (PROJECT / path).exists() and not (PACKAGE / path).exists()] == []


def test_named_modules_exist():
    """A file that is named without its folder is somewhere in the package."""
    names = set(re.findall(r"`(\w+\.py)`", PAGE))
    there = {path.name for path in (*PACKAGE.rglob("*.py"), *(PROJECT / "tests").rglob("*.py"))}
    assert sorted(names - there) == []


def test_every_layer_is_described():
    """Each folder of the package, and each group of the domain, has a row."""
    for folder in (PACKAGE, PACKAGE / "domain"):
        for path in folder.iterdir():
            if path.is_dir() and path.name != "__pycache__":
                assert f"| `{path.name}/` |" in PAGE
