"""A plan is approved, rejected and left unanswered in Chromium, in a real Airflow with two people.

`make test-account-ui` runs it on Airflow 3.3 and on 3.1. Pictures are kept in `.ui-test/pictures`, or in the folder
that `PICTURES` names.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from tests.airflow.support.api_server import ApiServer, api_server  # noqa: E402 - after the path
from tests.ui.browser import Browser, chromium, wait_for  # noqa: E402
from tests.ui.page_run import FOLDER, PICTURES, PYTHON, Box, connection, environment, log_in, sandbox  # noqa: E402

EXAMPLE = PROJECT / "example_dags" / "retreaver_account.py"
# Everything that an Airflow needs besides its api-server.
COMPONENTS = ("scheduler", "dag-processor", "triggerer")
RUN = 300.0  # seconds; a run takes about 30
ENDED = {"success", "failed"}
# Variants of the example: who may approve, and how long it waits.
APPROVERS = '[{"id": "olga", "name": "olga"}]'
VARIANTS = {
    "retreaver_account": {"APPROVERS = None": f"APPROVERS = {APPROVERS}"},
    "impatient": {'dag_id="retreaver_account"': 'dag_id="impatient"', "timedelta(days=2)": "timedelta(seconds=1)"},
}


@dataclass(frozen=True)
class Company:
    """The account, and the Airflow that manages it.

    :param server: Airflow's api-server.
    :param box: the account.
    """

    server: ApiServer
    box: Box

    def start(self, dag_id: str) -> str:
        """Trigger a DAG, and return the run's ID."""
        self.server.api("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        made = self.server.api("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})
        return str(made["dag_run_id"])

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the states of the tasks of a run."""
        rows = self.server.api("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {row["task_id"]: row["state"] for row in rows}

    def waiting(self, dag_id: str, run_id: str) -> str:
        """Wait until a person is asked, and return the state of the task that asks."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/hitlDetails"
        wait_for("question", lambda: self.server.api("GET", path)["hitl_details"], RUN)
        return wait_for("state of the question", lambda: self.asking(dag_id, run_id), RUN)

    def asking(self, dag_id: str, run_id: str) -> str | None:
        """Return the state of the task that asks, None where it does not yet wait."""
        state = self.states(dag_id, run_id)["approve"]
        return state if state in ("awaiting_input", "deferred") else None

    def ended(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Wait until a run has ended, and return the states of its tasks with that of the run."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"

        def look() -> str | None:
            state = self.server.api("GET", path)["state"]
            return state if state in ENDED else None

        return {"run": wait_for("end of the run", look, RUN), **self.states(dag_id, run_id)}

    def result(self, run_id: str, task_id: str) -> Any:
        """Return the result of a task."""
        path = f"/api/v2/dags/retreaver_account/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        value = self.server.api("GET", path)["value"]
        return json.loads(value) if isinstance(value, str) else value

    def log(self, run_id: str, task_id: str) -> str:
        """Return the log of the first attempt of a task."""
        path = f"/api/v2/dags/retreaver_account/dagRuns/{run_id}/taskInstances/{task_id}/logs/1?full_content=true"
        return json.dumps(self.server.api("GET", path))

    def cap(self) -> int | None:
        """Return the daily cap of the tenth buyer."""
        caps = self.box.call("GET", "/targets/10.json")["target"]["caps"]
        return next(cap["cap"] for cap in caps if cap["type"] == "Daily")

    def set_cap(self, cap: int) -> None:
        """Change the daily cap of the tenth buyer, as somebody else."""
        self.box.call("PUT", "/targets/10.json", {"target": {"daily_cap_attributes": {"cap": cap}}})

    def writes(self) -> int:
        """Return how many requests have changed the account."""
        return sum(entry["method"] != "GET" for entry in self.box.call("GET", "/__sandbox__/requests"))


@contextmanager
def component(name: str, server: ApiServer) -> Iterator[None]:
    """Run a component of Airflow."""
    with (server.home / f"{name}.log").open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [PYTHON, "-m", "airflow", name],
            env=dict(server.environment),
            cwd=server.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    """Run the account and an Airflow with the variants of the example DAG."""
    FOLDER.mkdir(exist_ok=True)
    home = FOLDER / "account-home"
    shutil.rmtree(home, ignore_errors=True)
    dags = home / "dags"
    shutil.copytree(EXAMPLE.with_name("account"), dags / "account")
    for name, changes in VARIANTS.items():
        text = EXAMPLE.read_text(encoding="utf-8")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (dags / f"{name}.py").write_text(text, encoding="utf-8")
    with ExitStack() as stack:
        box = stack.enter_context(sandbox("demo"))
        settings = {
            **environment(home),
            "AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps(connection(box)),
            "AIRFLOW_VAR_RETREAVER_STORAGE": f"file://{home}/storage",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "0",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "0",
        }
        migrate = [PYTHON, "-m", "airflow", "db", "migrate"]
        subprocess.run(migrate, env=settings, check=True, capture_output=True, timeout=300, cwd=home)
        server = stack.enter_context(api_server(home, settings, PYTHON))
        for name in COMPONENTS:
            stack.enter_context(component(name, server))
        wait_for("DAGs", lambda: server.api("GET", "/api/v2/dags")["total_entries"] == len(VARIANTS), RUN)
        yield Company(server, box)


@pytest.fixture(scope="module")
def browser(company: Company) -> Iterator[Browser]:
    """Run a browser in which the approver has logged in."""
    profile = FOLDER / "account-profile"
    shutil.rmtree(profile, ignore_errors=True)
    with chromium(profile, company.server.url, PICTURES) as one:
        log_in(one, company.server, "olga")
        yield one


def question(browser: Browser, run_id: str) -> str:
    """Open what the approver is asked, and return its text."""
    browser.open(f"/dags/retreaver_account/runs/{run_id}/tasks/approve/required_actions")
    browser.find("button", "Approve")
    return browser.shows("caps.daily", "Plan")


def test_rejected(company: Company, browser: Browser) -> None:
    """The apply is skipped, the run succeeds, and nothing was sent."""
    before, writes = company.cap(), company.writes()
    run_id = company.start("retreaver_account")
    company.waiting("retreaver_account", run_id)
    question(browser, run_id)
    browser.click("button", "Reject")
    assert company.ended("retreaver_account", run_id) == {
        "run": "success",
        "plan": "success",
        "approve": "success",
        "apply": "skipped",
    }
    assert (company.cap(), company.writes()) == (before, writes)


def test_not_answered(company: Company) -> None:
    """The question fails once, without a retry that asks again, and nothing was sent."""
    writes = company.writes()
    run_id = company.start("impatient")
    states = company.ended("impatient", run_id)
    assert states == {"run": "failed", "plan": "success", "approve": "failed", "apply": "upstream_failed"}
    assert company.writes() == writes


def test_stale(company: Company, browser: Browser) -> None:
    """Somebody changes the account before the approval: the plan is made again, shown as stale, and not applied."""
    before = company.cap() or 0
    run_id = company.start("retreaver_account")
    company.waiting("retreaver_account", run_id)
    company.set_cap(before + 1)
    writes = company.writes()
    question(browser, run_id)
    browser.click("button", "Approve")
    states = company.ended("retreaver_account", run_id)
    assert states == {"run": "failed", "plan": "success", "approve": "success", "apply": "failed"}
    assert "is stale" in company.log(run_id, "apply")
    assert (company.cap(), company.writes()) == (before + 1, writes)
    company.set_cap(before)


def test_the_wrong_approver(company: Company) -> None:
    """Who may not answer for the DAG, or is not among the approvers, is refused, and the run waits on."""
    run_id = company.start("retreaver_account")
    state = company.waiting("retreaver_account", run_id)
    answer = {"chosen_options": ["Approve"], "params_input": {}}
    path = f"/api/v2/dags/retreaver_account/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    for user in ("vera", "oscar"):
        with pytest.raises(HTTPError) as refused:
            company.server.api("PATCH", path, answer, user=user)
        assert refused.value.code == 403, user
    time.sleep(3)
    assert company.states("retreaver_account", run_id)["approve"] == state
    company.server.api("PATCH", path, {"chosen_options": ["Reject"], "params_input": {}})
    assert company.ended("retreaver_account", run_id)["apply"] == "skipped"


def test_approved(company: Company, browser: Browser) -> None:
    """What was approved is applied, the approver is in the result, and the next run has nothing to ask."""
    run_id = company.start("retreaver_account")
    company.waiting("retreaver_account", run_id)
    text = question(browser, run_id)
    assert company.result(run_id, "plan")["sha256"] in text
    browser.picture("account-approval")
    browser.click("button", "Approve")
    states = company.ended("retreaver_account", run_id)
    assert states == {"run": "success", "plan": "success", "approve": "success", "apply": "success"}
    assert company.cap() == 60
    result = company.result(run_id, "apply")
    assert (result["approved_by"], result["counts"]["done"]) == ("olga", 2)
    browser.open(f"/dags/retreaver_account/runs/{run_id}")
    browser.shows("Success")
    browser.picture("account-applied")
    again = company.start("retreaver_account")
    states = company.ended("retreaver_account", again)
    assert states == {"run": "success", "plan": "skipped", "approve": "skipped", "apply": "skipped"}
