# ruff: noqa: D401 - a docstring states what the case checks, as in a test
"""Cases of TrackDrive: the same clients, with a Basic header, and lists without a `Link`."""

from __future__ import annotations

import base64
import json

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ConnectionFailed,
    Gone,
    InvalidArgument,
    InvalidRequest,
    ListingIncomplete,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    ProtocolError,
    RateLimited,
    RetreaverError,
    Unavailable,
)
from airflow_provider_retreaver.core.operations import Listing, Procedure, Row
from airflow_provider_retreaver.domain.trackdrive.deletion import DeleteGroup
from airflow_provider_retreaver.resources.targets import list_targets
from airflow_provider_retreaver.resources.trackdrive.buyer_groups import (
    create_buyer_group,
    delete_buyer_group,
    get_buyer_group,
    list_buyer_groups,
    update_buyer_group,
)
from airflow_provider_retreaver.resources.trackdrive.buyers import list_buyers
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY, TRACKDRIVE_PUBLIC_KEY
from tests.contract.harness import OTHER_CLIENT, CaseClient

TOKEN = base64.b64encode(f"{TRACKDRIVE_PUBLIC_KEY}:{TRACKDRIVE_PRIVATE_KEY}".encode()).decode()
LISTS = ({}, {"root": False}, {"format": "csv"})


def _rows(listing: Listing) -> Procedure[list[Row]]:
    rows: list[Row] = yield listing
    return rows


def _groups(client: CaseClient, count: int) -> list[int]:
    return [client.run(create_buyer_group({"name": f"Group {number}"}))["id"] for number in range(count)]


def _groups_of_others(client: CaseClient, count: int) -> None:
    headers = {"content-type": "application/json", "authorization": f"Basic {TOKEN}", OTHER_CLIENT: "yes"}
    for _ in range(count):
        answer = client.account.sandbox.handle("POST", "/api/v1/buyer_groups", [], headers, b'{"name": "new"}')
        assert answer.status == 201


def _buyers(client: CaseClient, count: int) -> list[int]:
    made = [
        client.account.control("POST", "trackdrive/buyers", {"name": "Acme", "user_buyer_id": f"loan-{number}"})
        for number in range(count)
    ]
    return [one["id"] for one in made]


def a_group_is_created_read_changed_and_deleted(client: CaseClient) -> None:
    """Four requests with the same header and no key in the URL."""
    client.connect_trackdrive()
    buyers = _buyers(client, 3)
    made = client.run(create_buyer_group({"name": "Käse & Söhne", "buyer_ids": buyers[:2], "tier": -1.5}))
    assert client.run(get_buyer_group(made["id"])) == made
    change = {"add_user_buyer_ids": ["loan-2"], "remove_buyer_ids": buyers[:1], "attempt_total_limit": 5}
    changed = client.run(update_buyer_group(change, made["id"]))
    assert (changed["buyer_ids"], changed["attempt_total_limit"]) == (buyers[1:], 5)
    client.run(delete_buyer_group(made["id"]))
    assert [entry["method"] for entry in client.entries()] == ["POST", "GET", "PUT", "DELETE"]
    assert {entry["headers"]["authorization"] for entry in client.entries()} == {f"Basic {TOKEN}"}
    assert not any(entry["query"] for entry in client.entries())
    assert [row["user_buyer_id"] for row in client.iterate(list_buyers())] == ["loan-2", "loan-1", "loan-0"]


def a_deletion_is_read_before_and_after(client: CaseClient) -> None:
    """Three requests; then one, since the group is gone already."""
    client.connect_trackdrive()
    (id_,) = _groups(client, 1)
    for action, methods in (("deleted", ["GET", "DELETE", "GET"]), ("missing", ["GET"])):
        before = len(client.entries())
        result = client.run(DeleteGroup(id_).procedure())
        assert (result["action"], result["gone"]) == (action, True)
        assert [entry["method"] for entry in client.entries()[before:]] == methods
    client.fails(NotFound, DeleteGroup(id_, missing_ok=False).procedure())


def every_row_is_read_once_in_every_form(client: CaseClient) -> None:
    """With a root, bare and as CSV; lists of full pages only, of a single row and of none."""
    client.concurrent = True
    client.connect_trackdrive()
    ids: list[int] = []
    for count in (0, 1, 25, 26, 50, 60):
        ids += _groups(client, count - len(ids))
        for form in LISTS:
            listing = list_buyer_groups(columns=["name"], **form)
            assert [int(row["id"]) for row in client.iterate(listing)] == ids
            assert client.count(listing) == count


def the_page_size_is_that_of_the_connection(client: CaseClient) -> None:
    """It is always sent, since a list ends by it; a list may have its own."""
    client.concurrent = True
    client.connect_trackdrive(extra={"per_page": 7})
    ids = _groups(client, 16)
    for size, listing in ((7, list_buyer_groups()), (5, list_buyer_groups(per_page=5))):
        before = len(client.entries())
        assert [row["id"] for row in client.iterate(listing)] == ids
        sent = [dict(entry["query"]) for entry in client.entries()[before:]]
        assert {query["per_page"] for query in sent} == {str(size)}
        assert sorted(query["page"] for query in sent) == [str(number) for number in range(1, len(sent) + 1)]


def groups_created_while_reading(client: CaseClient) -> None:
    """Oldest first: what is created meanwhile comes at the end; newest first: no row comes twice."""
    client.racing = True
    client.connect_trackdrive(extra={"per_page": 5})
    existing = _groups(client, 12)

    def add(number: int) -> None:
        if number in (2, 7):
            _groups_of_others(client, 3)

    assert [row["id"] for row in client.iterate(list_buyer_groups(), between=add)][:12] == existing
    # One page after the other: of pages read at once, a later one may have been read before the rows shifted.
    client.connect_trackdrive(extra={"per_page": 5, "max_concurrency": 1})
    rows = [row["id"] for row in client.iterate(list_buyer_groups(order_dir="desc"), between=add)]
    assert len(rows) == len(set(rows))
    assert set(rows) >= set(existing)
    # Which of the new ones are seen is random.
    client.results.clear()


def a_list_without_its_total_or_with_a_wrong_one(client: CaseClient) -> None:
    """Without metadata a list ends by its pages; with more rows promised than come it is not complete."""
    client.connect_trackdrive(extra={"per_page": 2, "max_concurrency": 1})

    def pages(*bodies: object) -> None:
        for body in bodies:
            client.fault("buyer_groups", status=200, body=body)

    pages({"buyer_groups": [{"id": 1}, {"id": "2"}]}, {"buyer_groups": [{"id": 3}], "metadata": None})
    assert [row["id"] for row in client.iterate(list_buyer_groups())] == [1, "2", 3]
    pages([{"id": 1}, {"id": 2}], [])
    assert len(client.iterate(list_buyer_groups(root=False))) == 2
    total = {"metadata": {"total_count": 9}}
    for last in (total, {"metadata": {}}, {}):
        pages({"buyer_groups": [{"id": 1}], **total}, {"buyer_groups": [], **last})
        error = client.fails(ListingIncomplete, _rows(list_buyer_groups()))
        assert "ended after 1 of the 9 rows" in str(error)


def what_is_no_list_is_an_error(client: CaseClient) -> None:
    """A login page, another object or rows that are none are never an empty list."""
    client.connect_trackdrive()
    for body in ("<html>", {"error": "x"}, {"buyer_groups": {}}, {"buyer_groups": [1]}, '"x"', "null"):
        client.fault("buyer_groups", status=200, body=body)
        client.fails(ProtocolError, _rows(list_buyer_groups()))
    assert len(client.entries()) == 6


def a_401_names_the_fields_and_no_key(client: CaseClient) -> None:
    """Neither key nor header are in the error, also where the server sends them back."""
    client.connect_trackdrive(password="another-private-key")
    error = client.fails(AuthenticationError, get_buyer_group(1))
    assert "Public key (login), Private key (password)" in str(error)
    assert "connection 'trackdrive_default'" in str(error)
    assert len(client.entries()) == 1
    client.connect_trackdrive()
    echo = {"error": f"Basic {TOKEN} of {TRACKDRIVE_PUBLIC_KEY}:{TRACKDRIVE_PRIVATE_KEY} is not known"}
    client.fault(status=401, body=echo)
    error = client.fails(AuthenticationError, get_buyer_group(1))
    assert "(Basic *** of ***:*** is not known)" in str(error)


def errors_are_those_of_the_tree(client: CaseClient) -> None:
    """Each status has its error; none but 429 and 5xx is tried again."""
    client.connect_trackdrive(extra={"max_attempts": 2})
    kinds: dict[int, tuple[type[RetreaverError], int]] = {
        400: (InvalidRequest, 1),
        403: (PermissionDenied, 1),
        404: (NotFound, 1),
        410: (Gone, 1),
        422: (InvalidRequest, 1),
        429: (RateLimited, 2),
        500: (Unavailable, 2),
        503: (Unavailable, 2),
    }
    for status, (kind, requests) in kinds.items():
        before = len(client.entries())
        client.time.now += 1_000
        client.fault(status=status, times=requests, body={"errors": {"tier": ["must be a decimal number."]}})
        error = client.fails(kind, get_buyer_group(1))
        assert "tier must be a decimal number." in str(error)
        assert len(client.entries()) - before == requests, status


def redirects_are_not_followed(client: CaseClient) -> None:
    """A redirect to another host would get the keys."""
    client.connect_trackdrive()
    client.fault(status=302, headers={"Location": "http://127.0.0.1:9/api/v1/buyer_groups/1"})
    assert "redirects are not followed" in str(client.fails(InvalidRequest, get_buyer_group(1)))
    assert len(client.entries()) == 1


def lost_answers_of_writes(client: CaseClient) -> None:
    """A create and a reset are not sent again; a plain change and a delete are."""
    client.connect_trackdrive()
    (id_,) = _groups(client, 1)
    for fault in ({"cut": True}, {"status": 500}, {"status": 502}):
        for work, method in (
            (create_buyer_group({"name": "x"}), "POST"),
            (update_buyer_group({"reset_total_caps": True}, id_), "PUT"),
            (update_buyer_group({"team_users_emails": ["a@example.com"]}, id_), "PUT"),
        ):
            before = len(client.sent(method))
            client.fault("buyer_groups", **fault, then="done")
            client.fails(OutcomeUnknown, work)
            assert len(client.sent(method)) - before == 1
    assert len(client.account.control("GET", "trackdrive/invitations")) == 3
    client.time.now += 1_000
    client.fault("buyer_groups", cut=True, then="done")
    assert client.run(update_buyer_group({"tier": 2}, id_))["tier"] == 2
    client.fault("buyer_groups", cut=True, then="done")
    client.run(delete_buyer_group(id_))
    assert client.sent("PUT")[-2:] == [f"PUT /api/v1/buyer_groups/{id_}"] * 2
    assert client.sent("DELETE") == [f"DELETE /api/v1/buyer_groups/{id_}"] * 2


def what_was_not_done_is_sent_again(client: CaseClient) -> None:
    """After 429 and 503 nothing was done, so a create is sent again, once it may be."""
    client.connect_trackdrive()
    client.fault(status=429, headers={"Retry-After": "7"})
    client.fault(status=503, headers={"Retry-After": "3"})
    assert client.run(create_buyer_group({"name": "x"}))["id"] == 1
    assert client.waits[0] == 7.0
    assert len(client.iterate(list_buyer_groups())) == 1


def a_refused_connection_is_no_lost_write(client: CaseClient) -> None:
    """Without a connection nothing was sent, and the outcome is known."""
    client.connect_trackdrive(extra={"max_attempts": 1})
    client.fault(cut=True)
    assert type(client.fails(ConnectionFailed, get_buyer_group(1))) is ConnectionFailed


def requests_of_the_other_api_are_not_sent(client: CaseClient) -> None:
    """Keys of one company do not go to another."""
    client.connect_trackdrive()
    assert "not a request of TrackDrive" in str(client.fails(InvalidArgument, _rows(list_targets())))
    client.connect()
    assert "not a request of Retreaver" in str(client.fails(InvalidArgument, create_buyer_group({"name": "x"})))
    assert client.entries() == []


def refusals_of_the_server_name_the_attributes(client: CaseClient) -> None:
    """A buyer that does not exist is refused by name, and nothing is changed."""
    client.connect_trackdrive()
    made = client.run(create_buyer_group({"name": "x"}))
    error = client.fails(InvalidRequest, update_buyer_group({"add_buyer_ids": [99], "tier": 3}, made["id"]))
    assert "add_buyer_ids must be valid foreign key references: 99" in str(error)
    assert json.dumps(client.run(get_buyer_group(made["id"]))) == json.dumps(made)
