"""Every example DAG parses fast and without a warning on this version of Airflow, and has the expected settings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.paths import EXAMPLE_DAGS, PROJECT

pytestmark = pytest.mark.airflow

# Airflow 2 has no asset watchers.
WATCHED = {"retreaver_export_new_calls.py", "retreaver_mark_spam_callers.py"}
SKIPPED = WATCHED if version("apache-airflow").startswith("2.") else set()
EXAMPLES = sorted(path for path in EXAMPLE_DAGS.glob("*.py") if path.name not in SKIPPED)
HEAVY = {"requests", "aiohttp", "tenacity", "phonenumbers", "pyarrow", "pandas", "sqlite3", "starlette", "uvicorn"}

PARSE = """
import json, os, sys, time, warnings
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, BaseHook, BaseOperator, task
import pendulum


def parse(source):
    before = set(sys.modules)
    warnings.simplefilter("error")
    # What a provider of Airflow uses of an older Airflow is not the DAG file's.
    warnings.filterwarnings("ignore", module=r"airflow\\.")
    started = time.perf_counter()
    exec(compile(source.read_text(), str(source), "exec"), {"__name__": "parsed"})
    seconds = time.perf_counter() - started
    return [source.name, sorted(set(sys.modules) - before), seconds]


# Each file in a process that has imported none of our modules yet.
for argument in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        print("PARSED " + json.dumps(parse(Path(argument))), flush=True)
        sys.exit()
    if os.waitpid(child, 0)[1]:
        sys.exit(f"{argument} cannot be parsed")
"""

BAG = """
import json
from importlib import import_module
from importlib.util import find_spec

moved = find_spec("airflow.dag_processing.dagbag") is not None
bag = import_module("airflow.dag_processing.dagbag" if moved else "airflow.models.dagbag").DagBag()
print("BAG " + json.dumps({
    "errors": bag.import_errors,
    # But for those of Airflow's own modules.
    "warnings": [
        str(warning) for several in bag.captured_warnings.values() for warning in several
        if "/site-packages/airflow/" not in str(warning)
    ],
    "dags": {
        dag.dag_id: {
            "file": dag.fileloc.rpartition("/")[2],
            "catchup": dag.catchup,
            "tags": sorted(dag.tags),
            "doc": bool(dag.doc_md),
            "active": dag.max_active_runs,
            "zone": dag.timezone.name,
            "params": {
                name: {**param.schema, "description": param.description, "value": param.value}
                for name, param in ((name, dag.params.get_param(name)) for name in dag.params)
            },
            "tasks": {
                task.task_id: [getattr(task, "operator_class", type(task)).__module__, task.retries]
                for task in dag.tasks
            },
        }
        for dag in bag.dags.values()
    },
}))
"""


def lines_of(airflow_lab, script, prefix, *arguments):
    """Run a script in a new process and return the JSON of the output lines with a prefix."""
    env = airflow_lab.environment(airflow_lab.root / "examples", {"AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True"})
    process = subprocess.run(
        [sys.executable, "-c", script, *arguments], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    return [json.loads(line.removeprefix(prefix)) for line in process.stdout.splitlines() if line.startswith(prefix)]


@pytest.fixture(scope="module")
def parsed(airflow_lab):
    """Return for each example the modules that parsing it imports, and its time in seconds."""
    rows = lines_of(airflow_lab, PARSE, "PARSED ", *map(str, EXAMPLES))
    return {name: (loaded, seconds) for name, loaded, seconds in rows}


@pytest.mark.parametrize("example", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_parsing_imports_little_without_warnings(parsed, example):
    """Parsing a file imports no HTTP client or other large library, and causes no warning."""
    loaded, seconds = parsed[example.name]
    print(f"{example.name}: {seconds * 1000:.0f} ms, {len(loaded)} modules")
    assert any(name.startswith("airflow_provider_retreaver.operators") for name in loaded)
    assert not HEAVY & {name.partition(".")[0] for name in loaded}
    assert not [name for name in loaded if name.startswith("airflow_provider_retreaver.transport")]


@pytest.fixture(scope="module")
def bag(airflow_lab):
    """Return what Airflow makes of a folder with all examples."""
    shutil.copytree(
        PROJECT / "example_dags",
        airflow_lab.root / "examples" / "dags",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__", *SKIPPED),
    )
    (bag,) = lines_of(airflow_lab, BAG, "BAG ")
    return bag


def test_the_folder_of_examples(bag):
    """The folder has no import error and no warning; each file has one documented DAG of its name, with retries."""
    assert bag["errors"] == {}
    assert bag["warnings"] == []
    assert {f"{dag_id}.py": dag["file"] for dag_id, dag in bag["dags"].items()} == {
        path.name: path.name for path in EXAMPLES
    }
    for dag_id, dag in bag["dags"].items():
        assert dag["catchup"] is False, dag_id
        assert dag["doc"], dag_id
        assert "retreaver" in dag["tags"], dag_id
        ours = {
            name: retries for name, (module, retries) in dag["tasks"].items() if module.startswith("airflow_prov")
        }
        assert ours, dag_id
        assert all(retries >= 1 for retries in ours.values()), dag_id


def test_the_trigger_forms_say_what_they_ask_for(bag):
    """Every field of a trigger form has a title, a description and a type; what has few values offers them."""
    dags = bag["dags"]
    params = {(dag_id, name): param for dag_id, dag in dags.items() for name, param in dag["params"].items()}
    assert len(params) >= 15
    for which, param in params.items():
        assert param["title"], which
        assert param["description"].endswith("."), which
        assert param["type"], which
    assert params["retreaver_pause_at_90_percent", "cap"]["enum"][2] == "daily"
    assert params["retreaver_calls_backfill_year", "every"]["examples"] == ["1d", "7d", "30d"]
    assert params["retreaver_nightly_suppression_sync", "dry_run"]["type"] == "boolean"


def test_the_nightly_reset_runs_at_local_midnight(bag):
    """The example's schedule is midnight in a named time zone, one run at a time."""
    dag = bag["dags"]["retreaver_nightly_cap_reset"]
    assert dag["zone"] == "America/New_York"
    assert dag["active"] == 1
    assert dag["tasks"].keys() == {"reset_full_caps", "report"}
