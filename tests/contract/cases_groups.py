# ruff: noqa: D401 - a docstring states what the case checks, as in a test
"""Cases of TrackDrive's buyer groups: every filter of their list, and the procedures that change them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    Gone,
    InvalidArgument,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    ProtocolError,
    RetreaverError,
)
from airflow_provider_retreaver.core.operations import Listing, Procedure, Row
from airflow_provider_retreaver.domain.changes.change import ChangeObjects
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from airflow_provider_retreaver.domain.resources import procedures
from airflow_provider_retreaver.domain.resources.create_once import Creation
from airflow_provider_retreaver.domain.trackdrive.group_change import BuyerGroupChange, MemberChange
from airflow_provider_retreaver.domain.trackdrive.team import SetTeam
from airflow_provider_retreaver.domain.trackdrive.total_cap_reset import ResetTotalCaps
from airflow_provider_retreaver.resources.entry import ObjectReference
from airflow_provider_retreaver.resources.trackdrive.buyer_groups import (
    create_buyer_group,
    delete_buyer_group,
    get_buyer_group,
    list_buyer_groups,
    update_buyer_group,
)
from airflow_provider_retreaver.resources.trackdrive.buyers import list_buyers
from airflow_provider_retreaver.resources.trackdrive.entry import BUYER_GROUPS
from airflow_provider_retreaver.resources.trackdrive.fields import COLUMNS, LIMITS
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY, TRACKDRIVE_PUBLIC_KEY
from tests.contract.harness import OTHER_CLIENT, CaseClient

PATH = "/api/v1/buyer_groups"
TOKEN = base64.b64encode(f"{TRACKDRIVE_PUBLIC_KEY}:{TRACKDRIVE_PRIVATE_KEY}".encode()).decode()
FORMS: tuple[dict[str, Any], ...] = ({}, {"root": False}, {"format": "csv"})
TEAM = {"generate_team": True, "team_users_emails": ["a@example.com", "b@example.com"]}


class _Groups:
    """The buyer groups of the account, prepared and inspected independently of the client under test."""

    def __init__(self, client: CaseClient) -> None:
        self._account = client.account
        # Several requests go out at once, in any order.
        client.concurrent = True
        client.connect_trackdrive()

    def do(self, method: str, path: str = "", body: Any = None) -> Any:
        """Send a request to TrackDrive as another client."""
        headers = {"content-type": "application/json", "authorization": f"Basic {TOKEN}", OTHER_CLIENT: "yes"}
        raw = b"" if body is None else json.dumps(body).encode()
        answer = self._account.sandbox.handle(method, f"{PATH}{path}", [], headers, raw)
        assert answer.status < 300, answer
        return json.loads(answer.body)["buyer_group"]

    def add(self, name: str = "Roofers", *, used: float = 0, **attributes: Any) -> int:
        """Add a group whose total caps have counted attempts, and return its ID."""
        id_ = int(self.do("POST", "", {"name": name, **attributes})["id"])
        self.fill(id_, used)
        return id_

    def fill(self, id_: int, used: float) -> None:
        """Set what the total cap of attempts has counted."""
        body = {"cap": "attempt_total", "used": used}
        self._account.control("POST", f"trackdrive/buyer_groups/{id_}/fill", body)

    def used(self, *ids: int) -> list[float]:
        """Return what the total caps of attempts have counted."""
        return [self.do("GET", f"/{id_}")["attempt_total_used"] for id_ in ids]

    def buyers(self, *own_ids: str) -> list[int]:
        """Add buyers with these IDs of the customer, and return TrackDrive's."""
        return [
            self._account.control("POST", "trackdrive/buyers", {"name": "Acme", "user_buyer_id": own})["id"]
            for own in own_ids
        ]

    def invited(self) -> int:
        """Return how many invitations were sent."""
        return len(self._account.control("GET", "trackdrive/invitations"))


def _rows(listing: Listing) -> Procedure[list[Row]]:
    rows: list[Row] = yield listing
    return rows


def _fields(result: Any) -> list[tuple[Any, ...]]:
    return [(row["id"], row["field"], row["before"], row["after"]) for row in result["changed"]]


def every_filter_of_the_list(client: CaseClient) -> None:
    """Each filter is sent as documented and chooses; with a root, bare and as CSV."""
    groups = _Groups(client)
    ids = []
    for name, tier, used in (("Roofers East", 3, 1), ("Roofers West", 1, 9), ("Solar", 2, 5), ("Roofers Old", 9, 7)):
        ids.append(groups.add(name, tier=tier, used=used))
        client.account.control("POST", "clock", {"advance": 3600})
    chosen: list[tuple[dict[str, Any], list[int], dict[str, str]]] = [
        ({}, [0, 1, 2, 3], {"order": "created_at", "order_dir": "asc"}),
        ({"order_dir": "desc"}, [3, 2, 1, 0], {"order_dir": "desc"}),
        ({"order": "tier"}, [1, 2, 0, 3], {"order": "tier"}),
        (
            {"order": "call_limits.attempt_total_used", "order_dir": "desc"},
            [1, 3, 2, 0],
            {"order": "call_limits.attempt_total_used"},
        ),
        ({"fulltext": "roofers"}, [0, 1, 3], {"fulltext": "roofers"}),
        (
            {"created_at_from": "2026-01-09 08:00:00 -0500"},
            [1, 2, 3],
            {"created_at_from": "2026-01-09 08:00:00 -0500"},
        ),
        ({"created_at_to": "2026-01-09T14:00:00Z"}, [0, 1, 2], {"created_at_to": "2026-01-09 14:00:00 +0000"}),
        (
            {
                "created_at_from": "2026-01-09T12:30:00+00:00",
                "created_at_to": "2026-01-09T16:30:00.5+02:00",
                "time_zone": "Eastern Time (US & Canada)",
                "fulltext": "roof",
            },
            [1],
            {"created_at_to": "2026-01-09 16:30:01 +0200", "time_zone": "Eastern Time (US & Canada)"},
        ),
    ]
    for form in FORMS:
        for parameters, places, sent in chosen:
            listing = list_buyer_groups(columns="id,name,created_at,buyer_ids", per_page=3, **parameters, **form)
            rows = client.iterate(listing)
            assert [int(row["id"]) for row in rows] == [ids[place] for place in places], (form, parameters)
            assert all(list(row) == ["id", "name", "created_at", "buyer_ids"] for row in rows)
            query = dict(client.entries()[-1]["query"])
            assert sent.items() <= query.items()
            assert (query["per_page"], query.get("root")) == ("3", "false" if form.get("root") is False else None)
        (row, *_) = client.iterate(list_buyer_groups(**form))
        assert list(row) == list(COLUMNS)


def rows_that_were_not_asked_for(client: CaseClient) -> None:
    """A server that ignores the times of creation is not believed, whatever the form of its answer."""
    _Groups(client)
    row = {"id": 7, "created_at": "2025-01-01T00:00:00.000Z"}
    for form, body in zip(FORMS, ({"buyer_groups": [row]}, [row], "id,created_at\r\n7,2025-01-01\r\n"), strict=True):
        text = body.replace("01-01", "01-01 00:00:00 +0000") if isinstance(body, str) else body
        client.fault("buyer_groups", status=200, body=text)
        error = client.fails(ProtocolError, _rows(list_buyer_groups(created_at_from="2026-01-01", **form)))
        assert "outside 2026-01-01 00:00:00 +0000 to now: it was not asked for" in str(error)


def _works() -> list[tuple[str, Callable[[], Any], bool]]:
    """Return every function with its method, and whether it is sent again after a lost answer."""
    return [
        ("GET", lambda: _rows(list_buyer_groups()), True),
        ("GET", lambda: _rows(list_buyer_groups(root=False)), True),
        ("GET", lambda: _rows(list_buyer_groups(format="csv")), True),
        ("GET", lambda: _rows(list_buyers()), True),
        ("GET", lambda: get_buyer_group(1), True),
        ("POST", lambda: create_buyer_group({"name": "x"}), False),
        ("PUT", lambda: update_buyer_group({"tier": 2, "attempt_daily_limit": None}, 1), True),
        ("PUT", lambda: update_buyer_group({"buyer_ids": []}, 1), True),
        ("PUT", lambda: update_buyer_group({"remove_buyer_ids": [1], "remove_user_buyer_ids": ["a"]}, 1), True),
        ("PUT", lambda: update_buyer_group({"add_buyer_ids": [1]}, 1), False),
        ("PUT", lambda: update_buyer_group({"add_user_buyer_ids": ["a"]}, 1), False),
        ("PUT", lambda: update_buyer_group({"reset_total_caps": True}, 1), False),
        ("PUT", lambda: update_buyer_group(TEAM, 1), False),
        ("PUT", lambda: update_buyer_group({"team_offer_ids": []}, 1), True),
        ("DELETE", lambda: delete_buyer_group(1), True),
    ]


def every_function_with_refusals_and_lost_answers(client: CaseClient) -> None:
    """Each status is an error of its own; what is safe is sent again, and nothing else."""
    groups = _Groups(client)
    groups.add()
    groups.buyers("a")
    refusals: dict[int, type[RetreaverError]] = {
        400: InvalidRequest,
        401: AuthenticationError,
        403: PermissionDenied,
        404: NotFound,
        410: Gone,
        422: InvalidRequest,
    }
    for method, make, repeatable in _works():
        before = len(client.sent(method))
        for status, kind in refusals.items():
            client.fault(status=status, body={"errors": {"tier": [f"no, {TRACKDRIVE_PRIVATE_KEY} may not"]}})
            assert "no, *** may not" in str(client.fails(kind, make()))
        for status in (429, 503):
            client.time.now += 1_000
            client.fault(status=status, headers={"Retry-After": "2"})
            client.fault(status=404)
            client.fails(NotFound, make())
        for fault in ({"status": 500}, {"status": 502}, {"cut": True}):
            client.time.now += 1_000
            client.fault(**fault, then="nothing")
            if repeatable:
                client.fault(status=422)
            client.fails(InvalidRequest if repeatable else OutcomeUnknown, make())
        assert len(client.sent(method)) - before == len(refusals) + 2 * 2 + 3 * (1 + repeatable)
    assert groups.invited() == 0
    # Waits between attempts are random, within limits that the policy's own cases check.
    client.waits.clear()


def groups_are_changed_and_what_is_as_wanted_is_left_alone(client: CaseClient) -> None:
    """Read, send what differs, read back: attributes, a limit cleared with a blank, buyers by both kinds of ID."""
    groups = _Groups(client)
    one, two, three, four = groups.buyers("loan-1", "loan-2", "loan-3", "loan-4")
    ids = [groups.add(buyer_ids=[two, three], revenue_total_limit=2.5, tier=1), groups.add("Solar", paused=True)]
    members = MemberChange(add=[one], remove=[two], add_own=["loan-4"], remove_own=["loan-3"])
    attributes = {"paused": "on", "revenue_total_limit": "", "tier": "-1.5", "dial_buyers_type": "simultaneously"}
    for changes in (12, 0):
        spec = BuyerGroupChange(ids, attributes, members).spec()
        result = client.run(ChangeObjects(spec, limit=ChangeLimit.parse(2)).procedure())
        assert (len(result["changed"]), result["failed"]) == (changes, [])
    bodies = {e["path"]: json.loads(e["body"]) for e in client.entries() if e["method"] == "PUT"}
    assert len(client.sent("PUT")) == 2
    assert bodies[f"{PATH}/{ids[0]}"] == {
        "paused": True, "revenue_total_limit": "", "tier": -1.5, "dial_buyers_type": "simultaneously",
        "add_buyer_ids": [one], "add_user_buyer_ids": ["loan-4"], "remove_buyer_ids": [two],
        "remove_user_buyer_ids": ["loan-3"],
    }  # fmt: skip
    now = groups.do("GET", f"/{ids[0]}")
    assert (now["buyer_ids"], now["revenue_total_limit"]) == ([one, four], None)


def every_limit_is_set_and_cleared(client: CaseClient) -> None:
    """Each of the twelve is compared, sent as a number, cleared with a blank and read back, all in one request."""
    groups = _Groups(client)
    id_ = groups.add()
    for value, sent, before, after in (("12.5", 12.5, None, 12.5), (" ", "", 12.5, None), (None, "", None, None)):
        spec = BuyerGroupChange([id_], dict.fromkeys(LIMITS, value)).spec()
        result = client.run(ChangeObjects(spec).procedure())
        changed = [] if before == after else [(id_, name, before, after) for name in LIMITS]
        assert (_fields(result), result["failed"]) == (changed, [])
        if changed:
            assert json.loads(client.entries()[-2]["body"]) == dict.fromkeys(LIMITS, sent)
    assert len(client.sent("PUT")) == 2


def what_is_wrong_is_refused_before_a_request(client: CaseClient) -> None:
    """Unknown names, values of wrong types and what contradicts itself are refused by name."""
    _Groups(client)
    wrong: Any = {"columns": "nmae"}
    for work, message in (
        (lambda: list_buyer_groups(**wrong), "did you mean 'name'"),
        (lambda: list_buyer_groups(order="attempt_total_used"), "did you mean 'call_limits.attempt_total_used'"),
        (lambda: list_buyer_groups(created_at_from="2016-01-01 12:25:15"), "created_at_from must be RFC 3339"),
        (lambda: list_buyer_groups(per_page=0), "per_page must be a whole number"),
        (lambda: get_buyer_group(" "), "buyer group id"),
        (lambda: create_buyer_group({"paused": True}), "name is required"),
        (lambda: create_buyer_group({"name": "x", "tier": float("nan")}), "tier must be a decimal number"),
        (lambda: update_buyer_group({"pausd": 1}, 1), "did you mean 'paused'"),
        (lambda: update_buyer_group({"attempt_total_limit": -1}, 1), "attempt_total_limit must be a decimal number"),
        (lambda: update_buyer_group({"add_user_buyer_ids": []}, 1), "add_user_buyer_ids is empty"),
        (lambda: update_buyer_group({"team_users_emails": ["x"]}, 1), "item 1 is not an e-mail address"),
        (lambda: update_buyer_group({"buyer_ids": [1], "add_buyer_ids": [2]}, 1), "buyer_ids replaces all buyers"),
        (lambda: delete_buyer_group(""), "buyer group id"),
        (lambda: BuyerGroupChange([1], {"reset_total_caps": True}), "has a parameter of its own"),
        (lambda: BuyerGroupChange([1], members=MemberChange(add=[1], remove=[1])), "is to be added and removed"),
        (lambda: SetTeam([1], {"generate_team": True, "paused": True}), "in a task without paused"),
    ):
        assert message in str(client.fails(InvalidArgument, _made_within(work)))
    assert client.sent() == []


def _made_within(work: Callable[[], Any]) -> Procedure[Any]:
    return (yield work())


def answers_that_are_none(client: CaseClient) -> None:
    """What cannot be read is an error of its own, and no group is changed for it."""
    _Groups(client)
    for body in ("<html>", {"error": "x"}, {"buyer_group": None}, [], "[" * 100_000):
        client.fault(status=200, body=body)
        client.fails(ProtocolError, get_buyer_group(1))
    client.fault(status=200, body=[{"id": [1]}])
    assert "is a list or an object, and not an ID" in str(client.fails(ProtocolError, _rows(list_buyer_groups())))
    for body, message in (
        ({"id": 1}, "came without 'paused'"),
        ({"id": 1, "paused": "perhaps"}, "has 'perhaps' in paused"),
        ({"id": 1, "paused": False, "deleted_at": "2026-01-01T00:00:00Z"}, "was deleted at 2026-01-01"),
    ):
        client.fault(status=200, body=body)
        result = client.run(ChangeObjects(BuyerGroupChange([1], {"paused": True}).spec()).procedure())
        assert message in result["failed"][0]["error"]
    client.fault(status=200, body={"id": "1"})
    assert "came without counts" in client.run(ResetTotalCaps([1]).procedure())["failed"][0]["error"]
    assert client.sent("PUT") == []


def all_buyers_are_replaced(client: CaseClient) -> None:
    """The list is compared in any order and sent whole; a dry run and a guard send nothing."""
    groups = _Groups(client)
    one, two, three = groups.buyers("a", "b", "c")
    id_ = groups.add(buyer_ids=[two, one])

    def replace(buyers: list[int], **how: Any) -> Any:
        return client.run(ChangeObjects(BuyerGroupChange([id_], buyers=buyers).spec(), **how).procedure())

    assert replace([one, two])["changed"] == []
    assert len(replace([three], dry_run=True)["would_change"]) == 1
    spec = BuyerGroupChange([id_], buyers=[]).spec()
    client.fails(ChangeRefused, ChangeObjects(spec, limit=ChangeLimit.parse(1)).procedure())
    assert client.sent("PUT") == []
    assert _fields(replace([three, one])) == [(id_, "buyer_ids", [one, two], [one, three])]
    assert _fields(replace([])) == [(id_, "buyer_ids", [one, three], [])]
    assert len(client.sent("PUT")) == 2


def a_lost_addition_is_read_back(client: CaseClient) -> None:
    """It is sent once: what is read back decides, and the next attempt sends what is missing."""
    groups = _Groups(client)
    (buyer,) = groups.buyers("a")
    ids = [groups.add(), groups.add()]
    for id_, then in zip(ids, ("done", "nothing"), strict=True):
        client.fault(f"{PATH}/{id_}", method="PUT", cut=True, then=then)
    record = Record()
    for failed in (1, 0):
        spec = BuyerGroupChange(ids, members=MemberChange(add_own=["a"])).spec()
        result = client.run(ChangeObjects(spec, record=record).procedure())
        assert (len(result["changed"]), len(result["failed"])) == (2 - failed, failed)
        record = Record.load(json.loads(json.dumps(record.dump())))
    assert sorted(client.sent("PUT")) == [f"PUT {PATH}/{ids[0]}", *[f"PUT {PATH}/{ids[1]}"] * 2]
    assert [groups.do("GET", f"/{id_}")["buyer_ids"] for id_ in ids] == [[buyer], [buyer]]


def what_cannot_be_found_is_refused(client: CaseClient) -> None:
    """A `user_buyer_id` that nobody has ends the run before a group is read; a missing group fails alone."""
    groups = _Groups(client)
    id_ = groups.add()
    error = client.fails(
        InvalidArgument,
        ChangeObjects(BuyerGroupChange([id_], members=MemberChange(add_own=["x"])).spec()).procedure(),
    )
    assert "No buyer has the user_buyer_id 'x'" in str(error)
    assert client.sent() == ["GET /api/v1/buyers"]
    result = client.run(ChangeObjects(BuyerGroupChange([999, id_], {"paused": True}).spec()).procedure())
    assert ([row["id"] for row in result["failed"]], _fields(result)) == ([999], [(id_, "paused", False, True)])


def total_caps_are_reset_once(client: CaseClient) -> None:
    """Lost answers, done or not; another attempt resets only what is left and keeps the calls since."""
    groups = _Groups(client)
    ids = [groups.add(used=used) for used in (40, 40, 40, 40, 0)]
    for id_, fault in (
        (ids[0], {"cut": True, "then": "done"}),
        (ids[1], {"status": 500}),
        (ids[2], {"status": 422}),
    ):
        client.fault(f"{PATH}/{id_}", method="PUT", **fault)
    record = Record()
    result = client.run(ResetTotalCaps(ids, record=record).procedure())
    assert sorted(_fields(result)) == [(id_, "attempt_total_used", 40, 0) for id_ in (ids[0], ids[1], ids[3])]
    assert ([row["id"] for row in result["failed"]], len(result["unchanged"])) == ([ids[2]], 1)
    for id_ in ids[:4]:
        groups.fill(id_, 45 if id_ == ids[2] else 3)
    record = Record.load(json.loads(json.dumps(record.dump())))
    again = client.run(ResetTotalCaps(ids, record=record).procedure())
    assert sorted(_fields(again)) == [
        (id_, "attempt_total_used", 45 if id_ == ids[2] else 40, 0) for id_ in sorted(ids[:4])
    ]
    assert groups.used(*ids) == [3, 3, 0, 3, 0]
    puts = client.sent("PUT")
    assert [puts.count(f"PUT {PATH}/{id_}") for id_ in ids] == [1, 2, 2, 1, 0]


def a_refused_key_ends_a_run(client: CaseClient) -> None:
    """Whichever procedure it is, nothing more is sent, and the error holds neither the keys nor the header."""
    groups = _Groups(client)
    id_ = groups.add(used=5)
    spec = BuyerGroupChange([id_], {"paused": True}).spec
    for make in (
        lambda: ChangeObjects(spec()).procedure(),
        lambda: ResetTotalCaps([id_]).procedure(),
        lambda: SetTeam([id_], TEAM).procedure(),
        lambda: Creation(BUYER_GROUPS, {"name": "x"}).procedure(),
        lambda: procedures.get(BUYER_GROUPS, ObjectReference(id_)),
        lambda: procedures.delete(BUYER_GROUPS, ObjectReference(id_)),
    ):
        before = len(client.entries())
        client.fault(status=401, body={"error": f"HTTP Basic: {TOKEN} of {TRACKDRIVE_PUBLIC_KEY} was refused"})
        error = client.fails(AuthenticationError, make())
        assert "(HTTP Basic: *** of *** was refused)" in str(error)
        assert len(client.entries()) - before == 1
    record = Record()
    client.fault(f"{PATH}/{id_}", method="PUT", status=401)
    client.fails(AuthenticationError, ResetTotalCaps([id_], record=record).procedure())
    assert (groups.used(id_), record.done) == ([5], {})


def a_team_is_invited_once(client: CaseClient) -> None:
    """What cannot be read back is sent once in a run, whether its answer is lost or not."""
    groups = _Groups(client)
    ids = [groups.add(), groups.add()]
    client.fault(f"{PATH}/{ids[1]}", method="PUT", cut=True, then="done")
    record = Record()
    for _ in range(2):
        result = client.run(SetTeam(ids, TEAM, record=record).procedure())
        assert [row["id"] for row in result["failed"]] == [ids[1]]
        assert _fields(result) == [
            (ids[0], "generate_team", None, True),
            (ids[0], "team_users_emails", None, "2 addresses"),
        ]
    assert groups.invited() == 4
    assert len(client.sent("PUT")) == 2
    assert "example.com" not in str(record.dump())


def a_group_is_created_once(client: CaseClient) -> None:
    """Lists with metadata or without, IDs as texts: the group that is new and as requested is the one created."""
    groups = _Groups(client)
    older = groups.add("Solar", tier=2)
    attributes = {"name": "Solar", "tier": 2, "team_users_emails": ["a@example.com"]}
    for fault in ({"status": 500}, {"cut": True}):
        client.fault(PATH, method="POST", **fault, then="nothing")
        client.fails(OutcomeUnknown, Creation(BUYER_GROUPS, attributes).procedure())
    client.fault(PATH, method="POST", status=502, then="done")
    record = Record()
    result = client.run(Creation(BUYER_GROUPS, attributes, record=record).procedure())
    assert (result["action"], result["id"], groups.invited()) == ("created", older + 1, 1)
    assert "example.com" not in str(record.dump())
    again = client.run(Creation(BUYER_GROUPS, attributes, record=Record.load(record.dump())).procedure())
    assert (again["id"], len(client.sent("POST"))) == (older + 1, 3)
    # A list without metadata, whose IDs are texts.
    before, after = [{"id": "1"}], [{"id": "1"}, {"id": "9", "name": "Solar", "tier": "2.0"}]
    for body in (before, before, after, after):
        client.fault(PATH, method="GET", status=200, body={"buyer_groups": body})
    client.fault(PATH, method="POST", status=500)
    assert client.run(Creation(BUYER_GROUPS, attributes).procedure())["id"] == "9"


def a_group_is_read_and_deleted(client: CaseClient) -> None:
    """By its ID as a number or a text; a delete whose answer was lost has succeeded."""
    groups = _Groups(client)
    ids = [groups.add(), groups.add()]
    reference = ObjectReference(str(ids[0]))
    assert client.run(procedures.get(BUYER_GROUPS, reference))["id"] == ids[0]
    client.fault(f"{PATH}/{ids[0]}", method="DELETE", cut=True, then="done")
    assert client.run(procedures.delete(BUYER_GROUPS, reference))["action"] == "deleted"
    assert client.run(procedures.delete(BUYER_GROUPS, reference))["action"] == "missing"
    assert client.run(procedures.get(BUYER_GROUPS, reference, missing_ok=True)) is None
    client.fails(NotFound, procedures.delete(BUYER_GROUPS, reference, missing_ok=False))
    assert client.run(procedures.delete(BUYER_GROUPS, ObjectReference(ids[1]), dry_run=True))["action"] == (
        "would_delete"
    )
    client.waits.clear()
