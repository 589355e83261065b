"""`RetreaverDeleteOperator`: a missing object is success, and what cannot be bought again needs a confirmation."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import (
    InvalidArgument,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from airflow_provider_retreaver.resources.registry import RESOURCES
from tests.airflow.support.generic import PHONE, add, campaign, execute, number, payout_table, send

pytestmark = pytest.mark.airflow

WRITES = ("POST", "PUT", "DELETE")


def test_delete_of_every_resource(account):
    """Every resource that Retreaver can delete is deleted, and is missing the second time."""
    campaign(account)
    bought = number(account)
    contact = {"contact_numbers_attributes": [{"number": PHONE}, {"number": "+18005551234"}]}
    ids = {
        "numbers": bought["id"],
        "number_pools": add(account, "number_pools", "number_pool", cid="0044")["id"],
        "static_caller_numbers": add(account, "static_caller_numbers", "static_caller_number", number=PHONE)["id"],
        "target_groups": account.group([]),
        "targets": account.target(),
        "companies": add(account, "companies", "company", name="Second")["id"],
        "contact_numbers": "+18005551234",
        "suppressed_numbers": PHONE,
    }
    add(account, "contacts", "contact", **contact)
    send(account, "POST", f"/suppressed_numbers/{PHONE}.json", {})
    named = {"payout_tables": {"resource_id": payout_table(account)["id"], "list_owner": {"campaign_id": 1}}}
    named |= {name: {"resource_id": id_} for name, id_ in ids.items()}
    named |= {"contacts": {"customer_id": PHONE}, "campaigns": {"customer_id": "0044"}}
    named |= {"affiliates": {"customer_id": "0002"}}
    lists = {"caller_lists", "caller_list_numbers"}
    assert set(named) | lists == {name for name, entry in RESOURCES.items() if entry.has("delete")}
    for resource, name in named.items():
        first, second = (execute("delete", resource, confirm=True, **name) for _ in range(2))
        assert (first["action"], second["action"]) == ("deleted", "missing"), resource
        with pytest.raises(NotFound):
            execute("delete", resource, confirm=True, missing_ok=False, **name)


@pytest.mark.parametrize("resource", ["numbers", "number_pools", "companies", "payout_tables"])
def test_delete_that_needs_a_confirmation(account, resource):
    """What cannot be bought again is not deleted without `confirm`, and nothing is sent."""
    for parameters in ({}, {"confirm": False}, {"confirm": "false"}, {"dry_run": True}):
        with pytest.raises(InvalidArgument, match="confirm=True") as caught:
            execute("delete", resource, resource_id=1, **parameters)
        assert isinstance(caught.value, AirflowFailException)
    assert account.sent() == []


def test_delete_in_the_wrong_order(account):
    """Retreaver refuses to delete an affiliate with numbers, and its message is raised."""
    campaign(account)
    number(account)
    with pytest.raises(InvalidRequest, match="still has Numbers"):
        execute("delete", "affiliates", customer_id="0002")


def test_delete_whose_answer_is_lost(account):
    """A delete that is answered 500 fails, and is success when the task is tried again."""
    id_ = account.target()
    account.fault("/targets/", method="DELETE", status=500, times=1, then="done")
    with pytest.raises(Unavailable):
        execute("delete", "targets", resource_id=id_)
    assert execute("delete", "targets", resource_id=id_)["action"] == "missing"
    assert account.list_targets(1) == []


def test_dry_run_of_a_delete(account):
    """A dry run checks whether the object exists."""
    id_ = account.target()
    add(account, "contacts", "contact", contact_numbers_attributes=[{"number": PHONE}])
    there = execute("delete", "targets", resource_id=id_, dry_run=True)
    gone = execute("delete", "targets", resource_id=404, dry_run=True)
    contact_number = execute("delete", "contact_numbers", resource_id=PHONE, dry_run=True)
    unreadable = execute("delete", "static_caller_numbers", resource_id=3, dry_run=True)
    assert [one["action"] for one in (there, gone, contact_number, unreadable)] == [
        "would_delete",
        "missing",
        "would_delete",
        "would_delete",
    ]
    assert account.sent(*WRITES) == []


@pytest.mark.parametrize(
    ("resource", "parameters", "message"),
    [
        ("calls", {"resource_id": "x"}, "Retreaver has no delete for calls; it has list, get"),
        ("reports", {}, "has no delete for reports"),
        ("company", {}, "has no delete for company"),
        ("targets", {}, "Name the target by resource_id"),
    ],
)
def test_wrong_deletes_are_refused(account, resource, parameters, message):
    """An invalid delete is refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=message):
        execute("delete", resource, **parameters)
    assert account.sent() == []
