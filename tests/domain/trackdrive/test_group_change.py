"""Changing buyer groups: only differences are sent, single buyers by the parameters that are safe beside others."""

from __future__ import annotations

import pytest
import requests_mock

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    InvalidArgument,
    ProtocolError,
)
from airflow_provider_retreaver.domain.changes.change import ChangeObjects
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from airflow_provider_retreaver.domain.trackdrive.buyers import buyers_by_own_id
from airflow_provider_retreaver.domain.trackdrive.group_change import BuyerGroupChange, MemberChange
from airflow_provider_retreaver.transport.client import RetreaverClient
from tests.domain.support.trackdrive import PATH, SimulatedTrackDrive

READ = {"id": 7, "paused": False, "name": "x", "tier": 2}


@pytest.fixture
def trackdrive():
    """Give an empty account."""
    return SimulatedTrackDrive()


def change(trackdrive, *ids, members=None, buyers=None, how=None, **attributes):
    """Run a change and return its result."""
    wanted = BuyerGroupChange(ids, attributes, members or MemberChange(), buyers)
    return trackdrive.client.run(ChangeObjects(wanted.spec(), **(how or {})).procedure())


def fields_of(result, name="changed"):
    """Return the fields of a result."""
    return [(row["id"], row["field"], row["before"], row["after"]) for row in result[name]]


def test_only_differences_are_sent(trackdrive):
    """A group that is as it should be gets no request, and the result is that of the routing operators."""
    ids = [trackdrive.add_group(tier=1), trackdrive.add_group("Solar", paused=True, tier=-1, attempt_daily_limit=5)]
    result = change(trackdrive, *ids, paused="yes", tier="-1", attempt_daily_limit=5.0)
    assert result["changed"][0] == {
        "kind": "buyer group", "id": ids[0], "name": "Roofers", "field": "paused", "before": False, "after": True,
    }  # fmt: skip
    assert fields_of(result)[1:] == [(ids[0], "tier", 1, -1), (ids[0], "attempt_daily_limit", None, 5)]
    assert result["unchanged"] == [{"kind": "buyer group", "id": ids[1], "name": "Solar"}]
    assert trackdrive.puts() == [(ids[0], {"paused": True, "tier": -1, "attempt_daily_limit": 5})]


@pytest.mark.parametrize("blank", [None, "", " "])
def test_a_limit_is_cleared_with_a_blank(trackdrive, blank):
    """A blank value is sent, and read back; a group without the limit gets no request."""
    limited, unlimited = trackdrive.add_group(revenue_total_limit=2.5), trackdrive.add_group()
    result = change(trackdrive, limited, unlimited, revenue_total_limit=blank)
    assert fields_of(result) == [(limited, "revenue_total_limit", 2.5, None)]
    assert trackdrive.puts() == [(limited, {"revenue_total_limit": ""})]
    assert trackdrive.group_now(limited)["revenue_total_limit"] is None


def test_a_blank_that_clears_nothing_is_said(trackdrive):
    """A server that ignores a blank value is not believed: the group fails, with what was assumed."""
    id_ = trackdrive.add_group(attempt_total_limit=5)
    trackdrive.fault(f"/api/v1/buyer_groups/{id_}", method="PUT", status=200, body='{"buyer_group": {"id": 1}}')
    (failed,) = change(trackdrive, id_, attempt_total_limit="")["failed"]
    assert "attempt_total_limit is still 5, expected none" in failed["error"]
    assert (
        "A blank value was sent for attempt_total_limit, which TrackDrive takes and is assumed to" in failed["error"]
    )


def test_buyers_are_added_and_removed(trackdrive):
    """Single buyers are sent by the parameters that are safe in parallel; those that are members already are not."""
    one, two, three = trackdrive.buyers("a", "b", "c")
    id_ = trackdrive.add_group(buyer_ids=[one, two])
    result = change(trackdrive, id_, members=MemberChange(add=[one, three], remove=[two]))
    assert fields_of(result) == [(id_, f"buyer {three}", False, True), (id_, f"buyer {two}", True, False)]
    assert trackdrive.puts() == [(id_, {"add_buyer_ids": [three], "remove_buyer_ids": [two]})]


@pytest.mark.parametrize("replaced", [False, True])
def test_what_others_add_at_the_same_time(trackdrive, replaced):
    """It stays where single buyers are added and removed; a list that replaces all others takes its place."""
    one, two, theirs = trackdrive.buyers("a", "b", "c")
    id_ = trackdrive.add_group(buyer_ids=[two])
    trackdrive.before_next("PUT", f"{PATH}/{id_}", lambda: trackdrive.set_group(id_, add_buyer_ids=[theirs]))
    members = None if replaced else MemberChange(add_own=["a"], remove=[two])
    result = change(trackdrive, id_, members=members, buyers=[one] if replaced else None)
    assert (len(result["changed"]), result["failed"]) == (1 if replaced else 2, [])
    assert trackdrive.group_now(id_)["buyer_ids"] == ([one] if replaced else [theirs, one])


def test_buyers_by_the_customers_ids(trackdrive):
    """A `user_buyer_id` is looked up to see who is a member, and is sent as it was given, beside attributes."""
    one, two, three = trackdrive.buyers("loan-22-en", "loan-23-fr", "x")
    id_ = trackdrive.add_group(buyer_ids=[two])
    members = MemberChange(add=[three], add_own=["loan-22-en"], remove_own=["loan-23-fr"])
    result = change(trackdrive, id_, members=members, paused=True)
    assert [field for _, field, _, _ in fields_of(result)] == [
        "paused", f"buyer {three}", f"buyer {one}", f"buyer {two}",
    ]  # fmt: skip
    assert trackdrive.puts() == [
        (
            id_,
            {
                "paused": True,
                "add_buyer_ids": [three],
                "add_user_buyer_ids": ["loan-22-en"],
                "remove_user_buyer_ids": ["loan-23-fr"],
            },
        )
    ]
    again = change(trackdrive, id_, members=members, paused=True)
    assert (again["changed"], len(again["unchanged"]), len(trackdrive.puts())) == ([], 1, 1)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (MemberChange(add_own=["nobody"]), "No buyer has the user_buyer_id 'nobody'"),
        (MemberChange(remove_own=["nobody"]), "No buyer has the user_buyer_id 'nobody'"),
        (MemberChange(add=[1], remove_own=["a"]), "Buyer 1 is to be added as 1 and removed as 'a'"),
    ],
)
def test_customers_ids_that_are_refused(trackdrive, members, message):
    """An unknown ID, and one buyer under two IDs in both lists, are refused before a group is read."""
    trackdrive.buyers("a")
    id_ = trackdrive.add_group()
    with pytest.raises(InvalidArgument, match=message):
        change(trackdrive, id_, members=members)
    assert {method for method, _, _ in trackdrive.sent} == {"GET"}


def test_a_customers_id_of_several_buyers(trackdrive):
    """A `user_buyer_id` that two buyers have is ambiguous, and is given no meaning."""
    rows = [{"id": "1", "user_buyer_id": "a"}, {"id": 2, "user_buyer_id": "a"}]
    with pytest.raises(InvalidArgument, match="several buyers \\(1, 2\\)"):
        found_buyers(trackdrive, "a", rows)


def test_buyers_that_cannot_be_told_apart(trackdrive):
    """A buyer without an ID of its own is an error; one without a `user_buyer_id` is not called 'None'."""
    with pytest.raises(ProtocolError, match="user_buyer_id 'a' came without an ID"):
        found_buyers(trackdrive, "a", [{"id": "first", "user_buyer_id": "a"}])
    with pytest.raises(InvalidArgument, match="No buyer has the user_buyer_id 'None'"):
        found_buyers(trackdrive, "None", [{"id": 1, "user_buyer_id": None}])


def found_buyers(trackdrive, own, rows):
    """Look up a buyer by the customer's ID in a list of buyers."""
    client = RetreaverClient(trackdrive.settings())
    with requests_mock.Mocker() as mock:
        mock.get("/api/v1/buyers", json={"buyers": rows, "metadata": {}})
        return client.run(buyers_by_own_id([own]))


def test_all_buyers_are_replaced(trackdrive):
    """The list is compared whatever its order, and sent whole."""
    one, two, three = trackdrive.buyers("a", "b", "c")
    id_ = trackdrive.add_group(buyer_ids=[two, one])
    assert change(trackdrive, id_, buyers=[one, two])["changed"] == []
    assert fields_of(change(trackdrive, id_, buyers=[three, one])) == [(id_, "buyer_ids", [one, two], [one, three])]
    assert fields_of(change(trackdrive, id_, buyers=[])) == [(id_, "buyer_ids", [one, three], [])]
    assert trackdrive.puts() == [(id_, {"buyer_ids": [one, three]}), (id_, {"buyer_ids": []})]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "nothing to change"),
        ({"buyers": [1], "members": MemberChange(add=[2])}, "replace sets all buyers: give it alone"),
        ({"members": MemberChange(add=[1, 2], remove=[2])}, "The buyer 2 is to be added and removed"),
        ({"members": MemberChange(add_own=["a"], remove_own=["a"])}, "user_buyer_id 'a' is to be added and removed"),
        ({"attributes": {"reset_total_caps": True}}, "reset_total_caps has a parameter of its own"),
        ({"attributes": {"buyer_ids": [1]}}, "buyer_ids has a parameter of its own"),
        ({"attributes": {"generate_team": True}}, "generate_team has a parameter of its own"),
        ({"attributes": {"pausd": True}}, "did you mean 'paused'"),
    ],
)
def test_changes_that_are_refused(given, message):
    """What contradicts itself, or cannot be compared, is refused by name."""
    with pytest.raises(InvalidArgument, match=message):
        BuyerGroupChange([1], **given)


def test_guards_and_dry_runs(trackdrive):
    """A limit counts memberships, or groups where attributes change; nothing is sent."""
    one, two = trackdrive.buyers("a", "b")
    ids = [trackdrive.add_group(buyer_ids=[one, two]), trackdrive.add_group()]
    with pytest.raises(ChangeRefused, match="2 of 2 memberships would be changed"):
        change(trackdrive, ids[0], buyers=[], how={"limit": ChangeLimit.parse(1)})
    with pytest.raises(ChangeRefused, match="1 of 2 memberships would be changed"):
        change(trackdrive, ids[0], members=MemberChange(remove=[one]), how={"limit": ChangeLimit.parse("10%")})
    with pytest.raises(ChangeRefused, match="2 of 2 buyer groups would be changed"):
        change(trackdrive, *ids, paused=True, how={"limit": ChangeLimit.parse(1)})
    result = change(trackdrive, *ids, paused=True, how={"limit": ChangeLimit.parse(1), "dry_run": True})
    assert (len(result["would_change"]), result["dry_run"]) == (2, True)
    assert "allows 1" in result["refused"]
    assert trackdrive.puts() == []


def test_a_group_that_is_missing_fails_alone(trackdrive):
    """The others are changed, and the error names the group."""
    id_ = trackdrive.add_group()
    result = change(trackdrive, 999, id_, paused=True)
    assert fields_of(result) == [(id_, "paused", False, True)]
    (failed,) = result["failed"]
    assert (failed["kind"], failed["id"]) == ("buyer group", 999)


@pytest.mark.parametrize("done", [True, False])
def test_an_addition_whose_answer_is_lost(trackdrive, done):
    """It is sent once, and what is read back decides; the next attempt sends what is missing."""
    (buyer,) = trackdrive.buyers("a")
    id_ = trackdrive.add_group()
    trackdrive.lose_answer(id_, done=done)
    record = Record()
    members = MemberChange(add=[buyer])
    first = change(trackdrive, id_, members=members, how={"record": record})
    assert (len(first["changed"]), len(first["failed"])) == ((1, 0) if done else (0, 1))
    again = change(trackdrive, id_, members=members, how={"record": Record.load(record.dump())})
    assert fields_of(again) == [(id_, f"buyer {buyer}", False, True)]
    assert len(trackdrive.puts()) == (1 if done else 2)


def test_wrong_keys_end_the_run(trackdrive):
    """A 401 ends the run, and its message holds neither the keys nor the header."""
    id_ = trackdrive.add_group()
    trackdrive.fault(f"/api/v1/buyer_groups/{id_}", method="GET", status=401, body='{"error": "HTTP Basic: denied"}')
    with pytest.raises(AuthenticationError) as raised:
        change(trackdrive, id_, paused=True)
    assert "td-private" not in str(raised.value)
    assert "Basic dGQ" not in str(raised.value)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"id": 7, "buyer_ids": []}, "came without 'paused'"),
        ({"id": 7, "paused": "perhaps"}, "has 'perhaps' in paused, which cannot be read"),
        ({"id": 7, "paused": False, "name": ["x"]}, "in name, which cannot be read"),
        ({"id": 7, "paused": False, "name": "x", "tier": "first"}, "has 'first' in tier, which cannot be read"),
        ({**READ, "buyer_ids": None}, "came without a list 'buyer_ids'"),
        ({**READ, "buyer_ids": ["x"]}, "in buyer_ids, which cannot be read"),
        ({**READ, "buyer_ids": [1.5]}, "in buyer_ids, which cannot be read"),
        ({**READ, "buyer_ids": [], "deleted_at": "2026-01-01"}, "was deleted at 2026-01-01"),
    ],
)
def test_groups_that_cannot_be_read(trackdrive, row, problem):
    """A group without what is compared, and one that was deleted, fail; nothing is sent."""
    client = RetreaverClient(trackdrive.settings())
    wanted = BuyerGroupChange([7], {"paused": True, "name": "x", "tier": 2}, MemberChange(add=[1]))
    with requests_mock.Mocker() as mock:
        mock.get("/api/v1/buyer_groups/7", json=row)
        result = client.run(ChangeObjects(wanted.spec()).procedure())
        assert [request.method for request in mock.request_history] == ["GET"]
    assert problem in result["failed"][0]["error"]


def test_values_of_other_types(trackdrive):
    """Numbers as texts, truth values as numbers and IDs as texts are what they stand for: nothing differs."""
    client = RetreaverClient(trackdrive.settings())
    row = {"id": "7", "paused": 1, "tier": "2.0", "attempt_total_limit": "", "buyer_ids": ["3", 4, "4"]}
    wanted = BuyerGroupChange(
        [7], {"paused": True, "tier": 2, "attempt_total_limit": None}, MemberChange(add=[3], remove=[5])
    )
    with requests_mock.Mocker() as mock:
        mock.get("/api/v1/buyer_groups/7", json={"buyer_group": row})
        result = client.run(ChangeObjects(wanted.spec()).procedure())
    assert (len(result["unchanged"]), result["failed"]) == (1, [])
