"""An Airflow that the package's requirements leave out is refused at import, in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from airflow_provider_retreaver.supported_airflow import RANGES, refuse_unsupported
from tests.packaging.source import NAME, modules
from tests.paths import PROJECT

LAYERS = ("hooks", "operators", "sensors", "triggers", "transfers")


def test_ranges_are_those_of_the_requirement():
    """The ranges of the module and the requirement in pyproject.toml take the same releases."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (bound,) = [
        requirement.specifier
        for requirement in map(Requirement, project["dependencies"])
        if requirement.name == "apache-airflow"
    ]
    releases = [f"{major}.{minor}.{patch}" for major in range(1, 6) for minor in range(14) for patch in range(12)]
    taken = [one for one in releases if any(Version(a) <= Version(one) < Version(b) for a, b in RANGES)]
    assert taken == [one for one in releases if one in bound]
    assert {"2.11.1", "3.1.6", "3.3.0"} <= set(taken)


@pytest.mark.parametrize("version", ["2.10.5", "2.11.0", "3.0.0rc1", "3.0.6", "3.1.5", "3.1.5+astro.2", "4.0.0.dev0"])
def test_unsupported_versions_are_refused(version):
    """One sentence names the version that was found and those that are supported."""
    with pytest.raises(RuntimeError) as refused:
        refuse_unsupported(version)
    text = str(refused.value)
    assert text.startswith(f"This is Airflow {version}, which airflow-provider-retreaver ")
    assert "install apache-airflow from 2.11.1 on and before 3 or from 3.1.6 on and before 4, or a release" in text
    assert "\n" not in text
    assert text.count(". ") == 0


@pytest.mark.parametrize(
    "version", ["2.11.1", "2.11.2+astro.1", "3.1.6rc1", "3.1.8+astro.1", "3.2.0b2", "3.3.0", "3.9.1"]
)
def test_supported_versions_are_taken(version):
    """Releases, candidates of them and builds of a distributor are taken."""
    refuse_unsupported(version)


def import_all(folder: Path, names: list[str]) -> dict[str, str]:
    """Import modules where `folder` has what stands for Airflow, and return what each ended with."""
    program = f"""
import json, sys
from importlib import import_module
sys.path.insert(0, {str(folder)!r})
ends = {{}}
for name in {names!r}:
    try:
        import_module(name)
    except Exception as error:
        ends[name] = f"{{type(error).__name__}}: {{error}}"
    else:
        ends[name] = "imported"
print(json.dumps(ends))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT)
    return json.loads(done.stdout)


@pytest.fixture
def airflow_of(tmp_path):
    """Return a function that makes a package `airflow` that has a version and nothing else."""

    def make(source: str) -> Path:
        (tmp_path / "airflow").mkdir()
        (tmp_path / "airflow" / "__init__.py").write_text(source, encoding="utf-8")
        return tmp_path

    return make


def test_every_module_of_the_glue_is_refused(airflow_of):
    """Whatever a DAG file imports, the sentence comes before any error about Airflow's own names."""
    names = [name for layer in LAYERS for name in modules(layer)]
    ends = import_all(airflow_of('__version__ = "3.0.6"\n'), names)
    assert len(ends) == len(names) > 60
    wrong = {
        name: end for name, end in ends.items() if not end.startswith("RuntimeError: This is Airflow 3.0.6, which")
    }
    assert wrong == {}


def test_the_hooks_of_the_package_are_refused(airflow_of):
    """The short import of a hook is refused in the same way."""
    folder = airflow_of('__version__ = "2.10.5"\n')
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); from {NAME} import RetreaverHook"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("RuntimeError: This is Airflow 2.10.5, which")


def test_what_needs_no_airflow_is_imported_on_any(airflow_of):
    """Logic, clients, sandbox and the provider's metadata are imported on an unsupported Airflow as without one."""
    names = [name for layer in ("core", "resources", "domain", "transport", "sandbox") for name in modules(layer)]
    names = [name for name in names if not name.endswith("__main__")] + [f"{NAME}.provider_info"]
    for source in ('__version__ = "3.0.6"\n', "raise ModuleNotFoundError(\"No module named 'airflow'\")\n"):
        folder = airflow_of(source)
        assert {name: end for name, end in import_all(folder, names).items() if end != "imported"} == {}
        (folder / "airflow" / "__init__.py").unlink()
        (folder / "airflow").rmdir()
