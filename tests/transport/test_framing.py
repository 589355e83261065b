"""Malformed responses, byte by byte, with both transports: an error of this package, never a hang or cut data."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress

import pytest

from airflow_provider_retreaver.core.errors import ConnectionFailed, ProtocolError, RetreaverError
from airflow_provider_retreaver.core.framing import ChunkCheck, HeadCheck, Misframed
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.resources.targets import get_target
from airflow_provider_retreaver.transport.client import AsyncRetreaverClient, RetreaverClient
from tests.contract.harness import KEY
from tests.transport.raw_server import raw_server

BODY = b'{"target": {"id": 7}}'
SIZE = len(BODY)
LENGTH = b"Content-Length: %d" % SIZE
CHUNKED = b"Transfer-Encoding: chunked"
END = b"0\r\n\r\n"


def sent(*headers: bytes, body: bytes = BODY, status: bytes = b"HTTP/1.1 200 OK", line: bytes = b"\r\n") -> bytes:
    """Return a response as it is sent."""
    head = (status, b"Content-Type: application/json", *headers, b"")
    return line.join(head) + line + body


def chunks(size: bytes, after: bytes = b"\r\n", end: bytes = END) -> bytes:
    """Return a response of one chunk, with what says its size, what stands after it, and its end."""
    return sent(CHUNKED, body=size + b"\r\n" + BODY + after + end)


HEX = b"%x" % SIZE
REFUSED = {
    "two lengths": sent(LENGTH, b"Content-Length: 3"),
    "two lengths, the longer one last": sent(LENGTH, b"Content-Length: 99"),
    "the same length twice": sent(LENGTH, LENGTH),
    "a list of lengths": sent(LENGTH + b", %d" % SIZE),
    "a negative length": sent(b"Content-Length: -1"),
    "a length in words": sent(b"Content-Length: many"),
    "a length with a plus": sent(b"Content-Length: +%d" % SIZE),
    "a length with an underscore": sent(b"Content-Length: 2_1"),
    "a length in hexadecimal": sent(b"Content-Length: 0x15"),
    "a length of 5,000 digits": sent(b"Content-Length: " + b"9" * 5_000),
    "a length that is not reached": sent(b"Content-Length: %d" % (SIZE + 9)),
    "a length and chunks": sent(LENGTH, CHUNKED, body=HEX + b"\r\n" + BODY + b"\r\n" + END),
    "another coding": sent(b"Transfer-Encoding: identity, foo", LENGTH),
    "chunked twice": sent(CHUNKED, CHUNKED, body=HEX + b"\r\n" + BODY + b"\r\n" + END),
    "a chunk of zz": chunks(b"zz"),
    "a chunk of no size": chunks(b""),
    "a negative chunk": chunks(b"-5"),
    "a chunk with a plus": chunks(b"+" + HEX),
    "a chunk with 0x": chunks(b"0x" + HEX),
    "a chunk with an underscore": chunks(b"1_5"),
    "a chunk of 64 digits": chunks(b"f" * 64),
    "a chunk that is not reached": sent(CHUNKED, body=b"%x\r\n" % (SIZE + 9) + BODY),
    "a chunk that is longer": chunks(HEX, after=b"XX"),
    "a chunk without its end": chunks(HEX, after=b""),
    "no last chunk": chunks(HEX, end=b""),
    "no end after the last chunk": chunks(HEX, end=b"0\r\n"),
    "chunks with bare LF": chunks(HEX).replace(b"\r\n" + BODY + b"\r\n0\r\n\r\n", b"\n" + BODY + b"\n0\n\n"),
    "a header without a colon": sent(LENGTH, b"no colon here"),
    "a header without a colon before the length": sent(b"no colon here", b"Content-Length: 3"),
    "a header without a name": sent(b": x", LENGTH),
    "a length with a space before the colon": sent(b"Content-Length : %d" % (SIZE + 9)),
    "the right length with a space before the colon": sent(b"Content-Length : %d" % SIZE),
    "a tab before a colon": sent(LENGTH, b"X-A\t: b"),
    "a space before a colon after a hint": b"HTTP/1.1 100 Continue\r\n\r\n" + sent(LENGTH, b"X-A : b"),
    "a null character": sent(b"X-A: b\0c", LENGTH),
    "a bare CR": sent(b"X-A: b\rContent-Length: 3", LENGTH),
    "a head without end": b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\nContent-Length: 21",
    "more than its length": sent(LENGTH, body=BODY + b"more"),
    "more than a length of 0": sent(b"Content-Length: 0"),
    "more than its length, and the connection ends": sent(LENGTH, b"Connection: close", body=BODY + b"more"),
    "more after the last chunk": chunks(HEX, end=END + b"more"),
    "no status line": BODY,
    "another protocol": sent(LENGTH, status=b"HELLO"),
    "a status in words": sent(LENGTH, status=b"HTTP/1.1 abc OK"),
    "a negative status": sent(LENGTH, status=b"HTTP/1.1 -20 OK"),
    "a status of four digits": sent(LENGTH, status=b"HTTP/1.1 2000 OK"),
    "an unknown version": sent(LENGTH, status=b"HTTP/9.9 200 OK"),
    "a version that has no such heads": sent(LENGTH, status=b"HTTP/2.0 200 OK"),
    "an unknown version of this kind": sent(LENGTH, status=b"HTTP/1.7 200 OK"),
    "only a hint": b"HTTP/1.1 100 Continue\r\n\r\n",
    "nothing": b"",
}
# Errors of one kind with one transport and of another kind with the other, or that are no broken connections.
OTHERS = {
    "a status of 99": sent(LENGTH, status=b"HTTP/1.1 099 OK"),
    "another protocol from now on": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a body where there is none": sent(LENGTH, status=b"HTTP/1.1 204 No Content"),
    "cut off, without a length": sent(body=BODY[:-1]),
}
# Whole, and read to its end by both transports.
ACCEPTED = {
    "a length": sent(LENGTH),
    "one chunk": chunks(HEX),
    "two chunks": sent(
        CHUNKED, body=b"5\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % (BODY[:5], SIZE - 5, BODY[5:])
    ),
    "until the connection ends": sent(),
    "a blank line after it": sent(LENGTH, body=BODY + b"\r\n"),
    "a folded header": sent(b"X-A: b\r\n c", LENGTH),
    # RFC 9112, 2.2: a recipient may take a LF for the end of a line of the head.
    "a head with bare LF": sent(LENGTH, line=b"\n"),
    "a hint before": b"HTTP/1.1 100 Continue\r\n\r\n" + sent(LENGTH),
    "an early hint before": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + sent(LENGTH),
    "several hints before": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100\r\n\r\n" * 3 + sent(LENGTH),
    "version 1.0": sent(LENGTH, status=b"HTTP/1.0 200 OK"),
}


@pytest.fixture(params=["sync", "async"])
def kind(request):
    """Return the kind of client."""
    return request.param


def read(kind, script):
    """Read a target from a server that answers so; return it or the error."""

    async def run(settings):
        async with AsyncRetreaverClient(settings) as client:
            return await client.run(get_target(id=7))

    with raw_server(script) as server:
        settings = Settings.parse(
            "odd", password=KEY, host=f"http://127.0.0.1:{server.port}", extra={"timeout": 20, "max_attempts": 1}
        )
        try:
            if kind == "async":
                return asyncio.run(run(settings))
            with RetreaverClient(settings) as client:
                return client.run(get_target(id=7))
        except RetreaverError as error:
            return error


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_malformed_is_refused(kind, case):
    """It counts as no response, as a connection that broke off does."""
    assert type(read(kind, REFUSED[case])) is ConnectionFailed


@pytest.mark.parametrize("case", OTHERS)
def test_other_errors(kind, case):
    """They are errors of this package, of whichever kind."""
    assert isinstance(read(kind, OTHERS[case]), RetreaverError)


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_is_whole_is_accepted(kind, case):
    """Nothing that the rules allow is refused."""
    assert read(kind, ACCEPTED[case]) == {"id": 7}


OWN = sent(LENGTH), chunks(HEX)
MORE = {
    "another response": sent(b"Content-Length: %d" % (SIZE + 1), body=BODY.replace(b"7", b"66")),
    "another response, later": sent(b"Content-Length: %d" % (SIZE + 1), body=BODY.replace(b"7", b"66")),
    "something, later": b"more",
}


@pytest.mark.parametrize("own", OWN, ids=["length", "chunks"])
@pytest.mark.parametrize("case", MORE)
def test_what_comes_after_a_response_is_nobodys(kind, own, case):
    """It is no answer to the next request, which goes by another connection."""
    later = threading.Event()

    async def run(settings):
        async with AsyncRetreaverClient(settings) as client:
            first = await client.run(get_target(id=7))
            if "later" in case:
                await asyncio.to_thread(later.wait, 60)
                await asyncio.sleep(0.1)
            return first, await client.run(get_target(id=7))

    with Unasked(own, MORE[case], later if "later" in case else None) as server:
        settings = Settings.parse(
            "odd", password=KEY, host=f"http://127.0.0.1:{server.port}", extra={"max_attempts": 2}
        )
        if kind == "async":
            assert asyncio.run(run(settings)) == ({"id": 7}, {"id": 7})
        else:
            with RetreaverClient(settings) as client:
                assert client.run(get_target(id=7)) == {"id": 7}
                if "later" in case:
                    later.wait(60)
                    time.sleep(0.1)
                assert client.run(get_target(id=7)) == {"id": 7}
        assert server.requests[0] == 1


class Unasked:
    """Answers the first request of each connection, sends more that nobody has asked for, and waits for the next.

    :param own: the answer.
    :param more: what follows the first answer, at once or later.
    :param later: set when it was sent later; None for at once.
    """

    def __init__(self, own, more, later):
        self._own, self._more, self._later = own, more, later
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        # Of each connection the number of requests.
        self.requests = []

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self):
        with suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=self._listener.accept()[:1], daemon=True).start()

    def _answer(self, connection):
        with suppress(OSError), connection:
            number = len(self.requests)
            while data := connection.recv(65_536):
                if number == len(self.requests):
                    self.requests.append(0)
                self.requests[number] += data.count(b"GET ")
                late = self._later is not None
                connection.sendall(self._own + (b"" if late or number else self._more))
                if late and not number:
                    time.sleep(0.3)
                    connection.sendall(self._more)
                    self._later.set()


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Date", "X-A"])
def test_a_space_before_a_colon_is_refused_alike(name):
    """Both clients refuse it by the same sentence, since two readers see different headers there."""
    space = sent(LENGTH, b"%b : 3" % name.encode())
    refused = read("sync", space)
    assert type(refused) is ConnectionFailed
    assert str(read("async", space)) == str(refused)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_heads_in_pieces(size):
    """However the bytes of a head come, a space before a colon is seen before its line ends; bodies may have any."""
    whole = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 all : right\r\nA: b : c\r\n d : e\r\n\r\nf : g\r\nh : i\r\n"
    check = HeadCheck()
    for at in range(0, len(whole), size):
        check.feed(whole[at : at + size])
    assert check.ended
    odd = b"HTTP/1.1 200 OK\r\nA: b\r\nLength : 3"
    check, colon = HeadCheck(), odd.rindex(b":") // size * size
    for at in range(0, colon, size):
        check.feed(odd[at : at + size])
    with pytest.raises(Misframed, match="space before"):
        check.feed(odd[colon : colon + size])


def test_cut_off_json_is_no_success(kind):
    """Without a length the end of a body is not certain, but half of it is no JSON."""
    assert type(read(kind, OTHERS["cut off, without a length"])) is ProtocolError


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_chunks_in_pieces(size):
    """However the bytes of a chunked body come, they are followed."""
    body = b"5\r\nabcde\r\n0;x\r\nX: y\r\n\r\n"
    check = ChunkCheck()
    for at in range(0, len(body), size):
        assert not check.ended
        check.feed(body[at : at + size])
    assert check.ended
    with pytest.raises(Misframed, match="after the body's end"):
        check.feed(b"x")


def test_a_line_without_end():
    """A line between chunks is bounded."""
    with pytest.raises(Misframed, match="too long"):
        ChunkCheck().feed(b"5" * 10_000)
