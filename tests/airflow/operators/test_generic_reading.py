"""`RetreaverListOperator` and `RetreaverGetOperator`."""

from __future__ import annotations

import json
import logging

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument, NotFound, ProtocolError, RetreaverError
from airflow_provider_retreaver.resources.registry import RESOURCES
from airflow_provider_retreaver.resources.rtb_inbounds import NO_UUID
from tests.airflow.support.generic import PHONE, add, campaign, execute, number, payout_table, send

pytestmark = pytest.mark.airflow

LISTED = sorted(name for name, entry in RESOURCES.items() if entry.has("list"))
SPAN = {"created_at_start": "2026-01-01T00:00:00Z", "created_at_end": "2026-12-31T00:00:00Z"}


def list_owner(account):
    """Add a target with a caller list of two numbers."""
    target = account.target()
    owner = {"target_id": target}
    execute("create", "caller_lists", attributes={"name": "suppressed"}, list_owner=owner)
    owner["caller_list"] = "suppressed"
    for phone in (PHONE, "+18005551234"):
        execute("create", "caller_list_numbers", attributes={"number": phone}, list_owner=owner)
    return owner


@pytest.fixture
def with_list_key(account, monkeypatch):
    """Give the account with a connection that holds a caller-list key."""
    options = account._sandbox.options
    extra = {"max_wait": 0, "caller_list_key": options.postback_key, "caller_list_secret": options.postback_secret}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
    return account


@pytest.mark.parametrize("resource", LISTED)
def test_every_list_of_a_whole_account(with_list_key, resource):
    """Every resource with a list can be listed, and its rows have their key field."""
    with_list_key.reset("demo")
    filters = {"facet": "buyer", **SPAN} if resource == "reports" else {}
    owner = {"payout_tables": {"campaign_id": 1}}.get(resource)
    owner = list_owner(with_list_key) if resource == "caller_list_numbers" else owner
    rows = execute("list", resource, limit=30, truncate=True, filters=filters, list_owner=owner)
    assert rows
    assert all(RESOURCES[resource].row_key in row for row in rows)


def test_list_needs_limit_or_destination(account):
    """Neither limit nor destination, or both, is refused before anything is sent."""
    for parameters in ({}, {"limit": 5, "destination": "file:///tmp/x.jsonl"}, {"destination": " "}):
        with pytest.raises(InvalidArgument, match="big listing belongs in storage") as caught:
            execute("list", "targets", **parameters)
        assert isinstance(caught.value, AirflowFailException)
    assert account.sent() == []


@pytest.mark.parametrize("limit", [0, -1, "many", 1001, True])
def test_list_refuses_an_invalid_limit(account, limit):
    """A limit is a whole number from 1 to 1,000."""
    with pytest.raises(InvalidArgument, match="limit"):
        execute("list", "targets", limit=limit)
    assert account.sent() == []


def test_longer_list_than_its_limit_is_an_error(account):
    """A list is never cut silently, and no more pages are read than needed."""
    account.targets(30)
    with pytest.raises(InvalidArgument, match=r"targets has more than 3 rows.*destination.*truncate=True"):
        execute("list", "targets", limit=3)
    assert len(execute("list", "targets", limit="30")) == 30


def test_truncated_list_logs_a_warning(account, caplog, capsys):
    """With `truncate`, the first rows of a longer list are returned, and a warning is logged."""
    ids = account.targets(5)
    with caplog.at_level(logging.INFO):
        rows = execute("list", "targets", limit=2, truncate=True)
    assert [row["id"] for row in rows] == ids[:2]
    # Airflow 3 writes tasks' logs to stdout where there is no task runner.
    assert "more rows than the first 2" in caplog.text + capsys.readouterr().out


def test_filters_are_sent(account):
    """Filters narrow the list under the names that Retreaver documents."""
    campaign(account)
    wanted, _other = number(account, sid="mine"), number(account, sid="other")
    rows = execute("list", "numbers", limit=10, filters={"sid": "mine", "cid": "0044"})
    assert [row["id"] for row in rows] == [wanted["id"]]
    assert dict(account.entries()[-1]["query"])["sub_id"] == "mine"


@pytest.mark.parametrize("rendered", [False, True], ids=["native", "rendered"])
def test_the_log_of_bidding(account, tmp_path, rendered):
    """It is listed with every filter, 100 rows a page, however the filters were rendered."""
    campaign_id = campaign(account)["id"]
    affiliate_id = account._handle("POST", "/affiliates.json", {"affiliate": {"afid": "pub"}})["affiliate"]["id"]
    wanted = {
        "campaign_id": campaign_id, "affiliate_id": affiliate_id, "target_id": account.target(), "postback_key_id": 1,
        "status": "claimed", "caller_state": "TX", "caller_country": "US", "revenue": 25.0, "payout": 8.75,
    }  # fmt: skip
    span = {"created_at_start": "2026-01-05T00:00:00Z", "created_at_end": "2026-01-06T00:00:00Z"}
    plain = {"duplicate_original_uuid": NO_UUID}
    account._control("POST", "rtb_inbounds", {"count": 250, "fields": {**wanted, **plain, **span}})
    for name, other in (("status", "expired"), ("caller_state", "NY"), ("revenue", 5.0), ("payout", 0.5)):
        account._control("POST", "rtb_inbounds", {"fields": {**wanted, **plain, **span, name: other}})
    ranges = {"revenue": [20, 30], "payout": ["8", "9.50"], "duplicate": False}
    filters = {**wanted, "status": ["claimed", "rejected"], **ranges, **span}
    file = tmp_path / "log.jsonl"
    found = execute("list", "rtb_inbounds", destination=file.as_uri(), filters=str(filters) if rendered else filters)
    assert found["rows"] == len({json.loads(line)["uuid"] for line in file.read_text().splitlines()}) == 250
    assert sorted(dict(entry["query"])["page"] for entry in account.entries()) == ["1", "2", "3"]
    sent = account.entries()[0]["query"]
    assert ["campaign_id[]", str(campaign_id)] in sent
    assert [value for name, value in sent if name == "revenue[]"] == ["20", "30"]


@pytest.mark.parametrize(
    ("resource", "filters", "message"),
    [
        ("numbers", {"campaign": "1"}, "'campaign' is not a documented filter of numbers"),
        ("targets", {"cid": "1"}, "'cid' is not a documented filter of targets"),
        ("numbers", {"cid": " "}, "filter cid is blank"),
        ("calls", {"sort_by": "caller"}, "sort_by must be one of"),
        ("calls", {"created_at_start": "yesterday"}, "created_at_start must be RFC 3339"),
        ("calls", {"call_flow_events": "False"}, "call_flow_events must be True or False"),
        ("reports", {"facet": "moon", **SPAN}, "facet must be one of"),
        ("reports", SPAN, "The filter facet is required"),
        (
            "reports",
            {"facet": "daily", **SPAN, "created_at_start": "2020-01-01T00:00:00Z"},
            "less than 2 years apart",
        ),
        (
            "rtb_inbounds",
            {"campaign_ids": 1},
            "'campaign_ids' is not a documented filter of rtb_inbounds; did you mean",
        ),
        ("rtb_inbounds", {"status": "sold"}, "status must be one of"),
        ("rtb_inbounds", {"created_at": "last_7d", **SPAN}, "created_at cannot be used with"),
        ("targets", "not a mapping", "filters must be a mapping"),
        ("contact_numbers", {}, "Retreaver has no list for contact_numbers; it has update, delete"),
        ("target", {}, "did you mean 'targets'"),
    ],
)
def test_wrong_filters_are_refused_by_name(account, resource, filters, message):
    """An invalid filter is refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=message):
        execute("list", resource, limit=5, filters=filters)
    assert account.sent() == []


def test_list_to_storage(account, tmp_path):
    """Rows are written one a line, secrets masked, and a small manifest is returned."""
    account.targets(60)
    account.target("Secret", sip_username="user", sip_password="geheim-wort")
    file = tmp_path / "lists" / "targets.jsonl"
    manifest = execute("list", "targets", destination=f"file://{file}")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert manifest == {
        "resource": "targets",
        "path": f"file://{file}",
        "rows": 61,
        "bytes": file.stat().st_size,
    }
    assert len({row["id"] for row in lines}) == 61
    assert lines[-1]["sip_password"] == "***"
    assert [path.name for path in file.parent.iterdir()] == ["targets.jsonl"]


def test_failed_list_keeps_the_old_file(account, tmp_path):
    """A list that fails halfway leaves no partial file, and the old file stays."""
    file = tmp_path / "targets.jsonl"
    file.write_text("old\n")
    page = json.dumps([{"target": {"id": n}} for n in range(1, 26)])
    link = '<https://retreaver.com/targets.json?page=2>; rel="next"'
    account.fault("/targets.json", status=200, times=1, body=page, headers={"Link": link})
    account.fault("/targets.json", status=500, times=100)
    with pytest.raises(RetreaverError, match="page 2"):
        execute("list", "targets", destination=f"file://{file}")
    assert len(account.sent("GET")) > 1
    assert file.read_text() == "old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["targets.jsonl"]


def test_list_to_a_folder_is_refused(account, tmp_path):
    """A destination is a file."""
    with pytest.raises(InvalidArgument, match="must be a file"):
        execute("list", "targets", destination=f"file://{tmp_path}/")
    assert account.sent() == []


def test_get_by_every_id(with_list_key):
    """Every resource with a get can be read by each of its IDs."""
    account = with_list_key
    campaign(account)
    bought = number(account)
    pool = add(account, "number_pools", "number_pool", cid="0044")
    contact = add(account, "contacts", "contact", contact_numbers_attributes=[{"number": PHONE}])
    send(account, "POST", f"/suppressed_numbers/{PHONE}.json", {})
    owner = list_owner(account)
    account.target(tid="A1")
    group = account.group([])
    cases = {
        "affiliates": [{"customer_id": "0002"}, {"resource_id": 1}],
        "campaigns": [{"customer_id": "0044"}, {"resource_id": "1"}],
        "companies": [{"resource_id": 1}],
        "company": [{}],
        "contacts": [{"resource_id": contact["id"]}, {"customer_id": PHONE}],
        "numbers": [{"resource_id": bought["id"]}],
        "number_pools": [{"resource_id": pool["id"]}],
        "payout_tables": [{"resource_id": payout_table(account)["id"], "list_owner": {"campaign_id": "1"}}],
        "suppressed_numbers": [{"resource_id": PHONE}],
        "target_groups": [{"resource_id": group}],
        "targets": [{"customer_id": "A1"}, {"resource_id": 2}],
        "caller_lists": [{"resource_id": "suppressed", "list_owner": {"target_id": owner["target_id"]}}],
        "caller_list_numbers": [{"resource_id": PHONE, "list_owner": owner}],
    }
    send(account, "POST", "/__sandbox__/calls", {"count": 1, "fields": {}})
    (call,) = execute("list", "calls", limit=1)
    cases["calls"] = [{"resource_id": call["uuid"]}]
    assert set(cases) == {name for name, entry in RESOURCES.items() if entry.has("get")}
    for resource, names in cases.items():
        found = [execute("get", resource, **name) for name in names]
        assert all(RESOURCES[resource].row_key in row for row in found)
        assert all(row == found[0] for row in found)


@pytest.mark.parametrize(
    ("resource", "parameters"),
    [
        ("targets", {"resource_id": 404}),
        ("targets", {"customer_id": "none"}),
        ("affiliates", {"customer_id": "none"}),
        ("numbers", {"resource_id": 404}),
        ("contacts", {"customer_id": PHONE}),
        ("suppressed_numbers", {"resource_id": PHONE}),
        ("calls", {"resource_id": "00000000-0000-0000-0000-000000000000"}),
    ],
)
def test_missing_object(account, resource, parameters):
    """A missing object raises `NotFound`, or is None with `missing_ok`."""
    with pytest.raises(NotFound):
        execute("get", resource, **parameters)
    assert execute("get", resource, missing_ok=True, **parameters) is None
    assert execute("get", resource, missing_ok="true", **parameters) is None


@pytest.mark.parametrize(
    ("resource", "parameters", "message"),
    [
        ("targets", {}, r"Name the target by resource_id \(id\) or by customer_id \(tid\)"),
        ("targets", {"resource_id": 1, "customer_id": "A"}, "not both"),
        ("numbers", {"customer_id": "A"}, "A number has no customer ID"),
        ("targets", {"resource_id": ""}, "resource_id must be an ID"),
        ("targets", {"resource_id": "None"}, "resource_id must be an ID"),
        ("targets", {"resource_id": [1]}, "resource_id must be an ID"),
        ("company", {"resource_id": 1}, "There is one active company"),
        ("reports", {"resource_id": 1}, "Retreaver has no get for reports; it has list"),
        ("static_caller_numbers", {"resource_id": 1}, "has no get for static_caller_numbers"),
        ("suppressed_numbers", {"resource_id": "nobody"}, "must be a phone number"),
        ("targets", {"resource_id": 1, "list_owner": {"target_id": 3}}, "list_owner goes with caller lists"),
        ("caller_lists", {"resource_id": "a", "list_owner": {}}, "exactly one of the two"),
        ("caller_lists", {"resource_id": "a", "list_owner": {"affiliate": 1}}, "not a documented part of list_owner"),
        ("caller_list_numbers", {"resource_id": PHONE, "list_owner": {"target_id": 3}}, "must name the caller_list"),
        ("targets", {"resource_id": 1, "missing_ok": "perhaps"}, "missing_ok must be true or false"),
    ],
)
def test_wrong_references_are_refused(account, resource, parameters, message):
    """An object that is not named correctly is refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=message):
        execute("get", resource, **parameters)
    assert account.sent() == []


def test_get_masks_secrets(account):
    """A SIP password is masked in a result."""
    id_ = account.target(sip_username="user", sip_password="geheim-wort")
    found = execute("get", "targets", resource_id=id_)
    assert (found["sip_username"], found["sip_password"]) == ("user", "***")


def test_answer_without_a_required_field(account):
    """A missing required key is named; a missing optional or an unknown key is no error."""
    account.fault("/targets/7.json", status=200, body='{"target": {"name": "Acme"}}', times=1)
    with pytest.raises(ProtocolError, match="lacks the documented field 'id'"):
        execute("get", "targets", resource_id=7)
    account.fault("/targets/7.json", status=200, body='{"target": {"id": 7, "moon": {"phase": 1}}}', times=1)
    assert execute("get", "targets", resource_id=7) == {"id": 7, "moon": {"phase": 1}}


def test_gone_route_is_not_a_missing_object(account, monkeypatch):
    """Status 410 for a legacy route means that it is no longer served, not that the object is missing."""
    legacy = account.connection(extra={"max_wait": 0, "api_routes": "legacy"})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(legacy))
    account.fault("/affiliates/", status=410, times=2, body="")
    with pytest.raises(RetreaverError, match="no longer served"):
        execute("get", "affiliates", customer_id="0002", missing_ok=True)
    account.fault("/contact_numbers/", status=410, times=2, body="")
    with pytest.raises(RetreaverError, match="no longer served"):
        execute("delete", "suppressed_numbers", resource_id=PHONE)


def test_two_companies_never_mix(account, monkeypatch):
    """Two connections in one process reach two companies in turn."""
    other = execute("create", "companies", attributes={"name": "Second"})
    mine = account.connection(extra={"max_wait": 0})
    monkeypatch.setenv("AIRFLOW_CONN_ONE", json.dumps(mine))
    monkeypatch.setenv("AIRFLOW_CONN_TWO", json.dumps({**mine, "login": str(other["id"])}))
    for name, connection in (("first", "one"), ("second", "two"), ("third", "one")):
        attributes = {"number": PHONE, "name": name, "tid": name}
        execute("upsert", "targets", attributes=attributes, retreaver_conn_id=connection)
    names = {
        connection: [row["name"] for row in execute("list", "targets", limit=9, retreaver_conn_id=connection)]
        for connection in ("one", "two")
    }
    assert names == {"one": ["first", "third"], "two": ["second"]}
    with pytest.raises(NotFound):
        execute("get", "targets", customer_id="second", retreaver_conn_id="one")
