"""What an object is against what it should be: values, nested rows, attributes that come back under other names."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.domain.resources.comparison import compare_attributes, mask_secrets
from airflow_provider_retreaver.domain.resources.equality import same_value
from airflow_provider_retreaver.domain.resources.nested_rows import NESTED, match_rows

HOURS = NESTED["business_hours_attributes"]
DAYS = st.fixed_dictionaries(
    {"day_of_week": st.integers(0, 6)},
    optional={
        "work_day": st.booleans(),
        "time_open": st.sampled_from([0, 900, 1200]),
        "time_close": st.sampled_from([1700, 2400]),
    },
)


# -- values


@given(st.integers())
def test_a_number_and_its_text_are_the_same(number):
    """What a template renders is what the vendor returns."""
    assert same_value(number, str(number))
    assert same_value(f" {number} ", number)
    assert not same_value(number, str(number + 1))


@pytest.mark.parametrize(
    ("there", "wanted", "name", "answer"),
    [
        (None, None, "", True),
        (None, 0, "", False),
        (None, "", "", False),
        (True, 1, "", False),
        (False, None, "", False),
        (12.5, "12.50", "", True),
        (1, "one", "", False),
        (1, [1], "", False),
        ("0044", "44", "", False),
        ([1, 2], [1, 2], "", True),
        ("+18668987878", "866-898-7878", "number", True),
        ("+18668987878", "8668987878", "name", False),
        ("+18668987878", 18668987878, "target_number", True),
        ("+448668987878", "8668987878", "number", False),
        ("sip:a@b.example", "sip:a@b.example ", "number", True),
        ("sip:a@b.example", "sip:c@b.example", "number", False),
    ],
)
def test_values(there, wanted, name, answer):
    """Truth values are told from numbers, customer IDs keep their zeros, phone numbers lose their dress."""
    assert same_value(there, wanted, name) is answer


# -- nested rows


def applied(present, send):
    """Return rows after the vendor has taken what was sent: by id, added without one."""
    rows = {row["id"]: dict(row) for row in present}
    for row in send:
        if row.get("id") is None:
            rows[max(rows, default=0) + 1] = {**row, "id": max(rows, default=0) + 1}
        elif row.get("_destroy"):
            del rows[row["id"]]
        else:
            rows[row["id"]].update(row)
    return list(rows.values())


@given(
    st.lists(DAYS, max_size=8, unique_by=lambda row: row["day_of_week"]),
    st.lists(DAYS, max_size=8, unique_by=lambda row: row["day_of_week"]),
)
def test_what_is_sent_makes_rows_as_wanted(present, wanted):
    """After the vendor took what was sent, nothing is left to send, and no day has two rows."""
    full = {"work_day": True, "time_open": 0, "time_close": 2400}
    there = [{**full, **row, "id": index} for index, row in enumerate(present, 1)]
    after = applied(there, match_rows(HOURS, wanted, there).send)
    assert match_rows(HOURS, wanted, after).send == []
    assert len({row["day_of_week"] for row in after}) == len(after)


def test_rows_that_are_right_already_are_taken_first():
    """Two rows of one day that are given in another order are as wanted."""
    there = [
        {"id": 1, "day_of_week": 1, "time_open": 900, "time_close": 1200},
        {"id": 2, "day_of_week": 1, "time_open": 1300, "time_close": 1700},
    ]
    wanted = [{"day_of_week": 1, "time_open": 1300}, {"day_of_week": 1, "time_open": 900}]
    assert match_rows(HOURS, wanted, there).send == []
    found = match_rows(HOURS, [{"day_of_week": 1, "time_open": 1400}], there)
    assert found.ambiguous == [
        "business_hours has 2 rows with day_of_week 1 (ids 1, 2): give the id of the one to change"
    ]


def test_rows_of_an_id():
    """A row that is named is changed or taken away; one that is not there is left to the vendor to refuse."""
    there = [{"id": 1, "seconds": 0, "url": "a"}, {"id": 2, "seconds": 90, "url": "b"}]
    wanted = [
        {"id": "2", "url": "c"},
        {"id": 1, "_destroy": True},
        {"id": 9, "_destroy": True},
        {"id": 8, "url": "d"},
    ]
    found = match_rows(NESTED["timers_attributes"], wanted, there)
    assert found.send == [{"id": 2, "url": "c"}, {"id": 1, "_destroy": True}, {"id": 8, "url": "d"}]
    kept = match_rows(NESTED["timers_attributes"], [{"id": 1, "_destroy": False, "url": "a"}], there)
    assert kept.send == []


def test_unclear_conversions_are_said():
    """What cannot be told apart inside a group is said as well."""
    group = {"id": 1, "name": "Sales", "conversions": [{"id": n, "seconds": 90, "revenue": n} for n in (1, 2)]}
    wanted = [{"name": "Sales", "conversions_attributes": [{"seconds": 90, "revenue": 9}]}]
    assert (
        "conversions has 2 rows" in match_rows(NESTED["conversion_groups_attributes"], wanted, [group]).ambiguous[0]
    )


# -- objects


@pytest.mark.parametrize(
    ("attributes", "row"),
    [
        ({"hard_cap_attributes": {"cap": 5}}, {"id": 1}),
        ({"tag_list": "<<<a:b>>>"}, {"id": 1}),
        ({"tag_list": "<<<a:b>>>"}, {"id": 1, "tag_values": [{"value": "b"}]}),
        ({"business_hours_attributes": [{"day_of_week": 1}]}, {"id": 1}),
        ({"timers_attributes": None}, {"id": 1, "timers": []}),
        ({"target_ids": [1]}, {"id": 1}),
        ({"name": "x"}, {"id": 1}),
        ({"message": "x"}, {"id": 1, "greeting": {"audio_file_name": "memo.flac"}}),
        ({"message": "x"}, {"id": 1}),
        ({"type": "Local"}, {"id": 1}),
    ],
)
def test_what_did_not_come_back_is_sent(attributes, row):
    """A row that lacks an attribute cannot be compared: it is sent, and named."""
    found = compare_attributes(attributes, row, "target 1")
    assert (found.send, found.changed, found.not_compared) == (attributes, {}, list(attributes))


@pytest.mark.parametrize(
    ("attributes", "row", "same_as_wanted"),
    [
        ({"paused": True}, {"paused_at": "2026-01-01T00:00:00Z"}, True),
        ({"paused": False}, {"paused_at": "2026-01-01T00:00:00Z"}, False),
        ({"type": "Toll-free"}, {"toll_free": True}, True),
        ({"type": "Toll-free"}, {"toll_free": False}, False),
        ({"message": None}, {"greeting": {"message": "of the campaign", "inherited": True}}, True),
        ({"voice_gender": "Male"}, {"greeting": {"message": "x", "voice_gender": "Male"}}, True),
        ({"tid": "A"}, {"client_tid": "A"}, True),
        ({"client_tid": "A"}, {"tid": "B"}, False),
        ({"campaign_id": "0044"}, {"campaign_id": 7, "cid": "0044"}, True),
        ({"hourly_cap_attributes": {"cap": None}}, {"caps": [{"type": "Hard", "cap": 5}]}, True),
        ({"daily_cap_attributes": {"cap": "5"}}, {"caps": [{"type": "Daily", "cap": 5}]}, True),
        ({"monthly_cap_attributes": {"cap": 5}}, {"caps": [{"type": "Monthly", "cap": 6}]}, False),
        ({"tag_list": ""}, {"tag_values": []}, True),
        ({"tag_list": "<<<a:b>>>,<<<a:b>>>"}, {"tag_values": [{"key": "a", "value": "b", "operator": "=="}]}, True),
        ({"remove_targets_by_id": [3]}, {"target_ids": [1, 2]}, True),
        ({"timers_attributes": []}, {"timers": [{"timer": {"id": 1, "seconds": 0, "inherited": True}}]}, True),
        ({"destroy_nested": True}, {"timers": [], "menu_options": []}, True),
        ({"destroy_nested": True}, {"timers": [], "menu_options": [{"id": 1, "option": "1"}]}, False),
        ({"destroy_nested": True, "timers_attributes": []}, {}, False),
        ({"destroy_nested": False}, {"destroy_nested": False}, True),
    ],
)
def test_attributes_are_found_where_they_come_back(attributes, row, same_as_wanted):
    """Each attribute is compared in the form in which the vendor returns it."""
    assert (compare_attributes(attributes, row, "target 1").send == {}) is same_as_wanted


def test_shown_hides_secrets_at_any_depth():
    """Secrets are masked wherever they stand, files are cut, what is blank stays."""
    value = {"a": [{"sip_password": "x", "client_secret": "y", "sip_username": "u"}], "sip_password": None}
    assert mask_secrets(value) == {
        "a": [{"sip_password": "***", "client_secret": "***", "sip_username": "u"}],
        "sip_password": None,
    }
    assert mask_secrets("a" * 300, "message_file_b64_data") == f"{'a' * 20}… (300 characters)"
    assert json.dumps(mask_secrets({"message": "m" * 300})) == json.dumps({"message": "m" * 300})
