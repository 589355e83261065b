"""Event triggers: edges, windows of new calls, what a restart does, and assets; hours pass in no time."""

from __future__ import annotations

import asyncio
import inspect
import json
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest

from airflow_provider_retreaver.assets import asset_uri, retreaver_asset, sanitize_uri
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.triggers.calls import RetreaverCallVolumeEventTrigger, RetreaverNewCallsEventTrigger
from airflow_provider_retreaver.triggers.caps import RetreaverCapFilledEventTrigger
from tests.airflow.support.virtual import in_virtual_time

pytestmark = pytest.mark.airflow


class AssetStore:
    """Stands in for the state store of one watched asset: values survive as JSON."""

    def __init__(self):
        self.values = {}

    async def aget(self, key, default=None):
        """Return a value as it was set."""
        await asyncio.sleep(0)
        return json.loads(self.values[key]) if key in self.values else default

    async def aset(self, key, value):
        """Replace a value."""
        await asyncio.sleep(0)
        self.values[key] = json.dumps(value)


class Watch:
    """A triggerer that runs one event trigger: rebuilt from what it serialises, as Airflow does."""

    def __init__(self, trigger, store=None):
        _, kwargs = trigger.serialize()
        self.trigger = type(trigger)(**json.loads(json.dumps(kwargs)))
        if store is not None:
            self.trigger.asset_state_store = store
        self.events = []
        self._task = asyncio.create_task(self._run())

    async def _run(self):
        async with aclosing(self.trigger.run()) as events:
            async for event in events:
                self.events.append(event.payload)

    async def stop(self):
        """End it, as a triggerer that is shut down does."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


@pytest.fixture
def world_run(monkeypatch):
    """Give a function that runs a scenario in virtual time."""
    return lambda work: in_virtual_time(work, monkeypatch)


async def minutes(count):
    """Let time pass."""
    await asyncio.sleep(count * 60 + 1)


def test_volume_is_announced_at_the_edge(world_run):
    """A crossing is announced once, not while it lasts, and again after the line was crossed back."""

    async def work(world):
        watch = Watch(RetreaverCallVolumeEventTrigger(window="1h", at_least=3))
        await minutes(5)
        world.calls(2)
        await minutes(5)
        assert watch.events == []
        world.calls(2)
        await minutes(30)
        world.calls(5)
        await minutes(30)
        assert [event["count"] for event in watch.events] == [4]
        world.control("POST", "clock", {"advance": 7200})
        await minutes(5)
        world.calls(3)
        await minutes(5)
        await watch.stop()
        return watch.events

    first, second = world_run(work)
    assert (first["count"], second["count"]) == (4, 3)
    assert first["at_least"] == 3
    assert first["window"] == 3600


def test_a_quiet_line_is_announced(world_run):
    """`at_most` announces silence, and announces it again when there was a call in between."""

    async def work(world):
        world.calls(1)
        watch = Watch(RetreaverCallVolumeEventTrigger(window="1h", at_most=0))
        await minutes(5)
        assert watch.events == []
        for _ in range(2):
            world.control("POST", "clock", {"advance": 7200})
            await minutes(5)
            world.calls(1)
            await minutes(5)
        await watch.stop()
        return [event["count"] for event in watch.events]

    assert world_run(work) == [0, 0]


@pytest.mark.parametrize(("remembering", "events"), [(True, [1, 0, 1]), (False, [1, 1, 1])])
def test_restarts_with_and_without_a_store(world_run, remembering, events):
    """With Airflow's store a restart neither loses nor doubles an edge; without, one that still holds comes again."""

    async def work(world):
        store = AssetStore() if remembering else None
        seen = []
        world.calls(5)
        for advance in (0, 0, 7200):
            world.control("POST", "clock", {"advance": advance})
            if advance:
                gap = Watch(RetreaverCallVolumeEventTrigger(window="1h", at_least=3), store)
                await minutes(3)
                await gap.stop()
                assert gap.events == []
                world.calls(4)
            watch = Watch(RetreaverCallVolumeEventTrigger(window="1h", at_least=3), store)
            await minutes(3)
            await watch.stop()
            seen.append(len(watch.events))
        return seen

    assert world_run(work) == events


def test_each_cap_has_its_own_edge(world_run):
    """Every target is announced when it reaches the share, once, and again after its cap was reset."""

    async def work(world):
        one, two = world.target(filled=8), world.target(filled=9)
        watch = Watch(RetreaverCapFilledEventTrigger(target_id=[one, two], at_least=0.9), AssetStore())
        await minutes(5)
        world.fill(one, 9)
        await minutes(5)
        world.fill(one, 10)
        world.fill(two, 0)
        await minutes(5)
        world.fill(two, 10)
        await minutes(5)
        await watch.stop()
        return one, two, watch.events

    one, two, events = world_run(work)
    assert [[(row["id"], row["filled"]) for row in event["reached"]] for event in events] == [
        [(two, 9)],
        [(one, 9)],
        [(two, 10)],
    ]


def covered(windows, moment):
    """Tell whether a moment lies in one of the windows."""
    for window in windows:
        start, end = window["updated_at_start"], window["updated_at_end"]
        later = start is None or datetime.fromisoformat(start) <= moment
        if later and moment < datetime.fromisoformat(end):
            return True
    return False


def updates(world):
    """Return when each call was updated."""
    rows = world.send("GET", "/api/v2/calls.json")
    return [datetime.fromisoformat(row["call"]["updated_at"]) for row in rows]


def test_new_calls_are_announced_with_their_window(world_run):
    """Each window holds what came since the one before, updates too; a quiet line announces nothing."""

    async def work(world):
        world.calls(3)
        watch = Watch(RetreaverNewCallsEventTrigger(filters=None), AssetStore())
        await minutes(3)
        assert watch.events == []
        world.control("POST", "clock", {"advance": 600})
        (uuid,) = world.calls(1)
        await minutes(3)
        world.control("POST", "clock", {"advance": 600})
        world.control("POST", f"calls/{uuid}", {"fields": {"status": "completed"}})
        await minutes(3)
        await watch.stop()
        return watch.events, updates(world)[0], len(world.sent())

    events, updated, requests = world_run(work)
    assert len(events) == 2
    assert covered(events[1:], updated)
    assert not covered(events[:1], updated)
    assert requests <= 12
    first, second = events
    end, start = (datetime.fromisoformat(text) for text in (first["updated_at_end"], second["updated_at_start"]))
    assert timedelta(0) < end - start <= timedelta(seconds=62), "windows overlap by a minute"


@pytest.mark.parametrize(("remembering", "since", "found"), [(True, None, 1), (False, "2026-01-01T00:00:00Z", 2)])
def test_calls_while_no_triggerer_ran(world_run, remembering, since, found):
    """What came in an outage is announced after it: from the store, or again from `since` where there is none."""

    async def work(world):
        store = AssetStore() if remembering else None
        trigger = RetreaverNewCallsEventTrigger(since=since)
        world.calls(1)
        first = Watch(trigger, store)
        await minutes(3)
        await first.stop()
        world.control("POST", "clock", {"advance": 3600})
        world.calls(1)
        second = Watch(trigger, store)
        await minutes(3)
        await second.stop()
        return first.events + second.events, updates(world)

    events, moments = world_run(work)
    assert len(events) == found
    assert covered(events, max(moments))


def test_an_empty_account_has_its_first_call(world_run):
    """When there was no call at first, the first one is announced, with a window that has no beginning."""

    async def work(world):
        watch = Watch(RetreaverNewCallsEventTrigger())
        await minutes(3)
        world.calls(1)
        await minutes(3)
        await watch.stop()
        return watch.events

    (event,) = world_run(work)
    assert event["updated_at_start"] is None


def test_an_event_trigger_never_ends(world_run):
    """It outlives bad weather, a refused key and a deleted target, and goes on as things are afterwards."""

    async def work(world):
        id_ = world.target()
        watch = Watch(RetreaverCapFilledEventTrigger(target_id=id_))
        await minutes(3)
        for status in (503, 401, 404):
            world.answer_all(status)
            before = len(world.sent())
            await minutes(60)
            slow = len(world.sent()) - before
            assert status == 503 or slow <= 13, f"{slow} requests in an hour of {status}"
        world.answer_all()
        world.fill(id_, 10)
        await minutes(10)
        await watch.stop()
        return watch.events

    assert len(world_run(work)) == 1


def test_watchers_share_polls_and_keep_apart(world_run):
    """Two watchers with the same question send the requests of one, and their memories do not mix."""

    async def work(world):
        store = AssetStore()
        triggers = [RetreaverCallVolumeEventTrigger(window="1h", at_least=limit) for limit in (1, 5)]
        watches = [Watch(one, store) for one in triggers]
        await minutes(10)
        world.calls(2)
        await minutes(10)
        for watch in watches:
            await watch.stop()
        return [len(watch.events) for watch in watches], len(store.values), len(world.sent())

    events, kept, requests = world_run(work)
    assert events == [1, 0]
    assert kept == 2
    assert requests <= 25


def test_a_trigger_of_two_assets_goes_without_memory(world_run):
    """Airflow gives a trigger that two assets share no single store; it announces all the same."""

    class NoSingleStore(AssetStore):
        async def aget(self, key, default=None):
            raise ValueError("Task has 2 concrete inlets and outlets")

    async def work(world):
        world.calls(1)
        watch = Watch(RetreaverCallVolumeEventTrigger(window="1h", at_least=1), NoSingleStore())
        await minutes(3)
        await watch.stop()
        return watch.events

    assert len(world_run(work)) == 1


EXAMPLES = [
    RetreaverCallVolumeEventTrigger(window=timedelta(hours=1), at_least=3, at_most=9, filters={"status": "x"}),
    RetreaverNewCallsEventTrigger(since="2026-01-01T00:00:00Z", filters={"client_tid": "A"}, overlap=5),
    RetreaverCapFilledEventTrigger(target_id="1,2", tid="x", target_group_id=[3], cap="daily", remaining=4),
]


@pytest.mark.parametrize("trigger", EXAMPLES, ids=lambda trigger: type(trigger).__name__)
def test_every_parameter_survives_serialisation(trigger):
    """An event trigger is rebuilt from what it serialises, equal, whatever its parameters."""
    path, kwargs = trigger.serialize()
    assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    names = set(inspect.signature(inspect.unwrap(type(trigger).__init__)).parameters) - {"self"}
    assert set(kwargs) == names
    again = type(trigger)(**json.loads(json.dumps(kwargs)))
    assert again.serialize() == trigger.serialize()
    assert again.query == trigger.query


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: RetreaverCallVolumeEventTrigger(window="soon", at_least=1), "window"),
        (lambda: RetreaverCallVolumeEventTrigger(window="1h"), "at_least"),
        (lambda: RetreaverNewCallsEventTrigger(filters={"status": "x"}), "status"),
        (lambda: RetreaverNewCallsEventTrigger(since="yesterday"), "since"),
        (lambda: RetreaverNewCallsEventTrigger(overlap=-1), "overlap"),
        (lambda: RetreaverCapFilledEventTrigger(target_id=1, at_least=90), "at_least"),
        (lambda: RetreaverCapFilledEventTrigger(target_id=1, poll_interval=0), "poll_interval"),
    ],
)
def test_bad_parameters_break_the_dag_file(make, named):
    """What cannot be right is refused when the DAG is parsed, naming the parameter."""
    with pytest.raises(InvalidArgument, match=named):
        make()


def test_assets_have_one_uri():
    """A resource has one spelling, which Airflow's own asset class accepts and keeps."""
    assert asset_uri(12345, "calls") == "retreaver://api.retreaver.com/12345/calls"
    uri = "retreaver://api.retreaver.com/12345/targets/3"
    assert retreaver_asset("12345", "targets/3", "API.retreaver.com").uri == uri


@pytest.mark.parametrize("uri", [
    "retreaver://api.retreaver.com", "retreaver:///1/calls", "retreaver://host/acme/calls", "retreaver://host/1",
    "retreaver://key@host/1/calls", "retreaver://host/1/calls?api_key=x",
])  # fmt: skip
def test_other_uris_are_refused(uri):
    """A URI that names no resource, or holds a key, is refused."""
    with pytest.raises(InvalidArgument):
        sanitize_uri(urlsplit(uri))
