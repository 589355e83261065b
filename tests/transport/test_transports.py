"""Both transports against odd servers: what is described, what is never shown, what is never followed."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import threading
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_retreaver.core.errors import (
    ConnectionFailed,
    InvalidConnection,
    InvalidRequest,
    OutcomeUnknown,
    ProtocolError,
    RetreaverError,
)
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.resources.targets import delete_target, get_target, list_targets, reset_cap
from airflow_provider_retreaver.sandbox.local_server import run_sandbox
from airflow_provider_retreaver.transport.client import AsyncRetreaverClient, RetreaverClient
from airflow_provider_retreaver.transport.limiter import Limiter
from tests.contract.harness import KEY, FakeTime, options
from tests.transport.raw_server import answer, raw_server

TARGET = b'{"target": {"id": 1}}'
MARKS = {KEY, quote(KEY, safe=""), quote_plus(KEY), quote(KEY), json.dumps(KEY)[1:-1], "k3y"}


def ask(kind, port, *works, clock=None, **parts):
    """Do works one after the other with a client of this kind, and return results and errors."""
    clock = clock or FakeTime()
    extra = {"timeout": 5, **parts.pop("extra", {})}
    given = {"password": KEY, "login": "1", "host": f"http://127.0.0.1:{port}", **parts}
    settings = Settings.parse("odd", extra=extra, **given)
    limiter = Limiter(4, clock)

    def blocking():
        with RetreaverClient(settings, sleep=clock.sleep, limiter=limiter) as client:
            return [outcome(client.run, work) for work in works]

    async def asynchronous():
        async with AsyncRetreaverClient(settings, sleep=clock.asleep, limiter=limiter) as client:
            found = []
            for work in works:
                try:
                    found.append(await client.run(work))
                except RetreaverError as error:
                    found.append(error)
            return found

    return blocking() if kind == "sync" else asyncio.run(asynchronous())


def outcome(run, work):
    """Return a result or its error."""
    try:
        return run(work)
    except RetreaverError as error:
        return error


def everything_of(error, seen=None):
    """Walk an error: its texts, arguments and attributes, and those of its cause and context."""
    seen = seen if seen is not None else set()
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for part in (error.__cause__, error.__context__):
        yield from everything_of(part, seen)
    for value in vars(error).values():
        if isinstance(value, BaseException):
            yield from everything_of(value, seen)


def is_clean(error):
    """Say that neither the key nor a library's exception is anywhere in an error."""
    for one in everything_of(error):
        assert isinstance(one, RetreaverError), repr(one)
        shown = f"{one} {one!r} {one.args!r} {vars(one)!r}"
        assert not any(mark in shown for mark in MARKS), shown
    return True


@pytest.fixture(params=["sync", "async"])
def kind(request):
    """Give the kind of client."""
    return request.param


def free_port():
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_refused_connection_is_tried_again(kind):
    """Even for a POST: nothing can have happened."""
    clock = FakeTime()
    (error,) = ask(kind, free_port(), reset_cap(1), clock=clock, extra={"max_attempts": 3})
    assert type(error) is ConnectionFailed
    assert not error.sent
    assert "could not connect; check host, port and network. Gave up after 3 attempts" in str(error)
    assert len(clock.waits) == 2
    assert is_clean(error)


def test_an_answer_that_does_not_come(kind):
    """A GET is tried again, a POST is not."""
    with raw_server(None) as server:
        got, posted = ask(
            kind, server.port, get_target(id=1), reset_cap(1), extra={"timeout": 0.1, "max_attempts": 2}
        )
    assert type(got) is ConnectionFailed
    assert "got no response in time" in str(got)
    assert type(posted) is OutcomeUnknown
    assert len(server.requests) == 3
    assert is_clean(got)
    assert is_clean(posted)


@pytest.mark.parametrize(
    "script",
    [
        answer(body=TARGET[:9], length=500),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"no HTTP at all api_key=" + KEY.encode() + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\nConnection: close\r\n\r\nnot gzip",
        b"",
        b"HTTP/1.1 2",
    ],
)
def test_a_broken_transfer(kind, script):
    """It counts as no answer: repeated where harmless, left open where not."""
    with raw_server(script) as server:
        got, posted = ask(kind, server.port, get_target(id=1), reset_cap(1), extra={"max_attempts": 2})
    assert type(got) is ConnectionFailed
    assert type(posted) is OutcomeUnknown
    assert len(server.requests) == 3
    assert (got.method, got.path) == ("GET", "/targets/1.json")
    assert is_clean(got)
    assert is_clean(posted)


def test_a_broken_transfer_heals(kind):
    """The next attempt is answered."""
    with raw_server(b"", answer(body=TARGET[:9], length=500), answer(body=TARGET)) as server:
        assert ask(kind, server.port, get_target(id=1)) == [{"id": 1}]
    assert len(server.requests) == 3


def test_a_delete_is_not_repeated_unseen(kind):
    """Every request that is sent is one that the policy knows of."""
    with raw_server(b"", answer(404)) as server:
        assert ask(kind, server.port, delete_target(id=1)) == [None]
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_never_reaches_the_other_host(kind, status):
    """A second server counts what comes: nothing, so no key either."""
    with raw_server(answer(body=TARGET)) as other:
        place = b"Location: http://127.0.0.1:%d/targets/1.json?api_key=%s" % (other.port, quote_plus(KEY).encode())
        with raw_server(answer(status, headers=[place])) as server:
            errors = ask(kind, server.port, get_target(id=1), reset_cap(1), delete_target(id=1))
    assert other.requests == []
    assert len(server.requests) == 3
    assert {type(error) for error in errors} == {InvalidRequest}
    assert all(is_clean(error) for error in errors)


def test_a_link_never_reaches_the_other_host(kind):
    """The next page is asked of our own base."""
    with raw_server(answer(body=b"[]")) as other:
        link = b"Link: <http://127.0.0.1:%d/targets.json?page=2>; rel=next" % other.port
        more = b"Link: <http://127.0.0.1:%d/targets.json?page=2>; rel=last" % other.port
        first = answer(body=b'[{"target": {"id": 1}}]', headers=[link, more])
        with raw_server(
            first, answer(body=b'[{"target": {"id": 2}}]', headers=[b"Link: <x?page=1>; rel=prev"])
        ) as server:
            rows = ask(kind, server.port, whole_list())
    assert other.requests == []
    assert rows == [[{"id": 1}, {"id": 2}]]
    assert b"page=2" in server.requests[1]


def whole_list():
    """Read all targets in a procedure."""
    return (yield list_targets())


def test_a_foreign_page_is_a_protocol_error(kind):
    """A login page with status 200 is described, not dumped."""
    page = b"<html>" + b"x" * 100_000 + KEY.encode()
    with raw_server(answer(body=page)) as server:
        (error,) = ask(kind, server.port, get_target(id=1))
    assert type(error) is ProtocolError
    assert error.status == 200
    assert len(str(error)) < 500
    assert is_clean(error)


def test_cookies_are_not_kept(kind):
    """Nothing that one answer sets comes with the next request."""
    setting = answer(body=TARGET, headers=[b"Set-Cookie: session=1; Path=/"])
    with raw_server(setting, answer(body=TARGET)) as server:
        ask(kind, server.port, get_target(id=1), get_target(id=1))
    assert not any(b"cookie" in request.lower() for request in server.requests)


def test_credentials_of_a_netrc_are_not_sent(kind, tmp_path, monkeypatch):
    """Whatever the machine keeps for this host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hidden")
    monkeypatch.setenv("NETRC", str(netrc))
    with raw_server(answer(body=TARGET)) as server:
        ask(kind, server.port, get_target(id=1))
    assert b"authorization" not in server.requests[0].lower()


def test_the_proxy_of_the_connection_wins(kind, monkeypatch):
    """Over the environment's, with its password; without one the environment's is used."""
    with raw_server(answer(body=TARGET)) as ours, raw_server(answer(body=TARGET)) as environments:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{environments.port}")
        mine = {"http": f"http://me:pass@127.0.0.1:{ours.port}"}
        assert ask(kind, 1, get_target(id=1), extra={"proxies": mine}) == [{"id": 1}]
        assert ask(kind, 1, get_target(id=1)) == [{"id": 1}]
    assert len(ours.requests) == len(environments.requests) == 1
    assert ours.requests[0].startswith(b"GET http://127.0.0.1:1/targets/1.json?")
    assert b"proxy-authorization: basic" in ours.requests[0].lower()


def test_a_proxy_that_is_not_there(kind):
    """It is named as the reason, and nothing was sent."""
    proxies = {"http": f"http://me:hidden@127.0.0.1:{free_port()}"}
    (error,) = ask(kind, 1, reset_cap(1), extra={"proxies": proxies, "max_attempts": 1})
    assert type(error) is ConnectionFailed
    assert "the proxy could not be used; check the extra proxies" in str(error)
    assert not error.sent
    assert is_clean(error)


def test_a_proxy_of_an_unknown_kind(kind, monkeypatch):
    """It is refused at once, for both clients alike."""
    monkeypatch.setenv("all_proxy", "socks5://me:hidden@127.0.0.1:1")
    (error,) = ask(kind, 1, get_target(id=1))
    assert type(error) is ConnectionFailed
    assert error.final
    assert "proxy is not an http(s) URL" in str(error)
    assert "hidden" not in str(error)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_certificates_that_cannot_be_read(kind, tmp_path, content):
    """The extra is named before anything is sent."""
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    with pytest.raises(InvalidConnection, match="extra 'verify'"):
        ask(kind, 1, get_target(id=1), extra={"verify": str(bundle)})


def test_a_folder_of_certificates(kind, tmp_path):
    """It is taken as such; it plays no part in plain HTTP."""
    with raw_server(answer(body=TARGET)) as server:
        assert ask(kind, server.port, get_target(id=1), extra={"verify": str(tmp_path)}) == [{"id": 1}]


def test_a_host_that_speaks_no_tls(kind):
    """It is an error of the connection, with neither a key nor a library's words."""
    with raw_server(answer()) as server:
        (error,) = ask(
            kind, server.port, get_target(id=1), host=f"https://127.0.0.1:{server.port}", extra={"max_attempts": 1}
        )
    assert type(error) is ConnectionFailed
    assert is_clean(error)


def test_headers_that_come_twice_are_one_list(kind):
    """As HTTP has it, and the same for both clients."""
    headers = [b"Retry-After: 3", b"Retry-After: 4"]
    clock = FakeTime()
    with raw_server(answer(429, headers=headers), answer(body=TARGET)) as server:
        ask(kind, server.port, get_target(id=1), clock=clock)
    # A list of seconds says nothing: the ordinary backoff and the brief common pause.
    assert sum(clock.waits) == pytest.approx(1.0)


def test_debug_logs_hold_no_key(kind, caplog):
    """Over TCP, with every logger at DEBUG, malformed headers and broken connections included."""
    scripts = (
        answer(body=TARGET),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nbroken header line\r\nX: " + KEY.encode() + b"\r\n\r\n{}",
        b"",
        answer(302, headers=[b"Location: /?api_key=" + KEY.encode()]),
        answer(500, body=KEY.encode()),
        answer(body=TARGET),
    )
    with caplog.at_level(logging.DEBUG), raw_server(*scripts) as server:
        ask(kind, server.port, *[get_target(id=1)] * 5)
    assert caplog.records
    written = [
        f"{record.getMessage()} {record.args} {record.exc_text} {record.exc_info}" for record in caplog.records
    ]
    for text in (*written, caplog.text):
        assert not any(mark in text for mark in MARKS), text


def test_debug_logs_against_the_sandbox_hold_no_key(kind, caplog):
    """A whole list with the vendor's `Link`, which repeats the key."""
    with run_sandbox(options(load="demo")) as served, caplog.at_level(logging.DEBUG):
        (rows,) = ask(kind, served.port, whole_list())
    assert len(rows) > 25
    assert "/targets.json" in caplog.text or kind == "async"
    assert not any(mark in caplog.text for mark in MARKS)


def test_nothing_is_left_behind(kind):
    """A consumer that stops early leaves neither a thread nor a task."""
    before = threading.active_count()

    async def some(settings, limiter):
        async with AsyncRetreaverClient(settings, limiter=limiter) as client:
            rows = client.iterate(list_targets())
            async for _ in rows:
                break
            await rows.aclose()
            return len(asyncio.all_tasks())

    with run_sandbox(options(load="demo", latency_ms=5)) as served:
        settings = Settings.parse("odd", password=KEY, login="1", host=served.url)
        limiter = Limiter(4)
        if kind == "sync":
            with RetreaverClient(settings, limiter=limiter) as client:
                rows = client.iterate(list_targets())
                next(rows)
                rows.close()
            assert not [one.name for one in threading.enumerate() if one.name.startswith("retreaver-pages")]
        else:
            assert asyncio.run(some(settings, limiter)) == 1
        assert limiter.taken == 0
    assert threading.active_count() <= before + 1


def test_pages_are_fetched_ahead_within_the_limit(kind):
    """Never more than `max_concurrency` at once, several at once, and in order."""
    with run_sandbox(options(latency_ms=10, max_concurrency=3)) as served:
        served.sandbox.handle("POST", "/__sandbox__/calls", [], {}, b'{"count": 300}')
        (rows,) = ask(kind, served.port, calls_by_twenty(), extra={"max_concurrency": 3, "per_page": 20})
        log = json.loads(served.sandbox.handle("GET", "/__sandbox__/requests", [], {}, b"").body)
    assert {entry["status"] for entry in log} == {200}
    moments = [row["created_at"] for row in rows]
    assert moments == sorted(moments, reverse=True)
    assert len({row["uuid"] for row in rows}) == len(rows) >= 300


def calls_by_twenty():
    """Read the whole call log in a procedure."""
    from airflow_provider_retreaver.resources.calls import list_calls

    return (yield list_calls())


def test_a_certificate_that_is_not_accepted_is_final(kind, monkeypatch):
    """Trying again cannot help; both libraries' errors are understood."""
    import aiohttp
    import requests
    import urllib3

    wrong = ssl.SSLCertVerificationError(1, f"api_key={KEY}")
    from airflow_provider_retreaver.transport import aio, blocking

    request = get_target(id=1).request
    if kind == "sync":
        reason = urllib3.exceptions.SSLError(wrong)
        found = blocking._connection_error(
            request, requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(None, "/", reason))
        )
    else:
        key = aiohttp.client_reqrep.ConnectionKey("h", 443, True, True, None, None, None)
        found = aio._connection_error(request, aiohttp.ClientConnectorCertificateError(key, wrong))
    assert found.final
    assert not found.sent
    assert "certificate of the host was not accepted" in str(found)


def test_a_host_that_accepts_nothing_in_time(kind):
    """It was never connected, so nothing was sent."""
    import aiohttp
    import requests

    from airflow_provider_retreaver.transport import aio, blocking

    request = reset_cap(1).request
    if kind == "sync":
        found = blocking._connection_error(request, requests.exceptions.ConnectTimeout())
    else:
        found = aio._connection_error(request, aiohttp.ConnectionTimeoutError())
    assert not found.sent
    assert not found.final
    assert "could not connect in time" in str(found)


def test_a_429_holds_back_the_clients_of_other_threads_and_loops(caplog):
    """Who asks next waits as long as the first was told to, and says so."""
    clock = FakeTime()
    limiter = Limiter(4, clock)
    waited = {"thread": [], "loop": []}

    def settings(port):
        return Settings.parse(
            "odd", password=KEY, login="1", host=f"http://127.0.0.1:{port}", extra={"max_attempts": 1}
        )

    async def in_a_loop(port):
        async def sleep(seconds):
            waited["loop"].append(seconds)

        async with AsyncRetreaverClient(settings(port), sleep=sleep, limiter=limiter) as client:
            await client.run(get_target(id=1))

    def in_a_thread(port):
        with RetreaverClient(settings(port), sleep=waited["thread"].append, limiter=limiter) as client:
            client.run(get_target(id=1))

    with raw_server(answer(429, headers=[b"Retry-After: 9"]), answer(body=TARGET)) as server:
        with RetreaverClient(settings(server.port), sleep=clock.sleep, limiter=limiter) as client:
            assert type(outcome(client.run, get_target(id=1))).__name__ == "RateLimited"
        with caplog.at_level(logging.INFO):
            thread = threading.Thread(target=in_a_thread, args=(server.port,))
            thread.start()
            thread.join(10)
            asyncio.run(in_a_loop(server.port))
    assert waited == {"thread": [9.0], "loop": [9.0]}
    assert caplog.text.count("waits 9.0 s") == 2
