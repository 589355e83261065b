"""What Retreaver's reference spells in two ways: the client takes and sends both, and loses neither."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.domain.resources.comparison import compare_attributes
from airflow_provider_retreaver.domain.resources.procedures import upsert
from airflow_provider_retreaver.resources import number_pools, numbers, targets
from airflow_provider_retreaver.resources.registry import entry_of
from airflow_provider_retreaver.transport.client import RetreaverClient
from tests.documents.account import PHONE, Documented

NIGHT = {"day_of_week": 1, "time_open": 600, "time_close": 2200}


@pytest.fixture
def documented():
    """Give the account that the documents show."""
    account = Documented()
    yield account
    account.close()


def connect(documented, edition="current"):
    """Return a client of the documented account."""
    return RetreaverClient(documented.settings(edition, "v2"), transport=documented)


@pytest.mark.parametrize("name", ["invert", "inverted"])
@pytest.mark.parametrize("edition", ["current", "legacy"])
def test_inverted_hours_are_sent_under_both_names(documented, name, edition):
    """The table of parameters says `inverted`, the examples say `invert`: whichever Retreaver reads, it is there."""
    with connect(documented, edition) as client:
        created = client.run(
            targets.create_target({"number": PHONE, "business_hours_attributes": [{**NIGHT, name: True}]})
        )
    (row,) = created["business_hours"]
    assert row["invert"] is True
    (sent,) = json.loads(documented.sent[0].body)["target"]["business_hours_attributes"]
    assert (sent["invert"], sent["inverted"]) == (True, True)


@pytest.mark.parametrize("given", ["invert", "inverted"])
@pytest.mark.parametrize("read", ["invert", "inverted"])
def test_inverted_hours_are_compared_under_both_names(given, read):
    """A row is unchanged under either name, and a change of it is seen."""
    present = {"business_hours": [{**NIGHT, "id": 5, read: True}]}
    wanted = {"business_hours_attributes": [{**NIGHT, given: True}]}
    assert compare_attributes(wanted, present, "target 1").send == {}
    changed = compare_attributes({"business_hours_attributes": [{**NIGHT, given: False}]}, present, "target 1")
    assert changed.send == {"business_hours_attributes": [{**NIGHT, given: False, "id": 5}]}
    assert changed.changed["business_hours_attributes"]["before"] == [{"day_of_week": 1, "invert": True}]


def test_timers_of_a_number_are_read_bare_and_in_envelopes(documented):
    """A number that is read has bare timers, one that is changed has them in envelopes: both are compared."""
    own = [{"seconds": 30, "url": "https://tracker.example.com/own"}]
    with connect(documented) as client:
        changed = client.run(numbers.update_number({"timers_attributes": own}, id=5))
        read = client.run(numbers.get_number(5))
        inherited = client.run(numbers.get_number(79))
    assert changed["timers"] == [{"timer": read["timers"][0]}]
    assert read["timers"][0]["inherited"] is False
    for row in (changed, read):
        assert compare_attributes({"timers_attributes": own}, row, "number 5").send == {}
    assert [timer["inherited"] for timer in inherited["timers"]] == [True, True]
    assert "timers_attributes" in compare_attributes({"timers_attributes": own}, inherited, "number 79").send


@pytest.mark.parametrize("name", ["tid", "client_tid"])
def test_the_customers_id_of_a_new_target(documented, name):
    """The answer to a create names it `client_tid`, any other `tid`; an upsert finds its target again by both."""
    with connect(documented) as client:
        created = client.run(targets.create_target({"number": PHONE, name: "B1"}))
        assert (created["tid"], created["client_tid"]) == ("B1", "B1")
        result = client.run(upsert(entry_of("targets"), "B1", {"number": PHONE, "weight": 3}, {}))
        answer = {key: value for key, value in created.items() if key != "tid"}
        assert compare_attributes({name: "B1"}, answer, "target").send == {}
    assert (result["id"], result["action"]) == (created["id"], "updated")


def test_a_number_from_a_bid_is_a_placeholder(documented):
    """A target whose number comes with a bid keeps its placeholder, and is unchanged by the same one."""
    with connect(documented) as client:
        created = client.run(targets.create_target({"number": "[number]"}))
        assert client.run(targets.get_target(id=created["id"]))["number"] == "[number]"
    assert compare_attributes({"number": "[number]"}, created, "target").send == {}
    assert compare_attributes({"number": PHONE}, created, "target").send == {"number": PHONE}


def test_paths_for_analytics_of_a_pool(documented):
    """A pool with the integration lists its paths, any other none."""
    with connect(documented) as client:
        rows = {pool: client.run(number_pools.get_number_pool(pool)) for pool in (1, 49)}
    assert rows[1]["google_analytics_paths"] == []
    assert [sorted(path) for path in rows[49]["google_analytics_paths"]] == [["name", "path"]] * 2
