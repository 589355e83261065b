"""Starts `make ui` and clicks through it in Chromium: every example DAG, the connection's form, a log, a link.

`make test-ui` runs it. Pictures are kept in `.ui-test/pictures`, or in the folder that `PICTURES` names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener
from zoneinfo import ZoneInfo

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from tests.ui.browser import Browser, chromium, wait_for  # noqa: E402 - after the path

FOLDER = PROJECT / ".ui-test"
PICTURES = Path(os.environ.get("PICTURES") or FOLDER / "pictures")
START, RUN = 600.0, 420.0  # seconds at most; they take about 30 and up to 90
NEW_YORK = ZoneInfo("America/New_York")
ENDED = {"success", "failed"}
OK, SKIPPED, FAILED, UPSTREAM_FAILED = "success", "skipped", "failed", "upstream_failed"
HOLIDAYS = {"2026-11-26", "2026-12-25", "2027-01-01"}


def expected(dag_id: str, now: datetime) -> dict[str, Counter[str]]:
    """Return how the tasks of an example DAG end at a time, when it is triggered with its form as it stands."""
    weekday, clock = now.isoweekday() <= 5, now.strftime("%H:%M")
    today, yesterday = f"{now:%Y-%m-%d}", f"{now - timedelta(days=1):%Y-%m-%d}"
    one, skipped = Counter({OK: 1}), Counter({SKIPPED: 1})
    # The account is new: on the day after a holiday there is nothing that could be restored, as the DAG's page says.
    nothing_saved = yesterday in HOLIDAYS
    tasks: dict[str, dict[str, Counter[str]]] = {
        "retreaver_account": dict.fromkeys(("plan", "approve", "apply"), one),
        "retreaver_business_hours": {"office": one, "night_shift": one},
        "retreaver_calls_backfill_year": {"weeks": one, "export_week": Counter({OK: 53})},
        "retreaver_calls_incremental": {"export_updated": one, "report": one},
        "retreaver_calls_to_postgres": {"load_calls": one},
        "retreaver_conversions_back": {"conversions_back": one, "report": one},
        "retreaver_drain_and_maintain": dict.fromkeys(("pause", "drained", "maintain", "resume"), one),
        "retreaver_evening_pause": {"is_it_evening": one, "is_it_morning": one, "pause": one, "resume": skipped},
        "retreaver_export_new_calls": {"export_new": one},
        "retreaver_holiday_closing": {
            "was_yesterday_a_holiday": one,
            "is_today_a_holiday": one,
            "close": Counter({UPSTREAM_FAILED: 1}) if nothing_saved else one if today in HOLIDAYS else skipped,
            "reopen": Counter({FAILED: 1}) if nothing_saved else skipped,
        },
        "retreaver_mark_spam_callers": dict.fromkeys(("take_webhooks", "find_spam", "mark"), skipped),
        "retreaver_nightly_cap_reset": {"reset_full_caps": one, "report": one},
        "retreaver_nightly_resets_both_platforms": dict.fromkeys(
            ("reset_hard_caps", "list_groups", "reset_total_caps", "report"), one
        ),
        "retreaver_nightly_suppression_sync": {"mirror_do_not_call": one, "report": one},
        "retreaver_pause_at_90_percent": {
            "buyers": one,
            "watch.cap_at_90_percent": Counter({OK: 3}),
            "watch.pause": Counter({OK: 3}),
        },
        "retreaver_quiet_line_alert": {
            **dict.fromkeys(("campaign", "quiet", "in_working_hours"), one),
            "alarm": one if weekday and "09:30" <= clock < "17:00" else skipped,
        },
    }
    return tasks[dag_id]


DAGS = sorted(path.stem for path in (PROJECT / "example_dags").glob("*.py"))


class Interface:
    """`make ui` while it runs.

    :param output: what it has printed.
    """

    def __init__(self, output: str) -> None:
        self.output = output
        self.url, self.sandbox = re.findall(r"^  (?:Airflow|sandbox) +(http://\S+)", output, re.MULTILINE)
        self._opener = build_opener(ProxyHandler({}))
        self._token = self.get("/auth/token")["access_token"]

    def get(self, path: str) -> Any:
        """Read from Airflow's API."""
        headers = {} if path.startswith("/auth") else {"Authorization": f"Bearer {self._token}"}
        with self._opener.open(Request(f"{self.url}{path}", headers=headers), timeout=60) as answer:
            return json.load(answer)

    def runs(self, dag_id: str) -> dict[str, str]:
        """Return the states of the runs of a DAG."""
        rows = self.get(f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        return {row["dag_run_id"]: row["state"] for row in rows}

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        found: list[dict[str, Any]] = self.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=100")[
            "task_instances"
        ]
        return found

    def asks(self, dag_id: str, run_id: str) -> bool:
        """Return whether a task of a run waits for a person."""
        return bool(self.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/hitlDetails")["hitl_details"])

    def ended(self, dag_id: str, run_id: str) -> str:
        """Wait until a run has ended, and return its state."""

        def look() -> str | None:
            state = self.runs(dag_id)[run_id]
            return state if state in ENDED else None

        return wait_for(f"end of the run of {dag_id}", look, RUN)


@pytest.fixture(scope="module")
def interface() -> Iterator[Interface]:
    """Run `make ui` on free ports, and check at its end that it leaves nothing behind."""
    FOLDER.mkdir(exist_ok=True)
    python = PROJECT / ".venv" / "bin" / "python"
    command = [str(python), str(PROJECT / "scripts" / "ui.py"), "--folder", str(FOLDER / "home"), "--port", "0"]
    log = FOLDER / "ui.log"
    with log.open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=PROJECT)
        try:

            def started() -> str | None:
                text = log.read_text(encoding="utf-8")
                assert process.poll() is None, text
                return text if "Ctrl-C stops everything" in text else None

            yield Interface(wait_for("start of make ui", started, START))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@pytest.fixture(scope="module")
def browser(interface: Interface) -> Iterator[Browser]:
    """Run a browser on the interface."""
    profile = FOLDER / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    with chromium(profile, interface.url, PICTURES) as one:
        wait_for("all DAGs", lambda: interface.get("/api/v2/dags?limit=100")["total_entries"] == len(DAGS), START)
        yield one


def trigger(browser: Browser, interface: Interface, dag_id: str, picture: str | None = None) -> str:
    """Trigger a DAG by clicks, with its form as it stands, and return the run's ID."""
    before = interface.runs(dag_id)
    browser.open(f"/dags/{dag_id}")
    browser.click("[data-testid=trigger-dag-button]")
    browser.find("[data-testid=trigger-dag-submit]")
    if picture:
        browser.picture(picture)
    browser.click("[data-testid=trigger-dag-submit]")

    def look() -> str | None:
        return next((run for run in interface.runs(dag_id) if run.startswith("manual") and run not in before), None)

    return wait_for(f"run of {dag_id}", look)


@pytest.mark.parametrize("dag_id", DAGS)
def test_example(interface: Interface, browser: Browser, dag_id: str) -> None:
    """An example DAG that is triggered as it stands ends as its page says, without a second attempt."""
    started, now = time.monotonic(), datetime.now(NEW_YORK)
    form = "trigger-form" if dag_id == "retreaver_pause_at_90_percent" else None
    run_id = trigger(browser, interface, dag_id, form)
    if dag_id == "retreaver_account":
        wait_for("question", lambda: interface.asks(dag_id, run_id), RUN)
        browser.open(f"/dags/{dag_id}/runs/{run_id}/tasks/approve/required_actions")
        browser.click("button", "Approve")
    state = interface.ended(dag_id, run_id)
    seconds = time.monotonic() - started
    tasks = interface.tasks(dag_id, run_id)
    print(f"\n{dag_id:42} {state:8} {seconds:4.0f} s")
    states: dict[str, Counter[str]] = {}
    for task in tasks:
        states.setdefault(task["task_id"], Counter())[task["state"]] += 1
    wanted = expected(dag_id, now)
    as_wanted = FAILED if any(FAILED in counts for counts in wanted.values()) else OK
    assert (state, states) == (as_wanted, wanted)
    assert {task["try_number"] for task in tasks if task["state"] == OK} <= {1}
    assert set(interface.runs(dag_id)) == {run_id}  # nothing runs by the clock
    browser.open(f"/dags/{dag_id}/runs/{run_id}")
    browser.shows("Success" if state == OK else "Failed")
    if dag_id == "retreaver_pause_at_90_percent":
        browser.picture("green-run")


def test_links_of_tasks(interface: Interface, browser: Browser) -> None:
    """A task links to the object that it changed, and the link leads there."""
    dag_id = "retreaver_business_hours"
    run_id = next(iter(interface.runs(dag_id)), None) or trigger(browser, interface, dag_id)
    assert interface.ended(dag_id, run_id) == OK
    browser.open(f"/dags/{dag_id}/runs/{run_id}/tasks/night_shift/details")
    link = browser.find("a", "Open in Retreaver")
    browser.picture("task-link")
    address = link.get_attribute("href") or ""
    assert address.startswith(f"{interface.sandbox}/")
    browser.driver.get(address)
    browser.shows("buyer-003")


def test_links_of_mapped_tasks(interface: Interface, browser: Browser) -> None:
    """Each instance of a mapped task links to the buyer that it paused, and the links lead there."""
    dag_id = "retreaver_pause_at_90_percent"
    run_id = next(iter(interface.runs(dag_id)), None) or trigger(browser, interface, dag_id)
    assert interface.ended(dag_id, run_id) == OK
    pages = set()
    for index in range(3):
        browser.open(f"/dags/{dag_id}/runs/{run_id}/tasks/watch.pause/mapped/{index}/details")
        address = browser.find("a", "Open in Retreaver").get_attribute("href") or ""
        if index == 0:
            browser.picture("mapped-task-link")
        browser.driver.get(address)
        pages.add(re.findall(r"/portal/targets/(\d+)$", browser.driver.current_url)[0])
        assert "buyer-" in browser.shows("Targets")
    assert len(pages) == 3


def test_nothing_was_written_elsewhere(interface: Interface) -> None:
    """The DAGs' files are in the folder of `make ui`, and all DAG files are imported."""
    assert interface.get("/api/v2/importErrors")["import_errors"] == []
    folders = {path.name for path in (FOLDER / "home" / "storage").iterdir()}
    assert folders == {"account", "calls", "conversions", "do-not-call", "snapshots", "webhooks"}
    for folder in ("/opt/airflow/retreaver", "/var/lib/airflow", "/tmp/retreaver"):  # noqa: S108 - must not exist
        assert not Path(folder).exists()


def test_printed_commands(interface: Interface) -> None:
    """Each command that `make ui` prints works as printed, and new calls start the DAG that exports them."""
    commands = [line.strip() for line in interface.output.splitlines() if line.startswith("  curl ")]
    assert len(commands) == 6
    started_by_events = ("retreaver_export_new_calls", "retreaver_mark_spam_callers")
    before = {dag_id: set(interface.runs(dag_id)) for dag_id in started_by_events}
    for command in commands:
        done = subprocess.run(
            ["/bin/sh", "-c", f"{command} --silent --show-error --fail"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stderr)
        json.loads(done.stdout)

    def by_event(dag_id: str) -> list[str]:
        return [run for run in interface.runs(dag_id) if run not in before[dag_id]]

    exporting, marking = started_by_events
    run_id = wait_for("run of export_new_calls by an event", lambda: next(iter(by_event(exporting)), None), RUN)
    assert run_id.startswith("asset_triggered")
    assert interface.ended(exporting, run_id) == OK

    def marked() -> str | None:
        # The webhooks of the other calls are in the same run, or in one before, which marks nothing.
        for run in by_event(marking):
            if any(task["task_id"] == "mark" and task["state"] == OK for task in interface.tasks(marking, run)):
                return run
        return None

    run_id = wait_for("calls of a caller who hung up three times that are marked", marked, RUN)
    assert run_id.startswith("asset_triggered")
    assert interface.ended(marking, run_id) == OK


def answer_of_test(browser: Browser, name: str = "retreaver_default") -> str:
    """Click Test of a stored connection, and return the answer."""
    browser.open(f"/connections?name_pattern={name}")
    browser.shows(name)
    row = next(one for one in browser.driver.find_elements("css selector", "tr") if name in one.text.split())
    row.find_element("css selector", "button[aria-label='Test Connection']").click()
    return wait_for("answer to Test", browser.answer)


def edit(browser: Browser, name: str, **fields: str) -> None:
    """Change fields of a stored connection in its form."""
    browser.open(f"/connections?name_pattern={name}")
    browser.shows(name)
    row = next(one for one in browser.driver.find_elements("css selector", "tr") if name in one.text.split())
    row.find_element("css selector", "button[aria-label='Edit Connection']").click()
    browser.find("[role=dialog] input[name=password]")
    for field, value in fields.items():
        browser.fill(f"[role=dialog] input[name={field}]", value)


def save(browser: Browser) -> None:
    """Save the form, and wait until it is gone."""
    browser.click("[role=dialog] button", "Save")
    wait_for("end of the form", lambda: not browser.driver.find_elements("css selector", "[role=dialog]"))


def test_the_connection_and_its_form(interface: Interface, browser: Browser) -> None:
    """Test answers for the connection of `make ui`; with a wrong key it says so, and so does a task's log."""
    assert "Connected to company 1 (Sandbox Calls)." in answer_of_test(browser)
    browser.picture("test-good-key")
    edit(browser, "retreaver_default", password="wrong-key")
    browser.picture("connection-form")
    save(browser)
    assert "API key (password)" in answer_of_test(browser)
    browser.picture("test-wrong-key")
    dag_id, task_id = "retreaver_nightly_cap_reset", "reset_full_caps"
    run_id = trigger(browser, interface, dag_id)
    assert interface.ended(dag_id, run_id) == "failed"
    browser.open(f"/dags/{dag_id}/runs/{run_id}/tasks/{task_id}")
    browser.shows("API key")
    browser.click("summary", "FinalAuthenticationError")  # folds up Airflow's own frames
    browser.driver.find_element("css selector", "body").send_keys("w")  # wraps long lines
    browser.picture("failure-log")
    edit(browser, "retreaver_default", password="sandbox-key")
    save(browser)
    assert "Connected to company 1" in answer_of_test(browser)


@pytest.mark.parametrize("port_apart", [True, False])
def test_a_connection_that_is_typed(interface: Interface, browser: Browser, port_apart: bool) -> None:
    """A connection that is typed into the form is tested; with a blank Port Airflow may refuse it, as documented."""
    name = f"typed_{port_apart}".lower()
    url, _, port = interface.sandbox.rpartition(":")
    fields = {"host": url, "port": port} if port_apart else {"host": interface.sandbox}
    browser.open("/connections")
    browser.click("button", "Add Connection")
    browser.fill("[role=dialog] input[name=connection_id]", name)
    kind = browser.driver.find_elements("css selector", "[role=dialog] input")[1]
    kind.send_keys("retreaver\n")
    browser.find("[role=dialog] input[name=password]")
    for field, value in {**fields, "login": "1", "password": "sandbox-key"}.items():
        browser.fill(f"[role=dialog] input[name={field}]", value)
    save(browser)
    answer = answer_of_test(browser, name)
    print(f"\n{name}: {answer}")
    assert "Connected to company 1" in answer or (not port_apart and "Bad Request" in answer)
