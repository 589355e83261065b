"""The endpoint for webhooks: what it accepts, what it refuses, and that nothing that it answers with 200 is lost."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import threading
from dataclasses import replace
from ipaddress import ip_network

import pytest

from airflow_provider_retreaver.core.errors import InvalidConnection
from airflow_provider_retreaver.core.secrets import Secret
from airflow_provider_retreaver.webhooks.collector import Collector
from airflow_provider_retreaver.webhooks.connections import Connections
from airflow_provider_retreaver.webhooks.spool import Spool
from tests.airflow.support.webhooks import NEXT_TOKEN, OLD_TOKEN, TOKEN, settings_for

pytest.importorskip("starlette", reason="Airflow 2.11 serves no applications of plugins")
httpx = pytest.importorskip("httpx")
pytestmark = pytest.mark.airflow

PREFIX = "/retreaver/webhooks"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CALLER = "+19195550123"


class Endpoint:
    """An endpoint that is mounted as Airflow mounts it, and its client."""

    def __init__(self, settings, address="127.0.0.1"):
        from starlette.applications import Starlette
        from starlette.routing import Mount

        from airflow_provider_retreaver.webhooks.app import WebhookEndpoint

        self.settings, self.scopes = settings, []
        self.reads = {"acme": lambda: self.settings}
        self.app = WebhookEndpoint(Connections(self._read))
        mounted = Starlette(routes=[Mount(PREFIX, self.app)])

        async def outermost(scope, receive, send):
            self.scopes.append(scope)
            await mounted(scope, receive, send)

        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(outermost, client=(address, 1)), base_url="http://127.0.0.1"
        )

    def _read(self, name):
        if name not in self.reads:
            raise LookupError(name)
        return self.reads[name]()

    async def send(self, path="acme/always", method="POST", headers=BEARER, **request):
        """Send a webhook and return status and body."""
        answer = await self.client.request(method, f"{PREFIX}/{path}", headers=headers, **request)
        return answer.status_code, answer.json()

    def kept(self, trigger="always"):
        """Return the fields of the webhooks that are on the storage."""
        spool = Spool(self.settings, trigger)
        return [one["fields"] for name in spool.waiting() for one in spool.read_waiting(name)]


@pytest.fixture(autouse=True, scope="module")
def imported():
    """Import what the first webhook would otherwise wait for, as the plugin does."""
    from airflow_provider_retreaver.webhooks.app import create_app

    create_app()


def run(work):
    """Run a coroutine."""
    return asyncio.run(work)


@pytest.fixture
def endpoint(tmp_path):
    """Return an endpoint whose spool is a folder."""
    return Endpoint(settings_for(tmp_path))


@pytest.mark.parametrize("trigger", ["start", "selected", "timer", "postback", "always"])
@pytest.mark.parametrize("kind", ["query", "posted query", "form", "json"])
def test_webhooks_are_accepted(endpoint, trigger, kind):
    """Every trigger is taken as a query, a form or JSON, and is on the storage when the answer is 200."""
    fields = {"call_uuid": "u-1", "caller_number": CALLER}
    request = {
        "query": {"method": "GET", "params": fields},
        "posted query": {"params": fields},
        "form": {"data": fields},
        "json": {"json": fields},
    }[kind]
    assert run(endpoint.send(f"acme/{trigger}", **request)) == (200, {})
    assert endpoint.kept(trigger) == [fields]


def test_body_and_query_together(endpoint):
    """Fields of the body stand over those of the query; names that come twice have a list; nested JSON is kept."""
    sent = {"call": {"uuid": "u-1"}, "tags": {"a": ["1", None]}, "x": 2.5}
    assert run(endpoint.send("acme/always?x=1&y=1&y=2", json=sent)) == (200, {})
    assert endpoint.kept() == [{"y": ["1", "2"], **sent}]


def test_a_token_within_the_payload_is_not_kept(endpoint):
    """A token that somebody puts into the query or body is masked in what is kept."""
    assert run(endpoint.send(params={"call_uuid": "u-1", "token": TOKEN}))[0] == 200
    assert endpoint.kept() == [{"call_uuid": "u-1", "token": "***"}]


GET = {"method": "GET", "params": {"call_uuid": "u-1"}}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("acme/always", BEARER, 200),
        ("acme/always", {"Authorization": f"bearer  {TOKEN} "}, 200),
        (f"acme/always/{TOKEN}", {}, 200),
        (f"acme/always/{NEXT_TOKEN}", {}, 200),
        ("acme/always", {}, 403),
        ("acme/always", {"Authorization": f"Basic {TOKEN}"}, 403),
        ("acme/always", {"Authorization": "Bearer "}, 403),
        (f"acme/always/{OLD_TOKEN}", {}, 403),
        (f"acme/always/{TOKEN}x", BEARER, 403),
        (f"acme/always/{TOKEN[:-1]}", {}, 403),
        (f"acme/always/{TOKEN}/more", BEARER, 403),
        ("acme/always/%ff%F0%9F%98%80", {}, 403),
        (f"nobody/always/{TOKEN}", BEARER, 403),
        (f"other/always/{TOKEN}", BEARER, 403),
        (f"a%20b/always/{TOKEN}", BEARER, 403),
        ("acme", BEARER, 403),
        ("", BEARER, 403),
    ],
)
def test_only_a_valid_token_is_accepted(endpoint, path, headers, status):
    """A token is taken from header or path; two are valid while they are exchanged; all refusals are alike."""
    endpoint.settings = replace(endpoint.settings, tokens=(Secret(TOKEN), Secret(NEXT_TOKEN)))
    endpoint.reads["other"] = lambda: None
    answer = run(endpoint.send(path, headers=headers, **GET))
    assert answer == ((200, {}) if status == 200 else (403, {"error": "The webhook is not accepted."}))
    assert len(endpoint.kept()) == (status == 200)


@pytest.mark.parametrize(
    ("address", "status"),
    [("203.0.113.7", 200), ("::ffff:203.0.113.9", 200), ("2001:db8::5", 200), ("198.51.100.1", 403), ("unix", 403)],
)
def test_only_listed_addresses_are_accepted(tmp_path, address, status):
    """With a list of networks, webhooks of other addresses are refused like those with a wrong token."""
    networks = (ip_network("203.0.113.0/24"), ip_network("2001:db8::/32"))
    endpoint = Endpoint(settings_for(tmp_path, networks=networks), address)
    assert run(endpoint.send(**GET))[0] == status


DEEP = b'{"call_uuid":"u-1","a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
JSON = {**BEARER, "Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        ({"method": "PUT", "params": {"call_uuid": "u-1"}}, 405, "GET or POST"),
        ({"path": "acme/hangup"}, 404, "start, selected, timer, postback, always"),
        ({"params": {"call_uuid": "u" * 17_000}}, 413, "query"),
        ({"content": b"x" * 64_001}, 413, "64000 bytes"),
        ({"headers": JSON, "content": DEEP}, 400, "20 levels|not JSON"),
        ({"headers": JSON, "content": b'{"call_uuid":"u-1","a":' + b"[" * 20 + b"]" * 20 + b"}"}, 400, "20 levels"),
        ({"headers": JSON, "content": b"[" * 30_000}, 400, "not JSON"),
        ({"headers": JSON, "content": b'{"call_uuid": NaN}'}, 400, "not JSON"),
        ({"headers": JSON, "content": b'{"call_uuid":"\xff"}'}, 400, "not JSON"),
        ({"headers": JSON, "content": b"[1]"}, 400, "not a JSON object"),
        ({"headers": {**BEARER, "Content-Type": "text/xml"}, "content": b"<a/>"}, 415, "query"),
        ({"files": {"call_uuid": b"u-1"}}, 415, "query"),
        ({"headers": {**JSON, "Content-Encoding": "gzip"}, "content": gzip.compress(b"{}")}, 415, "compressed"),
        ({"data": {"caller_number": CALLER}}, 400, "no UUID"),
        ({"json": {"call_uuid": ["u-1"]}}, 400, "no UUID"),
        ({"json": {"call_uuid": True, "uuid": " "}}, 400, "no UUID"),
        ({"json": {"call_uuid": "u" * 201}}, 400, "call_uuid is not an ID"),
        ({"json": {"call_uuid": "u\u202e1"}}, 400, "call_uuid is not an ID"),
        ({"content": b"call_uuid=%ff"}, 400, "not UTF-8"),
        ({"content": b"&".join(b"a%d=" % n for n in range(1_001))}, 400, "1000 fields"),
        ({"json": {"call_uuid": "u-1", **{f"a{n}": n for n in range(1_000)}}}, 400, "1000 fields"),
    ],
)
def test_bad_webhooks_are_refused(endpoint, request_, status, says):
    """What cannot be a webhook is refused, with a sentence that repeats nothing of it, and is not kept."""
    found, body = run(endpoint.send(**request_))
    assert found == status
    import re

    assert re.search(says, body["error"])
    assert CALLER not in body["error"]
    assert endpoint.kept() == []


def test_a_body_without_a_length_is_bounded(endpoint):
    """A body that comes in pieces is read up to the limit only."""
    sent = []

    async def pieces():
        for _ in range(1_000):
            sent.append(1)
            yield b"x" * 10_000

    assert run(endpoint.send(content=pieces()))[0] == 413
    assert len(sent) < 20


def test_a_body_that_does_not_come(endpoint, monkeypatch):
    """A sender who stops in the middle of a body is not waited for, nor is one who hangs up."""
    from airflow_provider_retreaver.webhooks import app

    monkeypatch.setattr(app, "BODY_SECONDS", 0.05)

    async def status_of(*messages, length=(b"transfer-encoding", b"chunked")):
        left, answers = list(messages), []

        async def receive():
            return left.pop(0) if left else await asyncio.Event().wait()

        async def send(message):
            answers.append(message)

        headers = [(b"authorization", f"Bearer {TOKEN}".encode()), length]
        scope = {"type": "http", "method": "POST", "path": "/acme/always", "query_string": b"", "headers": headers}
        await endpoint.app(scope, receive, send)
        return answers[0]["status"]

    part = {"type": "http.request", "body": b"call_uuid=", "more_body": True}
    assert run(status_of(part)) == 408
    assert run(status_of(part, length=(b"content-length", b"20"))) == 408
    assert run(status_of(part, {"type": "http.disconnect"})) == 400
    assert endpoint.kept() == []


def test_a_request_without_a_body_is_not_waited_for(endpoint):
    """Without a length and pieces there is no body, and the server is not asked for one."""
    answers = []

    async def never():
        raise AssertionError("the body was asked for")

    async def send(message):
        answers.append(message)

    headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/acme/always", "query_string": b"call_uuid=a"}
    run(endpoint.app({**scope, "headers": headers}, never, send))
    assert answers[0]["status"] == 200
    assert endpoint.kept() == [{"call_uuid": "a"}]


def test_websockets_are_not_answered(endpoint):
    """Anything but a request is left alone."""
    run(endpoint.app({"type": "websocket"}, None, None))


def test_too_many_a_second(tmp_path):
    """More webhooks a second than the connection says get 429; strangers do not use up what is allowed."""
    endpoint = Endpoint(settings_for(tmp_path, max_rate=1.0))

    async def many():
        strangers = [await endpoint.send(headers={}, **GET) for _ in range(5)]
        return strangers + [await endpoint.send(**GET) for _ in range(4)]

    assert [status for status, _ in run(many())] == [403] * 5 + [200, 200, 429, 429]


def test_a_storage_that_fails(tmp_path):
    """A storage that cannot be written means 503, so that Retreaver sends the webhook again."""
    (tmp_path / "spool").write_text("a file where a folder should be")
    endpoint = Endpoint(settings_for(tmp_path))
    assert run(endpoint.send(**GET)) == (503, {"error": "The webhook could not be kept; send it again."})


def test_folders_that_were_removed(endpoint):
    """A spool whose folders somebody has removed is made again."""
    import shutil

    async def twice():
        await endpoint.send(**GET)
        shutil.rmtree(endpoint.settings.spool.removeprefix("file://"))
        return await endpoint.send(**GET)

    assert run(twice()) == (200, {})
    assert len(endpoint.kept()) == 1


def keeper(write, patience=5.0):
    """Return a keeper."""
    from airflow_provider_retreaver.webhooks.keeping import Keeper

    return Keeper(write, patience)


async def outcome(work):
    """Return what keeping ended with: None, or the status of the refusal."""
    from airflow_provider_retreaver.webhooks.received import Refused

    try:
        return await work
    except Refused as refusal:
        return refusal.status


def test_webhooks_are_written_together():
    """While one write is under way, those that come are written by the next one: two writes for fifty webhooks."""
    writes, begun, release = [], threading.Event(), threading.Event()

    def write(lines):
        writes.append(lines)
        begun.set()
        assert release.wait(10)

    async def many():
        kept = keeper(write)
        tasks = [asyncio.create_task(kept.keep(b"first\n"))]
        await asyncio.to_thread(begun.wait, 10)
        tasks += [asyncio.create_task(kept.keep(b"%d\n" % number)) for number in range(49)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)
        release.set()
        await asyncio.gather(*tasks)

    run(many())
    assert writes == [b"first\n", b"".join(b"%d\n" % number for number in range(49))]


def test_a_storage_that_hangs():
    """Webhooks are refused in time, a few writes at most are begun beside each other, and it works again later."""
    begun, release = [], threading.Event()

    def write(lines):
        begun.append(lines)
        assert release.wait(10)

    async def hang():
        kept = keeper(write, 0.05)
        first = [await outcome(kept.keep(b"a\n")) for _ in range(8)]
        writes = len(begun)
        release.set()
        await asyncio.sleep(0.05)
        return first, writes, await outcome(keeper(write).keep(b"b\n")), await outcome(kept.keep(b"c\n"))

    first, writes, fresh, again = run(hang())
    assert (first, writes, fresh, again) == ([503] * 8, 4, None, None)


def test_webhooks_that_wait_are_bounded(monkeypatch):
    """No more bytes wait for a storage than memory is meant for."""
    from airflow_provider_retreaver.webhooks import keeping

    monkeypatch.setattr(keeping, "MOST_BYTES", 10)
    release = threading.Event()

    async def fill():
        kept = keeper(lambda _: release.wait(10))
        first = asyncio.create_task(kept.keep(b"12345678\n"))
        await asyncio.sleep(0)
        refused = await outcome(kept.keep(b"12\n"))
        release.set()
        await first
        return refused, await outcome(kept.keep(b"12\n"))

    assert run(fill()) == (503, None)


def test_an_error_of_our_own(endpoint, monkeypatch, caplog):
    """An error that nobody thought of is a 503 and one line, without what the webhook holds."""
    from airflow_provider_retreaver.webhooks import app

    def fail(*_):
        raise RuntimeError(f"{CALLER} {TOKEN}")

    monkeypatch.setattr(app, "read_webhook", fail)
    assert run(endpoint.send(**GET))[0] == 503
    assert "RuntimeError" in caplog.text
    assert CALLER not in caplog.text
    assert TOKEN not in caplog.text


def test_nothing_is_logged_or_left_for_the_access_log(endpoint, caplog):
    """Neither the log nor the request that the api-server logs at its end has a token, a number or a query."""
    caplog.set_level(logging.DEBUG)

    async def several():
        for path in (f"acme/always/{TOKEN}", f"acme/always/{OLD_TOKEN}", f"{TOKEN}/always", f"acme/{TOKEN}", TOKEN):
            await endpoint.send(f"{path}?caller={CALLER[1:]}&call_uuid=u-1", headers={})
        await endpoint.send(json={"caller": CALLER})

    run(several())
    assert [scope["path"] for scope in endpoint.scopes] == [
        f"{PREFIX}/{shown}"
        for shown in ("acme/always/***", "acme/always/***", "***/always", "***", "***", "acme/always")
    ]
    written = caplog.text + json.dumps(
        [[str(one[key]) for key in ("path", "raw_path", "query_string")] for one in endpoint.scopes]
    )
    client = "HTTP Request"  # what httpx logs of its own requests
    ours = "\n".join(line for line in written.splitlines() if client not in line)
    for text in (TOKEN, OLD_TOKEN, CALLER, CALLER[1:]):
        assert text not in ours


class Clock:
    """A clock that a test moves."""

    now = 1_000.0

    def __call__(self):
        """Return seconds."""
        return self.now


def test_a_connection_is_read_now_and_then(tmp_path):
    """A changed token is known after some seconds, without a request that waits for it."""
    clock, found = Clock(), [settings_for(tmp_path)]
    changed = replace(found[0], tokens=(Secret(NEXT_TOKEN),))
    reads = []

    def read(name):
        reads.append(name)
        return found[-1]

    async def look():
        connections = Connections(read, clock)
        first = [await connections.get("acme") for _ in range(3)]
        found.append(changed)
        clock.now += 16
        before = await connections.get("acme")
        await asyncio.sleep(0.05)
        return first, before, await connections.get("acme")

    assert run(look()) == ([found[0]] * 3, found[0], changed)
    assert reads == ["acme", "acme"]


@pytest.mark.parametrize("error", [LookupError("acme"), InvalidConnection("Connection 'acme': no."), OSError("no")])
def test_a_connection_that_cannot_be_read_any_more(tmp_path, error):
    """It is used on for five minutes, as while a database restarts; then webhooks get 503 until it is back."""
    clock, settings = Clock(), settings_for(tmp_path)
    fails = []

    def read(name):
        if fails:
            raise error
        return settings

    async def look():
        connections, answers = Connections(read, clock), []
        for passed, failing in ((0, False), (20, True), (250, True), (60, True), (10, False)):
            clock.now += passed
            fails[:] = [1] if failing else []
            answer = await outcome(connections.get("acme"))
            answers.append("settings" if answer is settings else answer)
        return answers

    assert run(look()) == ["settings", "settings", "settings", 503, "settings"]


def test_strangers_do_not_reach_the_database(tmp_path):
    """Connections that do not exist are remembered, and asked for a few times a second at most."""
    clock, reads = Clock(), []

    def read(name):
        reads.append(name)
        raise LookupError(name)

    async def ask():
        connections = Connections(read, clock)
        same = [await outcome(connections.get("nobody")) for _ in range(10)]
        return same, [await outcome(connections.get(f"nobody-{number}")) for number in range(60)]

    same, different = run(ask())
    assert same == [None] * 10
    assert different == [None] * 39 + [503] * 21
    assert len(reads) == 40


def test_a_connection_that_is_slow(tmp_path, monkeypatch):
    """A first webhook does not wait for ever for its connection."""
    from airflow_provider_retreaver.webhooks import connections as module

    monkeypatch.setattr(module, "PATIENCE", 0.02)
    release = threading.Event()
    settings = settings_for(tmp_path)

    def read(name):
        release.wait(10)
        return settings

    async def ask():
        connections = Connections(read)
        first = await outcome(connections.get("acme"))
        release.set()
        await asyncio.sleep(0.05)
        return first, await outcome(connections.get("acme"))

    assert run(ask()) == (503, settings)


def test_remembered_connections_are_bounded(monkeypatch):
    """Names that strangers try do not fill the memory."""
    from airflow_provider_retreaver.webhooks import connections as module

    monkeypatch.setattr(module, "MOST", 5)
    connections = Connections(lambda name: None)

    async def ask():
        for number in range(20):
            await connections.get(f"nobody-{number}")

    run(ask())
    assert len(connections._known) == 5


def test_two_replicas_keep_each_webhook_once(tmp_path):
    """Two endpoints that share nothing but the folder: what both get is in one batch once."""
    from datetime import timedelta

    settings = settings_for(tmp_path)
    replicas = [Endpoint(settings), Endpoint(settings)]

    async def send_all():
        sent = [
            replica.send(json={"call_uuid": f"u-{number}", "replica": index})
            for number in range(40)
            for index, replica in enumerate(replicas)
        ]
        return await asyncio.gather(*sent)

    assert {status for status, _ in run(send_all())} == {200}
    spool = Spool(settings, "always")
    Collector(spool, timedelta(days=1), timedelta(days=7)).collect()
    calls = [one["call_uuid"] for number in spool.numbers() for one in spool.read(number).webhooks]
    assert sorted(calls) == sorted(f"u-{number}" for number in range(40))
