"""Two syncs of one list at once: a lease lets one of them work; without a place for it removals look again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from airflow_provider_retreaver.core.errors import RunUnderWay
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.airflow.support.account import StateStore
from tests.airflow.support.suppression import (
    attempt_context,
    nonzero_counts,
    phone_numbers,
    suppress,
    suppressed,
    sync,
)
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

PROGRAM = """
import json, sys
from airflow_provider_retreaver.core.errors import RunUnderWay
from tests.airflow.support.suppression import attempt_context, sync
print("READY", flush=True)
sys.stdin.readline()
try:
    sync(attempt_context(sys.argv[1]), **json.loads(sys.argv[2]))
except RunUnderWay:
    print("WAITS")
else:
    print("DONE")
"""


@pytest.fixture
def held(tmp_path):
    """Return a lease of another run on the list that a sync of the company has."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_retreaver.storage.lease import Lease

    return Lease(attempt_context("another"), ObjectStoragePath(f"file://{tmp_path}"), "1-suppression")


def test_a_second_sync_sends_nothing(account, tmp_path, held):
    """It fails before it reads its source, in a way that a retry mends, and names the run that is at work."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    state = {"state_path": f"file://{tmp_path}"}
    with held:
        with pytest.raises(RunUnderWay, match=r"run another of nightly.sync holds the lease") as raised:
            sync(attempt_context(), numbers=phone_numbers(3), **state)
        assert not isinstance(raised.value, AirflowFailException)
        assert account.sent() == []
        assert nonzero_counts(sync(attempt_context(), numbers=phone_numbers(3), dry_run=True, **state)) == {
            "would_add": 3
        }
    assert nonzero_counts(sync(attempt_context(), numbers=phone_numbers(3), **state)) == {"added": 3}


def test_two_syncs_at_the_same_moment_do_not_mix(account, tmp_path):
    """Two processes: each finds the other at work or ended, and the list equals the source of the last one."""
    sources = {"first": phone_numbers(30), "second": phone_numbers(30, 15)}
    state = {"max_removals": None, "state_path": f"file://{tmp_path}"}
    with ExitStack() as stack:
        running = {}
        for name, numbers in sources.items():
            command = [sys.executable, "-c", PROGRAM, name, json.dumps({"numbers": numbers, **state})]
            running[name] = stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": str(PROJECT)},
                )
            )
            stack.callback(running[name].kill)
        for process in running.values():
            assert any(line == "READY\n" for line in process.stdout)
        for process in running.values():
            process.stdin.write("go\n")
            process.stdin.flush()
        told = {name: process.communicate(timeout=600)[0].splitlines()[-1] for name, process in running.items()}
    waiting = [name for name, last in told.items() if last == "WAITS"]
    assert sorted(told.values()) in (["DONE", "DONE"], ["DONE", "WAITS"])
    assert set(suppressed(account)) in [set(numbers) for numbers in sources.values()]
    for name in waiting:
        sync(attempt_context(name), numbers=sources[name], **state)
        assert set(suppressed(account)) == set(sources[name])


def test_a_sync_that_lost_its_lease_stops_before_the_next_batch(account, tmp_path, monkeypatch):
    """Another run has taken over while this one was reading: it sends nothing, and does not write the state."""
    state = {"state_path": f"file://{tmp_path}"}
    suppress(account, phone_numbers(3))

    def slow():
        yield phone_numbers(1)[0]
        file = tmp_path / "1-suppression.lease" / "00000002.json"
        file.write_text(json.dumps({"holder": {}, "lease": {"token": "of another run", "until": 4e9}}))

    with pytest.raises(RunUnderWay, match="taken over"):
        sync(attempt_context(), numbers=slow(), max_removals=None, **state)
    assert account.sent("POST", "PUT", "DELETE") == []
    assert sorted(path.name for path in tmp_path.glob("company*")) == []
    assert (tmp_path / "1-suppression.lease" / "00000002.json").exists()


def test_the_result_says_when_someone_else_was_at_work(account, capsys, caplog):
    """Without `state_path`, a number that changed since the list was read is not removed."""
    suppress(account, phone_numbers(12))
    row = account._handle("GET", f"/suppressed_numbers/{phone_numbers(1)[0]}.json")["suppressed_number"]
    body = {"suppressed_number": {**row, "id": row["id"] + 100, "created_at": "2026-11-27T00:00:00.000Z"}}
    account.fault(phone_numbers(1)[0].replace("+", "%2B"), method="GET", status=200, body=body)
    result = sync(numbers=phone_numbers(10, 2), max_removals=None)
    assert nonzero_counts(result) == {"removed": 1, "unchanged": 10, "failed": 1, "changed_by_others": 1}
    assert set(suppressed(account)) == {*phone_numbers(10, 2), phone_numbers(1)[0]}
    text = capsys.readouterr().out + caplog.text
    assert "Someone else was at work on the same list: 1 numbers were changed" in text


def test_an_older_attempt_stops_by_airflows_store(account):
    """A newer attempt of the same task has begun, so nothing more is sent by the older one."""
    store = StateStore()

    def slow():
        yield phone_numbers(1)[0]
        store.set("retreaver_attempt", "of a newer attempt")

    with pytest.raises(RunUnderWay, match="newer attempt"):
        sync(attempt_context(task_state_store=store), numbers=slow())
    assert account.sent("POST") == []


def test_syncs_of_two_campaigns_do_not_exclude_each_other(account, tmp_path, held):
    """A lease is of one list: another campaign's, or another company's, has its own."""
    account._handle("POST", "/campaigns.json", {"campaign": {"cid": "roof/attic", "name": "Roofs"}})
    with held:
        result = sync(
            attempt_context(), numbers=phone_numbers(3), campaign_id="roof/attic", state_path=f"file://{tmp_path}"
        )
    assert nonzero_counts(result) == {"added": 3}


def test_a_caller_list_has_a_lease_too(account, tmp_path, monkeypatch):
    """With `state_path` a second sync of the list is refused; the list of another target is not concerned."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_retreaver.operators.caller_lists import RetreaverCallerListSyncOperator
    from airflow_provider_retreaver.storage.lease import Lease

    extra = {"max_wait": 0, "caller_list_key": POSTBACK_KEY, "caller_list_secret": POSTBACK_SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
    account._control("POST", "upload_delay", {"seconds": 0})
    account._control("POST", "postback_keys", {"key": POSTBACK_KEY, "secret": POSTBACK_SECRET})
    first, second = account.targets(2)

    def run(target):
        operator = RetreaverCallerListSyncOperator(
            task_id="sync", mode="mirror", list_name="suppressed", target_id=target, numbers=phone_numbers(3),
            state_path=f"file://{tmp_path}",
        )  # fmt: skip
        return operator.execute(attempt_context())

    run(first)
    (leased,) = [path.name for path in tmp_path.iterdir() if path.name.endswith(".lease")]
    name = leased.removesuffix(".lease")
    with Lease(attempt_context("another"), ObjectStoragePath(f"file://{tmp_path}"), name):
        with pytest.raises(RunUnderWay, match="run another"):
            run(first)
        assert run(second)["added"] == 3
    assert run(first)["unchanged"] == 3
