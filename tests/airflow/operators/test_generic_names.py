"""The generic operators by name: deletes, upserts, owners of lists, filters and attributes."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, NotFound, Unavailable
from airflow_provider_retreaver.operators.resources import RetreaverDeleteOperator
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.airflow.support.account import StateStore, context_of
from tests.airflow.support.generic import PHONE, add, campaign, execute, number, payout_table, send

pytestmark = pytest.mark.airflow

WRITES = ("POST", "PUT", "DELETE")
TARGETS = "GET /targets.json"


@pytest.fixture
def named(account, monkeypatch):
    """Provide an account with one object of each kind, which has keys for caller lists."""
    keys = {"caller_list_key": POSTBACK_KEY, "caller_list_secret": POSTBACK_SECRET}
    monkeypatch.setenv(
        "AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra={"max_wait": 0, **keys}))
    )
    account.target("Acme")
    account.group([1])
    campaign(account, name="Summer")
    send(account, "POST", "/api/v1/affiliates.json", {"affiliate": {"afid": "a1", "company_name": "Leads"}})
    return account


def rename(account, id_, name):
    """Rename a target."""
    send(account, "PUT", f"/targets/{id_}.json", {"target": {"name": name}})


@pytest.mark.parametrize(
    ("resource", "name"),
    [("targets", "Acme"), ("target_groups", "Roofers"), ("campaigns", "Summer"), ("affiliates", "Leads")],
)
def test_delete_by_name(named, resource, name):
    """One list finds the object, which is read again right before; a name that nothing has is refused."""
    before = len(named.sent())
    would = execute("delete", resource, object_name=name, dry_run=True)
    assert execute("delete", resource, object_name=f" {name}")["action"] == "deleted"
    assert would["action"] == "would_delete"
    methods = [request.split(" ")[0] for request in named.sent()[before:]]
    assert methods == ["GET", "GET", "GET", "GET", "DELETE"]
    for missing_ok in (True, False):
        with pytest.raises(NotFound, match=f"object_name: there is no .* with the name '{name}'") as refused:
            execute("delete", resource, object_name=name, missing_ok=missing_ok)
        assert isinstance(refused.value, AirflowFailException)
    assert len(named.sent("DELETE")) == 1


@pytest.mark.parametrize("kept", ["store", "file"])
@pytest.mark.parametrize("then", ["done", "nothing"])
def test_a_retry_of_a_delete_never_meets_another_object(named, tmp_path, kept, then):
    """After a lost answer the retry has the first attempt's ID, whoever has the name by then."""
    named.fault("/targets/1.json", method="DELETE", status=500, then=then, times=1)
    context = context_of(**({"task_state_store": StateStore()} if kept == "store" else {}))
    path = {"state_path": f"file://{tmp_path}"} if kept == "file" else {}

    def attempt():
        return execute("delete", "targets", context, object_name="Acme", retries=1, **path)

    with pytest.raises(Unavailable):
        attempt()
    named.target("Acme")
    assert attempt()["action"] == ("missing" if then == "done" else "deleted")
    assert attempt()["action"] == "missing", "a cleared task deletes nothing else either"
    assert [row["id"] for row in named.list_targets(1)] == [2]
    assert named.sent().count(TARGETS) == 1


def test_a_renamed_object_is_not_deleted(named):
    """An object that has another name right before it would be deleted is left alone."""
    context = context_of(task_state_store=StateStore())
    named.fault("/targets/1.json", method="DELETE", status=500, times=1)
    with pytest.raises(Unavailable):
        execute("delete", "targets", context, object_name="Acme")
    rename(named, 1, "Bolt")
    with pytest.raises(ChangeRefused, match="target 1 was found by the name 'Acme', and has another name now"):
        execute("delete", "targets", context, object_name="Acme")
    assert len(named.sent("DELETE")) == 1


def test_what_a_delete_by_name_refuses(named):
    """Retries that could not know the ID, an ID beside the name, several objects, other resources: refused."""
    named.target("Bolt")
    named.target("Bolt ")
    before = len(named.sent())
    for parameters, message in (
        ({"object_name": "Acme", "retries": 2}, "would delete another object.*state_path, or retries=0"),
        ({"object_name": "Acme", "resource_id": 1}, "not both"),
        ({"object_name": "Acme", "list_owner": {"target_id": 1}}, "list_owner goes with"),
        ({"object_name": " "}, "object_name is blank"),
        ({"object_name": "Bolt"}, "target 2 and target 3; give the ID"),
        ({}, "Name the target by"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            execute("delete", "targets", **parameters)
    with pytest.raises(InvalidArgument, match="numbers have no names"):
        execute("delete", "numbers", object_name="Acme", confirm=True)
    lists = {"resource": "caller_lists", "resource_id": "gone", "list_owner": {"target_name": "Acme"}}
    with pytest.raises(InvalidArgument, match="would delete another object"):
        RetreaverDeleteOperator(task_id="task", retries=1, **lists).execute(context_of())
    assert named.sent()[before:] == [TARGETS]
    dry = execute("delete", "targets", object_name="Acme", retries=2, dry_run=True)
    assert dry["action"] == "would_delete"


UPSERTS = {
    "targets": ({"number": PHONE}, {"priority": 4}),
    "target_groups": ({"behavior": 2, "priority": 1}, {"priority": 2}),
    "campaigns": ({"cid": "c9", "record_calls": True}, {"record_calls": False}),
    "affiliates": ({"afid": "a9", "first_name": "Nancy"}, {"first_name": "Ann"}),
}


@pytest.mark.parametrize("resource", UPSERTS)
def test_upsert_by_name(named, resource):
    """The first creates an object with that name, the second sends nothing, the third changes what differs."""
    attributes, other = UPSERTS[resource]

    def upsert(**parameters):
        return execute("upsert", resource, object_name="New, Inc.", **parameters)

    assert upsert(attributes=attributes, dry_run=True)["action"] == "would_create"
    assert named.sent(*WRITES) == []
    first, second = (upsert(attributes=attributes) for _ in range(2))
    third = upsert(attributes=attributes | other)
    assert [one["action"] for one in (first, second, third)] == ["created", "unchanged", "updated"]
    assert first["object"]["company_name" if resource == "affiliates" else "name"] == "New, Inc."
    assert set(third["changed"]) == set(other)
    assert len(named.sent(*WRITES)) == 2
    assert second["id"] == third["id"] == first["id"]


def test_a_retry_of_an_upsert_never_meets_another_object(named):
    """What an attempt has found, or created, is what the next one changes, whoever has the name by then."""
    for store, name, id_ in ((StateStore(), "Acme", 1), (StateStore(), "New", 2)):
        context = context_of(task_state_store=store)
        execute("upsert", "targets", context, object_name=name, attributes={"number": PHONE})
        rename(named, id_, f"Old {name}")
        result = execute("upsert", "targets", context, object_name=name, attributes={"number": PHONE, "priority": 3})
        assert (result["action"], result["id"]) == ("updated", id_)
    assert [row["name"] for row in named.list_targets(1)] == ["Old Acme", "Old New"]


@pytest.mark.parametrize("then", ["done", "nothing"])
def test_upsert_by_name_after_a_lost_answer(named, then):
    """After a lost answer the name is looked up, and the create is sent again only when nothing has it."""
    named.fault("/targets.json", method="POST", status=500, then=then, times=1)
    result = execute("upsert", "targets", object_name="New", attributes={"number": PHONE})
    assert result["action"] == "created"
    assert [row["name"] for row in named.list_targets(1)] == ["Acme", "New"]
    assert len(named.sent("POST")) == (1 if then == "done" else 2)


def test_what_an_upsert_by_name_refuses(named):
    """Another name in the attributes, an ID beside the name, resources without names: nothing is sent."""
    for parameters, message in (
        ({"object_name": "Acme", "attributes": {"name": "Bolt"}}, "another name than the object_name"),
        ({"object_name": "Acme", "attributes": {"name": None}}, "another name than the object_name"),
        ({"object_name": "Acme", "customer_id": "a", "attributes": {"priority": 1}}, "not both"),
        ({"object_name": "Acme", "attributes": {"prioritee": 1}}, "prioritee"),
        ({"object_name": "Acme", "attributes": {"priority": 1}, "list_owner": {"target_id": 1}}, "list_owner goes"),
        ({"attributes": {"number": PHONE}}, "by customer_id .tid. or by object_name"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            execute("upsert", "targets", **parameters)
    with pytest.raises(InvalidArgument, match="suppressed_numbers have no names"):
        execute("upsert", "suppressed_numbers", object_name="Acme")
    with pytest.raises(InvalidArgument, match="give its object_name"):
        execute("upsert", "target_groups", attributes={"name": "Roofers"})
    assert named.sent() == []
    named.target("Acme")
    with pytest.raises(InvalidArgument, match="target 1 and target 2"):
        execute("upsert", "targets", object_name="Acme", attributes={"priority": 1})
    assert named.sent() == [TARGETS]


def test_owners_of_lists_by_name(named):
    """Caller lists, their numbers and payout tables are listed, read, created and deleted by their owner's name."""
    owner = {"target_name": "Acme"}
    of_list = {**owner, "caller_list": "old"}
    assert execute("create", "caller_lists", attributes={"name": "old"}, list_owner=owner)["action"] == "created"
    assert execute("upsert", "caller_lists", resource_id="old", list_owner=owner)["action"] == "unchanged"
    assert execute("get", "caller_lists", resource_id="old", list_owner=str(owner))["name"] == "old"
    execute("create", "caller_list_numbers", attributes={"number": PHONE}, list_owner=of_list)
    assert [row["number"] for row in execute("list", "caller_list_numbers", list_owner=of_list, limit=5)] == [PHONE]
    numbers = {"resource_id": PHONE, "list_owner": of_list}
    assert execute("delete", "caller_list_numbers", **numbers)["action"] == "deleted"
    table = payout_table(named)["id"]
    summer = {"campaign_name": "Summer"}
    assert [row["id"] for row in execute("list", "payout_tables", list_owner=summer, limit=5)] == [table]
    tables = {"resource_id": table, "list_owner": summer, "confirm": True}
    assert execute("delete", "payout_tables", **tables)["action"] == "deleted"
    before = len(named.sent())
    for wrong, message in (
        ({"target_name": "Acme", "target_id": 1}, "give one of them"),
        ({"target_name": "Acme", "campaign_id": 1}, "belongs to a target_id or to a campaign_id"),
        ({"target_name": None}, "belongs to a target_id or to a campaign_id"),
        ({"target_name": "None"}, "list_owner: target_name is blank"),
        ({"target_nam": "Acme"}, "did you mean"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            execute("get", "caller_lists", resource_id="old", list_owner=wrong)
    assert len(named.sent()) == before
    with pytest.raises(NotFound, match=r"list_owner: target_name: there is no target .* did you mean 'Acme'"):
        execute("get", "caller_lists", resource_id="old", list_owner={"target_name": "Acm"})


def test_filters_of_lists_by_name(named):
    """Numbers, pools, calls and the RTB log are listed by the names of campaigns, affiliates and targets."""
    number(named, "0044", "a1")
    number(named, "0044", "a2")
    add(named, "number_pools", "number_pool", cid="0044")
    named.calls(2, cid="0044")
    send(named, "POST", "/campaigns.json", {"campaign": {"cid": "other"}})
    named.calls(1, cid="other")
    named._control("POST", "rtb_inbounds", {"count": 3, "fields": {"campaign_id": 1}})
    both = {"campaign_name": "Summer", "affiliate_name": "Leads"}

    def count(resource, **filters):
        return len(execute("list", resource, filters=filters, limit=9))

    assert (count("numbers", **both), count("numbers", campaign_name="Summer", sid=None)) == (1, 2)
    assert (count("number_pools", campaign_name="Summer"), count("calls", campaign_name="Summer")) == (1, 2)
    assert count("rtb_inbounds", campaign_name=["Summer"]) == 3
    before = len(named.sent())
    for resource, wrong, message in (
        ("numbers", {"campaign_name": "Summer", "cid": "0044"}, "give one of them"),
        ("numbers", {"target_name": "Acme"}, "target_name"),
        ("numbers", {"campaign_name": "Summer", "cidd": 1}, "did you mean"),
        ("rtb_inbounds", {"campaign_name": []}, "campaign_name is empty"),
        ("rtb_inbounds", {"campaign_name": "Summer", "status": "no"}, "status"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            count(resource, **wrong)
    assert len(named.sent()) == before


def test_attributes_by_name(named):
    """Numbers and pools are bought for, groups filled with, and suppressions limited to what names choose."""
    named.target("Bolt")
    for_summer = {"campaign_name": "Summer", "affiliate_name": "Leads", "type": "Local"}
    bought = execute("create", "numbers", attributes=for_summer)
    assert (bought["object"]["cid"], bought["object"]["afid"]) == ("0044", "a1")
    group = execute(
        "create", "target_groups", attributes={"name": "All", "target_names": ["Acme"], "target_ids": [2]}
    )
    assert group["changed"]["target_ids"]["after"] == [2, 1]
    left = execute("update", "target_groups", object_name="All", attributes={"remove_targets_by_name": "Bolt"})
    assert left["action"] == "updated"
    members = execute("get", "target_groups", object_name="All")["target_ids"]
    assert members == [1]
    wanted = {"can_resubscribe": False, "campaign_name": "Summer"}
    for action in ("created", "unchanged"):
        assert execute("upsert", "suppressed_numbers", resource_id=PHONE, attributes=wanted)["action"] == action
    before = len(named.sent())
    for wrong, message in (
        ({**for_summer, "cid": "0044"}, "give one of them"),
        ({**for_summer, "type": "x"}, "type"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            execute("create", "numbers", attributes=wrong)
    with pytest.raises(InvalidArgument, match="buy a second number"):
        execute("create", "numbers", attributes=for_summer, retries=1)
    assert len(named.sent()) == before
