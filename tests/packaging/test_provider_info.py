"""The metadata that Airflow reads is valid, complete and true."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import distribution, entry_points
from importlib.resources import files

import jsonschema
import pytest

from airflow_provider_retreaver.core.errors import InvalidConnection
from airflow_provider_retreaver.provider_info import get_provider_info
from tests.packaging.test_public_names import NAMES

pytestmark = pytest.mark.airflow


def test_entry_point_leads_to_the_provider_info():
    """Airflow finds the package by its entry point, and it returns the provider info."""
    found = [
        point
        for point in entry_points(group="apache_airflow_provider")
        if point.dist.name == "airflow-provider-retreaver"
    ]
    assert [point.load() for point in found] == [get_provider_info]


def test_provider_info_is_valid_for_this_airflow():
    """Airflow's own schema accepts the provider info, and nothing in it is lost as JSON."""
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text(encoding="utf-8"))
    info = get_provider_info()
    jsonschema.validate(info, schema)
    assert json.loads(json.dumps(info)) == info


def test_provider_info_names_this_distribution():
    """The package name is the distribution's own; `make check-wheel` compares the versions."""
    assert get_provider_info()["package-name"] == distribution("airflow-provider-retreaver").name


def test_every_named_class_and_module_exists():
    """Every dotted path in the provider info can be imported; a connection type's hook says the same type."""
    info = get_provider_info()
    for kind in ("operators", "sensors", "hooks", "triggers"):
        for group in info.get(kind, []):
            for name in group["python-modules"]:
                import_module(name)
    for transfer in info["transfers"]:
        import_module(transfer["python-module"])
    for declared in info["connection-types"]:
        module, _, name = declared["hook-class-name"].rpartition(".")
        hook = getattr(import_module(module), name)
        assert (hook.conn_type, hook.hook_name) == (declared["connection-type"], declared["hook-name"])


@pytest.mark.parametrize(
    "declared", get_provider_info()["connection-types"], ids=lambda kind: kind["connection-type"]
)
def test_the_form_allows_what_the_settings_allow(declared):
    """Choices, bounds and truth values of the form are exactly those that the connection accepts."""
    module, _, name = declared["hook-class-name"].rpartition(".")
    settings = getattr(import_module(module), name).settings_class()

    def accepts(field, value):
        try:
            settings.parse("form", login="1", password="key", host="acme", extra={field: value})
        except InvalidConnection:
            return False
        return True

    typed = {name: field["schema"] for name, field in declared["conn-fields"].items()}
    for name, schema in typed.items():
        kind = schema["type"][0]
        good = {"boolean": [True, False], "string": schema.get("enum", [])}.get(
            kind, [schema.get("minimum"), schema.get("maximum")]
        )
        bad = {"boolean": ["perhaps"], "string": ["v0"] if "enum" in schema else []}.get(
            kind, [schema.get("minimum", 0) - 1, schema.get("maximum", 0) + 1, "many"]
        )
        assert [value for value in good if not accepts(name, value)] == [], name
        assert [value for value in bad if accepts(name, value)] == [], name
    assert {schema["type"][0] for schema in typed.values()} == {"string", "number", "integer", "boolean"}


def test_guides_and_logos_exist(project):
    """Every how-to guide is a page of `docs/`, that of a transfer names its class, and the logo is there."""
    info = get_provider_info()
    guides = [page for one in info["integrations"] for page in one["how-to-guide"]]
    for path in [*guides, *(one["logo"] for one in info["integrations"])]:
        assert (project / path.removeprefix("/")).is_file(), path
    for transfer in info["transfers"]:
        text = (project / transfer["how-to-guide"].removeprefix("/")).read_text(encoding="utf-8")
        assert transfer["python-module"] in text
        assert transfer["how-to-guide"] in guides


PROGRAM = """
import json
from airflow import __version__
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
if __version__.startswith("3.1."):  # where the web interface puts stand-ins in the place of FAB
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
    HookMetaService._get_hooks_with_mocked_fab()
def hidden(widget):
    param = getattr(widget.field, "param", None)
    return widget.is_sensitive or (param is not None and param.schema.get("format") == "password")
widgets = manager.connection_form_widgets
print(json.dumps({
    "listed": "airflow-provider-retreaver" in manager.providers,
    "behaviour": manager.field_behaviours["retreaver"],
    "secret": sorted(key for key, widget in widgets.items() if "__retreaver__" in key and hidden(widget)),
    "fields": sorted(widget.field_name for key, widget in widgets.items() if "__retreaver__" in key),
}))
"""


def test_airflow_itself_builds_the_connection_form():
    """Airflow lists the package and builds the form: labels, own fields, and which of them it must mask."""
    # In a process of its own: on 2.11 the form needs Flask, whose import is full of warnings.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    form = json.loads(done.stdout.strip().splitlines()[-1])
    assert form["listed"]
    assert form["behaviour"]["relabeling"]["login"] == "Company ID"
    assert form["behaviour"]["relabeling"]["password"] == "API key"
    assert set(form["behaviour"]["hidden_fields"]) == {"schema", "extra"}
    declared = get_provider_info()["connection-types"][0]["conn-fields"]
    assert form["fields"] == sorted(declared)
    secret = sorted(name for name, field in declared.items() if field["schema"].get("format") == "password")
    assert len(secret) == 5
    assert set(secret) <= {key.rpartition("__")[2] for key in form["secret"]}


def test_what_is_promised_is_declared_and_what_is_declared_exists(project):
    """Modules with public names are in the provider info, and the provider info names no other than existing ones."""
    info = get_provider_info()
    for kind in ("operators", "hooks"):
        there = {path.stem for path in (project / "airflow_provider_retreaver" / kind).glob("*.py")}
        promised = {name.partition(".")[2] for name in NAMES if name.startswith(f"{kind}.")}
        declared = {name.rpartition(".")[2] for group in info[kind] for name in group["python-modules"]}
        assert promised <= declared <= there, kind
