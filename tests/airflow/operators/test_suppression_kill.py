"""Killed at random and resumed: the list is the source, and nothing was sent twice but what was under way."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.sandbox.http.server import running
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from tests.airflow.support.blocking import counts, some
from tests.airflow.support.killing import Siege, besiege

pytestmark = pytest.mark.airflow

COUNT = 1000
AT_ONCE = 8


@pytest.mark.parametrize("edition", ["current", "legacy"])
def test_killed_twice_and_resumed(tmp_path, edition):
    """A thousand numbers over TCP, with latency and faults, killed twice with SIGKILL."""
    with running(SandboxOptions(latency_ms=1, jitter_ms=2, fault_rate=0.01, seed=7)) as served:
        others = some(20, COUNT)
        source = tmp_path / "dnc.txt"
        source.write_text("\n".join(some(COUNT)))
        parameters = {"source": f"file://{source}", "state_path": f"file://{tmp_path}/state", "max_removals": "100%"}
        siege = Siege(served, tmp_path, parameters, {"api_routes": edition, "max_concurrency": AT_ONCE})
        siege.suppress(others)
        result = besiege(siege, COUNT, seed=5)
        left = set(siege.suppressed())
    if edition == "current":
        assert counts(result) == {"added": COUNT, "removed": 20}
        assert left == set(some(COUNT))
        assert siege.done_twice() == []
    else:
        assert counts(result) == {"added": COUNT}
        assert left == {*some(COUNT), *others}
        # What was under way at a kill cannot be asked about there.
        assert len(siege.done_twice()) <= 2 * AT_ONCE
    log = (tmp_path / "attempts.log").read_text()
    assert "going on from there" in log
    assert not any(number[2:] in log for number in some(COUNT))
