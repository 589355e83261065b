"""What the package requires is under licenses that it may require, and the page that lists them matches."""

from __future__ import annotations

import tomllib

import pytest
from packaging.requirements import Requirement

from tests.paths import PROJECT


@pytest.fixture
def licenses(script):
    """Give the script."""
    return script("licenses")


def test_page_is_up_to_date_and_every_license_is_allowed(licenses, monkeypatch, capsys):
    """The page equals what the script writes, and no license is refused."""
    monkeypatch.setattr("sys.argv", ["licenses.py", "--check"])
    assert licenses.main() == 0, capsys.readouterr().out


def test_every_requirement_is_listed(licenses):
    """The page has each requirement of the package and of its extras, and what these bring."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {extra: lines for extra, lines in project["optional-dependencies"].items() if extra != "dev"}
    assert set(licenses.EXTRAS) == set(extras)
    lines = [*project["dependencies"], *(line for needed in extras.values() for line in needed)]
    names = {Requirement(line).name for line in lines}
    assert licenses.required().keys() > names - {project["name"]} | {"certifi", "multidict", "yarl"}


def test_only_allowed_licenses_pass(licenses):
    """All of what is demanded together must be allowed, and one of what may be chosen."""
    told = {
        "both": "Apache-2.0 AND MIT",
        "choice": "GPL-2.0-only OR MIT",
        "copyleft": "GPL-3.0-only",
        "mixed": "MIT AND (GPL-3.0-only OR LGPL-2.1-only)",
        "silent": "unknown",
    }
    assert licenses.unknown(told).keys() == {"copyleft", "mixed", "silent"}


def test_check_notices_a_refused_license_and_an_old_page(licenses, tmp_path, monkeypatch, capsys):
    """`--check` changes nothing, and says which license or page is wrong."""
    page = tmp_path / "licenses.md"
    page.write_text("old")
    monkeypatch.setattr(licenses, "DESTINATION", page)
    monkeypatch.setattr("sys.argv", ["licenses.py", "--check"])
    assert licenses.main() == 1
    assert page.read_text() == "old"
    assert "docs/licenses.md is out of date" in capsys.readouterr().out
    monkeypatch.setattr(licenses, "ALLOWED", licenses.ALLOWED - {"MPL-2.0"})
    monkeypatch.setattr("sys.argv", ["licenses.py"])
    assert licenses.main() == 1
    assert capsys.readouterr().out.startswith("error: certifi has the license MPL-2.0, which is not in the list")
