"""Tasks over TCP that are told to stop again and again: each attempt ends at once, and nothing is done twice."""

from __future__ import annotations

import json
import random
import signal
import time
from functools import partial
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_retreaver.hooks.stopping import TaskStopped
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator
from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor
from tests.airflow.support.account import StateStore, context_of, reset_caps
from tests.airflow.support.suppression import attempt_context, phone_numbers, suppressed, sync
from tests.airflow.support.trackdrive import TrackDriveAccount, execute
from tests.stopping import IN_TIME, until_told_to_stop

# Python drops the exception of a signal that comes within a finalizer: that attempt then ends by itself.
pytestmark = [
    pytest.mark.airflow,
    pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def slow(account, monkeypatch):
    """Let every request take some time, and the connection wait between attempts."""
    connection = account.connection(extra={"max_concurrency": 3})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    account.fault("", delay=0.03, times=None)
    return account


def stopped_until_done(rng, longest, attempt, after_stop=lambda: None):
    """Tell attempts to stop at random points until one is done; return its result and the number of the others."""
    result, stops = None, 0
    while result is None:
        assert stops < 40
        result = until_told_to_stop(rng.uniform(0.1, longest) * (1 + stops / 10), attempt)
        if result is None:
            stops += 1
            after_stop()
    return result, stops


def test_a_sync(slow, tmp_path):
    """Stopped at random points until it is done: each number is sent once, and the record is right."""
    total = 0
    for seed in range(3):
        rng = random.Random(seed)  # noqa: S311 - the same points every time
        numbers = phone_numbers(150, start=1000 * seed)
        parameters = {"mode": "add", "can_resubscribe": False, "numbers": numbers, "state_path": tmp_path.as_uri()}
        context = attempt_context(f"run {seed}")
        result, stops = stopped_until_done(rng, 0.5, partial(sync, context, **parameters))
        # One that was told to stop when all was done and recorded is followed by one that finds nothing to do.
        assert (result["added"], result["unchanged"]) in {(150, 0), (0, 150)}
        assert set(numbers) <= set(suppressed(slow))
        posts = [request for request in slow.sent("POST") if any(quote(number) in request for number in numbers)]
        print(f"stopped {stops} times, {len(posts)} writes for 150 numbers")
        assert len(posts) == len(set(posts)) == 150
        total += stops
    assert total > 3


def test_a_reset(slow):
    """Stopped at random points: no cap is reset twice, so that the calls counted since then stay counted."""
    total = 0
    for seed in range(3):
        rng = random.Random(seed)  # noqa: S311 - the same points every time
        ids = slow.targets(45)
        context = context_of(task_state_store=StateStore())
        refilled: set[int] = set()

        def refill(ids=ids, refilled=refilled):
            for id_ in ids:
                if slow.filled(id_) == 0:
                    slow.fill(id_, 3)
                    refilled.add(id_)

        attempt = partial(reset_caps, context, target_ids=ids, state_path=None)
        result, stops = stopped_until_done(rng, 0.4, attempt, refill)
        posts = [request for request in slow.sent("POST") if any(f"/targets/{id_}/" in request for id_ in ids)]
        print(f"stopped {stops} times, {len(posts)} resets of 45 caps")
        assert sorted(row["id"] for row in result["reset"]) == ids
        assert len(posts) == len(set(posts)) == 45
        assert {id_ for id_ in ids if slow.filled(id_) == 3} == refilled
        total += stops
    assert total > 3


def test_buyer_groups(slow, monkeypatch):
    """A reset, a change and a create at TrackDrive, stopped at random points: each write takes effect once."""
    rng = random.Random(0)  # noqa: S311 - the same points every time
    trackdrive = TrackDriveAccount(slow)
    connection = json.dumps(trackdrive.connection(extra={"max_concurrency": 3}))
    monkeypatch.setenv("AIRFLOW_CONN_TRACKDRIVE_DEFAULT", connection)
    buyer = trackdrive.buyer("a")
    ids = [trackdrive.group(used=40) for _ in range(20)]
    refilled: set[int] = set()
    total = 0

    def finish(verb, **parameters):
        nonlocal total
        store, result, stops = StateStore(), None, 0
        while result is None:
            assert stops < 40
            context = context_of(task_state_store=store)
            result = until_told_to_stop(
                rng.uniform(0.05, 0.3) * (1 + stops / 5),
                lambda context=context: execute(verb, context, **parameters),
            )
            stops += result is None
            for id_ in ids:
                if verb == "Update" and trackdrive.read(id_)["attempt_total_used"] == 0:
                    trackdrive.fill(id_, 3)
                    refilled.add(id_)
        total += stops
        return result

    reset = finish("Update", buyer_group_ids=ids, reset_total_caps=True)
    assert sorted(row["id"] for row in reset["changed"]) == ids == sorted(refilled)
    assert all(row["before"] == 40 for row in reset["changed"])
    assert {trackdrive.read(id_)["attempt_total_used"] for id_ in ids} == {3}
    change = finish("Update", buyer_group_ids=ids, add=[buyer], attributes={"tier": 7})
    assert len(change["changed"]) == 40
    assert {json.dumps([group["buyer_ids"], group["tier"]]) for group in map(trackdrive.read, ids)} == {
        json.dumps([[buyer], 7])
    }
    puts = [
        f"{entry['path']} {sorted(json.loads(entry['body']))}" for entry in slow.entries() if entry["method"] == "PUT"
    ]
    print(f"stopped {total} times, {len(puts)} changes of 20 groups")
    # The log may take one that was broken off for a request of this test, which came at the same time.
    assert 38 <= len(puts) == len(set(puts))
    made = finish("Create", attributes={"name": "Solar", "team_users_emails": "a@example.com"})
    assert made["id"] == max(ids) + 1
    assert len(trackdrive.invitations()) == len(slow.sent("POST")) == 1
    assert total > 3


def told_by_on_kill(operator, context, seconds=0.5):
    """Execute an operator; after some seconds a signal calls its `on_kill`, as Airflow 3 does."""
    told = []

    def handle(*_):
        told.append(time.monotonic())
        operator.on_kill()

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with pytest.raises(TaskStopped, match="told to stop"):
            operator.execute(context)
        assert time.monotonic() - told[0] < IN_TIME
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2.11 raises an exception of its own")
def test_on_kill(account):
    """It ends an operator in its requests and a sensor between two polls; afterwards it does nothing."""
    account.targets(30)
    account.fault("targets.json", delay=240, times=None)
    reset = RetreaverResetCapOperator(task_id="reset", only_filled=True, max_staleness=None)
    told_by_on_kill(reset, {})
    reset.on_kill()
    sensor = RetreaverCallVolumeSensor(task_id="volume", window="1h", at_least=5, poke_interval=600)
    told_by_on_kill(sensor, {})
    sensor.on_kill()
