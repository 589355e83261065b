"""A sync that is killed at random and resumed: the list equals the source, and only open requests are repeated."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.sandbox.local_server import run_sandbox
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from tests.airflow.support.killed_syncs import KilledSync, kill_and_resume
from tests.airflow.support.suppression import nonzero_counts, phone_numbers

pytestmark = pytest.mark.airflow

COUNT = 1000
CONCURRENCY = 8


@pytest.mark.parametrize("routes", ["current", "legacy"])
def test_killed_twice_and_resumed(tmp_path, routes):
    """A thousand numbers over TCP, with latency and faults, killed twice with SIGKILL."""
    with run_sandbox(SandboxOptions(latency_ms=1, jitter_ms=2, fault_rate=0.01, seed=7)) as served:
        others = phone_numbers(20, COUNT)
        source = tmp_path / "dnc.txt"
        source.write_text("\n".join(phone_numbers(COUNT)))
        parameters = {"source": f"file://{source}", "state_path": f"file://{tmp_path}/state", "max_removals": "100%"}
        sync = KilledSync(served, tmp_path, parameters, {"api_routes": routes, "max_concurrency": CONCURRENCY})
        sync.suppress(others)
        result = kill_and_resume(sync, COUNT, seed=5)
        remaining = set(sync.suppressed())
    if routes == "current":
        assert nonzero_counts(result) == {"added": COUNT, "removed": 20}
        assert remaining == set(phone_numbers(COUNT))
        assert sync.repeated_changes() == []
    else:
        assert nonzero_counts(result) == {"added": COUNT}
        assert remaining == {*phone_numbers(COUNT), *others}
        # Under the legacy routes it cannot be read back whether an open request was executed.
        assert len(sync.repeated_changes()) <= 2 * CONCURRENCY
    log = (tmp_path / "attempts.log").read_text()
    assert "continuing from there" in log
    assert not any(number[2:] in log for number in phone_numbers(COUNT))
