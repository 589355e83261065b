"""Asset watchers on calls under a real scheduler and triggerer (Airflow 3): run by `make test-triggerer`.

Not part of the test suite, because it starts a complete Airflow for each test and takes minutes. Each test stops the
triggerer, adds calls, and starts it again.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager

from tests.airflow.runs.scheduler_run import query_database, run_component, wait_for
from tests.airflow.runs.triggerer_run import (
    COMPONENTS,
    HAS_STATE_STORE,
    NO_LOG_SERVER,
    assert_key_in_no_file,
    environment,
)
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
# Seconds; longer than a poll of a watcher and the start of a run take.
SETTLE_SECONDS = 15


class WatchedAirflow:
    """A complete Airflow whose triggerer is started and stopped separately."""

    def __init__(self, lab, name, source, account):
        self.account = account
        self.home = lab.root / name
        self._env = environment(lab, self.home, source.replace("FOLDER", str(self.home / "exported")), account)
        self._stack = ExitStack()

    def __enter__(self):
        for component in COMPONENTS:
            options = [NO_LOG_SERVER] if component == "scheduler" else []
            self._stack.enter_context(run_component(component, self._env, self.home, *options))
        return self

    def __exit__(self, *_):
        self._stack.close()

    @contextmanager
    def triggerer(self):
        """Run the triggerer; the block starts after its first poll."""
        polls = len(self.account.sent())
        with run_component("triggerer", self._env, self.home, NO_LOG_SERVER):
            self.wait(lambda: len(self.account.sent()) > polls + 1, "polls of the triggerer")
            yield

    def wait(self, condition, description):
        """Wait until a condition is true."""
        wait_for(condition, description, self.home)

    def results(self):
        """Return the results of the tasks, the oldest run first."""
        query = "SELECT x.value FROM xcom x JOIN dag_run r ON r.id = x.dag_run_id WHERE x.key = 'return_value'"
        return [json.loads(value) for (value,) in query_database(self.home, f"{query} ORDER BY r.id")]

    def runs(self):
        """Return the states of all runs, the oldest first."""
        return [state for (state,) in query_database(self.home, "SELECT state FROM dag_run ORDER BY id")]

    def settle(self):
        """Wait as long as the start of another run would take, and until all runs have ended."""
        time.sleep(SETTLE_SECONDS)
        self.wait(lambda: set(self.runs()) <= {"success"}, "the end of all runs")

    def exported(self):
        """Return the calls of each export by manifest: sets of `(uuid, status)`."""
        exports = []
        for result in self.results():
            manifest = json.loads((self.home / "exported" / result["manifest"].rpartition("/")[2]).read_text("utf-8"))
            rows = []
            for file in manifest["files"]:
                text = (self.home / "exported" / file["path"]).read_text("utf-8")
                rows += [json.loads(line) for line in text.splitlines()]
            assert len({row["uuid"] for row in rows}) == len(rows)
            exports.append({(row["uuid"], row["status"]) for row in rows})
        return exports


def add(account, count, **fields):
    """Add calls and return their UUIDs."""
    return account._handle("POST", "/__sandbox__/calls", {"count": count, "fields": fields})["uuids"]


def test_new_calls_are_exported(airflow_lab, running_sandbox):
    """New and updated calls start exports of their windows, also calls that were added while no triggerer ran."""
    account = Account(running_sandbox)
    account.reset()
    then = "2026-01-01T00:00:00Z"
    (old,) = add(account, 1, status="completed", created_at=then, updated_at=then)
    with WatchedAirflow(airflow_lab, "new-calls", EXPORTS, account) as watching:
        with watching.triggerer():
            first = add(account, 3, status="in-progress")
            added_at = time.monotonic()
            watching.wait(lambda: len(watching.results()) == 1, "an export of the first calls")
            print(f"three calls were exported {time.monotonic() - added_at:.1f} s after they were added")
            account._handle("POST", f"/__sandbox__/calls/{first[1]}", {"fields": {"status": "completed"}})
            watching.wait(lambda: len(watching.results()) == 2, "an export of the updated call")
            watching.settle()
        # Windows overlap: only the newest calls of the first window are also in the second.
        in_progress, completed = {(uuid, "in-progress") for uuid in first}, (first[1], "completed")
        assert watching.exported() == [
            in_progress | {(old, "completed")},
            in_progress - {(first[1], "in-progress")} | {completed},
        ]
        missed = add(account, 3, status="completed")
        time.sleep(6)  # longer than the overlap of windows
        missed_last = add(account, 1, status="completed")
        restarted = time.monotonic()
        with watching.triggerer():
            if HAS_STATE_STORE:
                watching.wait(
                    lambda: len(watching.results()) == 3, "an export of the calls added while no triggerer ran"
                )
                print(
                    f"four calls added while it was stopped were exported {time.monotonic() - restarted:.1f} s "
                    "after its restart"
                )
            watching.settle()
            assert len(watching.runs()) == (3 if HAS_STATE_STORE else 2), (
                "without a state store no call is new at the first poll"
            )
            time.sleep(6)
            last = add(account, 1, status="completed")
            watching.wait(
                lambda: len(watching.results()) == (4 if HAS_STATE_STORE else 3), "an export of the last call"
            )
            watching.settle()
    exports = [{uuid for uuid, _ in rows} for rows in watching.exported()[2:]]
    expected = [{*missed_last, *last}]
    assert exports == ([{first[1], *missed, *missed_last}, *expected] if HAS_STATE_STORE else expected)
    assert_key_in_no_file(watching.home)


def test_call_volume_starts_a_run_when_it_crosses_its_limit(airflow_lab, running_sandbox):
    """Crossing the limit starts one run, staying above none, crossing again another; also across restarts."""
    account = Account(running_sandbox)
    account.reset()
    with WatchedAirflow(airflow_lab, "volume", VOLUME, account) as watching:
        with watching.triggerer():
            add(account, 2)
            time.sleep(5)
            add(account, 2)
            crossed = time.monotonic()
            watching.wait(lambda: watching.results() == [[4]], "a run for the first crossing")
            print(f"the run ended {time.monotonic() - crossed:.1f} s after the limit was crossed")
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
            again = [] if HAS_STATE_STORE else [[4]]
            assert watching.results() == [[4], [3], *again], "a restart while above the limit"
        account._control("POST", "clock", {"advance": 7200})
        with watching.triggerer():
            time.sleep(5)
        add(account, 5)
        with watching.triggerer():
            watching.wait(lambda: watching.results() == [[4], [3], *again, [5]], "a crossing while it was stopped")
            watching.settle()
        assert watching.results() == [[4], [3], *again, [5]]
        assert watching.runs() == ["success"] * len(watching.results())
        assert_key_in_no_file(watching.home)
