"""Follows "In an Airflow of your own" of docs/index.md in an environment that has only the built wheel.

It starts the sandbox and Airflow, tests the connection, triggers the page's DAG and waits for its result.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

sys.path.insert(0, str(Path(__file__).resolve().parent))

from local_airflow import PROJECT, LocalAirflow, StepFailed, child, reason
from ui import free_port, settings, wait_until_healthy

FOLDER = PROJECT / "dist" / "quick-start"
PAGE = PROJECT / "docs" / "index.md"
DAG_ID = "my_nightly_cap_reset"
RUN_TIMEOUT = 300  # seconds; a run takes about ten


@dataclass(frozen=True)
class InstalledAirflow(LocalAirflow):
    """An Airflow that imports what is installed, and not the sources in this folder."""

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a child process."""
        return {**super().environment(extra), "PYTHONSAFEPATH": "1"}


def main() -> int:
    """Follow the page; exit with an error message at the first step that fails."""
    text = PAGE.read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (connection,) = re.findall(r"export AIRFLOW_CONN_RETREAVER_DEFAULT='(.*)'", text)
    local = InstalledAirflow(FOLDER)
    port = free_port()
    try:
        with ExitStack() as stack:
            stack.enter_context(local.prepared("make check-quick-start"))
            url = stack.enter_context(local.sandbox(0))
            (FOLDER / "dags").mkdir(exist_ok=True)
            (FOLDER / "dags" / "my_dag.py").write_text(source, encoding="utf-8")
            extra = {
                **settings(port),
                "PYTHONPATH": "",  # without the settings of `make ui`, which keep DAGs from starting by the clock
                "AIRFLOW__CORE__DAGS_FOLDER": str(FOLDER / "dags"),
                # The page has the sandbox's usual port, which may be taken here.
                "AIRFLOW_CONN_RETREAVER_DEFAULT": connection.replace("http://127.0.0.1:8787", url),
            }
            local.migrate()
            command = [sys.executable, "-m", "airflow", "connections", "test", "retreaver_default"]
            local.call(command, "test", timeout=180, extra=extra)
            log = local.logs / "airflow.log"
            output = stack.enter_context(log.open("w", encoding="utf-8"))
            standalone = [sys.executable, "-m", "airflow", "standalone"]
            process = child(standalone, local.environment(extra), output, stop_signal=signal.SIGINT)
            wait_until_healthy(stack.enter_context(process), port, log)
            result = run(f"http://127.0.0.1:{port}", log)
    except StepFailed as failure:
        print(f"failed: {failure}", file=sys.stderr)
        return 1
    print(f"the quick start works: {len(result['reset'])} caps were reset, {len(result['failed'])} failed")
    return 0


def run(airflow: str, log: Path) -> Any:
    """Trigger the DAG, wait for the end of its run, and return what its task has returned."""
    token = send("GET", f"{airflow}/auth/token", "")["access_token"]
    dag = f"{airflow}/api/v2/dags/{DAG_ID}"
    deadline = time.monotonic() + RUN_TIMEOUT
    state, run_id = "", None
    while time.monotonic() < deadline and state not in ("success", "failed"):
        time.sleep(1)
        try:
            if run_id is None:  # not before the DAG's file was read
                send("PATCH", dag, token, {"is_paused": False})
                run_id = send("POST", f"{dag}/dagRuns", token, {"logical_date": None})["dag_run_id"]
            state = send("GET", f"{dag}/dagRuns/{run_id}", token)["state"]
        except OSError:
            continue
    if state != "success":
        raise StepFailed(f"the run of {DAG_ID} is {state or 'not there'}: {reason(log)}", log)
    entry = f"{dag}/dagRuns/{run_id}/taskInstances/reset_full_caps/xcomEntries/return_value?deserialize=true"
    return send("GET", entry, token)["value"]


def send(method: str, url: str, token: str, body: Any = None) -> Any:
    """Send a request to Airflow on this machine without a proxy, and return the JSON of its answer."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with build_opener(ProxyHandler({})).open(Request(url, data, headers, method=method), timeout=60) as answer:
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())
