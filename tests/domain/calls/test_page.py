"""A page that is cut into its calls has the same calls as one that is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.domain.calls import page as pages
from airflow_provider_retreaver.domain.calls.page import RawPage, read_page
from airflow_provider_retreaver.domain.calls.page_scan import PageOrder, PageScan
from airflow_provider_retreaver.domain.calls.typed_calls import CallDecoder

SEAM = '"},{"call":{"uuid":"x"'
TEXTS = st.sampled_from([SEAM, '},{"call":', "}]", '[{"call":', "é", "\U0001f600", "\n"]) | st.text(max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.integers() | st.none() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["call", "uuid"]) | TEXTS, inner, max_size=3)
        | st.just([{"call": {"uuid": "inner"}}, {"call": {"uuid": "other"}}])
    ),
    max_leaves=6,
)
CALLS = st.fixed_dictionaries(
    {"uuid": st.text(min_size=1, max_size=8)}, optional={"created_at": TEXTS, "tags": VALUES}
)


def read(body: bytes, decode: pages.Decode | None = None) -> RawPage:
    """Read a page."""
    return read_page(1, Request("GET", "/api/v2/calls.json"), Response(200, {}, body), decode)


@given(
    calls=st.lists(CALLS, max_size=4),
    ensure_ascii=st.booleans(),
    extra=st.sampled_from([{}, {"more": 1}, {"call": {"uuid": "second"}}]),
)
def test_calls_of_a_page_are_the_same_however_it_is_read(calls, ensure_ascii, extra):
    """Also with the seam between two calls inside a text, in a list of a call, or with more beside the call."""
    rows = [{"call": call, **extra} for call in calls]
    close = json.dumps(rows, ensure_ascii=ensure_ascii, separators=(",", ":")).encode()
    apart = json.dumps(rows, ensure_ascii=ensure_ascii, separators=(", ", ": ")).encode()
    in_lines = json.dumps(rows, ensure_ascii=ensure_ascii, indent=1).encode()
    assert not pages._cut(in_lines)
    expected = [row["call"] for row in rows]
    for body in (close, apart, in_lines):
        assert [json.loads(bytes(raw)) for raw in read(body).raws] == expected
        assert read(body).uuids == [call["uuid"] for call in expected]
        decoded = read(body, CallDecoder().page)
        assert [json.loads(bytes(raw)) for raw in decoded.raws] == expected
        assert [(key.uuid, key.created_at) for key in decoded.keys] == [
            (call["uuid"], call.get("created_at")) for call in expected
        ]


def test_an_ordinary_page_is_cut():
    """The common page is not read twice."""
    body = b'[{"call":{"uuid":"a","tags":{"t":"x"}}},{"call":{"uuid":"b"}}]'
    assert pages._cut(body) == [b'{"uuid":"a","tags":{"t":"x"}}', b'{"uuid":"b"}']


@pytest.mark.parametrize(
    "body",
    [
        b'[{"call":{"uuid":"a"}},{"call":{"uuid":"b"}},]',
        b'[{"call":{"uuid":"a"}},{"call":}]',
        b'[{"call":{"uuid":"a"}},{"call":1}]',
        b'[{"call":{"uuid":"a"},{"call":{"uuid":"b"}}]',
        b'[{"call":{"uuid":"a"}}}]',
        b'[{"call":{"uuid":"a","t":"\xff\x00"}}]',
    ],
)
def test_a_page_that_is_no_json_is_refused(body):
    """A cut never makes calls of what is no list of calls."""
    with pytest.raises(ProtocolError):
        read(body)


def test_calls_as_documented_are_decoded_at_once():
    """What is decoded has the fields of each call; the JSON of one is cut out of the page."""
    found = read(b'[{"call":{"uuid":"a","revenue":1.5}},{"call":{"revenue":null,"uuid":"b"}}]', CallDecoder().page)
    assert isinstance(found.raws, pages.DecodedCalls)
    assert [(call.uuid, call.revenue) for call in found.raws.calls] == [("a", 1.5), ("b", None)]
    assert list(found.raws) == [b'{"uuid":"a","revenue":1.5}', b'{"revenue":null,"uuid":"b"}']


@pytest.mark.parametrize(
    "call",
    [
        b'{"uuid":"a","brand_new":1}',
        b'{"uuid":"a","target_group":{"zone":1}}',
        b'{"uuid":"a","campaign":null}',
        b'{"uuid":"a",\n"revenue":1}',
    ],
)
def test_other_calls_are_not_decoded_at_once(call):
    """A page with a call that is not as documented is read call by call."""
    found = read(b'[{"call":{"uuid":"b"}},{"call":%s}]' % call, CallDecoder().page)
    assert not isinstance(found.raws, pages.DecodedCalls)
    assert found.uuids == ["b", "a"]


@pytest.mark.parametrize("decode", [None, CallDecoder().page], ids=["cut", "decoded"])
def test_secrets_of_calls_are_masked_however_a_page_is_read(decode):
    """A field within a call that is a secret is found in the first call, and masked in all of them."""
    pixels = b'"fired_pixels":[{"fired_pixel":{"id":%d,"api_key":"not-to-be-seen"}},{"call":1}]'
    calls = (b'{"call":{"uuid":"%d",%s}}' % (place, pixels % place) for place in range(3))
    found = read(b"[" + b",".join(calls) + b"]", decode)
    assert found.uuids == ["0", "1", "2"]
    assert not any(b"not-to-be-seen" in bytes(raw) for raw in found.raws)


def test_calls_that_are_decoded_must_be_those_that_were_asked_for():
    """A call of another time than the requested one is refused, whichever way the page is read."""
    query = (("created_at_start", "2026-01-05T00:00:00Z"), ("created_at_end", "2026-01-06T00:00:00Z"))
    request = Request("GET", "/api/v2/calls.json", query=query)
    body = b'[{"call":{"uuid":"a","created_at":"2025-01-05T12:00:00Z"}}]'
    for decode in (None, CallDecoder().page):
        with pytest.raises(ProtocolError, match="created_at"):
            read_page(1, request, Response(200, {}, body), decode)


def test_a_page_that_others_follow_is_read_where_it_is_used():
    """Only the first page and the last one are read where the response comes: the others say enough in their Link."""
    order = PageOrder(Request("GET", "/api/v2/calls.json"), 1, 1, 7, settled=False)
    found = []
    for number in (1, 2, 3):
        operation = order.following()
        assert operation is not None
        links = {"link": '<http://127.0.0.1/api/v2/calls.json?page=3>; rel="last"'}
        response = Response(200, links, b'[{"call":{"uuid":"%d"}}]' % number)
        found.append(operation.read(operation.request, response))
    assert order.following() is None
    assert [type(page) for page in found] == [RawPage, pages.UnreadPage, RawPage]
    scan = PageScan(order, settled=False)
    assert [page.uuids for page in scan.pages(found)] == [["1"], ["2"], ["3"]]


def test_an_error_of_a_page_is_raised_where_it_is_used():
    """A page that is no list of calls is named, whoever reads it."""
    links = {"link": '<http://127.0.0.1/api/v2/calls.json?page=3>; rel="last"'}
    unread = pages.UnreadPage(2, Request("GET", "/api/v2/calls.json"), Response(200, links, b"{}"), None)
    with pytest.raises(ProtocolError, match="is not a JSON array of calls"):
        unread.read()
