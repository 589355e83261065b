"""The page of errors and remedies has every error class, with cause, cure, fields, and whether a retry can help."""

from __future__ import annotations

import inspect
import re

import pytest

from airflow_provider_retreaver.core import errors
from tests.paths import PROJECT

PAGE = (PROJECT / "docs" / "errors.md").read_text(encoding="utf-8")
SECTIONS = {
    heading: dict(
        re.findall(r"^- \*\*(\w+):\*\* (.*?)(?=\n- \*\*|\Z)", text.partition("\n## ")[0], re.DOTALL | re.MULTILINE)
    )
    for heading, text in re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}
CLASSES = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.RetreaverError) and kind.__module__ == errors.__name__
}
OF_ALL = {"message", "method", "path"}


def test_every_class_has_a_section():
    """The classes of `core.errors` and the sections of the page are the same."""
    assert SECTIONS.keys() == CLASSES.keys()


@pytest.mark.parametrize("name", CLASSES)
def test_cause_and_cure(name):
    """A section says why the error comes and what to do, each in a sentence."""
    for part in ("Cause", "Cure"):
        assert len(SECTIONS[name][part].strip()) > 30, part
        assert SECTIONS[name][part].strip().endswith((".", ")")), part


@pytest.mark.parametrize(("name", "kind"), CLASSES.items())
def test_fields(name, kind):
    """A section names the fields that the class has besides those of all errors."""
    properties = {key for key, value in vars(kind).items() if isinstance(value, property)}
    own = (vars(kind("x")).keys() | properties) - OF_ALL
    told = set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", SECTIONS[name].get("Fields", ""), flags=re.DOTALL)))
    assert told == own


@pytest.mark.parametrize(("name", "kind"), CLASSES.items())
def test_final(name, kind):
    """A section says truly whether a retry can help."""
    told = SECTIONS[name]["Final"].strip()
    if hasattr(kind("x"), "final"):
        assert told == "at times"
    else:
        assert told == ("yes" if errors.is_final(kind("x")) else "no")
