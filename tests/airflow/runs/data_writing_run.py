"""Twenty thousand rows with latency and 2 % faults, killed twice at random; run by `make test-data-writing`."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections import Counter

import pytest

from airflow_provider_retreaver.sandbox.local_server import run_sandbox
from airflow_provider_retreaver.sandbox.options import WRITING_KEY, SandboxOptions
from tests.airflow.support.killed_syncs import KilledSync, kill_and_resume

pytestmark = pytest.mark.airflow

COUNT = 20_000
RUNNING = UNKNOWN = 200
AT_ONCE = 16
ATTEMPT = """
import json, sys
from tests.airflow.support.account import TaskInstance
from airflow_provider_retreaver.operators.calls import RetreaverWriteCallDataOperator
operator = RetreaverWriteCallDataOperator(task_id="write", **json.loads(sys.argv[1]))
print("RESULT " + json.dumps(operator.execute({"ti": TaskInstance(task_id="write")})))
"""


def add_calls(sandbox, count, **fields):
    """Add calls and return their UUIDs."""
    uuids = []
    while len(uuids) < count:
        body = {"count": min(1000, count - len(uuids)), "fields": {"tags": {}, **fields}}
        answer = sandbox.handle("POST", "/__sandbox__/calls", [], {}, json.dumps(body).encode())
        uuids += json.loads(answer.body)["uuids"]
    return uuids


def test_twenty_thousand_rows_killed_twice(tmp_path):
    """Every call has its tags, each outcome is counted once, and only what was under way was written twice."""
    with run_sandbox(SandboxOptions(latency_ms=5, jitter_ms=5, fault_rate=0.02, seed=3)) as served:
        done = add_calls(served.sandbox, COUNT - RUNNING - UNKNOWN)
        running = add_calls(served.sandbox, RUNNING, status="in-progress")
        rng = random.Random(5)  # noqa: S311 - the same UUIDs every time
        unknown = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(UNKNOWN)]
        rows = [f"{call},{place}" for place, call in enumerate([*done, *running, *unknown])]
        rng.shuffle(rows)
        source = tmp_path / "sales.csv"
        source.write_text("\n".join(["call_uuid,amount", *rows, *rows[:100]]) + "\n")
        parameters = {
            "source": f"file://{source}",
            "columns": ["amount"],
            "state_path": f"file://{tmp_path}/state",
            "max_rows": None,
        }
        extra = {"max_concurrency": AT_ONCE, "postback_key": WRITING_KEY}
        sync = KilledSync(served, tmp_path, parameters, extra, code=ATTEMPT)
        started = time.monotonic()
        result = kill_and_resume(sync, COUNT, seed=11)
        seconds = time.monotonic() - started
        store = served.sandbox.state.store
        with store.transaction():
            found = {row["uuid"]: json.loads(row["tags"]) for row in store.rows("SELECT uuid, tags FROM calls")}
            stored = {row["call_uuid"]: json.loads(row["tags"]) for row in store.rows("SELECT * FROM stored_tags")}
    answered = Counter(json.loads(one["body"])["call_uuid"] for one in sync.entries if one["status"] == 200)
    twice = sum(times > 1 for times in answered.values())
    counts = {name: n for name, n in result.items() if isinstance(n, int) and n}
    print(f"\n{COUNT} calls, {len(sync.entries)} requests, {twice} written twice, {seconds:.0f} s: {counts}")
    wanted = {call: {"amount": str(place)} for place, call in enumerate([*done, *running, *unknown])}
    assert {call: found[call] for call in done} == {call: wanted[call] for call in done}
    assert stored == {call: wanted[call] for call in (*running, *unknown)}
    assert set(answered) == set(wanted)
    assert twice <= 2 * AT_ONCE
    assert counts == {
        "applied": COUNT - RUNNING - UNKNOWN,
        "stored": RUNNING + UNKNOWN,
        "rows": COUNT + 100,
        "duplicates": 100,
    }
