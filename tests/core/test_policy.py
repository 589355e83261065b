"""The policy: what is retried, how long it waits, and its errors and log lines."""

from __future__ import annotations

import copy
import logging
import pickle
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import Retrying

from airflow_provider_retreaver.core import errors
from airflow_provider_retreaver.core.answers import error_for, field_messages, join_messages
from airflow_provider_retreaver.core.errors import (
    ConnectionFailed,
    NotFound,
    OutcomeUnknown,
    PartialFailure,
    RateLimited,
    RetreaverError,
    Unavailable,
)
from airflow_provider_retreaver.core.messages import Auth, Request, Response
from airflow_provider_retreaver.core.policy import Policy, RetryState, may_repeat, outcome_unknown, retry_after
from tests.contract.harness import FakeTime

NOW = datetime(2026, 1, 9, 12, tzinfo=UTC)
GET, POST = Request("GET", "/x.json"), Request("POST", "/x.json")


def http_date(time):
    """Return a time in HTTP's format."""
    return format_datetime(time, usegmt=True)


@pytest.mark.parametrize(
    ("value", "date", "expected"),
    [
        ("", None, None),
        ("0", None, 0),
        ("120", None, 120),
        (" 7 ", None, 7),
        ("0000000000000120", None, 120),
        ("9" * 5_000, None, 9_999_999_999),
        ("-1", None, None),
        ("1.5", None, None),
        ("²", None, None),
        ("soon", None, None),
        (http_date(NOW + timedelta(seconds=30)), None, 30),
        (http_date(NOW - timedelta(days=1)), None, 0),
        # The server's clock is an hour ahead: the time is relative to its own Date.
        (http_date(NOW + timedelta(seconds=3_630)), http_date(NOW + timedelta(hours=1)), 30),
        (http_date(NOW - timedelta(seconds=3_570)), http_date(NOW - timedelta(hours=1)), 30),
        (http_date(NOW + timedelta(seconds=30)), "no date", 30),
        ("Fri, 09 Jan 2026 12:00:30 -0000", None, 30),
        ("Fri, 09 Jan 2026 12:00:30 +99999999999999", None, None),
        ("Fri, 09 Jan 99999 12:00:30 GMT", None, None),
    ],
)
def test_retry_after(value, date, expected):
    """Seconds, or a date by the server's clock; malformed values are None."""
    headers = {"retry-after": value} | ({"date": date} if date else {})
    assert retry_after(headers, NOW) == expected


@given(st.text(max_size=40), st.text(max_size=40))
def test_retry_after_never_raises(value, date):
    """Any text gives seconds or None."""
    seconds = retry_after({"retry-after": value, "date": date}, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"])
def test_which_requests_are_retried(method):
    """429 and 503 are always retried, other errors only for idempotent requests."""
    request, harmless = Request(method, "/x"), method not in {"POST", "PATCH"}
    assert request.repeatable is harmless
    assert may_repeat(request, RateLimited("x", status=429))
    assert may_repeat(request, Unavailable("x", status=503))
    for status in (500, 502, 504, 520):
        assert may_repeat(request, Unavailable("x", status=status)) is harmless
    for status in (501, 505):
        assert not may_repeat(request, Unavailable("x", status=status))
    assert may_repeat(request, ConnectionFailed("x")) is harmless
    assert may_repeat(request, ConnectionFailed("x", sent=False))
    assert not may_repeat(request, ConnectionFailed("x", sent=False, final=True))
    assert not may_repeat(request, NotFound("x", status=404))
    assert not may_repeat(request, ValueError())
    assert (outcome_unknown(request, Unavailable("x.", status=500)) is None) is harmless


def test_when_an_outcome_is_unknown():
    """It is unknown for a write that was sent and got no response, not after refusals or failed connections."""
    assert outcome_unknown(POST, Unavailable("x", status=503)) is None
    assert outcome_unknown(POST, RateLimited("x", status=429)) is None
    assert outcome_unknown(POST, ConnectionFailed("x", sent=False)) is None
    error = outcome_unknown(POST, ConnectionFailed("POST /x.json broke off.", method="POST", path="/x.json"))
    assert isinstance(error, OutcomeUnknown)
    assert "(POST /x.json broke off); read the object" in str(error)


def retry(policy, failures, request=GET, seed=1):
    """Retry a request that fails with these errors; return the waits and the last error."""
    random.seed(seed)
    clock, state = FakeTime(), RetryState(policy, request)
    left = list(failures)

    def attempt():
        if left:
            raise left.pop(0)
        return "done"

    try:
        result = Retrying(**state.strategies(), sleep=clock.sleep)(attempt)
    except RetreaverError as error:
        return clock.waits, error
    return clock.waits, result


def test_max_attempts():
    """The first attempt counts; the last error is raised with the number of attempts."""
    waits, error = retry(Policy(max_attempts=5, max_wait=1e6), [Unavailable("Down.", status=500) for _ in range(9)])
    assert len(waits) == 4
    assert str(error) == f"Down. Gave up after 5 attempts and {sum(waits):.1f} s of waiting."


def test_max_wait():
    """The last wait is shortened to the time left, and one more attempt follows."""
    limited = [RateLimited("Slow.", status=429, retry_after=50) for _ in range(9)]
    waits, error = retry(Policy(max_attempts=100, max_wait=120), limited)
    assert waits == [50, 50, 20]
    assert "Gave up after 4 attempts and 120.0 s of waiting." in str(error)


def test_no_waiting_means_one_attempt():
    """With `max_wait` 0 nothing is retried."""
    waits, error = retry(Policy(max_wait=0), [Unavailable("Down.", status=503)])
    assert waits == []
    assert str(error) == "Down."


def test_backoff_grows_with_full_jitter():
    """Each wait is random below a limit that doubles up to 30 seconds."""
    for seed in range(30):
        failures = [Unavailable("Down.", status=500) for _ in range(12)]
        waits, result = retry(Policy(max_attempts=20, max_wait=1e6), failures, seed=seed)
        assert result == "done"
        for number, wait in enumerate(waits):
            assert 0 <= wait <= min(30, 0.5 * 2**number)
    assert any(wait > 5 for wait in waits)


def test_an_error_that_is_not_retried_is_unchanged():
    """Also after errors that were retried."""
    waits, error = retry(Policy(), [Unavailable("Down.", status=503, retry_after=1), NotFound("No.", status=404)])
    assert waits == [1]
    assert str(error) == "No."


def test_pauses_of_the_account_count():
    """A pause of the account uses up the request's own `max_wait`."""
    state = RetryState(Policy(max_wait=10), GET)
    assert state.pause(4) == 4
    assert state.pause(40) == 6
    assert state.pause(40) == 0
    assert state.waited == 10


def test_every_wait_is_logged_before_it_begins(caplog):
    """The line has the reason, the seconds and the attempts; a pause of the account is logged too."""
    with caplog.at_level(logging.INFO):
        retry(Policy(max_attempts=4), [RateLimited("Slow.", status=429, retry_after=2.5)] * 2)
        RetryState(Policy(), GET).pause(3)
    assert [record.getMessage() for record in caplog.records] == [
        "Slow. Waiting 2.5 s before attempt 2 of at most 4.",
        "Slow. Waiting 2.5 s before attempt 3 of at most 4.",
        "GET /x.json waits 3.0 s: the server asked to slow down.",
    ]


def test_other_exceptions_are_not_retried():
    """A bug is raised at the first attempt, as it is."""
    clock = FakeTime()
    strategies = RetryState(Policy(), GET).strategies() | {"retry": lambda state: True}

    def attempt():
        raise KeyError("bug")

    with pytest.raises(TypeError, match="errors of this package only"):
        Retrying(**strategies, sleep=clock.sleep)(attempt)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, "InvalidRequest"),
        (400, "InvalidRequest"),
        (401, "AuthenticationError"),
        (403, "PermissionDenied"),
        (404, "NotFound"),
        (405, "InvalidRequest"),
        (406, "InvalidRequest"),
        (410, "Gone"),
        (418, "InvalidRequest"),
        (422, "InvalidRequest"),
        (429, "RateLimited"),
        (500, "Unavailable"),
        (503, "Unavailable"),
        (520, "Unavailable"),
    ],
)
def test_errors_by_status(status, kind):
    """Each status has its class; the message has the request and advice, and no query."""
    request = Request("GET", "/x.json", (("caller", "+1555"),))
    error = error_for(request, Response(status, {}, b"<html>"), connection="conn", retry_after=3)
    assert type(error).__name__ == kind
    assert str(error).startswith(f"GET /x.json was answered {status}: ")
    assert "1555" not in str(error)
    assert (error.status, error.retry_after, error.method, error.path) == (status, 3, "GET", "/x.json")
    assert isinstance(error, getattr(errors, kind))


def test_advice_of_a_403_fits_the_key_in_use():
    """A caller list's key has its own permissions."""
    response = Response(403, {}, b"")
    assert "Company ID" in str(error_for(GET, response, connection="c"))
    listed = Request("GET", "/x", auth=Auth.CALLER_LIST)
    assert "caller_list__show" in str(error_for(listed, response, connection="c"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"errors": {"number": ["is bad", "is long"], "name": "blank"}}', "number is bad, is long; name blank"),
        (b'{"errors": ["one", 2]}', "one, 2"),
        (b'{"error": "no"}', "no"),
        (b'{"error_messages": [{"x": 1}]}', "{'x': 1}"),
    ],
)
def test_messages_of_the_server(body, expected):
    """Messages of any shape are joined into one line."""
    assert join_messages(field_messages(Response(422, {}, body))) == expected


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"errors": {}}', b"\xff", b"[" * 100_000, b'"x"'])
def test_responses_without_messages(body):
    """Bodies without messages give no details."""
    assert field_messages(Response(422, {}, body)) is None


def test_errors_can_be_pickled_and_copied():
    """Message and attributes are kept."""
    error = error_for(GET, Response(429, {}, b'{"error": "x"}'), connection="c", retry_after=3)
    error.message += " More."
    for other in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):  # noqa: S301 - our own bytes
        assert type(other) is RateLimited
        assert vars(other) == vars(error)
        assert str(other) == str(error)
    assert PartialFailure("x").result == {}
    assert PartialFailure("x", result={"failed": []}).result == {"failed": []}
