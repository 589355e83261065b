"""What operators tell the assets among their outlets, in a real Airflow, and windows taken from events again."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_retreaver.assets import retreaver_asset, update_outlet_events, window_of_events
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.operators.base import event_ids
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.airflow.support.account import Account, reset_caps
from tests.airflow.support.exports import END, START, Calls, events_of

pytestmark = pytest.mark.airflow

DAG = """
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Asset, AssetAlias

from airflow_provider_retreaver.assets import retreaver_asset
from airflow_provider_retreaver.operators.caller_lists import RetreaverCallerListSyncOperator
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator, RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.resources import (
    RetreaverCreateOperator,
    RetreaverDeleteOperator,
    RetreaverListOperator,
    RetreaverUpdateOperator,
    RetreaverUpsertOperator,
)
from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator
from airflow_provider_retreaver.transfers.calls import (
    RetreaverCallsToObjectStorageOperator,
    RetreaverCallsToSqlOperator,
)
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator

WINDOW = {"start": "START", "end": "END"}
NUMBERS = {"mode": "mirror", "numbers": ["+17195220377", "+17195220378", "x"], "max_rejects": None}
BLOCKED = NUMBERS | {"can_resubscribe": False, "max_removals": None}


def writes(kind, name, *more, **parameters):
    return kind(task_id=name, outlets=[Asset(uri=f"file:///outlets/{name}"), *more], **parameters)


with DAG("outlets", schedule=None, start_date=datetime(2026, 1, 1)):
    writes(
        RetreaverCallsToObjectStorageOperator, "export", retreaver_asset(1, "calls"), AssetAlias("calls"),
        destination="file://FOLDER/calls", filters={"caller": "+17195220377"}, **WINDOW
    )
    writes(
        RetreaverCallsToObjectStorageOperator, "nothing", destination="file://FOLDER/nothing", by="updated_at",
        incremental=True, start="START", filters={"sub_id": "nobody"},
    )
    writes(RetreaverCallsToSqlOperator, "sql", sql_conn_id="warehouse", table="calls", **WINDOW)
    writes(
        RetreaverRecordingsToObjectStorageOperator, "recordings", destination="file://FOLDER/recordings",
        start="2025-01-01", end="2025-01-02",
    )
    suppress = writes(RetreaverSuppressionSyncOperator, "suppress", state_path="file://FOLDER/state", **BLOCKED)
    look = writes(RetreaverSuppressionSyncOperator, "look", dry_run=True, **BLOCKED | {"numbers": ["+17195220377"]})
    writes(RetreaverCallerListSyncOperator, "caller_list", target_id=1, list_name="suppressed", **NUMBERS)
    caps = writes(RetreaverSetCapsOperator, "caps", target_ids=[1, 2], hard=10)
    writes(RetreaverResetCapOperator, "reset", target_ids=[1])
    writes(RetreaverListOperator, "list", resource="targets", limit=10)
    writes(RetreaverCreateOperator, "create", resource="affiliates", attributes={"afid": "0002", "company_name": "A"})
    writes(RetreaverUpsertOperator, "upsert", resource="targets", attributes={"tid": "A1", "number": "+17195220379"})
    change = writes(RetreaverUpdateOperator, "change", resource="targets", resource_id=2, attributes={"name": "B"})
    delete = writes(
        RetreaverDeleteOperator, "delete", resource="suppressed_numbers", resource_id="+17195220378"
    )
    suppress >> look >> delete
    caps >> change
"""


@pytest.fixture
def extras(airflow_lab, running_sandbox, tmp_path):
    """Run the DAG, and return the `extra` of every asset's event by the asset's URI, with the run's folder."""
    account = Account(running_sandbox)
    account.reset()
    account.target(filled=5)
    account.target(cap=20)
    account._control("POST", "upload_delay", {"seconds": 0})
    account._control("POST", "postback_keys", {"key": POSTBACK_KEY, "secret": POSTBACK_SECRET})
    Calls(account).add(30, caller="+17195220377")
    home = airflow_lab.new_home()
    source = DAG.replace("FOLDER", str(tmp_path)).replace("START", START).replace("END", END)
    airflow_lab.environment(home, {})
    (home / "dags" / "the_dag.py").write_text(source, encoding="utf-8")
    noted = airflow_lab.airflow(["-m", "airflow", "dags", "reserialize"], home)
    assert noted.returncode == 0, noted.stdout
    extra = {"caller_list_key": POSTBACK_KEY, "caller_list_secret": POSTBACK_SECRET}
    result = airflow_lab.run_dag(
        source,
        connections={
            "retreaver_default": account.connection(extra=extra),
            "warehouse": {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")},
        },
        home=home,
    )
    assert set(result.states.values()) == {"success"}, result.output
    return events_of(result.db_path), tmp_path


def test_events_say_what_was_done(extras):
    """Every operator fills the extra of the asset among its outlets: counts and windows, no phone number."""
    found, folder = extras
    window = {"by": "created_at", "start": START, "end": END}
    export = found["file:///outlets/export"]
    assert found["retreaver://api.retreaver.com/1/calls"] == export
    assert (export["window"], export["rows"], export["calls"], export["files"]) == (window, 30, 30, 1)
    assert export["manifest"].startswith(f"file://{folder}/calls/calls-created-")
    assert (export["complete"], export["restated"], export["bytes"] > 0) == (True, None, True)
    message = {uri.removeprefix("file:///outlets/"): extra for uri, extra in found.items()}
    assert message["nothing"] == {
        "window": None, "manifest": None, "files": 0, "rows": 0, "calls": 0, "bytes": 0, "complete": True,
    }  # fmt: skip
    assert message["sql"] == {"window": window, "table": "calls", "rows": 30, "changed": 30, "complete": True}
    counts = {"calls": 0, "recordings": 0, "stored": 0, "skipped": 0, "bytes": 0, "complete": True, "missing": 0}
    assert {name: message["recordings"][name] for name in counts} == counts
    assert message["recordings"]["destination"] == f"file://{folder}/recordings"
    assert message["suppress"] == {
        "campaign_id": None, "dry_run": False, "added": 2, "changed": 0, "removed": 0, "failed": 0, "unchanged": 0,
        "kept": 0, "rejected": 1, "unreadable": 1, "duplicates": 0, "changed_by_others": 0,
    }  # fmt: skip
    assert message["look"].items() >= {"dry_run": True, "would_add": 0, "would_remove": 1, "unchanged": 1}.items()
    assert message["caller_list"].items() >= {
        "list_name": "suppressed", "target_id": 1, "added": 2, "created": True, "dry_run": False,
    }.items()  # fmt: skip
    assert message["caps"] == {
        "changed": 1, "unchanged": 1, "fields": ["hard_cap"], "target_ids": [2], "dry_run": False,
    }  # fmt: skip
    assert message["reset"] == {"caps_reset": 1, "target_ids": [1], "dry_run": False}
    assert message["list"]["resource"] == "targets"
    told_change = {"resource": "targets", "action": "updated", "id": 2, "fields": ["name"], "dry_run": False}
    assert message["change"] == told_change
    assert message["create"]["fields"] == ["afid", "company_name"]
    assert message["upsert"].items() >= {"action": "created", "id": 3, "fields": ["number", "tid"]}.items()
    deleted = {"resource": "suppressed_numbers", "action": "deleted", "id": None, "fields": [], "dry_run": False}
    assert message["delete"] == deleted
    assert "71952203" not in json.dumps(found)


def test_every_asset_gets_the_extra():
    """Assets of every scheme get the extra beside what is there, an alias does not; no events, no harm."""

    class Event:
        def __init__(self):
            self.extra = {"by": "author"}

    ours, other, alias = retreaver_asset(1, "targets"), Asset(uri="s3://bucket/x"), SimpleNamespace(name="alias")
    events = {"ours": Event(), "other": Event()}
    by_outlet = type("Events", (), {"__getitem__": lambda _, one: events["ours" if one is ours else "other"]})()
    update_outlet_events({"outlet_events": by_outlet}, [ours, other, alias], {"caps_reset": 2})
    assert [event.extra for event in events.values()] == [{"by": "author", "caps_reset": 2}] * 2
    update_outlet_events({}, [ours], {"caps_reset": 2})


def test_too_many_ids_are_left_out():
    """A thousand IDs are in an event, each once; more would make every event too large."""
    assert event_ids([{"id": 1}, {"id": 1}, {"id": None}, {"id": 2}]) == [1, 2]
    assert len(event_ids({"id": number} for number in range(1000))) == 1000
    assert event_ids({"id": number} for number in range(1001)) is None


def event(**extra):
    """Return an event as a run sees it."""
    return SimpleNamespace(extra=extra)


def watched(start, end):
    """Return the event of new calls."""
    return event(from_trigger=True, payload={"updated_at_start": start, "updated_at_end": end, "filters": {}})


def test_one_window_covers_all_events():
    """Events that were joined into one run make one window, whatever their order, offsets and assets."""
    events = {
        "calls": [
            watched("2026-01-05T11:00:00+00:00", "2026-01-05T12:00:00+00:00"),
            watched("2026-01-05T12:30:00+02:00", "2026-01-05T12:45:00+02:00"),
        ],
        "exported": [
            event(window={"by": "updated_at", "start": "2026-01-05T11:30:00Z", "end": "2026-01-05T12:10:00Z"})
        ],
        "other": [event(rows=3), event(window=None)],
    }
    assert window_of_events(events) == {"start": "2026-01-05T10:30:00+00:00", "end": "2026-01-05T12:10:00+00:00"}


def test_a_window_without_a_start_is_about_all_calls():
    """The first calls of an account are announced without a start: the window then begins before any call."""
    found = window_of_events({"calls": [watched(None, "2026-01-05T12:00:00+00:00")]})
    assert found == {"start": "2000-01-01T00:00:00+00:00", "end": "2026-01-05T12:00:00+00:00"}


def test_a_run_by_hand_has_no_window_of_events():
    """Without events there is no window, and the export takes the run's own."""
    assert window_of_events({}) == {"start": None, "end": None}


@pytest.mark.parametrize("events", [
    {"calls": [event(), event(payload="x")]}, {"calls": [watched("noon", "2026-01-05T12:00:00Z")]},
])  # fmt: skip
def test_events_without_a_window_are_refused(events):
    """Events that tell no window, or no time, are an error: a guess would lose calls."""
    with pytest.raises(InvalidArgument, match=r"window of calls|of an event"):
        window_of_events(events)


def test_an_asset_of_another_company_gets_no_events(account):
    """Before the first request, an outlet of another company than the connection's is refused with both named."""
    id_ = account.target(filled=10)
    outlets = [Asset(uri="s3://bucket/12345/x"), retreaver_asset(12345, "targets")]
    with pytest.raises(InvalidArgument, match=r"12345/targets is of company 12345, and connection .* company 1;"):
        reset_caps(target_ids=id_, outlets=outlets)
    assert account.sent() == []
    assert reset_caps(target_ids=id_, outlets=[retreaver_asset(1, "targets")])["reset"]
