"""What `RetreaverResetCapOperator` does with failing requests and bad connections."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core import errors
from tests.airflow.support.account import KEY, StateStore, TaskInstance, context_of, reset_caps

pytestmark = pytest.mark.airflow

SECRET = "s3cr3t"
API = "https://api.retreaver.com"


def connect(monkeypatch: pytest.MonkeyPatch, account: Any, **changes: Any) -> None:
    """Change the connection."""
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(**changes)))


def message(error: BaseException | None) -> str:
    """Return everything that a log would show of an error, its causes and contexts included."""
    text = "".join(traceback.format_exception(error))
    while error is not None:
        text += f"{error!r} {error.args!r} {vars(error)!r}"
        error = error.__cause__ or error.__context__
    return text


BAD_CONNECTIONS = {
    "blank key": ({"password": " "}, "password"),
    "no key": ({"password": None}, "password"),
    "company that is no number": ({"login": "Acme"}, "login"),
    "key and company swapped": ({"login": KEY, "password": "1"}, "login"),
    "unknown extra": ({"extra": {"max_atempts": 3}}, "max_atempts"),
    "extra out of bounds": ({"extra": {"max_concurrency": 0}}, "max_concurrency"),
    "http to a foreign host": ({"host": "http://example.com"}, "host"),
    "schema http to a foreign host": ({"host": "example.com", "schema": "http"}, "host"),
    "port without host": ({"host": None, "port": 8080}, "Port is set without Base URL"),
    "host with a path": ({"host": "https://api.retreaver.com/v2"}, "host"),
}


@pytest.mark.parametrize(("changes", "field"), BAD_CONNECTIONS.values(), ids=BAD_CONNECTIONS.keys())
def test_a_bad_connection(account, monkeypatch, requests_mock, changes, field):
    """A connection that cannot work fails at once in one sentence that names the field; no request is sent."""
    connect(monkeypatch, account, **changes)
    with pytest.raises(errors.InvalidConnection) as caught:
        reset_caps(target_ids=1)
    assert isinstance(caught.value, AirflowFailException)
    assert "'retreaver_default'" in str(caught.value)
    assert field in str(caught.value)
    assert str(caught.value).count("\n") == 0
    assert SECRET not in message(caught.value)
    assert requests_mock.call_count == 0


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [(401, errors.AuthenticationError, "API key"), (403, errors.PermissionDenied, "Company ID")],
)
@pytest.mark.parametrize("path", ["/targets/", "/reset_cap"])
def test_refused_credentials_end_the_task_at_once(account, status, kind, advice, path):
    """401 and 403 are not retried, keep their type, and name what to check."""
    id_ = account.target(filled=10)
    account.fault(path, status=status, times=None)
    with pytest.raises(kind) as caught:
        reset_caps(target_ids=id_)
    assert isinstance(caught.value, AirflowFailException)
    assert advice in str(caught.value)
    assert "'retreaver_default'" in str(caught.value)
    assert caught.value.status == status
    read, sent = f"GET /targets/{id_}.json", f"POST /targets/{id_}/reset_cap.json"
    assert account.sent() == ([read, read, sent] if "reset" in path else [read])


def test_credentials_refused_in_the_middle(account):
    """What was reset before the key was refused is pushed, so that another task can report it."""
    first, second = account.targets(2)
    account.fault(f"/targets/{second}/reset_cap", status=401)
    context = context_of()
    with pytest.raises(errors.AuthenticationError):
        reset_caps(context, target_ids=[first, second])
    pushed = context["ti"].pushed["return_value"]
    assert [(row["id"], row["filled_before"], row["filled_after"]) for row in pushed["reset"]] == [(first, 10, None)]


def test_the_sandbox_itself_refuses_a_wrong_key_and_company(account, monkeypatch):
    """The sandbox's own 401 and 403, not scripted ones."""
    connect(monkeypatch, account, password="wrong")
    with pytest.raises(errors.AuthenticationError):
        reset_caps(target_ids=1)
    connect(monkeypatch, account, login="999")
    with pytest.raises(errors.PermissionDenied):
        reset_caps(target_ids=1)


def test_one_of_many_is_unknown(account):
    """A 404 for one is reported by ID; the others are done, the result is pushed, the task fails naming it."""
    ids = account.targets(3)
    context = context_of()
    with pytest.raises(errors.PartialFailure) as caught:
        reset_caps(context, target_ids=[ids[0], 999, *ids[1:]], tids="nobody", target_group_ids=77)
    assert isinstance(caught.value, AirflowFailException)
    assert [account.filled(id_) for id_ in ids] == [0, 0, 0]
    for name in ("target 999", "tid nobody", "group 77", "3 of 6"):
        assert name in str(caught.value)
    pushed = context["ti"].pushed["return_value"]
    assert pushed == caught.value.result
    assert [row["id"] for row in pushed["reset"]] == ids
    assert [row.get("id") or row.get("tid") or row["target_group_id"] for row in pushed["failed"]] == [
        77,
        999,
        "nobody",
    ]


def test_many_failures_are_named_briefly(account):
    """A long list of failures is cut in the message, not in the result."""
    with pytest.raises(errors.PartialFailure, match="and 15 more") as caught:
        reset_caps(target_ids=list(range(100, 125)))
    assert len(caught.value.result["failed"]) == 25
    assert len(str(caught.value)) < 4000


def test_429_and_503_are_waited_out(account, monkeypatch, caplog):
    """Refusals that ask to wait are followed, each wait is logged, also for the POST."""
    connect(monkeypatch, account)
    id_ = account.target(filled=10)
    account.fault("/targets/", method="GET", status=429, headers={"Retry-After": "0"}, times=2)
    account.fault("reset_cap", method="POST", status=503, headers={"Retry-After": "0"}, times=2)
    with caplog.at_level("WARNING"):
        result = reset_caps(target_ids=id_)
    assert [row["filled_after"] for row in result["reset"]] == [0]
    assert sum("Waiting 0.0 s before attempt" in line for line in caplog.messages) == 4
    assert account.sent("POST") == [f"POST /targets/{id_}/reset_cap.json"] * 3


@pytest.mark.parametrize(("status", "name"), [(429, "429"), (503, "503")])
def test_429_and_503_without_end(account, monkeypatch, status, name):
    """After the policy's limits the error has how long it was tried; the task may be retried by Airflow."""
    connect(monkeypatch, account, extra={"max_attempts": 3})
    id_ = account.target(filled=10)
    account.fault("reset_cap", status=status, headers={"Retry-After": "0"}, times=None)
    with pytest.raises(errors.PartialFailure, match=f"answered {name}.*Gave up after 3 attempts") as caught:
        reset_caps(target_ids=id_)
    assert not isinstance(caught.value, AirflowFailException)
    assert len(account.sent("POST")) == 3
    assert account.filled(id_) == 10


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 502}, {"status": 504}, {"cut": True}])
def test_a_lost_answer_to_a_reset_that_was_done(account, fault):
    """A POST whose answer was lost is read back: done means done, and it is not sent again."""
    id_ = account.target(filled=10)
    account.fault("reset_cap", then="done", **fault)
    result = reset_caps(target_ids=id_)
    assert [(row["filled_before"], row["filled_after"]) for row in result["reset"]] == [(10, 0)]
    assert account.sent("POST") == [f"POST /targets/{id_}/reset_cap.json"]


@pytest.mark.parametrize("fault", [{"status": 500}, {"cut": True}])
def test_a_lost_answer_to_a_reset_that_was_not_done(account, fault):
    """Read back and still counting: only then the reset is sent again."""
    id_ = account.target(filled=10)
    account.fault("reset_cap", **fault)
    result = reset_caps(target_ids=id_)
    assert [row["filled_after"] for row in result["reset"]] == [0]
    assert account.sent() == [
        f"GET /targets/{id_}.json",
        f"GET /targets/{id_}.json",
        f"POST /targets/{id_}/reset_cap.json",
        f"GET /targets/{id_}.json",
        f"POST /targets/{id_}/reset_cap.json",
        f"GET /targets/{id_}.json",
    ]


def test_answers_lost_without_end(account):
    """A reset whose responses are all lost fails after a few attempts, and is named."""
    id_, other = account.targets(2)
    account.fault(f"/targets/{id_}/reset_cap", cut=True, times=None)
    with pytest.raises(errors.PartialFailure, match=f"target {id_}: .*lost 3 times"):
        reset_caps(target_ids=[id_, other])
    assert account.filled(other) == 0
    assert account.filled(id_) == 10


ODD = {
    "HTML": {"status": 200, "body": "<html><title>Sign in</title></html>"},
    "empty": {"status": 200, "body": ""},
    "wrong envelope": {"status": 200, "body": {"campaign": {"cid": "1"}}},
    "a list": {"status": 200, "body": []},
    "truncated": {"status": 200, "body": '{"target":{"id":1,"na'},
    "not text": {"status": 200, "body": "\x00\x01 " * 500},
    "no caps": {"status": 200, "body": {"target": {"id": 1}}},
    "odd caps": {"status": 200, "body": {"target": {"id": 1, "caps": [None]}}},
    "odd count": {"status": 200, "body": {"target": {"id": 1, "caps": [{"type": "Hard", "filled": "many"}]}}},
}


@pytest.mark.parametrize("fault", ODD.values(), ids=ODD.keys())
def test_an_answer_that_is_not_what_it_should_be(account, fault):
    """Strange answers fail one target in one short sentence; nothing is reset on a guess, the others are done."""
    id_, other = account.targets(2)
    account.fault(f"/targets/{id_}.json", times=None, **fault)
    with pytest.raises(errors.PartialFailure) as caught:
        reset_caps(target_ids=[id_, other])
    assert len(str(caught.value)) < 600
    assert account.sent("POST") == [f"POST /targets/{other}/reset_cap.json"]


@pytest.mark.parametrize("fault", ODD.values(), ids=ODD.keys())
def test_an_answer_that_cannot_be_read_back(account, fault):
    """A reset that was accepted but cannot be read back is named, and a retry of the run does not repeat it."""
    id_, other = account.targets(2)
    account.fault(f"/targets/{id_}/reset_cap", then="done", status=200)
    account.fault(f"/targets/{id_}.json", method="GET", times=2)
    account.fault(f"/targets/{id_}.json", method="GET", times=None, **fault)
    store = StateStore()
    with pytest.raises(errors.PartialFailure, match="could not be read back"):
        reset_caps(context_of(task_state_store=store), target_ids=[id_, other])
    account.clear_faults()
    account.fill(id_, 10)
    result = reset_caps(context_of(task_state_store=store), target_ids=[id_, other])
    assert len(account.sent("POST")) == 2
    assert [(row["id"], row["filled_before"]) for row in result["reset"]] == [(id_, 10), (other, 10)]


@pytest.mark.parametrize("fault", [ODD["HTML"], ODD["truncated"]])
def test_a_strange_answer_names_status_and_path(account, fault):
    """The sentence of a strange answer names its status and the request, and fails that target alone."""
    id_, other = account.targets(2)
    account.fault(f"/targets/{id_}.json", times=None, **fault)
    with pytest.raises(errors.PartialFailure) as caught:
        reset_caps(target_ids=[id_, other])
    assert f"The response (200) to GET /targets/{id_}.json is not JSON" in str(caught.value)
    assert account.filled(other) == 0


def test_a_redirect_is_not_followed(requests_mock, account, monkeypatch):
    """The key does not travel to where a redirect points."""
    connect(monkeypatch, account, host=None)
    elsewhere = requests_mock.get("https://evil.example/targets/1.json", json={})
    requests_mock.get(
        f"{API}/targets/1.json", status_code=302,
        headers={"Location": f"https://evil.example/targets/1.json?api_key={KEY}"},
    )  # fmt: skip
    with pytest.raises(errors.PartialFailure, match="redirects are not followed") as caught:
        reset_caps(target_ids=1)
    assert not elsewhere.called
    assert SECRET not in message(caught.value)


def test_a_link_to_another_host_is_read_for_its_number_only(requests_mock, account, monkeypatch):
    """Page 2 is requested from the connection's host, wherever the Link points."""
    connect(monkeypatch, account, host=None)
    elsewhere = requests_mock.get("https://evil.example/targets.json", json=[])
    caps = [{"type": "Hard", "filled": 0, "cap": 5}]
    rows = [{"target": {"id": id_, "name": "T", "caps": caps}} for id_ in range(1, 31)]
    link = f'<https://evil.example/targets.json?api_key={KEY}&page=2>; rel="next"'

    def page(request: Any, answer: Any) -> Any:
        if request.qs["page"] == ["1"]:
            answer.headers["Link"] = link
            return rows[:25]
        return rows[25:]

    listing = requests_mock.get(f"{API}/targets.json", json=page)
    assert reset_caps(only_filled=True)["reset"] == []
    assert [one.qs["page"] for one in listing.request_history] == [["1"], ["2"]]
    assert not elsewhere.called


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 404, "text": f"<p>no /targets/1.json?api_key={KEY}</p>"},
        {"status_code": 422, "json": {"errors": {"api_key": [f"{KEY} is odd"], "key": KEY}}},
        {"status_code": 400, "json": {"error": f"bad {KEY}"}},
        {"status_code": 200, "text": f"<a href='/?x={KEY}'>{KEY.replace('&', '&amp;')}</a>"},
        {"status_code": 500, "text": KEY},
        {"status_code": 307, "headers": {"Location": f"/?api_key={KEY}"}},
        {"exc": requests.exceptions.ConnectTimeout(f"{API}/?api_key={KEY}")},
        {"exc": requests.exceptions.ReadTimeout(f"{API}/?api_key={KEY}")},
        {"exc": requests.exceptions.ChunkedEncodingError(f"{API}/?api_key={KEY}")},
        {"exc": requests.exceptions.SSLError(f"{API}/?api_key={KEY}")},
        {"exc": requests.exceptions.ProxyError(f"{API}/?api_key={KEY}")},
        {"exc": requests.exceptions.InvalidURL(f"{API}/?api_key={KEY}")},
    ],
    ids=["404", "422", "400", "HTML", "500", "307", "connect", "read", "chunked", "SSL", "proxy", "URL"],
)
def test_no_error_shows_the_key(requests_mock, account, monkeypatch, answer):
    """Whatever the server echoes or the library reports, an error with all its causes does not contain the key."""
    connect(monkeypatch, account, host=None, extra={"max_wait": 0})
    requests_mock.get(f"{API}/targets/1.json", **answer)
    instance = TaskInstance()
    with pytest.raises(errors.RetreaverError) as caught:
        reset_caps({"ti": instance}, target_ids=1)
    assert SECRET not in message(caught.value)
    assert SECRET not in json.dumps(instance.pushed)


def test_an_echoed_key_does_not_reach_the_result(account):
    """A key that someone has put into a target's name or tid is masked in the result and in the log."""
    id_ = account.target(f"Pasted {KEY} here", tid=KEY, filled=10)
    result = reset_caps(context_of(), target_ids=id_)
    assert result["reset"][0]["filled_after"] == 0
    assert SECRET not in json.dumps(result)


def test_a_refused_connection(account, monkeypatch, unused_port):
    """No server listens: the error has the reason, and the result is empty."""
    connect(monkeypatch, account, host=f"http://127.0.0.1:{unused_port}", extra={"max_wait": 0})
    with pytest.raises(errors.PartialFailure, match="could not connect; check host, port and network") as caught:
        reset_caps(target_ids=1)
    assert SECRET not in message(caught.value)


@pytest.fixture
def unused_port() -> int:
    """Give a port on which no server listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
