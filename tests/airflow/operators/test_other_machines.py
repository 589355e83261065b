"""A retry on another machine: nothing that it needs is on the first worker's disk."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.airflow.support.exports import END, START, Calls, rows_of
from tests.airflow.support.machines import OPERATORS, run_on_both
from tests.airflow.support.suppression import phone_numbers, suppressed

pytestmark = pytest.mark.airflow


def test_resets(both):
    """Caps that the first attempt has reset are reported, and not reset again."""
    account, _, shared = both
    ids = account.targets(4)
    work = [f"{OPERATORS}caps", "RetreaverResetCapOperator", {"target_ids": ids, "state_path": shared.as_uri()}]
    asked = f"POST /targets/{ids[2]}/reset_cap"
    result = run_on_both(both, work, asked, f"/targets/{ids[2]}/reset_cap")
    assert sorted(row["id"] for row in result["reset"]) == ids
    assert {row["filled_before"] for row in result["reset"]} == {10}
    assert [account.filled(id_) for id_ in ids] == [0] * 4
    assert set(Counter(account.sent("POST")).values()) == {1}


def test_a_sync(both):
    """Numbers that the first attempt has added are not added again, but for the one under way."""
    account, _, shared = both
    numbers = phone_numbers(30)
    parameters = {"mode": "add", "can_resubscribe": False, "numbers": numbers, "state_path": shared.as_uri()}
    work = [f"{OPERATORS}suppression", "RetreaverSuppressionSyncOperator", parameters]
    result = run_on_both(both, work, "POST /suppressed_numbers/%2B19192000017", "19192000017")
    assert result["added"] == 30
    assert sorted(suppressed(account)) == numbers
    sent = Counter(account.sent("POST"))
    assert sum(times > 1 for times in sent.values()) <= 1


def test_an_export(both):
    """The files of the destination are whole, and none of the killed attempt is left."""
    account, _, shared = both
    uuids = Calls(account).add(250)
    parameters = {"destination": shared.as_uri(), "start": START, "end": END}
    work = ["airflow_provider_retreaver.transfers.calls", "RetreaverCallsToObjectStorageOperator", parameters]
    account.fault("calls.json", method="GET", times=2)  # the first two are answered as they are
    result = run_on_both(both, work, "GET /api/v2/calls.json", "calls.json")
    assert sorted(row["uuid"] for row in rows_of(result)) == sorted(uuids)
    assert sorted(path.suffix for path in shared.rglob("*") if path.is_file()) == [".json", ".jsonl"]


def test_a_create(both):
    """What the first attempt has created, without getting its response, is found and not created again."""
    account, _, shared = both
    attributes = {"name": "Acme", "number": "+19195550199", "tid": "A1"}
    parameters = {"resource": "targets", "attributes": attributes, "state_path": shared.as_uri()}
    work = [f"{OPERATORS}resources", "RetreaverCreateOperator", parameters]
    result = run_on_both(both, work, "POST /targets.json", "^/targets.json")
    (target,) = account.list_targets(1)
    assert (result["id"], target["name"]) == (target["id"], "Acme")
    assert account.sent("POST") == ["POST /targets.json"]


def test_written_call_data(both):
    """Rows that the first attempt has written are not written again, but for the one under way."""
    account, _, shared = both
    uuids = Calls(account).add(20, tags={})
    rows = [{"call_uuid": uuid, "sale": str(place)} for place, uuid in enumerate(uuids)]
    parameters = {"rows": rows, "columns": ["sale"], "state_path": shared.as_uri()}
    work = [f"{OPERATORS}calls", "RetreaverWriteCallDataOperator", parameters]
    account.fault("data_writing", method="POST", times=9)  # the first nine are answered as they are
    result = run_on_both(both, work, "POST /data_writing", "data_writing")
    assert result["applied"] == 20
    written = [e for e in account.entries() if e["method"] == "POST" and e["path"].startswith("/data_writing")]
    counted = Counter(json.loads(e["body"])["call_uuid"] for e in written)
    assert set(counted) == set(uuids)
    assert sum(times > 1 for times in counted.values()) <= 1


def test_an_account_that_is_applied(both):
    """Objects that the first attempt has applied are not compared or sent again."""
    account, (first, _), shared = both
    files = shared / "account"
    files.mkdir()
    lines = [f'  t{place}: {{name: Target {place}, number: "+1212555010{place}"}}' for place in range(5)]
    (files / "targets.yaml").write_text("\n".join(["targets:", *lines]) + "\n")
    plan = [
        f"{OPERATORS}account", "RetreaverAccountPlanOperator",
        {"paths": str(files), "plan_path": f"{shared.as_uri()}/plan.json"},
    ]  # fmt: skip
    planned = first.result(plan)
    how = {"plan_path": planned["plan_path"], "sha256": planned["sha256"], "state_path": f"{shared.as_uri()}/state"}
    work = [f"{OPERATORS}account", "RetreaverAccountApplyOperator", how]
    account.fault("^/targets.json", method="POST", times=2)  # the first two are answered as they are
    result = run_on_both(both, work, "POST /targets.json", "^/targets.json")
    assert result["counts"]["done"] == 5
    assert sorted(row["tid"] for row in account.list_targets(1)) == [f"t{place}" for place in range(5)]
    assert len(account.sent("POST")) == 5
