"""The trigger of the sensors: failures, deadlines, and shared polls; in virtual time."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_retreaver.domain.watching.condition import KINDS, build_condition
from airflow_provider_retreaver.triggers import polls
from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger
from tests.airflow.support.virtual import KEY, first_event, in_virtual_time

pytestmark = pytest.mark.airflow


@pytest.fixture
def run_scenario(monkeypatch):
    """Provide a function that runs a scenario in virtual time."""

    def run(work):
        return in_virtual_time(work, monkeypatch)

    return run


def output_of(program):
    """Run a program in a new process, with a connection that cannot be opened, and return the lines it prints."""
    connection = {
        "conn_type": "retreaver",
        "password": KEY,
        "host": "http://127.0.0.1:1",
        "extra": {"max_attempts": 1},
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps(connection)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().splitlines()


def trigger(kind="call_volume", *, timeout=6 * 3600, first_wait=0.0, interval=60.0, options=None, **parameters):
    """Return a trigger as a sensor creates it now."""
    volume = {"start": None, "end": None, "window": "12h", "at_least": 1, "at_most": None, "filters": None}
    cap = {"target_id": 1, "tid": None, "target_group_id": None, "cap": "hard", "at_least": 0.9, "remaining": None}
    own = {"call_volume": volume, "cap_filled": {**cap, "match": "any"}}[kind] | (options or {})
    now = datetime.now(UTC)
    return RetreaverConditionTrigger(
        retreaver_conn_id="retreaver_default",
        kind=kind,
        options=own,
        deadline=(now + timedelta(seconds=timeout)).isoformat(),
        next_look=(now + timedelta(seconds=first_wait)).isoformat(),
        poke_interval=interval,
        failure_budget=parameters.pop("failure_budget", 1800.0),
        **parameters,
    )


async def after(hours, action):
    """Call a function after some hours."""
    await asyncio.sleep(hours * 3600)
    action()


def now():
    """Return the loop's time in hours."""
    return asyncio.get_running_loop().time() / 3600


def test_polls_until_the_condition_is_met(run_scenario):
    """The trigger sends one event when there are calls, and does not poll after it."""

    async def work(account):
        began = now()
        helper = asyncio.create_task(after(2, lambda: account.calls(3)))
        event = await first_event(trigger())
        await helper
        return event, now() - began, len(account.sent())

    event, took, polled = run_scenario(work)
    assert event == {"status": "met", "value": 3}
    assert took == pytest.approx(2, abs=0.05)
    assert 105 <= polled <= 137, "a poll a minute, plus or minus a tenth"


@pytest.mark.parametrize(("status", "line"), [(None, "Not yet: 0 calls"), (503, "keeps waiting")])
def test_frequent_polls_log_few_lines(run_scenario, caplog, capsys, status, line):
    """Of a poll every ten seconds for an hour about one line a minute is logged, and the last result always."""

    async def work(account):
        if status:
            account.answer_all(status)
            asyncio.get_running_loop().call_later(3600, account.answer_all)
        helper = asyncio.create_task(after(1, lambda: account.calls(1)))
        event = await first_event(trigger(interval=10.0, failure_budget=7200.0))
        await helper
        return event

    caplog.set_level("INFO")
    assert run_scenario(work)["status"] == "met"
    # Airflow 3 prints the log lines of triggers, Airflow 2 passes them to logging as well.
    places = (capsys.readouterr().out.splitlines(), caplog.messages)
    assert 12 <= max(sum(line in one for one in lines) for lines in places) <= 3600 / 45
    assert max(sum("Met: 1 call" in one for one in lines) for lines in places) == 1


def test_failures_shorter_than_the_budget(run_scenario):
    """The wait continues through temporary failures that are shorter than the budget, however often they occur."""

    async def work(account):
        async def failures():
            for begin, status in ((1, 503), (2, 500), (3, 429), (3.5, 200)):
                await asyncio.sleep((began + begin) * 3600 - now() * 3600)
                account.answer_all(status, body="<html>" if status == 200 else "")
                await asyncio.sleep(600)
                account.answer_all()
            await asyncio.sleep(600)
            account.calls(1)

        began = now()
        helper = asyncio.create_task(failures())
        event = await first_event(trigger())
        await helper
        return event

    assert run_scenario(work) == {"status": "met", "value": 1}


def test_failures_longer_than_the_budget(run_scenario):
    """When the budget is spent, the event has the error and how long it lasted."""

    async def work(account):
        account.answer_all(503)
        began = now()
        event = await first_event(trigger())
        return event, now() - began

    event, took = run_scenario(work)
    assert (event["status"], event["kind"]) == ("error", "Unavailable")
    assert "failure_budget" in event["message"]
    assert took == pytest.approx(0.5, abs=0.1)


def test_failures_before_the_deferral_count(run_scenario):
    """The budget starts when the sensor's first poll failed."""

    async def work(account):
        account.answer_all(503)
        began = now()
        since = datetime.now(UTC) - timedelta(minutes=29)
        await first_event(trigger(failing_since=since.isoformat()))
        return now() - began

    assert run_scenario(work) < 0.1


def test_without_a_budget_failures_last_until_the_deadline(run_scenario):
    """Without a budget, failures are tolerated until the sensor's timeout."""

    async def work(account):
        account.answer_all(500)
        return await first_event(trigger(failure_budget=None, timeout=3 * 3600))

    event = run_scenario(work)
    assert event["status"] == "timeout"
    assert "500" in event["message"]


@pytest.mark.parametrize(("status", "kind", "text"), [
    (401, "AuthenticationError", "API key"), (403, "PermissionDenied", "Company ID"),
])  # fmt: skip
def test_a_refused_key_ends_the_wait_at_once(run_scenario, status, kind, text):
    """401 and 403 during a wait end it with the next poll, also with `silent_fail`."""

    async def work(account):
        helper = asyncio.create_task(after(1, lambda: account.answer_all(status)))
        began = now()
        event = await first_event(trigger(silent_fail=True))
        await helper
        return event, now() - began, len(account.sent())

    event, took, _ = run_scenario(work)
    assert (event["status"], event["kind"]) == ("error", kind)
    assert text in event["message"]
    assert took == pytest.approx(1, abs=0.05)


def test_a_deleted_target_ends_the_wait(run_scenario):
    """A target that is deleted during the wait ends it, and the event names the target."""

    async def work(account):
        id_ = account.target()
        helper = asyncio.create_task(after(1, lambda: account.send("DELETE", f"/targets/{id_}.json")))
        event = await first_event(trigger("cap_filled", options={"target_id": id_}))
        await helper
        return id_, event

    id_, event = run_scenario(work)
    assert (event["status"], event["kind"]) == ("error", "NotFound")
    assert f"/targets/{id_}.json" in event["message"]


def test_names_are_looked_up_once(run_scenario):
    """A trigger whose sensor could not look names up does so at its first poll, and then waits by the IDs."""

    async def work(account):
        ours, other = account.target(filled=1, name="Acme"), account.target(filled=10, name="Bolt")

        def rename():
            account.send("PUT", f"/targets/{ours}.json", {"target": {"name": "Old"}})
            account.send("PUT", f"/targets/{other}.json", {"target": {"name": "Acme"}})

        helpers = [
            asyncio.create_task(after(1, rename)),
            asyncio.create_task(after(2, lambda: account.fill(ours, 10))),
        ]
        began = now()
        event = await first_event(trigger("cap_filled", options={"target_id": None, "target_names": ["Acme"]}))
        await asyncio.gather(*helpers)
        missing = await first_event(trigger("cap_filled", options={"target_names": ["Acm"]}))
        return event, now() - began, account.sent().count("GET /targets.json"), missing

    event, took, lists, missing = run_scenario(work)
    assert (event["value"][0]["id"], event["value"][0]["name"]) == (1, "Old")
    assert took == pytest.approx(2, abs=0.05)
    assert lists == 2
    assert missing["kind"] == "NotFound"
    assert "did you mean 'Acme' (target 2)" in missing["message"]


def test_silent_fail_tolerates_a_missing_target(run_scenario):
    """With `silent_fail` the wait continues after a missing object, as it does in poke mode."""

    async def work(account):
        helper = asyncio.create_task(after(1, lambda: account.target(filled=9)))
        event = await first_event(trigger("cap_filled", silent_fail=True))
        await helper
        return event

    assert run_scenario(work)["status"] == "met"


def test_the_deadline_is_absolute(run_scenario):
    """The wait ends at the deadline, after a last poll, and the event has the last result."""

    async def work(account):
        account.calls(2)
        began = now()
        event = await first_event(trigger(options={"at_least": 5}, timeout=3600, interval=2500))
        return event, now() - began, len(account.sent())

    event, took, polled = run_scenario(work)
    assert event["status"] == "timeout"
    assert "2 calls" in event["message"]
    assert took == pytest.approx(1, abs=0.01)
    assert polled == 3


@pytest.mark.parametrize(("calls", "status"), [(1, "met"), (0, "timeout")])
def test_a_deadline_that_passed_while_the_triggerer_was_down(run_scenario, calls, status):
    """After a long outage the trigger polls once: the condition is met, or the wait ends at once."""

    async def work(account):
        account.calls(calls)
        began = now()
        event = await first_event(trigger(timeout=-3600, first_wait=-7200))
        return event, now() - began, len(account.sent())

    event, took, polled = run_scenario(work)
    assert event["status"] == status
    assert took < 0.01
    assert polled == 1


def test_a_restarted_triggerer_continues(run_scenario):
    """A trigger that is rebuilt from its serialized form keeps the deadline, and polls at once when it is late."""

    async def work(account):
        first = trigger(timeout=7200)
        task = asyncio.create_task(first_event(first))
        await asyncio.sleep(3600)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        before = len(account.sent())
        _, kwargs = first.serialize()
        account.calls(1)
        event = await first_event(RetreaverConditionTrigger(**json.loads(json.dumps(kwargs))))
        return event, len(account.sent()) - before

    assert run_scenario(work) == ({"status": "met", "value": 1}, 1)


def test_a_last_poll_without_a_response(run_scenario):
    """A server that does not respond does not extend the wait far beyond the deadline."""

    async def work(account):
        account.answer_all(200, delay=29.0)
        began = now()
        event = await first_event(trigger(timeout=60, first_wait=60))
        return event, (now() - began) * 3600

    event, took = run_scenario(work)
    assert event["status"] == "timeout"
    assert took < 100


def test_an_impossible_condition_ends_the_wait(run_scenario, caplog, capsys):
    """A fixed window that already holds too many calls ends the wait at once, and its result is logged."""

    async def work(account):
        account.calls(3)
        day = datetime.now(UTC)
        window = {"start": (day - timedelta(hours=1)).isoformat(), "end": (day + timedelta(hours=9)).isoformat()}
        return await first_event(trigger(options={"window": None, "at_least": None, "at_most": 2, **window}))

    caplog.set_level("INFO")
    event = run_scenario(work)
    assert (event["status"], event["kind"]) == ("error", "ConditionCannotComeTrue")
    assert "Not yet: 3 calls" in capsys.readouterr().out + caplog.text


def test_a_missing_or_invalid_connection(run_scenario, monkeypatch):
    """A missing connection and an invalid one end the wait with an event that names it."""

    async def work(account):
        missing = trigger()
        missing.retreaver_conn_id = "nowhere"
        first = await first_event(missing)
        monkeypatch.setenv("AIRFLOW_CONN_WRONG", '{"conn_type": "retreaver", "password": "x", "login": "no digits"}')
        missing.retreaver_conn_id = "wrong"
        return first, await first_event(missing), account.sent()

    missing, wrong, sent = run_scenario(work)
    assert missing["status"] == "error"
    assert "nowhere" in missing["message"]
    assert wrong["kind"] == "InvalidConnection"
    assert sent == []


def test_triggers_with_equal_queries_share_one_poll(run_scenario):
    """A hundred triggers with one query and different limits send the requests of one; each has its own result."""

    async def work(account):
        tasks = [
            asyncio.create_task(first_event(trigger(options={"at_least": index % 10 + 1}))) for index in range(100)
        ]
        for _ in range(10):
            await asyncio.sleep(600)
            account.calls(1)
        events = await asyncio.gather(*tasks)
        return events, len(account.sent())

    events, requests = run_scenario(work)
    assert [event["value"] for event in events] == [index % 10 + 1 for index in range(100)]
    assert requests <= 125, "100 minutes, the shortest of a hundred random intervals, one request a poll"


def test_triggers_that_start_one_by_one_share_polls(run_scenario):
    """A triggerer that restarts starts its triggers one by one, all of them due: a query runs once a second."""

    async def work(account):
        tasks = []
        for index in range(200):
            tasks.append(asyncio.create_task(first_event(trigger(options={"at_least": index + 1}))))
            await asyncio.sleep(0.1)
        requests = len(account.sent())
        account.calls(200)
        return requests, await asyncio.gather(*tasks)

    requests, events = run_scenario(work)
    assert {event["value"] for event in events} == {200}
    assert 15 <= requests <= 25, "20 seconds, one request a second"


def test_loaded_objects_are_excluded_from_full_collections():
    """Imported modules are frozen at once, waiting triggers when their number grows, and nothing when it does not."""
    program = """
import asyncio, gc
from datetime import datetime, timedelta, UTC
from airflow_provider_retreaver.triggers import polls
from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger

options = {"start": None, "end": None, "window": "1h", "at_least": 1, "at_most": None, "filters": None}
later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

async def wait():
    trigger = RetreaverConditionTrigger(
        retreaver_conn_id="retreaver_default", kind="call_volume", options=options, deadline=later,
        next_look=later, poke_interval=60.0, failure_budget=1800.0,
    )
    async for event in trigger.run():
        return event.payload

async def frozen_while_waiting(count):
    tasks = [asyncio.create_task(wait()) for _ in range(count)]
    loop = asyncio.get_running_loop()
    # All of them wait at the same time, however busy the machine is.
    while loop not in polls._states or polls._states[loop].waiting < count:
        await asyncio.sleep(0.01)
        for task in tasks:
            assert not task.done(), task
    frozen = gc.get_freeze_count()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return frozen

async def main():
    before = gc.get_freeze_count()
    return [before] + [await frozen_while_waiting(count) for count in (1, 1, 100, 100)]

print(*asyncio.run(main()), len(gc.get_objects()))
"""
    before, first, second, grown, again, not_frozen = map(int, output_of(program)[-1].split())
    assert before == 0
    assert first > 10 * not_frozen
    assert second <= first
    assert grown > first
    assert again <= grown


def test_the_shortest_interval_counts(run_scenario):
    """Triggers with different intervals share a poll, which runs as often as the shortest interval requires."""

    async def work(account):
        slow = asyncio.create_task(first_event(trigger(interval=3600)))
        await asyncio.sleep(1)
        quick = asyncio.create_task(first_event(trigger(interval=30, timeout=7200)))
        await asyncio.sleep(1800)
        account.calls(1)
        await quick
        return await slow, now(), len(account.sent())

    event, _, requests = run_scenario(work)
    assert event["status"] == "met"
    assert 55 <= requests <= 70


def test_the_last_user_closes_the_client(run_scenario, monkeypatch):
    """Polls and clients are closed with their last user; a connection with another key has its own client."""

    async def work(account):
        tasks = [asyncio.create_task(first_event(trigger())) for _ in range(3)]
        tasks.append(asyncio.create_task(first_event(trigger(options={"window": "2h"}))))
        monkeypatch.setenv(
            "AIRFLOW_CONN_OTHER",
            json.dumps({"conn_type": "retreaver", "login": "1", "password": "other", "host": account.url}),
        )
        await asyncio.sleep(30)
        (shared,) = polls._states[asyncio.get_running_loop()].clients
        before = sorted(poll.users for poll in shared.polls.values())
        other = trigger()
        other.retreaver_conn_id = "other"
        refused = await first_event(other)
        for task in tasks[:3]:
            task.cancel()
        await asyncio.gather(*tasks[:3], return_exceptions=True)
        between = sorted(poll.users for poll in shared.polls.values())
        tasks[3].cancel()
        await asyncio.gather(tasks[3], return_exceptions=True)
        sent = len(account.sent())
        await asyncio.sleep(3600)
        return before, refused, between, polls._states[asyncio.get_running_loop()].clients, len(account.sent()) - sent

    before, refused, between, lines, late = run_scenario(work)
    assert before == [1, 3]
    assert refused["kind"] == "AuthenticationError"
    assert between == [1]
    assert lines == []
    assert late == 0
    gc.collect()


def test_an_internal_error_fails_all_triggers_of_a_poll(run_scenario):
    """An error in our own code is not tolerated: every trigger of the poll fails with it."""

    async def work(account):
        del account
        from airflow_provider_retreaver.domain.watching.condition import Query

        class Broken(Query):
            def run(self, state, /):
                raise LookupError("a bug")
                yield

        async def wait():
            async with polls.join_poll("retreaver_default", query) as poll:
                await poll.result(within=1)

        query = Broken()
        return await asyncio.gather(wait(), wait(), return_exceptions=True)

    errors = run_scenario(work)
    assert [str(error).count("a bug") for error in errors] == [1, 1]


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock moves only with the work that callbacks report."""

    worked = 0.0

    def time(self):
        """Return the seconds worked."""
        return self.worked


@pytest.mark.parametrize(("each", "least"), [(0.0001, 20), (0.004, 1)])
def test_fewer_triggers_wake_when_their_work_is_long(each, least):
    """A turn takes at most 50 ms while a thousand triggers wake, and more of them wake when their work is short."""

    async def work():
        loop = asyncio.get_running_loop()
        callbacks, done, batches = polls.CallbackQueue(), 0, []

        def wake():
            nonlocal done
            done += 1
            loop.worked += each

        for _ in range(1000):
            callbacks.add(lambda: loop.call_soon(wake))
        while done < 1000:
            before = done
            await asyncio.sleep(0)
            batches.append(done - before)
        return batches

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        batches = runner.run(work())
    assert max(batches) * each <= 0.05
    assert max(batches) >= least


def test_modules_are_imported_in_threads():
    """A trigger's first run in a process imports its modules, client libraries included, in threads."""
    program = """
import asyncio, json, sys, threading
from datetime import datetime, UTC
from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger

options = {"start": None, "end": None, "window": "1h", "at_least": 1, "at_most": None, "filters": None}
now = datetime.now(UTC).isoformat()
trigger = RetreaverConditionTrigger(
    retreaver_conn_id="retreaver_default", kind="call_volume", options=options, deadline=now, next_look=now,
    poke_interval=60.0, failure_budget=1800.0,
)
imported = {True: [], False: []}

class ImportRecorder:
    def find_spec(self, name, path=None, target=None):
        imported[threading.current_thread() is threading.main_thread()].append(name)

async def first():
    async for event in trigger.run():
        return event.payload

sys.meta_path.insert(0, ImportRecorder())
payload = asyncio.run(first())
print(json.dumps([payload, imported[True], imported[False]]))
"""
    payload, on_the_loop, in_threads = json.loads(output_of(program)[-1])
    assert payload["status"] == "timeout"
    assert {"aiohttp", "airflow_provider_retreaver.domain.watching.call_volume"} <= set(in_threads)
    ours = ("airflow_provider_retreaver", "aiohttp", "requests", "tenacity")
    assert [name for name in on_the_loop if name.partition(".")[0] in ours] == []


def test_every_parameter_is_serialized():
    """The serialized form has every parameter of the trigger's signature."""
    signature = inspect.signature(inspect.unwrap(RetreaverConditionTrigger.__init__))
    names = [name for name in signature.parameters if name != "self"]
    arguments = {name: f"value of {name}" for name in names}
    path, kwargs = RetreaverConditionTrigger(**arguments).serialize()
    assert path == "airflow_provider_retreaver.triggers.conditions.RetreaverConditionTrigger"
    assert kwargs == arguments


def test_stored_triggers_stay_readable():
    """The names of serialized parameters do not change: Airflow's database holds those of waiting sensors."""
    names = (
        "retreaver_conn_id", "kind", "options", "deadline", "next_look", "poke_interval", "exponential_backoff",
        "max_wait", "failure_budget", "failing_since", "silent_fail",
    )  # fmt: skip
    assert set(trigger().serialize()[1]) == set(names)
    assert set(KINDS) == {
        "account_drift", "call_status", "call_volume", "cap_filled", "number_pool", "target_idle",
    }  # fmt: skip
    stored = trigger("cap_filled", options={"target_id": [1], "tid": [], "target_group_id": []})
    now = {"target_names": [], "target_group_names": []}
    assert build_condition(stored.kind, stored.options).options() == {**stored.options, **now}
