"""The table of jobs names every class of the provider and every example DAG, and each of its rows is true."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from airflow_provider_retreaver.provider_info import get_provider_info
from tests.airflow.support.samples import samples
from tests.packaging.test_public_names import NAMES
from tests.paths import EXAMPLE_DAGS, PROJECT

pytestmark = pytest.mark.airflow
PAGE = (PROJECT / "docs" / "what-to-do.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| `(\w+)` \| `([\w.]+)` \| ([^|]+) \|([^|]*)\|$", PAGE, re.MULTILINE)
SAMPLES = list(samples())
# Used by the classes of the table, and not by DAG authors.
BEHIND = {"triggers.conditions", "triggers.waiting"}


def declared():
    """Return the modules of the provider's metadata, without the package's name."""
    info = get_provider_info()
    kinds = ("hooks", "operators", "sensors", "triggers")
    named = [name for kind in kinds for group in info[kind] for name in group["python-modules"]]
    named += [transfer["python-module"] for transfer in info["transfers"]]
    return {name.removeprefix("airflow_provider_retreaver.") for name in named} - BEHIND


def test_every_class_has_a_row():
    """Each public class of the provider's modules is in docs/what-to-do.md once, with its module."""
    public = {(module, name) for module in declared() for name in NAMES[module]}
    assert {(module, name) for _, name, module, _, _ in ROWS} == public
    assert len(ROWS) == len(public)


def test_every_example_has_a_row():
    """Each example DAG is in docs/what-to-do.md."""
    assert set(re.findall(r"\.\./example_dags/(\w+)\.py", PAGE)) == {path.stem for path in EXAMPLE_DAGS.glob("*.py")}


@pytest.mark.parametrize(("job", "name", "module", "sample", "examples"), ROWS, ids=[row[1] for row in ROWS])
def test_row(job, name, module, sample, examples):
    """The class can be imported, is in a sample of the page, and in each example DAG of the row."""
    assert getattr(import_module(f"airflow_provider_retreaver.{module}"), name).__module__
    (page,) = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", sample)
    assert any(name in one.code for one in SAMPLES if one.place.startswith(f"{page.rpartition('/')[2]}:")), page
    for example in re.findall(r"\]\(([^)]+)\)", examples):
        assert name in (PROJECT / "docs" / example).resolve().read_text(encoding="utf-8"), example
