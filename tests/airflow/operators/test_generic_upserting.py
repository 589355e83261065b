"""`RetreaverUpsertOperator` creates a missing object and changes what differs in an existing one."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import (
    InvalidArgument,
)
from tests.airflow.support.generic import PHONE, campaign, execute

pytestmark = pytest.mark.airflow

OTHER = "+18005551234"
WRITES = ("POST", "PUT", "DELETE")
TIMERS = [{"seconds": 0, "url": "https://t.example/click"}, {"seconds": 90, "url": "https://t.example/sale"}]


UPSERTS = {
    "affiliates": ({"customer_id": "0002"}, {"first_name": "Nancy"}, {"first_name": "Nathan"}),
    "campaigns": ({"customer_id": "0099"}, {"name": "Roof", "timers_attributes": TIMERS}, {"name": "Windows"}),
    "targets": ({"customer_id": "A1"}, {"number": PHONE, "hard_cap_attributes": {"cap": 5}}, {"priority": 4}),
    "contacts": ({"customer_id": PHONE}, {"tag_list": "<<<name:Nancy>>>"}, {"tag_list": "<<<name:Drew>>>"}),
    "suppressed_numbers": ({"resource_id": PHONE}, {"can_resubscribe": False}, {"can_resubscribe": True}),
}


@pytest.mark.parametrize("resource", UPSERTS)
def test_upsert_creates_then_keeps_then_changes(account, resource):
    """The first run creates, the second sends nothing, a third with another value changes that alone."""
    named, attributes, other = UPSERTS[resource]
    first = execute("upsert", resource, attributes=attributes, **named)
    sent = account.sent(*WRITES)
    second = execute("upsert", resource, attributes=attributes, **named)
    assert account.sent(*WRITES) == sent
    third = execute("upsert", resource, attributes=attributes | other, **named)
    assert [one["action"] for one in (first, second, third)] == ["created", "unchanged", "updated"]
    assert set(third["changed"]) == set(other)
    assert first["object"]["id"] == second["id"] == third["id"]


def test_upsert_of_a_static_caller_number(account):
    """A static caller number is found by its number in the list, in any spelling."""
    results = [
        execute("upsert", "static_caller_numbers", attributes={"number": one}) for one in (PHONE, "8668987878")
    ]
    assert [one["action"] for one in results] == ["created", "unchanged"]
    assert results[0]["object"]["id"] == results[1]["id"]


def test_upsert_of_a_suppressed_number_for_a_campaign(account):
    """An attribute that the create does not take is changed after it."""
    campaign(account)
    wanted = {"can_resubscribe": False, "campaign_id": "0044"}
    results = [execute("upsert", "suppressed_numbers", resource_id=PHONE, attributes=wanted) for _ in range(2)]
    assert [one["action"] for one in results] == ["created", "unchanged"]
    assert results[0]["object"]["campaign_id"] == "0044"


def test_upsert_takes_the_customer_id_from_the_attributes(account):
    """The customer ID may be in the attributes, under either of its names."""
    created = execute("upsert", "targets", attributes={"number": PHONE, "client_tid": "A1"})
    found = execute("upsert", "targets", attributes={"number": PHONE, "tid": "A1"})
    assert (created["action"], found["action"], found["customer_id"]) == ("created", "unchanged", "A1")


def test_upsert_of_a_contact_with_several_numbers(account):
    """A contact is found by one of its requested numbers; a missing one is added."""
    home = {"contact_numbers_attributes": [{"number": PHONE}]}
    both = {"contact_numbers_attributes": [{"number": OTHER}, {"number": PHONE, "description": "Home"}]}
    actions = [execute("upsert", "contacts", customer_id=PHONE, attributes=wanted) for wanted in (home, both, both)]
    assert [one["action"] for one in actions] == ["created", "updated", "unchanged"]
    found = execute("get", "contacts", customer_id=OTHER)["contact_numbers"]
    assert [(row["number"], row["description"]) for row in found] == [(PHONE, "Home"), (OTHER, None)]


@pytest.mark.parametrize("then", ["nothing", "done"])
def test_upsert_after_a_lost_answer(account, then):
    """After a lost answer the object is looked up, and sent again only when it does not exist."""
    account.fault("/targets.json", method="POST", status=500, times=1, then=then)
    result = execute("upsert", "targets", customer_id="A1", attributes={"number": PHONE})
    assert result["action"] == "created"
    assert len(account.list_targets(1)) == 1
    assert len(account.sent("POST")) == (2 if then == "nothing" else 1)


def test_upsert_after_a_dropped_connection(account):
    """A connection that drops after the create was sent ends in one object."""
    account.fault("/affiliates.json", method="POST", cut=True, times=1, then="done")
    result = execute("upsert", "affiliates", customer_id="0002", attributes={"first_name": "Nancy"})
    assert (result["action"], result["customer_id"]) == ("created", "0002")
    assert len(account.sent("POST")) == 1


@pytest.mark.parametrize(
    ("resource", "parameters", "message"),
    [
        ("numbers", {"attributes": {"type": "Local", "afid": "1", "cid": "1"}}, "A number has no customer ID"),
        ("target_groups", {"attributes": {"name": "x"}}, "A target group has no customer ID"),
        ("targets", {"attributes": {"number": PHONE}}, r"Name the target by customer_id \(tid\)"),
        ("targets", {"resource_id": 3, "attributes": {"number": PHONE}}, "use the update operator"),
        ("targets", {"customer_id": "A", "attributes": {"tid": "B"}}, "The tid in the attributes is not the one"),
        ("targets", {"customer_id": "A", "attributes": {"nam": "B"}}, "did you mean 'name'"),
        ("suppressed_numbers", {"customer_id": PHONE, "resource_id": PHONE}, "not both"),
        ("contacts", {"customer_id": PHONE, "attributes": {"contact_numbers_attributes": [{"number": OTHER}]}},
         "does not hold the number"),
        ("reports", {"customer_id": "x"}, "has no create for reports"),
        ("caller_lists", {"resource_id": "accepted-leads", "list_owner": {"target_id": 1}}, "blocks every caller"),
        ("caller_lists", {"resource_id": " Accepted-vip", "list_owner": {"target_id": 1}}, "blocks every caller"),
    ],
)  # fmt: skip
def test_wrong_upserts_are_refused(account, resource, parameters, message):
    """An invalid upsert is refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=message):
        execute("upsert", resource, **parameters)
    assert account.sent() == []


def test_upsert_without_a_required_attribute(account):
    """An attribute that a create requires must be set when the object does not exist."""
    with pytest.raises(InvalidArgument, match="number is required to create a target"):
        execute("upsert", "targets", customer_id="A1", attributes={"name": "Acme"})
    assert account.sent(*WRITES) == []


def test_dry_run_of_an_upsert(account):
    """A dry run looks the object up, and returns whether it would create or change it."""
    named = {"customer_id": "A1", "dry_run": "true"}
    new = execute("upsert", "targets", attributes={"number": PHONE, "sip_password": "geheim"}, **named)
    account.target("Acme", tid="A1")
    old = execute("upsert", "targets", attributes={"name": "Other"}, **named)
    same = execute("upsert", "targets", attributes={"name": "Acme"}, **named)
    assert [one["action"] for one in (new, old, same)] == ["would_create", "would_update", "unchanged"]
    assert new["changed"]["sip_password"] == {"before": None, "after": "***"}
    assert account.sent(*WRITES) == []
