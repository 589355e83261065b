"""The event trigger and the operator of batches: what a run is handed, once, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_retreaver.assets import retreaver_asset
from airflow_provider_retreaver.core.errors import InvalidArgument, InvalidConnection
from airflow_provider_retreaver.operators.webhooks import RetreaverWebhookBatchOperator
from airflow_provider_retreaver.triggers import webhooks as trigger_module
from airflow_provider_retreaver.triggers.webhooks import RetreaverWebhookEventTrigger
from airflow_provider_retreaver.webhooks.reading import read_webhooks
from tests.airflow.support.account import KEY, TaskInstance
from tests.airflow.support.webhooks import TOKEN, batched_calls, keep, spool_in, webhook

pytestmark = pytest.mark.airflow


@pytest.fixture
def connection(tmp_path, monkeypatch):
    """Set the connection, with some parts changed; return a function that does so."""

    def set_(**parts):
        extra = {"webhook_token": TOKEN, "webhook_spool": f"file://{tmp_path}/spool", **parts.pop("extra", {})}
        given = {"conn_type": "retreaver", "login": "1", "password": KEY, "extra": extra, **parts}
        monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(given))

    set_()
    return set_


@pytest.fixture
def spool(tmp_path, connection):
    """Return the spool of the connection."""
    return spool_in(tmp_path)


def payloads(trigger, count, during=lambda: None):
    """Run a trigger, rebuilt from its serialized form, until it has sent some events."""
    _, kwargs = trigger.serialize()

    async def run():
        found = []
        async with aclosing(type(trigger)(**json.loads(json.dumps(kwargs))).run()) as events:
            while len(found) < count:
                found.append((await anext(events)).payload)
                during()
        return found

    return asyncio.run(asyncio.wait_for(run(), 30))


def events_of(*payloads_, asset="a"):
    """Return `triggering_asset_events` with these payloads."""
    return {asset: [SimpleNamespace(extra={"from_trigger": True, "payload": one}) for one in payloads_]}


def take(*numbers, run="first", task="batch", events=None, **parameters):
    """Execute the operator in a run that the events of these batches have started."""
    if events is None:
        events = events_of({"company": "1", "trigger": "always", "batches": list(numbers)}) if numbers else {}
    operator = RetreaverWebhookBatchOperator(task_id=task, **{"trigger": "always", **parameters})
    context = {"ti": TaskInstance(run_id=run, task_id=task), "triggering_asset_events": events}
    return json.loads(json.dumps(operator.execute(context)))


def test_the_trigger_announces_what_the_operator_reads(spool):
    """A webhook that was kept is announced, handed to the run, and handed to it again after its worker was killed."""
    keep(spool, webhook(1, caller_number="+19195550123"), webhook(2))
    (event,) = payloads(RetreaverWebhookEventTrigger(trigger="always", poll_interval=0.01), 1)
    assert event == {"company": "1", "trigger": "always", "batches": [1]}
    for _ in range(2):
        result = take(events=events_of(event))
        assert {name: result[name] for name in ("company", "trigger", "batches", "webhooks")} == {
            "company": "1",
            "trigger": "always",
            "batches": [1],
            "webhooks": 2,
        }
        assert [one["call_uuid"] for one in read_webhooks(result)] == ["call-1", "call-2"]
    assert "9195550123" not in json.dumps(result)


def test_the_trigger_goes_on(spool):
    """It makes batches for as long as it runs, also after a storage has failed."""
    numbers = iter(range(2, 10))

    def more():
        keep(spool, webhook(next(numbers)))

    keep(spool, webhook(1))
    trigger = RetreaverWebhookEventTrigger(trigger="always", poll_interval=0.01)
    assert [event["batches"] for event in payloads(trigger, 3, more)] == [[1], [2], [3]]


def test_the_trigger_waits_for_a_storage(spool, monkeypatch, caplog):
    """A storage that fails for a while is asked again at the next poll."""
    from airflow_provider_retreaver.webhooks.spool import Spool

    waiting, failures = Spool.waiting, [1, 2]

    def fail(self):
        if failures:
            failures.pop()
            raise OSError("the storage is away")
        return waiting(self)

    monkeypatch.setattr(Spool, "waiting", fail)
    keep(spool, webhook(1))
    assert len(payloads(RetreaverWebhookEventTrigger(trigger="always", poll_interval=0.01), 1)) == 1


@pytest.mark.parametrize(
    ("parts", "company"),
    [({}, 2), ({"extra": {"webhook_token": None}}, None), ({"extra": {"webhook_spool": "s4://x/y"}}, None)],
)
def test_the_trigger_waits_for_a_better_connection(spool, connection, monkeypatch, parts, company):
    """A connection of another company, without a token or with a wrong folder is read again a while later."""
    monkeypatch.setattr(trigger_module, "RESTART_WAIT", 0.2)
    keep(spool, webhook(1))
    connection(**parts)
    trigger = RetreaverWebhookEventTrigger(trigger="always", poll_interval=0.01, company_id=company)
    _, kwargs = trigger.serialize()

    async def run():
        events = RetreaverWebhookEventTrigger(**kwargs).run()
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.1)
        assert not first.done()
        connection(login=str(company or 1))
        return (await first).payload["batches"] if company is None else first.cancel()

    assert asyncio.run(asyncio.wait_for(run(), 30)) == ([1] if company is None else True)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"trigger": "hangup"}, "trigger must be one of start, selected, timer, postback, always, not 'hangup'"),
        ({"window": "2d", "keep": "1d"}, "keep is 86400 s and window 172800 s"),
        ({"window": 0}, "window must be a length of time"),
        ({"max_webhooks": 0}, "max_webhooks must be a whole number"),
    ],
)
def test_wrong_parameters_of_the_trigger(parameters, says):
    """They are refused when the DAG is parsed."""
    with pytest.raises(InvalidArgument, match=says):
        RetreaverWebhookEventTrigger(**{"trigger": "always", **parameters})


@pytest.mark.skipif(not hasattr(trigger_module.AssetTrigger, "supports_triggerer_queue"), reason="Airflow 3 has it")
def test_the_asset_tells_the_trigger_its_company():
    """`retreaver_asset` notes the company of the asset with its watcher's trigger."""
    from airflow.sdk import AssetWatcher

    trigger = RetreaverWebhookEventTrigger(trigger="always")
    asset = retreaver_asset(12345, "webhooks/always", watchers=[AssetWatcher(name="w", trigger=trigger)])
    assert (asset.uri, trigger.company_id) == ("retreaver://api.retreaver.com/12345/webhooks/always", 12345)


def batches(spool, count):
    """Make batches of one webhook each."""
    for number in range(1, count + 1):
        keep(spool, webhook(number))
        payloads(RetreaverWebhookEventTrigger(trigger="always", poll_interval=0.01), 1)
    assert batched_calls(spool) == [[f"call-{number}"] for number in range(1, count + 1)]


def test_each_batch_is_one_runs(spool):
    """Events that were joined, sent twice, or came in another order: each batch is handed to one run."""
    batches(spool, 3)
    assert take(2, 1)["batches"] == [1, 2]
    assert take(2, 3, run="second")["batches"] == [3]
    assert take(1, 2, 3)["batches"] == [1, 2]
    with pytest.raises(AirflowSkipException, match="no batch of webhooks"):
        take(1, run="third")
    assert take(1, run="third", task="another")["batches"] == [1]
    with pytest.raises(AirflowSkipException):
        take(1, run="third", task="other", consumer="nightly.another-task") and take(
            1, run="fourth", task="third", consumer="nightly.another-task"
        )


def test_a_manual_run_takes_what_is_left(spool):
    """A run that no event has started takes all batches that no run of its task has."""
    batches(spool, 3)
    take(2)
    assert take(run="manual")["batches"] == [1, 3]
    with pytest.raises(AirflowSkipException):
        take(run="manual-2")


def test_webhooks_are_written_to_a_destination(spool, tmp_path):
    """With a destination they are in one file, too."""
    batches(spool, 2)
    result = take(1, 2, destination=f"file://{tmp_path}/out.jsonl")
    assert (result["rows"], result["webhooks"]) == (2, 2)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["call_uuid"] for line in lines] == ["call-1", "call-2"]


def test_errors_of_the_operator(spool, connection):
    """Batches that are gone, events of something else and connections without webhooks are named."""
    batches(spool, 1)
    with pytest.raises(InvalidArgument, match=r"Batch 7 in .*/1/always is gone: .*keep"):
        take(7)
    with pytest.raises(
        InvalidArgument, match=r"None of the 1 events .* always webhooks of company 1; watch the asset"
    ):
        take(events=events_of({"company": "2", "trigger": "always", "batches": [1]}))
    with pytest.raises(InvalidArgument, match="trigger must be one of"):
        take(1, trigger="hangup")
    with pytest.raises(InvalidArgument, match="read_webhooks takes the result of RetreaverWebhookBatchOperator"):
        list(read_webhooks({"rows": 1}))
    connection(extra={"webhook_token": None})
    with pytest.raises(InvalidConnection, match="extra 'webhook_token' is missing"):
        take(1)
    connection(extra={"webhook_spool": "s4://bucket/x"})
    with pytest.raises(InvalidArgument, match="webhook_spool"):
        take(1)


def test_events_of_others_are_left_out(spool):
    """A run that several assets have started reads the events of its trigger only."""
    batches(spool, 2)
    ours = {"company": "1", "trigger": "always", "batches": [2, "x"]}
    both = {**events_of(ours), **events_of({"updated_at_end": "x"}, None, asset="b")}
    both["b"][1].extra = None
    assert take(events=both)["batches"] == [2]
