"""The script that sets up an environment, and the constraints."""

from __future__ import annotations

import subprocess


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
    assert line.startswith("error: no suitable Python among: no-such-python false. Required is 3.11 to 3.13")
    assert not venv.exists()


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
        assert len(names) > (30 if path.stem == "docs" else 100)
        assert names == sorted(set(names), key=lambda name: name.replace("_", "-").replace(".", "-"))
