"""Workflows have no permission that they do not name, run fixed versions of actions, and do what `.ci/run` does."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from tests.paths import PROJECT

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (PROJECT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
HASH = re.compile(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
ALLOWED = {"test": {"contents": "read"}, "checks": {"contents": "read"}, "build": {"contents": "read"},
           "publish": {"id-token": "write"}}  # fmt: skip


def loaded(name):
    """Return a workflow."""
    return yaml.safe_load((PROJECT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_permissions_and_actions(path):
    """By default a job may do nothing; actions are pinned by hash, and no expression is written into a script."""
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["permissions"] == ALLOWED[name]
        assert job["timeout-minutes"]
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
    uses = [line.strip() for line in text.splitlines() if "uses:" in line]
    assert uses
    assert [line for line in uses if not HASH.search(line)] == []


def test_every_file_is_held_against_its_schema():
    """`make check-files` names each kind of file that others read, so that none is left unchecked."""
    recipe = (PROJECT / "Makefile").read_text(encoding="utf-8").partition("check-files: ")[2].partition("\n\n")[0]
    kinds = {"github-workflows", "github-issue-config", "github-issue-forms", "compose-spec", "readthedocs"}
    assert {f"vendor.{kind}" for kind in kinds} == set(re.findall(r"vendor\.[a-z-]+", recipe))
    assert all(place in recipe for place in (".github/workflows/*.yml", "compose.yaml", ".readthedocs.yaml"))


def test_each_action_has_one_version():
    """All workflows use an action at the same hash."""
    found = {}
    for path in WORKFLOWS:
        for name, commit in re.findall(r"uses: (\S+)@(\S+)", path.read_text(encoding="utf-8")):
            found.setdefault(name, set()).add(commit)
    assert {name: commits for name, commits in found.items() if len(commits) > 1} == {}


def test_the_matrix_is_what_the_package_supports():
    """Tests run on every Python of the classifiers, and every step of `.ci/run` but the databases' has a job."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pythons = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]
    jobs = loaded("ci")["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == pythons
    steps = set(re.findall(r"step 'make ([a-z0-9-]+)'", (PROJECT / ".ci" / "run").read_text(encoding="utf-8")))
    commands = {"test", *jobs["checks"]["strategy"]["matrix"]["command"]}
    assert commands == steps - {"test-postgres", "test-postgres-airflow2"}


def test_a_release_is_published_without_a_key():
    """Only what `make check-wheel` has built and checked is published, by the job's own identity."""
    jobs = loaded("publish")["jobs"]
    assert "secrets." not in (PROJECT / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8")
    assert jobs["publish"]["needs"] == "build"
    assert jobs["publish"]["environment"] == "release"
    assert "make check-wheel" in [step.get("run") for step in jobs["build"]["steps"]]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms(path):
    """A form has a name, a description, and fields of known kinds with labels and identifiers of their own."""
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= form.keys()
    fields = [one for one in form["body"] if one["type"] != "markdown"]
    assert {one["type"] for one in fields} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert all(one["attributes"]["label"] for one in fields)
    assert len({one["id"] for one in fields}) == len(fields)
    assert any(one.get("validations", {}).get("required") for one in fields)
