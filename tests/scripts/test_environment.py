"""The script that sets up an environment, and the constraints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from packaging.requirements import Requirement


def test_no_suitable_python_is_one_line(project, tmp_path):
    """Without a suitable Python nothing is created, and one line names what is required."""
    venv = tmp_path / "venv"
    command = [
        str(project / "scripts" / "environment.sh"),
        str(venv),
        "constraints/airflow-3.3.txt",
        "no-such-python false",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=project)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: no suitable Python among: no-such-python false. Required is 3.11 to 3.14")
    assert not venv.exists()


@pytest.mark.parametrize(
    ("requirements", "retries"), [({"REQUIREMENTS": "build"}, "1"), ({"REQUIREMENTS": "pip", "ALONE": "build"}, "0")]
)
def test_no_network_is_one_line(project, tmp_path, requirements, retries):
    """Where no package index can be reached, one line says so, and the environment is not taken for complete."""
    venv = tmp_path / "a venv"
    (tmp_path / "some.txt").write_text("build==1.2\n", encoding="utf-8")
    command = [str(project / "scripts" / "environment.sh"), str(venv), str(tmp_path / "some.txt"), sys.executable]
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
        **requirements,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": retries,
        "PIP_CACHE_DIR": str(tmp_path / "cache"),
    }
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=project, env=env)
    assert result.returncode == 1
    _, line = result.stderr.splitlines()
    assert line == (
        f"error: no package index answered, so {venv} is not complete; connect this machine to the network, or set "
        f"PIP_INDEX_URL to an index that it reaches. The whole log is {venv}/install.log"
    )
    assert not (venv / ".ready").exists()


def test_every_environment_is_set_up_by_the_script(project):
    """No environment of the Makefile is made otherwise, so that each says in one sentence what is missing."""
    text = (project / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    names = re.findall(r"^(VENV\w*) :=", text, re.MULTILINE)
    assert len(names) >= 9
    assert "pip install" not in text
    assert "-m venv" not in text
    for name in names:
        assert re.search(rf"scripts/environment\.sh \$\({name}\) ", text), name


def test_what_is_installed_is_said_in_words_that_pip_reads(project):
    """Each requirement of the Makefile is one of pip's, also where the recipe has several lines."""
    targets = [f".venv-{name}/.ready" for name in ("bench", "storage", "mysql", "ui", "docs")]
    done = subprocess.run(["make", "-n", "-B", *targets], capture_output=True, text=True, check=True, cwd=project)  # noqa: S607
    words = [word for word in shlex.split(done.stdout) if word.startswith(("REQUIREMENTS=", "ALONE="))]
    assert len(words) == len(targets) + 1
    for word in words:
        requirements = iter(word.partition("=")[2].split())
        for one in requirements:
            if one in {"-e", "-r"}:
                assert (project / next(requirements).partition("[")[0]).exists()
            else:
                assert Requirement(one).name


def test_constraints_pin_every_line_once(project):
    """Every line of the constraints has one package with one version, without host, path or hash."""
    for path in sorted((project / "constraints").glob("*.txt")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        names = []
        for line in lines:
            requirement, _, marker = line.partition(" ; ")
            name, _, version = requirement.partition("==")
            assert name, line
            assert version, line
            assert not set("/@:\\ ") & set(requirement), line
            assert marker == "" or marker.startswith("python_version"), line
            names.append(name.lower())
        assert len(names) > {"docs": 30, "fuzz": 0, "ui": 15, "warehouses": 30}.get(path.stem, 100)
        assert names == sorted(set(names), key=lambda name: name.replace("_", "-").replace(".", "-"))
