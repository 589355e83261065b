"""Payout bid modification tables in the sandbox: written once, one active, and what they do to bids."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.sandbox.api.payout_rules import bucket

PATH = "/api/v5/campaigns/1/payout_bid_modification_tables"
NAME = "payout_bid_modification_table"
RULES = "rule_id,caller_state,payout_pct\n1,NY,70\n2,*,current\n"


@pytest.fixture
def account(client):
    """Provide a client of an account with one campaign."""
    menu = [{"option": "1", "target_number": "+16465551000"}]
    client.request("POST", "/campaigns.json", {"campaign": {"cid": "0044", "menu_options_attributes": menu}})
    return client


def upload(client, csv=RULES, **attributes):
    """Upload a table."""
    return client.request("POST", f"{PATH}.json", {NAME: {"csv_data": csv, **attributes}})


def active(client):
    """Return the versions of the active tables."""
    return [row["table_version"] for row in client.request("GET", f"{PATH}.json") if row["active"]]


def test_a_table_has_the_documented_keys(account):
    """A table comes without an envelope; version and salt have defaults."""
    assert upload(account) == {
        "id": 1,
        "campaign_id": 1,
        "table_version": 1,
        "active": False,
        "salt": "sandbox_calls_2026-01-09",
        "csv_data": RULES,
        "created_at": "2026-01-09T12:00:00Z",
    }
    named = upload(account, table_version="rates-2", salt="s")
    assert (named["table_version"], named["salt"]) == ("rates-2", "s")
    assert [row["id"] for row in account.request("GET", f"{PATH}.json")] == [2, 1], "newest first"
    assert account.request("GET", f"{PATH}/2.json") == named


def test_one_table_is_active(account):
    """Activating a table deactivates the other one; deactivating activates none."""
    for version in ("a", "b"):
        upload(account, table_version=version, active=True)
        assert active(account) == [version]
    account.request("PUT", f"{PATH}/1.json", {NAME: {"active": True}})
    assert active(account) == ["a"]
    account.request("PATCH", f"{PATH}/1.json", {NAME: {"active": "false"}})
    assert active(account) == []


@pytest.mark.parametrize("name", ["csv_data", "salt", "table_version"])
def test_a_table_is_written_once(account, name):
    """Nothing but `active` can be changed."""
    upload(account)
    body = account.error(422, "PUT", f"{PATH}/1.json", {NAME: {name: RULES, "active": True}})
    assert "can't be changed" in body["errors"][0]
    assert active(account) == []
    account.error(422, "PUT", f"{PATH}/1.json", {NAME: {}})


def test_a_version_is_unique_in_its_campaign(account):
    """A label is taken once, that of a table without one being its ID; a deleted table gives it back."""
    upload(account)
    for taken in ("1", "a"):
        if taken == "a":
            upload(account, table_version="a")
        refused = account.error(422, "POST", f"{PATH}.json", {NAME: {"csv_data": RULES, "table_version": taken}})
        assert refused == {"errors": ["Table version has already been taken"]}
    answer = account.send("DELETE", f"{PATH}/1.json")
    assert (answer.status, answer.body) == (200, b"")
    account.error(404, "GET", f"{PATH}/1.json")
    assert upload(account, table_version="1")["id"] == 3


@pytest.mark.parametrize(
    "csv",
    [
        "",
        "rule_id,caller_state\n1,NY\n",
        "rule_id,rule_id,payout_pct\n1,2,70\n",
        "rule_id,payout_pct\n",
        "rule_id,payout_pct\n1,much\n",
        "rule_id,payout_pct\n1,70,80\n",
        "rule_id,age,payout_pct\n1,<=5,70\n2,~5,80\n",
        "rule_id,age,payout_pct\n1,=~(,70\n",
        'rule_id,age,payout_pct\n1,"a"b,70\n',
        "rule_id,payout_pct\n" + "".join(f"{line},1\n" for line in range(1001)),
        f"rule_id,age,payout_pct\n1,{'x' * 1_000_000},70\n",
    ],
    ids=lambda csv: csv[:30].replace("\n", "|"),
)
def test_a_csv_that_cannot_be_read(account, csv):
    """Bad CSV, too many rules and too many bytes are errors, which come as a list."""
    refused = account.error(422, "POST", f"{PATH}.json", {NAME: {"csv_data": csv}})
    assert refused["errors"][0].startswith("Csv data ")
    assert account.request("GET", f"{PATH}.json") == []


@pytest.mark.parametrize("path", ["/api/v5/campaigns/9/payout_bid_modification_tables.json", f"{PATH}/9.json"])
def test_unknown_campaigns_and_tables(account, path):
    """A campaign or a table that does not exist is 404."""
    account.error(404, "GET", path)


def bid(client, **fields):
    """Reserve a call with a key of the campaign; return its payout and UUID."""
    client.control("POST", "rtb_keys", {"key": "k", "campaign_id": 1, "needs_caller": False})
    answer = client.send("POST", "/rtbs.json", {"key": "k", **fields}, bare=True)
    row = json.loads(answer.body)
    return row["retreaver_payout"], row["uuid"]


RATES = """rule_id,caller_state,age,system_affiliate_id,affiliate_id,sub,payout_pct
1,=~^(CO|NY)$,*,*,*,*,70
2,*,>=30,*,*,*,60.5
3,*,<18,*,*,*,0
4,*,*,1,*,*,50
5,*,*,*,pub2,*,40
6,*,*,*,*,!=x,current
7,*,*,*,*,*,10
"""


@pytest.mark.parametrize(
    ("fields", "payout"),
    [
        ({"caller_state": "NY", "age": 40}, 14.0),
        ({"caller_state": "NYC", "age": 40}, 12.1),
        ({"age": "seventeen"}, 20.0),
        ({"age": 17}, 0.0),
        ({"publisher_id": "pub1"}, 10.0),
        ({"publisher_id": "pub2"}, 8.0),
        ({"publisher_id": "pub3"}, 20.0),
        ({"sub": "x"}, 2.0),
    ],
)
def test_the_active_table_acts_on_bids(account, fields, payout):
    """The first rule that matches decides; the two kinds of IDs are two keys."""
    account.target()
    account.request("POST", "/api/v1/affiliates.json", {"affiliate": {"afid": "pub1"}})
    upload(account, RATES)
    assert bid(account, **fields)[0] == 20.0, "it is not active yet"
    account.request("PUT", f"{PATH}/1.json", {NAME: {"active": True}})
    assert bid(account, **fields)[0] == payout


def test_a_bucket_is_a_share_of_bids(account):
    """A bid is in the bucket that its UUID and the salt say; a header that stands twice means both conditions."""
    account.target()
    upload(account, "rule_id,pbm_bucket,pbm_bucket,payout_pct\n1,>=2500,<7500,50\n", salt="s", active=True)
    bids = [bid(account) for _ in range(60)]
    assert all((payout == 10.0) == (2500 <= bucket("s", uuid) < 7500) for payout, uuid in bids)
    assert {payout for payout, _ in bids} == {10.0, 20.0}


def test_the_demo_account_has_tables(demo):
    """The first campaign has two tables, of which one is active."""
    assert [(row["table_version"], row["active"]) for row in demo.request("GET", f"{PATH}.json")] == [
        ("experiment-1", True),
        (1, False),
    ]
