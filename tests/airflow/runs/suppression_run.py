"""Twenty thousand numbers with latency and 2 % faults, killed twice at random: minutes, so not part of every run.

Run by `make test-suppression`.
"""

from __future__ import annotations

import time

import pytest

from airflow_provider_retreaver.sandbox.http.server import running
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from tests.airflow.support.blocking import counts, some
from tests.airflow.support.killing import Siege, besiege

pytestmark = pytest.mark.airflow

COUNT = 20_000
TOO_MANY = 200


def test_twenty_thousand_numbers_killed_twice(tmp_path):
    """The vendor's list equals the source at the end, and no number was done twice."""
    with running(SandboxOptions(latency_ms=5, jitter_ms=5, fault_rate=0.02, seed=3)) as served:
        source = tmp_path / "dnc.txt"
        source.write_text("\n".join(some(COUNT)))
        parameters = {"source": f"file://{source}", "state_path": f"file://{tmp_path}/state", "max_removals": "100%"}
        siege = Siege(served, tmp_path, parameters, {"max_concurrency": 16})
        siege.suppress(some(TOO_MANY, COUNT))
        began = time.monotonic()
        result = besiege(siege, COUNT, seed=11)
        seconds = time.monotonic() - began
        left = siege.suppressed()
    sent = sum(entry["method"] in {"POST", "DELETE"} for entry in siege.entries)
    print(f"\n{COUNT + TOO_MANY} changes, {sent} requests to make them, {len(siege.entries)} in all, {seconds:.0f} s")
    assert left == dict.fromkeys(some(COUNT), False)
    assert counts(result) == {"added": COUNT, "removed": TOO_MANY}
    assert siege.done_twice() == []
