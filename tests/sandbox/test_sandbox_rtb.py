"""Real-time bidding in the sandbox: reservations, Ping Shield, confirmations and caps."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, RESERVATION_KEY, RTB_KEY
from tests.sandbox.client import cap

CALLER = "+19195550100"


def ask(client, method="POST", path="/rtbs.json", key=RTB_KEY, **fields):
    """Send a request of real-time bidding; return its status and JSON."""
    answer = client.send(method, path, {"key": key, **fields}, bare=True)
    return answer.status, json.loads(answer.body)


def test_a_reservation_has_the_documented_keys(client):
    """A reservation names what is documented, and counts on no cap."""
    id_ = client.target(hard_cap_attributes={"cap": 5})["id"]
    status, row = ask(client, publisher_id="pub", caller_number=CALLER, caller_zip=12344, age=25)
    assert status == 200
    assert row == {
        "uuid": row["uuid"],
        "status": "reserved",
        "retreaver_payout": 20.0,
        "retreaver_seconds": 90,
        "inbound_number": f"sip:{row['uuid']}@sip.rtb.retreaver.com",
        "sip_address": f"{row['uuid']}@sip.rtb.retreaver.com",
        "expires_at": "2026-01-09T12:01:00.000Z",
    }
    assert cap(client.request("GET", f"/targets/{id_}.json")["target"], "Hard") == (0, 5)


def test_the_same_caller_gets_the_same_reservation(client):
    """A repeat before the reservation expires is shielded; after that it is a new one."""
    client.target()
    _, first = ask(client, caller_number=CALLER)
    assert ask(client, caller_number=CALLER) == (200, {**first, "retreaver_ping_shield": True})
    client.control("POST", "clock", {"advance": 61})
    assert ask(client, caller_number=CALLER)[1]["uuid"] != first["uuid"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_confirmation_counts_once(client, method):
    """A confirmed reservation counts on the caps, once."""
    id_ = client.target(hard_cap_attributes={"cap": 5})["id"]
    _, row = ask(client, caller_number=CALLER)
    for _ in range(2):
        confirmed = ask(client, method, f"/rtbs/{row['uuid']}.json", status="confirmed")
        assert confirmed == (200, {**row, "status": "confirmed"})
    assert cap(client.request("GET", f"/targets/{id_}.json")["target"], "Hard") == (1, 5)


def test_no_target(client):
    """Without a target that takes the call there is no reservation, nor a confirmation of one whose cap is full."""
    assert set(ask(client, caller_number=CALLER)[1]) == {"uuid", "status"}
    id_ = client.target(hard_cap_attributes={"cap": 1})["id"]
    _, row = ask(client, caller_number=CALLER)
    client.control("POST", f"targets/{id_}/fill", {"filled": 1})
    lost = {"uuid": row["uuid"], "status": "no-target"}
    assert ask(client, "PUT", f"/rtbs/{row['uuid']}.json", status="confirmed") == (200, lost)
    client.control("POST", f"targets/{id_}/fill", {"filled": 0})
    client.control("POST", "clock", {"advance": 61})
    assert ask(client, "PUT", f"/rtbs/{row['uuid']}.json", status="confirmed") == (200, lost)


def test_settings_of_the_key(client):
    """A key may allow requests without a caller, have a number of its own, and be paused."""
    client.target()
    assert ask(client, publisher_id="pub")[0] == 422
    client.control("POST", "rtb_keys", {"key": "k", "needs_caller": False, "inbound_number": "+18885551234"})
    first, second = (ask(client, key="k")[1] for _ in range(2))
    assert first["uuid"] != second["uuid"], "there is nothing to shield by"
    assert first["inbound_number"] == "+18885551234"
    assert ask(client, key="k", inbound_number="+18885550000")[1]["inbound_number"] == "+18885550000"
    client.control("POST", "rtb_keys", {"key": "k", "paused": True})
    assert ask(client, key="k", caller_number=CALLER)[0] == 403


@pytest.mark.parametrize(
    ("method", "path", "fields", "status"),
    [
        ("POST", "/rtbs.json", {"key": POSTBACK_KEY, "caller_number": CALLER}, 401),
        ("POST", "/rtbs.json", {"key": "", "caller_number": CALLER}, 401),
        ("POST", "/rtbs.json", {"caller_number": 19195550100}, 422),
        ("POST", "/rtbs.json", {"caller_number": "soon"}, 422),
        ("POST", "/rtbs.json", {"caller_number": CALLER, "age": [1]}, 422),
        ("PUT", "/rtbs/unknown.json", {"status": "confirmed"}, 404),
        ("POST", "/call_reservations.json", {"caller_number": CALLER, "publisher_id": "pub"}, 401),
        ("POST", "/call_reservations.json", {"key": RESERVATION_KEY, "caller_number": CALLER}, 422),
        ("POST", "/call_reservations.json", {"key": RESERVATION_KEY, "publisher_id": "pub"}, 422),
    ],
)
def test_wrong_requests_are_refused(client, method, path, fields, status):
    """A key of another type, numbers that are no text or missing, a tag that is a list, an unknown reservation."""
    assert ask(client, method, path, **fields)[0] == status


def test_another_status_than_confirmed_is_refused(client):
    """The one change of a reservation is its confirmation."""
    client.target()
    _, row = ask(client, caller_number=CALLER)
    assert ask(client, "PUT", f"/rtbs/{row['uuid']}.json", status="claimed")[0] == 422
