"""A retry on another machine: nothing that it needs is on the first worker's disk.

Each machine is a process with a home, a temporary folder, an Airflow folder and a working directory of its own. The
first one is killed while it waits for a response. What operators keep is in a folder that both reach.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from airflow_provider_retreaver.sandbox.options import WRITING_KEY
from tests.airflow.support.exports import END, START, Calls, rows_of
from tests.airflow.support.suppression import phone_numbers, suppressed
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

PATIENCE = 120
PROGRAM = """
import json, sys
from importlib import import_module
from tests.airflow.support.account import TaskInstance
module, name, parameters = json.loads(sys.argv[1])
operator = getattr(import_module(module), name)(task_id="work", **parameters)
print("RESULT " + json.dumps(operator.execute({"ti": TaskInstance(task_id="work")}), default=str))
"""
OPERATORS = "airflow_provider_retreaver.operators."


class Machine:
    """A worker's machine.

    :param folder: of its disk.
    """

    def __init__(self, folder):
        self.folder = folder
        self.places = {name: folder / name for name in ("HOME", "AIRFLOW_HOME", "TMPDIR", "cwd")}
        for place in self.places.values():
            place.mkdir(parents=True)

    def start(self, work):
        """Start an attempt."""
        places = {name: str(place) for name, place in self.places.items() if name != "cwd"}
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(work)],
            env={**os.environ, **places, "PYTHONPATH": str(PROJECT)},
            cwd=self.places["cwd"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def killed_at(self, account, work, asked):
        """Kill an attempt when a request whose response is delayed has come."""
        with self.start(work) as process:
            until = time.monotonic() + PATIENCE
            while not any(request.startswith(asked) for request in account.sent()):
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < until, asked
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.communicate()

    def result(self, work):
        """Run an attempt to its end, and return its result."""
        with self.start(work) as process:
            output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output
        return json.loads(output.rpartition("RESULT ")[2].splitlines()[0])

    def written(self):
        """Return what is on its disk, but for what Airflow itself keeps in its own folder."""
        places = [place for name, place in self.places.items() if name != "AIRFLOW_HOME"]
        return [path for place in places for path in place.rglob("*") if path.is_file()]


@pytest.fixture
def both(account, tmp_path, monkeypatch):
    """Give an account, two machines, and the folder that they share."""
    account.reset()
    connection = account.connection(extra={"max_concurrency": 1, "postback_key": WRITING_KEY})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    shared = tmp_path / "shared"
    shared.mkdir()
    return account, (Machine(tmp_path / "first"), Machine(tmp_path / "second")), shared


def run_on_both(both, work, asked, pattern):
    """Kill an attempt on the first machine, and return the result of the one on the second."""
    account, (first, second), _ = both
    method, _, _ = asked.partition(" ")
    account.fault(pattern, method=method, delay=PATIENCE)
    first.killed_at(account, work, asked)
    account.clear_faults()
    result = second.result(work)
    assert second.written() == []
    assert [path for path in first.written() if not path.is_relative_to(first.places["TMPDIR"])] == []
    return result


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
