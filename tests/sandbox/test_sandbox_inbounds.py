"""The log of real-time bidding and its export jobs, and what the control surface can make of them."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest

from airflow_provider_retreaver.sandbox.options import RTB_KEY

LOG = "/api/v5/rtb_inbounds.json"
JOBS = "/api/v5/exports/rtb_inbounds"
NONE = "00000000-0000-0000-0000-000000000000"
DAY = {"created_at_start": "2026-01-05T00:00:00Z", "created_at_end": "2026-01-06T00:00:00Z"}


def add(client, count=1, **fields):
    """Add rows of 5 January 2026."""
    client.control("POST", "rtb_inbounds", {"count": count, "fields": {**DAY, **fields}})


def uuids(client, query=""):
    """Return the UUIDs of the first page."""
    return [row["uuid"] for row in client.request("GET", f"{LOG}?{query}")["rtb_inbounds"]]


@pytest.fixture
def logged(client):
    """Log three rows that differ in what can be filtered."""
    for cid in ("1", "2"):
        client.request("POST", "/campaigns.json", {"campaign": {"cid": cid, "name": cid}})
    client.request("POST", "/affiliates.json", {"affiliate": {"afid": "1"}})
    client.target()
    common = {"affiliate_id": 1, "target_id": None, "postback_key_id": 3, "duplicate_original_uuid": NONE}
    for number, fields in enumerate(
        (
            {"campaign_id": 1, "status": "claimed", "revenue": 20.0, "payout": 10.0, "caller_state": "TX"},
            {"campaign_id": 1, "status": "expired", "revenue": 30.0, "payout": 0.0, "target_id": 1},
            {"campaign_id": 2, "status": "rejected", "caller_country": "CA", "duplicate_original_uuid": "x"},
        )
    ):
        base = {"revenue": 0.0, "payout": 0.0, "caller_state": "NY", "caller_country": "US"}
        add(client, uuid=str(number), **{**common, **base, **fields})
    return client


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "012"),
        ("campaign_id[]=1", "01"),
        ("campaign_id[]=1&campaign_id[]=2", "012"),
        ("campaign_id[]=2&campaign_id[]=99", "2"),
        ("campaign_id[]=99", "012"),
        ("affiliate_id[]=1", "012"),
        ("target_id[]=1", "1"),
        ("postback_key_id[]=99", "012"),
        ("status[]=expired&status[]=rejected", "12"),
        ("duplicate=true", "2"),
        ("duplicate=false", "01"),
        ("caller_state=TX", "0"),
        ("caller_country=CA", "2"),
        ("revenue[]=20&revenue[]=30", "01"),
        ("payout[]=5&payout[]=15", "0"),
        ("created_at=last_7d", "012"),
        ("created_at=last_2d&created_at_start=2026-01-01T00:00:00Z&created_at_end=2026-01-08T00:00:00Z", ""),
        ("created_at_start=2026-01-06T00:00:00Z&created_at_end=2026-01-07T00:00:00Z", ""),
        ("created_at_start=2025-12-01T00:00:00Z&created_at_end=2026-02-01T00:00:00Z", "012"),
    ],
)
def test_filters(logged, query, found):
    """Every documented filter; an ID that the company does not have is dropped, also when it was the only one."""
    assert "".join(sorted(uuids(logged, query))) == found


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("created_at_start=2025-12-01T00:00:00Z&created_at_end=2026-02-01T00:00:01Z", "created_at_end"),
        ("created_at=yesterday", "created_at"),
        ("created_at_start=then", "created_at_start"),
        ("campaign_id[]=roof", "campaign_id"),
        ("revenue[]=20", "revenue"),
    ],
)
def test_filters_that_are_refused(logged, query, name):
    """A window of more than two months and values of another kind are errors that name the filter."""
    assert name in logged.error(422, "GET", f"{LOG}?{query}")["errors"]


def test_pages_have_a_hundred_rows(client):
    """The page size cannot be set; the newest row comes first; versions 2 to 5 are the same."""
    add(client, 230)
    first = client.send("GET", f"{LOG}?per_page=10")
    rows = json.loads(first.body)["rtb_inbounds"]
    assert len(rows) == 100
    assert rows[0]["created_at"] > rows[-1]["created_at"]
    assert 'page=3>; rel="last"' in dict(first.headers)["Link"]
    assert len(client.request("GET", f"{LOG}?page=3")["rtb_inbounds"]) == 30
    for version in ("v2", "v3", "v4"):
        assert client.request("GET", LOG.replace("v5", version))["rtb_inbounds"] == rows
    client.error(404, "GET", LOG.replace("v5", "v1"))
    choices = client.request("GET", f"{LOG}?with_filters=true")["filters"]
    assert set(choices) == {"campaigns", "publishers", "targets", "keys", "statuses"}


def test_reservations_are_logged(client):
    """What real-time bidding answers is in the log: reserved, shielded, claimed, expired, and without a target."""

    def ask(method="POST", path="/rtbs.json", **fields):
        answer = client.send(method, path, {"key": RTB_KEY, **fields}, bare=True)
        return json.loads(answer.body)

    def statuses():
        rows = client.request("GET", LOG)["rtb_inbounds"]
        return {row["uuid"]: row["status"] for row in rows}, rows

    missed = ask(caller_number="+19195550100")["uuid"]
    client.target()
    client.request("POST", "/affiliates.json", {"affiliate": {"afid": "pub"}})
    one, other = (ask(caller_number=f"+1919555010{n}", publisher_id="pub")["uuid"] for n in (1, 2))
    ask(caller_number="+19195550101")
    ask("PUT", f"/rtbs/{one}.json", status="confirmed")
    found, rows = statuses()
    assert (found[missed], found[one], found[other], len(rows)) == ("no-target", "claimed", "reserved", 4)
    (repeat,) = [row for row in rows if row["status"] == "ping-shield"]
    assert (repeat["duplicate_original_uuid"], repeat["duplicate_order"]) == (one, 1)
    (claimed,) = [row for row in rows if row["uuid"] == one]
    assert (claimed["affiliate_id"], claimed["target_id"], claimed["call_uuid"]) == (1, 1, NONE)
    assert claimed["confirmed_at"] == "2026-01-09T12:00:00Z"
    client.control("POST", "clock", {"advance": 61})
    assert statuses()[0][other] == "expired"


def job(client, **params):
    """Create an export job of a day."""
    body = {"export": {"format": "csv", "params": {**DAY, **params}}}
    return client.request("POST", f"{JOBS}.json", body)


def download(client, path):
    """Follow the redirect of a download without the key, and return the rows of the file."""
    redirect = client.send("GET", path)
    assert redirect.status == 302
    location = dict(redirect.headers)["Location"].partition("8787")[2]
    assert client.send("GET", location).status == 400
    answer = client.send("GET", location, bare=True)
    assert answer.status == 200
    assert client.send("GET", location.partition("?")[0], bare=True).status == 403
    return list(csv.DictReader(io.StringIO(gzip.decompress(answer.body).decode())))


def test_an_export_job(logged):
    """A job is in progress until its time, then it has a file of the rows that its filters choose."""
    created = job(logged, campaign_id=[1], status="claimed")
    assert created == {
        "id": 1,
        "export_count": None,
        "export_progress": 0,
        "export_percentage": 0.0,
        "format": "csv",
        "file_upload_url": None,
        "in_progress": True,
        "errors": {},
    }
    assert logged.request("GET", f"{JOBS}/1.json") == created
    logged.error(404, "GET", "/v2/reports/rtb_inbounds/1/download")
    logged.control("POST", "clock", {"advance": 2})
    done = logged.request("GET", f"{JOBS}/1.json")
    path = "/v2/reports/rtb_inbounds/1/download"
    finished = {"export_count": 1, "export_progress": 1, "export_percentage": 100.0, "in_progress": False}
    assert done == {**created, **finished, "file_upload_url": path}
    (row,) = download(logged, path)
    assert (row["Call UUID"], row["Status"], row["Campaign ID"], row["Source ID"]) == (
        row["Call UUID"], "claimed", "1", "1",
    )  # fmt: skip
    assert {"Revenue", "Payout", "Duplicate Original UUID", "Created At"} <= set(row)
    logged.error(401, "GET", "/v2/reports/rtb_inbounds/1/download?api_key=wrong")
    logged.error(404, "GET", f"{JOBS}/2.json")


def test_jobs_that_fail(logged):
    """Filters that are refused show in the job's errors; the control surface makes others fail, or their files go."""
    for params, name in (({"tid": 1}, "tid"), ({"created_at_end": "2026-04-01T00:00:00Z"}, "created_at_end")):
        created = job(logged, **params)
        found = logged.request("GET", f"{JOBS}/{created['id']}.json")
        assert (found["in_progress"], found["file_upload_url"], name in found["errors"]) == (False, None, True)
    for given, wrong in (
        ({"format": "xlsx"}, {"format", "params"}),
        ({"params": {"status": "claimed"}}, {"created_at"}),
    ):
        created = logged.request("POST", f"{JOBS}.json", {"export": given})
        assert wrong <= logged.request("GET", f"{JOBS}/{created['id']}.json")["errors"].keys()
    logged.error(400, "POST", f"{JOBS}.json", {"params": {}})
    for outcome in ("errors", "no_file", "gone"):
        settings = {"seconds": 0, "outcome": outcome, "publisher_label": "Publisher ID"}
        assert logged.control("POST", "exports", settings) == settings
        found = logged.request("GET", f"{JOBS}/{job(logged)['id']}.json")
        assert bool(found["errors"]) is (outcome == "errors")
        assert (found["file_upload_url"] is not None) is (outcome == "gone")
    redirect = logged.send("GET", found["file_upload_url"])
    location = dict(redirect.headers)["Location"].partition("8787")[2]
    logged.error(404, "GET", location, bare=True)
    logged.control("POST", "exports", {"seconds": 0, "publisher_label": "Publisher ID"})
    done = logged.request("GET", f"{JOBS}/{job(logged)['id']}.json")
    assert "Publisher ID" in download(logged, done["file_upload_url"])[0]


@pytest.mark.parametrize("pbm", [{}, {"pbm_table_version": "7", "pbm_bucket": 6231}])
def test_columns_of_bid_modification_are_there_only_when_it_is_on(client, pbm):
    """Rows and files have the keys of payout bid modification only where a row has them."""
    add(client, **pbm)
    (row,) = client.request("GET", LOG)["rtb_inbounds"]
    assert {name: value for name, value in row.items() if name.startswith("pbm")} == pbm
    client.control("POST", "exports", {"seconds": 0})
    done = client.request("GET", f"{JOBS}/{job(client)['id']}.json")
    assert ("PBM Bucket" in download(client, done["file_upload_url"])[0]) is bool(pbm)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("rtb_inbounds", {"count": -1}),
        ("rtb_inbounds", {"fields": {"colour": 1}}),
        ("rtb_inbounds", {"fields": {"created_at": "then"}}),
        ("exports", {"outcome": "maybe"}),
        ("exports", {"seconds": "long"}),
        ("exports", {"colour": 1}),
    ],
)
def test_the_control_surface_refuses(client, path, body):
    """Unknown fields and wrong values are refused."""
    client.error(400, "POST", f"/__sandbox__/{path}", body)


def test_the_demo_account_has_a_log(demo):
    """The demo account has rows of all statuses, whose objects are its own."""
    rows = [row for page in range(1, 7) for row in demo.request("GET", f"{LOG}?page={page}")["rtb_inbounds"]]
    assert {row["status"] for row in rows} == {"expired", "claimed", "no-target", "rejected"}
    claimed = next(row for row in rows if row["status"] == "claimed")
    assert demo.request("GET", f"/api/v2/calls/{claimed['call_uuid']}.json")
    assert demo.request("GET", f"/campaigns/{claimed['campaign_id']}.json")


def test_a_modified_payout_is_logged(client):
    """Where a campaign has an active payout table, the log shows the rule, and the payout before it."""
    client.request("POST", "/campaigns.json", {"campaign": {"cid": "1", "name": "1"}})
    client.target()
    table = {"csv_data": "rule_id,caller_state,payout_pct\n3,*,70\n", "active": True, "table_version": "7"}
    tables = "/api/v5/campaigns/1/payout_bid_modification_tables.json"
    client.request("POST", tables, {"payout_bid_modification_table": table})
    client.control("POST", "rtb_keys", {"key": "k", "campaign_id": 1})
    client.send("POST", "/rtbs.json", {"key": "k", "caller_number": "+19195550101"}, bare=True)
    (row,) = client.request("GET", LOG)["rtb_inbounds"]
    assert (row["revenue"], row["payout"], row["pbm_original_payout"]) == (20.0, 14.0, 20.0)
    assert (row["pbm_table_version"], row["pbm_rule_id"], row["pbm_percent_of_revenue"]) == ("7", 3, 70.0)
    assert 0 <= row["pbm_bucket"] < 10_000
