"""The lower bounds of dependencies, and the lists of tested versions that must be within them."""

from __future__ import annotations

import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIRED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["sandbox"]]
BOUNDS = {requirement.name: requirement.specifier for requirement in map(Requirement, REQUIRED)}


@pytest.mark.parametrize(
    ("name", "refused", "taken"),
    [
        ("aiohttp", "3.14.3", "3.14.4"),
        ("requests", "2.32.5", "2.33.0"),
        ("urllib3", "2.6.3", "2.7.0"),
        ("h11", "0.14.0", "0.16.0"),
        ("apache-airflow", "2.11.0", "2.11.1"),
        ("apache-airflow", "3.1.5", "3.1.6"),
        ("apache-airflow", "3.0.6", "3.3.0"),
    ],
)
def test_releases_with_advisories_are_refused(name, refused, taken):
    """The last release with an advisory on what the package uses it for is out of bounds, the next one is within."""
    assert refused not in BOUNDS[name]
    assert taken in BOUNDS[name]


# Without the package: the tools that build its documentation, and what is installed beside its own pins.
WITHOUT = {"docs", "fuzz", "ui", "warehouses"}
INSTALLED = sorted(file for file in (ROOT / "constraints").glob("*.txt") if file.stem not in WITHOUT)


@pytest.mark.parametrize("file", INSTALLED, ids=lambda file: file.stem)
def test_tested_versions_are_within_the_bounds(file):
    """No list of versions pins a release that the package refuses, and every requirement is in every list."""
    lines = [line for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    pins = {}
    for requirement in map(Requirement, lines):
        (pin,) = requirement.specifier
        pins.setdefault(canonicalize_name(requirement.name), set()).add(pin.version)
    assert pins.keys() >= {canonicalize_name(name) for name in BOUNDS}
    wrong = {
        name: version
        for name, bound in BOUNDS.items()
        for version in pins[canonicalize_name(name)]
        if version not in bound
    }
    assert wrong == {}


def test_each_lower_bound_is_tested():
    """`make test-lowest` installs every requirement at the bound that is promised, the tools and extras too."""
    lines = [line for line in (ROOT / "constraints" / "lowest.txt").read_text().splitlines() if line[0] != "#"]
    pins = {canonicalize_name(one.name): str(one.specifier) for one in map(Requirement, lines)}
    bounds = {}
    for requirement in map(Requirement, chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())):
        name = canonicalize_name(requirement.name)
        if name != PROJECT["name"]:
            (bound,) = [one.version for one in requirement.specifier if one.operator == ">="]
            bounds.setdefault(name, set()).add(bound)
    assert len(bounds) > 25
    assert {name: {Version(bound) for bound in several} for name, several in bounds.items()} == {
        name: {Version(pins[name].removeprefix("=="))} for name in bounds
    }
