"""Runs Airflow's web interface with the example DAGs, the sandbox and all that the DAGs need, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from local_airflow import (
    PROJECT,
    LocalAirflow,
    StepFailed,
    child,
    get_json,
    reason,
    serving,
    stop_on_signals,
)
from tour import POOL, SLOTS, Tour

AIRFLOW_PORT, SANDBOX_PORT = 8080, 8787
START_TIMEOUT = 300  # seconds until Airflow must be healthy; it takes about twenty
PARTS = ("scheduler", "dag_processor", "triggerer")


def main(arguments: Sequence[str] | None = None) -> int:
    """Start everything and wait for Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, help=f"of Airflow ({AIRFLOW_PORT}, or a free one); 0 takes a free one")
    parser.add_argument("--sandbox-port", type=int, help=f"of the sandbox ({SANDBOX_PORT}, or a free one)")
    parser.add_argument("--folder", type=Path, default=PROJECT / ".ui", help="for all files, made new at each start")
    given = parser.parse_args(arguments)
    stop_on_signals()
    try:
        with ExitStack() as stack:
            local = LocalAirflow(given.folder.resolve())
            stack.enter_context(local.prepared("make ui"))
            write("starting the sandbox and Airflow …")
            port = choose_port("Airflow", "PORT", given.port, AIRFLOW_PORT)
            sandbox_port = choose_port("the sandbox", "SANDBOX_PORT", given.sandbox_port, SANDBOX_PORT)
            local.migrate()
            files = stack.enter_context(serving(local.home / "storage"))
            sandbox = stack.enter_context(local.sandbox(sandbox_port))
            tour = Tour(local.home, sandbox, files, f"http://127.0.0.1:{port}")
            tour.prepare()
            fill_airflow(local, tour)
            log = local.logs / "airflow.log"
            output = stack.enter_context(log.open("w", encoding="utf-8"))
            command = [sys.executable, "-m", "airflow", "standalone"]
            environment = local.environment(settings(port))
            airflow = stack.enter_context(child(command, environment, output, stop_signal=signal.SIGINT))
            wait_until_healthy(airflow, port, log)
            print_tour(local, tour, port)
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
        "AIRFLOW__CORE__PARALLELISM": str(SLOTS),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__RETREAVER__WEBHOOKS": "True",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "PYTHONPATH": str(PROJECT / "scripts" / "airflow_settings"),
    }


def fill_airflow(local: LocalAirflow, tour: Tour) -> None:
    """Store connections, variables and the pool in Airflow's database, so that the web interface shows them."""
    commands = [["pools", "set", POOL, str(SLOTS), "requests to Retreaver"]]
    for name, values in (("connections", tour.connections()), ("variables", tour.variables())):
        path = local.home / f"{name}.json"
        path.write_text(json.dumps(values), encoding="utf-8")
        commands.append([name, "import", str(path)])
    script = PROJECT / "scripts" / "airflow_commands.py"
    local.call([sys.executable, str(script), json.dumps(commands)], "connections", timeout=180)


def wait_until_healthy(airflow: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the web server, the scheduler, the DAG processor and the triggerer are healthy."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if airflow.poll() is not None:
            raise StepFailed(f"Airflow ended with code {airflow.returncode}: {reason(log)}", log)
        try:
            health = get_json(f"http://127.0.0.1:{port}/api/v2/monitor/health")
        except OSError:  # not listening yet
            health = {}
        if health and all(health[part]["status"] == "healthy" for part in PARTS):
            return
        time.sleep(0.5)
    raise StepFailed(f"Airflow was not healthy within {START_TIMEOUT} s: {reason(log)}", log)


def print_tour(local: LocalAirflow, tour: Tour, port: int) -> None:
    """Print where everything is, and what makes something happen."""
    write(f"\n  Airflow   http://127.0.0.1:{port}   (no login: every user of this machine is an admin)")
    write(f"  sandbox   {tour.sandbox}   (connection retreaver_default; API key sandbox-key, company 1)")
    write(f"  files     {local.home / 'storage'}, tables: {tour.warehouse}")
    write(f"  logs      {local.logs}")
    write("\nTrigger any DAG: no run starts by the clock here. To make something happen in the account:\n")
    for description, command in tour.commands():
        write(f"  # {description}\n  {command}" if description else f"  {command}")
    write("\nCtrl-C stops everything; the next start begins with a new account.")


def choose_port(what: str, variable: str, wanted: int | None, default: int) -> int:
    """Return the wanted port, or if none is wanted the default one or, if that is taken, a free one.

    :param what: would listen on the port.
    :param variable: of `make ui` that chooses the port.
    :param wanted: the port that the user has chosen; 0 for a free one.
    :param default: the port otherwise.
    :return: a port that is free now.
    :raises StepFailed: when the wanted port cannot be used.
    """
    problem = unusable(default if wanted is None else wanted)
    if problem is None:
        return wanted or free_port(default if wanted is None else 0)
    if wanted is not None:
        raise StepFailed(f"port {wanted} for {what} {problem}; choose another one: make ui {variable}={wanted + 1}")
    port = free_port()
    write(f"port {default} {problem}: {what} gets port {port} (make ui {variable}=… chooses one)")
    return port


def unusable(port: int) -> str | None:
    """Return why a port of this machine cannot be used, or None."""
    try:
        free_port(port)
    except OverflowError:
        return "is none (they are 1 to 65535)"
    except OSError as error:
        return f"cannot be used ({os.strerror(error.errno or 0)})"
    return None


def free_port(port: int = 0) -> int:
    """Return a port that is free, by default any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return int(probe.getsockname()[1])


def write(line: str) -> None:
    """Print a line and flush it, also into a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
