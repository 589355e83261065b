"""Both transports against faulty servers: errors, secrets that they must not contain, and redirects."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
import ssl
import threading
from urllib.parse import quote, quote_plus

import pytest
from urllib3 import HTTPConnectionPool

from airflow_provider_retreaver.core.errors import (
    ConnectionFailed,
    InvalidConnection,
    InvalidRequest,
    OutcomeUnknown,
    ProtocolError,
    RetreaverError,
)
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings
from airflow_provider_retreaver.resources.targets import delete_target, get_target, list_targets, reset_cap
from airflow_provider_retreaver.resources.trackdrive.buyers import list_buyers
from airflow_provider_retreaver.sandbox.local_server import run_sandbox
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY, TRACKDRIVE_PUBLIC_KEY
from airflow_provider_retreaver.transport.client import AsyncRetreaverClient, RetreaverClient
from airflow_provider_retreaver.transport.limiter import Limiter
from tests.contract.harness import KEY, FakeTime, options
from tests.transport.raw_server import answer, raw_server

TARGET = b'{"target": {"id": 1}}'
MARKS = {KEY, quote(KEY, safe=""), quote_plus(KEY), quote(KEY), json.dumps(KEY)[1:-1], "k3y"}


def ask(kind, port, *works, clock=None, api=Settings, **parts):
    """Run operations one after the other with a client of this kind; return results and errors."""
    clock = clock or FakeTime()
    extra = {"timeout": 5, **parts.pop("extra", {})}
    fields = {"password": KEY, "login": "1", "host": f"http://127.0.0.1:{port}", **parts}
    settings = api.parse("odd", extra=extra, **fields)
    limiter = Limiter(4, clock)

    def blocking():
        with RetreaverClient(settings, sleep=clock.sleep, limiter=limiter) as client:
            return [outcome(client.run, work) for work in works]

    async def asynchronous():
        async with AsyncRetreaverClient(settings, sleep=clock.asleep, limiter=limiter) as client:
            results = []
            for work in works:
                try:
                    results.append(await client.run(work))
                except RetreaverError as error:
                    results.append(error)
            return results

    return blocking() if kind == "sync" else asyncio.run(asynchronous())


def outcome(run, work):
    """Return the result or the error."""
    try:
        return run(work)
    except RetreaverError as error:
        return error


def everything_of(error, seen=None):
    """Yield an error, its cause, its context and the errors in its attributes."""
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
    """Assert that an error contains neither the key nor a library's exception."""
    for one in everything_of(error):
        assert isinstance(one, RetreaverError), repr(one)
        text = f"{one} {one!r} {one.args!r} {vars(one)!r}"
        assert not any(mark in text for mark in MARKS), text
    return True


@pytest.fixture(params=["sync", "async"])
def kind(request):
    """Return the kind of client."""
    return request.param


def free_port():
    """Return an unused port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_refused_connection_is_retried(kind):
    """Also for a POST, which was not sent."""
    clock = FakeTime()
    (error,) = ask(kind, free_port(), reset_cap(1), clock=clock, extra={"max_attempts": 3})
    assert type(error) is ConnectionFailed
    assert not error.sent
    assert "could not connect; check host, port and network. Gave up after 3 attempts" in str(error)
    assert len(clock.waits) == 2
    assert is_clean(error)


def test_a_response_that_does_not_come(kind):
    """A GET is retried, a POST is not."""
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
    """It counts as no response: idempotent requests are retried, the outcome of others is unknown."""
    with raw_server(script) as server:
        got, posted = ask(kind, server.port, get_target(id=1), reset_cap(1), extra={"max_attempts": 2})
    assert type(got) is ConnectionFailed
    assert type(posted) is OutcomeUnknown
    assert len(server.requests) == 3
    assert (got.method, got.path) == ("GET", "/targets/1.json")
    assert is_clean(got)
    assert is_clean(posted)


def test_a_retry_after_a_broken_transfer(kind):
    """The next attempt succeeds."""
    with raw_server(b"", answer(body=TARGET[:9], length=500), answer(body=TARGET)) as server:
        assert ask(kind, server.port, get_target(id=1)) == [{"id": 1}]
    assert len(server.requests) == 3


def test_libraries_do_not_repeat_a_delete(kind):
    """Every request that is sent is an attempt of the policy."""
    with raw_server(b"", answer(404)) as server:
        assert ask(kind, server.port, delete_target(id=1)) == [None]
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_never_reaches_the_other_host(kind, status):
    """The second server gets no request and so no key."""
    with raw_server(answer(body=TARGET)) as other:
        place = b"Location: http://127.0.0.1:%d/targets/1.json?api_key=%s" % (other.port, quote_plus(KEY).encode())
        with raw_server(answer(status, headers=[place])) as server:
            errors = ask(kind, server.port, get_target(id=1), reset_cap(1), delete_target(id=1))
    assert other.requests == []
    assert len(server.requests) == 3
    assert {type(error) for error in errors} == {InvalidRequest}
    assert all(is_clean(error) for error in errors)


def test_a_link_never_reaches_the_other_host(kind):
    """The next page is requested from the connection's own host."""
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


def test_a_login_page_is_a_protocol_error(kind):
    """The error describes an HTML page with status 200 and does not contain all of it."""
    page = b"<html>" + b"x" * 100_000 + KEY.encode()
    with raw_server(answer(body=page)) as server:
        (error,) = ask(kind, server.port, get_target(id=1))
    assert type(error) is ProtocolError
    assert error.status == 200
    assert len(str(error)) < 500
    assert is_clean(error)


def test_cookies_are_not_kept(kind):
    """A cookie of one response is not sent with the next request."""
    setting = answer(body=TARGET, headers=[b"Set-Cookie: session=1; Path=/"])
    with raw_server(setting, answer(body=TARGET)) as server:
        ask(kind, server.port, get_target(id=1), get_target(id=1))
    assert not any(b"cookie" in request.lower() for request in server.requests)


def test_credentials_of_a_netrc_are_not_sent(kind, tmp_path, monkeypatch):
    """Credentials for this host in .netrc are not used."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hidden")
    monkeypatch.setenv("NETRC", str(netrc))
    with raw_server(answer(body=TARGET)) as server:
        ask(kind, server.port, get_target(id=1))
    assert b"authorization" not in server.requests[0].lower()


def test_the_proxy_of_the_connection_is_used(kind, monkeypatch):
    """It is used with its password instead of the environment's, which is used if there is none."""
    with raw_server(answer(body=TARGET)) as ours, raw_server(answer(body=TARGET)) as environments:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{environments.port}")
        mine = {"http": f"http://me:pass@127.0.0.1:{ours.port}"}
        assert ask(kind, 1, get_target(id=1), extra={"proxies": mine}) == [{"id": 1}]
        assert ask(kind, 1, get_target(id=1)) == [{"id": 1}]
    assert len(ours.requests) == len(environments.requests) == 1
    assert ours.requests[0].startswith(b"GET http://127.0.0.1:1/targets/1.json?")
    assert b"proxy-authorization: basic" in ours.requests[0].lower()


def test_an_unreachable_proxy(kind):
    """The error names the proxy, and nothing was sent."""
    proxies = {"http": f"http://me:hidden@127.0.0.1:{free_port()}"}
    (error,) = ask(kind, 1, reset_cap(1), extra={"proxies": proxies, "max_attempts": 1})
    assert type(error) is ConnectionFailed
    assert "the proxy could not be used; check the extra proxies" in str(error)
    assert not error.sent
    assert is_clean(error)


def test_a_proxy_of_an_unknown_kind(kind, monkeypatch):
    """Both clients refuse it at once."""
    monkeypatch.setenv("all_proxy", "socks5://me:hidden@127.0.0.1:1")
    (error,) = ask(kind, 1, get_target(id=1))
    assert type(error) is ConnectionFailed
    assert error.final
    assert "proxy is not an http(s) URL" in str(error)
    assert "hidden" not in str(error)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_certificates_that_cannot_be_read(kind, tmp_path, content):
    """The error names the extra; nothing is sent."""
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    with pytest.raises(InvalidConnection, match="extra 'verify'"):
        ask(kind, 1, get_target(id=1), extra={"verify": str(bundle)})


def test_a_folder_of_certificates(kind, tmp_path):
    """A folder is accepted, and has no effect on plain HTTP."""
    with raw_server(answer(body=TARGET)) as server:
        assert ask(kind, server.port, get_target(id=1), extra={"verify": str(tmp_path)}) == [{"id": 1}]


def test_a_host_without_tls(kind):
    """It is a connection error that contains neither the key nor the library's message."""
    with raw_server(answer()) as server:
        (error,) = ask(
            kind, server.port, get_target(id=1), host=f"https://127.0.0.1:{server.port}", extra={"max_attempts": 1}
        )
    assert type(error) is ConnectionFailed
    assert is_clean(error)


def test_repeated_headers_are_joined(kind):
    """Both clients join them with commas, as HTTP defines it."""
    headers = [b"Retry-After: 3", b"Retry-After: 4"]
    clock = FakeTime()
    with raw_server(answer(429, headers=headers), answer(body=TARGET)) as server:
        ask(kind, server.port, get_target(id=1), clock=clock)
    # A list of seconds is not valid: the usual backoff and the default pause apply.
    assert sum(clock.waits) == pytest.approx(1.0)


def test_debug_logs_contain_no_key(kind, caplog):
    """With every logger at DEBUG, also for malformed headers and broken connections."""
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


def test_debug_logs_of_a_list_contain_no_key(kind, caplog):
    """A list is read whose `Link` headers contain the key."""
    with run_sandbox(options(load="demo")) as served, caplog.at_level(logging.DEBUG):
        (rows,) = ask(kind, served.port, whole_list())
    assert len(rows) > 25
    assert "/targets.json" in caplog.text or kind == "async"
    assert not any(mark in caplog.text for mark in MARKS)


def test_connections_are_closed_while_something_refers_to_them():
    """A client that ends leaves no connection open, also when an error that is kept refers to the library's pool."""
    ended = threading.Event()

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")
            if connection.recv(1) == b"":
                ended.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        settings = Settings.parse(
            "odd", password=KEY, login="1", host=f"http://127.0.0.1:{listener.getsockname()[1]}", extra={}
        )
        with RetreaverClient(settings) as client:
            assert client.run(whole_list()) == []
            kept = [thing for thing in gc.get_objects() if issubclass(type(thing), HTTPConnectionPool)]
        assert ended.wait(30)
        thread.join()
    assert kept


def test_a_reader_that_stops_early(kind):
    """No thread and no task are left."""
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


def test_pages_are_requested_ahead(kind):
    """Several pages are requested at once, at most `max_concurrency`, and come in order."""
    with run_sandbox(options(latency_ms=10, max_concurrency=3)) as served:
        served.sandbox.handle("POST", "/__sandbox__/calls", [], {}, b'{"count": 300}')
        (rows,) = ask(kind, served.port, calls_by_twenty(), extra={"max_concurrency": 3, "per_page": 20})
        log = json.loads(served.sandbox.handle("GET", "/__sandbox__/requests", [], {}, b"").body)
    assert {entry["status"] for entry in log} == {200}
    moments = [row["created_at"] for row in rows]
    assert moments == sorted(moments, reverse=True)
    assert len({row["uuid"] for row in rows}) == len(rows) >= 300


@pytest.mark.parametrize(("allowed", "statuses"), [(3, {200}), (1, {200, 429})])
def test_pages_that_metadata_promises_are_requested_ahead(kind, allowed, statuses):
    """TrackDrive has no `Link`: `total_count` tells which pages to request, at most `max_concurrency`."""
    keys = {"login": TRACKDRIVE_PUBLIC_KEY, "password": TRACKDRIVE_PRIVATE_KEY}
    with run_sandbox(options(latency_ms=20, max_concurrency=allowed)) as served:
        for _ in range(60):
            add_buyer(served.sandbox)
        work = all_rows(list_buyers())
        extra = {"max_concurrency": 3, "per_page": 10}
        (rows,) = ask(kind, served.port, work, api=TrackDriveSettings, extra=extra, **keys)
        log = json.loads(served.sandbox.handle("GET", "/__sandbox__/requests", [], {}, b"").body)
    assert {entry["status"] for entry in log if entry["path"] == "/api/v1/buyers"} == statuses
    assert [row["id"] for row in rows] == list(range(60, 0, -1))


def add_buyer(sandbox):
    """Add a buyer to the TrackDrive account."""
    assert sandbox.handle("POST", "/__sandbox__/trackdrive/buyers", [], {}, b'{"name": "Buyer"}').status == 200


def all_rows(listing):
    """Read a listing in a procedure."""
    return (yield listing)


def calls_by_twenty():
    """Read the whole call log in a procedure."""
    from airflow_provider_retreaver.resources.calls import list_calls

    return (yield list_calls())


def test_an_invalid_certificate_is_not_retried(kind, monkeypatch):
    """Both libraries' errors are recognized as final."""
    import aiohttp
    import requests
    import urllib3

    wrong = ssl.SSLCertVerificationError(1, f"api_key={KEY}")
    from airflow_provider_retreaver.transport import aio, blocking

    request = get_target(id=1).request
    if kind == "sync":
        reason = urllib3.exceptions.SSLError(wrong)
        error = blocking._connection_error(
            request, requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(None, "/", reason))
        )
    else:
        key = aiohttp.client_reqrep.ConnectionKey("h", 443, True, True, None, None, None)
        error = aio._connection_error(request, aiohttp.ClientConnectorCertificateError(key, wrong))
    assert error.final
    assert not error.sent
    assert "certificate of the host was not accepted" in str(error)


def test_a_connect_timeout(kind):
    """There was no connection, so nothing was sent."""
    import aiohttp
    import requests

    from airflow_provider_retreaver.transport import aio, blocking

    request = reset_cap(1).request
    if kind == "sync":
        error = blocking._connection_error(request, requests.exceptions.ConnectTimeout())
    else:
        error = aio._connection_error(request, aiohttp.ConnectionTimeoutError())
    assert not error.sent
    assert not error.final
    assert "could not connect in time" in str(error)


def test_a_429_pauses_the_clients_of_other_threads_and_loops(caplog):
    """The next request waits as long as the `Retry-After` of the first, and logs it."""
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
