"""Twenty thousand numbers with latency and 2 % faults, killed twice at random; run by `make test-suppression`."""

from __future__ import annotations

import time

import pytest

from airflow_provider_retreaver.sandbox.local_server import run_sandbox
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from tests.airflow.support.killed_syncs import KilledSync, kill_and_resume
from tests.airflow.support.suppression import nonzero_counts, phone_numbers

pytestmark = pytest.mark.airflow

COUNT = 20_000
REMOVED = 200


def test_twenty_thousand_numbers_killed_twice(tmp_path):
    """The list equals the source at the end, and no number was added or removed twice."""
    with run_sandbox(SandboxOptions(latency_ms=5, jitter_ms=5, fault_rate=0.02, seed=3)) as served:
        source = tmp_path / "dnc.txt"
        source.write_text("\n".join(phone_numbers(COUNT)))
        parameters = {"source": f"file://{source}", "state_path": f"file://{tmp_path}/state", "max_removals": "100%"}
        sync = KilledSync(served, tmp_path, parameters, {"max_concurrency": 16})
        sync.suppress(phone_numbers(REMOVED, COUNT))
        started = time.monotonic()
        result = kill_and_resume(sync, COUNT, seed=11)
        seconds = time.monotonic() - started
        remaining = sync.suppressed()
    sent = sum(entry["method"] in {"POST", "DELETE"} for entry in sync.entries)
    print(f"\n{COUNT + REMOVED} changes, {sent} requests for them, {len(sync.entries)} in total, {seconds:.0f} s")
    assert remaining == dict.fromkeys(phone_numbers(COUNT), False)
    assert nonzero_counts(result) == {"added": COUNT, "removed": REMOVED}
    assert sync.repeated_changes() == []
