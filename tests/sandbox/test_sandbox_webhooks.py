"""Webhooks that the sandbox sends: which calls fire them, in which form, again, twice, and to this machine only."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions

CALLER = "+19195550123"


class Receiver:
    """A server that notes the webhooks that it gets, and answers them as it is told."""

    def __init__(self):
        self.got, self.answers, receiver = [], [], self

        class Handler(BaseHTTPRequestHandler):
            def _take(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
                receiver.got.append((self.command, urlsplit(self.path).path, query, body))
                status, tags = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(tags).encode())

            def do_GET(self):
                self._take()

            def do_POST(self):
                self._take()

            def log_message(self, *_):
                """Nothing is written."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def serving(self):
        """Serve until the block ends."""
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        yield self
        self.server.shutdown()
        thread.join()
        self.server.server_close()


@pytest.fixture
def receiver():
    """Return a server that notes webhooks."""
    with Receiver().serving() as one:
        yield one


@pytest.fixture
def sandbox():
    """Return a sandbox with the demo account."""
    one = Sandbox(SandboxOptions(load="demo"))
    yield one
    one.close()


def control(sandbox, method, path, body=None):
    """Send a request to the control surface, and return status and JSON."""
    raw = b"" if body is None else json.dumps(body).encode()
    answer = sandbox.handle(method, f"/__sandbox__/{path}", [], {}, raw)
    return answer.status, json.loads(answer.body)


def set_webhooks(sandbox, receiver, triggers=("always",), **settings):
    """Send the webhooks of some triggers to a receiver, at a path of the trigger's name."""
    urls = {trigger: f"{receiver.url}/{trigger}" for trigger in triggers}
    status, body = control(sandbox, "POST", "webhooks", {"urls": urls, "retry_seconds": 0.01, **settings})
    assert status == 200, body


def calls(sandbox, count=1, **fields):
    """Make calls and return their UUIDs, when all of their webhooks were sent."""
    fields = {"status": "finished", "caller": CALLER, "total_duration": 60, **fields}
    _, added = control(sandbox, "POST", "calls", {"count": count, "fields": fields})
    sent(sandbox)
    return added["uuids"]


def sent(sandbox):
    """Wait until nothing waits, and return what was sent."""
    deadline = time.monotonic() + 20
    while (state := control(sandbox, "GET", "webhooks")[1])["waiting"]:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return state["sent"]


@pytest.mark.parametrize(
    ("fields", "fired"),
    [
        ({"tid": "buyer-004"}, ["always", "selected", "start", "timer"]),
        ({"tid": None, "total_duration": 5}, ["always", "start"]),
        ({"tid": None, "status": "in-progress"}, ["start", "timer"]),
    ],
)
def test_a_call_fires_its_triggers(sandbox, receiver, fields, fired):
    """A call fires its start, the buyer's choice, a timer that ran out, and its end."""
    set_webhooks(sandbox, receiver, ["start", "selected", "timer", "postback", "always"])
    (uuid,) = calls(sandbox, **fields)
    assert sorted(path[1:] for _, path, _, _ in receiver.got) == fired
    assert {query["call_uuid"] for _, _, query, _ in receiver.got} == {uuid}


def test_the_end_of_a_call_and_a_postback(sandbox, receiver):
    """The end fires later for a call in progress; a postback is fired by hand."""
    set_webhooks(sandbox, receiver, ["postback", "always"])
    (uuid,) = calls(sandbox, status="in-progress")
    assert receiver.got == []
    control(sandbox, "POST", f"calls/{uuid}", {"fields": {"status": "finished"}})
    control(sandbox, "POST", f"calls/{uuid}", {"fields": {"hung_up_by": "Caller"}})
    assert control(sandbox, "POST", f"calls/{uuid}/webhooks", {"trigger": "postback"})[0] == 200
    assert Counter(line["trigger"] for line in sent(sandbox)) == {"always": 1, "postback": 1}


@pytest.mark.parametrize("body", ["query", "form", "json"])
def test_forms_of_webhooks(sandbox, receiver, body):
    """Fields are sent as a query, a form or JSON."""
    set_webhooks(sandbox, receiver, body=body)
    (uuid,) = calls(sandbox)
    ((method, _, query, raw),) = receiver.got
    found = {"query": lambda: query, "form": lambda: dict(parse_qsl(raw.decode())), "json": lambda: json.loads(raw)}
    fields = found[body]()
    assert method == ("GET" if body == "query" else "POST")
    assert (fields["call_uuid"], fields["caller_number"], str(fields["duration"])) == (uuid, CALLER, "60")


def test_replacement_tokens(sandbox, receiver):
    """A URL with replacement tokens gets their values, and nothing else."""
    url = f"{receiver.url}/x?call=[call_uuid]&from=[caller_number]&odd=[no_such]"
    control(sandbox, "POST", "webhooks", {"urls": {"always": url}})
    (uuid,) = calls(sandbox)
    assert receiver.got[0][2] == {"call": uuid, "from": CALLER, "odd": ""}


def test_answers_become_tags(sandbox, receiver):
    """The JSON of an answer is applied to the call; anything else is not."""
    set_webhooks(sandbox, receiver)
    receiver.answers = [(200, {"lead_score": 85, "qualified": True}), (200, [1])]
    first, second = calls(sandbox)[0], calls(sandbox)[0]
    found = []
    for uuid in (first, second):
        query = [("api_key", "sandbox-key"), ("company_id", "1")]
        body = sandbox.handle("GET", f"/api/v2/calls/{uuid}.json", query, {}, b"").body
        found.append({name: value for name, value in json.loads(body)["call"]["tags"].items() if name != "call_uuid"})
    assert found[0].items() >= {"lead_score": "85", "qualified": "True"}.items()
    assert "lead_score" not in found[1]


def test_webhooks_are_sent_again(sandbox, receiver):
    """One that gets no 2xx is sent again, a few times; one without any answer, too; a redirect is not followed."""
    set_webhooks(sandbox, receiver, retries=2)
    receiver.answers = [(503, {}), (302, {}), (200, {})]
    calls(sandbox)
    assert [(line["attempt"], line["status"]) for line in sent(sandbox)] == [(1, 503), (2, 302), (3, 200)]
    control(
        sandbox, "POST", "webhooks", {"urls": {"always": "http://127.0.0.1:9/"}, "retries": 1, "retry_seconds": 0}
    )
    calls(sandbox)
    assert [(line["attempt"], line["status"]) for line in sent(sandbox)[3:]] == [(1, 0), (2, 0)]


def test_duplicates_and_disorder(sandbox, receiver):
    """A share is sent twice, and the order is another one; both are the same with the same seed."""
    set_webhooks(sandbox, receiver, duplicates=0.2, disorder=True)
    uuids = calls(sandbox, 100)
    got = [query["call_uuid"] for _, _, query, _ in receiver.got]
    assert set(got) == set(uuids)
    assert 105 < len(got) < 140
    assert list(dict.fromkeys(got))[:20] != uuids[:20]


@pytest.mark.parametrize(
    "given",
    [
        {"urls": {"always": "http://192.0.2.1/"}},
        {"urls": {"always": "https://127.0.0.1/"}},
        {"urls": {"always": "http://127.0.0.1@192.0.2.1/"}},
        {"urls": {"always": "http://user@127.0.0.1/"}},
        {"urls": {"always": "http://[::1/"}},
        {"urls": {"always": 5}},
        {"urls": {"hangup": "http://127.0.0.1/"}},
        {"urls": []},
        {"url": "http://127.0.0.1/"},
        {"body": "xml"},
        {"duplicates": 2},
        {"retries": -1},
        {"retry_seconds": True},
        {"disorder": "yes"},
    ],
)
def test_wrong_settings(sandbox, given):
    """They are refused, above all URLs of other machines."""
    assert control(sandbox, "POST", "webhooks", given)[0] == 400


def test_wrong_requests_and_reset(sandbox, receiver):
    """Unknown calls and triggers are refused; a reset ends webhooks."""
    set_webhooks(sandbox, receiver)
    assert control(sandbox, "POST", "calls/no-such/webhooks", {"trigger": "always"})[0] == 404
    assert control(sandbox, "POST", "calls/no-such/webhooks", {"trigger": "hangup"})[0] == 400
    control(sandbox, "POST", "reset", {})
    calls(sandbox)
    assert receiver.got == []
