"""Two resets or creates at once take turns, where both see a place for that: one acts, the other says who did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.airflow.support.generic import campaign
from tests.airflow.support.trackdrive import TrackDriveAccount
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

# Runs operators one after the other, each when it is told to, and prints a line of JSON for each: its result or its
# error, and what it has logged.
PROGRAM = """
import io, json, logging, sys
from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.operators import caps, resources, trackdrive
from tests.airflow.support.account import TaskInstance
text = io.StringIO()
logging.basicConfig(stream=text, level="INFO", format="%(message)s", force=True)
answers, sys.stdout = sys.stdout, text
instance = json.loads(sys.argv[1])
for line in sys.stdin:
    module, name, parameters = json.loads(line)
    operator = getattr(globals()[module], name)(task_id="task", **parameters)
    try:
        result = operator.execute({"ti": TaskInstance(**instance)})
    except RetreaverError as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({**result, "log": text.getvalue()}), file=answers, flush=True)
    text.seek(0), text.truncate()
"""
TWO_DAGS = {"dag_id": "nightly"}, {"dag_id": "hourly"}
TWO_ATTEMPTS = {"try_number": 1}, {"try_number": 2}


@contextmanager
def two(account, instances):
    """Start two processes; yield a function that lets both run an operator at the same moment.

    It returns what became of it in the one that waited for the other, and of the other.
    """
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    running = []
    for instance in instances:
        command = [sys.executable, "-c", PROGRAM, json.dumps(instance)]
        running.append(subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))

    def run(*operator, at_once=True):
        for process in running:
            process.stdin.write(f"{json.dumps(operator)}\n")
            process.stdin.flush()
        found = [json.loads(process.stdout.readline()) for process in running]
        if not at_once:
            return found
        found.sort(key=lambda one: "This run waits." not in one["log"])
        assert "This run waits." in found[0]["log"], found
        assert "This run waits." not in found[1]["log"], found
        return found

    try:
        # What is imported by the first use would take each another time.
        run("caps", "RetreaverResetCapOperator", {"only_filled": True, "dry_run": True}, at_once=False)
        # As long as no machine is busy, so that both read before one of them writes.
        account.fault("", delay=0.5, times=None)
        yield run
    finally:
        for process in running:
            process.stdin.close()
            process.kill()
            process.wait()
            process.stdout.close()


RESET = "caps", "RetreaverResetCapOperator"
CREATE = "resources", "RetreaverCreateOperator"
TARGET, NUMBER = {"number": "+18668987878", "tid": "A1"}, {"type": "Toll-free", "afid": "0002", "cid": "0044"}


def posts(account):
    """Return the paths that were posted to, each as often as it was."""
    return sorted(account.sent("POST"))


def test_two_dags(account, monkeypatch, tmp_path):
    """Although all answers are late, each is done once; the other DAG's run waits, and names who was at work."""
    trackdrive = TrackDriveAccount(account)
    monkeypatch.setenv("AIRFLOW_CONN_TRACKDRIVE_DEFAULT", json.dumps(trackdrive.connection(extra={"max_wait": 0})))
    campaign(account)
    ids, group = account.targets(3), trackdrive.group(attempt_total_limit=50, used=40)
    place = {"state_path": f"file://{tmp_path}"}
    resets = [f"POST /targets/{id_}/reset_cap.json" for id_ in ids]
    with two(account, TWO_DAGS) as run:
        second, first = run(*RESET, {"target_ids": ids, **place})
        assert posts(account) == resets
        assert (sorted(row["id"] for row in first["reset"]), second["reset"]) == (ids, [])
        other = "(run scheduled__2026-11-20T05:00:00+00:00 of "
        for row in second["skipped"]:
            assert row["reason"].startswith(f"others {other}")
            assert "reset it while this run was at work: it counted 10 when it was read, 0 now" in row["reason"]
        assert len(second["skipped"]) == 3

        second, first = run(*CREATE, {"resource": "targets", "attributes": TARGET, **place})
        assert first["action"] == "created"
        assert second["error"].startswith(f"FinalChangeRefused: The target with tid A1 was created by others {other}")

        second, first = run(*CREATE, {"resource": "numbers", "attributes": NUMBER, **place})
        assert first["action"] == "created"
        assert second["error"].startswith(f"FinalChangeRefused: An equal number was created by others {other}")
        assert posts(account) == sorted(["POST /numbers.json", "POST /targets.json", *resets])

        reset = {"buyer_group_ids": [group], "reset_total_caps": True, **place}
        second, first = run("trackdrive", "TrackDriveBuyerGroupUpdateOperator", reset)
        assert (len(first["changed"]), second["changed"], len(second["unchanged"])) == (1, [], 1)
        assert f"was reset by others {other}" in second["log"]
        assert len(account.sent("PUT")) == 1


def test_two_attempts(account, tmp_path):
    """An attempt that was taken for dead and the next one do the work once, and the latter reports all of it."""
    campaign(account)
    ids = account.targets(3)
    place = {"state_path": f"file://{tmp_path}"}
    with two(account, TWO_ATTEMPTS) as run:
        second, first = run(*RESET, {"target_ids": ids, **place})
        assert posts(account) == [f"POST /targets/{id_}/reset_cap.json" for id_ in ids]
        assert (second["reset"], second["skipped"]) == (first["reset"], [])
        assert "an earlier attempt reset target" in second["log"]
        second, first = run(*CREATE, {"resource": "numbers", "attributes": NUMBER, **place})
        assert second["object"] == first["object"]
        assert "An earlier attempt of this run created it" in second["log"]
    assert posts(account).count("POST /numbers.json") == 1
