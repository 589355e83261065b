"""Resets, exports, syncs and sensors for a long time against changing faults; run by `make soak`.

All rounds run in one process, the sandbox in another one. After each round what was asked and what the sandbox has
are compared; at the end, what the process holds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor
from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger
from tests.airflow.support.account import Account, context_of, reset_caps
from tests.airflow.support.account import TaskInstance as Attempt
from tests.airflow.support.exports import Calls, contents, export, rows_of
from tests.airflow.support.growth import LEAST, growth, held
from tests.airflow.support.remote_sandbox import remote_account
from tests.airflow.support.suppression import phone_numbers, suppressed, sync
from tests.stopping import TimeIsUp, threads_left

pytestmark = pytest.mark.airflow

MINUTES = float(os.environ.get("MINUTES") or 30)
SEED = int(os.environ.get("SEED") or time.time_ns() % 1_000_000)
TARGETS, CALLS, LISTED, FAULTS = 20, 250, 60, 4
FIRST_WINDOW = datetime(2026, 1, 5, tzinfo=UTC)
# What a process that leaks nothing may hold more after thousands of requests: MB, files, threads of libraries.
MOST_GROWN = {"memory": 8, "files": 2, "threads": 0, "all threads": 2}
# A round takes seconds; one that takes as long hangs.
MOST_SECONDS = 300
# Rounds between two lines of the report.
REPORTED = 20
# Statuses of writes that took effect.
DONE = range(200, 300)


class Soak:
    """The rounds.

    :param account: of the sandbox.
    :param folder: for files.
    :param loop: of all triggers, as a triggerer has one.
    """

    def __init__(self, account: Account, folder: Path, loop: asyncio.Runner) -> None:
        self.account = account
        self.folder = folder
        self.loop = loop
        self.random = random.Random(SEED)  # noqa: S311 - the same rounds for a seed
        self.targets = account.targets(TARGETS, cap=50, filled=0)
        self.listed: set[str] = set()
        self.counts = Counter[str]()

    def script_faults(self) -> None:
        """Script what some requests of the next task get."""
        kinds = (
            {"status": 429, "headers": {"Retry-After": "0"}},
            {"status": 500, "method": "GET"},
            {"status": 503, "headers": {"Retry-After": "0"}},
            {"cut": True, "method": "GET"},
            {"cut": True, "method": "POST"},
            {"delay": 0.2},
        )
        for _ in range(self.random.randint(0, FAULTS)):
            self.account.fault("", times=1, **self.random.choice(kinds))  # type: ignore[arg-type]

    def lose_answers(self, paths: Iterable[str]) -> set[str]:
        """Script that the responses to up to two of these writes are lost after they were done; return those."""
        among = sorted(paths)
        lost = set(self.random.sample(among, min(len(among), self.random.randint(0, 2))))
        for path in lost:
            for method in ("POST", "DELETE"):
                how = self.random.choice([{"status": 500}, {"cut": True}])
                self.account.fault(re.escape(path), method=method, times=1, then="done", **how)  # type: ignore[arg-type]
        return lost

    def end_task(self, name: str) -> None:
        """Count what a task sent, and forget it."""
        self.account.clear_faults()
        entries = self.account.entries()
        self.counts[name] += 1
        self.counts["requests"] += len(entries)
        self.counts["failures"] += sum(entry["status"] not in DONE for entry in entries)
        self.account._control("DELETE", "requests")
        assert threads_left() == [], name

    def answered(self, *methods: str) -> Counter[str]:
        """Return how many writes took effect with a response, by path."""
        entries = self.account.entries()
        return Counter(entry["path"] for entry in entries if entry["method"] in methods and entry["status"] in DONE)

    def reset(self, number: int) -> None:
        """Reset all caps; of some the response is lost after it was done."""
        filled = {id_: self.random.randint(1, 50) for id_ in self.targets}
        for id_, count in filled.items():
            self.account.fill(id_, count)
        lost = self.lose_answers(f"/targets/{id_}/reset_cap.json" for id_ in self.targets)
        self.script_faults()
        context = context_of(ti=Attempt(run_id=f"run {number}"))
        result = reset_caps(context, target_ids=self.targets, state_path=(self.folder / "state").as_uri())
        self.account.clear_faults()
        assert sorted(row["id"] for row in result["reset"]) == self.targets
        assert result["failed"] == []
        paths = {f"/targets/{id_}/reset_cap.json" for id_ in self.targets}
        assert self.answered("POST") == Counter(paths - lost)
        assert [self.account.filled(id_) for id_ in self.targets] == [0] * TARGETS
        self.end_task("resets")

    def export(self, number: int) -> None:
        """Export a window in each format."""
        start = FIRST_WINDOW + timedelta(minutes=number)
        end = start + timedelta(minutes=1)
        uuids = Calls(self.account).add(CALLS, start.isoformat(), end.isoformat())
        for form in ("jsonl", "csv", "parquet"):
            self.script_faults()
            folder = self.folder / "exports" / form
            result = export(destination=folder.as_uri(), start=start, end=end, format=form)
            assert result["calls"] == CALLS, result
            if form == "parquet":
                from pyarrow import BufferReader, parquet

                tables = [parquet.read_table(BufferReader(data)) for data in contents(result)]
                found = [uuid for table in tables for uuid in table["uuid"].to_pylist()]
            else:
                found = [row["uuid"] for row in rows_of(result)]
            assert sorted(found) == sorted(uuids), form
            self.end_task("exports")

    def sync(self, number: int) -> None:
        """Mirror a list that has changed a little."""
        dropped = set(self.random.sample(sorted(self.listed), len(self.listed) // 10))
        added = phone_numbers(LISTED if not self.listed else len(dropped) or 3, start=1000 * number)
        self.listed = (self.listed - dropped) | set(added)
        paths = {f"/suppressed_numbers/{quote(phone)}.json" for phone in dropped.union(added)}
        lost = self.lose_answers(paths)
        self.script_faults()
        context = {"ti": Attempt(run_id=f"run {number}", task_id="sync")}
        parameters = {"numbers": sorted(self.listed), "state_path": (self.folder / "state").as_uri()}
        result = sync(context, **parameters, max_removals="50%")
        assert (result["added"], result["removed"]) == (len(added), len(dropped)), result
        self.account.clear_faults()
        # What was written and not confirmed may be written again; it has the same effect.
        done = self.answered("POST", "DELETE")
        assert max(done.values()) == 1
        assert paths - lost <= done.keys() <= paths
        assert set(suppressed(self.account)) == self.listed
        self.end_task("syncs")

    def watch(self, number: int) -> None:
        """Let a sensor poll in this thread, and a trigger wait for a filled cap in an event loop."""
        start = FIRST_WINDOW + timedelta(minutes=number)
        end = start + timedelta(minutes=1)
        self.script_faults()
        sensor = RetreaverCallVolumeSensor(
            task_id="volume", deferrable=False, start=start.isoformat(), end=end.isoformat(), at_least=CALLS
        )
        assert sensor.poke({}).is_done
        self.end_task("polls")
        self.script_faults()
        target, now = self.random.choice(self.targets), datetime.now(UTC)
        trigger = RetreaverConditionTrigger(
            retreaver_conn_id="retreaver_default",
            kind="cap_filled",
            options=RetreaverCapFilledSensor(task_id="filled", target_id=target, at_least=0.9).condition().options(),
            deadline=(now + timedelta(minutes=5)).isoformat(),
            next_look=now.isoformat(),
            poke_interval=0.1,
            failure_budget=300.0,
        )
        payload = self.loop.run(self.event_after_calls(trigger, target))
        assert payload["status"] == "met"
        assert [row["id"] for row in payload["value"]] == [target]
        self.end_task("triggers")

    async def event_after_calls(self, trigger: RetreaverConditionTrigger, target: int) -> Any:
        """Return the payload of the event of a trigger that waits until a target's cap is filled."""
        async with aclosing(trigger.run()) as events:
            waiting = asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([waiting], timeout=0.5)
            assert not done, "it is not met yet"
            await asyncio.to_thread(self.account.fill, target, 45)
            event = await waiting
        assert len(asyncio.all_tasks()) == 1
        return event.payload


@contextmanager
def named(number: int) -> Iterator[None]:
    """End a round that hangs, and name a round that fails."""

    def handle(*_: object) -> None:
        raise TimeIsUp(f"the round takes more than {MOST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, handle)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    except BaseException as error:
        error.add_note(f"round {number + 1}, SEED={SEED}")
        raise
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_rounds(tmp_path, monkeypatch, capfd):
    """Every round ends as it must, and after thousands of requests the process holds what it held before."""

    def report(text: str) -> None:
        with capfd.disabled():
            print(text, flush=True)

    ends, measured = time.monotonic() + 60 * MINUTES, []
    with remote_account() as account, asyncio.Runner() as loop:
        connection = account.connection(extra={"max_concurrency": 4})
        monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
        soak = Soak(account, tmp_path, loop)
        report(f"\nAirflow {airflow_version}: {MINUTES:g} minutes, SEED={SEED}")
        while time.monotonic() < ends or len(measured) < LEAST:
            number = len(measured)
            with named(number):
                for work in (soak.reset, soak.export, soak.sync, soak.watch):
                    work(number)
            measured.append(held())
            if number % REPORTED == 0:
                report(f"round {number + 1}: {dict(soak.counts)}; holds {measured[-1]}")
    grown = {name: growth([one[name] for one in measured]) for name in measured[0]}
    report(f"{len(measured)} rounds: {dict(soak.counts)}; holds {measured[-1]}; grown by {grown}")
    assert {name: grown[name] for name in MOST_GROWN if grown[name] > MOST_GROWN[name]} == {}
