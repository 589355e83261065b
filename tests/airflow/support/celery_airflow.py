"""A distributed Airflow on this machine: PostgreSQL, Redis, all components, and Celery workers with own homes.

Every process is a child of the test and is ended by its ID.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import psutil
import psycopg2

from tests.airflow.runs.scheduler_run import component_environment, end_of, run_component, wait_for
from tests.airflow.support.account import Account
from tests.airflow.support.postgres import Cluster, private_cluster
from tests.airflow.support.redis import RedisServer, private_redis

# Seconds; generous, since all components start on a machine that may be busy.
PATIENCE = 600.0
ENDED = {"success", "failed", "skipped", "upstream_failed"}
# What a deployment waits for before it gives a lost process up: minutes by default, seconds here.
LOST_SOON = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "40",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    # The token of a queued task lives as long, so a busy machine needs minutes.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "180",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
}


@dataclass
class CeleryAirflow:
    """The components, by name, and their metadata database.

    `environments` has what differs for a component, such as the connections of the triggerer.
    """

    home: Path
    env: dict[str, str]
    cluster: Cluster
    redis: RedisServer
    environments: Mapping[str, Mapping[str, str]]
    slots: int
    _stacks: dict[str, ExitStack] = field(default_factory=dict)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _starts: dict[str, int] = field(default_factory=dict)
    _supervised: list[str] | None = None

    def start(self, name: str) -> None:
        """Start a component, or start it again after it was killed; `w1` and so on are workers."""
        stack = self._stacks[name] = ExitStack()
        self._processes[name] = stack.enter_context(self._component(name))
        if name.startswith("w"):
            log = self.home / name / "celery.log"
            starts = self._starts[name] = self._starts.get(name, 0) + 1
            self.wait(lambda: log.read_text("utf-8", "replace").count(" ready.") == starts, f"worker {name}")

    def _component(self, name: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        env = {**self.env, **self.environments.get(name, {})}
        if not name.startswith("w"):
            options = ["--skip-serve-logs"] if name in {"scheduler", "triggerer"} else []
            return run_component(name, env, self.home, *options)
        # Another machine: nothing of what it writes to its own home or temporary folder is seen by others.
        home = self.home / name
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        (home / "airflow-worker.pid").unlink(missing_ok=True)
        own = {"AIRFLOW_HOME": str(home), "HOME": str(home), "TMPDIR": str(home / "tmp")}
        options = ["worker", "--celery-hostname", f"{name}@%h", "--concurrency", str(self.slots), "--skip-serve-logs"]
        options += ["--pid", str(home / "airflow-worker.pid"), "--without-mingle", "--without-gossip"]
        return run_component("celery", {**env, **own}, home, *options)

    def processes_of(self, name: str) -> set[int]:
        """Return the IDs of a component's process and of all that it has started."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._processes[name].pid)
            return {process.pid, *(child.pid for child in process.children(recursive=True))}
        return set()

    def kill(self, name: str) -> set[int]:
        """Kill a component and all that it has started with SIGKILL, as a lost machine ends; return their IDs."""
        family = [psutil.Process(pid) for pid in sorted(self.processes_of(name))]
        # Stopped first, so that none starts another one in the meantime.
        for action in (psutil.Process.suspend, psutil.Process.kill):
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    action(process)
        self._processes[name].wait(30)
        self._stacks.pop(name).close()
        return {process.pid for process in family}

    def close(self) -> None:
        """End all components; those that produce work first."""
        for name in reversed(list(self._stacks)):
            self._stacks.pop(name).close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the metadata database."""
        with (
            closing(
                psycopg2.connect(host="127.0.0.1", port=self.cluster.port, user="tests", dbname="airflow")
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
            return list(cursor.fetchall())

    def wait(self, condition: Any, description: str, timeout: float = PATIENCE) -> None:
        """Wait until a condition is true; fail with the ends of the logs otherwise, at once if a component ended."""

        def met() -> bool:
            ended = [name for name in self._stacks if self._processes[name].poll() is not None]
            if self._supervised is None:
                assert not ended, f"{description}: {ended[0]} ended\n{self._log_of(ended[0])}"
            else:
                for name in ended:
                    self._supervised.append(name)
                    self._stacks.pop(name).close()
                    self.start(name)
            return bool(condition())

        wait_for(met, description, self.home, timeout, every=0.5)

    @contextmanager
    def supervised(self) -> Iterator[list[str]]:
        """Start components that end in the block again, as a supervisor does; yields their names."""
        self._supervised = []
        try:
            yield self._supervised
        finally:
            self._supervised = None

    def _log_of(self, name: str) -> str:
        return end_of(self.home / name / "celery.log" if name.startswith("w") else self.home / f"{name}.log")

    def api(self, method: str, path: str, body: Any) -> Any:
        """Send a request to Airflow's REST API."""
        url = f"http://127.0.0.1:{self.env['AIRFLOW__API__PORT']}/api/v2/{path}"
        headers = {"Content-Type": "application/json"}
        request = Request(url, json.dumps(body).encode(), headers, method=method)
        with urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""
        self.api("PATCH", f"dags/{quote(dag_id)}", {"is_paused": False})

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Trigger a run and return its ID."""
        answer = self.api("POST", f"dags/{quote(dag_id)}/dagRuns", {"logical_date": None, "conf": conf})
        return str(answer["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        ((state,),) = self.query(f"SELECT state FROM dag_run WHERE dag_id = '{dag_id}' AND run_id = '{run_id}'")
        return str(state)

    def states(self, dag_id: str, task_id: str = "%", run_id: str = "%") -> list[tuple[str, int, str | None, int]]:
        """Return task ID, map index, state and number of the attempt of tasks."""
        return self.query(
            f"SELECT task_id, map_index, state, try_number FROM task_instance WHERE dag_id = '{dag_id}' "
            f"AND task_id LIKE '{task_id}' AND run_id LIKE '{run_id}' ORDER BY task_id, map_index"
        )

    def results(self, dag_id: str, task_id: str, run_id: str = "%") -> list[Any]:
        """Return the results of a task, in order of run and map index."""
        rows = self.query(
            f"SELECT x.value::text FROM xcom x JOIN dag_run r ON r.id = x.dag_run_id WHERE x.key = 'return_value' "
            f"AND x.dag_id = '{dag_id}' AND x.task_id = '{task_id}' AND x.run_id LIKE '{run_id}' "
            "ORDER BY r.id, x.map_index"
        )
        return [json.loads(value) for (value,) in rows]

    def running(self) -> dict[int, tuple[str, str, int]]:
        """Return DAG, task and map index of what runs, by the ID of its process."""
        rows = self.query("SELECT pid, dag_id, task_id, map_index FROM task_instance WHERE state = 'running'")
        return {pid: (dag_id, task_id, index) for pid, dag_id, task_id, index in rows if pid}


@contextmanager
def celery_airflow(
    lab: Any, account: Account, dags: Mapping[str, str], policy: str, slots: int, **environments: Mapping[str, str]
) -> Iterator[CeleryAirflow]:
    """Start PostgreSQL, Redis and all components but the workers; end what was started after the block.

    `dags` are sources by file name, `policy` is Airflow's local settings, `slots` the tasks that a worker runs at
    once, and `environments` what each component has in its environment besides.
    """
    home = lab.root / "celery"
    env = component_environment(lab, home, account)
    (home / "config").mkdir()
    (home / "config" / "airflow_local_settings.py").write_text(policy, encoding="utf-8")
    for name, source in dags.items():
        (home / "dags" / name).write_text(source, encoding="utf-8")
    with private_cluster() as cluster, private_redis() as redis:
        cluster.query("CREATE DATABASE airflow")
        cluster.query("CREATE DATABASE warehouse")
        database = f"postgresql+psycopg2://tests@127.0.0.1:{cluster.port}/airflow"
        env |= {
            **LOST_SOON,
            "PYTHONPATH": str(home / "config"),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "32",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__CELERY__BROKER_URL": redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": database.replace("postgresql+psycopg2", "db+postgresql"),
            # Tasks that wait are in the broker, where both workers and a restarted one find them.
            "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
            "AIRFLOW__CELERY__OPERATION_TIMEOUT": "30",
            "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            # Tasks fail if the API server answers later, as on a busy machine; the default is five seconds.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        }
        for name in ("warehouse", "crm"):
            env[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(cluster.connection("warehouse"))
        airflow = CeleryAirflow(home, env, cluster, redis, environments, slots)
        airflow_command(airflow, "db", "migrate")
        try:
            airflow.start("api-server")
            airflow.wait(lambda: _listens(int(env["AIRFLOW__API__PORT"])), "the API server")
            for name in ("scheduler", "dag-processor", "triggerer"):
                airflow.start(name)
            yield airflow
        finally:
            airflow.close()


def airflow_command(airflow: CeleryAirflow, *arguments: str) -> None:
    """Run a command of Airflow."""
    result = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments], env=airflow.env, cwd=airflow.home, capture_output=True,
        text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def dumped(airflow: CeleryAirflow, database: str) -> bytes:
    """Return all that a database holds, as SQL."""
    command = [airflow.cluster.binaries / "pg_dump", "-h", "127.0.0.1", "-p", str(airflow.cluster.port)]
    return subprocess.run(
        [*command, "-U", "tests", database], env={"PATH": os.environ["PATH"]}, capture_output=True, timeout=PATIENCE,
        check=True,
    ).stdout  # fmt: skip


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
