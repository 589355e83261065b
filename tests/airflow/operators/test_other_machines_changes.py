"""A retry on another machine, of operators that change objects, load tables and confirm reservations."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET, RTB_KEY
from tests.airflow.support.exports import END, START, Calls
from tests.airflow.support.generic import campaign, payout_table, send
from tests.airflow.support.machines import OPERATORS, Machine, run_on_both
from tests.airflow.support.suppression import phone_numbers
from tests.airflow.support.trackdrive import GROUPS, TrackDriveAccount

pytestmark = pytest.mark.airflow
TABLES = "payout_bid_modification_tables"


def hard_cap(row):
    """Return the hard cap of a target."""
    return next(cap["cap"] for cap in row["caps"] if cap["type"] == "Hard")


def opens_at_nine(row):
    """Return whether a target opens at nine o'clock."""
    return {hours["time_open"] for hours in row["business_hours"]} == {900}


# Operators that change several targets, what they are given, and what is true of a target afterwards.
CHANGES = {
    "caps": ("set_caps", "RetreaverSetCapsOperator", {"hard": 77}, lambda row: hard_cap(row) == 77),
    "paused": ("targets", "RetreaverSetPausedOperator", {"paused": True}, lambda row: row["paused"]),
    "hours": ("targets", "RetreaverUpdateBusinessHoursOperator", {"hours": "9am-5pm"}, opens_at_nine),
    "tags": ("tags", "RetreaverUpdateTagsOperator", {"add": {"vertical": "roofing"}}, lambda row: row["tag_values"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_targets_that_are_changed(both, tmp_path, change):
    """All are changed, none twice but for the one under way; a third machine puts them back from the snapshot."""
    account, _, shared = both
    ids = account.targets(4)
    before = account.list_targets(1)
    module, name, parameters, is_changed = CHANGES[change]
    assert not any(map(is_changed, before))
    given = {"target_ids": ids, "state_path": f"{shared.as_uri()}/state", **parameters}
    snapshot = f"{shared.as_uri()}/before.json"
    if change != "tags":
        given["snapshot_path"] = snapshot
    path = f"/targets/{ids[2]}.json"
    run_on_both(both, [f"{OPERATORS}{module}", name, given], f"PUT {path}", path)
    assert all(map(is_changed, account.list_targets(1)))
    sent = account.sent("PUT")
    assert [one for one in set(sent) if sent.count(one) > 1] in ([], [f"PUT {path}"])
    if change != "tags":
        Machine(tmp_path / "third").result(
            [f"{OPERATORS}targets", "RetreaverRestoreOperator", {"snapshot_path": snapshot}]
        )
        assert not any(map(is_changed, account.list_targets(1)))


# Operators that change one target, what they are given, and the request at which they are killed.
SINGLE = {
    "update": ("RetreaverUpdateOperator", {"attributes": {"name": "New"}}, "PUT"),
    "upsert": ("RetreaverUpsertOperator", {"attributes": {"name": "New"}}, "PUT"),
    "delete": ("RetreaverDeleteOperator", {}, "DELETE"),
}


@pytest.mark.parametrize("change", SINGLE)
def test_a_target_that_is_changed(both, change):
    """What was done without a response is found to be done, or is done again with the same effect."""
    account, _, _ = both
    account.target(tid="A1")
    name, parameters, method = SINGLE[change]
    given = {"resource": "targets", "customer_id": "A1", **parameters}
    run_on_both(both, [f"{OPERATORS}resources", name, given], f"{method} /targets/", "^/targets/")
    assert [row["name"] for row in account.list_targets(1)] == ([] if change == "delete" else ["New"])


def test_a_group_that_is_changed(both):
    """The members are those that were asked for."""
    account, _, shared = both
    ids = account.targets(3)
    group = account.group(ids[:1])
    given = {"target_group_id": group, "add": ids[1:], "state_path": shared.as_uri()}
    path = f"/target_groups/{group}.json"
    work = [f"{OPERATORS}target_groups", "RetreaverUpdateTargetGroupOperator", given]
    run_on_both(both, work, f"PUT {path}", path)
    members = send(account, "GET", path)["target_group"]["targets"]
    assert sorted(row["id"] for row in members) == ids


def test_a_caller_list(both, tmp_path, monkeypatch):
    """The list has each number."""
    account, _, shared = both
    extra = {"max_concurrency": 1, "caller_list_key": POSTBACK_KEY, "caller_list_secret": POSTBACK_SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
    account._control("POST", "upload_delay", {"seconds": 0})
    account._control("POST", "postback_keys", {"key": POSTBACK_KEY, "secret": POSTBACK_SECRET})
    given = {"mode": "mirror", "list_name": "vips", "target_id": account.target(), "numbers": phone_numbers(40)}
    work = [
        f"{OPERATORS}caller_lists", "RetreaverCallerListSyncOperator", {**given, "state_path": shared.as_uri()},
    ]  # fmt: skip
    result = run_on_both(
        both, work, "POST /api/v2/targets/1/caller_lists/vips/caller_list_uploads", "caller_list_uploads"
    )
    assert result["unchanged"] + result["added"] == 40
    assert Machine(tmp_path / "third").result(work)["unchanged"] == 40


def test_a_payout_table(both):
    """The table is there once, and active."""
    account, _, shared = both
    campaign(account)
    payout_table(account, active=True)
    given = {
        "campaign_id": 1, "csv": "rule_id,age,payout_pct\n1,>=30,65\n2,*,current\n", "activate": True,
        "confirm": True, "state_path": shared.as_uri(),
    }  # fmt: skip
    work = [f"{OPERATORS}payout_tables", "RetreaverPayoutTableOperator", given]
    path = f"/api/v5/campaigns/1/{TABLES}.json"
    run_on_both(both, work, f"POST {path}", path)
    newest, former = send(account, "GET", path)
    assert (newest["active"], former["active"]) == (True, False)


def test_a_confirmation(both, monkeypatch):
    """It is never sent twice: the retry says that its outcome is not known."""
    account, (first, second), shared = both
    extra = {"max_wait": 0, "postback_key": RTB_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
    account.target(cap=1)
    reservation = first.result([f"{OPERATORS}rtb", "RetreaverReserveCallOperator", {"caller_number": "+19195550100"}])
    given = {"reservation": reservation, "state_path": shared.as_uri()}
    work = [f"{OPERATORS}rtb", "RetreaverConfirmReservationOperator", given]
    account.fault("/rtbs/", method="PUT", delay=120)
    first.killed_at(account, work, "PUT /rtbs/")
    account.clear_faults()
    assert "answer was lost" in second.failure(work)
    assert len(account.sent("PUT")) == 1


def test_a_group_of_buyers(both, monkeypatch):
    """The used caps of TrackDrive's groups are reset once."""
    account, _, shared = both
    trackdrive = TrackDriveAccount(account)
    monkeypatch.setenv("AIRFLOW_CONN_TRACKDRIVE_DEFAULT", json.dumps(trackdrive.connection()))
    ids = [trackdrive.group(f"Group {place}", used=5, attempt_total_limit=9) for place in range(3)]
    given = {"buyer_group_ids": ids, "reset_total_caps": True, "state_path": shared.as_uri()}
    work = [f"{OPERATORS}trackdrive", "TrackDriveBuyerGroupUpdateOperator", given]
    path = f"{GROUPS}/{ids[1]}"
    run_on_both(both, work, f"PUT {path}", f"{path}$")
    assert [trackdrive.read(id_)["attempt_total_used"] for id_ in ids] == [0] * 3
    sent = account.sent("PUT")
    assert [sent.count(f"PUT {GROUPS}/{id_}") for id_ in ids] == [1] * 3


def test_a_table_of_calls(both, monkeypatch):
    """Each call is one row of the table."""
    account, _, shared = both
    uuids = Calls(account).add(250)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": f"{shared}/calls.db"}))
    given = {"sql_conn_id": "warehouse", "table": "calls", "start": START, "end": END, "batch_size": 100}
    work = ["airflow_provider_retreaver.transfers.calls_sql", "RetreaverCallsToSqlOperator", given]
    account.fault("calls.json", method="GET", times=2)  # the first two are answered as they are
    run_on_both(both, work, "GET /api/v2/calls.json", "calls.json")
    with closing(sqlite3.connect(shared / "calls.db")) as database:
        assert sorted(uuid for (uuid,) in database.execute("SELECT call_id FROM calls")) == sorted(uuids)


def test_an_incremental_export(both):
    """Two runs of which one is killed and retried elsewhere have each call."""
    account, (first, _), shared = both
    given = {"destination": shared.as_uri(), "start": START, "by": "updated_at", "incremental": True}
    uuids = Calls(account).add(120, updated_at="2026-01-07T00:00:00Z")
    work = ["airflow_provider_retreaver.transfers.calls", "RetreaverCallsToObjectStorageOperator", given]
    assert first.result(work)["calls"] == 120
    uuids += Calls(account).add(130, updated_at="2026-01-07T01:00:00Z")
    account.fault("calls.json", method="GET", times=1)
    run_on_both(both, work, "GET /api/v2/calls.json", "calls.json")
    files = [path for path in shared.rglob("*.jsonl") if path.is_file()]
    assert {json.loads(line)["uuid"] for path in files for line in path.read_text().splitlines()} == set(uuids)
