"""Comparing objects with requested attributes: values, nested rows, attributes that come back under other names."""

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
def test_number_equals_its_text(number):
    """The text that a template renders equals the number that Retreaver returns."""
    assert same_value(number, str(number))
    assert same_value(f" {number} ", number)
    assert not same_value(number, str(number + 1))


@pytest.mark.parametrize(
    ("actual", "expected", "name", "same"),
    [
        (None, None, "", True),
        (None, 0, "", False),
        (None, "", "", False),
        (True, 1, "", False),
        (1, True, "paused", True),
        ("off", False, "paused", True),
        (0, True, "paused", False),
        (None, False, "paused", False),
        ("perhaps", "later", "paused", False),
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
def test_same_value(actual, expected, name, same):
    """Booleans are no numbers, customer IDs keep their zeros, phone numbers may be written in several ways."""
    assert same_value(actual, expected, name) is same


# -- nested rows


def applied(present, send):
    """Return rows after Retreaver took what was sent: changed by id, added without one."""
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
def test_sent_rows_lead_to_the_requested_rows(present, requested):
    """After Retreaver took what was sent, nothing is left to send, and no day has two rows."""
    full = {"work_day": True, "time_open": 0, "time_close": 2400}
    existing = [{**full, **row, "id": index} for index, row in enumerate(present, 1)]
    after = applied(existing, match_rows(HOURS, requested, existing).send)
    assert match_rows(HOURS, requested, after).send == []
    assert len({row["day_of_week"] for row in after}) == len(after)


def test_equal_rows_are_matched_first():
    """Two rows of one day that are requested in another order are unchanged."""
    existing = [
        {"id": 1, "day_of_week": 1, "time_open": 900, "time_close": 1200},
        {"id": 2, "day_of_week": 1, "time_open": 1300, "time_close": 1700},
    ]
    requested = [{"day_of_week": 1, "time_open": 1300}, {"day_of_week": 1, "time_open": 900}]
    assert match_rows(HOURS, requested, existing).send == []
    difference = match_rows(HOURS, [{"day_of_week": 1, "time_open": 1400}], existing)
    assert difference.ambiguous == [
        "business_hours has 2 rows with day_of_week 1 (ids 1, 2): give the id of the one to change"
    ]


def test_rows_with_an_id():
    """A row with an id is changed or removed; an unknown id is sent, and Retreaver refuses it."""
    existing = [{"id": 1, "seconds": 0, "url": "a"}, {"id": 2, "seconds": 90, "url": "b"}]
    requested = [
        {"id": "2", "url": "c"},
        {"id": 1, "_destroy": True},
        {"id": 9, "_destroy": True},
        {"id": 8, "url": "d"},
    ]
    difference = match_rows(NESTED["timers_attributes"], requested, existing)
    assert difference.send == [{"id": 2, "url": "c"}, {"id": 1, "_destroy": True}, {"id": 8, "url": "d"}]
    kept = match_rows(NESTED["timers_attributes"], [{"id": 1, "_destroy": False, "url": "a"}], existing)
    assert kept.send == []


def test_ambiguous_conversions_are_refused():
    """A conversion that fits several inside a group is ambiguous as well."""
    group = {"id": 1, "name": "Sales", "conversions": [{"id": n, "seconds": 90, "revenue": n} for n in (1, 2)]}
    requested = [{"name": "Sales", "conversions_attributes": [{"seconds": 90, "revenue": 9}]}]
    assert (
        "conversions has 2 rows"
        in match_rows(NESTED["conversion_groups_attributes"], requested, [group]).ambiguous[0]
    )


# -- objects


@pytest.mark.parametrize(
    ("attributes", "row"),
    [
        ({"hard_cap_attributes": {"cap": 5}}, {"id": 1}),
        ({"hard_cap_attributes": None}, {"id": 1, "caps": [{"type": "Hard", "cap": 5}]}),
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
def test_attribute_that_is_not_returned_is_sent(attributes, row):
    """A row that lacks an attribute cannot be compared: it is sent, and named."""
    difference = compare_attributes(attributes, row, "target 1")
    assert (difference.send, difference.changed, difference.not_compared) == (attributes, {}, list(attributes))


@pytest.mark.parametrize(
    ("attributes", "row", "unchanged"),
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
def test_attributes_are_compared_where_they_come_back(attributes, row, unchanged):
    """Each attribute is compared in the form in which Retreaver returns it."""
    assert (compare_attributes(attributes, row, "target 1").send == {}) is unchanged


def test_mask_secrets_at_any_depth():
    """Secrets are masked at any depth, files are cut, and blank values stay."""
    value = {"a": [{"sip_password": "x", "client_secret": "y", "sip_username": "u"}], "sip_password": None}
    assert mask_secrets(value) == {
        "a": [{"sip_password": "***", "client_secret": "***", "sip_username": "u"}],
        "sip_password": None,
    }
    assert mask_secrets("a" * 300, "message_file_b64_data") == f"{'a' * 20}… (300 characters)"
    assert json.dumps(mask_secrets({"message": "m" * 300})) == json.dumps({"message": "m" * 300})
