"""Without the packages of the extras everything is imported, and the work that needs one names its extra."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.util import find_spec

import pytest
from packaging.requirements import Requirement

from airflow_provider_retreaver.core.optional_packages import EXTRAS
from tests.packaging.source import NAME, imports, modules
from tests.paths import PROJECT

EXTRAS_OF_PROJECT = {
    extra: {
        requirement.name
        for requirement in map(Requirement, lines)
        if requirement.name != "airflow-provider-retreaver"
    }
    for extra, lines in tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ].items()
    if extra != "dev"
}
OPTIONAL = sorted(set().union(*EXTRAS_OF_PROJECT.values()))

# What the api-server of Airflow 3 serves.
SERVED = (f"{NAME}.page", f"{NAME}.webhooks.app")
# What serves the sandbox; its command asks for the extra before it imports them.
SERVERS = {f"{NAME}.sandbox.http.server", f"{NAME}.sandbox.local_server"}
# Each extra: a call that needs it, and what the sentence begins with.
NEEDS = {
    "parquet": {
        "a Parquet export": ("transfers.file_formats", "check_format('parquet', None, 'map')", "format='parquet'"),
        "an export with zstd": ("transfers.file_formats", "check_format('jsonl', 'zstd', 'map')", "format='jsonl'"),
        "a report as Parquet": ("storage.table_files", "check_table_format('parquet')", "format='parquet'"),
        "a merge into PostgreSQL": (
            "transfers.merge_statements", "merging_of('postgresql', 'calls', None)", "Merging into PostgreSQL needs",
        ),
    },
    "iceberg": {
        "an Iceberg table": ("transfers.iceberg_table", "catalog_properties('catalog')", "An Iceberg table needs"),
    },
    "warehouse": {
        "a merge": ("transfers.merge_statements", "merging_of('duckdb', 'calls', None)", "Merging needs"),
    },
}  # fmt: skip


def without(packages: list[str], program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that finds none of the packages."""
    blocked = f"import json, sys; sys.modules.update(dict.fromkeys({packages!r}))\n"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", blocked + program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )


def test_every_extra_is_checked():
    """An extra that is new needs a rule here: what asks for it, or the sandbox, whose command does."""
    assert set(EXTRAS_OF_PROJECT) == {*NEEDS, "sandbox"}
    assert {name: {extra for extra, names in EXTRAS_OF_PROJECT.items() if name in names} for name in EXTRAS} == {
        name: {extra} for name, extra in EXTRAS.items()
    }


def test_only_the_server_of_the_sandbox_imports_an_extra_at_once():
    """Everywhere else the packages of the extras are imported where they are used."""
    found = {
        module
        for module, tree in modules().items()
        if {name.split(".")[0] for name in imports(tree, at_import_only=True)} & set(OPTIONAL)
    }
    assert found == {f"{NAME}.sandbox.http.server"}


@pytest.mark.airflow
def test_everything_is_imported_without_the_extras():
    """No module needs an extra to be imported, but the server of the sandbox."""
    names = [name for name in modules() if name not in SERVERS and not name.endswith("__main__")]
    if find_spec("airflow.sdk") is None:
        names = [name for name in names if not name.startswith(SERVED)]
    program = f"""
from importlib import import_module
failed = {{}}
for name in {names!r}:
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        failed[name] = str(error)
print(json.dumps(failed))
"""
    done = without(OPTIONAL, program)
    assert done.returncode == 0, done.stderr
    # Only the api-server of Airflow 3 has what the pages of the plugin import.
    allowed = {"fastapi", "airflow.api_fastapi"}
    failed = json.loads(done.stdout.splitlines()[-1])
    assert {name: text for name, text in failed.items() if not any(part in text for part in allowed)} == {}


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("extra", "work"), [(extra, work) for extra, works in NEEDS.items() for work in works], ids=lambda part: part
)
def test_work_names_the_extra_that_it_needs(extra, work):
    """Before the first request, one sentence says which package is missing and which extra brings it."""
    module, call, beginning = NEEDS[extra][work]
    packages = sorted(name for name in EXTRAS if EXTRAS[name] == extra)
    program = f"""
from airflow_provider_retreaver.core.errors import InvalidArgument
from {NAME}.{module} import *
try:
    {call}
except InvalidArgument as error:
    print(error)
"""
    done = without(packages, program)
    assert done.returncode == 0, done.stderr
    text = done.stdout.strip()
    assert text.startswith(beginning), text
    assert text.endswith(f"needs {packages[0]}: install airflow-provider-retreaver[{extra}] where the task runs.")
    assert "\n" not in text


def test_the_sandbox_names_its_extra():
    """The command says what to install, and ends with 2."""
    done = without(
        sorted(EXTRAS_OF_PROJECT["sandbox"]), f"from {NAME}.sandbox.__main__ import main; sys.exit(main([]))"
    )
    assert done.returncode == 2
    assert done.stderr == "retreaver-sandbox: needs pip install 'airflow-provider-retreaver[sandbox]'\n"
