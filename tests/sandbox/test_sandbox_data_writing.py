"""Call data writing in the sandbox: onto finished, running and unknown calls."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest

from airflow_provider_retreaver.sandbox.options import RTB_KEY, WRITING_KEY

CALLER = "+19195550100"
UUID = "2f1d3c4b-0000-4000-8000-000000000001"
APPLIED, RUNNING, STORED = (
    "completed call found, tags applied",
    "call in progress, tags stored",
    "call not found, tags stored",
)


def write(client, path="/data_writing", **fields):
    """Write tags by POST; return the status and the JSON."""
    answer = client.send("POST", path, {"key": WRITING_KEY, **fields}, bare=True)
    return answer.status, json.loads(answer.body)


def call(client, **fields):
    """Add a call and return its UUID."""
    return client.control("POST", "calls", {"fields": {"caller": CALLER, "tags": {}, **fields}})["uuids"][0]


def tags(client, uuid):
    """Return the tags of a call."""
    return client.request("GET", f"/api/v2/calls/{uuid}.json")["call"]["tags"]


def test_tags_of_a_finished_call_are_applied(client):
    """By UUID or by caller; a repeat overwrites the same keys, and other tags stay."""
    uuid = call(client, tags={"source": "web"})
    status, answer = write(client, call_uuid=uuid.upper(), sale="yes", amount=12)
    assert (status, answer) == (
        200,
        {"tag_values": {"sale": "yes", "amount": "12"}, "call_uuid": uuid, "status": APPLIED},
    )
    assert write(client, caller_number=CALLER, sale="no")[1]["status"] == APPLIED
    assert tags(client, uuid) == {"source": "web", "sale": "no", "amount": "12"}


DOCUMENTED = "9b653cf0-4835-493b-860c-aed9b7af2a4a"
EXAMPLES = [({"call_uuid": DOCUMENTED}, APPLIED), ({"caller_number": "+3569878933094"}, STORED)]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("named", "status"), EXAMPLES)
def test_the_examples_of_the_reference(client, method, named, status):
    """By GET with the key in the path and by POST with the key in the body: the documented answer, key by key."""
    call(client, uuid=DOCUMENTED)
    given = {**named, "age": "39", "utm_campaign": "auto"}
    if method == "GET":
        answer = client.send("GET", f"/data_writing/{WRITING_KEY}?{urlencode(given)}", bare=True)
    else:
        answer = client.send("POST", "/data_writing", {"key": WRITING_KEY, **given}, bare=True)
    documented = {"tag_values": {"age": "39", "utm_campaign": "auto"}, **named, "status": status}
    assert (answer.status, json.loads(answer.body)) == (200, documented)


def test_a_written_call_is_updated(client):
    """An export by time of update finds the call again."""
    uuid = call(client)
    client.control("POST", "clock", {"advance": 3600})
    write(client, call_uuid=uuid, sale="yes")
    assert client.request("GET", f"/api/v2/calls/{uuid}.json")["call"]["updated_at"].startswith("2026-01-09T08:00")


def test_a_caller_stands_for_its_newest_call(client):
    """Of several calls of one caller the newest gets the tags."""
    older = call(client, created_at="2026-01-08T12:00:00Z")
    newer = call(client, created_at="2026-01-09T11:00:00Z")
    write(client, caller_number=CALLER, sale="yes")
    assert (tags(client, older), tags(client, newer)) == ({}, {"sale": "yes"})


@pytest.mark.parametrize("by", ["uuid", "caller"])
def test_a_running_call_gets_its_tags_at_its_end(client, by):
    """The tags are stored until the call is finished."""
    uuid = call(client, status="in-progress", end_time=None)
    given = {"call_uuid": uuid} if by == "uuid" else {"caller_number": CALLER}
    assert write(client, **given, sale="yes")[1]["status"] == RUNNING
    assert tags(client, uuid) == {}
    # Another call that ends meanwhile is not this one.
    assert tags(client, call(client, caller="+19195550111")) == {}
    client.control("POST", f"calls/{uuid}", {"fields": {"status": "finished"}})
    assert tags(client, uuid) == {"sale": "yes"}


def test_tags_of_an_unknown_call_wait_for_it(client):
    """The next call of the caller, or the call with that UUID, gets them once."""
    assert write(client, caller_number=CALLER, sale="yes")[1]["status"] == STORED
    assert write(client, call_uuid=UUID, lead="7")[1]["status"] == STORED
    assert call(client, uuid=UUID) == UUID
    later = call(client)
    assert (tags(client, UUID), tags(client, later)) == ({"sale": "yes", "lead": "7"}, {})


def test_stored_tags_lapse(client):
    """The key says how long tags are stored, and how long after its end a call is found."""
    client.control(
        "POST",
        "rtb_keys",
        {"key": "k", "type": "Call Data Writing", "storage_seconds": 60, "cut_off_seconds": 3600},
    )
    old = call(client, created_at="2026-01-09T08:00:00Z")
    for given in ({"caller_number": CALLER}, {"call_uuid": old}):
        assert write(client, key="k", sale="yes", **given)[1]["status"] == STORED
    client.control("POST", "clock", {"advance": 61})
    new = call(client)
    assert (tags(client, old), tags(client, new)) == ({}, {})


@pytest.mark.parametrize("path", ["/data_writing", f"/data_writing/{WRITING_KEY}"])
def test_get_with_the_key_in_the_path_or_as_a_parameter(client, path):
    """As Retreaver's curl lines do it."""
    uuid = call(client)
    query = urlencode({**({} if WRITING_KEY in path else {"key": WRITING_KEY}), "caller_number": CALLER, "sale": "y"})
    answer = client.send("GET", f"{path}?{query}", bare=True)
    assert (answer.status, json.loads(answer.body)["status"]) == (200, APPLIED)
    assert tags(client, uuid) == {"sale": "y"}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"key": RTB_KEY, "caller_number": CALLER}, 401),
        ({"key": "", "caller_number": CALLER}, 401),
        ({}, 422),
        ({"caller_number": CALLER, "call_uuid": UUID}, 422),
        ({"caller_number": 19195550100}, 422),
        ({"caller_number": "soon"}, 422),
        ({"caller_number": CALLER, "sale": [1]}, 422),
    ],
)
def test_wrong_requests_are_refused(client, fields, status):
    """A key of another type, none or two names of the call, a number that is no text, a tag that is a list."""
    assert write(client, **fields)[0] == status


def test_the_path_has_no_extension(client):
    """Retreaver's page has none."""
    assert write(client, "/data_writing.json", caller_number=CALLER)[0] == 406
    client.control("POST", "rtb_keys", {"key": quote("k"), "type": "Call Data Writing", "paused": True})
    assert write(client, key="k", caller_number=CALLER)[0] == 403
    client.error(400, "POST", "/__sandbox__/rtb_keys", {"key": "k", "type": "Lead Scoring"}, bare=True)
    assert {"/data_writing", "/data_writing/{key}"} <= {row["path"] for row in client.request("GET", "/")["routes"]}
