"""Drift of an account that is managed as code: the sensor, and the event trigger in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_retreaver.account.drifting import load_applied
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.operators.account import RetreaverAccountApplyOperator, RetreaverAccountPlanOperator
from airflow_provider_retreaver.sensors.account import RetreaverAccountDriftSensor
from airflow_provider_retreaver.triggers.account import RetreaverAccountDriftEventTrigger
from tests.airflow.support.account import context_of
from tests.airflow.support.account_files import files, noted
from tests.airflow.support.virtual import in_virtual_time
from tests.airflow.triggers.test_event_triggers import AssetStore, Watch

pytestmark = pytest.mark.airflow

FILES = """
target_groups: {crew: {caps: {daily: 5}}}
targets:
  a: {number: "+12125550101", caps: {hard: 5, daily: 7}, groups: [crew], ignore: [caps.daily]}
  b: {number: "+12125550102", name: "${b}"}
vars: {b: "Bee $${x}"}
"""


class Managed:
    """An account that is managed by files."""

    def __init__(self, account):
        self.account = account
        account.reset()
        self.folder = files(FILES)
        self.applied_path = f"file://{self.folder.parent}/applied.json"

    def plan(self, **how):
        """Run the plan operator."""
        return RetreaverAccountPlanOperator(
            task_id="plan",
            paths=str(self.folder),
            plan_path=f"file://{self.folder.parent}/plan.json",
            skip_empty=False,
            **how,
        ).execute(context_of())

    def apply(self, plan, **how):
        """Run the apply operator."""
        return RetreaverAccountApplyOperator(
            task_id="apply",
            plan_path=plan["plan_path"],
            sha256=plan["sha256"],
            applied_path=self.applied_path,
            **how,
        ).execute(context_of())

    def write(self, old, new):
        """Change the files."""
        path = self.folder / "account.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def look(self, **how):
        """Poll once, and return whether there is drift, with the fields and what they are now."""
        sensor = RetreaverAccountDriftSensor(task_id="drift", applied_path=self.applied_path, **how)
        value = sensor.poke(context_of()).xcom_value
        assert value["count"] == len(value["rows"])
        return {f"{row['address']} {row['field']}".strip(): row["now"] for row in value["rows"]}

    def target(self, tid):
        """Return a target."""
        return next(row for row in self.account.list_targets(1) if row["tid"] == tid)


@pytest.fixture
def managed(account):
    """Return an account whose files are applied."""
    one = Managed(account)
    one.apply(one.plan())
    return one


def test_what_others_change_is_drift(managed):
    """Not what is not applied yet, and not what files ignore; an object that was deleted is drift too."""
    assert managed.look() == managed.look(paths=str(managed.folder)) == {}
    managed.account.change_target(
        managed.target("a")["id"], hard_cap_attributes={"cap": 9}, daily_cap_attributes={"cap": 9}
    )
    assert managed.look() == {"targets/a caps.hard": 9}
    managed.write("Bee", "Boo")
    assert managed.look(paths=str(managed.folder)) == {"targets/a caps.hard": 9}
    managed.write("hard: 5", "hard: 9")
    assert managed.look(paths=str(managed.folder)) == {}, "the files have taken it over"
    managed.account.delete_target(managed.target("b")["id"])
    assert managed.look() == {"targets/a caps.hard": 9, "targets/b": "missing"}


def test_files_that_change_nothing_count_as_applied(managed):
    """What somebody did by hand and then wrote into the files is no drift; the plan operator notes that."""
    managed.account.change_target(managed.target("a")["id"], hard_cap_attributes={"cap": 9})
    managed.write("hard: 5", "hard: 9")
    assert managed.look() == {"targets/a caps.hard": 9}
    assert managed.plan(applied_path=managed.applied_path)["counts"]["update"] == 0
    assert managed.look() == {}


def test_what_an_apply_could_not_change_is_not_drift(managed):
    """An object that others have changed meanwhile is refused; of the others what was applied is noted."""
    managed.write("hard: 5", "hard: 6")
    managed.write("Bee", "Boo")
    plan = managed.plan()
    managed.account.change_target(managed.target("a")["id"], hard_cap_attributes={"cap": 9})
    with pytest.raises(AirflowFailException, match="1 of 2 objects"):
        managed.apply(plan)
    assert managed.look() == {}
    managed.account.change_target(managed.target("b")["id"], name="Ours")
    assert managed.look() == {"targets/b name": "Ours"}


def test_nothing_is_told_amid_an_apply(managed, monkeypatch):
    """An apply that begins while the account is read has changed what was applied: the next poll tells."""
    managed.account.change_target(managed.target("a")["id"], hard_cap_attributes={"cap": 9})
    managed.write("Bee", "Boo")
    plan = managed.plan()
    path = Path(managed.applied_path.removeprefix("file://"))
    before = path.read_bytes()
    managed.apply(plan)
    after = path.read_bytes()
    assert load_applied(after, "x").plan == plan["sha256"]
    managed.account.change_target(managed.target("a")["id"], hard_cap_attributes={"cap": 8})
    assert managed.look() == {"targets/a caps.hard": 8}
    path.write_bytes(before)
    from airflow_provider_retreaver.account import drifting

    read = drifting.read_account

    def meanwhile(kinds):
        live = yield from read(kinds)
        path.write_bytes(after)
        return live

    monkeypatch.setattr(drifting, "read_account", meanwhile)
    assert managed.look() == {}
    assert managed.look() == {"targets/a caps.hard": 8}


def test_bad_parameters_send_nothing(managed):
    """What was never applied, a damaged file, and files that are none."""
    sent = len(managed.account.sent())
    for how, words in (
        ({"applied_path": f"file://{managed.folder}/no.json"}, "no plan was applied yet"),
        ({"applied_path": f"file://{managed.folder}/account.yaml"}, "not what an apply"),
        ({"applied_path": "applied.json"}, "not an absolute path"),
        ({"environment": "prod"}, "belong to paths"),
        ({"paths": "/no/such/folder"}, "no file or folder"),
        ({"paths": str(managed.folder), "variables": {"cap": 1}}, "no file uses it"),
    ):
        sensor = RetreaverAccountDriftSensor(task_id="drift", **{"applied_path": managed.applied_path, **how})
        with pytest.raises(AirflowFailException, match=words):
            sensor.execute(context_of())
    assert len(managed.account.sent()) == sent


def test_the_sensor_waits(managed):
    """As long as nothing differs."""
    sensor = RetreaverAccountDriftSensor(
        task_id="drift", applied_path=managed.applied_path, poke_interval=0.01, timeout=0.05
    )
    with pytest.raises(AirflowSensorTimeout):
        sensor.execute(context_of())


def test_each_difference_is_announced_once(monkeypatch):
    """Again when it changes once more, or comes back; a restart that kept its state announces nothing twice."""

    async def work(account):
        account.target(tid="a", name="Acme")
        text = "targets: {a: {name: Acme, caps: {hard: 10}}}"
        url = noted(text, {"targets/a": {"name": "Acme", "caps.hard": 10}})
        trigger = RetreaverAccountDriftEventTrigger(applied_path=url, poll_interval=60)
        trigger.watch_company(1)
        store = AssetStore()
        watch = Watch(trigger, store)
        seen = []
        for name in ("Acme", "Bolt", "Bolt", "Core", "Acme", "Bolt"):
            account.send("PUT", "/targets/1.json", {"target": {"name": name}})
            await asyncio.sleep(301)
            seen.append([event["rows"][0]["now"] for event in watch.events])
            watch.events.clear()
        account.send("PUT", "/targets/1.json", {"target": {"hard_cap_attributes": {"cap": 3}}})
        await watch.stop()
        again = Watch(trigger, store)
        await asyncio.sleep(301)
        await again.stop()
        return seen, again.events, set(account.sent())

    seen, after, sent = in_virtual_time(work, monkeypatch)
    assert seen == [[], ["Bolt"], [], ["Core"], [], ["Bolt"]]
    assert [(one["count"], one["rows"][0]["field"]) for one in after] == [(1, "caps.hard")]
    assert sent == {"GET /company.json", "GET /targets.json", "GET /target_groups.json"}


def test_the_trigger_is_checked_when_a_dag_is_parsed():
    """A blank path, or an environment without files."""
    with pytest.raises(InvalidArgument, match="applied_path"):
        RetreaverAccountDriftEventTrigger(applied_path=" ")
    with pytest.raises(InvalidArgument, match="belong to paths"):
        RetreaverAccountDriftEventTrigger(applied_path="file:///x.json", environment="prod")
