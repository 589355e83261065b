"""The trigger behind the sensors: weather, deadlines, one poll for all; hours pass in no time."""

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

from airflow_provider_retreaver.triggers import polls
from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger
from tests.airflow.support.virtual import KEY, first_event, in_virtual_time

pytestmark = pytest.mark.airflow


@pytest.fixture
def world_run(monkeypatch):
    """Give a function that runs a scenario in virtual time."""

    def run(work):
        return in_virtual_time(work, monkeypatch)

    return run


def printed(program):
    """Run a program in a process of its own, with a connection to nowhere, and return the lines that it prints."""
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


def trigger(kind="call_volume", *, timeout=6 * 3600, begin=0.0, interval=60.0, options=None, **parameters):
    """Return a trigger as a sensor would make it now."""
    volume = {"start": None, "end": None, "window": "12h", "at_least": 1, "at_most": None, "filters": None}
    cap = {"target_id": 1, "tid": None, "target_group_id": None, "cap": "hard", "at_least": 0.9, "remaining": None}
    own = {"call_volume": volume, "cap_filled": {**cap, "match": "any"}}[kind] | (options or {})
    now = datetime.now(UTC)
    return RetreaverConditionTrigger(
        retreaver_conn_id="retreaver_default",
        kind=kind,
        options=own,
        deadline=(now + timedelta(seconds=timeout)).isoformat(),
        next_look=(now + timedelta(seconds=begin)).isoformat(),
        poke_interval=interval,
        failure_budget=parameters.pop("failure_budget", 1800.0),
        **parameters,
    )


async def after(hours, act):
    """Do something when so many hours have passed."""
    await asyncio.sleep(hours * 3600)
    act()


def now():
    """Return the loop's time in hours."""
    return asyncio.get_running_loop().time() / 3600


def test_it_looks_until_the_condition_is_met(world_run):
    """One event comes when the calls have come, and no look after it."""

    async def work(world):
        began = now()
        helper = asyncio.create_task(after(2, lambda: world.calls(3)))
        event = await first_event(trigger())
        await helper
        return event, now() - began, len(world.sent())

    event, took, looks = world_run(work)
    assert event == {"status": "met", "value": 3}
    assert took == pytest.approx(2, abs=0.05)
    assert 105 <= looks <= 137, "a look a minute, a tenth more or less"


@pytest.mark.parametrize(("weather", "said"), [(None, "Not yet: 0 calls"), (503, "keeps waiting")])
def test_a_trigger_that_looks_often_says_little(world_run, caplog, capsys, weather, said):
    """Of a look each ten seconds for an hour a line or so a minute is logged, and what it ends with always."""

    async def work(world):
        if weather:
            world.answer_all(weather)
            asyncio.get_running_loop().call_later(3600, world.answer_all)
        helper = asyncio.create_task(after(1, lambda: world.calls(1)))
        event = await first_event(trigger(interval=10.0, failure_budget=7200.0))
        await helper
        return event

    caplog.set_level("INFO")
    assert world_run(work)["status"] == "met"
    # Airflow 3 prints what triggers log, Airflow 2 hands it to logging as well.
    places = (capsys.readouterr().out.splitlines(), caplog.messages)
    assert 12 <= max(sum(said in line for line in lines) for lines in places) <= 3600 / 45
    assert max(sum("Met: 1 call" in line for line in lines) for lines in places) == 1


def test_ten_minutes_of_5xx_in_the_middle(world_run):
    """The wait goes on through bad weather that is shorter than the budget, however often it comes."""

    async def work(world):
        async def weather():
            for begin, status in ((1, 503), (2, 500), (3, 429), (3.5, 200)):
                await asyncio.sleep((began + begin) * 3600 - now() * 3600)
                world.answer_all(status, body="<html>" if status == 200 else "")
                await asyncio.sleep(600)
                world.answer_all()
            await asyncio.sleep(600)
            world.calls(1)

        began = now()
        helper = asyncio.create_task(weather())
        event = await first_event(trigger())
        await helper
        return event

    assert world_run(work) == {"status": "met", "value": 1}


def test_weather_that_lasts_too_long(world_run):
    """When the budget is spent, the event says what failed and for how long."""

    async def work(world):
        world.answer_all(503)
        began = now()
        event = await first_event(trigger())
        return event, now() - began

    event, took = world_run(work)
    assert (event["status"], event["kind"]) == ("error", "Unavailable")
    assert "failure_budget" in event["message"]
    assert took == pytest.approx(0.5, abs=0.1)


def test_failures_before_the_deferral_count(world_run):
    """The budget goes on from where the sensor's first look began to fail."""

    async def work(world):
        world.answer_all(503)
        began = now()
        since = datetime.now(UTC) - timedelta(minutes=29)
        await first_event(trigger(failing_since=since.isoformat()))
        return now() - began

    assert world_run(work) < 0.1


def test_no_budget_means_until_the_deadline(world_run):
    """Without a budget, bad weather lasts until the sensor's timeout."""

    async def work(world):
        world.answer_all(500)
        return await first_event(trigger(failure_budget=None, timeout=3 * 3600))

    event = world_run(work)
    assert event["status"] == "timeout"
    assert "500" in event["message"]


@pytest.mark.parametrize(("status", "kind", "said"), [
    (401, "AuthenticationError", "API key"), (403, "PermissionDenied", "Company ID"),
])  # fmt: skip
def test_a_refused_key_ends_the_wait_at_once(world_run, status, kind, said):
    """401 and 403 in the middle of a wait end it with the next look, also where all is forgiven."""

    async def work(world):
        helper = asyncio.create_task(after(1, lambda: world.answer_all(status)))
        began = now()
        event = await first_event(trigger(silent_fail=True))
        await helper
        return event, now() - began, len(world.sent())

    event, took, _ = world_run(work)
    assert (event["status"], event["kind"]) == ("error", kind)
    assert said in event["message"]
    assert took == pytest.approx(1, abs=0.05)


def test_a_deleted_target_is_named(world_run):
    """A target that is deleted while it is watched ends the wait, and the event names it."""

    async def work(world):
        id_ = world.target()
        helper = asyncio.create_task(after(1, lambda: world.send("DELETE", f"/targets/{id_}.json")))
        event = await first_event(trigger("cap_filled", options={"target_id": id_}))
        await helper
        return id_, event

    id_, event = world_run(work)
    assert (event["status"], event["kind"]) == ("error", "NotFound")
    assert f"/targets/{id_}.json" in event["message"]


def test_everything_but_the_key_can_be_forgiven(world_run):
    """With `silent_fail` the wait goes on after a missing object, as it does in poke mode."""

    async def work(world):
        helper = asyncio.create_task(after(1, lambda: world.target(filled=9)))
        event = await first_event(trigger("cap_filled", silent_fail=True))
        await helper
        return event

    assert world_run(work)["status"] == "met"


def test_the_deadline_is_absolute(world_run):
    """The time is over at the deadline, after a last look, and the event says what was seen."""

    async def work(world):
        world.calls(2)
        began = now()
        event = await first_event(trigger(options={"at_least": 5}, timeout=3600, interval=2500))
        return event, now() - began, len(world.sent())

    event, took, looks = world_run(work)
    assert event["status"] == "timeout"
    assert "2 calls" in event["message"]
    assert took == pytest.approx(1, abs=0.01)
    assert looks == 3


@pytest.mark.parametrize(("calls", "status"), [(1, "met"), (0, "timeout")])
def test_a_deadline_that_passed_while_no_triggerer_ran(world_run, calls, status):
    """After a long outage it looks once: met is met, and otherwise the time is over at once."""

    async def work(world):
        world.calls(calls)
        began = now()
        event = await first_event(trigger(timeout=-3600, begin=-7200))
        return event, now() - began, len(world.sent())

    event, took, looks = world_run(work)
    assert event["status"] == status
    assert took < 0.01
    assert looks == 1


def test_a_restarted_triggerer_goes_on(world_run):
    """A trigger made anew from what was serialised keeps the deadline and looks at once when it is late."""

    async def work(world):
        first = trigger(timeout=7200)
        task = asyncio.create_task(first_event(first))
        await asyncio.sleep(3600)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        before = len(world.sent())
        _, kwargs = first.serialize()
        world.calls(1)
        event = await first_event(RetreaverConditionTrigger(**json.loads(json.dumps(kwargs))))
        return event, len(world.sent()) - before

    assert world_run(work) == ({"status": "met", "value": 1}, 1)


def test_a_last_look_that_is_not_answered(world_run):
    """A vendor that does not answer holds nobody long beyond the deadline."""

    async def work(world):
        world.answer_all(200, delay=29.0)
        began = now()
        event = await first_event(trigger(timeout=60, begin=60))
        return event, (now() - began) * 3600

    event, took = world_run(work)
    assert event["status"] == "timeout"
    assert took < 100


def test_a_hopeless_condition_ends_the_wait(world_run, caplog, capsys):
    """A fixed window that holds too many calls already is reported at once, and that look is logged."""

    async def work(world):
        world.calls(3)
        day = datetime.now(UTC)
        window = {"start": (day - timedelta(hours=1)).isoformat(), "end": (day + timedelta(hours=9)).isoformat()}
        return await first_event(trigger(options={"window": None, "at_least": None, "at_most": 2, **window}))

    caplog.set_level("INFO")
    event = world_run(work)
    assert (event["status"], event["kind"]) == ("error", "ConditionCannotComeTrue")
    assert "Not yet: 3 calls" in capsys.readouterr().out + caplog.text


def test_a_connection_that_is_missing_or_wrong(world_run, monkeypatch):
    """A missing connection and one that cannot work end the wait with an event that names it."""

    async def work(world):
        missing = trigger()
        missing.retreaver_conn_id = "nowhere"
        first = await first_event(missing)
        monkeypatch.setenv("AIRFLOW_CONN_WRONG", '{"conn_type": "retreaver", "password": "x", "login": "no digits"}')
        missing.retreaver_conn_id = "wrong"
        return first, await first_event(missing), world.sent()

    missing, wrong, sent = world_run(work)
    assert missing["status"] == "error"
    assert "nowhere" in missing["message"]
    assert wrong["kind"] == "InvalidConnection"
    assert sent == []


def test_one_poll_for_all_who_ask_the_same(world_run):
    """A hundred triggers with one query and different limits send what one sends; each is told its own."""

    async def work(world):
        tasks = [
            asyncio.create_task(first_event(trigger(options={"at_least": index % 10 + 1}))) for index in range(100)
        ]
        for _ in range(10):
            await asyncio.sleep(600)
            world.calls(1)
        events = await asyncio.gather(*tasks)
        return events, len(world.sent())

    events, requests = world_run(work)
    assert [event["value"] for event in events] == [index % 10 + 1 for index in range(100)]
    assert requests <= 125, "100 minutes, the quickest of a hundred random intervals, one request a look"


def test_those_who_start_one_after_another_share_looks_too(world_run):
    """A triggerer that comes back starts its sensors in a row, all of them due: a query is asked once a second."""

    async def work(world):
        tasks = []
        for index in range(200):
            tasks.append(asyncio.create_task(first_event(trigger(options={"at_least": index + 1}))))
            await asyncio.sleep(0.1)
        begun = len(world.sent())
        world.calls(200)
        return begun, await asyncio.gather(*tasks)

    begun, events = world_run(work)
    assert {event["value"] for event in events} == {200}
    assert 15 <= begun <= 25, "20 seconds, one request a look"


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
    before, first, second, grown, again, not_frozen = map(int, printed(program)[-1].split())
    assert before == 0
    assert first > 10 * not_frozen
    assert second <= first
    assert grown > first
    assert again <= grown


def test_intervals_are_kept_by_the_quickest(world_run):
    """Triggers with different intervals share a poll; one that wants an answer sooner gets it sooner."""

    async def work(world):
        slow = asyncio.create_task(first_event(trigger(interval=3600)))
        await asyncio.sleep(1)
        quick = asyncio.create_task(first_event(trigger(interval=30, timeout=7200)))
        await asyncio.sleep(1800)
        world.calls(1)
        await quick
        return await slow, now(), len(world.sent())

    event, _, requests = world_run(work)
    assert event["status"] == "met"
    assert 55 <= requests <= 70


def test_the_last_one_out_closes(world_run, monkeypatch):
    """Polls and clients live as long as somebody uses them; another key is another client."""

    async def work(world):
        tasks = [asyncio.create_task(first_event(trigger())) for _ in range(3)]
        tasks.append(asyncio.create_task(first_event(trigger(options={"window": "2h"}))))
        monkeypatch.setenv(
            "AIRFLOW_CONN_OTHER",
            json.dumps({"conn_type": "retreaver", "login": "1", "password": "other", "host": world.url}),
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
        sent = len(world.sent())
        await asyncio.sleep(3600)
        return before, refused, between, polls._states[asyncio.get_running_loop()].clients, len(world.sent()) - sent

    before, refused, between, lines, late = world_run(work)
    assert before == [1, 3]
    assert refused["kind"] == "AuthenticationError"
    assert between == [1]
    assert lines == []
    assert late == 0
    gc.collect()


def test_a_fault_of_our_own_wakes_everybody(world_run):
    """An error that is none of the vendor's is not waited out: every trigger of the poll fails with it."""

    async def work(world):
        del world
        from airflow_provider_retreaver.domain.watching.condition import Query

        class Broken(Query):
            def run(self, state, /):
                raise LookupError("a fault")
                yield

        async def wait():
            async with polls.join_poll("retreaver_default", query) as poll:
                await poll.result(within=1)

        query = Broken()
        return await asyncio.gather(wait(), wait(), return_exceptions=True)

    faults = world_run(work)
    assert [str(fault).count("a fault") for fault in faults] == [1, 1]


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock goes on only when work is said to have been done."""

    worked = 0.0

    def time(self):
        """Return the seconds worked."""
        return self.worked


@pytest.mark.parametrize(("each", "least"), [(0.0001, 20), (0.004, 1)])
def test_the_woken_are_as_few_as_their_work_is_long(each, least):
    """Others wait for 50 ms at most while a thousand are woken, and light work goes on in larger lots."""

    async def work():
        loop = asyncio.get_running_loop()
        callbacks, done, lots = polls.CallbackQueue(), 0, []

        def woken():
            nonlocal done
            done += 1
            loop.worked += each

        for _ in range(1000):
            callbacks.add(lambda: loop.call_soon(woken))
        while done < 1000:
            before = done
            await asyncio.sleep(0)
            lots.append(done - before)
        return lots

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        lots = runner.run(work())
    assert max(lots) * each <= 0.05
    assert max(lots) >= least


def test_nothing_is_imported_on_the_loop():
    """A trigger's first run in a process imports what it needs, client libraries included, in threads."""
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
found = {True: [], False: []}

class Noting:
    def find_spec(self, name, path=None, target=None):
        found[threading.current_thread() is threading.main_thread()].append(name)

async def first():
    async for event in trigger.run():
        return event.payload

sys.meta_path.insert(0, Noting())
payload = asyncio.run(first())
print(json.dumps([payload, found[True], found[False]]))
"""
    payload, on_the_loop, in_threads = json.loads(printed(program)[-1])
    assert payload["status"] == "timeout"
    assert {"aiohttp", "airflow_provider_retreaver.domain.watching.call_volume"} <= set(in_threads)
    ours = ("airflow_provider_retreaver", "aiohttp", "requests", "tenacity")
    assert [name for name in on_the_loop if name.partition(".")[0] in ours] == []


def test_every_parameter_survives_serialisation():
    """The trigger is rebuilt from what it serialises, every parameter of its signature included."""
    signature = inspect.signature(inspect.unwrap(RetreaverConditionTrigger.__init__))
    names = [name for name in signature.parameters if name != "self"]
    given = {name: f"value of {name}" for name in names}
    path, kwargs = RetreaverConditionTrigger(**given).serialize()
    assert path == "airflow_provider_retreaver.triggers.conditions.RetreaverConditionTrigger"
    assert kwargs == given
