"""The requests of TrackDrive's buyer groups, what is refused before them, and what their answers may look like."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, OutcomeUnknown, ProtocolError
from airflow_provider_retreaver.core.messages import Auth, Response
from airflow_provider_retreaver.resources.trackdrive import buyer_groups, buyers
from airflow_provider_retreaver.resources.trackdrive.fields import COLUMNS, LIMITS, ORDERS

GROUP = {"id": "7", "name": "Great Group Of Buyers", "new_field": [1]}


def query(**parameters):
    """Return the query of a list."""
    return dict(buyer_groups.list_buyer_groups(**parameters).request.query)


def update(**attributes):
    """Return the request of a change."""
    return buyer_groups.update_buyer_group(attributes, 7).request


def read(work, body, status=200):
    """Read an answer as a client does."""
    return work.read(work.request, Response(status, {}, body))


def rows(listing, body):
    """Read a page as a client does."""
    return listing.read(listing.request, Response(200, {}, body), listing.envelope)


def test_the_documented_lists():
    """The two lists have the documented lengths, and names of their own."""
    assert (len(COLUMNS), len(ORDERS), len(LIMITS)) == (66, 36, 12)
    assert {"cap_reset_at", "call_limits.in_progress_count"} <= set(ORDERS) - set(COLUMNS)
    assert not {"id", "attempt_total_used"} & set(ORDERS)
    assert not [name for name in LIMITS if "hourly" in name or "earned" in name]


def test_a_list_without_parameters():
    """The oldest come first, and the connection says how many there are on a page."""
    listing = buyer_groups.list_buyer_groups()
    assert (listing.request.method, listing.request.path, listing.request.auth) == (
        "GET",
        "/buyer_groups",
        Auth.BASIC,
    )
    assert listing.request.query == (("order", "created_at"), ("order_dir", "asc"))
    assert (listing.key, listing.page_size) == ("id", None)


def test_the_parameters_of_a_list():
    """Every parameter has its documented spelling; `id` is always read, since rows are recognized by it."""
    zone = timezone(timedelta(hours=-5))
    assert query(
        columns="name, paused",
        order="call_limits.attempt_total_used",
        order_dir="desc",
        fulltext=" roof ",
        time_zone="Eastern Time (US & Canada)",
        created_at_from=datetime(2016, 1, 1, 12, 25, 15, 900, tzinfo=zone),
        created_at_to="2016-02-01T00:00:00.5+00:00",
        root=False,
        per_page=250,
    ) == {
        "columns": "id,name,paused",
        "order": "call_limits.attempt_total_used",
        "order_dir": "desc",
        "fulltext": "roof",
        "time_zone": "Eastern Time (US & Canada)",
        "created_at_from": "2016-01-01 12:25:15 -0500",
        "created_at_to": "2016-02-01 00:00:01 +0000",
        "root": "false",
        "per_page": "250",
    }
    assert query(created_at_from="2016-01-01 12:25:15 -0500")["created_at_from"] == "2016-01-01 12:25:15 -0500"
    assert query(created_at_from="2016-01-01")["created_at_from"] == "2016-01-01 00:00:00 +0000"
    assert query(columns=["uuid", "id"])["columns"] == "uuid,id"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"columns": "id,nmae"}, "'nmae' is not a documented column of buyer groups; did you mean 'name'"),
        ({"columns": ["call_limits.attempt_total_used"]}, "did you mean 'attempt_total_used'"),
        ({"columns": "cap_reset_at"}, "'cap_reset_at' is not a documented column"),
        ({"columns": []}, "columns is empty"),
        ({"order": "attempt_total_used"}, "order of buyer groups; did you mean 'call_limits.attempt_total_used'"),
        ({"order": "id"}, "'id' is not a documented order of buyer groups; known are"),
        ({"order_dir": "up"}, "order_dir must be one of asc, desc"),
        ({"fulltext": " "}, "fulltext must be a text"),
        ({"time_zone": ""}, "time_zone must be a text"),
        ({"created_at_from": datetime(2016, 1, 1)}, "created_at_from has no time zone"),  # noqa: DTZ001
        ({"created_at_from": "2016-01-01 12:25:15"}, "created_at_from must be RFC 3339 with an offset"),
        ({"created_at_from": "2016-02-01", "created_at_to": "2016-01-01"}, "must be after created_at_from"),
        ({"per_page": 0}, "per_page must be a whole number"),
        ({"per_page": 5000}, "per_page must be a whole number from 1 to 1000"),
    ],
)
def test_lists_that_are_refused(parameters, message):
    """A wrong parameter is refused by name before there is a request, in both formats."""
    with pytest.raises(InvalidArgument, match=message):
        buyer_groups.list_buyer_groups(**parameters)
    with pytest.raises(InvalidArgument, match=message):
        buyer_groups.list_buyer_groups(format="csv", **parameters)


@pytest.mark.parametrize(
    ("body", "total"),
    [
        (b'{"buyer_groups": [{"id": "7"}], "metadata": {"total_count": 40}}', 40),
        (b'{"buyer_groups": [{"id": "7"}], "metadata": {}}', None),
        (b'{"buyer_groups": [{"id": "7"}], "metadata": {"total_count": "many"}}', None),
        (b'{"buyer_groups": [{"id": "7"}]}', None),
        (b'[{"id": "7"}]', None),
    ],
)
def test_pages_with_and_without_metadata(body, total):
    """A page has a root node or not, whatever was asked for; only a number is taken for the number of rows."""
    for root in (True, False):
        assert rows(buyer_groups.list_buyer_groups(root=root), body) == ([{"id": "7"}], total)


WINDOW = {"created_at_from": "2026-01-02T00:00:00+02:00", "created_at_to": "2026-01-03T00:00:00.5Z"}


@pytest.mark.parametrize(
    ("created_at", "outside"),
    [
        ("2026-01-02T12:00:00.000Z", False),
        ("2026-01-01T21:59:59Z", False),
        ("2026-01-01T21:59:58Z", True),
        ("2026-01-01 16:59:58 -0500", True),
        ("2026-01-01 17:00:00.25 -0500", False),
        ("2026-01-03T00:00:02Z", False),
        ("2026-01-03T00:00:03+00:00", True),
        ("2030-01-01 00:00:00", False),
        ("yesterday", False),
        (None, False),
        (1, False),
    ],
)
def test_rows_outside_the_times_that_were_asked_for(created_at, outside):
    """A row that shows another time of creation is an error in JSON and CSV; a time without an offset shows none."""
    found = {"id": 7, "created_at": created_at}
    for form, body in (
        ("json", json.dumps({"buyer_groups": [{"id": 6}, {**found, "created_at": "2026-01-02T00:00:00Z"}, found]})),
        ("csv", f"id,created_at\r\n7,{created_at or ''}\r\n"),
    ):
        work = buyer_groups.list_buyer_groups(format=form, **WINDOW)
        if not outside:
            assert rows(work, body.encode())[0]
            continue
        with pytest.raises(
            ProtocolError, match=r"buyer group '?7'?, whose created_at .* lies outside 2026-01-02 00:0"
        ):
            rows(work, body.encode())
    only_from = buyer_groups.list_buyer_groups(created_at_from=WINDOW["created_at_from"])
    assert rows(only_from, b'[{"id": 7, "created_at": "2030-01-01T00:00:00Z"}]')[0]
    with pytest.raises(ProtocolError, match=r"lies outside any time to 2026-01-03 00:00:01 \+0000: it was not asked"):
        rows(
            buyer_groups.list_buyer_groups(created_at_to=WINDOW["created_at_to"]),
            b'[{"id": 7, "created_at": "2030-01-01T00:00:00Z"}]',
        )


@pytest.mark.parametrize("body", [b"{}", b'{"buyer_groups": {}}', b"[1]", b'{"error": "no"}', b"<html>", b"null"])
def test_pages_that_are_none(body):
    """Another answer is an error that names the request, and is not taken for an empty list."""
    with pytest.raises(ProtocolError, match="GET /buyer_groups"):
        rows(buyer_groups.list_buyer_groups(), body)


def test_formats_that_are_refused():
    """Only CSV is another format, and it has no root node."""
    with pytest.raises(InvalidArgument, match="format must be one of json, csv"):
        buyer_groups.list_buyer_groups(format="xml")
    with pytest.raises(InvalidArgument, match="root=False goes with format json only"):
        buyer_groups.list_buyer_groups(format="csv", root=False)


def test_pages_of_csv():
    """A page of CSV has texts, blank ones are None; a byte order mark and quoted line breaks are read."""
    listing = buyer_groups.list_buyer_groups(format="csv", columns="name")
    assert listing.request.path == "/buyer_groups.csv"
    found, total = rows(listing, b'\xef\xbb\xbfid,name\r\n7,"a\r\nb"\r\n8,\r\n')
    assert (found, total) == ([{"id": "7", "name": "a\r\nb"}, {"id": "8", "name": None}], None)
    assert rows(listing, b"id,name\r\n") == rows(listing, b"") == ([], None)


@pytest.mark.parametrize(
    "body", [b"name\r\nx\r\n", b"id,name\r\n7\r\n", b"id,id\r\n1,1\r\n", b"id\r\n\xff", b"<html>"]
)
def test_csv_that_is_none(body):
    """What is no table with an ID is refused."""
    with pytest.raises(ProtocolError, match="is not CSV"):
        rows(buyer_groups.list_buyer_groups(format="csv"), body)


@pytest.mark.parametrize(
    "body", [b'{"id": "7", "name": "x", "new": 1}', b'{"buyer_group": {"id": "7", "name": "x"}}']
)
def test_one_group(body):
    """A group comes bare or wrapped; fields that are not known stay."""
    work = buyer_groups.get_buyer_group("7")
    assert (work.request.method, work.request.path) == ("GET", "/buyer_groups/7")
    assert read(work, body)["name"] == "x"
    with pytest.raises(ProtocolError):
        read(work, b'{"metadata": {}}')


def test_a_create():
    """The body is bare, and values have their types."""
    work = buyer_groups.create_buyer_group(
        {
            "name": "Great Group Of Buyers",
            "paused": "off",
            "dial_buyers_type": "simultaneously",
            "buyer_ids": ["100123", 100124, 100123],
            "tier": "-1",
            "weight": Decimal("2.50"),
            "attempt_total_limit": "40",
            "revenue_daily_limit": None,
            "team_users_emails": "a@b.c",
            "team_offer_ids": [],
        }
    )
    assert (work.request.method, work.request.path, work.request.repeatable) == ("POST", "/buyer_groups", False)
    assert work.request.body == {
        "name": "Great Group Of Buyers",
        "paused": False,
        "dial_buyers_type": "simultaneously",
        "buyer_ids": [100123, 100124],
        "tier": -1,
        "weight": 2.5,
        "attempt_total_limit": 40,
        "revenue_daily_limit": "",
        "team_users_emails": ["a@b.c"],
        "team_offer_ids": [],
    }
    assert read(work, b'{"id": 7}', 201)["id"] == 7
    for body in (b"", b"{}", b'{"success": true}'):
        with pytest.raises(OutcomeUnknown, match="was accepted, but which object was made is not known"):
            read(work, body, 201)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "name is required"),
        ({"name ": "x"}, "did you mean 'name'"),
        ({"name": " "}, "name must be a text"),
        ({"name": "x", "add_buyer_ids": [1]}, "'add_buyer_ids' is not a documented attribute to create"),
        ({"name": "x", "reset_total_caps": True}, "'reset_total_caps' is not a documented attribute to create"),
        ({"name": "x", "attempt_hourly_limit": 1}, "'attempt_hourly_limit' is not a documented attribute"),
    ],
)
def test_creates_that_are_refused(attributes, message):
    """Only the documented attributes of a create are taken; an example's blank behind `name` is named."""
    with pytest.raises(InvalidArgument, match=message):
        buyer_groups.create_buyer_group(attributes)


@pytest.mark.parametrize(
    ("attributes", "repeatable"),
    [
        ({"paused": True}, True),
        ({"remove_buyer_ids": [1]}, True),
        ({"buyer_ids": []}, True),
        ({"add_buyer_ids": [1]}, False),
        ({"add_user_buyer_ids": ["a"]}, False),
        ({"paused": True, "reset_total_caps": True}, False),
        ({"generate_team": True}, False),
        ({"team_users_emails": ["a@b.c"]}, False),
    ],
)
def test_what_is_sent_again(attributes, repeatable):
    """A reset, an invitation and an addition are not sent again when their answer is lost."""
    request = update(**attributes)
    assert (request.method, request.path, request.body) == ("PUT", "/buyer_groups/7", attributes)
    assert request.repeatable is repeatable


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "nothing to change"),
        ({"pausd": True}, "did you mean 'paused'"),
        ({"paused": ""}, "paused must be True or False"),
        ({"paused": None}, "paused must be True or False"),
        ({"paused": 2}, "paused must be True or False"),
        ({"dial_buyers_type": "randomly"}, "dial_buyers_type must be one of sequentially, simultaneously"),
        ({"tier": ""}, "tier must be a decimal number"),
        ({"tier": True}, "tier must be a decimal number"),
        ({"weight": "1e3"}, "weight must be a decimal number"),
        ({"weight": float("nan")}, "weight must be a decimal number"),
        ({"weight": Decimal("Infinity")}, "weight must be a decimal number"),
        ({"weight": 10**15}, "weight must be a decimal number"),
        ({"weight": -(10**5000)}, "weight must be a decimal number"),
        ({"attempt_daily_limit": -1}, "attempt_daily_limit must be a decimal number of at least 0"),
        ({"attempt_daily_limit": "ten"}, "attempt_daily_limit must be a decimal number of at least 0"),
        ({"buyer_ids": ["x"]}, "not one of TrackDrive's own IDs"),
        ({"buyer_ids": [1, ""]}, "buyer_ids holds '', which is not an ID"),
        ({"buyer_ids": None}, "buyer_ids is None"),
        ({"buyer_ids": "None"}, "buyer_ids is None"),
        ({"buyer_ids": [1], "add_buyer_ids": [2]}, "buyer_ids replaces all buyers: give it without add_buyer_ids"),
        ({"buyer_ids": [1], "remove_user_buyer_ids": "a"}, "without remove_user_buyer_ids"),
        ({"add_user_buyer_ids": []}, "add_user_buyer_ids is empty"),
        ({"team_users_emails": ["a@b.c", "nobody"]}, "team_users_emails: item 2 is not an e-mail address"),
    ],
)
def test_changes_that_are_refused(attributes, message):
    """A wrong attribute is refused by name."""
    with pytest.raises(InvalidArgument, match=message):
        update(**attributes)


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, b'{"id": 7, "name": "x"}', {"id": 7, "name": "x"}),
        (200, b'{"buyer_group": {"name": "x"}}', {"name": "x"}),
        (200, b'{"success": true}', {}),
        (200, b"[]", {}),
        (200, b" ", {}),
        (204, b"", {}),
    ],
)
def test_answers_to_a_change(status, body, found):
    """What a change is answered with is not documented: any JSON will do, since the group is read again."""
    assert read(buyer_groups.update_buyer_group({"paused": True}, 7), body, status) == found


def test_a_login_page_is_no_answer_to_a_change():
    """An answer that is no JSON comes from something else than the API."""
    with pytest.raises(ProtocolError, match="is not JSON"):
        read(buyer_groups.update_buyer_group({"paused": True}, 7), b"<html>Sign in</html>")


def test_a_delete():
    """Whatever a delete is answered with, there is nothing to read."""
    work = buyer_groups.delete_buyer_group("7")
    assert (work.request.method, work.request.path, work.request.auth) == ("DELETE", "/buyer_groups/7", Auth.BASIC)
    assert read(work, b"<gone>") is None


def test_buyers():
    """Buyers are listed with what maps their IDs to the customer's."""
    listing = buyers.list_buyers()
    assert (listing.request.path, listing.request.query) == ("/buyers", (("columns", "name,id,user_buyer_id"),))
    assert dict(buyers.list_buyers(columns="paused").request.query) == {"columns": "id,paused"}
    assert rows(listing, b'{"buyers": [{"id": 1}], "metadata": {"total_count": 1}}') == ([{"id": 1}], 1)
    with pytest.raises(InvalidArgument, match="columns is empty"):
        buyers.list_buyers(columns=[])


def test_times_in_utc():
    """A time in UTC keeps its offset in the request."""
    assert query(created_at_to=datetime(2026, 1, 1, tzinfo=UTC))["created_at_to"] == "2026-01-01 00:00:00 +0000"
