"""Bounds of responses, alike with both transports: bytes after decompression, seconds over all, depth, headers."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import tracemalloc
import zlib
from contextlib import contextmanager, suppress

import pytest

from airflow_provider_retreaver.core.bodies import too_deep
from airflow_provider_retreaver.core.errors import (
    ConnectionFailed,
    InvalidConnection,
    InvalidRequest,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
)
from airflow_provider_retreaver.core.links import link_pages
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.resources.targets import get_target, list_targets, reset_cap
from tests.contract.harness import KEY, FakeTime
from tests.transport.raw_server import answer, raw_server
from tests.transport.test_transports import TARGET, ask, is_clean, whole_list

ONE_MB = 1_000_000
# Seconds of processor time that a busy machine does not reach and a quadratic search of such texts goes far beyond.
FAR_FROM_QUADRATIC = 20


@pytest.fixture(params=["sync", "async"])
def kind(request):
    """Return the kind of client."""
    return request.param


def zipped(megabytes: int, encoding: str = "gzip") -> bytes:
    """Return the compressed body of a target whose name has so many megabytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
    body = packer.compress(b'{"target": {"id": 1, "name": "')
    for _ in range(megabytes):
        body += packer.compress(b"a" * ONE_MB)
    return body + packer.compress(b'"}}') + packer.flush()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_bomb(kind, encoding):
    """300 MB that are sent as 300 kB are given up at the limit, in little more memory than that, and not retried."""
    header = [b"Content-Encoding: " + encoding.encode()]
    with raw_server(answer(body=zipped(300, encoding), headers=header)) as server:
        tracemalloc.start()
        (error,) = ask(kind, server.port, get_target(id=1), extra={"max_response_mb": 8})
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert type(error) is ProtocolError
    assert "has more than 8 MB, decompressed" in str(error)
    assert "max_response_mb" in str(error)
    assert len(server.requests) == 1
    assert peak < 40 * ONE_MB
    assert is_clean(error)


def test_a_large_response(kind):
    """One just within the limit is read; a larger one, compressed or not, with its length or not, is refused."""
    padding = b" " * (ONE_MB - len(TARGET))
    within, beyond = TARGET + padding, TARGET + padding + b" "
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n%x\r\n" % len(beyond)
    scripts = (
        answer(body=within),
        answer(body=gzip.compress(within), headers=[b"Content-Encoding: gzip"]),
        answer(body=beyond),
        answer(body=gzip.compress(beyond), headers=[b"Content-Encoding: gzip"]),
        chunked + beyond + b"\r\n0\r\n\r\n",
    )
    with raw_server(*scripts) as server:
        results = ask(kind, server.port, *[get_target(id=1)] * 5, extra={"max_response_mb": "1"})
    assert results[:2] == [{"id": 1}] * 2
    assert [type(error) for error in results[2:]] == [ProtocolError] * 3


def test_a_write_whose_response_is_too_large(kind):
    """The server has answered it with a success, so that it is an error of the response."""
    with raw_server(answer(body=b" " * 2 * ONE_MB)) as server:
        (error,) = ask(kind, server.port, reset_cap(1), extra={"max_response_mb": 1})
    assert type(error) is ProtocolError
    assert len(server.requests) == 1


def test_an_error_response_is_read_to_its_message_only(kind):
    """A 422 of many megabytes is still a 422, and a 429 is retried."""
    large = b'{"error": "' + b"x" * 3 * ONE_MB + b'"}'
    with raw_server(answer(422, body=large), answer(429, body=large), answer(429, body=large)) as server:
        refused, limited = ask(
            kind, server.port, get_target(id=1), reset_cap(1), extra={"max_response_mb": 1, "max_attempts": 2}
        )
    assert type(refused) is InvalidRequest
    assert type(limited) is RateLimited
    assert len(server.requests) == 3


@pytest.mark.parametrize("word", ["a", "a.", "e ", "://", "1-"])
def test_a_long_message_is_shortened(kind, word):
    """A message of 60 kB is masked without a quadratic search, and is short; no half of a key is left of it."""
    texts = [word * (60_000 // len(word)), "x " * 990 + KEY]
    scripts = [answer(422, body=json.dumps({"errors": {text: [text]}}).encode()) for text in texts]
    started = time.process_time()
    with raw_server(*scripts) as server:
        long, cut = ask(kind, server.port, get_target(id=1), get_target(id=1))
    assert time.process_time() - started < FAR_FROM_QUADRATIC
    assert len(str(long)) < 700
    assert is_clean(long)
    assert is_clean(cut)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "unknown"])
def test_an_encoding_that_was_not_requested(kind, encoding):
    """It is refused like a broken transfer, whatever else is installed."""
    with raw_server(answer(body=TARGET, headers=[b"Content-Encoding: " + encoding.encode()])) as server:
        (error,) = ask(kind, server.port, get_target(id=1), extra={"max_attempts": 1})
    assert type(error) is ConnectionFailed
    assert b"accept-encoding: gzip, deflate\r\n" in server.requests[0].lower()


def test_encodings_that_were_requested(kind):
    """Gzip in one or several members, deflate with and without its header, and none."""
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    several = gzip.compress(TARGET[:9]) + gzip.compress(TARGET[9:])
    bodies = {
        b"gzip": gzip.compress(TARGET),
        b"x-gzip": several + b"padding",
        b"deflate": zlib.compress(TARGET),
        b"Deflate": raw.compress(TARGET) + raw.flush(),
        b"identity": TARGET,
    }
    scripts = [answer(body=body, headers=[b"Content-Encoding: " + name]) for name, body in bodies.items()]
    with raw_server(*scripts) as server:
        assert ask(kind, server.port, *[get_target(id=1)] * 5) == [{"id": 1}] * 5


def test_a_compressed_response_that_breaks_off(kind):
    """The beginning of a compressed body is no whole body, also with the right length; many members are refused."""
    broken = gzip.compress(TARGET)[:-12]
    members = gzip.compress(b"") * 3_000 + gzip.compress(TARGET)
    header = [b"Content-Encoding: gzip"]
    with raw_server(answer(body=broken, headers=header), answer(body=members, headers=header)) as server:
        errors = ask(kind, server.port, get_target(id=1), reset_cap(1), extra={"max_attempts": 1})
    assert [type(error) for error in errors] == [ConnectionFailed, OutcomeUnknown]


@contextmanager
def trickling(head: bytes):
    """Serve connections that get `head`, and then one byte per 0.05 s for as long as they are open."""
    ended = threading.Event()

    def serve(connection):
        with suppress(OSError), connection:
            connection.recv(65_536)
            connection.sendall(head)
            while not ended.wait(0.05):
                connection.sendall(b" ")

    def accept():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
    accepting.join(5)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 500 Odd\r\nContent-Length: 500\r\n\r\n",
    ],
)
def test_a_response_that_trickles(kind, head):
    """Bytes that keep coming do not outlive the seconds for the whole response, wherever they stand."""
    started = time.monotonic()
    with trickling(head) as port:
        got, posted = ask(
            kind,
            port,
            get_target(id=1),
            reset_cap(1),
            extra={"timeout": 0.3, "max_response_seconds": 0.5, "max_attempts": 1},
        )
    assert time.monotonic() - started < 20
    assert type(got) is ConnectionFailed
    assert type(posted) is OutcomeUnknown
    assert is_clean(got)


def test_the_seconds_follow_the_timeout():
    """Without the extra they are ten times the timeout, so that a short timeout bounds the whole response too."""
    assert Settings.parse("c", password="key-of-the-api").limits.response_seconds == 300
    assert Settings.parse("c", password="key-of-the-api", extra={"timeout": 2}).limits.response_seconds == 20


@pytest.mark.parametrize(
    "headers",
    [
        [b"X-%d: a" % number for number in range(150)],
        # With the three that each answer of this server has.
        [b"X-%d: a" % number for number in range(97)],
        [b"X: a"] * 150,
        [b"X: " + b"a" * 40_000],
        [b"X: " + b"a" * 70_000],
        [b"X" * 40_000 + b": a"],
        [b"X" * 70_000 + b": a"],
        [b"X: " + b"a" * 12_000] * 3,
        [b"X-%d: " % number + b"a" * 60_000 for number in range(90)],
    ],
    ids=["many", "one too many", "repeated", "long", "longer", "long name", "longer name", "long together", "large"],
)
def test_headers_without_end(kind, headers):
    """A hundred, or one of more than 32 kB, is refused by both transports in the same words."""
    with raw_server(answer(body=TARGET, headers=headers)) as server:
        (error,) = ask(kind, server.port, get_target(id=1), extra={"max_attempts": 1})
    assert type(error) is ConnectionFailed
    assert "got no response: the connection was closed" in str(error)
    assert is_clean(error)


def test_headers_within_the_limits(kind):
    """As many headers as are allowed, one of them of 30 kB, are read by both transports."""
    headers = [b"X-%d: a" % number for number in range(95)] + [b"Link: " + b"a" * 30_000]
    with raw_server(answer(body=TARGET, headers=headers)) as server:
        assert ask(kind, server.port, get_target(id=1)) == [{"id": 1}]


def nested(levels: int) -> bytes:
    """Return the body of a target whose tags are nested, so that the body has so many levels."""
    return b'{"target": {"id": 1, "tags": ' + b"[" * (levels - 2) + b"]" * (levels - 2) + b"}}"


@pytest.mark.parametrize("depth", ["40", None])
def test_depth(kind, depth):
    """As many levels as the connection allows are read; one more is an error that names the limit and the row."""
    levels = int(depth or 100)
    extra = {"max_json_depth": depth} if depth else {}
    with raw_server(
        answer(body=nested(levels)), answer(body=nested(levels + 1)), answer(body=nested(50_000))
    ) as server:
        read, error, far = ask(kind, server.port, *[get_target(id=1)] * 3, extra=extra)
    assert read["id"] == 1
    assert type(error) is type(far) is ProtocolError
    assert f"is nested more than {levels} levels deep, in its row target; raise the connection's extra" in str(error)
    assert f"is nested more than {levels} levels deep" in str(far)
    assert is_clean(far)


def test_levels_beyond_the_stack():
    """A value with more levels than Python can call functions, which some of its versions read, is refused."""
    value = []
    for _ in range(50_000):
        value = [value]
    assert too_deep({"id": 1, "tags": value}, 100) == "tags"


def test_a_row_that_is_too_deep(kind):
    """The error of a list names the row by its place."""
    body = b'[{"target": {"id": 1}}, ' + nested(200) + b"]"
    with raw_server(answer(body=body)) as server:
        (error,) = ask(kind, server.port, whole_list())
    assert "is nested more than 100 levels deep, in its row 1;" in str(error)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb'"half \ud83d"', "half \ufffd"),
        (rb'"\uDE00 half"', "\ufffd half"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd😀"),
        (rb'"\\ud83d"', r"\ud83d"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (rb'"whole \ud83d\ude00 \u00e9"', "whole 😀 é"),
        (b'"half \xf0\x9f\x98"', "half \ufffd"),
        (b'"\xed\xa0\xbd"', "\ufffd\ufffd\ufffd"),
        ('"whole 😀 \ufffd"'.encode(), "whole 😀 \ufffd"),
    ],
)
def test_half_an_emoji(kind, sent, read):
    """It is replaced, in escapes and in bytes: the page is not told as a wrong host, and later text is whole."""
    with raw_server(answer(body=b'{"target": {"id": 1, "name": ' + sent + b"}}")) as server:
        (target,) = ask(kind, server.port, get_target(id=1))
    assert target["name"] == read
    target["name"].encode()


@pytest.mark.parametrize(
    "header",
    [
        "<" * 1_000_000,
        "<a>" * 300_000,
        "<a>; rel=" + " " * 1_000_000,
        "<a>" + "; rel" * 200_000,
        "<a>" + ";" * 1_000_000,
        '<a>; rel="' + "x " * 500_000 + '"',
        "<" + "&page=2" * 140_000 + '>; rel="' + "x " * 100_000,
        '<a?page=3>; rel="' + "next " * 200_000,
    ],
)
def test_links_are_read_in_linear_time(header):
    """A megabyte of the beginnings of links takes far less than the minutes of a quadratic reading."""
    started = time.process_time()
    link_pages(header)
    assert time.process_time() - started < FAR_FROM_QUADRATIC


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_response_mb", 0),
        ("max_response_mb", "many"),
        ("max_response_seconds", -1),
        ("max_response_seconds", "nan"),
        ("max_json_depth", 2),
        ("max_json_depth", 10.5),
        ("max_json_depth", 100_000),
        ("max_download_mb", True),
        ("max_download_seconds", 0),
        ("download_hosts", 5),
        ("download_hosts", "http://files.test/"),
        ("download_hosts", "me@files.test"),
        ("download_hosts", "files.test:port"),
        ("download_hosts", "files.test:70000"),
        ("download_hosts", "files.test/path"),
    ],
)
def test_bad_limits(name, value):
    """They are refused before anything is sent, by a sentence that names the extra."""
    with pytest.raises(InvalidConnection, match=f"extra '{name}'"):
        Settings.parse("c", password="key-of-the-api", extra={name: value})


def test_hosts_of_downloads():
    """With and without a port, IPv6 too; without one, the ports of both schemes are meant."""
    extra = {"download_hosts": "files.test:8443, [::1], "}
    limits = Settings.parse("c", password="key-of-the-api", extra=extra).limits
    assert limits.download_hosts == (("files.test", 8443), ("::1", 80), ("::1", 443))


def test_listed_rows_take_no_fake_time(kind):
    """The bounds are measured by the real clock, not by the one of the limiter."""
    clock = FakeTime()
    with raw_server(answer(body=b"[]")) as server:
        assert ask(kind, server.port, _two_lists(), clock=clock) == [[]]
    assert clock.waits == []


def _two_lists():
    yield list_targets()
    return (yield list_targets())
