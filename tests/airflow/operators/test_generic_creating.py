"""`RetreaverCreateOperator` creates once, also when answers are lost and tasks are killed."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, InvalidRequest, OutcomeUnknown
from airflow_provider_retreaver.resources.registry import RESOURCES
from tests.airflow.support.account import StateStore, context_of
from tests.airflow.support.generic import PHONE, add, campaign, execute, number, numbers, send
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

NUMBER = {"type": "Toll-free", "afid": "0002", "cid": "0044", "sid": "mine"}
CREATES = {
    "affiliates": {"afid": "0002", "first_name": "Nancy"},
    "campaigns": {"cid": "0099", "name": "Roof"},
    "companies": {"name": "Second"},
    "contacts": {"contact_numbers_attributes": [{"number": PHONE}], "tag_list": "<<<name:Nancy>>>"},
    "numbers": NUMBER,
    "number_pools": {"cid": "0044", "max_pool_size": 5},
    "static_caller_numbers": {"number": PHONE},
    "suppressed_numbers": {"number": PHONE, "can_resubscribe": False},
    "target_groups": {"name": "Roofers", "concurrency_cap": 5},
    "targets": {"number": PHONE, "tid": "A1", "hard_cap_attributes": {"cap": 100}},
}
PATHS = {"suppressed_numbers": "/suppressed_numbers/", "affiliates": "/api/v1/affiliates.json"}


@pytest.fixture
def account(account):
    """Give an account with a campaign for numbers to belong to."""
    campaign(account)
    return account


def run_context():
    """Return the context of every attempt of one run."""
    return context_of(task_state_store=StateStore())


def count(account, resource):
    """Return how many objects there are."""
    return len(execute("list", resource, limit=900))


@pytest.mark.parametrize("resource", CREATES)
def test_create(account, resource):
    """Every resource that Retreaver can create is created, and the object is returned."""
    result = execute("create", resource, attributes=CREATES[resource])
    assert result["action"] == "created"
    assert result["object"][RESOURCES[resource].row_key]
    assert set(result["changed"]) == set(CREATES[resource])
    assert result["id"] == result["object"]["id"]


@pytest.mark.parametrize("resource", ["companies", "numbers", "number_pools", "target_groups", "targets"])
def test_what_others_may_create_at_the_same_time_is_told(account, resource, tmp_path, caplog, capsys):
    """An object without a customer ID, and no lease that all runs see: the log says once what remains."""
    caplog.set_level(logging.INFO)
    attributes = {name: value for name, value in CREATES[resource].items() if name != "tid"}
    for given, times in (({"state_path": f"file://{tmp_path}"}, 0), ({}, 1)):
        caplog.clear()
        capsys.readouterr()
        execute("create", resource, run_context(), attributes=attributes, **given)
        # Airflow 2.11 also prints what is logged.
        said = [text.count("in the time of one request others") for text in (caplog.text, capsys.readouterr().out)]
        assert max(said) == times


def test_all_creates_are_tested():
    """The cases cover every resource but caller lists, which need another key."""
    owned = {"caller_lists", "caller_list_numbers"}
    assert set(CREATES) | owned == {name for name, entry in RESOURCES.items() if entry.has("create")}


@pytest.mark.parametrize("resource", CREATES)
@pytest.mark.parametrize("fault", [{"status": 500}, {"cut": True}])
def test_create_whose_answer_is_lost(account, resource, fault):
    """An object that was created although the answer was lost is found, and there is one more than before."""
    before = count(account, resource)
    account.fault(PATHS.get(resource, f"/{resource}.json"), method="POST", times=1, then="done", **fault)
    result = execute("create", resource, attributes=CREATES[resource])
    assert (result["action"], result["changed"].keys()) == ("created", CREATES[resource].keys())
    assert count(account, resource) == before + 1
    assert len(account.sent("POST")) == (2 if resource == "suppressed_numbers" else 1)


@pytest.mark.parametrize("resource", ["affiliates", "campaigns", "contacts", "targets", "static_caller_numbers"])
def test_create_of_an_existing_object_is_refused(account, resource):
    """An object with that customer ID that existed before is not taken for the new one, and nothing is sent."""
    execute("create", resource, attributes=CREATES[resource])
    sent = account.sent("POST")
    with pytest.raises(ChangeRefused, match=r"already.*upsert"):
        execute("create", resource, attributes=CREATES[resource])
    assert account.sent("POST") == sent


# -- numbers, which cost money


def test_older_number_is_not_taken_for_the_bought_one(account):
    """A number with the same sid, afid and cid from before is another one, even when the answer is lost."""
    old = number(account, sid="mine")
    account.fault("/numbers.json", method="POST", status=500, times=1, then="done")
    result = execute("create", "numbers", attributes=NUMBER)
    assert result["id"] != old["id"]
    assert numbers(account) == [old["id"], result["id"]]


def test_number_of_unknown_outcome_is_not_bought_again_at_once(account):
    """When the list does not show the number, the task fails; its next attempt checks again before it buys one."""
    number(account, sid="mine")
    context = run_context()
    account.fault("/numbers.json", method="POST", status=500, times=1)
    with pytest.raises(OutcomeUnknown) as caught:
        execute("create", "numbers", context, attributes=NUMBER)
    assert not isinstance(caught.value, AirflowFailException)
    assert len(numbers(account)) == 1
    result = execute("create", "numbers", context, attributes=NUMBER)
    assert numbers(account)[1:] == [result["id"]]
    assert execute("create", "numbers", context, attributes=NUMBER) == result
    assert len(numbers(account)) == 2


def test_number_that_arrived_late_is_found_by_the_next_attempt(account):
    """A purchase that Retreaver completes after its answer was lost is found, not repeated."""
    context = run_context()
    account.fault("/numbers.json", method="POST", status=504, times=1)
    with pytest.raises(OutcomeUnknown):
        execute("create", "numbers", context, attributes=NUMBER)
    late = number(account, sid="mine")
    assert execute("create", "numbers", context, attributes=NUMBER)["id"] == late["id"]
    assert numbers(account) == [late["id"]]


def test_one_of_several_new_numbers_is_not_guessed(account):
    """Where several alike have come, none is claimed."""
    context = run_context()
    account.fault("/numbers.json", method="POST", status=504, times=1)
    with pytest.raises(OutcomeUnknown):
        execute("create", "numbers", context, attributes=NUMBER)
    ids = [number(account, sid="mine")["id"] for _ in range(2)]
    number(account, sid="other")
    with pytest.raises(OutcomeUnknown, match=f"ids {ids[0]}, {ids[1]}.*own sid"):
        execute("create", "numbers", context, attributes=NUMBER)
    assert len(account.sent("POST")) == 1


def test_refused_purchase_can_be_tried_again(account):
    """A purchase that the vendor refuses leaves nothing behind that would stop the next."""
    context = run_context()
    with pytest.raises(InvalidRequest, match="there is no campaign 9999"):
        execute("create", "numbers", context, attributes={**NUMBER, "cid": "9999"})
    assert execute("create", "numbers", context, attributes=NUMBER)["action"] == "created"


def test_retries_without_memory_do_not_buy(account, tmp_path):
    """A task with retries and nowhere to remember is refused before it buys; with a state path it buys."""
    with pytest.raises(InvalidArgument, match="would buy a second number: set state_path"):
        execute("create", "numbers", attributes=NUMBER, retries=2)
    assert account.sent() == []
    dry = execute("create", "numbers", attributes=NUMBER, retries=2, dry_run=True)
    assert dry["action"] == "would_create"
    state = {"retries": 2, "state_path": f"file://{tmp_path}/state"}
    execute("create", "numbers", context_of(), attributes=NUMBER, **state)
    execute("create", "numbers", context_of(), attributes=NUMBER, **state)
    assert len(numbers(account)) == 1


def test_unknown_outcome_without_state_is_final(account):
    """Where no state is kept for the next attempt, the task fails without a retry."""
    account.fault("/numbers.json", method="POST", status=500, times=1)
    with pytest.raises(OutcomeUnknown) as caught:
        execute("create", "numbers", attributes=NUMBER)
    assert isinstance(caught.value, AirflowFailException)


def test_group_with_retries_and_no_state_logs_a_warning(account, caplog, capsys):
    """A second group costs no money: it is created with a warning."""
    with caplog.at_level(logging.WARNING):
        execute("create", "target_groups", attributes={"name": "x"}, retries=1)
    assert "would create a second target group" in caplog.text + capsys.readouterr().out


PROGRAM = """
import sys
from tests.airflow.support.account import context_of
from tests.airflow.support.generic import execute
attributes = {attributes!r}
print("started", flush=True)
print(execute("create", "numbers", context_of(), attributes=attributes, state_path=sys.argv[1])["id"])
"""


def test_killed_purchase_is_not_repeated(account, tmp_path):
    """A task that is killed after its purchase was sent finds the number in its next attempt."""
    arguments = [sys.executable, "-c", PROGRAM.format(attributes=NUMBER), f"file://{tmp_path}/state"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    account.fault("/numbers.json", method="POST", status=200, then="done", delay=30, times=1)
    with subprocess.Popen(arguments, env=environment, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as first:
        deadline = time.monotonic() + 300
        while not numbers(account) and first.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
        first.communicate()
    (bought,) = numbers(account)
    second = subprocess.run(arguments, env=environment, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert second.stdout.strip().splitlines()[-1] == str(bought)
    assert numbers(account) == [bought]
    assert len(account.sent("POST")) == 1


# -- others


def test_killed_create_with_a_customer_id(account):
    """An object that appears after this run saved its plan is taken for the one of the earlier attempt."""
    context = run_context()
    account.fault("/targets.json", method="POST", status=500, times=3)
    with pytest.raises(OutcomeUnknown):
        execute("create", "targets", context, attributes=CREATES["targets"])
    id_ = account.target(tid="A1")
    assert execute("create", "targets", context, attributes=CREATES["targets"])["id"] == id_


def test_create_without_a_customer_id_is_never_sent_twice(account):
    """A target without tid cannot be looked up: after a lost answer the next attempt fails instead of sending it."""
    context = run_context()
    account.fault("/targets.json", method="POST", status=500, times=1, then="done")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            execute("create", "targets", context, attributes={"number": PHONE})
    assert len(account.sent("POST")) == 1
    assert execute("create", "targets", attributes={"number": PHONE}, dry_run=True)["action"] == "would_create"
    other = run_context()
    with pytest.raises(InvalidRequest):
        execute("create", "targets", other, attributes={"number": PHONE, "time_zone": "Mars"})
    assert execute("create", "targets", other, attributes={"number": PHONE})["action"] == "created"


def test_refused_create_that_exists(account):
    """After a lost answer, a refused object that exists is found; any other refusal is raised."""
    account.fault("/targets.json", method="POST", status=500, times=1)
    account.fault(
        "/targets.json", method="POST", status=422, times=1, then="done", body='{"errors": {"tid": ["taken"]}}'
    )
    assert execute("create", "targets", attributes=CREATES["targets"])["customer_id"] == "A1"
    account.fault("/targets.json", method="POST", status=500, times=1)
    account.fault("/targets.json", method="POST", status=422, times=1, body='{"errors": {"number": ["bad"]}}')
    with pytest.raises(InvalidRequest, match="number bad"):
        execute("create", "targets", attributes={"number": PHONE, "tid": "B2"})


@pytest.fixture
def owner(account, monkeypatch):
    """Give the owner of caller lists, and a connection that may change them."""
    options = account._sandbox.options
    extra = {"max_wait": 0, "caller_list_key": options.postback_key, "caller_list_secret": options.postback_secret}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
    return {"list_owner": {"target_id": account.target()}}


def test_caller_lists(account, owner):
    """Caller lists are created, refused when they exist, confirmed when they block all others, and emptied."""
    created = execute("create", "caller_lists", attributes={"name": "suppressed"}, **owner)
    assert (created["action"], created["customer_id"]) == ("created", "suppressed")
    with pytest.raises(ChangeRefused, match="The caller list with name suppressed exists already; use"):
        execute("create", "caller_lists", attributes={"name": "suppressed"}, **owner)
    with pytest.raises(InvalidArgument, match="blocks every caller"):
        execute("create", "caller_lists", attributes={"name": "Accepted-1"}, **owner)
    execute("create", "caller_lists", attributes={"name": "accepted-1"}, confirm=True, **owner)
    assert execute("upsert", "caller_lists", resource_id="suppressed", **owner)["action"] == "unchanged"
    members = {"list_owner": {**owner["list_owner"], "caller_list": "suppressed"}}
    steps = [execute("upsert", "caller_list_numbers", resource_id=PHONE, **members)["action"] for _ in range(2)]
    steps += [execute("delete", "caller_list_numbers", resource_id=PHONE, **members)["action"] for _ in range(2)]
    steps += [execute("delete", "caller_lists", resource_id="suppressed", **owner)["action"] for _ in range(2)]
    assert steps == ["created", "unchanged", "deleted", "missing", "deleted", "missing"]


@pytest.mark.parametrize("name", ["accepted-vip", " accepted-vip", "Accepted-vip", "\taccepted"])
def test_accept_list_needs_a_confirmation(account, owner, name):
    """Space around the name and capitals do not hide that the list blocks every other caller."""
    with pytest.raises(InvalidArgument, match="Set confirm=True"):
        execute("create", "caller_lists", attributes={"name": name}, **owner)
    with pytest.raises(InvalidArgument, match="Set confirm=True"):
        execute("upsert", "caller_lists", resource_id=name, **owner)
    assert account.sent() == []
    created = execute("create", "caller_lists", attributes={"name": name}, confirm=True, **owner)
    assert created["customer_id"] == name.strip()
    assert execute("upsert", "caller_lists", resource_id=name, confirm=True, **owner)["action"] == "unchanged"


@pytest.mark.parametrize("resource", CREATES)
def test_dry_run(account, resource):
    """A dry run sends nothing but GETs."""
    result = execute("create", resource, attributes=CREATES[resource], dry_run=True)
    assert (result["action"], result["dry_run"], result["id"]) == ("would_create", True, None)
    assert set(account.sent()) == set(account.sent("GET"))


@pytest.mark.parametrize(
    ("resource", "attributes", "message"),
    [
        ("targets", {}, "number is required to create a target"),
        ("numbers", {"type": "Toll-free", "afid": "1"}, "cid is required to create a number"),
        ("numbers", {**NUMBER, "type": "Mobile"}, "type must be one of Toll-free, Local"),
        ("number_pools", {"cid": "1", "max_pool_size": -1}, "max_pool_size must be a whole number"),
        ("contacts", {"tag_list": ""}, "contact_numbers_attributes is required"),
        ("contacts", {"contact_numbers_attributes": [{"description": "x"}]}, "needs a number"),
        ("suppressed_numbers", {}, "number is required to create a suppressed number"),
        ("suppressed_numbers", {"number": PHONE, "campaign_id": "1"}, "'campaign_id' is not a documented attribute"),
        ("static_caller_numbers", {"number": "nobody"}, "must be a phone number"),
        ("campaigns", {"timers_attributes": [{"seconds": 5}]}, "a timer needs seconds and url"),
        ("calls", {"caller": PHONE}, "Retreaver has no create for calls; it has list, get"),
        ("contact_numbers", {"number": PHONE}, "has no create for contact_numbers; it has update, delete"),
    ],
)
def test_wrong_creates_are_refused(account, resource, attributes, message):
    """An invalid object is refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=message) as caught:
        execute("create", resource, attributes=attributes)
    assert isinstance(caught.value, AirflowFailException)
    assert account.sent() == []


def test_damaged_state_is_an_error(account):
    """State of an earlier attempt that cannot be read stops the task before it buys."""
    context = run_context()
    context["task_state_store"].set("retreaver_create_numbers", "half a")
    with pytest.raises(InvalidArgument, match="cannot be read"):
        execute("create", "numbers", context, attributes=NUMBER)
    assert account.sent() == []


def test_unknown_afid_creates_the_affiliate(account):
    """Retreaver creates an unknown affiliate of a number."""
    execute("create", "numbers", attributes=NUMBER)
    assert execute("get", "affiliates", customer_id="0002")["afid"] == "0002"
    assert add(account, "affiliates", "affiliate", afid="0003")["id"] == 2
    assert send(account, "GET", "/numbers.json")[0]["number"]["sid"] == "mine"
