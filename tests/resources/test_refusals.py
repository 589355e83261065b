"""What the resource functions refuse before anything is sent, by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.resources import (
    affiliates,
    caller_lists,
    calls,
    campaigns,
    contacts,
    data_writing,
    numbers,
    reports,
    suppression,
    target_groups,
    targets,
)
from airflow_provider_retreaver.resources.caller_lists import Owner

PHONE = "+18668987878"
OWNER = Owner(target_id=3)
HOURS = {"day_of_week": 1, "time_open": 900, "time_close": 1700}


def hours(**changes):
    """Make a change of one row of hours."""
    return lambda: targets.update_target({"business_hours_attributes": [{**HOURS, **changes}]}, id=1)


def groups(**changes):
    """Make a change of one conversion group."""
    return lambda: targets.update_target({"conversion_groups_attributes": [changes]}, id=1)


WRITE = data_writing.write_call_data
REFUSALS = [
    (lambda: WRITE(tags={"sale": "yes"}), "exactly one of call_uuid and caller_number"),
    (lambda: WRITE(tags={"sale": "yes"}, call_uuid="u", caller_number=PHONE), "exactly one of call_uuid and"),
    (lambda: WRITE(tags={}, call_uuid="u"), "at least one tag"),
    (lambda: WRITE(tags={"Key": "x"}, call_uuid="u"), "'Key' is no key of a tag"),
    (lambda: WRITE(tags={f"k{n}": n for n in range(101)}, call_uuid="u"), "holds 101 tags"),
    (lambda: WRITE(tags={"sale": ["x"]}, call_uuid="u"), "'sale' must be a text or a number"),
    (lambda: WRITE(tags={"sale": float("nan")}, call_uuid="u"), "tags: sale is nan"),
    (lambda: WRITE(tags={"sale": "x"}, call_uuid=" "), "call_uuid must be a text"),
    (lambda: WRITE(tags={"sale": "x"}, caller_number="soon"), "caller_number must be a phone number"),
    (targets.get_target, "by its id or its tid: exactly one"),
    (hours(invert=True, inverted=False), "invert and inverted are two names of one attribute"),
    (hours(inverted="yes"), "inverted must be True or False"),
    (lambda: targets.get_target(id=1, tid="a"), "exactly one of the two"),
    (lambda: targets.get_target(tid=" "), "target tid must be a non-empty ID"),
    (lambda: targets.get_target(id=".."), "target id must be a non-empty ID"),
    (lambda: numbers.get_number(None), "Name the number by its id"),
    (lambda: targets.create_target({"number": ""}), "number is required"),
    (lambda: targets.update_target({"hard_cap_attributes": 5}, id=1), "hard_cap_attributes must be a mapping"),
    (
        lambda: targets.update_target({"hard_cap_attributes": {"cap": -1}}, id=1),
        "cap must be a whole number of at least",
    ),
    (lambda: targets.update_target({"weight": "heavy"}, id=1), "weight must be a whole number"),
    (lambda: targets.update_target({"weight": True}, id=1), "weight must be a whole number"),
    (lambda: targets.update_target({"tag_list": ["a:b"]}, id=1), "tag_list must be a text"),
    (lambda: targets.update_target({"tag_list": "a:b"}, id=1), "must be tags like"),
    (lambda: targets.update_target({"tid": "A", "client_tid": "B"}, id=1), "tid and client_tid are two names of one"),
    (hours(time_open=2500), "time_open .HHMM. must be a whole number from 0 to 2400"),
    (hours(time_open=990), "an hour has no such minute"),
    (hours(day_of_week=7), "day_of_week .0 is Sunday. must be a whole number from 0 to 6"),
    (hours(work_day="yes"), "work_day must be True or False"),
    (lambda: targets.update_target({"business_hours_attributes": {}}, id=1), "must be a list of mappings"),
    (groups(_destroy=True), "a group to delete needs its id"),
    (groups(conversion_type="moon"), "conversion_type must be one of timer"),
    (
        lambda: targets.create_target({"number": "+19195550123", "conversion_groups_attributes": [{"name": "Sale"}]}),
        "a new group needs its conversion_type",
    ),
    (groups(dedupe_seconds=5), "dedupe_seconds must be one of 0, 3600"),
    (groups(conversions_attributes=[{"seconds": -1}]), "seconds must be a whole number"),
    (lambda: target_groups.update_target_group({"behavior": 3}, id=1), "behavior must be one of 1, 2"),
    (lambda: target_groups.update_target_group({"target_ids": "1,2"}, id=1), "must be a list of target IDs"),
    (lambda: target_groups.update_target_group({"target_ids": ["x"]}, id=1), "target_ids must be a whole number"),
    (
        lambda: campaigns.update_campaign({"menu_options_attributes": [{"option": "a"}]}, cid="1"),
        "option must be one",
    ),
    (
        lambda: campaigns.update_campaign({"timers_attributes": [{"id": 1, "seconds": -5}]}, cid="1"),
        "seconds must be",
    ),
    (lambda: campaigns.update_campaign({"voice_gender": "Robot"}, cid="1"), "must be one of Male, Female"),
    (
        lambda: numbers.create_number({"type": "Local", "afid": "a", "cid": "c", "country": "JP"}),
        "country must be one",
    ),
    (lambda: contacts.get_contact(id=1, number=PHONE), "exactly one of the two"),
    (lambda: affiliates.update_affiliate({"name": "x"}, afid="a"), "is not a documented attribute of an affiliate"),
    (lambda: suppression.update_suppressed_number(PHONE), "there is nothing to change"),
    (lambda: suppression.suppress_number("+1555abc6789"), r"not \+1…89"),
    (lambda: suppression.suppress_number(5), "not '5'"),
    (lambda: calls.list_calls(created_at_start=datetime(2026, 1, 1)), "created_at_start has no time zone"),  # noqa: DTZ001
    (lambda: calls.list_calls(created_at_start="2026-13-01"), "must be RFC 3339"),
    (lambda: calls.list_calls(created_at_start="2026-02-01", created_at_end="2026-01-01"), "must be after"),
    (lambda: calls.list_calls(order="up"), "order must be one of asc, desc"),
    (lambda: calls.list_calls(version="v9"), "version must be one of v1"),
    (lambda: reports.report_calls("daily", created_at_start=None, created_at_end=None), "both required"),
    (
        lambda: reports.report_calls(
            "tag_value", created_at_start="2026-01-01", created_at_end="2026-02-01", tag_value_key=" "
        ),
        "tag_value_key names a tag",
    ),
    (
        lambda: reports.report_calls(
            "daily", created_at_start="2026-01-01", created_at_end="2026-02-01", tag_value_key="a"
        ),
        "goes with the facet tag_value only",
    ),
    (
        lambda: reports.report_calls("daily", created_at_start=date(2024, 1, 1), created_at_end=date(2026, 1, 1)),
        "less than 2 years apart",
    ),
    (lambda: caller_lists.create_caller_list(OWNER, ""), "caller list name must be"),
    (lambda: caller_lists.get_caller_list(Owner(3, 5), "a"), "exactly one of the two"),
    (lambda: caller_lists.upload_caller_list(OWNER, "a", [PHONE], action="add"), "action must be one of create"),
    (lambda: caller_lists.upload_caller_list(OWNER, "a", ["x"], action="create"), "numbers must be a phone number"),
]


@pytest.mark.parametrize(("ask", "message"), REFUSALS, ids=[message for _, message in REFUSALS])
def test_refused(ask, message):
    """An invalid parameter is refused by its name."""
    with pytest.raises(InvalidArgument, match=message):
        ask()


def test_accepted():
    """A valid value in another form is accepted."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    listing = calls.list_calls(created_at_start=start, created_at_end=start + timedelta(days=1))
    assert dict(listing.request.query)["created_at_start"] == "2026-01-01T00:00:00+00:00"
    sip = contacts.get_contact(number="sip:buyer@pbx.example")
    assert sip.request.path == "/contact_numbers/sip%3Abuyer%40pbx.example/contact.json"
    kept = targets.update_target(
        {"business_hours_attributes": [{"id": 1, "_destroy": True}], "hard_cap_attributes": {"cap": None}}, id=1
    )
    assert kept.request.body["target"]["hard_cap_attributes"] == {"cap": None}
    more = affiliates.create_affiliate({"afid": "a"}, undocumented={"moon": 1})
    assert more.request.body == {"affiliate": {"afid": "a", "moon": 1}}
    assert contacts.update_contact_number({"description": "x"}, number=PHONE, undocumented={"a": 1}).request.body == {
        "contact_number": {"description": "x", "a": 1}
    }
