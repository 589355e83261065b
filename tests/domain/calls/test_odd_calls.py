"""One odd call: the others of its page are there, and an error names it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.bodies import repaired
from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.domain.calls.export import Completeness, export_calls
from airflow_provider_retreaver.domain.calls.fields import NotOfKind, call_time, read_time
from airflow_provider_retreaver.domain.calls.window import CallWindow
from tests.domain.support.call_log import CallLog

WINDOW = CallWindow(datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5, 0, 30, tzinfo=UTC))
AT = b'"created_at":"2026-01-05T00:10:00Z"'
# More levels than any version of Python and msgspec reads.
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


def read(*calls: bytes, wrapped: bool = True, raw: bool = False) -> tuple[list[Any], Completeness]:
    """Export calls that the server sends as given."""
    log = CallLog()
    body = b",".join(b'{"call":%b}' % call if wrapped else call for call in calls)
    log.instead = lambda _, __, ___: Response(200, {}, b"[" + body + b"]")
    rows: list[Any] = []
    with log.client() as client:
        export = export_calls(client, WINDOW, raw=raw)
        for page in export:
            rows += page.rows
    return rows, export.completeness


def call(uuid: str, rest: bytes = b'"x":1') -> bytes:
    """Return a call as JSON."""
    return b'{"uuid":"%b",%b,%b}' % (uuid.encode(), AT, rest)


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(
    ("tag", "text", "replaced"),
    [
        (rb"half \ud83d", "half \ufffd", 1),
        (rb"\uDE00 half", "\ufffd half", 1),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600", 1),
        (rb"\ud83d\n\ude00", "\ufffd\n\ufffd", 2),
        (rb"\\ud83d", r"\ud83d", 0),
        (rb"\\\ud83d", "\\\ufffd", 1),
        (rb"\ud83d\ude00", "\U0001f600", 0),
        ("\U0001f600".encode()[:2], "\ufffd", 1),
        (b"\xed\xa0\xbd", "\ufffd\ufffd\ufffd", 3),
        ("\ufffd\xff".encode() + b"\xff", "\ufffd\xff\ufffd", 1),
    ],
)
def test_half_an_emoji_is_replaced_and_counted(tag, text, replaced, raw, wrapped):
    """The call is there, and so are the others of the page; only what is no character is replaced."""
    rows, known = read(call("call-a"), call("call-b", b'"tags":{"t":"%b"}' % tag), wrapped=wrapped, raw=raw)
    rows = [json.loads(bytes(row)) if raw else row for row in rows]
    assert [row["uuid"] for row in rows] == ["call-a", "call-b"]
    assert rows[1]["tags"] == {"t": text}
    assert (known.replaced, known.proved, known.rows) == (replaced, True, 2)


@given(st.text(st.characters(codec=None), max_size=20))
def test_every_text_becomes_one(text):
    """Whatever a visitor wrote, what is sent afterwards is JSON in UTF-8, and whole characters stay."""
    body, _ = repaired(json.dumps({"t": text}).encode())
    found = json.loads(body)["t"]
    found.encode()
    assert [char for char in found if char != "\ufffd"] == [
        char for char in text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if char != "\ufffd"
    ]


def test_numbers_without_bounds_keep_their_digits():
    """A number that no float and no machine's integer holds does not hide its page."""
    long = b"7" * 5_000
    rows, known = read(call("call-a"), call("call-b", b'"revenue":1e999999999,"n":%b,"m":[1.5]' % long))
    assert rows[1]["revenue"] == Decimal("1e999999999")
    assert rows[1]["n"] == Decimal(long.decode())
    assert rows[1]["m"] == [Decimal("1.5")]
    assert (len(rows), known.proved) == (2, True)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        # As it is read, or as it is converted: versions of Python differ in how deep they read.
        (call("call-x", b'"tags":' + DEEP), "all 'call-x'(, which)? is nested too deeply"),
        (call("call-x", b'"tags":[[],{},"]}[{\\""],"y":' + DEEP), "all 'call-x'(, which)? is nested too deeply"),
        (b'{"uuid":["call-x"],%b}' % AT, r"without a 'uuid', or something that is not a call \(number 2 of page 1"),
        (b'{"uuid":"call-x","created_at":5}', "contains call 'call-x', whose uuid, created_at or updated_at is not"),
        (
            b'{"uuid":"call-x",%b,"updated_at":{}}' % AT,
            "contains call 'call-x', whose uuid, created_at or updated_at",
        ),
        (b'{"uuid":"call-x",%b}' % AT.replace(b"2026", b"2010"), "contains call 'call-x', which has the created_at"),
        (b"[1]", r"something that is not a call \(number 2 of page 1\)"),
        (b"null", r"something that is not a call \(number 2 of page 1\)"),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_an_error_names_the_call(odd, message, wrapped):
    """What cannot be read as a call is named by its uuid, or by its place, whatever its neighbors are."""
    with pytest.raises(ProtocolError, match=message):
        read(call("call-a"), odd, call("call-b"), wrapped=wrapped)


@pytest.mark.parametrize(
    "body", [b"[" * 9_999, DEEP, b'{"a":[{"call":' + DEEP + b"}]}", b"[{" + b"[" * 600 + b"]}", b'["' + b"[" * 600]
)
def test_a_deep_body_that_is_no_list_of_calls(body):
    """A body of brackets is refused as what it is."""
    log = CallLog()
    log.instead = lambda _, __, ___: Response(200, {}, body)
    with log.client() as client, pytest.raises(ProtocolError, match=r"GET /api/v2/calls\.json"):
        list(export_calls(client, WINDOW))


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-05:00",
        "0001-01-01T00:00:00+05:00",
        "2026-01-05T00:00:00",
        "x",
        "2026",
    ],
)
def test_times_that_python_does_not_know(text):
    """A year 0, and moments beyond the first and the last one in UTC, are no times; an error names call and field."""
    with pytest.raises(NotOfKind):
        read_time(text)
    with pytest.raises(ProtocolError, match="Call call-a has a created_at"):
        call_time(text, "created_at", "call-a")
