"""TrackDrive in the sandbox: access, lists, changes of buyer groups, used caps, and the control surface."""

from __future__ import annotations

import base64
import csv
import io
import json

import pytest

from airflow_provider_retreaver.sandbox.api.trackdrive.names import COLUMNS, LIMITS, ORDERS, USED, WRITABLE_LIMITS
from airflow_provider_retreaver.sandbox.options import (
    TRACKDRIVE_PRIVATE_KEY,
    TRACKDRIVE_PUBLIC_KEY,
    SandboxOptions,
)

PATH = "/api/v1/buyer_groups"


def basic(text=f"{TRACKDRIVE_PUBLIC_KEY}:{TRACKDRIVE_PRIVATE_KEY}"):
    """Return the header of two keys."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def send(client, method, target, body=None, **headers):
    """Send a request with the keys of TrackDrive only; return status and JSON."""
    answer = client.send(method, target, body, bare=True, **{"Authorization": basic(), **headers})
    return answer.status, json.loads(answer.body) if answer.body else None


def good(client, method, target, body=None):
    """Send a request that must succeed; return the group, or the rows of a list."""
    status, found = send(client, method, target, body)
    assert status in {200, 201}, (status, found)
    if isinstance(found, list):
        return found
    return found.get("buyer_group", found.get("buyer_groups", found.get("buyers", found)))


def refused(client, method, target, body=None):
    """Send a request that must be refused; return the messages by name."""
    status, found = send(client, method, target, body)
    assert status == 422, (status, found)
    return found["errors"]


def group(client, **attributes):
    """Add a group."""
    return good(client, "POST", f"{PATH}.json", {"name": "Great Group", **attributes})


def buyer(client, **attributes):
    """Add a buyer and return its ID."""
    return client.control("POST", "trackdrive/buyers", {"name": "Acme", **attributes})["id"]


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": basic("other:other")},
        {"Authorization": basic(f"{TRACKDRIVE_PUBLIC_KEY}:")},
        {"Authorization": basic(f"{TRACKDRIVE_PRIVATE_KEY}:{TRACKDRIVE_PUBLIC_KEY}")},
        {"Authorization": basic().replace("Basic", "Bearer")},
        {"Authorization": "Basic é"},
        {"Authorization": "Basic"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", PATH), ("GET", f"{PATH}.csv"), ("POST", PATH), ("PUT", f"{PATH}/1"), ("DELETE", f"{PATH}/1"),
     ("GET", f"{PATH}/1.json"), ("GET", "/api/v1/buyers")],
)  # fmt: skip
def test_without_the_right_keys(client, method, path, header):
    """Every route needs both keys in a Basic header; Retreaver's key opens none of them."""
    answer = client.send(method, f"{path}?api_key=sandbox-key&company_id=1", {"name": "x"}, bare=True, **header)
    assert answer.status == 401
    assert b"private key" in answer.body


def test_the_keys_are_options(client):
    """TrackDrive's keys open nothing of Retreaver's."""
    answer = client.send("GET", "/targets.json?company_id=1", bare=True, Authorization=basic())
    assert answer.status == 401


def test_a_public_key_with_a_colon_is_refused():
    """A Basic header could not hold it."""
    with pytest.raises(ValueError, match="trackdrive_public_key must not contain a colon"):
        SandboxOptions(trackdrive_public_key="a:b")


def test_what_is_served(client):
    """JSON needs no extension; CSV is one, for lists only; others are refused."""
    made = group(client)
    for path in (PATH, f"{PATH}.json"):
        assert send(client, "GET", path, accept="*/*")[0] == 200
    assert send(client, "GET", f"{PATH}/{made['id']}.csv")[0] == 406
    assert send(client, "GET", f"{PATH}.xml")[0] == 406
    assert send(client, "PATCH", f"{PATH}/{made['id']}")[0] == 405
    index = json.loads(client.send("GET", "/", bare=True).body)["routes"]
    listed = {(row["method"], row["path"], row["needs"]) for row in index if "buyer" in row["path"]}
    assert {("GET", f"{PATH}.json", "trackdrive"), ("DELETE", f"{PATH}/{{id}}.json", "trackdrive")} < listed


def test_a_new_group(client):
    """A group has every documented column; what was not set has the default."""
    first = group(client, buyer_ids=[buyer(client), buyer(client)])
    assert set(first) == set(COLUMNS)
    assert (first["buyer_ids"], first["buyers_count"], first["paused"], first["maxed_out"]) == (
        [1, 2],
        2,
        False,
        False,
    )
    assert first["dial_buyers_type"] == "sequentially"
    assert first["created_at"] == "2026-01-09T12:00:00.000Z"
    assert {first[name] for name in USED} == {0}
    assert {first[name] for name in LIMITS} == {None}
    assert good(client, "GET", f"{PATH}/{first['id']}") == first
    assert good(client, "GET", f"{PATH}/{first['id']}?columns=id,name") == {"id": first["id"], "name": "Great Group"}
    assert send(client, "GET", f"{PATH}/{first['id']}?root=false")[1] == first


def test_the_names_of_the_examples(client):
    """The documented examples have a blank after `name`, and work."""
    ids = [buyer(client, id=100_123), buyer(client, id=100_124)]
    made = good(client, "POST", PATH, {"name ": "Great Group Of Buyers", "buyer_ids": ids})
    assert (made["name"], made["buyer_ids"]) == ("Great Group Of Buyers", ids)


def test_writable_limits(client):
    """Twelve limits can be set, as numbers or texts; blank and null clear them; others cannot be set."""
    assert len(WRITABLE_LIMITS) == 12
    made = group(client, **dict.fromkeys(LIMITS, "12.5"))
    assert {name for name in LIMITS if made[name] == 12.5} == set(WRITABLE_LIMITS)
    cleared = good(
        client,
        "PUT",
        f"{PATH}/{made['id']}",
        {"attempt_total_limit": "", "revenue_daily_limit": None, "connection_total_limit": 3},
    )
    assert (cleared["attempt_total_limit"], cleared["revenue_daily_limit"]) == (None, None)
    assert (cleared["connection_total_limit"], cleared["attempt_daily_limit"]) == (3, 12.5)


def test_attributes(client):
    """Every other attribute is saved; a pause has its times."""
    made = group(client, tier="-1.5", weight=2, dial_buyers_type="simultaneously", paused="on")
    assert (made["tier"], made["weight"], made["dial_buyers_type"], made["paused"]) == (
        -1.5,
        2,
        "simultaneously",
        True,
    )
    assert made["paused_at"]
    client.control("POST", "clock", {"advance": 60})
    changed = good(client, "PUT", f"{PATH}/{made['id']}", {"paused": 0, "name": "Other", "unknown": 1})
    assert (changed["paused"], changed["name"], changed["tier"]) == (False, "Other", -1.5)
    assert changed["unpaused_at"] == changed["updated_at"] == "2026-01-09T12:01:00.000Z"


BAD = {
    "paused": "perhaps",
    "reset_total_caps": 2,
    "dial_buyers_type": "randomly",
    "tier": "first",
    "weight": True,
    "attempt_total_limit": "many",
    "revenue_total_limit": [1],
    "name": 3,
    "buyer_ids": [99],
    "add_buyer_ids": "1,2",
    "remove_buyer_ids": [True],
    "add_user_buyer_ids": ["no-such"],
    "remove_user_buyer_ids": [1],
    "generate_team": "maybe",
    "team_users_emails": ["someone"],
    "team_offer_ids": [99],
}


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_invalid_attributes_are_refused(client, name, value):
    """What is not as documented is refused by name, and nothing is saved."""
    made = group(client, tier=5)
    assert set(refused(client, "PUT", f"{PATH}/{made['id']}", {"tier": 6, name: value})) == {name}
    assert good(client, "GET", f"{PATH}/{made['id']}") == made


@pytest.mark.parametrize(
    "name", ["name", "paused", "tier", "dial_buyers_type", "add_user_buyer_ids", "generate_team"]
)
def test_blanks_that_are_not_allowed(client, name):
    """A blank clears only what is documented to take one."""
    made = group(client)
    for blank in ("", None):
        assert set(refused(client, "PUT", f"{PATH}/{made['id']}", {name: blank})) == {name}


def test_a_group_needs_a_name(client):
    """A new group without a name is refused."""
    assert refused(client, "POST", PATH, {"paused": True}) == {"name": ["can't be blank"]}


def test_buyers_of_a_group(client):
    """Buyers are added and removed by either kind of ID, each once, or replaced; not both at once."""
    ids = [buyer(client, user_buyer_id=f"loan-{number}") for number in range(5)]
    path = f"{PATH}/{group(client, buyer_ids=ids[:2])['id']}"

    def change(**body):
        return good(client, "PUT", path, body)["buyer_ids"]

    assert change(add_buyer_ids=[ids[2], ids[2], ids[0]], remove_buyer_ids=[ids[1]]) == [ids[0], ids[2]]
    assert change(add_user_buyer_ids=["loan-4"], remove_user_buyer_ids=["loan-0", "loan-3"]) == [ids[2], ids[4]]
    assert change(buyer_ids=[str(ids[3]), ids[1]]) == [ids[3], ids[1]]
    assert set(refused(client, "PUT", path, {"buyer_ids": [], "add_buyer_ids": [ids[0]]})) == {"buyer_ids"}
    assert change(add_buyer_ids="", remove_buyer_ids=[]) == [ids[3], ids[1]]
    assert change(buyer_ids="") == []


def test_a_deleted_group_is_gone(client):
    """A deleted group answers with the time, and is found no more."""
    made = group(client)
    assert good(client, "DELETE", f"{PATH}/{made['id']}")["deleted_at"]
    for method in ("GET", "PUT", "DELETE"):
        assert send(client, method, f"{PATH}/{made['id']}", {})[0] == 404
    assert good(client, "GET", PATH) == []
    assert send(client, "GET", f"{PATH}/x")[0] == 404


def test_used_caps(client):
    """Hours and days start again by themselves, totals by a reset, which leaves the others alone."""
    made = group(client, attempt_total_limit=10, connection_hourly_limit=1)
    for cap, used in (("attempt_total", 10), ("connection_hourly", 4), ("revenue_daily", 2.5)):
        client.control("POST", f"trackdrive/buyer_groups/{made['id']}/fill", {"cap": cap, "used": used})
    full = good(client, "GET", f"{PATH}/{made['id']}")
    assert (full["attempt_total_used"], full["connection_hourly_used"], full["revenue_daily_used"]) == (10, 4, 2.5)
    assert full["maxed_out"]
    reset = good(client, "PUT", f"{PATH}/{made['id']}", {"reset_total_caps": "yes"})
    assert (reset["attempt_total_used"], reset["connection_hourly_used"], reset["revenue_daily_used"]) == (0, 4, 2.5)
    assert not reset["maxed_out"]
    client.control("POST", "clock", {"advance": 3600})
    later = good(client, "GET", f"{PATH}/{made['id']}")
    assert (later["connection_hourly_used"], later["revenue_daily_used"]) == (0, 2.5)
    client.control("POST", "clock", {"advance": 86_400})
    assert good(client, "GET", f"{PATH}/{made['id']}")["revenue_daily_used"] == 0


def test_invitations(client):
    """Every request with addresses sends e-mails, one that is repeated as well."""
    made = group(client)
    offer = client.control("POST", "trackdrive/offers", {"name": "Loans"})["id"]
    body = {"generate_team": True, "team_users_emails": ["a@example.com"], "team_offer_ids": [offer]}
    for _ in range(2):
        good(client, "PUT", f"{PATH}/{made['id']}", body)
    sent = client.control("GET", "trackdrive/invitations")
    assert [(one["group_id"], one["email"]) for one in sent] == [(made["id"], "a@example.com")] * 2


def test_pages(client):
    """A page has 25 rows by default, newest first, with the total beside them; without a root there is none."""
    for _ in range(30):
        group(client)
    status, first = send(client, "GET", f"{PATH}?page=1&columns=id")
    assert status == 200
    assert [row["id"] for row in first["buyer_groups"]] == list(range(30, 5, -1))
    assert first["metadata"] == {"total_count": 30}
    assert [row["id"] for row in good(client, "GET", f"{PATH}?page=2&columns=id")] == [5, 4, 3, 2, 1]
    assert good(client, "GET", f"{PATH}?page=3&per_page=15") == []
    for no in ("false", "0", "off", "no"):
        assert send(client, "GET", f"{PATH}?root={no}&per_page=2&columns=id")[1] == [{"id": 30}, {"id": 29}]
    answer = client.send("GET", PATH, bare=True, Authorization=basic())
    assert "link" not in {name.lower() for name, _ in answer.headers}


def test_csv(client):
    """A CSV has the requested columns in their order, and a header on an empty page too."""
    group(client, name='Roofers, "best"', buyer_ids=[buyer(client), buyer(client)])
    target = f"{PATH}.csv?columns=name,buyer_ids,paused,attempt_total_limit"
    answer = client.send("GET", target, bare=True, Authorization=basic())
    assert ("Content-Type", "text/csv; charset=utf-8") in answer.headers
    rows = list(csv.reader(io.StringIO(answer.body.decode())))
    assert rows == [
        ["name", "buyer_ids", "paused", "attempt_total_limit"],
        ['Roofers, "best"', "[1, 2]", "false", ""],
    ]
    empty = client.send("GET", f"{target}&page=2", bare=True, Authorization=basic()).body
    assert empty == b"name,buyer_ids,paused,attempt_total_limit\r\n"
    assert send(client, "GET", f"{PATH}.csv?columns=nmae")[0] == 422


def test_every_order(client):
    """Every documented order is accepted in both directions; without a value a row comes first."""
    for tier, used in ((3, 5), (1, 9), (2, 0)):
        made = group(client, tier=tier, name=f"Tier {tier}")
        client.control("POST", f"trackdrive/buyer_groups/{made['id']}/fill", {"cap": "attempt_total", "used": used})
    for order in ORDERS:
        rising = [row["id"] for row in good(client, "GET", f"{PATH}?order={order}&order_dir=asc")]
        assert [row["id"] for row in good(client, "GET", f"{PATH}?order={order}&order_dir=desc")] == rising[::-1]
        assert sorted(rising) == [1, 2, 3]

    def ordered(query):
        return [row["tier"] for row in good(client, "GET", f"{PATH}?{query}")]

    assert ordered("order=tier&order_dir=asc") == [1, 2, 3]
    assert ordered("order=call_limits.attempt_total_used") == [1, 3, 2]


def test_created_at(client):
    """Groups are found by when they were created, with an offset, or in the time zone of the request."""
    group(client)
    client.control("POST", "clock", {"advance": 7200})
    group(client)

    def found(query):
        return [row["id"] for row in good(client, "GET", f"{PATH}?order_dir=asc&{query}")]

    assert found("created_at_from=2026-01-09 07:30:00 -0500") == [2]
    assert found("created_at_to=2026-01-09 08:30:00 -0500") == [1]
    assert found("created_at_from=2026-01-09 12:00:00%2B0000&created_at_to=2026-01-09T14:00:00Z") == [1, 2]
    assert found("created_at_from=2026-01-09 12:30:00") == [2]
    assert found("created_at_from=2026-01-09 07:30:00&time_zone=Eastern Time (US %26 Canada)") == [2]
    assert found("created_at_from=2026-01-09 07:30:00&time_zone=America/New_York") == [2]
    assert found("created_at_to=2026-01-09") == []


def test_fulltext(client):
    """A text is searched in names and IDs, in upper and lower case."""
    first, second = group(client, name="Roofers East"), group(client, name="Solar")
    found = good(client, "GET", f"{PATH}?fulltext=roofers")
    assert [row["id"] for row in found] == [first["id"]]
    assert [row["id"] for row in good(client, "GET", f"{PATH}?fulltext={second['uuid']}")] == [second["id"]]
    assert good(client, "GET", f"{PATH}?fulltext=plumbers") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "first"), ("page", "0"), ("per_page", "-1"), ("per_page", "1.5"), ("columns", "id,nmae"),
        ("columns", "cap_reset_at"), ("order", "id"), ("order", "attempt_total_used"), ("order_dir", "up"),
        ("root", "maybe"), ("created_at_from", "yesterday"), ("created_at_to", "2026-01-09 12:00:00  0500"),
        ("time_zone", "Mars"), ("time_zone", "../etc/passwd"),
    ],
)  # fmt: skip
def test_invalid_parameters_are_refused(client, name, value):
    """A parameter that is not as documented is refused by name."""
    assert set(refused(client, "GET", f"{PATH}?{name}={value}")) == {name}


def test_buyers(client):
    """Buyers are listed with their own IDs, in the same ways."""
    for number in range(3):
        buyer(client, name=f"Buyer {number}", user_buyer_id=f"loan-{number}")
    found = good(client, "GET", "/api/v1/buyers?columns=name,id,user_buyer_id&per_page=2")
    assert found[0] == {"name": "Buyer 2", "id": 3, "user_buyer_id": "loan-2"}
    assert len(found) == 2
    assert len(send(client, "GET", "/api/v1/buyers.json?root=false")[1]) == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("trackdrive/buyer_groups/1/fill", {"cap": "attempt", "used": 1}),
        ("trackdrive/buyer_groups/1/fill", {"cap": "attempt_total", "used": -1}),
        ("trackdrive/buyer_groups/1/fill", {"cap": "attempt_total"}),
        ("trackdrive/buyers", {"user_buyer_id": "x"}),
        ("trackdrive/buyers", {"name": "x", "colour": "red"}),
        ("trackdrive/buyers", {"name": "x", "user_buyer_id": "taken"}),
        ("trackdrive/offers", {}),
    ],
)
def test_wrong_control(client, path, body):
    """The control surface refuses what it does not understand."""
    group(client)
    buyer(client, user_buyer_id="taken")
    assert client.error(400, "POST", f"/__sandbox__/{path}", body)["error"]


def test_demo_data(demo):
    """The demo account has buyers and groups, some of which are full; a reset opens those whose total cap is."""
    groups = good(demo, "GET", f"{PATH}?per_page=100&order=created_at&order_dir=asc")
    assert len(groups) == 60
    assert all(row["buyer_ids"] for row in groups)
    full = [row for row in groups if row["maxed_out"]]
    assert 5 < len(full) < 30
    assert len(good(demo, "GET", "/api/v1/buyers?per_page=100")) == 40


def test_faults(client):
    """Scripted faults work on these routes as on all others."""
    client.control("POST", "faults", {"path": "buyer_groups", "status": 500, "then": "done"})
    answer = client.send("POST", PATH, {"name": "x"}, bare=True, Authorization=basic())
    assert answer.status == 500
    assert [row["name"] for row in good(client, "GET", PATH)] == ["x"]
