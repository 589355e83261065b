"""Asset watchers on calls under a real scheduler and triggerer (Airflow 3): run by `make test-triggerer`.

Not part of the suite, since it starts a whole Airflow for each test and takes minutes. Each test stops the triggerer
in the middle, lets calls come while it is down, and starts it again.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager

from tests.airflow.runs.scheduler_run import ask, component_of, wait_for
from tests.airflow.runs.triggerer_run import COMPONENTS, QUIET, REMEMBERS, environment, no_file_holds_the_key
from tests.airflow.support.account import Account

EXPORTS = """
from datetime import datetime

from airflow.sdk import DAG, AssetWatcher

from airflow_provider_retreaver.assets import retreaver_asset, window_of_events
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator
from airflow_provider_retreaver.triggers.calls import RetreaverNewCallsEventTrigger

calls = retreaver_asset(
    1, "calls", "127.0.0.1",
    watchers=[AssetWatcher(name="new_calls", trigger=RetreaverNewCallsEventTrigger(poll_interval=1, overlap=5))],
)

with DAG(
    "exports", schedule=[calls], start_date=datetime(2026, 1, 1), is_paused_upon_creation=False,
    user_defined_macros={"window_of": window_of_events},
):
    RetreaverCallsToObjectStorageOperator(
        task_id="export", destination="file://FOLDER", by="updated_at", retries=3, retry_delay=1,
        start="{{ window_of(triggering_asset_events).start }}", end="{{ window_of(triggering_asset_events).end }}",
    )
"""
VOLUME = """
from datetime import datetime

from airflow.sdk import DAG, AssetWatcher, task

from airflow_provider_retreaver.assets import retreaver_asset
from airflow_provider_retreaver.triggers.calls import RetreaverCallVolumeEventTrigger

busy = retreaver_asset(
    1, "calls/volume", "127.0.0.1",
    watchers=[AssetWatcher(
        name="busy", trigger=RetreaverCallVolumeEventTrigger(window="1h", at_least=3, poll_interval=1),
    )],
)

with DAG("busy", schedule=[busy], start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):

    @task(retries=3, retry_delay=1)
    def crossed(triggering_asset_events=None):
        return [event.extra["payload"]["count"] for several in triggering_asset_events.values() for event in several]

    crossed()
"""
# Longer than a watcher needs to look and Airflow to start a run.
LONG_ENOUGH = 15


class Watching:
    """A whole Airflow but its triggerer, which comes and goes."""

    def __init__(self, lab, name, source, account):
        self.account = account
        self.home = lab.root / name
        self._env = environment(lab, self.home, source.replace("FOLDER", str(self.home / "exported")), account)
        self._stack = ExitStack()

    def __enter__(self):
        for component in COMPONENTS:
            options = [QUIET] if component == "scheduler" else []
            self._stack.enter_context(component_of(component, self._env, self.home, *options))
        return self

    def __exit__(self, *_):
        self._stack.close()

    @contextmanager
    def triggerer(self):
        """Run the triggerer, from its first look on until the block ends."""
        looks = len(self.account.sent())
        with component_of("triggerer", self._env, self.home, QUIET):
            self.wait(lambda: len(self.account.sent()) > looks + 1, "the looks of a triggerer")
            yield

    def wait(self, happened, what):
        """Wait until something has happened."""
        wait_for(happened, what, self.home)

    def results(self):
        """Return what the tasks returned, the oldest run first."""
        query = "SELECT x.value FROM xcom x JOIN dag_run r ON r.id = x.dag_run_id WHERE x.key = 'return_value'"
        return [json.loads(value) for (value,) in ask(self.home, f"{query} ORDER BY r.id")]

    def runs(self):
        """Return the states of all runs, the oldest first."""
        return [state for (state,) in ask(self.home, "SELECT state FROM dag_run ORDER BY id")]

    def settle(self):
        """Let pass what would be needed to start one more run, and wait until no run is unfinished."""
        time.sleep(LONG_ENOUGH)
        self.wait(lambda: set(self.runs()) <= {"success"}, "the end of all runs")

    def exported(self):
        """Return the calls of each export by manifest: sets of `(uuid, status)`."""
        found = []
        for result in self.results():
            manifest = json.loads((self.home / "exported" / result["manifest"].rpartition("/")[2]).read_text("utf-8"))
            rows = []
            for file in manifest["files"]:
                text = (self.home / "exported" / file["path"]).read_text("utf-8")
                rows += [json.loads(line) for line in text.splitlines()]
            assert len({row["uuid"] for row in rows}) == len(rows)
            found.append({(row["uuid"], row["status"]) for row in rows})
        return found


def add(account, count, **fields):
    """Let calls come; return their identities."""
    return account._handle("POST", "/__sandbox__/calls", {"count": count, "fields": fields})["uuids"]


def test_new_calls_are_exported(airflow_lab, running_sandbox):
    """New and updated calls start exports of their windows; calls that came while no triggerer ran are in one too."""
    account = Account(running_sandbox)
    account.reset()
    then = "2026-01-01T00:00:00Z"
    (old,) = add(account, 1, status="completed", created_at=then, updated_at=then)
    with Watching(airflow_lab, "new-calls", EXPORTS, account) as watching:
        with watching.triggerer():
            first = add(account, 3, status="in-progress")
            came = time.monotonic()
            watching.wait(lambda: len(watching.results()) == 1, "an export of the first calls")
            print(f"three calls came: they were exported {time.monotonic() - came:.1f} s later")
            account._handle("POST", f"/__sandbox__/calls/{first[1]}", {"fields": {"status": "completed"}})
            watching.wait(lambda: len(watching.results()) == 2, "an export of the updated call")
            watching.settle()
        # A window reaches back beyond the end of the one before: its newest calls are in both, and no others.
        waiting, done = {(uuid, "in-progress") for uuid in first}, (first[1], "completed")
        assert watching.exported() == [waiting | {(old, "completed")}, waiting - {(first[1], "in-progress")} | {done}]
        missed = add(account, 3, status="completed")
        time.sleep(6)  # longer than windows overlap
        missed_last = add(account, 1, status="completed")
        restarted = time.monotonic()
        with watching.triggerer():
            if REMEMBERS:
                watching.wait(lambda: len(watching.results()) == 3, "an export of what came while no triggerer ran")
                print(
                    f"so were four that came while it was down, {time.monotonic() - restarted:.1f} s after its return"
                )
            watching.settle()
            assert len(watching.runs()) == (3 if REMEMBERS else 2), (
                "without a memory nothing is new at the first look"
            )
            time.sleep(6)
            last = add(account, 1, status="completed")
            watching.wait(lambda: len(watching.results()) == (4 if REMEMBERS else 3), "an export of the last call")
            watching.settle()
    exports = [{uuid for uuid, _ in rows} for rows in watching.exported()[2:]]
    expected = [{*missed_last, *last}]
    assert exports == ([{first[1], *missed, *missed_last}, *expected] if REMEMBERS else expected)
    no_file_holds_the_key(watching.home)


def test_call_volume_is_announced_at_its_edge(airflow_lab, running_sandbox):
    """Crossing the line starts one run, staying none, crossing again another; a restart adds and misses none."""
    account = Account(running_sandbox)
    account.reset()
    with Watching(airflow_lab, "volume", VOLUME, account) as watching:
        with watching.triggerer():
            add(account, 2)
            time.sleep(5)
            add(account, 2)
            crossed = time.monotonic()
            watching.wait(lambda: watching.results() == [[4]], "a run for the first crossing")
            print(f"the line was crossed: the run had ended {time.monotonic() - crossed:.1f} s later")
            add(account, 3)
            watching.settle()
            assert watching.results() == [[4]], "staying above"
            account._control("POST", "clock", {"advance": 7200})
            time.sleep(5)
            add(account, 3)
            watching.wait(lambda: watching.results() == [[4], [3]], "a run for the second crossing")
        add(account, 1)
        with watching.triggerer():
            watching.settle()
            again = [] if REMEMBERS else [[4]]
            assert watching.results() == [[4], [3], *again], "a restart on the far side"
        account._control("POST", "clock", {"advance": 7200})
        with watching.triggerer():
            time.sleep(5)
        add(account, 5)
        with watching.triggerer():
            watching.wait(lambda: watching.results() == [[4], [3], *again, [5]], "a crossing while it was down")
            watching.settle()
        assert watching.results() == [[4], [3], *again, [5]]
        assert watching.runs() == ["success"] * len(watching.results())
        no_file_holds_the_key(watching.home)
