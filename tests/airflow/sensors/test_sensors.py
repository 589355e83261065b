"""The sensors in poke, reschedule and deferrable mode, which behave alike."""

from __future__ import annotations

import asyncio
import inspect
import json
from datetime import timedelta
from importlib import import_module
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_retreaver.core import errors
from airflow_provider_retreaver.domain.watching.cap_filled import CAPS
from airflow_provider_retreaver.domain.watching.condition import KINDS, build_condition
from airflow_provider_retreaver.provider_info import get_provider_info
from airflow_provider_retreaver.sensors.base import ConditionCannotComeTrue, RetreaverSensor, UnexpectedEvent
from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor
from airflow_provider_retreaver.sensors.number_pools import RetreaverNumberPoolSensor
from airflow_provider_retreaver.triggers.caps import RetreaverCapFilledEventTrigger
from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger
from tests.airflow.support.account import StateStore, TaskInstance, context_of
from tests.airflow.support.account_files import applied, files, noted
from tests.airflow.support.virtual import first_event

pytestmark = pytest.mark.airflow

SENSORS = {
    value.kind: value
    for group in get_provider_info()["sensors"]
    for name in group["python-modules"]
    for value in vars(import_module(name)).values()
    if inspect.isclass(value) and issubclass(value, RetreaverSensor) and value is not RetreaverSensor
}
VARIABLE = "vars: {cap: 1}\ntargets: {a: {caps: {hard: '${cap}'}}}\n"
# Two different values of every parameter.
VALUES = {
    "call_volume": {
        "start": ["2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"],
        "end": ["2026-02-01T00:00:00+00:00", "2026-02-02T00:00:00+00:00"],
        "window": ["2h", "3h"], "at_least": [1, "7"], "at_most": [9, 8],
        "filters": [{"status": "x"}, {"client_tid": "A"}], "allow_unknown": [True, "False"],
    },
    "account_drift": {
        "applied_path": [noted("company: 1"), noted("company: 1")],
        "paths": [[str(files(VARIABLE))], str(files(VARIABLE))],
        "environment": [None, "prod"], "variables": [{}, {"cap": 5}],
    },
    "call_status": {"uuid": ["u-1", "u-2"], "status": ["completed", ["a", "b"]]},
    "cap_filled": {
        "target_id": [1, "1,2"], "tid": [None, ["x"]], "target_group_id": [None, 3], "cap": ["hard", "daily"],
        "target_names": [None, "A, B"], "target_group_names": [["A, B"], "A, B"],
        "at_least": [0.5, "0.25"], "remaining": [1, "2"], "match": ["any", "all"],
    },
    "target_idle": {
        "target_id": [1, [1, 2]], "tid": [None, "x"], "target_group_id": [None, "3"], "at_most": [0, 2],
        "target_names": ["A", ["A", "B"]], "target_group_names": [None, "['A']"],
        "match": ["all", "any"],
    },
    "number_pool": {
        "number_pool_id": [1, "2,3"], "cid": ["C", "D"], "afid": ["A", "B"], "below": [0.1, "0.5"],
        "campaign_name": ["A, B", "B"], "affiliate_name": ["A", "B"],
        "match": ["any", "all"],
    },
}  # fmt: skip
# Groups of parameters that exclude each other.
EXCLUSIVE = [
    ({"window"}, {"start", "end"}), ({"remaining"}, {"at_least"}), ({"number_pool_id"}, {"cid", "afid"}),
    ({"cid", "number_pool_id"}, {"campaign_name"}), ({"afid", "number_pool_id"}, {"affiliate_name"}),
]  # fmt: skip
WAITING = {
    "poke_interval": (60, 7.0),
    "timeout": (3600, 86_400.0),
    "exponential_backoff": (False, True),
    "max_wait": (None, timedelta(seconds=90)),
    "failure_budget": (timedelta(minutes=30), None),
    "silent_fail": (False, True),
    "retreaver_conn_id": ("retreaver_default", "other"),
}


def control(account, method, path, body):
    """Use the sandbox's control surface."""
    return account._handle(method, f"/__sandbox__/{path}", body)


def own_parameters(sensor):
    """Return the names of the parameters that a sensor has beyond those of all sensors."""
    return [name for name in parameters_of(sensor) if name not in parameters_of(RetreaverSensor)]


def parameters_of(sensor):
    """Return the names of the parameters in a sensor's signature."""
    signature = inspect.signature(inspect.unwrap(sensor.__init__))
    return [name for name, one in signature.parameters.items() if one.kind is one.KEYWORD_ONLY]


def deferred(sensor, context=None):
    """Execute a sensor and return its deferral."""
    with pytest.raises(TaskDeferred) as raised:
        sensor.execute(context_of() if context is None else context)
    return raised.value


def execute_deferrable(sensor):
    """Execute a deferrable sensor as Airflow does: poll, defer, run the rebuilt trigger, resume with its event."""
    try:
        return sensor.execute(context_of())
    except TaskDeferred as deferral:
        path, kwargs = deferral.trigger.serialize()
        module, _, name = path.rpartition(".")
        trigger = getattr(import_module(module), name)(**json.loads(json.dumps(kwargs)))
        event = asyncio.run(first_event(trigger))
        return sensor.resume_execution(deferral.method_name, {"event": json.loads(json.dumps(event))}, context_of())


def outcome(function):
    """Return the result of a function, or the type of its error."""
    try:
        return "returned", function()
    except (AirflowException, errors.RetreaverError, AirflowSkipException) as error:
        return type(error).__name__, None


def test_every_sensor_is_tested():
    """There is a sensor for every condition, with values for each of its parameters, all in its own signature."""
    assert set(SENSORS) == set(KINDS) == set(VALUES)
    for kind, sensor in SENSORS.items():
        assert set(VALUES[kind]) == set(own_parameters(sensor)), kind
        assert set(parameters_of(RetreaverSensor)) < set(parameters_of(sensor)), "a signature hides no parameter"


@pytest.mark.parametrize("owner", [*SENSORS.values(), RetreaverCapFilledEventTrigger], ids=lambda one: one.__name__)
def test_choices_are_those_of_the_condition(owner):
    """The choices in a signature are exactly those that the condition accepts."""
    accepted = {"cap": set(CAPS), "match": {"any", "all"}}
    hints = get_type_hints(inspect.unwrap(owner.__init__))
    choices = {name: set(get_args(hint)) for name, hint in hints.items() if get_origin(hint) is Literal}
    assert choices == {name: accepted[name] for name in accepted if name in hints}


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_a_template(kind):
    """Every parameter of a condition is a template field, and so is the connection."""
    assert set(SENSORS[kind].template_fields) == {*own_parameters(SENSORS[kind]), "retreaver_conn_id", "state_path"}


OPTIONS = [pytest.param(kind, name, id=f"{kind}-{name}") for kind, values in VALUES.items() for name in values]


@pytest.mark.parametrize(("kind", "name"), OPTIONS)
def test_every_option_reaches_the_trigger(kind, name, account):
    """The trigger's condition equals the sensor's, for every value of every parameter."""
    arguments = {one: values[0] for one, values in VALUES[kind].items()}
    for one, other in EXCLUSIVE:
        for dropped in one if name not in one else other:
            arguments.pop(dropped, None)
    before, after = (SENSORS[kind](task_id="wait", **{**arguments, name: value}) for value in VALUES[kind][name])
    assert before.condition() != after.condition()
    account.fault(".*", method="*", status=503, times=None)
    for sensor in (before, after):
        sensor.deferrable = True
        trigger = deferred(sensor).trigger
        options = json.loads(json.dumps(trigger.options))
        assert set(options) == set(own_parameters(SENSORS[kind]))
        assert build_condition(trigger.kind, options) == sensor.condition()


@pytest.mark.parametrize("name", WAITING)
def test_waiting_parameters_reach_the_trigger(name, account, monkeypatch):
    """Each parameter of waiting changes the trigger's parameters."""
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(account.connection()))
    triggers = []
    for value in WAITING[name]:
        parameters = {**{one: values[0] for one, values in WAITING.items()}, name: value}
        sensor = RetreaverCallVolumeSensor(task_id="wait", window="1h", at_least=5, deferrable=True, **parameters)
        deferral = deferred(sensor)
        _, kwargs = deferral.trigger.serialize()
        times = {one: kwargs.pop(one)[:16] for one in ("deadline", "next_look")}
        triggers.append((kwargs, times["deadline"] if name == "timeout" else None))
        assert timedelta(seconds=sensor.timeout) < deferral.timeout < timedelta(seconds=sensor.timeout + 120)
    assert triggers[0] != triggers[1]


def scenarios(account):
    """Return parameters with which each condition is met now, and a check of the result, by kind."""
    id_ = account.target(filled=9, tid="A7")
    calls = control(account, "POST", "calls", {"count": 3, "fields": {"status": "completed"}})["uuids"]
    account._handle("POST", "/campaigns.json", {"campaign": {"cid": "C1", "name": "Roofs"}})
    pool = {"cid": "C1", "max_pool_size": 10, "type": "Local", "country": "US"}
    pool_id = account._handle("POST", "/number_pools.json", {"number_pool": pool})["number_pool"]["id"]
    control(account, "POST", f"number_pools/{pool_id}/provision", {"numbers": 10})
    applied_path = applied("targets: {A7: {name: Acme}}")
    account.change_target(id_, name="Ours")
    return {
        "call_volume": ({"window": "1h", "at_least": 3, "filters": {"status": "completed"}}, lambda v: v == 3),
        "call_status": ({"uuid": calls[0], "status": "completed"}, lambda v: v["uuid"] == calls[0]),
        "cap_filled": ({"target_id": id_, "at_least": 0.9}, lambda v: v[0]["filled"] == 9),
        "target_idle": ({"tid": "A7"}, lambda v: v[0]["id"] == id_),
        "number_pool": ({}, lambda v: v[0]["id"] == pool_id),
        "account_drift": ({"applied_path": applied_path}, lambda v: (v["count"], v["rows"][0]["now"]) == (1, "Ours")),
    }


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable", "deferred"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_modes_return_the_same(kind, mode, account):
    """A condition that is met has the same result in every mode, at the first poll and after a deferral."""
    parameters, is_expected = scenarios(account)[kind]
    how = {"mode": mode} if mode in ("poke", "reschedule") else {"deferrable": True}
    sensor = SENSORS[kind](task_id="wait", poke_interval=0.01, **how, **parameters)
    if mode == "deferred":
        account.fault(".*", method="GET", status=503, times=9)
    context = context_of()
    if mode == "reschedule":
        context["ti"].get_first_reschedule_date = lambda context: None
        value = sensor.poke(context).xcom_value
    else:
        value = execute_deferrable(sensor) if mode != "poke" else sensor.execute(context)
    assert is_expected(value)
    json.dumps(value)


FAILURES = {
    "a refused key": ({}, {"status": 401}),
    "a refused company": ({}, {"status": 403}),
    "a missing target": ({}, {"status": 404}),
    "a refused request": ({}, {"status": 422}),
    "an invalid parameter": ({"at_least": 90}, None),
    "a missing connection": ({"retreaver_conn_id": "nowhere"}, None),
    "failures beyond the budget": ({"failure_budget": 0.001}, {"status": 503}),
    "a timeout": ({"timeout": 0.05}, None),
}


@pytest.mark.parametrize("lenient", ["no", "soft_fail", "never_fail", "silent_fail"])
@pytest.mark.parametrize("name", FAILURES)
def test_all_modes_fail_the_same(name, lenient, account):
    """An error ends the sensor in the same way in poke mode, at the first poll and after a deferral."""
    parameters, fault = FAILURES[name]
    id_ = account.target(filled=1)
    # What ends by an error ends long before its timeout, on a busy machine too; `silent_fail` waits for the timeout.
    timeout = 0.4 if lenient == "silent_fail" else 600
    how = {"target_id": id_, "at_least": 0.9, "poke_interval": 0.02, "timeout": timeout, **parameters}
    if lenient != "no":
        how[lenient] = True

    def poke():
        return RetreaverCapFilledSensor(task_id="wait", **how).execute(context_of())

    def first_poll():
        return execute_deferrable(RetreaverCapFilledSensor(task_id="wait", deferrable=True, **how))

    def later():
        sensor = RetreaverCapFilledSensor(
            task_id="wait", deferrable=True, **{**how, "retreaver_conn_id": "retreaver_default", "at_least": 0.9}
        )
        deferral = deferred(sensor)
        trigger = deferral.trigger
        if fault:
            account.fault("/targets", status=fault["status"], times=None)
        trigger.retreaver_conn_id = how.get("retreaver_conn_id", "retreaver_default")
        trigger.options = {**trigger.options, "at_least": how["at_least"]}
        event = asyncio.run(first_event(trigger))
        return sensor.resume_execution(deferral.method_name, {"event": event}, context_of())

    outcomes = [outcome(later), outcome(first_poll), outcome(poke)]
    assert outcomes[0] == outcomes[1]
    # From 3.0 on, Airflow applies `never_fail` to a timeout only after a deferral.
    assert outcomes[1] == outcomes[2] or (name, lenient) == ("a timeout", "never_fail")
    if lenient == "never_fail" and name != "a timeout":
        assert outcomes[0][0] == "AirflowSkipException"


def test_the_errors_have_their_types(account):
    """A refused key fails without retries, a missing target is named, and an expired timeout is a sensor timeout."""
    id_ = account.target(filled=1)

    def wait(**parameters):
        RetreaverCapFilledSensor(
            task_id="wait", poke_interval=0.01, timeout=0.03, **{"target_id": id_, **parameters}
        ).execute(context_of())

    with pytest.raises(AirflowSensorTimeout):
        wait()
    with pytest.raises(errors.NotFound, match=r"/targets/99\.json"):
        wait(target_id=99)
    account.fault("/targets", status=401, times=None)
    with pytest.raises(errors.AuthenticationError, match="API key") as refused:
        wait()
    assert isinstance(refused.value, AirflowFailException)


def test_temporary_failures_in_poke_mode(account):
    """Poke mode tolerates 5xx as the trigger does, until the budget is spent."""
    id_ = account.target(filled=9)
    account.fault("/targets", status=503, times=20)
    sensor = RetreaverCapFilledSensor(task_id="wait", target_id=id_, at_least=0.9, poke_interval=0.001)
    assert sensor.execute(context_of())[0]["id"] == id_
    account.fault("/targets", status=503, times=None)
    again = RetreaverCapFilledSensor(
        task_id="wait", target_id=id_, poke_interval=0.01, failure_budget=timedelta(seconds=0.05)
    )
    with pytest.raises(errors.Unavailable, match="failure_budget"):
        again.execute(context_of())


@pytest.mark.parametrize(
    "event",
    [None, {}, "met", {"status": "met"}, {"status": "odd"}, {"value": 3}, {"status": None, "value": 1}, ["met"]],
)
def test_an_unknown_event_is_an_error(event):
    """An event that does not say how the wait ended is an error, never a success."""
    sensor = RetreaverCallVolumeSensor(task_id="wait", window="1h", at_least=1)
    with pytest.raises(UnexpectedEvent):
        sensor.execute_complete(context_of(), event=event)
    with pytest.raises(UnexpectedEvent):
        sensor.execute_complete(context_of())


def test_events_become_errors():
    """An event of an error is raised as the error of that name, and fails the task where a retry cannot help."""
    sensor = RetreaverCallVolumeSensor(task_id="wait", window="1h", at_least=1)
    cases = {
        "AuthenticationError": (errors.AuthenticationError, AirflowFailException),
        "InvalidConnection": (errors.InvalidConnection, AirflowFailException),
        "NotFound": (errors.NotFound,),
        "ConditionCannotComeTrue": (ConditionCannotComeTrue, AirflowFailException),
        "SomethingElse": (errors.RetreaverError,),
        "annotations": (errors.RetreaverError,),
    }
    for kind, types in cases.items():
        with pytest.raises(errors.RetreaverError, match="because") as raised:
            sensor.execute_complete(context_of(), event={"status": "error", "kind": kind, "message": "because"})
        assert all(isinstance(raised.value, one) for one in types), kind


def test_a_met_condition_is_not_deferred(account):
    """A deferrable sensor polls once, and does not defer when the condition is met."""
    control(account, "POST", "calls", {"count": 3})
    sensor = RetreaverCallVolumeSensor(task_id="wait", window="1h", at_least=3, deferrable=True)
    assert sensor.execute(context_of()) == 3
    assert len(account.sent()) <= 2


def test_the_first_failure_is_passed_to_the_trigger(account):
    """When the first poll fails, the trigger knows since when."""
    account.fault(".*", method="GET", status=503, times=None)
    sensor = RetreaverCallVolumeSensor(task_id="wait", window="1h", at_least=3, deferrable=True)
    trigger = deferred(sensor).trigger
    assert isinstance(trigger, RetreaverConditionTrigger)
    assert trigger.failing_since is not None


def test_an_impossible_condition_fails_without_retries(account):
    """A fixed window that has ended with too few calls fails at once, before the timeout."""
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    sensor = RetreaverCallVolumeSensor(task_id="wait", at_least=1, **window)
    with pytest.raises(ConditionCannotComeTrue) as raised:
        sensor.execute(context_of())
    assert isinstance(raised.value, AirflowFailException)
    control(account, "POST", "calls", {"count": 1, "fields": {"created_at": "2026-01-01T12:00:00Z"}})
    assert sensor.execute(context_of()) == 1


def test_rescheduled_sensors_keep_state(account):
    """A rescheduled sensor is a new process for each poll: with Airflow's store it reads only updated calls."""
    spread = {"created_at_start": "2026-11-20T00:00:00Z", "created_at_end": "2026-11-20T12:00:00Z"}
    control(account, "POST", "clock", {"now": "2026-11-20T13:00:00Z"})
    control(account, "POST", "calls", {"count": 450, "fields": {"status": "completed", **spread}})
    store, sent = StateStore(), []
    for store_ in (store, store, None):
        context = context_of() if store_ is None else context_of(task_state_store=store_)
        sensor = RetreaverCallVolumeSensor(
            task_id="wait",
            start="2026-11-20T00:00:00Z",
            at_least=1_000,
            filters={"status": "completed"},
            mode="reschedule",
        )
        before = len(account.sent())
        assert not sensor.poke(context)
        sent.append(len(account.sent()) - before)
    assert sent == [5, 1, 5]


def test_rescheduled_sensors_count_failures(account):
    """With Airflow's store the failure budget covers all processes, and a spent one is not kept for a retry."""
    store = StateStore()
    account.fault(".*", method="GET", status=503, times=None)

    def poke(budget):
        sensor = RetreaverCapFilledSensor(task_id="wait", target_id=1, mode="reschedule", failure_budget=budget)
        return sensor.poke(context_of(task_state_store=store))

    assert not poke(3600)
    with pytest.raises(errors.Unavailable, match="failure_budget"):
        poke(0.0001)
    assert not poke(3600)
    assert not poke(3600)


def test_a_new_attempt_has_a_new_failure_budget(account):
    """The failures of an attempt do not reduce the budget of the next one."""
    store = StateStore()
    account.fault(".*", method="GET", status=503, times=None)

    def poke(attempt, budget):
        sensor = RetreaverCapFilledSensor(task_id="wait", target_id=1, mode="reschedule", failure_budget=budget)
        return sensor.poke(context_of(task_state_store=store, ti=TaskInstance(try_number=attempt)))

    assert not poke(1, 3600)
    assert not poke(2, 0.0001)
    with pytest.raises(errors.Unavailable, match="failure_budget"):
        poke(2, 0.0001)


def test_names_are_looked_up_in_the_first_poll(account, monkeypatch):
    """A deferred or rescheduled sensor goes on with the IDs, so that a renamed target stays the one that is meant."""
    ours, other = account.target("Acme", filled=1), account.target("Bolt", filled=10)
    account._handle("POST", "/campaigns.json", {"campaign": {"cid": "C1", "name": "Roofs"}})
    account._handle("POST", "/api/v1/affiliates.json", {"affiliate": {"afid": "A1", "company_name": "Leads"}})
    account.group([ours])
    store, shared = StateStore(), {"task_id": "wait", "deferrable": True}
    caps = RetreaverCapFilledSensor(target_names="Acme", target_id=other, match="all", **shared)
    volume = RetreaverCallVolumeSensor(
        window="1h", at_least=5, filters="{'campaign_name': 'Roofs', 'affiliate_name': 'Leads'}", **shared
    )
    options = [deferred(sensor).trigger.options for sensor in (caps, volume)]
    portal = account.connection(extra={"portal_url": "http://127.0.0.1:1"})
    monkeypatch.setenv("AIRFLOW_CONN_PORTAL", json.dumps(portal))
    alone = RetreaverCapFilledSensor(target_names="Acme", at_least=0.1, retreaver_conn_id="portal", **shared)
    context = context_of()
    assert alone.execute(context)[0]["id"] == ours
    assert any(str(link).endswith(f"/{ours}") for link in context["ti"].pushed.values()), "the link leads to it"
    assert (options[0]["target_id"], options[0]["target_names"]) == ([other, ours], [])
    assert options[1]["filters"] == {"client_cid": "C1", "client_afid": "A1"}
    assert account.sent().count("GET /targets.json") == 2, "one for each sensor: the other target is on the same list"
    assert f"GET /targets/{other}.json" not in account.sent()

    def rescheduled():
        sensor = RetreaverCapFilledSensor(task_id="wait", target_names=["Acme"], mode="reschedule")
        return bool(sensor.poke(context_of(task_state_store=store)))

    assert not rescheduled()
    account._handle("PUT", f"/targets/{ours}.json", {"target": {"name": "Old"}})
    account._handle("PUT", f"/targets/{other}.json", {"target": {"name": "Acme"}})
    assert not rescheduled(), "the target that has the name now is full"
    account.fill(ours, 10)
    assert rescheduled()
    for parameters, kind in (
        ({"target_names": "Bolt"}, errors.NotFound),
        ({"target_names": ""}, errors.InvalidArgument),
    ):
        with pytest.raises(kind) as refused:
            RetreaverCapFilledSensor(**parameters, **shared).execute(context_of())
        assert isinstance(refused.value, AirflowFailException)
    pools = RetreaverNumberPoolSensor(campaign_name="Roofs", affiliate_name="Leads", **shared)
    with pytest.raises(errors.NotFound, match="no number pool with cid 'C1' with afid 'A1'"):
        pools.execute(context_of())
    by_two_ways = RetreaverNumberPoolSensor(campaign_name="Roofs", cid="C1", **shared)
    with pytest.raises(errors.InvalidArgument, match="cid or campaign_name"):
        by_two_ways.execute(context_of())


def test_rescheduled_sensors_keep_state_in_a_folder(account, tmp_path):
    """Without Airflow's store `state_path` has the same effect: updated calls are read, and failures counted."""
    spread = {"created_at_start": "2026-11-20T00:00:00Z", "created_at_end": "2026-11-20T12:00:00Z"}
    control(account, "POST", "clock", {"now": "2026-11-20T13:00:00Z"})
    control(account, "POST", "calls", {"count": 450, "fields": {"status": "completed", **spread}})

    def poke(task_id="wait", budget=3600.0):
        sensor = RetreaverCallVolumeSensor(
            task_id=task_id,
            start="2026-11-20T00:00:00Z",
            at_least=1_000,
            filters={"status": "completed"},
            mode="reschedule",
            failure_budget=budget,
            state_path=f"file://{tmp_path}",
        )
        before = len(account.sent())
        assert not sensor.poke(context_of(ti=TaskInstance(task_id=task_id)))
        return len(account.sent()) - before

    assert [poke(), poke(), poke("another")] == [5, 1, 5]
    account.fault(".*", method="GET", status=503, times=None)
    poke()
    with pytest.raises(errors.Unavailable, match="failure_budget"):
        poke(budget=0.0001)
