# ruff: noqa: D401 - a docstring states what the case checks, as in a test
"""Cases of failed requests: which are retried, which are not, and the errors."""

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
from tests.contract.harness import KEY, CaseClient


def a_target_is_created_read_changed_and_deleted(client: CaseClient) -> None:
    """Four requests, no wait."""
    created = client.run(create_target({"number": "+19195550123", "name": "Käse & Söhne", "tid": "A/7"}))
    assert client.run(get_target(tid="A/7"))["name"] == "Käse & Söhne"
    assert client.run(update_target({"name": "B"}, id=created["id"])) is not None
    client.run(delete_target(id=created["id"]))
    assert [e["method"] for e in client.entries()] == ["POST", "GET", "PUT", "DELETE"]
    assert client.waits == []


def a_401_is_not_retried(client: CaseClient) -> None:
    """The message names the key, the field and the connection."""
    client.connect(password="wrong-key-altogether")
    error = client.fails(AuthenticationError, get_target(id=1))
    assert "API key (password) of connection 'retreaver_default'" in str(error)
    assert error.status == 401
    assert len(client.entries()) == 1


def a_403_is_not_retried(client: CaseClient) -> None:
    """The message names the company and the field."""
    client.connect(login="999")
    error = client.fails(PermissionDenied, get_target(id=1))
    assert "Company ID (login)" in str(error)
    assert len(client.entries()) == 1


def a_404_names_the_path(client: CaseClient) -> None:
    """It is not retried, and the message has no query."""
    error = client.fails(NotFound, get_target(id=4711))
    assert (error.method, error.path, error.status) == ("GET", "/targets/4711.json", 404)
    assert "GET /targets/4711.json was answered 404" in str(error)
    assert "?" not in str(error)


def a_410_names_the_setting_of_the_routes(client: CaseClient) -> None:
    """A route that no longer exists may exist with the other value of api_routes."""
    client.fault(status=410, body={"error": "gone"})
    assert "api_routes" in str(client.fails(Gone, get_target(id=1)))


def a_422_names_the_fields(client: CaseClient) -> None:
    """Retreaver's messages are in the error's text and details, without the key."""
    client.fault(status=422, body={"errors": {"number": ["is invalid", f"was {KEY}"]}})
    error = client.fails(InvalidRequest, create_target({"number": "x"}))
    assert "number is invalid, was ***" in str(error)
    assert error.details == {"number": ["is invalid", "was ***"]}
    assert len(client.entries()) == 1


def a_429_with_seconds_is_retried_after_them(client: CaseClient) -> None:
    """The client waits as long as `Retry-After`, also for a POST, which takes effect once."""
    id_ = client.target(filled=3)
    client.fault(status=429, times=2, headers={"Retry-After": "7"})
    client.run(reset_cap(id_))
    assert client.waits == [7.0, 7.0]
    assert client.filled(id_) == 0


def a_429_with_a_past_date_is_retried_at_once(client: CaseClient) -> None:
    """The client does not wait."""
    id_ = client.target()
    client.fault(status=429, headers={"Retry-After": "Fri, 01 Jan 1999 00:00:00 GMT"})
    client.run(get_target(id=id_))
    assert client.waits == [0.0]


def waits_are_limited_by_max_wait(client: CaseClient) -> None:
    """The client waits at most `max_wait` in total, including pauses because of other requests."""
    client.connect(extra={"max_wait": 10})
    for retry_after in ("86400", "9" * 60, "Fri, 01 Jan 2999 00:00:00 GMT"):
        before = len(client.waits)
        client.time.now += 10_000
        client.fault(status=429, times=2, headers={"Retry-After": retry_after})
        error = client.fails(RateLimited, get_target(id=1))
        assert client.waits[before:] == [10.0]
        assert "Gave up after 2 attempts and 10.0 s of waiting." in str(error)


def an_invalid_retry_after_is_ignored(client: CaseClient) -> None:
    """The client waits as without `Retry-After`: full jitter within the growing limit, and the shared pause."""
    id_ = client.target()
    for retry_after in ("soon", "-5", "1.5", "", "Fri, 99 Foo 2999 00:00:00 +99999999999999", "٣"[:0]):
        before = len(client.waits)
        client.time.now += 1_000
        client.fault(status=429, headers={"Retry-After": retry_after})
        client.run(get_target(id=id_))
        assert 0 <= client.waits[before] <= 0.5
        assert sum(client.waits[before:]) == pytest.approx(1.0, abs=1e-5)


def a_503_is_retried_for_a_post(client: CaseClient) -> None:
    """A request answered with 503 was not executed, so even a reset is sent again."""
    id_ = client.target(filled=3)
    client.fault(method="POST", status=503, times=3, headers={"Retry-After": "2"})
    client.run(reset_cap(id_))
    assert client.sent("POST") == [f"POST /targets/{id_}/reset_cap.json"] * 4
    assert client.waits == [2.0, 2.0, 2.0]


def a_repeated_429_ends_with_the_time_spent(client: CaseClient) -> None:
    """The client gives up after `max_attempts`."""
    client.connect(extra={"max_attempts": 4})
    client.fault(status=429, times=None, headers={"Retry-After": "3"})
    error = client.fails(RateLimited, get_target(id=1))
    assert "Gave up after 4 attempts and 9.0 s of waiting." in str(error)
    assert len(client.entries()) == 4
    assert error.retry_after == 3.0


def max_attempts_of_one_means_no_retry(client: CaseClient) -> None:
    """The client does not wait and the message does not mention attempts."""
    client.connect(extra={"max_attempts": "1"})
    client.fault(status=503, times=None)
    error = client.fails(Unavailable, get_target(id=1))
    assert "Gave up" not in str(error)
    assert client.waits == []


def a_5xx_is_retried_for_idempotent_methods(client: CaseClient) -> None:
    """GET, PUT and DELETE are repeated after 500, 502, 504 and a status of a proxy."""
    id_ = client.target()
    for status in (500, 502, 504, 520):
        client.fault(method="GET", status=status)
        assert client.run(get_target(id=id_))["id"] == id_
        client.fault(method="PUT", status=status, then="done")
        client.run(update_target({"name": f"after {status}"}, id=id_))
    client.fault(method="DELETE", status=500)
    client.run(delete_target(id=id_))
    assert len(client.waits) == 9


def a_permanent_5xx_is_not_retried(client: CaseClient) -> None:
    """501 and 505 do not go away."""
    for status in (501, 505):
        client.fault(status=status)
        client.fails(Unavailable, get_target(id=1))
    assert len(client.entries()) == 2


def a_5xx_of_a_post_is_outcome_unknown(client: CaseClient) -> None:
    """The POST is never repeated, whether it was executed or not."""
    for status in (500, 501, 502, 504):
        for then in ("done", "nothing"):
            id_ = client.target(filled=4)
            before = len(client.entries())
            client.fault(method="POST", status=status, then=then)
            error = client.fails(OutcomeUnknown, reset_cap(id_))
            assert (error.method, error.path) == ("POST", f"/targets/{id_}/reset_cap.json")
            assert len(client.entries()) == before + 1
            assert client.filled(id_) == (0 if then == "done" else 4)
    assert client.waits == []


def a_connection_dropped_after_a_post_is_outcome_unknown(client: CaseClient) -> None:
    """The request was sent and may have been executed."""
    id_ = client.target(filled=4)
    for then in ("nothing", "done"):
        client.fault(method="POST", cut=True, then=then)
        error = client.fails(OutcomeUnknown, reset_cap(id_))
        assert "the connection was closed" in str(error)
    assert client.sent("POST") == [f"POST /targets/{id_}/reset_cap.json"] * 2


def a_dropped_connection_is_retried_for_idempotent_methods(client: CaseClient) -> None:
    """The client gives up after `max_attempts`."""
    id_ = client.target()
    client.fault(method="GET", cut=True, times=3)
    assert client.run(get_target(id=id_))["id"] == id_
    client.connect(extra={"max_attempts": 3})
    client.fault(method="GET", cut=True, times=3)
    error = client.fails(ConnectionFailed, get_target(id=id_))
    assert error.sent
    assert "Gave up after 3 attempts" in str(error)


def a_delete_whose_answer_was_lost_succeeds_with_404(client: CaseClient) -> None:
    """404 of the retry means that the first attempt deleted the object."""
    for fault in ({"cut": True}, {"status": 500}, {"status": 502}):
        id_ = client.target()
        client.fault(method="DELETE", then="done", **fault)
        client.run(delete_target(id=id_))
    id_ = client.target()
    client.fault(method="DELETE", status=500)
    client.fault(method="DELETE", status=410)
    client.run(delete_target(id=id_))


def a_delete_of_a_missing_object_fails(client: CaseClient) -> None:
    """At the first attempt, and after attempts that were not executed."""
    client.fails(NotFound, delete_target(id=99))
    client.fault(method="DELETE", status=503, headers={"Retry-After": "1"})
    client.fault(method="DELETE", status=429, headers={"Retry-After": "1"})
    client.fails(NotFound, delete_target(id=99))
    assert client.waits == [1.0, 1.0]


def an_answer_that_is_no_json_is_a_protocol_error(client: CaseClient) -> None:
    """With status, path and a short excerpt without the key."""
    page = f"<html>\n<a href='https://x/?api_key={KEY}'>Log in</a> {KEY} " + "padding " * 500
    deep = "[" * 200_000
    for status, body in (
        (200, page),
        (200, ""),
        (201, '{"target": {"id": 3, "na'),
        (200, " " * 1990 + KEY),
        (200, deep),
    ):
        client.fault(method="GET", status=status, body=body)
        error = client.fails(ProtocolError, get_target(id=1))
        assert error.status == status
        assert error.path == "/targets/1.json"
        assert len(str(error)) < 500
        assert "k3y" not in str(error)


def a_wrong_envelope_is_a_protocol_error(client: CaseClient) -> None:
    """The error names the missing object."""
    for body in ("[]", "null", '{"affiliate": {}}', '{"target": null}', '"target"', "3"):
        client.fault(method="GET", status=200, body=body)
        assert "holds no 'target' object" in str(client.fails(ProtocolError, get_target(id=1)))


def a_redirect_is_not_followed(client: CaseClient) -> None:
    """With any status and any location, even an invalid one."""
    id_ = client.target(filled=2)
    for status in (301, 302, 303, 307, 308):
        for location in (f"https://evil.example/?api_key={KEY}", "http://[::1", f"/targets/{id_}.json", "//", "\xff"):
            client.fault(status=status, headers={"Location": location})
            error = client.fails(InvalidRequest, get_target(id=id_))
            assert "redirects are not followed" in str(error)
            assert "evil" not in str(error)
    client.fault(status=302, headers={"Location": f"/targets/{id_}/reset_cap.json"})
    client.fails(InvalidRequest, reset_cap(id_))
    assert len(client.entries()) == 26
    assert client.filled(id_) == 2


def a_link_to_another_host_is_never_called(client: CaseClient) -> None:
    """The next page is read from the connection's host."""
    from airflow_provider_retreaver.resources.targets import list_targets

    client.targets(27)
    client.fault(headers={"Link": f'<http://127.0.0.9:1/x?page=2&api_key={KEY}>; rel="next"'}, path="targets.json")
    assert len(client.iterate(list_targets())) == 27
    assert len(client.entries()) == 2
