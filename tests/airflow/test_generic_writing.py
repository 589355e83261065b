"""`RetreaverUpdateOperator`, `RetreaverUpsertOperator` and `RetreaverDeleteOperator`."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import (
    ChangeRefused,
    InvalidArgument,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from airflow_provider_retreaver.resources.registry import RESOURCES
from tests.airflow.generic import PHONE, add, ask, campaign, execute, number

pytestmark = pytest.mark.airflow

OTHER = "+18005551234"
WRITES = ("POST", "PUT", "DELETE")
HOURS = {"day_of_week": 1, "work_day": True, "time_open": 900, "time_close": 1700}
TIMERS = [{"seconds": 0, "url": "https://t.example/click"}, {"seconds": 90, "url": "https://t.example/sale"}]


def hours(account, id_):
    """Return a target's rows of business hours."""
    return ask(account, "GET", f"/targets/{id_}.json")["target"]["business_hours"]


# -- update


def test_update_sends_only_what_differs(account):
    """What is as wanted already is not sent, whatever its form; the result names what changed."""
    id_ = account.target("Acme", cap=10, tid="A1", tag_list="<<<geo:10001>>>,<<<kind:roof>>>", weight=3)
    result = execute(
        "update",
        "targets",
        customer_id="A1",
        attributes={
            "name": "Acme 2",
            "number": "(919) 555-0000",
            "hard_cap_attributes": {"cap": "10"},
            "tag_list": "<<<kind:roof>>>,<<<geo:10001>>>",
            "weight": "3",
            "paused": True,
            "concurrency_cap": None,
        },
    )
    assert result == {
        "id": id_,
        "customer_id": "A1",
        "action": "updated",
        "changed": {"name": {"before": "Acme", "after": "Acme 2"}, "paused": {"before": False, "after": True}},
        "not_compared": [],
    }
    (put,) = [entry for entry in account.entries() if entry["method"] == "PUT"]
    assert json.loads(put["body"]) == {"target": {"name": "Acme 2", "paused": True}}
    again = execute("update", "targets", resource_id=id_, attributes={"name": "Acme 2", "paused": True})
    assert again == {"id": id_, "customer_id": "A1", "action": "unchanged", "changed": {}, "not_compared": []}
    assert len(account.sent("PUT")) == 1


def test_update_of_hours_finds_the_row_of_the_day(account):
    """A day's hours that are given without an id change the row of that day, never add one."""
    id_ = account.target()
    before = hours(account, id_)
    result = execute("update", "targets", resource_id=id_, attributes={"business_hours_attributes": [HOURS]})
    after = hours(account, id_)
    assert [row["id"] for row in after] == [row["id"] for row in before]
    assert (after[1]["time_open"], after[1]["time_close"]) == (900, 1700)
    assert result["changed"]["business_hours_attributes"] == {
        "before": [{"day_of_week": 1, "time_open": 0, "time_close": 2400}],
        "after": [{"day_of_week": 1, "time_open": 900, "time_close": 1700}],
    }
    again = execute("update", "targets", resource_id=id_, attributes={"business_hours_attributes": [HOURS]})
    assert again["action"] == "unchanged"


def test_update_of_one_of_two_rows_of_a_day_needs_its_id(account):
    """Where a day has several rows, the one to change is not guessed."""
    id_ = account.target()
    second = {"day_of_week": 1, "time_open": 1800, "time_close": 2000}
    ask(account, "PUT", f"/targets/{id_}.json", {"target": {"business_hours_attributes": [second]}})
    with pytest.raises(ChangeRefused, match=r"2 rows with day_of_week 1.*give the id"):
        execute("update", "targets", resource_id=id_, attributes={"business_hours_attributes": [HOURS]})
    assert account.sent("PUT") == []
    rows = [row for row in hours(account, id_) if row["day_of_week"] == 1]
    wanted = [{"id": rows[1]["id"], "time_close": 2100}]
    execute("update", "targets", resource_id=id_, attributes={"business_hours_attributes": wanted})
    assert [row["time_close"] for row in hours(account, id_) if row["day_of_week"] == 1] == [2400, 2100]
    assert (
        execute("update", "targets", resource_id=id_, attributes={"business_hours_attributes": [second | wanted[0]]})[
            "action"
        ]
        == "unchanged"
    )


def test_update_never_turns_the_operator_of_a_tag(account):
    """A tag list cannot say `!=`; a rewrite that would lose it is refused."""
    id_ = account.target(tag_list="<<<kind:roof>>>")
    account._sandbox.world.store.run("UPDATE tag_values SET operator = '!='")
    assert execute("update", "targets", resource_id=id_, attributes={"tag_list": "<<<kind:roof>>>"})["action"] == (
        "unchanged"
    )
    with pytest.raises(ChangeRefused, match="kind != roof"):
        execute("update", "targets", resource_id=id_, attributes={"tag_list": "<<<kind:roof>>>,<<<a:b>>>"})
    assert account.sent("PUT") == []


def test_update_of_nested_rows_of_a_campaign(account):
    """Timers are matched by seconds and menu options by key; those that are not mentioned stay."""
    made = campaign(account, timers_attributes=TIMERS)
    attributes = {
        "timers_attributes": [{"seconds": 90, "url": "https://t.example/other"}],
        "menu_options_attributes": [{"option": "1", "target_number": PHONE}, {"option": "2", "target_number": PHONE}],
        "message": "Press one.",
    }
    result = execute("update", "campaigns", customer_id="0044", attributes=attributes)
    assert set(result["changed"]) == {"timers_attributes", "menu_options_attributes", "message"}
    now = ask(account, "GET", f"/campaigns/{made['id']}.json")["campaign"]
    assert [row["timer"]["url"] for row in now["timers"]] == ["https://t.example/click", "https://t.example/other"]
    assert [row["menu_option"]["option"] for row in now["menu_options"]] == ["1", "2"]
    assert execute("update", "campaigns", customer_id="0044", attributes=attributes)["action"] == "unchanged"


def test_update_with_destroy_nested_is_repeatable(account):
    """`destroy_nested` replaces all timers and options, and does nothing where they are as wanted."""
    campaign(account, timers_attributes=TIMERS)
    options = [{"option": "1", "target_number": PHONE}]
    attributes = {"destroy_nested": True, "timers_attributes": TIMERS[:1], "menu_options_attributes": options}
    first = execute("update", "campaigns", customer_id="0044", attributes=attributes)
    assert (first["action"], len(first["changed"]["timers_attributes"]["before"])) == ("updated", 2)
    assert execute("update", "campaigns", customer_id="0044", attributes=attributes)["action"] == "unchanged"
    assert len(ask(account, "GET", "/campaigns/cid/0044.json")["campaign"]["timers"]) == 1


def test_update_of_conversion_groups(account):
    """A group and its conversions are changed by their ids, which are found by name and seconds."""
    group = {"name": "Sales", "dedupe_seconds": 3600, "conversions_attributes": [{"seconds": 90, "revenue": 12.5}]}
    id_ = account.target(conversion_groups_attributes=[group])
    same = {
        "conversion_groups_attributes": [{**group, "conversions_attributes": [{"seconds": 90, "revenue": "12.50"}]}]
    }
    assert execute("update", "targets", resource_id=id_, attributes=same)["action"] == "unchanged"
    other = {"conversion_groups_attributes": [{**group, "conversions_attributes": [{"seconds": 90, "revenue": 20}]}]}
    assert execute("update", "targets", resource_id=id_, attributes=other)["action"] == "updated"
    (now,) = ask(account, "GET", f"/targets/{id_}.json")["target"]["conversion_groups"]
    assert [(row["seconds"], row["revenue"]) for row in now["conversions"]] == [(90, 20)]
    gone = {"conversion_groups_attributes": [{"id": now["id"], "_destroy": True}]}
    assert execute("update", "targets", resource_id=id_, attributes=gone)["action"] == "updated"
    assert execute("update", "targets", resource_id=id_, attributes=gone)["action"] == "unchanged"


def test_update_says_what_it_could_not_compare(account):
    """An uploaded file does not come back: it is sent every time, and the result says so."""
    campaign(account)
    attributes = {"message_file_b64_data": "aGVsbG8=", "message_file_b64_filename": "memo.flac", "name": None}
    for _ in range(2):
        result = execute("update", "campaigns", customer_id="0044", attributes=attributes)
        assert result["action"] == "updated"
        assert result["not_compared"] == ["message_file_b64_data", "message_file_b64_filename"]
    assert "aGVsbG8" not in json.dumps(result)


def test_update_reports_what_the_vendor_did_not_take(account):
    """A change that the vendor accepts and does not make is named."""
    group = account.group([])
    result = execute("update", "target_groups", resource_id=group, attributes={"priority": 5})
    assert (result["not_taken"], result["changed"]["priority"]) == (["priority"], {"before": None, "after": None})


def test_update_of_group_members(account):
    """The helpers of target groups are sent only where they change something."""
    first, second, third = account.targets(3)
    group = account.group([first, second])
    added = execute("update", "target_groups", resource_id=group, attributes={"add_targets_by_id": [second, third]})
    assert added["changed"]["add_targets_by_id"] == {"before": [first, second], "after": [first, second, third]}
    again = execute("update", "target_groups", resource_id=group, attributes={"add_targets_by_id": [third]})
    removed = execute("update", "target_groups", resource_id=group, attributes={"remove_targets_by_id": [first]})
    replaced = execute("update", "target_groups", resource_id=group, attributes={"target_ids": [third, second]})
    assert [one["action"] for one in (again, removed, replaced)] == ["unchanged", "updated", "unchanged"]


def test_update_of_a_changed_customer_id(account):
    """An object whose customer ID changes is read back under the new one."""
    add(account, "affiliates", "affiliate", afid="0002", first_name="Nancy")
    result = execute("update", "affiliates", customer_id="0002", attributes={"afid": "0003"})
    assert (result["customer_id"], result["action"]) == ("0003", "updated")
    with pytest.raises(NotFound):
        execute("update", "affiliates", customer_id="0002", attributes={"first_name": "Nathan"})


def test_update_of_a_contact_number(account):
    """A contact's number is changed and read back under its new number."""
    add(account, "contacts", "contact", contact_numbers_attributes=[{"number": PHONE, "description": "Home"}])
    result = execute("update", "contact_numbers", resource_id=PHONE, attributes={"number": "+18005551234"})
    assert result["changed"] == {"number": {"before": PHONE, "after": "+18005551234"}}
    assert result["customer_id"] == "+18005551234"


def test_update_of_a_suppressed_number(account):
    """`can_resubscribe` and the campaign are compared, the latter by its cid."""
    campaign(account)
    ask(account, "POST", f"/suppressed_numbers/{PHONE}.json", {})
    wanted = {"can_resubscribe": False, "campaign_id": "0044"}
    results = [execute("update", "suppressed_numbers", resource_id=PHONE, attributes=wanted) for _ in range(2)]
    assert [one["action"] for one in results] == ["updated", "unchanged"]
    assert results[0]["changed"]["can_resubscribe"] == {"before": True, "after": False}


def test_numbers_own_timers_are_told_from_inherited_ones(account):
    """A number that inherits its campaign's timers has none of its own to compare with."""
    campaign(account, timers_attributes=TIMERS)
    bought = number(account)
    attributes = {"timers_attributes": TIMERS[:1], "type": "Toll-free"}
    results = [execute("update", "numbers", resource_id=bought["id"], attributes=attributes) for _ in range(2)]
    assert [one["action"] for one in results] == ["updated", "unchanged"]
    assert results[0]["changed"]["timers_attributes"]["before"] == []


@pytest.mark.parametrize(
    ("resource", "parameters", "says"),
    [
        ("targets", {"resource_id": 1, "attributes": {}}, "nothing to change on the target"),
        ("targets", {"resource_id": 1, "attributes": {"nam": "x"}}, "did you mean 'name'"),
        ("targets", {"resource_id": 1, "attributes": {"paused": "True"}}, "paused must be True or False"),
        ("targets", {"resource_id": 1, "attributes": ["name"]}, "attributes must be a mapping"),
        ("targets", {"resource_id": 1, "attributes": {"tag_list": "<<<a:b>>>," * 101}}, "100 at most"),
        ("numbers", {"resource_id": 1, "attributes": {"country": "XX"}}, "country must be one of"),
        (
            "calls",
            {"resource_id": 1, "attributes": {"status": "x"}},
            "Retreaver has no update for calls; it has list, get",
        ),
        ("static_caller_numbers", {"resource_id": 1, "attributes": {"number": PHONE}}, "has no update"),
        ("caller_lists", {"resource_id": "a", "attributes": {"name": "b"}}, "has no update for caller_lists"),
    ],
)
def test_wrong_updates_are_refused(account, resource, parameters, says):
    """A change that cannot be right is refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=says):
        execute("update", resource, **parameters)
    assert account.sent() == []


def test_dry_run_of_an_update(account):
    """A dry run reads, says what would change, and sends nothing."""
    id_ = account.target("Acme")
    result = execute("update", "targets", resource_id=id_, attributes={"name": "Other"}, dry_run=True)
    assert (result["action"], result["dry_run"]) == ("would_update", True)
    assert result["changed"] == {"name": {"before": "Acme", "after": "Other"}}
    assert account.sent(*WRITES) == []


def test_vendors_messages_surface(account):
    """The vendor's own field messages are in the error, and its password is not."""
    id_ = account.target()
    with pytest.raises(InvalidRequest, match="time_zone is not a valid time zone"):
        execute("update", "targets", resource_id=id_, attributes={"time_zone": "Mars"})
    account.fault("/targets/", method="PUT", status=422, body='{"errors": {"base": ["geheim-wort is bad"]}}')
    with pytest.raises(InvalidRequest, match=r"base \*\*\* is bad"):
        execute("update", "targets", resource_id=id_, attributes={"sip_password": "geheim-wort"})


def test_rendered_texts_are_read(account):
    """Attributes that a template rendered to a text are read as JSON or as Python."""
    id_ = account.target()
    execute("update", "targets", resource_id=str(id_), attributes='{"name": "from json", "paused": true}')
    execute("update", "targets", resource_id=str(id_), attributes="{'weight': 7, 'paused': False}")
    found = execute("get", "targets", resource_id=id_)
    assert (found["name"], found["weight"], found["paused"]) == ("from json", 7, False)


# -- upsert


UPSERTS = {
    "affiliates": ({"customer_id": "0002"}, {"first_name": "Nancy"}, {"first_name": "Nathan"}),
    "campaigns": ({"customer_id": "0099"}, {"name": "Roof", "timers_attributes": TIMERS}, {"name": "Windows"}),
    "targets": ({"customer_id": "A1"}, {"number": PHONE, "hard_cap_attributes": {"cap": 5}}, {"priority": 4}),
    "contacts": ({"customer_id": PHONE}, {"tag_list": "<<<name:Nancy>>>"}, {"tag_list": "<<<name:Drew>>>"}),
    "suppressed_numbers": ({"resource_id": PHONE}, {"can_resubscribe": False}, {"can_resubscribe": True}),
}


@pytest.mark.parametrize("resource", UPSERTS)
def test_upsert_creates_then_leaves_alone_then_changes(account, resource):
    """The first run creates, the second sends nothing, a changed wish changes that and nothing else."""
    named, attributes, other = UPSERTS[resource]
    first = execute("upsert", resource, attributes=attributes, **named)
    sent = account.sent(*WRITES)
    second = execute("upsert", resource, attributes=attributes, **named)
    assert account.sent(*WRITES) == sent
    third = execute("upsert", resource, attributes=attributes | other, **named)
    assert [one["action"] for one in (first, second, third)] == ["created", "unchanged", "updated"]
    assert set(third["changed"]) == set(other)
    assert first["object"]["id"] == second["id"] == third["id"]


def test_upsert_of_what_has_nothing_but_its_number(account):
    """A static caller number is found by its number in the list, whatever its spelling."""
    results = [
        execute("upsert", "static_caller_numbers", attributes={"number": one}) for one in (PHONE, "8668987878")
    ]
    assert [one["action"] for one in results] == ["created", "unchanged"]
    assert results[0]["object"]["id"] == results[1]["id"]


def test_upsert_of_a_suppressed_number_for_a_campaign(account):
    """What the create does not take is changed after it."""
    campaign(account)
    wanted = {"can_resubscribe": False, "campaign_id": "0044"}
    results = [execute("upsert", "suppressed_numbers", resource_id=PHONE, attributes=wanted) for _ in range(2)]
    assert [one["action"] for one in results] == ["created", "unchanged"]
    assert results[0]["object"]["cid"] == "0044"


def test_upsert_takes_the_customer_id_from_the_attributes(account):
    """The customer ID may stand in the attributes, under either of its names."""
    created = execute("upsert", "targets", attributes={"number": PHONE, "client_tid": "A1"})
    found = execute("upsert", "targets", attributes={"number": PHONE, "tid": "A1"})
    assert (created["action"], found["action"], found["customer_id"]) == ("created", "unchanged", "A1")


def test_upsert_of_a_contact_with_several_numbers(account):
    """A contact is found by one of the numbers that it is to have; another that it lacks is added."""
    home = {"contact_numbers_attributes": [{"number": PHONE}]}
    both = {"contact_numbers_attributes": [{"number": OTHER}, {"number": PHONE, "description": "Home"}]}
    actions = [execute("upsert", "contacts", customer_id=PHONE, attributes=wanted) for wanted in (home, both, both)]
    assert [one["action"] for one in actions] == ["created", "updated", "unchanged"]
    found = execute("get", "contacts", customer_id=OTHER)["contact_numbers"]
    assert [(row["number"], row["description"]) for row in found] == [(PHONE, "Home"), (OTHER, None)]


@pytest.mark.parametrize("then", ["nothing", "done"])
def test_upsert_after_a_lost_answer(account, then):
    """A create whose answer is lost is looked up, and sent again only where it did not happen."""
    account.fault("/targets.json", method="POST", status=500, times=1, then=then)
    result = execute("upsert", "targets", customer_id="A1", attributes={"number": PHONE})
    assert result["action"] == "created"
    assert len(account.list_targets(1)) == 1
    assert len(account.sent("POST")) == (2 if then == "nothing" else 1)


def test_upsert_after_a_cut_connection(account):
    """A connection that drops after the create was sent ends in one object."""
    account.fault("/affiliates.json", method="POST", cut=True, times=1, then="done")
    result = execute("upsert", "affiliates", customer_id="0002", attributes={"first_name": "Nancy"})
    assert (result["action"], result["customer_id"]) == ("created", "0002")
    assert len(account.sent("POST")) == 1


@pytest.mark.parametrize(
    ("resource", "parameters", "says"),
    [
        ("numbers", {"attributes": {"type": "Local", "afid": "1", "cid": "1"}}, "A number has no customer ID"),
        ("target_groups", {"attributes": {"name": "x"}}, "A target group has no customer ID"),
        ("targets", {"attributes": {"number": PHONE}}, r"which target is meant by customer_id \(tid\)"),
        ("targets", {"resource_id": 3, "attributes": {"number": PHONE}}, "use the update operator"),
        ("targets", {"customer_id": "A", "attributes": {"tid": "B"}}, "The tid in the attributes is another one"),
        ("targets", {"customer_id": "A", "attributes": {"nam": "B"}}, "did you mean 'name'"),
        ("suppressed_numbers", {"customer_id": PHONE, "resource_id": PHONE}, "not both"),
        ("contacts", {"customer_id": PHONE, "attributes": {"contact_numbers_attributes": [{"number": OTHER}]}},
         "does not hold the number"),
        ("reports", {"customer_id": "x"}, "has no create for reports"),
        ("caller_lists", {"resource_id": "accepted-leads", "list_owner": {"target_id": 1}}, "shuts out everybody"),
    ],
)  # fmt: skip
def test_wrong_upserts_are_refused(account, resource, parameters, says):
    """An upsert that cannot be right is refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=says):
        execute("upsert", resource, **parameters)
    assert account.sent() == []


def test_upsert_of_a_new_one_without_what_it_needs(account):
    """What a create requires must be given where there is none yet."""
    with pytest.raises(InvalidArgument, match="number is required to create a target"):
        execute("upsert", "targets", customer_id="A1", attributes={"name": "Acme"})
    assert account.sent(*WRITES) == []


def test_dry_run_of_an_upsert(account):
    """A dry run looks, and says whether it would create or change."""
    named = {"customer_id": "A1", "dry_run": "true"}
    new = execute("upsert", "targets", attributes={"number": PHONE, "sip_password": "geheim"}, **named)
    account.target("Acme", tid="A1")
    old = execute("upsert", "targets", attributes={"name": "Other"}, **named)
    same = execute("upsert", "targets", attributes={"name": "Acme"}, **named)
    assert [one["action"] for one in (new, old, same)] == ["would_create", "would_update", "unchanged"]
    assert new["changed"]["sip_password"] == {"before": None, "after": "***"}
    assert account.sent(*WRITES) == []


# -- delete


def test_delete_of_every_resource(account):
    """Every resource that the vendor can delete is deleted, and is gone already the second time."""
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
    ask(account, "POST", f"/suppressed_numbers/{PHONE}.json", {})
    named = {name: {"resource_id": id_} for name, id_ in ids.items()}
    named |= {"contacts": {"customer_id": PHONE}, "campaigns": {"customer_id": "0044"}}
    named |= {"affiliates": {"customer_id": "0002"}}
    lists = {"caller_lists", "caller_list_numbers"}
    assert set(named) | lists == {name for name, entry in RESOURCES.items() if entry.has("delete")}
    for resource, name in named.items():
        first, second = (execute("delete", resource, confirm=True, **name) for _ in range(2))
        assert (first["action"], second["action"]) == ("deleted", "missing"), resource
        with pytest.raises(NotFound):
            execute("delete", resource, confirm=True, missing_ok=False, **name)


@pytest.mark.parametrize("resource", ["numbers", "number_pools", "companies"])
def test_delete_for_good_needs_a_word(account, resource):
    """What cannot be had again is not deleted without `confirm`, and nothing is sent."""
    for parameters in ({}, {"confirm": False}, {"confirm": "false"}, {"dry_run": True}):
        with pytest.raises(InvalidArgument, match="confirm=True") as caught:
            execute("delete", resource, resource_id=1, **parameters)
        assert isinstance(caught.value, AirflowFailException)
    assert account.sent() == []


def test_delete_in_the_vendors_order(account):
    """What must go first is said by the vendor, and surfaces."""
    campaign(account)
    number(account)
    with pytest.raises(InvalidRequest, match="still has Numbers"):
        execute("delete", "affiliates", customer_id="0002")


def test_delete_whose_answer_was_lost(account):
    """A delete that happened behind a 500 fails, and is success when the task is tried again."""
    id_ = account.target()
    account.fault("/targets/", method="DELETE", status=500, times=1, then="done")
    with pytest.raises(Unavailable):
        execute("delete", "targets", resource_id=id_)
    assert execute("delete", "targets", resource_id=id_)["action"] == "missing"
    assert account.list_targets(1) == []


def test_dry_run_of_a_delete(account):
    """A dry run looks whether it is there."""
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
    ("resource", "parameters", "says"),
    [
        ("calls", {"resource_id": "x"}, "Retreaver has no delete for calls; it has list, get"),
        ("reports", {}, "has no delete for reports"),
        ("company", {}, "has no delete for company"),
        ("targets", {}, "Name the target by resource_id"),
    ],
)
def test_wrong_deletes_are_refused(account, resource, parameters, says):
    """A delete that cannot be right is refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=says):
        execute("delete", resource, **parameters)
    assert account.sent() == []
