"""The requests of the RTB log and its export jobs, and what their answers may look like."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.resources.rtb_inbound_filters import NO_UUID, InboundFilters
from airflow_provider_retreaver.resources.rtb_inbounds import (
    create_rtb_inbound_export,
    get_rtb_inbound_choices,
    get_rtb_inbound_export,
    list_rtb_inbounds,
    locate_rtb_inbound_file,
)

SPAN = {"created_at_start": "2026-09-01T00:00:00Z", "created_at_end": "2026-09-08T00:00:00Z"}
ALL = {
    "campaign_id": [123, "124"],
    "affiliate_id": "789",
    "target_id": 321,
    "postback_key_id": {456},
    "status": ["claimed", "No-Target"],
    "duplicate": "false",
    "caller_state": "tx",
    "caller_country": "US",
    "revenue": [20, "30.50"],
    "payout": (Decimal("0.10"), 8.75),
}
ROW = {
    "uuid": "u-1",
    "campaign_id": 123,
    "affiliate_id": 789,
    "target_id": 321,
    "postback_key_id": 456,
    "status": "claimed",
    "duplicate_original_uuid": NO_UUID,
    "caller_state": "TX",
    "caller_country": "US",
    "revenue": 20.0,
    "payout": 8.75,
    "created_at": "2026-09-01T14:02:11Z",
}


def read(listing, *rows, date="", **changes):
    """Read a page of rows, or of one row with changes."""
    body = {"rtb_inbounds": list(rows) or [{**ROW, **changes}]}
    response = Response(200, {"date": date}, json.dumps(body).encode())
    return listing.read(listing.request, response, listing.envelope)[0]


def test_every_documented_filter_is_sent():
    """Lists have brackets in the query and none in a job; the page size is left to Retreaver."""
    listing = list_rtb_inbounds(**ALL, **SPAN)
    assert (listing.request.method, listing.request.path, listing.page_size) == (
        "GET",
        "/api/v5/rtb_inbounds.json",
        100,
    )
    assert listing.request.query == (
        *(("campaign_id[]", "123"), ("campaign_id[]", "124"), ("affiliate_id[]", "789"), ("target_id[]", "321")),
        *(("postback_key_id[]", "456"), ("status[]", "claimed"), ("status[]", "no-target"), ("duplicate", "false")),
        *(("caller_state", "TX"), ("caller_country", "US"), ("revenue[]", "20"), ("revenue[]", "30.5")),
        *(("payout[]", "0.1"), ("payout[]", "8.75"), *SPAN.items()),
    )
    job = create_rtb_inbound_export(filters=ALL, created_at="last_7d").request
    assert (job.method, job.path) == ("POST", "/api/v5/exports/rtb_inbounds.json")
    assert job.body == {
        "export": {
            "format": "csv",
            "params": {
                "campaign_id": [123, 124],
                "affiliate_id": [789],
                "target_id": [321],
                "postback_key_id": [456],
                "status": ["claimed", "no-target"],
                "duplicate": False,
                "caller_state": "TX",
                "caller_country": "US",
                "revenue": [20, 30.5],
                "payout": [0.1, 8.75],
                "created_at": "last_7d",
            },
        }
    }
    assert not job.repeatable


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"campaign_id": "roof"}, "campaign_id holds 'roof'"),
        ({"campaign_id": []}, "campaign_id names none"),
        ({"status": "shielded"}, "status must be one of"),
        ({"status": []}, "status names none"),
        ({"duplicate": "maybe"}, "duplicate must be true or false"),
        ({"caller_state": "Texas"}, "caller_state must be two letters"),
        ({"revenue": 20}, "revenue must be two amounts"),
        ({"revenue": [30, 20]}, "revenue must be two amounts"),
        ({"payout": ["a", "b"]}, "payout must be two amounts"),
        ({"created_at": "last 7 days"}, "created_at must be a relative window"),
        ({"created_at": "last_7d", **SPAN}, "created_at cannot be used with"),
        ({"created_at_start": "2026-09-01"}, "belong together"),
        ({"created_at_start": "2026-09-02", "created_at_end": "2026-09-01"}, "must be after"),
        ({"created_at_start": "2026-07-01", "created_at_end": "2026-09-02"}, "more than 2 months apart"),
        (
            {"created_at_start": "2026-07-01T00:00:00Z", "created_at_end": "2026-09-01T00:00:00.001Z"},
            "split_window",
        ),
    ],
)
def test_what_is_refused(filters, message):
    """Filters that Retreaver would drop, ignore or refuse are errors by name, before anything is sent."""
    with pytest.raises(InvalidArgument, match=message):
        list_rtb_inbounds(**filters)


def test_what_a_job_refuses():
    """An unknown filter is named with a near known one, and a job needs a window."""
    with pytest.raises(InvalidArgument, match="did you mean 'campaign_id'"):
        create_rtb_inbound_export(filters={"campaign_ids": 1}, created_at="last_7d")
    with pytest.raises(InvalidArgument, match="needs created_at"):
        create_rtb_inbound_export(filters={"campaign_id": 1})


def test_two_months_are_those_of_the_calendar():
    """From July 1 to September 1 are two months, in UTC."""
    listing = list_rtb_inbounds(created_at_start="2026-07-01", created_at_end="2026-08-31T20:00:00-04:00")
    query = dict(listing.request.query)
    assert query["created_at_end"] == "2026-08-31T20:00:00-04:00"
    assert query["created_at_start"] == "2026-07-01T00:00:00+00:00", "a date could be midnight of any time zone"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"campaign_id": "124"},
        {"status": "No Target"},
        {"revenue": "$30.50", "payout": "8.754"},
        {"caller_state": "tx"},
        {"created_at": "2026-09-08T00:00:00Z"},
        {"created_at": "then"},
        {"duplicate_original_uuid": None},
    ],
)
def test_rows_that_were_asked_for(changes):
    """Rows that match are returned as they came; what a row does not show is not compared."""
    listing = list_rtb_inbounds(**ALL, **SPAN)
    assert read(listing, **changes) == [{**ROW, **changes}]
    assert read(listing, {"uuid": "u-2"}) == [{"uuid": "u-2"}]
    assert read(list_rtb_inbounds(revenue=[0, 5]), revenue=None)[0]["revenue"] is None


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("campaign_id", {"campaign_id": 5}),
        ("campaign_id", {"campaign_id": {}}),
        ("affiliate_id", {"affiliate_id": "5"}),
        ("affiliate_id", {"affiliate_id": ""}),
        ("target_id", {"target_id": 5}),
        ("target_id", {"target_id": None}),
        ("postback_key_id", {"postback_key_id": 5}),
        ("status", {"status": "expired"}),
        ("status", {"status": None}),
        ("duplicate", {"duplicate_original_uuid": "8f0a2d13-9d3a-4b3e-9a7a-6b8e4b9d9a21"}),
        ("caller_state", {"caller_state": "NY"}),
        ("caller_country", {"caller_country": "CA"}),
        ("caller_country", {"caller_country": " "}),
        ("revenue", {"revenue": 19.5}),
        ("revenue", {"revenue": "much"}),
        ("revenue", {"revenue": None}),
        ("payout", {"payout": 9}),
        ("created_at_start", {"created_at": "2026-08-31T23:59:58Z"}),
    ],
)
def test_rows_that_were_not_asked_for(name, changes):
    """A row of another object shows that Retreaver has dropped an ID, and is an error that names the filter."""
    with pytest.raises(ProtocolError, match=f"'u-1', which does not match the filter {name} "):
        read(list_rtb_inbounds(**ALL, **SPAN), ROW, {**ROW, **changes})


@pytest.mark.parametrize(
    ("window", "created_at", "date", "matches"),
    [
        ("last_7d", "2026-09-14T00:00:00Z", "Mon, 21 Sep 2026 12:00:00 GMT", True),
        ("last_7d", "2026-09-13T07:30:00-04:00", "Mon, 21 Sep 2026 12:00:00 GMT", True),
        ("last_7d", "2026-09-13T09:59:59Z", "Mon, 21 Sep 2026 12:00:00 GMT", False),
        ("last_1d", "2026-09-13T09:59:59Z", "Mon, 21 Sep 2026 12:00:00 GMT", False),
        ("last_9999d", "2006-01-01T00:00:00Z", "Mon, 21 Sep 2026 12:00:00 GMT", True),
        ("last_7d", "2006-01-01T00:00:00Z", "", True),
        ("last_7d", "then", "Mon, 21 Sep 2026 12:00:00 GMT", True),
        ("this_month", "2006-01-01T00:00:00Z", "Mon, 21 Sep 2026 12:00:00 GMT", True),
    ],
)
def test_a_relative_window_counts_from_the_time_of_the_answer(window, created_at, date, matches):
    """A row that is older than the days, and one more for the first of them, was not asked for."""
    listing = list_rtb_inbounds(created_at=window)
    if matches:
        assert len(read(listing, date=date, created_at=created_at)) == 1
    else:
        with pytest.raises(ProtocolError, match="does not match the filter created_at "):
            read(listing, date=date, created_at=created_at)


def test_another_spelling_of_an_object():
    """A file may show customer IDs, which belong to the filter when they are given."""
    filters = InboundFilters.of({"campaign_id": 123})
    assert filters.mismatch({"campaign_id": "0044"}) == "campaign_id"
    assert filters.mismatch({"campaign_id": "0044"}, {"campaign_id": {"0044"}}) is None


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"rtb_inbounds": [1]}', b"<html>"])
def test_another_answer_is_refused(body):
    """An answer without rows is not an empty log."""
    listing, choices = list_rtb_inbounds(), get_rtb_inbound_choices()
    for work, arguments in ((listing, (listing.envelope,)), (choices, ())):
        with pytest.raises(ProtocolError, match=r"GET /api/v5/rtb_inbounds\.json"):
            work.read(work.request, Response(200, {}, body), *arguments)


@pytest.mark.parametrize("body", ["[]", "{}", '{"id": 5}', '{"id": null, "in_progress": true}'])
def test_another_job_is_refused(body):
    """A job has an ID and says whether it is in progress; it may come wrapped."""
    work = get_rtb_inbound_export(501)
    with pytest.raises(ProtocolError, match=r"GET /api/v5/exports/rtb_inbounds/501\.json"):
        work.read(work.request, Response(200, {}, body.encode()))
    wrapped = b'{"export": {"id": 501, "in_progress": false, "errors": {}}}'
    assert work.read(work.request, Response(200, {}, wrapped))["id"] == 501


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "https://files.example.com/x.gz",
        "//files.example.com/x",
        "v2/reports",
        "/v2/../x",
        "/v2/x?key=1",
        "/@host",
        "/",
    ],
)
def test_a_path_that_leads_elsewhere_gets_no_key(path):
    """Only a path on the API's host is requested with the key."""
    with pytest.raises(ProtocolError, match="no path of the API"):
        locate_rtb_inbound_file({"id": 501, "file_upload_url": path})


def test_where_a_file_is():
    """The redirect's address is the result, and shows in no text; an answer without one is an error."""
    work = locate_rtb_inbound_file({"id": 501, "file_upload_url": "/v2/reports/rtb_inbounds/501/download"})
    found = work.read(work.request, Response(302, {"location": "https://files.example.com/x?sig=s3cr3t"}, b""))
    assert found.url == "https://files.example.com/x?sig=s3cr3t"
    assert "s3cr3t" not in repr(found)
    for response in (Response(302, {}, b""), Response(200, {}, b"\x1f\x8b")):
        with pytest.raises(ProtocolError, match="no redirect to a file"):
            work.read(work.request, response)
