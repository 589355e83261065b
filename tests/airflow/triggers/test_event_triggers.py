"""Event triggers: crossings, windows of new calls, restarts, and assets; in virtual time."""

from __future__ import annotations

import asyncio
import inspect
import json
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from importlib.metadata import version
from urllib.parse import urlsplit

import pytest

from airflow_provider_retreaver.assets import asset_uri, retreaver_asset, sanitize_uri
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.triggers.calls import RetreaverCallVolumeEventTrigger, RetreaverNewCallsEventTrigger
from airflow_provider_retreaver.triggers.caps import RetreaverCapFilledEventTrigger
from tests.airflow.support.virtual import in_virtual_time

pytestmark = pytest.mark.airflow


class AssetStore:
    """A state store of one watched asset; values are kept as JSON."""

    def __init__(self):
        self.values = {}

    async def aget(self, key, default=None):
        """Return a value."""
        await asyncio.sleep(0)
        return json.loads(self.values[key]) if key in self.values else default

    async def aset(self, key, value):
        """Set a value."""
        await asyncio.sleep(0)
        self.values[key] = json.dumps(value)


class Watch:
    """A triggerer that runs one event trigger, rebuilt from its serialized form as Airflow does."""

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
        """Stop the trigger, as a triggerer that is shut down does."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


@pytest.fixture
def run_scenario(monkeypatch):
    """Provide a function that runs a scenario in virtual time."""
    return lambda work: in_virtual_time(work, monkeypatch)


async def minutes(count):
    """Let minutes pass."""
    await asyncio.sleep(count * 60 + 1)


def test_a_crossing_is_announced_once(run_scenario):
    """A crossing is announced once, not while it lasts, and again after the number went back."""

    async def work(account):
        watch = Watch(RetreaverCallVolumeEventTrigger(window="1h", at_least=3))
        await minutes(5)
        account.calls(2)
        await minutes(5)
        assert watch.events == []
        account.calls(2)
        await minutes(30)
        account.calls(5)
        await minutes(30)
        assert [event["count"] for event in watch.events] == [4]
        account.control("POST", "clock", {"advance": 7200})
        await minutes(5)
        account.calls(3)
        await minutes(5)
        await watch.stop()
        return watch.events

    first, second = run_scenario(work)
    assert (first["count"], second["count"]) == (4, 3)
    assert first["at_least"] == 3
    assert first["window"] == 3600


@pytest.mark.parametrize("stored", [True, False])
def test_names_are_kept_with_the_asset(run_scenario, stored):
    """After a restart a kept ID is watched, whatever has the name now; a deleted object's name is looked up again."""

    async def work(account):
        ours, other = account.target(name="Acme"), account.target(name="Bolt", filled=10)
        store = AssetStore() if stored else None
        trigger = RetreaverCapFilledEventTrigger(target_names=["Acme"])
        await minutes(1)
        watch = Watch(trigger, store)
        await minutes(5)
        account.send("PUT", f"/targets/{ours}.json", {"target": {"name": "Old"}})
        account.send("PUT", f"/targets/{other}.json", {"target": {"name": "Acme"}})
        await minutes(5)
        assert watch.events == [], "the trigger goes on with the ID"
        await watch.stop()
        watch = Watch(trigger, store)
        await minutes(5)
        before, watch.events = watch.events, []
        account.send("DELETE", f"/targets/{ours}.json")
        await minutes(15)
        await watch.stop()
        return [[row["id"] for row in event["reached"]] for event in before], watch.events

    before, after = run_scenario(work)
    assert before == ([] if stored else [[2]])
    assert [event["reached"][0]["name"] for event in after] == (["Acme"] if stored else [])


def test_missing_calls_are_announced(run_scenario):
    """`at_most` announces missing calls, and announces them again when there was a call in between."""

    async def work(account):
        account.calls(1)
        watch = Watch(RetreaverCallVolumeEventTrigger(window="1h", at_most=0))
        await minutes(5)
        assert watch.events == []
        for _ in range(2):
            account.control("POST", "clock", {"advance": 7200})
            await minutes(5)
            account.calls(1)
            await minutes(5)
        await watch.stop()
        return [event["count"] for event in watch.events]

    assert run_scenario(work) == [0, 0]


@pytest.mark.parametrize(("stored", "events"), [(True, [1, 0, 1]), (False, [1, 1, 1])])
def test_restarts_with_and_without_a_store(run_scenario, stored, events):
    """With Airflow's store a restart loses and repeats no crossing; without it, one that holds comes again."""

    async def work(account):
        store = AssetStore() if stored else None
        seen = []
        account.calls(5)
        for advance in (0, 0, 7200):
            account.control("POST", "clock", {"advance": advance})
            if advance:
                gap = Watch(RetreaverCallVolumeEventTrigger(window="1h", at_least=3), store)
                await minutes(3)
                await gap.stop()
                assert gap.events == []
                account.calls(4)
            watch = Watch(RetreaverCallVolumeEventTrigger(window="1h", at_least=3), store)
            await minutes(3)
            await watch.stop()
            seen.append(len(watch.events))
        return seen

    assert run_scenario(work) == events


def test_each_target_is_announced_once(run_scenario):
    """Every target is announced once when its cap reaches the share, and again after its cap was reset."""

    async def work(account):
        one, two = account.target(filled=8), account.target(filled=9)
        watch = Watch(RetreaverCapFilledEventTrigger(target_id=[one, two], at_least=0.9), AssetStore())
        await minutes(5)
        account.fill(one, 9)
        await minutes(5)
        account.fill(one, 10)
        account.fill(two, 0)
        await minutes(5)
        account.fill(two, 10)
        await minutes(5)
        await watch.stop()
        return one, two, watch.events

    one, two, events = run_scenario(work)
    assert [[(row["id"], row["filled"]) for row in event["reached"]] for event in events] == [
        [(two, 9)],
        [(one, 9)],
        [(two, 10)],
    ]


def is_covered(windows, time):
    """Return whether a time is in one of the windows."""
    for window in windows:
        start, end = window["updated_at_start"], window["updated_at_end"]
        later = start is None or datetime.fromisoformat(start) <= time
        if later and time < datetime.fromisoformat(end):
            return True
    return False


def updates(account):
    """Return when each call was updated."""
    rows = account.send("GET", "/api/v2/calls.json")
    return [datetime.fromisoformat(row["call"]["updated_at"]) for row in rows]


def test_new_calls_are_announced_with_their_window(run_scenario):
    """Each window holds the calls that were created or updated since the one before; without any there is none."""

    async def work(account):
        account.calls(3)
        watch = Watch(RetreaverNewCallsEventTrigger(filters=None), AssetStore())
        await minutes(3)
        assert watch.events == []
        account.control("POST", "clock", {"advance": 600})
        (uuid,) = account.calls(1)
        await minutes(3)
        account.control("POST", "clock", {"advance": 600})
        account.control("POST", f"calls/{uuid}", {"fields": {"status": "completed"}})
        await minutes(3)
        await watch.stop()
        return watch.events, updates(account)[0], len(account.sent())

    events, updated, requests = run_scenario(work)
    assert len(events) == 2
    assert is_covered(events[1:], updated)
    assert not is_covered(events[:1], updated)
    assert requests <= 12
    first, second = events
    end, start = (datetime.fromisoformat(text) for text in (first["updated_at_end"], second["updated_at_start"]))
    assert timedelta(0) < end - start <= timedelta(seconds=62), "windows overlap by a minute"


@pytest.mark.parametrize(("stored", "since", "count"), [(True, None, 1), (False, "2026-01-01T00:00:00Z", 2)])
def test_calls_while_the_triggerer_was_down(run_scenario, stored, since, count):
    """Calls of an outage are announced after it: from the stored state, or again from `since` without a store."""

    async def work(account):
        store = AssetStore() if stored else None
        trigger = RetreaverNewCallsEventTrigger(since=since)
        account.calls(1)
        first = Watch(trigger, store)
        await minutes(3)
        await first.stop()
        account.control("POST", "clock", {"advance": 3600})
        account.calls(1)
        second = Watch(trigger, store)
        await minutes(3)
        await second.stop()
        return first.events + second.events, updates(account)

    events, times = run_scenario(work)
    assert len(events) == count
    assert is_covered(events, max(times))


def test_the_first_call_is_announced(run_scenario):
    """When there was no call at first, the first one is announced with a window that has no start."""

    async def work(account):
        watch = Watch(RetreaverNewCallsEventTrigger())
        await minutes(3)
        account.calls(1)
        await minutes(3)
        await watch.stop()
        return watch.events

    (event,) = run_scenario(work)
    assert event["updated_at_start"] is None


def test_an_event_trigger_never_ends(run_scenario):
    """A trigger keeps running through 5xx, a refused key and a deleted target, and then continues."""

    async def work(account):
        id_ = account.target()
        watch = Watch(RetreaverCapFilledEventTrigger(target_id=id_))
        await minutes(3)
        for status in (503, 401, 404):
            account.answer_all(status)
            before = len(account.sent())
            await minutes(60)
            slow = len(account.sent()) - before
            assert status == 503 or slow <= 13, f"{slow} requests in an hour of {status}"
        account.answer_all()
        account.fill(id_, 10)
        await minutes(10)
        await watch.stop()
        return watch.events

    assert len(run_scenario(work)) == 1


def test_watchers_share_polls_but_not_state(run_scenario):
    """Two watchers with equal queries send the requests of one, and each has its own state."""

    async def work(account):
        store = AssetStore()
        triggers = [RetreaverCallVolumeEventTrigger(window="1h", at_least=limit) for limit in (1, 5)]
        watches = [Watch(one, store) for one in triggers]
        await minutes(10)
        account.calls(2)
        await minutes(10)
        for watch in watches:
            await watch.stop()
        return [len(watch.events) for watch in watches], len(store.values), len(account.sent())

    events, states, requests = run_scenario(work)
    assert events == [1, 0]
    assert states == 2
    assert requests <= 25


def test_a_trigger_of_two_assets_has_no_state(run_scenario):
    """Airflow has no single store for a trigger that two assets share; it announces nevertheless."""

    class NoSingleStore(AssetStore):
        async def aget(self, key, default=None):
            raise ValueError("Task has 2 concrete inlets and outlets")

    async def work(account):
        account.calls(1)
        watch = Watch(RetreaverCallVolumeEventTrigger(window="1h", at_least=1), NoSingleStore())
        await minutes(3)
        await watch.stop()
        return watch.events

    assert len(run_scenario(work)) == 1


def test_a_connection_of_another_company_announces_nothing(run_scenario, caplog, capsys):
    """The trigger of an asset of another company sends no request, and its log names both companies."""

    async def work(account):
        found = []
        for company in (12345, 1):
            trigger = RetreaverNewCallsEventTrigger()
            trigger.watch_company(company)
            watch = Watch(trigger)
            await minutes(3)
            account.calls(1)
            await minutes(3)
            await watch.stop()
            found.append((len(watch.events), len(account.sent()) > 0))
        return found

    assert run_scenario(work) == [(0, False), (1, True)]
    log = caplog.text + capsys.readouterr().out  # Airflow 3 prints the log of triggers
    assert "The watched asset is of company 12345, and connection" in log
    assert "leads to company 1; correct the asset" in log


@pytest.mark.skipif(version("apache-airflow").startswith("2."), reason="Airflow 2 has no asset watchers")
def test_a_trigger_is_of_one_company():
    """The watchers of an asset are told its company; assets of two companies cannot share an event trigger."""
    from airflow.sdk import AssetWatcher

    watcher = AssetWatcher(name="new", trigger=RetreaverNewCallsEventTrigger())
    retreaver_asset(1, "calls", watchers=[watcher])
    assert watcher.trigger.serialize()[1]["company_id"] == 1
    with pytest.raises(InvalidArgument, match="company 1 and of company 2; create one for each asset"):
        retreaver_asset(2, "calls", watchers=[watcher])


EXAMPLES = [
    RetreaverCallVolumeEventTrigger(window=timedelta(hours=1), at_least=3, at_most=9, filters={"status": "x"}),
    RetreaverNewCallsEventTrigger(
        since="2026-01-01T00:00:00Z", filters={"client_tid": "A"}, overlap=5, company_id="7"
    ),
    RetreaverCapFilledEventTrigger(target_id="1,2", tid="x", target_group_id=[3], cap="daily", remaining=4),
]


@pytest.mark.parametrize("trigger", EXAMPLES, ids=lambda trigger: type(trigger).__name__)
def test_every_parameter_is_serialized(trigger):
    """An event trigger that is rebuilt from its serialized form is equal, with all its parameters."""
    path, kwargs = trigger.serialize()
    assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    names = set(inspect.signature(inspect.unwrap(type(trigger).__init__)).parameters) - {"self"}
    assert set(kwargs) == names
    rebuilt = type(trigger)(**json.loads(json.dumps(kwargs)))
    assert rebuilt.serialize() == trigger.serialize()
    assert rebuilt.query == trigger.query


# What Airflow stored for the triggers of `EXAMPLES` by an earlier release: a change loses their state.
STORED = [
    ({"window": 3600.0, "at_least": 3, "at_most": 9, "filters": {"status": ["x"]}}, "retreaver_f9fc47fce988e8a1"),
    (
        {"since": "2026-01-01T00:00:00Z", "filters": {"client_tid": "A"}, "overlap": 5.0, "company_id": 7},
        "retreaver_917f87069258ae19",
    ),
    (
        {
            "target_id": [1, 2],
            "tid": ["x"],
            "target_group_id": [3],
            "cap": "daily",
            "at_least": None,
            "remaining": 4,
        },
        "retreaver_12874f2adac796ab",
    ),
]


@pytest.mark.parametrize(("trigger", "stored"), list(zip(EXAMPLES, STORED, strict=True)))
def test_stored_triggers_stay_readable(trigger, stored):
    """The names of stored parameters and the keys of the state stay; parameters of a later release have defaults."""
    parameters, key = stored
    shared = {"retreaver_conn_id": "retreaver_default", "poll_interval": 60.0}
    assert type(trigger)(**shared, **parameters).serialize() == trigger.serialize()
    assert {**trigger.serialize()[1], **shared, **parameters} == trigger.serialize()[1]
    assert trigger._state_key == key


@pytest.mark.parametrize(
    ("create", "name"),
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
def test_invalid_parameters_are_import_errors(create, name):
    """An invalid parameter is refused by name when the DAG is parsed."""
    with pytest.raises(InvalidArgument, match=name):
        create()


def test_the_uri_of_an_asset():
    """The URI of a resource has one form, which Airflow's asset class accepts and keeps."""
    assert asset_uri(12345, "calls") == "retreaver://api.retreaver.com/12345/calls"
    uri = "retreaver://api.retreaver.com/12345/targets/3"
    assert retreaver_asset("12345", "targets/3", "API.retreaver.com").uri == uri


@pytest.mark.parametrize("uri", [
    "retreaver://api.retreaver.com", "retreaver:///1/calls", "retreaver://host/acme/calls", "retreaver://host/1",
    "retreaver://key@host/1/calls", "retreaver://host/1/calls?api_key=x",
])  # fmt: skip
def test_other_uris_are_refused(uri):
    """A URI that names no resource, or contains a key, is refused."""
    with pytest.raises(InvalidArgument):
        sanitize_uri(urlsplit(uri))


@pytest.mark.parametrize(
    "create",
    [
        lambda filters: RetreaverCallVolumeEventTrigger(window="1h", at_most=0, filters=filters),
        lambda filters: RetreaverNewCallsEventTrigger(filters=filters),
    ],
)
def test_a_campaign_that_does_not_exist_is_no_event(create, caplog, capsys, run_scenario):
    """A wrong ID in the filters sends no event; the log names it, and polling starts again later."""

    async def work(account):
        account.calls(1)
        watch = Watch(create({"client_cid": "no-such"}))
        await minutes(3)
        await watch.stop()
        return watch.events

    assert run_scenario(work) == []
    assert "there is no campaign with cid 'no-such'" in capsys.readouterr().out + caplog.text
