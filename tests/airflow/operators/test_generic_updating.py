"""`RetreaverUpdateOperator`: read, send what differs, read back."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.core.errors import (
    ChangeRefused,
    InvalidArgument,
    InvalidRequest,
    NotFound,
)
from tests.airflow.support.generic import PHONE, add, campaign, execute, number, send

pytestmark = pytest.mark.airflow

WRITES = ("POST", "PUT", "DELETE")
HOURS = {"day_of_week": 1, "work_day": True, "time_open": 900, "time_close": 1700}
TIMERS = [{"seconds": 0, "url": "https://t.example/click"}, {"seconds": 90, "url": "https://t.example/sale"}]


def hours(account, id_):
    """Return a target's rows of business hours."""
    return send(account, "GET", f"/targets/{id_}.json")["target"]["business_hours"]


def test_update_sends_only_what_differs(account):
    """An attribute that is equal in another form is not sent; the result names what changed."""
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


def test_update_of_hours_matches_the_row_of_the_day(account):
    """Hours of a day without an id change the row of that day, and never add one."""
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
    """Where a day has several rows, a row without an id is refused."""
    id_ = account.target()
    second = {"day_of_week": 1, "time_open": 1800, "time_close": 2000}
    send(account, "PUT", f"/targets/{id_}.json", {"target": {"business_hours_attributes": [second]}})
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


def test_update_never_loses_the_operator_of_a_tag(account):
    """A tag list cannot express `!=`; a change that would lose it is refused."""
    id_ = account.target(tag_list="<<<kind:roof>>>")
    account._sandbox.state.store.run("UPDATE tag_values SET operator = '!='")
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
    now = send(account, "GET", f"/campaigns/{made['id']}.json")["campaign"]
    assert [row["timer"]["url"] for row in now["timers"]] == ["https://t.example/click", "https://t.example/other"]
    assert [row["menu_option"]["option"] for row in now["menu_options"]] == ["1", "2"]
    assert execute("update", "campaigns", customer_id="0044", attributes=attributes)["action"] == "unchanged"


def test_update_with_destroy_nested_is_repeatable(account):
    """`destroy_nested` replaces all timers and options, and sends nothing where they are equal."""
    campaign(account, timers_attributes=TIMERS)
    options = [{"option": "1", "target_number": PHONE}]
    attributes = {"destroy_nested": True, "timers_attributes": TIMERS[:1], "menu_options_attributes": options}
    first = execute("update", "campaigns", customer_id="0044", attributes=attributes)
    assert (first["action"], len(first["changed"]["timers_attributes"]["before"])) == ("updated", 2)
    assert execute("update", "campaigns", customer_id="0044", attributes=attributes)["action"] == "unchanged"
    assert len(send(account, "GET", "/campaigns/cid/0044.json")["campaign"]["timers"]) == 1


def test_update_of_conversion_groups(account):
    """A group and its conversions are changed by their ids, which are found by name and seconds."""
    conversions = [{"seconds": 90, "revenue": 12.5}]
    group = {
        "name": "Sales",
        "conversion_type": "timer",
        "dedupe_seconds": 3600,
        "conversions_attributes": conversions,
    }
    id_ = account.target(conversion_groups_attributes=[group])
    same = {
        "conversion_groups_attributes": [{**group, "conversions_attributes": [{"seconds": 90, "revenue": "12.50"}]}]
    }
    assert execute("update", "targets", resource_id=id_, attributes=same)["action"] == "unchanged"
    other = {"conversion_groups_attributes": [{**group, "conversions_attributes": [{"seconds": 90, "revenue": 20}]}]}
    assert execute("update", "targets", resource_id=id_, attributes=other)["action"] == "updated"
    (now,) = send(account, "GET", f"/targets/{id_}.json")["target"]["conversion_groups"]
    assert [(row["seconds"], row["revenue"]) for row in now["conversions"]] == [(90, 20)]
    gone = {"conversion_groups_attributes": [{"id": now["id"], "_destroy": True}]}
    assert execute("update", "targets", resource_id=id_, attributes=gone)["action"] == "updated"
    assert execute("update", "targets", resource_id=id_, attributes=gone)["action"] == "unchanged"


def test_update_names_attributes_that_are_not_compared(account):
    """An uploaded file is not returned: it is sent every time, and the result names it."""
    campaign(account)
    attributes = {"message_file_b64_data": "aGVsbG8=", "message_file_b64_filename": "memo.flac", "name": None}
    for _ in range(2):
        result = execute("update", "campaigns", customer_id="0044", attributes=attributes)
        assert result["action"] == "updated"
        assert result["not_compared"] == ["message_file_b64_data", "message_file_b64_filename"]
    assert "aGVsbG8" not in json.dumps(result)


def test_update_names_attributes_that_are_not_taken(account):
    """A change that Retreaver accepts and does not make is named."""
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
    send(account, "POST", f"/suppressed_numbers/{PHONE}.json", {})
    wanted = {"can_resubscribe": False, "campaign_id": "0044"}
    results = [execute("update", "suppressed_numbers", resource_id=PHONE, attributes=wanted) for _ in range(2)]
    assert [one["action"] for one in results] == ["updated", "unchanged"]
    assert results[0]["changed"]["can_resubscribe"] == {"before": True, "after": False}


def test_inherited_timers_are_not_compared(account):
    """Timers that a number inherits from its campaign are not its own."""
    campaign(account, timers_attributes=TIMERS)
    bought = number(account)
    attributes = {"timers_attributes": TIMERS[:1], "type": "Toll-free"}
    results = [execute("update", "numbers", resource_id=bought["id"], attributes=attributes) for _ in range(2)]
    assert [one["action"] for one in results] == ["updated", "unchanged"]
    assert results[0]["changed"]["timers_attributes"]["before"] == []


@pytest.mark.parametrize(
    ("resource", "parameters", "message"),
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
def test_wrong_updates_are_refused(account, resource, parameters, message):
    """An invalid change is refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=message):
        execute("update", resource, **parameters)
    assert account.sent() == []


def test_dry_run_of_an_update(account):
    """A dry run reads, returns what would change, and sends nothing."""
    id_ = account.target("Acme")
    result = execute("update", "targets", resource_id=id_, attributes={"name": "Other"}, dry_run=True)
    assert (result["action"], result["dry_run"]) == ("would_update", True)
    assert result["changed"] == {"name": {"before": "Acme", "after": "Other"}}
    assert account.sent(*WRITES) == []


def test_field_messages_are_raised(account):
    """The messages that Retreaver returns for fields are in the error, and the password is not."""
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
