"""The example DAGs that watch, run by a real Airflow against the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.airflow.account import Account

pytestmark = pytest.mark.airflow

EXAMPLES = Path(__file__).resolve().parents[2] / "example_dags"


@pytest.fixture
def filled(running_sandbox):
    """Give an account with three buyers."""
    account = Account(running_sandbox)
    account.reset()
    for number in range(1, 4):
        account.target(f"Buyer {number}", cap=10)
    return account


def run(lab, account, name, **conf):
    """Run an example with the given parameters."""
    return lab.run_dag(
        EXAMPLES / f"{name}.py", connections={"retreaver_default": account.connection()}, conf=conf, retries=False
    )


def paused(account):
    """Return who is paused."""
    return [row["id"] for row in account.list_targets(1) if row["paused"]]


def test_buyers_are_paused_at_90_percent(airflow_lab, filled):
    """Each buyer that has reached its share is paused, by itself."""
    filled.fill(1, 9)
    filled.fill(2, 10)
    result = run(airflow_lab, filled, "retreaver_pause_at_90_percent", target_ids=[1, 2], cap="hard")
    assert result.exit_code == 0, result.output
    assert paused(filled) == [1, 2]


def test_a_quiet_line_is_told(airflow_lab, filled):
    """Silence is told with the number of calls that the sensor returned."""
    filled._handle("POST", "/campaigns.json", {"campaign": {"cid": "roofing", "name": "Roofs"}})
    result = run(airflow_lab, filled, "retreaver_quiet_line_alert")
    assert result.exit_code == 0, result.output
    assert result.xcoms["quiet"]["return_value"] == 0
    assert result.xcoms["alarm"]["return_value"] == "Campaign roofing had 0 calls in the last 30m."


def test_a_buyer_is_drained_maintained_and_resumed(airflow_lab, filled):
    """The buyer is paused first, maintained when it is idle, and resumed at the end."""
    result = run(airflow_lab, filled, "retreaver_drain_and_maintain", target_ids=[3])
    assert result.exit_code == 0, result.output
    assert result.states == dict.fromkeys(("pause", "drained", "maintain", "resume"), "success")
    assert result.xcoms["maintain"]["return_value"] == "Maintained 3."
    assert [one for one in filled.sent() if one.startswith("PUT")] == ["PUT /targets/3.json"] * 2
    assert paused(filled) == []
