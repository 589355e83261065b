"""What `make test-matrix` installs and tests: pins with hashes, and every combination that the package names."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.paths import PROJECT

sys.path.insert(0, str(PROJECT / "scripts"))

import matrix
import matrix_pins

FILES = sorted((PROJECT / "constraints" / "matrix").glob("*.txt"))
PACKAGE = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def entries(path):
    """Return the requirements of a file, each with its hashes."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [
        (Requirement(line.partition("--hash")[0]), re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
        for line in lines
    ]


def test_there_is_a_file_for_each_line():
    """Each supported line of Airflow has its pins, and together they have every Python of the classifiers."""
    assert {path.stem for path in FILES} == {f"airflow-{line}" for line in matrix_pins.LINES}
    pythons = {minor for minors in matrix_pins.LINES.values() for minor in minors}
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in pythons} <= set(PACKAGE["classifiers"])
    assert len(pythons) == sum(bool(re.search(r"Python :: 3\.\d+$", line)) for line in PACKAGE["classifiers"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_distribution_is_pinned_with_hashes(path):
    """Each has one version, a hash for each of its files, and is one that the package accepts."""
    found = entries(path)
    bounds = {canonicalize_name(one.name): one.specifier for one in map(Requirement, PACKAGE["dependencies"])}
    names = {one.name for one, _ in found}
    assert len(found) > 140
    assert bounds.keys() <= names
    for one, hashes in found:
        (pin,) = one.specifier
        assert pin.operator == "=="
        assert hashes, one.name
        assert pin.version in bounds.get(one.name, one.specifier), one.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pins_are_those_of_the_other_tests(path):
    """Where `constraints/` has a list for the line, it has the same versions."""
    other = PROJECT / "constraints" / path.name
    if not other.exists():
        assert path.stem == "airflow-3.2", "a line without a list of its own"
        return
    lines = [line for line in other.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    pins = {}
    for one in map(Requirement, lines):
        pins.setdefault(canonicalize_name(one.name), set()).add(str(one.specifier))
    wrong = [
        str(one) for one, _ in entries(path) if str(one.specifier) not in pins.get(one.name, {str(one.specifier)})
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("some-1.0-py3-none-any.whl", True),
        ("some-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("some-1.0-cp39-abi3-macosx_11_0_arm64.whl", True),
        ("some-1.0-cp310-cp310-manylinux_2_17_x86_64.whl", False),
        ("some-1.0-cp314-cp314-manylinux_2_17_x86_64.whl", False),
        ("some-1.0-cp313-cp313t-manylinux_2_17_x86_64.whl", False),
        ("some-1.0-cp312-cp312-win_amd64.whl", False),
        ("some-1.0-cp312-cp312-musllinux_1_2_x86_64.whl", False),
    ],
)
def test_which_wheels_fit(name, taken):
    """A wheel counts where it fits a Python of the line, on Linux or macOS."""
    assert matrix_pins.fits(name, (11, 12, 13)) is taken


def test_the_source_counts_where_no_wheel_fits_everywhere():
    """A distribution with wheels for some machines has its source's hash, too."""
    files = {"wheels": [{"url": "x/a-1-cp312-cp312-macosx_11_0_arm64.whl", "hashes": {"sha256": "w"}}]}
    source = {"sdist": {"hashes": {"sha256": "s"}}}
    assert list(matrix_pins.hashes_of({**files, **source}, (12,))) == ["w", "s"]
    pure = {"wheels": [{"url": "x/a-1-py3-none-any.whl", "hashes": {"sha256": "p"}}]}
    assert list(matrix_pins.hashes_of({**pure, **source}, (12,))) == ["p"]


def test_the_table_says_what_was_not_run():
    """A combination whose installation failed has passed nothing."""
    results = {
        "3.2-3.12": {"install": (True, 60.4), "check": (True, 2.1), "classes": (False, 3.0)},
        "3.2-3.13": {"install": (False, 1.0)},
    }
    assert matrix.table(results).splitlines()[2:] == [
        "| 3.2-3.12 | 60 s | 2 s | failed | not run | not run |",
        "| 3.2-3.13 | failed | not run | not run | not run | not run |",
    ]  # fmt: skip


def test_an_unknown_combination_is_one_line():
    """The error names the combination and those that there are."""
    done = subprocess.run(
        [sys.executable, "scripts/matrix.py", "3.0-3.11"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no such combination: 3.0-3.11; there are 2.11-3.11, 2.11-3.12, 3.1-3.11")


def test_what_is_run_exists():
    """Every file and test that a step names is there, and every example DAG is run by one of them."""
    paths = [word for words in matrix.STEPS.values() for word in words if word.startswith("tests/")]
    text = "".join((PROJECT / path.partition("::")[0]).read_text(encoding="utf-8") for path in paths)
    for path in paths:
        assert path.partition("::")[2] in text
    examples = [path.stem for path in (PROJECT / "example_dags").glob("*.py")]
    assert len(examples) >= 15
    # Some tests add the prefix of the names themselves.
    assert [name for name in examples if name not in text and name.removeprefix("retreaver_") not in text] == []
