"""Start Airflow's web interface with the example DAGs, the sandbox and a connection to it; Ctrl-C ends all of it."""

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

from stage import PROJECT, Stage, StepFailed, child, connection_fields, get_json, reason, stop_on_signals

USUAL_PORT = 8080
STARTING = 120  # seconds Airflow may take to become healthy; it takes about fifteen


def main() -> int:
    """Start everything and wait until told to stop."""
    stop_on_signals()
    stage = Stage(PROJECT / ".ui")
    stage.prepare()
    try:
        with ExitStack() as stack:
            say("starting the sandbox and Airflow …")
            stage.migrate()
            sandbox = stack.enter_context(stage.sandbox())
            make_connection(stage, sandbox)
            make_pool(stage)
            port = free_port(USUAL_PORT)
            log = stage.logs / "airflow.log"
            output = stack.enter_context(log.open("w", encoding="utf-8"))
            command = [sys.executable, "-m", "airflow", "standalone"]
            environment = stage.environment(settings(port))
            airflow = stack.enter_context(child(command, environment, output, ending=signal.SIGINT))
            wait_until_healthy(airflow, port, log)
            say(f"\n  Airflow   http://127.0.0.1:{port}   (no login: everybody on this machine is an admin)")
            say(f"  sandbox   {sandbox}   (connection retreaver_default; API key sandbox-key, company 1)")
            say(f"  logs      {stage.logs}\n\nCtrl-C ends all of it.")
            code = airflow.wait()
        print(f"failed: Airflow ended by itself with code {code}: {reason(log)}\n  log: {log}", file=sys.stderr)
    except StepFailed as failure:
        print(f"failed: {failure}", file=sys.stderr)
    except KeyboardInterrupt:
        say("\nstopped")
        return 0
    return 1


def settings(port: int) -> dict[str, str]:
    """Give Airflow's settings: one port, this machine only, few processes, test buttons on."""
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


def make_connection(stage: Stage, sandbox: str) -> None:
    """Store the connection in Airflow's database, so that it is seen in the web interface."""
    path = stage.home / "connections.json"
    path.write_text(json.dumps({"retreaver_default": connection_fields(sandbox)}), encoding="utf-8")
    command = [sys.executable, "-m", "airflow", "connections", "import", "--overwrite", str(path)]
    stage.call(command, "connection", timeout=60)


def make_pool(stage: Stage) -> None:
    """Make the pool that the backfill of a year asks for; without it its tasks would never start."""
    command = [sys.executable, "-m", "airflow", "pools", "set", "retreaver", "2", "requests to Retreaver"]
    stage.call(command, "pool", timeout=60)


def wait_until_healthy(airflow: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the web server, the scheduler and the DAG processor say that they are well."""
    deadline = time.monotonic() + STARTING
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
    raise StepFailed(f"Airflow was not healthy within {STARTING} s: {reason(log)}", log)


def free_port(wanted: int = 0) -> int:
    """Return the wanted port of this machine if it is free, else one that is."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StepFailed("this machine has no free port")


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
