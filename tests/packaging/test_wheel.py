"""What is published: the wheel and the source distribution hold what they should and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

PACKAGE = "airflow_provider_retreaver"


@pytest.fixture(scope="module")
def built(tmp_path_factory, project):
    """Build both distributions once, with the project's own build backend."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    """Open the wheel."""
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_wheel_holds_the_whole_package_and_only_it(wheel, project):
    """Every module and the type marker are in the wheel; tests, examples and scripts are not."""
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    there = {
        path.relative_to(project).as_posix()
        for path in (project / PACKAGE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == there
    assert f"{PACKAGE}/py.typed" in names


def test_wheel_says_what_it_is(wheel):
    """Name, license, Python versions, extras and requirements are in the metadata; no tool is a requirement."""
    (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    metadata = message_from_string(wheel.read(name).decode())
    assert metadata["Name"] == "airflow-provider-retreaver"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == "<3.15,>=3.11"
    assert "sandbox" in metadata.get_all("Provides-Extra")
    needed = {line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line}
    names = {line.split(">")[0].split("!")[0].split("<")[0].strip() for line in needed}
    assert names == {
        "aiohttp",
        "apache-airflow",
        "apache-airflow-providers-common-compat",
        "apache-airflow-providers-common-sql",
        "asgiref",
        "msgspec",
        "pendulum",
        "phonenumbers",
        "pyyaml",
        "requests",
        "tenacity",
        "tzdata",
        "urllib3",
    }


def test_readme_of_the_index_page_has_no_relative_link(wheel, project):
    """The README's links lead to the documentation site, whose address Airflow shows on its page of providers."""
    (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    metadata = message_from_string(wheel.read(name).decode())
    urls = dict(entry.split(", ", 1) for entry in metadata.get_all("Project-URL"))
    links = re.findall(r"\]\(([^)]+)\)", metadata.get_payload())
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert f"{urls['Documentation']}routing.html" in links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert urls["Changelog"] == f"{urls['Documentation']}changelog.html"


def test_changelog_and_upgrade_notes_are_those_of_the_version(wheel, project):
    """The newest section of the changelog is the package's version with its date, and upgrading says what to do."""
    (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    version = message_from_string(wheel.read(name).decode())["Version"]
    sections = re.findall(r"^## (.*)$", (project / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", section) for section in sections)
    assert sections[0].split(" ")[0] == version
    minor = version.rpartition(".")[0]
    assert f" to {minor}\n" in (project / "docs" / "upgrading.md").read_text(encoding="utf-8")


def test_wheel_registers_provider_and_command(wheel):
    """Airflow's entry point and the console command are in the wheel, and the license beside them."""
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    text = wheel.read(name).decode()
    assert "[apache_airflow_provider]\nprovider_info = " in text
    assert "[console_scripts]\nretreaver-account = " in text
    assert "\nretreaver-sandbox = " in text
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_source_distribution_can_be_tested_and_built(built):
    """The source distribution holds package, tests, constraints, scripts and documents, and nothing made here."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {Path(*Path(name).parts[1:]).as_posix() for name in archive.getnames()}
    wanted = {
        "README.md",
        "LICENSE",
        "Makefile",
        "pyproject.toml",
        "CHANGELOG.md",
        "constraints/airflow-3.3.txt",
        "constraints/airflow-2.11.txt",
        "docs/assumptions.md",
        "docs/assets/logo.svg",
        "mkdocs.yml",
        ".readthedocs.yaml",
        "compose.yaml",
        "hatch_build.py",
        "scripts/site_paths.py",
        "example_dags/retreaver_nightly_cap_reset.py",
        "scripts/demo.py",
        "tests/conftest.py",
        ".ci/run",
        f"{PACKAGE}/py.typed",
    }
    assert wanted <= names
    made = ("__pycache__", ".pyc", ".venv", ".demo", ".ui", ".coverage", "airflow.db")
    assert not [name for name in names if any(part in name for part in made)]
