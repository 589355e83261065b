"""The example DAGs that watch, run by a real Airflow against the sandbox."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest

from tests.airflow.support.account import Account
from tests.airflow.support.exports import Calls, events_of, manifest_of
from tests.paths import EXAMPLE_DAGS

pytestmark = pytest.mark.airflow


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
        EXAMPLE_DAGS / f"{name}.py", connections={"retreaver_default": account.connection()}, conf=conf, retries=False
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


ONLY_3 = pytest.mark.skipif(version("apache-airflow").startswith("2."), reason="Airflow 2 watches no assets")
NEW_CALLS = "retreaver_export_new_calls"
# `dag.test()` makes a run that no event has started: events are given to it as it is made, as the scheduler does.
STARTED_BY_EVENTS = """
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
def give_events(session, *_):
    for run in [one for one in session.new if isinstance(one, DagRun)]:
        with session.no_autoflush:
            (asset,) = session.scalars(select(AssetModel).where(AssetModel.uri.startswith("retreaver://")))
        for window in windows:
            extra = {"from_trigger": True, "payload": {**window, "filters": {}}}
            one = AssetEvent(asset_id=asset.id, extra=extra, timestamp=datetime.now(UTC))
            run.consumed_asset_events.append(one)


sys.exit(run_dag.main())
"""


def exported(home, folder):
    """Return what the run told the asset among its outlets, whose manifest's files were found to be whole."""
    told = events_of(home / "airflow.db")["s3://warehouse/retreaver/calls"]
    assert manifest_of(told)["rows"] == told["rows"]
    assert told["manifest"].startswith(f"file://{folder}/")
    return told


@ONLY_3
def test_new_calls_are_exported_once_for_all_events(airflow_lab, filled, tmp_path):
    """Two events that were joined into one run make one export of all that was updated in and between them."""
    calls = Calls(filled)
    for hour in ("09", "10", "11", "12", "13"):
        moment = f"2026-01-05T{hour}:30:00+00:00"
        calls.add(5, created_at=moment, updated_at=moment)
    windows = [
        {"updated_at_start": f"2026-01-05T{hour}:00:00+00:00", "updated_at_end": f"2026-01-05T{hour}:59:00+00:00"}
        for hour in ("12", "10")
    ]
    home = airflow_lab.new_home()
    airflow_lab.environment(home, {})
    shutil.copy2(EXAMPLE_DAGS / f"{NEW_CALLS}.py", home / "dags")
    arguments = [str(EXAMPLE_DAGS.parent / "scripts"), json.dumps(windows)]
    conf = f"--conf={json.dumps({'destination': f'file://{tmp_path}'})}"
    env = {"AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps(filled.connection())}
    done = airflow_lab.airflow(["-c", STARTED_BY_EVENTS, *arguments, conf, "--no-retries"], home, env)
    assert done.returncode == 0, done.stdout
    told = exported(home, tmp_path)
    assert told["window"] == {
        "by": "updated_at", "start": "2026-01-05T10:00:00+00:00", "end": "2026-01-05T12:59:00+00:00",
    }  # fmt: skip
    assert (told["rows"], told["complete"]) == (15, True)


@ONLY_3
def test_new_calls_are_exported_by_hand(airflow_lab, filled, tmp_path):
    """A run that nobody's event has started exports what was updated in the day before it."""
    calls = Calls(filled)
    _, fresh = calls.add(2, created_at="2026-01-05T00:00:00+00:00", updated_at="2026-01-05T00:00:00+00:00")
    calls.update(fresh, revenue=5, updated_at=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    result = run(airflow_lab, filled, NEW_CALLS, destination=f"file://{tmp_path}")
    assert result.exit_code == 0, result.output
    assert exported(result.home, tmp_path)["rows"] == 1
