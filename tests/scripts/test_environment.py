"""Setting up the environment refuses in one line what cannot work."""

from __future__ import annotations

import subprocess


def test_no_suitable_python_is_one_line(project, tmp_path):
    """Without a suitable Python nothing is made, and one line says what is needed."""
    venv = tmp_path / "venv"
    command = [
        str(project / "scripts" / "environment.sh"),
        str(venv),
        "constraints/airflow-3.3.txt",
        "no-such-python false",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=project)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no suitable Python among: no-such-python false. Needed is 3.11 to 3.13")
    assert not venv.exists()


def test_constraints_pin_every_line_once(project):
    """Every line of the constraints is one distribution at one version, without host, path or hash."""
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
        assert len(names) > 100
        assert names == sorted(set(names), key=lambda name: name.replace("_", "-").replace(".", "-"))
