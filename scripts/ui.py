"""Runs Airflow's web interface with the example DAGs, the sandbox and a connection to it, until Ctrl-C."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from local_airflow import (
    PROJECT,
    LocalAirflow,
    StepFailed,
    child,
    connection_fields,
    get_json,
    reason,
    stop_on_signals,
)

DEFAULT_PORT = 8080
START_TIMEOUT = 120  # seconds until Airflow must be healthy; it takes about fifteen


def main() -> int:
    """Start everything and wait for Ctrl-C."""
    stop_on_signals()
    local = LocalAirflow(PROJECT / ".ui")
    local.prepare()
    try:
        with ExitStack() as stack:
            write("starting the sandbox and Airflow …")
            local.migrate()
            sandbox = stack.enter_context(local.sandbox())
            import_connection(local, sandbox)
            create_pool(local)
            port = free_port(DEFAULT_PORT)
            log = local.logs / "airflow.log"
            output = stack.enter_context(log.open("w", encoding="utf-8"))
            command = [sys.executable, "-m", "airflow", "standalone"]
            environment = local.environment(settings(port))
            airflow = stack.enter_context(child(command, environment, output, stop_signal=signal.SIGINT))
            wait_until_healthy(airflow, port, log)
            write(f"\n  Airflow   http://127.0.0.1:{port}   (no login: every user of this machine is an admin)")
            write(f"  sandbox   {sandbox}   (connection retreaver_default; API key sandbox-key, company 1)")
            write(f"  logs      {local.logs}\n\nCtrl-C stops everything.")
            code = airflow.wait()
        print(f"failed: Airflow ended unexpectedly with code {code}: {reason(log)}\n  log: {log}", file=sys.stderr)
    except StepFailed as failure:
        print(f"failed: {failure}", file=sys.stderr)
    except KeyboardInterrupt:
        write("\nstopped")
        return 0
    return 1


def settings(port: int) -> dict[str, str]:
    """Return Airflow's settings: one port, only from this machine, few processes, connection tests enabled."""
    url = f"http://127.0.0.1:{port}"
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }


def import_connection(local: LocalAirflow, sandbox: str) -> None:
    """Store the connection in Airflow's database, so that the web interface shows it."""
    path = local.home / "connections.json"
    path.write_text(json.dumps({"retreaver_default": connection_fields(sandbox)}), encoding="utf-8")
    command = [sys.executable, "-m", "airflow", "connections", "import", "--overwrite", str(path)]
    local.call(command, "connection", timeout=60)


def create_pool(local: LocalAirflow) -> None:
    """Create the pool of the DAG that backfills a year; without it the DAG's tasks would never start."""
    command = [sys.executable, "-m", "airflow", "pools", "set", "retreaver", "2", "requests to Retreaver"]
    local.call(command, "pool", timeout=60)


def wait_until_healthy(airflow: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the web server, the scheduler and the DAG processor are healthy."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if airflow.poll() is not None:
            raise StepFailed(f"Airflow ended with code {airflow.returncode}: {reason(log)}", log)
        try:
            health = get_json(f"http://127.0.0.1:{port}/api/v2/monitor/health")
        except OSError:  # not listening yet
            health = {}
        if health and all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor")):
            return
        time.sleep(0.5)
    raise StepFailed(f"Airflow was not healthy within {START_TIMEOUT} s: {reason(log)}", log)


def free_port(preferred: int = 0) -> int:
    """Return the preferred port if it is free, otherwise another free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StepFailed("this machine has no free port")


def write(line: str) -> None:
    """Print a line and flush it, also into a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
