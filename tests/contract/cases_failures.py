# ruff: noqa: D401 - a case says what holds, as a test does
"""Bad weather: what is tried again, what is not, and what is said in the end."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ConnectionFailed,
    Gone,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    ProtocolError,
    RateLimited,
    Unavailable,
)
from airflow_provider_retreaver.resources.targets import (
    create_target,
    delete_target,
    get_target,
    reset_cap,
    update_target,
)
from tests.contract.harness import KEY, Caller


def a_target_is_created_read_changed_and_deleted(caller: Caller) -> None:
    """Everyday life: four requests, no wait."""
    made = caller.run(create_target({"number": "+19195550123", "name": "Käse & Söhne", "tid": "A/7"}))
    assert caller.run(get_target(tid="A/7"))["name"] == "Käse & Söhne"
    assert caller.run(update_target({"name": "B"}, id=made["id"])) is not None
    caller.run(delete_target(id=made["id"]))
    assert [e["method"] for e in caller.entries()] == ["POST", "GET", "PUT", "DELETE"]
    assert caller.waits == []


def a_401_is_not_tried_again(caller: Caller) -> None:
    """The message names the key, the field and the connection."""
    caller.connect(password="wrong-key-altogether")
    error = caller.fails(AuthenticationError, get_target(id=1))
    assert "password field of connection 'retreaver_default'" in str(error)
    assert error.status == 401
    assert len(caller.entries()) == 1


def a_403_is_not_tried_again(caller: Caller) -> None:
    """The message names the company and the field."""
    caller.connect(login="999")
    error = caller.fails(PermissionDenied, get_target(id=1))
    assert "Company ID (login field)" in str(error)
    assert len(caller.entries()) == 1


def a_404_names_the_path(caller: Caller) -> None:
    """It is not tried again, and shows no query."""
    error = caller.fails(NotFound, get_target(id=4711))
    assert (error.method, error.path, error.status) == ("GET", "/targets/4711.json", 404)
    assert "GET /targets/4711.json was answered 404" in str(error)
    assert "?" not in str(error)


def a_410_points_to_the_edition_of_the_routes(caller: Caller) -> None:
    """A route that is no longer served may be the other edition's."""
    caller.fault(status=410, body={"error": "gone"})
    assert "api_routes" in str(caller.fails(Gone, get_target(id=1)))


def a_422_tells_the_fields(caller: Caller) -> None:
    """The vendor's own words stand in the message and in the details."""
    caller.fault(status=422, body={"errors": {"number": ["is invalid", f"was {KEY}"]}})
    error = caller.fails(InvalidRequest, create_target({"number": "x"}))
    assert "number is invalid, was ***" in str(error)
    assert error.details == {"number": ["is invalid", "was ***"]}
    assert len(caller.entries()) == 1


def a_429_with_seconds_is_waited_out(caller: Caller) -> None:
    """`Retry-After` is what is waited, for a POST as well, and the work is done once."""
    id_ = caller.target(filled=3)
    caller.fault(status=429, times=2, headers={"Retry-After": "7"})
    caller.run(reset_cap(id_))
    assert caller.waits == [7.0, 7.0]
    assert caller.filled(id_) == 0


def a_429_with_a_date_long_ago_is_tried_at_once(caller: Caller) -> None:
    """A date in the past asks for no wait."""
    id_ = caller.target()
    caller.fault(status=429, headers={"Retry-After": "Fri, 01 Jan 1999 00:00:00 GMT"})
    caller.run(get_target(id=id_))
    assert caller.waits == [0.0]


def an_absurd_retry_after_is_capped(caller: Caller) -> None:
    """No more than `max_wait` is waited in all, pauses for the sake of others included."""
    caller.connect(extra={"max_wait": 10})
    for asked in ("86400", "9" * 60, "Fri, 01 Jan 2999 00:00:00 GMT"):
        before = len(caller.waits)
        caller.time.now += 10_000
        caller.fault(status=429, times=2, headers={"Retry-After": asked})
        error = caller.fails(RateLimited, get_target(id=1))
        assert caller.waits[before:] == [10.0]
        assert "Gave up after 2 attempts and 10.0 s of waiting." in str(error)


def a_retry_after_that_says_nothing_backs_off(caller: Caller) -> None:
    """Nonsense counts as no `Retry-After`: full jitter within the growing bound, and the common pause."""
    id_ = caller.target()
    for nonsense in ("soon", "-5", "1.5", "", "Fri, 99 Foo 2999 00:00:00 +99999999999999", "٣"[:0]):
        before = len(caller.waits)
        caller.time.now += 1_000
        caller.fault(status=429, headers={"Retry-After": nonsense})
        caller.run(get_target(id=id_))
        assert 0 <= caller.waits[before] <= 0.5
        assert sum(caller.waits[before:]) == pytest.approx(1.0, abs=1e-5)


def a_503_is_waited_out_for_a_post(caller: Caller) -> None:
    """503 refuses before doing anything, so even a reset is sent again."""
    id_ = caller.target(filled=3)
    caller.fault(method="POST", status=503, times=3, headers={"Retry-After": "2"})
    caller.run(reset_cap(id_))
    assert caller.sent("POST") == [f"POST /targets/{id_}/reset_cap.json"] * 4
    assert caller.waits == [2.0, 2.0, 2.0]


def a_429_that_does_not_end_says_how_long_it_was_tried(caller: Caller) -> None:
    """It ends after `max_attempts` with the time spent."""
    caller.connect(extra={"max_attempts": 4})
    caller.fault(status=429, times=None, headers={"Retry-After": "3"})
    error = caller.fails(RateLimited, get_target(id=1))
    assert "Gave up after 4 attempts and 9.0 s of waiting." in str(error)
    assert len(caller.entries()) == 4
    assert error.retry_after == 3.0


def one_attempt_means_one(caller: Caller) -> None:
    """Nothing is waited and nothing is said about attempts."""
    caller.connect(extra={"max_attempts": "1"})
    caller.fault(status=503, times=None)
    error = caller.fails(Unavailable, get_target(id=1))
    assert "Gave up" not in str(error)
    assert caller.waits == []


def a_5xx_is_tried_again_where_that_is_harmless(caller: Caller) -> None:
    """GET, PUT and DELETE are repeated after 500, 502, 504 and a proxy's own."""
    id_ = caller.target()
    for status in (500, 502, 504, 520):
        caller.fault(method="GET", status=status)
        assert caller.run(get_target(id=id_))["id"] == id_
        caller.fault(method="PUT", status=status, then="done")
        caller.run(update_target({"name": f"after {status}"}, id=id_))
    caller.fault(method="DELETE", status=500)
    caller.run(delete_target(id=id_))
    assert len(caller.waits) == 9


def a_5xx_that_cannot_get_better_is_not_tried_again(caller: Caller) -> None:
    """501 and 505 say never."""
    for status in (501, 505):
        caller.fault(status=status)
        caller.fails(Unavailable, get_target(id=1))
    assert len(caller.entries()) == 2


def a_5xx_leaves_a_post_open(caller: Caller) -> None:
    """Done or not done, it is never repeated."""
    for status in (500, 501, 502, 504):
        for then in ("done", "nothing"):
            id_ = caller.target(filled=4)
            before = len(caller.entries())
            caller.fault(method="POST", status=status, then=then)
            error = caller.fails(OutcomeUnknown, reset_cap(id_))
            assert (error.method, error.path) == ("POST", f"/targets/{id_}/reset_cap.json")
            assert len(caller.entries()) == before + 1
            assert caller.filled(id_) == (0 if then == "done" else 4)
    assert caller.waits == []


def a_connection_cut_after_a_post_leaves_it_open(caller: Caller) -> None:
    """The bytes were sent: it may have been done."""
    id_ = caller.target(filled=4)
    for then in ("nothing", "done"):
        caller.fault(method="POST", cut=True, then=then)
        error = caller.fails(OutcomeUnknown, reset_cap(id_))
        assert "the connection broke off" in str(error)
    assert caller.sent("POST") == [f"POST /targets/{id_}/reset_cap.json"] * 2


def a_cut_connection_is_tried_again_where_that_is_harmless(caller: Caller) -> None:
    """And gives up in the end with what was tried."""
    id_ = caller.target()
    caller.fault(method="GET", cut=True, times=3)
    assert caller.run(get_target(id=id_))["id"] == id_
    caller.connect(extra={"max_attempts": 3})
    caller.fault(method="GET", cut=True, times=3)
    error = caller.fails(ConnectionFailed, get_target(id=id_))
    assert error.sent
    assert "Gave up after 3 attempts" in str(error)


def a_delete_whose_answer_was_lost_is_done_when_it_is_gone(caller: Caller) -> None:
    """404 on the retry means that the first attempt did it."""
    for fault in ({"cut": True}, {"status": 500}, {"status": 502}):
        id_ = caller.target()
        caller.fault(method="DELETE", then="done", **fault)
        caller.run(delete_target(id=id_))
    id_ = caller.target()
    caller.fault(method="DELETE", status=500)
    caller.fault(method="DELETE", status=410)
    caller.run(delete_target(id=id_))


def a_delete_of_what_is_not_there_fails(caller: Caller) -> None:
    """At the first attempt, and after refusals that did nothing."""
    caller.fails(NotFound, delete_target(id=99))
    caller.fault(method="DELETE", status=503, headers={"Retry-After": "1"})
    caller.fault(method="DELETE", status=429, headers={"Retry-After": "1"})
    caller.fails(NotFound, delete_target(id=99))
    assert caller.waits == [1.0, 1.0]


def what_is_no_json_is_a_protocol_error(caller: Caller) -> None:
    """Status, path and a short safe excerpt, never the page."""
    page = f"<html>\n<a href='https://x/?api_key={KEY}'>Log in</a> {KEY} " + "padding " * 500
    deep = "[" * 200_000
    for status, body in (
        (200, page),
        (200, ""),
        (201, '{"target": {"id": 3, "na'),
        (200, " " * 1990 + KEY),
        (200, deep),
    ):
        caller.fault(method="GET", status=status, body=body)
        error = caller.fails(ProtocolError, get_target(id=1))
        assert error.status == status
        assert error.path == "/targets/1.json"
        assert len(str(error)) < 500
        assert "k3y" not in str(error)


def a_wrong_envelope_is_a_protocol_error(caller: Caller) -> None:
    """JSON of another kind is named for what it lacks."""
    for body in ("[]", "null", '{"affiliate": {}}', '{"target": null}', '"target"', "3"):
        caller.fault(method="GET", status=200, body=body)
        assert "holds no 'target' object" in str(caller.fails(ProtocolError, get_target(id=1)))


def a_redirect_is_not_followed(caller: Caller) -> None:
    """Whatever the status and wherever to, even to nowhere."""
    id_ = caller.target(filled=2)
    for status in (301, 302, 303, 307, 308):
        for place in (f"https://evil.example/?api_key={KEY}", "http://[::1", f"/targets/{id_}.json", "//", "\xff"):
            caller.fault(status=status, headers={"Location": place})
            error = caller.fails(InvalidRequest, get_target(id=id_))
            assert "redirect is not followed" in str(error)
            assert "evil" not in str(error)
    caller.fault(status=302, headers={"Location": f"/targets/{id_}/reset_cap.json"})
    caller.fails(InvalidRequest, reset_cap(id_))
    assert len(caller.entries()) == 26
    assert caller.filled(id_) == 2


def a_link_to_another_host_is_never_called(caller: Caller) -> None:
    """Even where it is the only way to the next page."""
    from airflow_provider_retreaver.resources.targets import list_targets

    caller.targets(27)
    caller.fault(headers={"Link": f'<http://127.0.0.9:1/x?page=2&api_key={KEY}>; rel="next"'}, path="targets.json")
    assert len(caller.iterate(list_targets())) == 27
    assert len(caller.entries()) == 2
