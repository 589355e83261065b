"""Fixtures that run DAG files with a real Airflow in separate processes, and serve a sandbox."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_retreaver.sandbox.local_server import RunningSandbox, run_sandbox
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from tests.airflow.support.account import KEY, Account
from tests.airflow.support.forked_runs import ForkedRuns
from tests.paths import PROJECT

RUN_DAG = PROJECT / "scripts" / "run_dag.py"


@dataclass(frozen=True)
class DagRunResult:
    """The result of a run.

    `states` and `xcoms` have task IDs as keys, `task_id[map_index]` for mapped tasks. `xcoms` has for each task a
    mapping of XCom keys to values. `output` is all output of the process, including task logs; it is also in
    `logs_dir`, together with the files that Airflow writes there.
    """

    exit_code: int
    states: dict[str, str]
    xcoms: dict[str, dict[str, Any]]
    output: str
    logs_dir: Path
    db_path: Path
    home: Path


def _name(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"


def _read(db_path: Path, run_id: str = "%") -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Read states and XComs from the metadata database, whose tables are the same in Airflow 2.11 and 3."""
    xcoms: dict[str, dict[str, Any]] = {}
    tasks = "SELECT task_id, map_index, state FROM task_instance WHERE run_id LIKE ?"
    values = "SELECT task_id, map_index, key, value FROM xcom WHERE run_id LIKE ?"
    with closing(sqlite3.connect(db_path)) as database:
        states = {_name(task_id, index): str(state) for task_id, index, state in database.execute(tasks, (run_id,))}
        for task_id, index, key, value in database.execute(values, (run_id,)):
            # SQLite converts the JSON of a number to a number.
            decoded = json.loads(value) if isinstance(value, str | bytes) else value
            xcoms.setdefault(_name(task_id, index), {})[key] = decoded
    return states, xcoms


def each_run(result: DagRunResult) -> list[tuple[dict[str, str], dict[str, dict[str, Any]]]]:
    """Return states and XComs of each of several runs of one process, in their order."""
    with closing(sqlite3.connect(result.db_path)) as database:
        runs = [run_id for (run_id,) in database.execute("SELECT run_id FROM dag_run ORDER BY id")]
    return [_read(result.db_path, run_id) for run_id in runs]


@dataclass
class AirflowLab:
    """Runs DAG files with a real Airflow; every run starts with an empty, migrated database."""

    root: Path
    runs: int = field(default=0, init=False)
    forked: ForkedRuns = field(init=False)

    def __post_init__(self) -> None:
        """Migrate the database that is copied for every run."""
        template = self.root / "template"
        self.forked = ForkedRuns(self.environment(template, {}))
        result = self.airflow(["-m", "airflow", "db", "migrate"], template)
        assert result.returncode == 0, result.stdout

    def environment(self, home: Path, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a child process; only the search path is inherited."""
        home.mkdir(parents=True, exist_ok=True)
        (home / "dags").mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(self.root),
            "LANG": "C.UTF-8",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__API__SECRET_KEY": "of-tests-" * 8,
            "AIRFLOW__API_AUTH__JWT_SECRET": "of-tests-" * 8,
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            **extra,
        }

    def new_home(self) -> Path:
        """Return a new AIRFLOW_HOME with a migrated, empty database."""
        self.runs += 1
        home = self.root / f"run-{self.runs}"
        home.mkdir()
        shutil.copy2(self.root / "template" / "airflow.db", home / "airflow.db")
        return home

    def run_dag(
        self,
        path_or_source: Path | str,
        *,
        connections: Mapping[str, Mapping[str, Any] | str] | None = None,
        env: Mapping[str, str] | None = None,
        logical_date: datetime | None = None,
        conf: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        retries: bool = True,
        dag_id: str | None = None,
        home: Path | None = None,
        anew: bool = False,
        timeout: float = 600,
    ) -> DagRunResult:
        """Run a DAG file (a `Path`) or a DAG's source (a `str`) and return the result of the run.

        `connections` maps connection IDs to URIs or to mappings of a connection's fields. `home` is the AIRFLOW_HOME
        of an earlier run (`DagRunResult.home`) to continue in; a new one by default. Several `conf` make several runs
        in one process, which `each_run` tells apart. A run that takes longer than
        `timeout` seconds is killed and fails the test; for `anew` see `airflow`.
        """
        home = home or self.new_home()
        extra = dict(env or {})
        for name, connection in (connections or {}).items():
            text = connection if isinstance(connection, str) else json.dumps(dict(connection))
            extra[f"AIRFLOW_CONN_{name.upper()}"] = text
        (home / "dags").mkdir(exist_ok=True)
        if isinstance(path_or_source, Path):
            shutil.copy2(path_or_source, home / "dags" / path_or_source.name)
        else:
            (home / "dags" / "the_dag.py").write_text(path_or_source, encoding="utf-8")
        arguments = [*([dag_id] if dag_id else []), *([] if retries else ["--no-retries"])]
        if logical_date is not None:
            arguments.append(f"--logical-date={logical_date.isoformat()}")
        if conf is not None:
            arguments += [
                f"--conf={json.dumps(dict(one))}" for one in ([conf] if isinstance(conf, Mapping) else conf)
            ]
        result = self.airflow([str(RUN_DAG), *arguments], home, extra, anew=anew, timeout=timeout)
        logs_dir = home / "logs"
        logs_dir.mkdir(exist_ok=True)
        with (logs_dir / "output.log").open("a", encoding="utf-8") as log:
            log.write(result.stdout)
        states, xcoms = _read(home / "airflow.db")
        return DagRunResult(
            exit_code=result.returncode,
            states=states,
            xcoms=xcoms,
            output=result.stdout,
            logs_dir=logs_dir,
            db_path=home / "airflow.db",
            home=home,
        )

    def airflow(
        self,
        arguments: list[str],
        home: Path,
        extra: Mapping[str, str] | None = None,
        *,
        anew: bool = False,
        timeout: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with arguments in an AIRFLOW_HOME; its output is in `stdout`.

        Commands are children of a process in which Airflow has started, one at a time. With `anew` Airflow starts in
        a process of the command's own, with the settings that it reads only then.
        """
        environment = self.environment(home, extra or {})
        if not anew:
            return self.forked.run(arguments, home, environment, timeout)
        return subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture(scope="session")
def airflow_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowLab]:
    """Return a runner of DAG files; its database is migrated once and copied for each run."""
    root = tmp_path_factory.mktemp("airflow-lab")
    lab = AirflowLab(root)
    yield lab
    lab.forked.close()
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[RunningSandbox]:
    """Serve one sandbox for all tests; its key has characters that URLs encode."""
    with run_sandbox(SandboxOptions(api_key=KEY)) as served:
        yield served


@pytest.fixture
def account(running_sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an empty account; the connection `retreaver_default` to it does not wait between attempts."""
    account = Account(running_sandbox)
    account.reset()
    connection = account.connection(extra={"max_wait": 0})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    return account
