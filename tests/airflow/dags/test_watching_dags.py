"""The example DAGs with sensors and event triggers, run by a real Airflow with the sandbox."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest

from tests.airflow.conftest import each_run
from tests.airflow.support.account import Account
from tests.airflow.support.exports import Calls, events_of, manifest_of
from tests.paths import EXAMPLE_DAGS

pytestmark = pytest.mark.airflow


@pytest.fixture
def buyers(running_sandbox):
    """Provide an account with three buyers."""
    account = Account(running_sandbox)
    account.reset()
    for number in range(1, 4):
        account.target(f"Buyer {number}", cap=10)
    return account


def run(lab, account, name, **conf):
    """Run an example with parameters."""
    return lab.run_dag(
        EXAMPLE_DAGS / f"{name}.py", connections={"retreaver_default": account.connection()}, conf=conf, retries=False
    )


def paused(account):
    """Return the IDs of the paused targets."""
    return [row["id"] for row in account.list_targets(1) if row["paused"]]


def test_buyers_are_paused_at_90_percent(airflow_lab, buyers):
    """Each buyer that has reached its share is paused, independently of the others."""
    buyers.fill(1, 9)
    buyers.fill(2, 10)
    result = run(airflow_lab, buyers, "retreaver_pause_at_90_percent", target_ids=[1, 2], cap="hard")
    assert result.exit_code == 0, result.output
    assert paused(buyers) == [1, 2]


def test_missing_calls_raise_an_alarm(airflow_lab, buyers):
    """The alarm has the number of calls; there is none at another time, as after unpausing, nor for a wrong ID."""
    buyers.reset("demo")
    buyers._handle("POST", "/__sandbox__/clock", {"advance": timedelta(days=3).total_seconds()})
    hours = {"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "until": "24:00"}
    result = airflow_lab.run_dag(
        EXAMPLE_DAGS / "retreaver_quiet_line_alert.py",
        connections={"retreaver_default": buyers.connection()},
        conf=[hours, {"weekdays": []}, {"cid": "wrong"}],
        retries=False,
    )
    (expected, xcoms), (outside, _), (wrong, _) = each_run(result)
    assert set(expected.values()) == {"success"}, result.output
    assert xcoms["quiet"]["return_value"] == 0
    assert xcoms["alarm"]["return_value"] == "Campaign 0001 had 0 calls in the last 30m."
    assert (outside["quiet"], outside["alarm"]) == ("success", "skipped")
    # A wrong ID is no quiet line: the first task fails at once, naming the campaign.
    assert (wrong["campaign"], wrong["alarm"]) == ("failed", "upstream_failed")
    assert "GET /campaigns/cid/wrong.json was answered 404" in result.output


def test_a_buyer_is_paused_maintained_and_resumed(airflow_lab, buyers):
    """The buyer is paused, maintained when it is idle, and resumed at the end."""
    result = run(airflow_lab, buyers, "retreaver_drain_and_maintain", target_ids=[3])
    assert result.exit_code == 0, result.output
    assert result.states == dict.fromkeys(("pause", "drained", "maintain", "resume"), "success")
    assert result.xcoms["maintain"]["return_value"] == "Maintained 3."
    assert [request for request in buyers.sent() if request.startswith("PUT")] == ["PUT /targets/3.json"] * 2
    assert paused(buyers) == []


AIRFLOW_3 = pytest.mark.skipif(version("apache-airflow").startswith("2."), reason="Airflow 2 has no asset watchers")
NEW_CALLS = "retreaver_export_new_calls"
# `dag.test()` creates a run without events: this program adds them when the run is created, as the scheduler does.
RUN_WITH_EVENTS = """
import json, sys
from datetime import UTC, datetime

from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.dagrun import DagRun
from sqlalchemy import event, select
from sqlalchemy.orm import Session

sys.path.insert(0, sys.argv.pop(1))
windows = json.loads(sys.argv.pop(1))
import run_dag


@event.listens_for(Session, "before_flush")
def add_events(session, *_):
    for run in [row for row in session.new if isinstance(row, DagRun)]:
        with session.no_autoflush:
            (asset,) = session.scalars(select(AssetModel).where(AssetModel.uri.startswith("retreaver://")))
        for window in windows:
            extra = {"from_trigger": True, "payload": {**window, "filters": {}}}
            asset_event = AssetEvent(asset_id=asset.id, extra=extra, timestamp=datetime.now(UTC))
            run.consumed_asset_events.append(asset_event)


sys.exit(run_dag.main())
"""


def exported(home, folder):
    """Return the `extra` of the event of the run's outlet, after checking the files of its manifest."""
    extra = events_of(home / "airflow.db")["retreaver_calls"]
    assert manifest_of(extra)["rows"] == extra["rows"]
    assert extra["manifest"].startswith(f"file://{folder}/")
    return extra


@AIRFLOW_3
def test_a_run_exports_the_windows_of_all_its_events(airflow_lab, buyers, tmp_path):
    """Two events of one run cause one export of all calls that were updated in and between their windows."""
    calls = Calls(buyers)
    for hour in ("09", "10", "11", "12", "13"):
        updated = f"2026-01-05T{hour}:30:00+00:00"
        calls.add(5, created_at=updated, updated_at=updated)
    windows = [
        {"updated_at_start": f"2026-01-05T{hour}:00:00+00:00", "updated_at_end": f"2026-01-05T{hour}:59:00+00:00"}
        for hour in ("12", "10")
    ]
    home = airflow_lab.new_home()
    airflow_lab.environment(home, {})
    shutil.copy2(EXAMPLE_DAGS / f"{NEW_CALLS}.py", home / "dags")
    arguments = [str(EXAMPLE_DAGS.parent / "scripts"), json.dumps(windows)]
    conf = f"--conf={json.dumps({'destination': f'file://{tmp_path}'})}"
    env = {"AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps(buyers.connection())}
    (home / "run_with_events.py").write_text(RUN_WITH_EVENTS, encoding="utf-8")
    process = airflow_lab.airflow([str(home / "run_with_events.py"), *arguments, conf, "--no-retries"], home, env)
    assert process.returncode == 0, process.stdout
    extra = exported(home, tmp_path)
    assert extra["window"] == {
        "by": "updated_at", "start": "2026-01-05T10:00:00+00:00", "end": "2026-01-05T12:59:00+00:00",
    }  # fmt: skip
    assert (extra["rows"], extra["complete"]) == (15, True)


@AIRFLOW_3
def test_a_manual_run_exports_the_last_day(airflow_lab, buyers, tmp_path):
    """A run without events exports the calls that were updated in the day before it."""
    calls = Calls(buyers)
    _, fresh = calls.add(2, created_at="2026-01-05T00:00:00+00:00", updated_at="2026-01-05T00:00:00+00:00")
    calls.update(fresh, revenue=5, updated_at=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    result = run(airflow_lab, buyers, NEW_CALLS, destination=f"file://{tmp_path}")
    assert result.exit_code == 0, result.output
    assert exported(result.home, tmp_path)["rows"] == 1
